//! State of each process between scrapes, and the budget of one scrape for reading more.
//!
//! Counting descriptors is one system call a process since Linux 6.2, whose `stat` of `/proc/<pid>/fd` tells it.
//! Telling sockets takes one more for each descriptor, so it is done when the count of descriptors has changed or a
//! minute has passed, and for processes with many descriptors only the latter. Telling what threads do takes a file
//! each; they take turns when they are many.

use std::{collections::HashMap, fmt::Write as _};

use kernfs::{Host, ReadError, Reader};

use super::parse::{self, State};
use crate::identity::Pid;

/// Seconds after which sockets are told anew although the count of descriptors is the same.
const SOCKETS_EVERY: f64 = 60.0;
/// A process with more descriptors than this has its sockets told only once in [`SOCKETS_EVERY`].
const FEW_DESCRIPTORS: u64 = 256;
/// How many links one scrape looks at, of processes that it knows and of those that it does not; the rest waits for the
/// next.
const LINKS_A_SCRAPE: u64 = 4096;
const NEW_LINKS_A_SCRAPE: u64 = 32_768;
/// How many threads one scrape looks at, of processes that it knows and of those that it does not.
const THREADS_A_SCRAPE: u64 = 128;
const NEW_THREADS_A_SCRAPE: u64 = 2048;
/// Of a process with more threads only so many are looked at, and the others taken to do the same.
const THREADS_A_PROCESS: u64 = 1024;
/// Seconds after which a process that was not asked for is forgotten.
const FORGET_AFTER: f64 = 90.0;

/// Threads by what they are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Threads {
    pub(super) sleeping: u64,
    pub(super) running: u64,
    pub(super) stopped: u64,
    /// Those that wait for a disk too.
    pub(super) uninterruptible: u64,
    pub(super) iowaiting: u64,
}

impl Threads {
    fn count(&mut self, state: State) {
        match state {
            State::Running => self.running += 1,
            State::Sleeping => self.sleeping += 1,
            State::Uninterruptible => self.uninterruptible += 1,
            State::Stopped => self.stopped += 1,
            State::Dead => {}
        }
    }

    fn each(&mut self) -> [&mut u64; 5] {
        let Self { sleeping, running, stopped, uninterruptible, iowaiting } = self;
        [sleeping, running, stopped, uninterruptible, iowaiting]
    }

    /// Adds those of another process.
    pub(super) fn add(&mut self, mut other: Self) {
        for (sum, part) in self.each().into_iter().zip(other.each()) {
            *sum += *part;
        }
    }

    /// As if `all` threads did what the `looked_at` ones do.
    fn scaled(mut self, all: u64, looked_at: u64) -> Self {
        for count in self.each() {
            *count = count.saturating_mul(all) / looked_at.max(1);
        }
        self
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Process {
    asked: f64,
    sockets: Option<u64>,
    sockets_of: u64,
    sockets_at: f64,
    threads: Option<Threads>,
    threads_at: f64,
    turn: u64,
}

/// Descriptors and sockets of one process, and what its threads do; `None` what is not known yet or may not be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) descriptors: Option<u64>,
    pub(super) sockets: Option<u64>,
    pub(super) threads: Option<Threads>,
}

/// All processes.
#[derive(Debug)]
pub(super) struct Processes {
    known: HashMap<Pid, Process>,
    /// Whether the size of `/proc/<pid>/fd` is the number of descriptors.
    sized: bool,
    links_left: u64,
    new_links_left: u64,
    one_more: bool,
    threads_left: u64,
    new_threads_left: u64,
    turn: u64,
    turn_is_over: bool,
    swept: f64,
    path: String,
    /// Since when the oldest sockets and thread states that were used in this scrape are known.
    pub(super) oldest_sockets: f64,
    pub(super) oldest_threads: f64,
    /// A process that this one may not look into, the first of the scrape.
    pub(super) hidden: Option<ReadError>,
}

/// Whether the size of a process's folder `fd` is the number of its descriptors, of which so many were listed. Before
/// Linux 6.2 it is 0, elsewhere than in procfs it is that of a file system's block.
const fn is_count(size: i64, listed: i64) -> bool {
    // While it is listed the folder is open itself, and other threads open and close files.
    size > 0 && size < 4096 && (size - listed).abs() <= 16
}

impl Processes {
    /// None known. Finds out how this kernel counts descriptors.
    pub(super) fn new(host: &Host) -> Self {
        let reader = Reader::default();
        let sized = reader.stat(&host.proc, "self/fd").is_some_and(|stat| {
            let mut listed = 0;
            let _ = reader.links(&host.proc, "self/fd", |_| listed += 1);
            is_count(stat.st_size, listed)
        });
        Self {
            known: HashMap::new(),
            sized,
            links_left: 0,
            new_links_left: 0,
            one_more: false,
            threads_left: 0,
            new_threads_left: 0,
            turn: 0,
            turn_is_over: true,
            swept: 0.0,
            path: String::new(),
            oldest_sockets: f64::MAX,
            oldest_threads: f64::MAX,
            hidden: None,
        }
    }

