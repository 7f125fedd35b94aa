//! Asking file systems for their space, when each of them may hang forever.
//!
//! `statfs(2)` on a network file system whose server is gone does not return, and cannot be interrupted. So a thread of
//! its own asks; when it is not back promptly the thread is left to it, and another goes on with the rest. Those that
//! are late are waited for at the end, all at once, so that many hung mounts take no longer than one. In good times
//! there is one thread. A stuck mount is not asked again until its answer has come.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel},
    thread,
    time::{Duration, Instant},
};

/// Space of a file system, in bytes and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) size: u64,
    pub(super) free: u64,
    pub(super) available: u64,
    pub(super) files: u64,
    pub(super) files_free: u64,
}

/// How a file system is asked.
pub(super) type Ask = fn(&Path) -> io::Result<Space>;

/// Asks the kernel.
pub(super) fn statfs(path: &Path) -> io::Result<Space> {
    let stat = rustix::fs::statfs(path)?;
    let block = u64::try_from(stat.f_bsize).unwrap_or(0);
    Ok(Space {
        size: stat.f_blocks.saturating_mul(block),
        free: stat.f_bfree.saturating_mul(block),
        available: stat.f_bavail.saturating_mul(block),
        files: stat.f_files,
        files_free: stat.f_ffree,
    })
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The kernel said so.
    Refused(io::Error),
    /// It takes too long, now or since an earlier scrape.
    Stuck,
    /// There was no time left to ask, or no thread to ask with.
    NotAsked,
}

/// So long a file system is waited for before the next one is asked meanwhile.
const PROMPT: Duration = Duration::from_millis(10);

/// More hung mounts than this are not waited for: each holds a thread.
const MOST_STUCK: usize = 64;

#[derive(Debug)]
struct Worker {
    questions: Sender<PathBuf>,
    answers: Receiver<io::Result<Space>>,
}

