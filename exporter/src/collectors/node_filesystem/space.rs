//! Asking file systems for their space, when each of them may hang forever.
//!
//! `statfs(2)` on a network file system whose server is gone does not return, and cannot be interrupted. So a thread of
//! its own asks; when it is not back in time the mount is marked as stuck, the thread is left to it, and another goes
//! on with the rest. In good times there is one thread. A stuck mount is not asked again until its answer has come.

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

    /// The space of the file system at `path`. Waits no longer than the timeout, and not beyond `deadline`.
    pub(super) fn space(&mut self, path: &Path, deadline: Instant) -> Result<Space, NoAnswer> {
        if let Some(worker) = self.stuck.get(path) {
            match worker.answers.try_recv() {
                Err(TryRecvError::Empty) => return Err(NoAnswer::Stuck),
                Ok(_) | Err(TryRecvError::Disconnected) => drop(self.stuck.remove(path)),
            }
        }
        let wait = self.timeout.min(deadline.saturating_duration_since(Instant::now()));
        if wait.is_zero() || self.stuck.len() >= MOST_STUCK {
            return Err(NoAnswer::NotAsked);
        }
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(self.ask).map_err(|_| NoAnswer::NotAsked)?,
        };
        if worker.questions.send(path.to_owned()).is_err() {
            return Err(NoAnswer::NotAsked);
        }
        match worker.answers.recv_timeout(wait) {
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

    /// Hangs on `/hung` until `OPEN`.
    fn ask(path: &Path) -> io::Result<Space> {
        if path == Path::new("/hung") {
            let mut open = OPEN.0.lock().unwrap();
            while !*open {
                open = OPEN.1.wait(open).unwrap();
            }
        }
        if path == Path::new("/gone") { Err(io::ErrorKind::NotFound.into()) } else { Ok(Space::default()) }
    }

    #[test]
    fn a_hung_mount_costs_itself_only_and_comes_back() {
        let mut asker = Asker::new(ask, Duration::from_millis(50));
        let far = Instant::now() + Duration::from_mins(1);
        assert!(asker.space(Path::new("/a"), far).is_ok());
        assert!(matches!(asker.space(Path::new("/hung"), far), Err(NoAnswer::Stuck)));
        let before = Instant::now();
        assert!(matches!(asker.space(Path::new("/hung"), far), Err(NoAnswer::Stuck)));
        assert!(before.elapsed() < Duration::from_millis(50), "a stuck mount is not waited for again");
        assert!(asker.space(Path::new("/a"), far).is_ok());
        assert!(matches!(asker.space(Path::new("/gone"), far), Err(NoAnswer::Refused(_))));
        assert!(matches!(asker.space(Path::new("/a"), Instant::now()), Err(NoAnswer::NotAsked)));
        *OPEN.0.lock().unwrap() = true;
        OPEN.1.notify_all();
        let give_up = Instant::now() + Duration::from_secs(20);
        while asker.space(Path::new("/hung"), far).is_err() {
            assert!(Instant::now() < give_up, "the mount answers and is still stuck");
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
