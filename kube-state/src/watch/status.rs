//! State of the watches, for health checks and metrics.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use daemon::Outage;
use kubernetes::What;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// State of one watch.
#[derive(Debug)]
pub struct Status {
    start: Instant,
    synced: AtomicBool,
    missing: AtomicBool,
    /// Milliseconds after `start` at which the server last said something; 0 is never.
    heard: AtomicU64,
    trouble: Mutex<Trouble>,
    refused: Mutex<Option<Verb>>,
    settled: Arc<Notify>,
}

/// What is wrong with a watch.
#[derive(Debug, Default)]
struct Trouble {
    now: Option<String>,
    outage: Outage,
}

/// A right to a kind, which the API server grants or refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// To list its objects. Without it nothing is known of them.
    List,
    /// To watch them. Without it they are listed again and again.
    Watch,
}

impl Verb {
    /// All.
    pub const ALL: [Self; 2] = [Self::List, Self::Watch];

    /// As RBAC calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Watch => "watch",
        }
    }
}

impl Status {
    /// A watch that has not begun. `settled` is told when it is synced.
    pub fn new(settled: Arc<Notify>) -> Self {
        Self {
            start: Instant::now(),
            synced: AtomicBool::new(false),
            missing: AtomicBool::new(false),
            heard: AtomicU64::new(0),
            trouble: Mutex::default(),
            refused: Mutex::default(),
            settled,
        }
    }

    /// Whether all objects are there, or it is known that the server has no such kind.
    pub fn is_synced(&self) -> bool {
        self.synced.load(Relaxed) || self.missing.load(Relaxed)
    }

    /// Whether nothing more is to be waited for: all objects are there, or the server has no such kind, or refuses to list
    /// it.
    pub fn is_settled(&self) -> bool {
        self.is_synced() || self.refused() == Some(Verb::List)
    }

    /// The right that the server refuses, if it does.
    pub fn refused(&self) -> Option<Verb> {
        *self.refused.lock()
    }

    /// Whether the server has no such kind.
    pub fn is_missing(&self) -> bool {
        self.missing.load(Relaxed)
    }

    /// Time since the server last sent something about the objects; `None` if it never did.
    pub fn age(&self) -> Option<Duration> {
        match self.heard.load(Relaxed) {
            0 => None,
            heard => Some(self.start.elapsed().saturating_sub(Duration::from_millis(heard))),
        }
    }

    /// The current error of the watch, if there is one.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().now.clone()
    }

    pub(super) fn listed(&self) {
        self.missing.store(false, Relaxed);
        self.synced.store(true, Relaxed);
        self.hear();
        self.settled.notify_one();
    }

    pub(super) fn not_served(&self) {
        self.missing.store(true, Relaxed);
        self.settled.notify_one();
    }

    pub(super) fn hear(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard.store(now.max(1), Relaxed);
    }

    /// Notes the right that the server refuses, or that it refuses none. True when that is news.
    pub(super) fn refuse(&self, verb: Option<Verb>) -> bool {
        std::mem::replace(&mut *self.refused.lock(), verb) != verb
    }

    /// Notes trouble, or its end. True when it is news: another cause than those before, or the end.
    pub(super) fn set_trouble(&self, trouble: Option<String>) -> bool {
        let mut noted = self.trouble.lock();
        let is_news = match &trouble {
            Some(cause) => noted.outage.note(cause),
            None => noted.outage.end(),
        };
        noted.now = trouble;
        is_news
    }
}

/// Why a list was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is the first.
    Start,
    /// The version that the watch was at is no longer kept.
    Expired,
    /// This process' share of the objects changed.
    Shard,
    /// The list before did not come to its end.
    Unfinished,
    /// The server refuses to let the kind be watched.
    Unwatched,
    /// The watch panicked, and was started again.
    Panicked,
}

impl Why {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Start, Self::Expired, Self::Shard, Self::Unfinished, Self::Unwatched, Self::Panicked];

    /// As a label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Expired => "expired",
            Self::Shard => "shard",
            Self::Unfinished => "unfinished",
            Self::Unwatched => "unwatched",
            Self::Panicked => "panicked",
        }
    }
}

/// Outcomes of requests.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// Those that worked.
    pub success: AtomicU64,
    /// Those that did not.
    pub error: AtomicU64,
}

impl Outcomes {
    pub(super) fn note(&self, worked: bool) {
        if worked { &self.success } else { &self.error }.fetch_add(1, Relaxed);
    }
}

/// Counts of a kind since the program started, also of watches that ended.
#[derive(Debug, Default)]
pub struct Counts {
    /// Name of the kind in upstream's metrics.
    pub go_type: Arc<str>,
    /// Lists.
    pub lists: Outcomes,
    /// Watches.
    pub watches: Outcomes,
    /// Lists that were begun, by reason, in the order of [`Why::ALL`].
    pub begun: [AtomicU64; 6],
    /// Events, in the order of [`What::ALL`].
    pub events: [AtomicU64; 5],
    /// Bytes that came.
    pub bytes: AtomicU64,
    /// Lines and objects that could not be read.
    pub unreadable: AtomicU64,
    /// Objects in the last list, before any limit.
    pub listed: AtomicU64,
    /// The limit of objects in a list; 0 is none.
    pub limit: AtomicU64,
    /// Objects that a family could not be made of, by family.
    pub spoiled: Mutex<BTreeMap<String, u64>>,
    /// Series that an object gave twice with different numbers, by family.
    pub repeated: Mutex<BTreeMap<String, u64>>,
}

impl Counts {
    pub(super) fn event(&self, what: What) {
        if let Some(count) = self.events.get(what.index()) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn begin(&self, why: Why) {
        if let Some(count) = self.begun.get(why as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn spoil(&self, family: &str) {
        *self.spoiled.lock().entry(family.to_owned()).or_default() += 1;
    }

    pub(super) fn repeat(&self, family: &str) {
        *self.repeated.lock().entry(family.to_owned()).or_default() += 1;
    }
}

/// The counts of all kinds.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<BTreeMap<Arc<str>, Arc<Counts>>>>);

impl Ledger {
    /// The counts of a kind.
    pub fn of(&self, kind: &Arc<str>, go_type: &Arc<str>) -> Arc<Counts> {
        let new = || Arc::new(Counts { go_type: Arc::clone(go_type), ..Counts::default() });
        Arc::clone(self.0.lock().entry(Arc::clone(kind)).or_insert_with(new))
    }

    /// All there are, by kind.
    pub fn all(&self) -> Vec<(Arc<str>, Arc<Counts>)> {
        self.0.lock().iter().map(|(kind, counts)| (Arc::clone(kind), Arc::clone(counts))).collect()
    }
}
