//! Reads the last figures of cgroups while they are there: soon after they were made, so that their names and network
//! namespaces are known, and when their last process has ended.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    io,
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant, SystemTime},
};

use metric::Batch;
use parking_lot::Mutex;

use super::pages::History;
use crate::{
    events::{
        Feeds,
        life::{Life, Turn},
    },
    scrape::Engine,
};

/// Events that wait while something is read.
const QUEUE: usize = 4096;
/// Most cgroups that are kept ready to be read. Of more the oldest are found again when they empty.
const READY_MOST: usize = 512;
/// When a new cgroup is read: a runtime fills it, names it and gives it a network namespace step by step, and that can only
/// be found while a process is in it. In milliseconds.
const AFTER_BIRTH: [u64; 17] = [5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 400, 600, 1000, 1600, 2500, 5000, 10_000];
/// When a cgroup is read again that has emptied: its last process may have some microseconds left to run, and the kernel
/// adds up some of its counters later. In milliseconds.
const AFTER_END: [u64; 3] = [3, 30, 300];
/// How long one is read at most.
const READ_TIMEOUT: Duration = Duration::from_secs(1);
/// How often is looked whether this is still wanted.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Reads for a [`History`], from its first page on and until it is dropped.
pub struct Keeper {
    waiting: Mutex<Option<Engine>>,
    feeds: Feeds,
    history: Arc<History>,
    wanted: Arc<()>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("waits", &self.waiting.lock().is_some()).finish_non_exhaustive()
    }
}

impl Keeper {
    /// One that waits. `engine` has the collectors whose counters are read, and a tree that holds what it is told of.
    pub fn new(engine: Engine, feeds: &Feeds, history: &Arc<History>) -> Self {
        let (feeds, history) = (feeds.clone(), Arc::clone(history));
        Self { waiting: Mutex::new(Some(engine)), feeds, history, wanted: Arc::default() }
    }

    /// Begins, the first time.
    pub fn begin(&self) -> io::Result<()> {
        let Some(engine) = self.waiting.lock().take() else { return Ok(()) };
        let lives = self.feeds.follow::<Life>(QUEUE);
        let (history, wanted) = (Arc::clone(&self.history), Arc::downgrade(&self.wanted));
        let mut reading = Reading { engine, history, batch: Batch::default(), agenda: Agenda::default() };
        daemon::task::thread("yagura-history", move || {
            crate::privilege::settle();
            reading.follow(&lives, &wanted);
        })?;
        Ok(())
    }
}

/// What is to be read when, the earliest first.
#[derive(Debug, Default)]
struct Agenda {
    waiting: BinaryHeap<Reverse<(Instant, String)>>,
    /// Once each, however often its time has come.
    due: BTreeSet<String>,
}

impl Agenda {
    fn add(&mut self, path: &str, after: &[u64]) {
        let now = Instant::now();
        self.waiting.extend(after.iter().map(|ms| Reverse((now + Duration::from_millis(*ms), path.to_owned()))));
    }

    fn wait(&self) -> Duration {
        if !self.due.is_empty() {
            return Duration::ZERO;
        }
        let next = self.waiting.peek().map(|Reverse((due, _))| due.saturating_duration_since(Instant::now()));
        next.unwrap_or(LOOK_EVERY).min(LOOK_EVERY)
    }

    fn due(&mut self) -> Option<String> {
        let now = Instant::now();
        while let Some(Reverse((_, path))) = self.waiting.peek().filter(|Reverse((due, _))| *due <= now) {
            self.due.insert(path.clone());
            self.waiting.pop();
        }
        self.due.pop_first()
    }
}

struct Reading {
    engine: Engine,
    history: Arc<History>,
    batch: Batch,
    agenda: Agenda,
}

impl Reading {
    fn follow(&mut self, lives: &Receiver<Arc<Life>>, wanted: &Weak<()>) {
        let mut waiting = Vec::new();
        while wanted.strong_count() > 0 {
            match lives.recv_timeout(self.agenda.wait()) {
                Ok(life) => waiting.push(life),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            waiting.extend(lives.try_iter());
            self.take_in(&mut waiting);
            // One at a time, for a cgroup that empties meanwhile waits for nobody.
            if let Some(path) = self.agenda.due()
                && self.engine.tree().has(&path)
            {
                self.read(&path);
            }
        }
    }

    /// What has emptied goes first: it may be gone at any moment.
    fn take_in(&mut self, lives: &mut Vec<Arc<Life>>) {
        if lives.is_empty() {
            return;
        }
        let is_followed = self.history.is_followed(now());
        tracing::debug!(turns = lives.len(), is_followed, first = ?lives.first(), "cgroups come and go");
        lives.iter().filter(|life| life.turn == Turn::Made).for_each(|life| self.history.made(&life.path));
        if is_followed {
            for Life { path, .. } in lives.iter().map(|life| &**life).filter(|life| life.turn == Turn::Emptied) {
                if !self.engine.tree().has(path) {
                    self.engine.admit(path, READY_MOST);
                }
                if self.engine.tree().has(path) {
                    self.read(path);
                    self.agenda.add(path, &AFTER_END);
                }
            }
            for Life { path, .. } in lives.iter().map(|life| &**life).filter(|life| life.turn == Turn::Made) {
                self.engine.admit(path, READY_MOST);
                if self.engine.tree().has(path) {
                    self.agenda.add(path, &AFTER_BIRTH);
                }
            }
        }
        for life in lives.drain(..).filter(|life| life.turn == Turn::Removed) {
            self.history.gone(&life.path, now());
            self.engine.tree_mut().dismiss(&life.path);
        }
    }

    fn read(&mut self, path: &str) {
        if let Some(portrait) = self.engine.read_one(path, Instant::now() + READ_TIMEOUT, &mut self.batch) {
            tracing::debug!(path, counters = self.batch.len(), "read of a young or ended cgroup");
            self.history.read(portrait, &mut self.batch, now());
        }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