    /// To be called first in a scrape.
    pub(super) fn begin(&mut self, now: f64) {
        if self.turn_is_over {
            self.turn += 1;
        }
        self.turn_is_over = true;
        self.links_left = LINKS_A_SCRAPE;
        self.new_links_left = NEW_LINKS_A_SCRAPE;
        self.one_more = true;
        self.threads_left = THREADS_A_SCRAPE;
        self.new_threads_left = NEW_THREADS_A_SCRAPE;
        (self.oldest_sockets, self.oldest_threads) = (f64::MAX, f64::MAX);
        self.hidden = None;
        if now - self.swept > FORGET_AFTER {
            self.known.retain(|_, process| now - process.asked <= FORGET_AFTER);
            self.swept = now;
        }
    }

    /// One process, as of now; `None` when it has ended.
    pub(super) fn look(&mut self, pid: Pid, now: f64, host: &Host, reader: &mut Reader) -> Option<Seen> {
        let mut process = self.known.get(&pid).copied().unwrap_or_default();
        process.asked = now;
        let descriptors = match self.descriptors(pid, host, reader) {
            Ok(Some(count)) => Some(count),
            Ok(None) => return None,
            Err(problem) => {
                self.hidden.get_or_insert(problem);
                None
            }
        };
        if let Some(count) = descriptors {
            self.sockets(pid, count, &mut process, now, host, reader);
        }
        self.threads(pid, &mut process, now, host, reader);
        self.known.insert(pid, process);
        Some(Seen { descriptors, sockets: process.sockets, threads: process.threads })
    }

    fn path_of(&mut self, pid: Pid, file: &str) -> &str {
        self.path.clear();
        let _ = write!(self.path, "{pid}/{file}");
        &self.path
    }

    fn descriptors(&mut self, pid: Pid, host: &Host, reader: &Reader) -> Result<Option<u64>, ReadError> {
        let sized = self.sized;
        let path = self.path_of(pid, "fd");
        if sized {
            let size = reader.stat(&host.proc, path).map(|stat| stat.st_size);
            return Ok(size.and_then(|size| u64::try_from(size).ok()));
        }
        let mut count = 0;
        Ok(reader.list(&host.proc, path, |_, _| count += 1)?.then_some(count))
    }

    fn sockets(&mut self, pid: Pid, descriptors: u64, process: &mut Process, now: f64, host: &Host, reader: &Reader) {
        // Processes that started together are not all due at once.
        let every = SOCKETS_EVERY - f64::from(pid % 16);
        let changed = descriptors != process.sockets_of && descriptors <= FEW_DESCRIPTORS;
        let due = process.sockets.is_none() || changed || now - process.sockets_at >= every;
        let left = if process.sockets.is_none() { &mut self.new_links_left } else { &mut self.links_left };
        if descriptors == 0 {
            (process.sockets, process.sockets_of, process.sockets_at) = (Some(0), 0, now);
        } else if due && (*left >= descriptors || self.one_more) {
            // One process a scrape may go over the limit, so that those with very many descriptors have their turn.
            self.one_more &= *left >= descriptors;
            *left = left.saturating_sub(descriptors);
            let path = self.path_of(pid, "fd");
            let mut sockets = 0;
            match reader.links(&host.proc, path, |target| sockets += u64::from(target.starts_with(b"socket"))) {
                Ok(true) => {
                    (process.sockets, process.sockets_of, process.sockets_at) = (Some(sockets), descriptors, now);
                }
                Ok(false) => {}
                Err(problem) => {
                    self.hidden.get_or_insert(problem);
                }
            }
        }
        if process.sockets.is_some() {
            self.oldest_sockets = self.oldest_sockets.min(process.sockets_at);
        }
    }

    fn threads(&mut self, pid: Pid, process: &mut Process, now: f64, host: &Host, reader: &mut Reader) {
        let left = if process.threads.is_none() { &mut self.new_threads_left } else { &mut self.threads_left };
        if process.turn != self.turn && *left > 0 {
            let states = self.read_threads(pid, host, reader);
            if let Some((states, looked_at)) = states {
                let left = if process.threads.is_none() { &mut self.new_threads_left } else { &mut self.threads_left };
                *left = left.saturating_sub(looked_at);
                (process.threads, process.threads_at, process.turn) = (Some(states), now, self.turn);
            }
        } else if process.turn != self.turn {
            self.turn_is_over = false;
        }
        if process.threads.is_some() {
            self.oldest_threads = self.oldest_threads.min(process.threads_at);
        }
    }

