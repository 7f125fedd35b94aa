//! The thread that measures folders in the background.
//!
//! It works only for folders that a scrape asked for lately, so nothing runs while nobody scrapes. Its nice value is 19,
//! from which the kernel also derives the lowest best-effort I/O priority. After each small step it rests, so that it
//! works at most one twentieth of the time: 3 seconds a minute, however many files there are. A folder is measured anew
//! after a minute, or after twenty times as long as measuring it took.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use kernfs::{Usage, Walk};
use parking_lot::{Condvar, Mutex};

/// Files in one step: about a millisecond.
const STEP: usize = 256;
/// It rests so many times as long as it worked.
const REST: u32 = 19;
const EVERY: Duration = Duration::from_mins(1);
/// A folder that no scrape asked for in this time is forgotten.
const FORGET_AFTER: Duration = Duration::from_mins(2);
/// A folder with more files than this is not measured to its end.
const MOST_FILES: u64 = 5_000_000;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The usage, and when the walk was done.
    Measured(Usage, Instant),
    /// Why it cannot be told.
    Failed(String),
}

#[derive(Debug)]
struct Folder {
    asked: Instant,
    due: Instant,
    found: Option<Found>,
}

#[derive(Debug, Default)]
struct Shared {
    folders: HashMap<PathBuf, Folder>,
    stop: bool,
    /// Whether the thread is there.
    working: bool,
}

#[derive(Debug, Default)]
struct Queue {
    shared: Mutex<Shared>,
    news: Condvar,
}

/// The scrape's side.
#[derive(Debug, Default)]
pub(super) struct Surveyor {
    queue: Arc<Queue>,
}

impl Surveyor {
    /// What is known of a folder; asks for it to be measured. Never waits for that.
    pub(super) fn ask(&self, path: &Path, now: Instant) -> Option<Found> {
        let mut shared = self.queue.shared.lock();
        if let Some(folder) = shared.folders.get_mut(path) {
            folder.asked = now;
            return folder.found.clone();
        }
        shared.folders.insert(path.to_owned(), Folder { asked: now, due: now, found: None });
        None
    }

    /// To be called last in a scrape: sees to it that the thread is there and looks at what was asked.
    pub(super) fn work(&self) -> std::io::Result<()> {
        let mut shared = self.queue.shared.lock();
        if !shared.working && !shared.folders.is_empty() {
            let queue = Arc::clone(&self.queue);
            // The thread ends by itself soon after `stop`; waiting for it could mean waiting for a dead disk.
            std::thread::Builder::new().name("surveyor".into()).spawn(move || queue.work())?;
            shared.working = true;
        }
        self.queue.news.notify_one();
        Ok(())
    }
}

impl Drop for Surveyor {
    fn drop(&mut self) {
        self.queue.shared.lock().stop = true;
        self.queue.news.notify_one();
    }
}

/// Tells, when it is dropped, that the thread ends.
struct Ending<'q>(&'q Queue);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.shared.lock().working = false;
    }
}

impl Queue {
    fn work(&self) {
        // After a panic the next scrape starts another thread.
        let _ending = Ending(self);
        // Without this it is a thread as any other, and still rests.
        let _ = rustix::process::setpriority_process(None, 19);
        while let Some(path) = self.next() {
            let began = Instant::now();
            let found = self.measure(&path);
            let done = Instant::now();
            let every = EVERY.max(20 * done.duration_since(began));
            if let Some(folder) = self.shared.lock().folders.get_mut(&path) {
                folder.found = Some(found);
                folder.due = done + every;
            }
        }
    }

    /// The folder that is due for longest; waits for one. `None` when it is time to stop.
    fn next(&self) -> Option<PathBuf> {
        let mut shared = self.shared.lock();
        loop {
            if shared.stop {
                return None;
            }
            let now = Instant::now();
            shared.folders.retain(|_, folder| now.duration_since(folder.asked) < FORGET_AFTER);
            let due = shared.folders.iter().filter(|(_, folder)| folder.due <= now);
            if let Some((path, _)) = due.min_by_key(|(_, folder)| folder.due) {
                return Some(path.clone());
            }
            // Scrapes wake it: what becomes due between two of them is measured after the second.
            self.news.wait(&mut shared);
        }
    }

    fn measure(&self, path: &Path) -> Found {
        let mut walk = match Walk::begin(path) {
            Ok(walk) => walk,
            Err(problem) => return Found::Failed(text(&problem)),
        };
        loop {
            let began = Instant::now();
            match walk.step(STEP) {
                Ok(Some(usage)) => return Found::Measured(usage, Instant::now()),
                Ok(None) if walk.so_far().inodes > MOST_FILES => {
                    return Found::Failed(format!("{} has more than {MOST_FILES} files", path.display()));
                }
                Ok(None) => {}
                Err(problem) => return Found::Failed(text(&problem)),
            }
            let mut shared = self.shared.lock();
            if shared.stop {
                return Found::Failed("stopped".into());
            }
            let until = Instant::now() + REST * began.elapsed();
            while !shared.stop && Instant::now() < until {
                self.news.wait_until(&mut shared, until);
            }
        }
    }
}

fn text(problem: &kernfs::ReadError) -> String {
    format!("{problem}: {}", problem.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(surveyor: &Surveyor, path: &Path) -> Found {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(found) = surveyor.ask(path, Instant::now()) {
                return found;
            }
            surveyor.work().unwrap();
            assert!(Instant::now() < deadline, "no answer for {}", path.display());
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_folder_is_measured_after_it_was_asked_for() {
        let tree = tempfile::tempdir().unwrap();
        for n in 0..600 {
            std::fs::write(tree.path().join(n.to_string()), "x").unwrap();
        }
        let surveyor = Surveyor::default();
        match answer(&surveyor, tree.path()) {
            Found::Measured(usage, _) => assert_eq!(usage.inodes, 601),
            Found::Failed(why) => panic!("{why}"),
        }
    }

    #[test]
    fn a_folder_that_is_not_there_says_why() {
        let surveyor = Surveyor::default();
        match answer(&surveyor, Path::new("/nowhere/at/all")) {
            Found::Failed(why) => assert!(why.contains("/nowhere/at/all"), "{why}"),
            Found::Measured(usage, _) => panic!("{usage:?}"),
        }
    }

    #[test]
    fn the_thread_ends_with_its_owner() {
        let surveyor = Surveyor::default();
        let queue = Arc::clone(&surveyor.queue);
        answer(&surveyor, Path::new("/nowhere/at/all"));
        drop(surveyor);
        let deadline = Instant::now() + Duration::from_secs(20);
        while queue.shared.lock().working {
            assert!(Instant::now() < deadline, "the thread is still there");
            std::thread::yield_now();
        }
    }
}
