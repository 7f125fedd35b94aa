//! Running watches, and the data that scrapes read. A configuration change affects only the kinds it changes: new
//! watches fill new stores, which replace the old ones when complete, so there is no gap.
//!
//! A change of configuration touches only the kinds that it changes: their new watches fill stores of their own, and
//! take the place of the old when they are whole. So no change leaves a gap.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    store::{Reader, Store, Usage},
    watch::{Common, Counts, Ledger, Status, Target, Watch},
};

/// Sources of targets. Each part is changed on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Kinds that we know.
    Known,
    /// Namespaces, to know which to watch in.
    Namespaces,
    /// The definitions of custom resources.
    Definitions,
    /// Custom resources.
    Custom,
    /// Owners of pods.
    Owners,
    /// Objects with addresses, other than pods.
    Peers,
}

/// See the module.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    common: Common,
    ledger: Ledger,
    entries: Mutex<Vec<Entry>>,
    board: ArcSwap<Vec<Shown>>,
    settled: Arc<Notify>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct Entry {
    part: Part,
    target: Arc<Target>,
    fingerprint: String,
    reader: Reader,
    status: Arc<Status>,
    stop: CancellationToken,
    /// No longer asked for; shown until others can take its place.
    is_old: bool,
    /// Not shown while there are old ones of its kind.
    is_new: bool,
}

/// A kind, as scrapes see it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its name.
    pub kind: Arc<str>,
    /// Its stores, one a watch.
    pub readers: Vec<Reader>,
}

/// State of a kind.
#[derive(Clone, Debug)]
pub struct Health {
    /// Its name.
    pub kind: Arc<str>,
    /// Its watches.
    pub watches: Vec<Arc<Status>>,
    /// Size of the stored data.
    pub usage: Usage,
    /// Counts since the program started.
    pub counts: Arc<Counts>,
    /// The part of its objects that is requested.
    pub form: &'static str,
}

impl Engine {
    /// Watches nothing yet.
    pub fn new(common: Common, ledger: Ledger, stop: CancellationToken) -> Self {
        let (tasks, settled) = (TaskTracker::new(), Arc::new(Notify::new()));
        let (entries, board) = (Mutex::default(), ArcSwap::default());
        Self { inner: Arc::new(Inner { common, ledger, entries, board, settled, tasks, stop }) }
    }

    /// Watches these targets of a part, in place of those that it had. To be called on a runtime.
    pub fn apply(&self, part: Part, targets: Vec<Target>) {
        let mut entries = self.inner.entries.lock();
        for entry in entries.iter_mut().filter(|entry| entry.part == part) {
            entry.is_old = true;
        }
        for target in targets {
            let fingerprint = target.fingerprint();
            let known = entries.iter_mut().find(|entry| entry.part == part && entry.fingerprint == fingerprint);
            match known {
                Some(entry) => entry.is_old = false,
                None => entries.push(self.start(part, target, fingerprint)),
            }
        }
        self.inner.settle(&mut entries);
    }

    fn start(&self, part: Part, target: Target, fingerprint: String) -> Entry {
        let Inner { common, ledger, settled, tasks, stop, .. } = &*self.inner;
        let (target, stop) = (Arc::new(target), stop.child_token());
        let store = Store::new(target.heads.iter().cloned());
        let (reader, status) = (store.reader(), Arc::new(Status::new(Arc::clone(settled))));
        let counts = ledger.of(&target.kind, &target.go_type);
        let watch = Watch::new(common.clone(), Arc::clone(&target), store, Arc::clone(&status), counts);
        tasks.spawn(watch.run(stop.clone()));
        Entry { part, target, fingerprint, reader, status, stop, is_old: false, is_new: true }
    }

    /// Puts new watches in the place of old ones as they become whole, until the engine is stopped.
    pub async fn run(&self) {
        loop {
            tokio::select! {
                () = self.inner.stop.cancelled() => break,
                () = self.inner.settled.notified() => self.inner.settle(&mut self.inner.entries.lock()),
            }
        }
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Data that scrapes read.
    pub fn board(&self) -> Arc<Vec<Shown>> {
        self.inner.board.load_full()
    }

    /// Fails with the kinds that are not there yet. Those that the server refuses to list are not waited for.
    pub fn ready(&self) -> Result<(), String> {
        let entries = self.inner.entries.lock();
        let waiting = entries.iter().filter(|entry| !entry.is_old && !entry.status.is_settled());
        let mut kinds = BTreeMap::new();
        for entry in waiting {
            kinds.insert(Arc::clone(&entry.target.kind), entry.status.trouble());
        }
        if kinds.is_empty() {
            return if entries.is_empty() { Err("nothing is watched yet".to_owned()) } else { Ok(()) };
        }
        let told = |(kind, trouble): (Arc<str>, Option<String>)| match trouble {
            Some(trouble) => format!("{kind} ({trouble})"),
            None => kind.to_string(),
        };
        Err(format!("not listed yet: {}", kinds.into_iter().map(told).collect::<Vec<_>>().join(", ")))
    }

    /// State of all kinds, in the order of the output.
    pub fn health(&self) -> Vec<Health> {
        let entries = self.inner.entries.lock();
        let mut kinds: BTreeMap<(Part, Arc<str>), Health> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| !entry.is_old) {
            let key = (entry.part, Arc::clone(&entry.target.kind));
            let health = kinds.entry(key).or_insert_with(|| Health {
                kind: Arc::clone(&entry.target.kind),
                watches: Vec::new(),
                usage: Usage::default(),
                counts: self.inner.ledger.of(&entry.target.kind, &entry.target.go_type),
                form: entry.target.form.name(),
            });
            health.watches.push(Arc::clone(&entry.status));
            health.usage = health.usage + entry.reader.snapshot().usage();
        }
        kinds.into_values().collect()
    }

    /// The counts of all kinds, those that are no longer watched included.
    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }
}

impl Entry {
    fn kind(&self) -> (Part, Arc<str>) {
        (self.part, Arc::clone(&self.target.kind))
    }
}

impl Inner {
    /// Lets go of old watches that are not needed any more, and shows what there is.
    fn settle(&self, entries: &mut Vec<Entry>) {
        let waits = |entries: &[Entry], of: &Entry| {
            let mut successors = entries
                .iter()
                .filter(|entry| !entry.is_old && entry.part == of.part && entry.target.kind == of.target.kind);
            successors.any(|successor| !successor.status.is_synced())
        };
        let is_over: Vec<bool> =
            entries.iter().map(|entry| entry.is_old && !(entry.status.is_synced() && waits(entries, entry))).collect();
        let mut is_over = is_over.into_iter();
        entries.retain(|entry| {
            let is_over = is_over.next().unwrap_or(false);
            if is_over {
                entry.stop.cancel();
            }
            !is_over
        });
        let old_kinds: Vec<(Part, Arc<str>)> = entries.iter().filter(|entry| entry.is_old).map(Entry::kind).collect();
        let mut kinds: BTreeMap<(Part, Arc<str>), Shown> = BTreeMap::new();
        for entry in entries {
            let has_old = old_kinds.contains(&entry.kind());
            // While an old watch waits for its successors, it is what is shown.
            if has_old && entry.is_new {
                continue;
            }
            entry.is_new &= has_old;
            let new = || Shown { kind: Arc::clone(&entry.target.kind), readers: Vec::new() };
            kinds.entry(entry.kind()).or_insert_with(new).readers.push(entry.reader.clone());
        }
        self.board.store(Arc::new(kinds.into_values().collect()));
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("kinds", &self.inner.board.load().len()).finish_non_exhaustive()
    }
}