impl Worker {
    fn start(ask: Ask) -> io::Result<Self> {
        let (questions, asked) = channel::<PathBuf>();
        let (answer, answers) = channel();
        thread::Builder::new().name("statfs".into()).stack_size(64 << 10).spawn(move || {
            // Ends when either side of the channels is dropped, which a stuck mount delays.
            for path in asked {
                if answer.send(ask(&path)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { questions, answers })
    }
}

/// Asks file systems for their space, one after another.
#[derive(Debug)]
pub(super) struct Asker {
    ask: Ask,
    timeout: Duration,
    worker: Option<Worker>,
    stuck: HashMap<PathBuf, Worker>,
}

impl Asker {
    pub(super) fn new(ask: Ask, timeout: Duration) -> Self {
        Self { ask, timeout, worker: None, stuck: HashMap::new() }
    }

    /// The space of each file system, in the order of `paths`. Takes no longer than the timeout, and not beyond
    /// `deadline`.
    pub(super) fn spaces(&mut self, paths: &[PathBuf], deadline: Instant) -> Vec<Result<Space, NoAnswer>> {
        let until = deadline.min(Instant::now() + self.timeout);
        let mut late = Vec::new();
        let mut answers = Vec::with_capacity(paths.len());
        for (index, path) in paths.iter().enumerate() {
            let known = self.stuck.contains_key(path);
            let answer = self.space(path, until);
            if matches!(answer, Err(NoAnswer::Stuck)) && !known {
                late.push((index, path));
            }
            answers.push(answer);
        }
        for (index, path) in late {
            let wait = until.saturating_duration_since(Instant::now());
            let answer = self.stuck.get(path).and_then(|worker| worker.answers.recv_timeout(wait).ok());
            if let (Some(answer), Some(slot)) = (answer, answers.get_mut(index)) {
                *slot = answer.map_err(NoAnswer::Refused);
                self.worker = self.stuck.remove(path);
            }
        }
        answers
    }

    /// The space of the file system at `path`, when it is told promptly.
    fn space(&mut self, path: &Path, until: Instant) -> Result<Space, NoAnswer> {
        if let Some(worker) = self.stuck.get(path) {
            match worker.answers.try_recv() {
                Err(TryRecvError::Empty) => return Err(NoAnswer::Stuck),
                Ok(_) | Err(TryRecvError::Disconnected) => drop(self.stuck.remove(path)),
            }
        }
        if Instant::now() >= until || self.stuck.len() >= MOST_STUCK {
            return Err(NoAnswer::NotAsked);
        }
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(self.ask).map_err(|_| NoAnswer::NotAsked)?,
        };
        if worker.questions.send(path.to_owned()).is_err() {
            return Err(NoAnswer::NotAsked);
        }
        match worker.answers.recv_timeout(PROMPT) {
            Ok(answer) => {
                self.worker = Some(worker);
                answer.map_err(NoAnswer::Refused)
            }
            Err(RecvTimeoutError::Timeout) => {
                self.stuck.insert(path.to_owned(), worker);
                Err(NoAnswer::Stuck)
            }
            Err(RecvTimeoutError::Disconnected) => Err(NoAnswer::NotAsked),
        }
    }

    /// Forgets stuck mounts that are not mounted any more.
    pub(super) fn keep(&mut self, is_mounted: impl Fn(&Path) -> bool) {
        self.stuck.retain(|path, _| is_mounted(path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Condvar, Mutex};

    static OPEN: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    /// Hangs on some until `OPEN`; one is slow.
    fn ask(path: &Path) -> io::Result<Space> {
        if path == Path::new("/slow") {
            thread::sleep(3 * PROMPT);
        }
        if hang(path) {
            let mut open = OPEN.0.lock().unwrap();
            while !*open {
                open = OPEN.1.wait(open).unwrap();
            }
        }
        if path == Path::new("/gone") { Err(io::ErrorKind::NotFound.into()) } else { Ok(Space::default()) }
    }

    fn hang(path: &Path) -> bool {
        ["/hung", "/too", "/three"].iter().any(|hung| path == Path::new(hung))
    }

    #[test]
    fn hung_mounts_cost_themselves_only_and_come_back() {
        let timeout = Duration::from_millis(200);
        let mut asker = Asker::new(ask, timeout);
        let far = Instant::now() + Duration::from_mins(1);
        let paths = ["/a", "/hung", "/too", "/slow", "/three", "/gone", "/b"].map(PathBuf::from);
        let before = Instant::now();
        let answers = asker.spaces(&paths, far);
        assert!(before.elapsed() < 2 * timeout, "three hung mounts take no longer than one: {:?}", before.elapsed());
        for (path, answer) in paths.iter().zip(&answers) {
            match answer {
                Ok(_) => assert!(!hang(path) && !path.ends_with("gone"), "{path:?}"),
                Err(NoAnswer::Stuck) => assert!(hang(path), "{path:?}"),
                Err(NoAnswer::Refused(_)) => assert!(path.ends_with("gone"), "{path:?}"),
                Err(NoAnswer::NotAsked) => panic!("{path:?} was not asked"),
            }
        }
        let before = Instant::now();
        assert!(matches!(asker.spaces(&paths[1..2], far)[..], [Err(NoAnswer::Stuck)]));
        assert!(before.elapsed() < timeout, "a stuck mount is not waited for again");
        assert!(matches!(asker.spaces(&paths[..1], Instant::now())[..], [Err(NoAnswer::NotAsked)]));
        *OPEN.0.lock().unwrap() = true;
        OPEN.1.notify_all();
        let give_up = Instant::now() + Duration::from_secs(20);
        while asker.spaces(&paths, far).iter().filter(|answer| answer.is_err()).count() > 1 {
            assert!(Instant::now() < give_up, "the mounts answer and are still stuck");
            thread::yield_now();
        }
        assert!(asker.stuck.is_empty());
    }

    #[test]
    fn the_kernel_tells_the_space_of_the_root() {
        let space = statfs(Path::new("/")).unwrap();
        assert!(space.size >= space.free && space.free >= space.available, "{space:?}");
    }
}
