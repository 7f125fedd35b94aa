//! Queries file systems that may hang: a mount whose server is gone blocks the caller, possibly for hours. Each such
//! mount has its own thread, with one query at a time, and the scrape waits for it only briefly.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel},
    time::{Duration, Instant},
};

use kernfs::{ReadError, Space};

type Answer = Result<Option<Space>, ReadError>;

/// How long one scrape waits, for all mounts together.
const STATFS_TIMEOUT: Duration = Duration::from_millis(100);

/// Questions that are open.
#[derive(Debug, Default)]
pub(super) struct Remote {
    open: HashMap<PathBuf, Receiver<Answer>>,
    until: Option<Instant>,
}

impl Remote {
    /// To be called first in a scrape.
    pub(super) fn begin(&mut self) {
        self.until = Some(Instant::now() + STATFS_TIMEOUT);
    }

    /// The space of the file system at `path`, or `None` when there is no answer yet.
    pub(super) fn space(&mut self, path: &Path) -> Option<Answer> {
        self.ask(path, kernfs::space)
    }

    fn ask(&mut self, path: &Path, question: fn(&Path) -> Answer) -> Option<Answer> {
        let key = path.to_owned();
        let answer = if let Some(answer) = self.open.remove(&key) {
            answer
        } else {
            let (sender, answer) = channel();
            let path = path.to_owned();
            let asking = move || {
                // Nobody listens any more when the answer comes after the end of the program.
                let _ = sender.send(question(&path));
            };
            // It ends when the file system answers; nobody can end it before.
            std::thread::Builder::new().name("remote".into()).spawn(asking).ok()?;
            answer
        };
        let left = self.until.map_or(STATFS_TIMEOUT, |until| until.saturating_duration_since(Instant::now()));
        let early = match answer.try_recv() {
            Err(TryRecvError::Empty) => answer.recv_timeout(left),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Ok(early) => Ok(early),
        };
        match early {
            Ok(found) => Some(found),
            Err(RecvTimeoutError::Timeout) => {
                self.open.insert(key, answer);
                None
            }
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_comes_is_given() {
        let mut remote = Remote::default();
        // On a busy machine it may take more than one scrape.
        let answer = testkit::wait_for(Duration::from_secs(20), || {
            remote.begin();
            remote.space(Path::new("/"))
        });
        assert!(matches!(answer, Some(Ok(Some(_)))));
    }

    #[test]
    fn a_server_that_is_gone_costs_a_moment_and_one_thread() {
        static ASKED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        fn hangs(_: &Path) -> Answer {
            ASKED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            loop {
                std::thread::park();
            }
        }
        let mut remote = Remote::default();
        let began = Instant::now();
        for _ in 0..3 {
            remote.begin();
            for path in ["/dead", "/dead"] {
                assert!(remote.ask(Path::new(path), hangs).is_none());
            }
        }
        assert!(began.elapsed() < 20 * STATFS_TIMEOUT, "{:?}", began.elapsed());
        assert_eq!(ASKED.load(std::sync::atomic::Ordering::SeqCst), 1);
    }
}