    /// What the threads of a process do, and how many were looked at.
    fn read_threads(&mut self, pid: Pid, host: &Host, reader: &mut Reader) -> Option<(Threads, u64)> {
        let (state, count) = parse::stat(reader.read(&host.proc, self.path_of(pid, "stat")).ok()??)?;
        let mut threads = Threads::default();
        if count <= 1 {
            threads.count(state);
            if state == State::Uninterruptible {
                threads.iowaiting += u64::from(self.waits_for_disk(pid, host, reader));
            }
            return Some((threads, 1));
        }
        let mut ids: Vec<Pid> = Vec::new();
        let list = self.path_of(pid, "task");
        reader.list(&host.proc, list, |name, _| ids.extend(name.parse::<Pid>().ok())).ok()?;
        let all = ids.len() as u64;
        let mut looked_at = 0;
        for id in ids.into_iter().take(usize::try_from(THREADS_A_PROCESS).unwrap_or(usize::MAX)) {
            self.path.clear();
            let _ = write!(self.path, "{pid}/task/{id}/stat");
            let Ok(Some(file)) = reader.read(&host.proc, &self.path) else { continue };
            let Some((state, _)) = parse::stat(file) else { continue };
            looked_at += 1;
            threads.count(state);
            if state == State::Uninterruptible {
                threads.iowaiting += u64::from(self.waits_for_disk(id, host, reader));
            }
        }
        Some((if all > looked_at { threads.scaled(all, looked_at) } else { threads }, looked_at))
    }

    fn waits_for_disk(&mut self, thread: Pid, host: &Host, reader: &mut Reader) -> bool {
        let path = self.path_of(thread, "wchan");
        matches!(reader.read(&host.proc, path), Ok(Some(place)) if parse::waits_for_disk(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_kernel_gives_the_folder_of_descriptors_no_size() {
        assert!(is_count(12, 13) && is_count(3, 3));
        assert!(!is_count(0, 3) && !is_count(0, 0) && !is_count(4096, 4090) && !is_count(40, 12));
    }

    fn process(root: &std::path::Path, pid: Pid, sockets: u32) {
        let folder = root.join(format!("proc/{pid}/fd"));
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink("/dev/null", folder.join("0")).unwrap();
        for n in 1..=sockets {
            std::os::unix::fs::symlink(format!("socket:[{n}]"), folder.join(n.to_string())).unwrap();
        }
        let stat = format!("{pid} (x) S 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 19\n");
        std::fs::write(root.join(format!("proc/{pid}/stat")), stat).unwrap();
    }

    fn host() -> (tempfile::TempDir, Host) {
        let tree = tempfile::tempdir().unwrap();
        for sub in ["proc", "sys", "cgroup", "rootfs"] {
            std::fs::create_dir(tree.path().join(sub)).unwrap();
        }
        let host = Host::below(tree.path()).unwrap();
        (tree, host)
    }

    #[test]
    fn sockets_are_told_when_the_count_of_descriptors_changed_and_after_a_minute() {
        let (tree, host) = host();
        let mut reader = Reader::default();
        let mut processes = Processes::new(&host);
        let mut sockets_at = |now: f64| {
            processes.begin(now);
            let seen = processes.look(16, now, &host, &mut reader).unwrap();
            (seen.descriptors.unwrap(), seen.sockets.unwrap(), processes.oldest_sockets)
        };
        process(tree.path(), 16, 2);
        assert_eq!(sockets_at(1000.0), (3, 2, 1000.0));
        // One socket closed and one file opened: the count is the same.
        let folder = tree.path().join("proc/16/fd");
        std::fs::remove_file(folder.join("2")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.join("2")).unwrap();
        assert_eq!(sockets_at(1015.0), (3, 2, 1000.0));
        assert_eq!(sockets_at(1061.0), (3, 1, 1061.0));
        std::os::unix::fs::symlink("socket:[9]", folder.join("9")).unwrap();
        assert_eq!(sockets_at(1062.0), (4, 2, 1062.0));
    }

    #[test]
    fn threads_take_turns_when_they_are_many() {
        let (tree, host) = host();
        let mut reader = Reader::default();
        let pids: Vec<Pid> = (1..=200).collect();
        for pid in &pids {
            process(tree.path(), *pid, 0);
        }
        let mut processes = Processes::new(&host);
        let mut oldest = Vec::new();
        for now in [1.0, 2.0, 3.0, 4.0] {
            processes.begin(now);
            let all: Vec<_> = pids.iter().filter_map(|pid| processes.look(*pid, now, &host, &mut reader)).collect();
            assert!(all.iter().all(|seen| seen.threads.is_some_and(|threads| threads.sleeping == 1)));
            oldest.push(processes.oldest_threads);
        }
        // The first scrape looks at all, the second at 128, the third at the rest.
        assert_eq!(oldest, [1.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_process_that_ended_is_none() {
        let (_tree, host) = host();
        let mut processes = Processes::new(&host);
        processes.begin(1.0);
        assert_eq!(processes.look(7, 1.0, &host, &mut Reader::default()), None);
    }
}
