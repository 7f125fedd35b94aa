//! A unit: what counts as one container.

use serde::{Deserialize, Serialize};

use super::{
    super::{
        owner::{self, Role},
        usage::{Memory, Totals},
    },
    tally::Tallies,
};
use crate::events::whose::Container;

/// Reason why a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Status 0.
    Completed,
    /// Another status.
    Error,
    /// A signal.
    Signal,
    /// Out of memory.
    Oom,
    /// No process of it was seen to end.
    Unknown,
}

impl Reason {
    /// Words for the label, by index.
    pub const NAMES: [&'static str; 5] = ["completed", "error", "signal", "oom", "unknown"];

    /// The reason as a label value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Error => "error",
            Self::Signal => "signal",
            Self::Oom => "oom",
            Self::Unknown => "unknown",
        }
    }
}

/// A unit: a number that no other has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitId(pub u64);

impl UnitId {
    /// The one after it.
    #[must_use]
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A container, or another cgroup that has tasks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Unit {
    /// Number of the unit.
    pub number: UnitId,
    /// Path of its cgroup.
    pub path: String,
    /// What its series are called, as far as it is known.
    pub labels: Container,
    /// Whether its bundle was read.
    #[serde(default)]
    pub named: bool,
    /// Whether it holds a pod's namespaces and nothing else.
    pub sandbox: bool,
    /// Usage of the unit.
    pub totals: Totals,
    /// When we began to count, in seconds since the Unix epoch.
    pub created: f64,
    /// When it was removed, likewise.
    pub closed: Option<f64>,
    /// Status of the process that went last, as wait(2) gives it.
    pub status: Option<u32>,
    /// Memory, known when it is removed.
    pub memory: Memory,
    /// Counts of other features.
    pub tallies: Tallies,
    pub(super) role: Role,
    pub(super) workload: Option<usize>,
    pub(super) flushed: Totals,
    pub(super) flushed_tallies: Tallies,
    pub(super) flushed_events: [u64; 5],
    pub(super) counted_start: bool,
    pub(super) opened_ns: u64,
    pub(super) emptied_ns: u64,
    pub(super) closed_ns: u64,
    pub(super) last_end_ns: u64,
    pub(super) ended: bool,
    /// When the books were closed, in seconds since the Unix epoch.
    pub(super) ended_at: f64,
    pub(super) members: u32,
}

impl Unit {
    /// One that has used nothing yet.
    pub(super) fn new(number: UnitId, path: &str, role: Role, now: f64) -> Self {
        Self {
            number,
            path: path.to_owned(),
            labels: Container { name: owner::called(path).to_owned(), ..Container::default() },
            named: false,
            sandbox: false,
            totals: Totals::default(),
            created: now,
            closed: None,
            status: None,
            memory: Memory::default(),
            tallies: Tallies::default(),
            role,
            workload: None,
            flushed: Totals::default(),
            flushed_tallies: Tallies::default(),
            flushed_events: [0; 5],
            counted_start: false,
            opened_ns: 0,
            emptied_ns: 0,
            closed_ns: 0,
            last_end_ns: 0,
            ended: false,
            ended_at: 0.0,
            members: 0,
        }
    }

    /// Whether it ever had a task, and so is shown.
    pub fn is_real(&self) -> bool {
        self.totals.is_real()
    }

    /// Takes in what the kernel says of its memory: in its row, in the record of its removal or in both, so the greater
    /// counts.
    pub(super) fn learn_memory(&mut self, memory: Memory) {
        self.memory.peak_pages = self.memory.peak_pages.max(memory.peak_pages);
        for (known, new) in self.memory.events.iter_mut().zip(memory.events) {
            *known = (*known).max(new);
        }
    }

    /// Reason why it ended.
    pub fn reason(&self) -> Reason {
        let [.., oom_kill_events] = self.memory.events;
        match self.status {
            _ if self.tallies.oom_kills > 0 || oom_kill_events > 0 => Reason::Oom,
            None => Reason::Unknown,
            Some(0) => Reason::Completed,
            Some(status) if status & 0x7f != 0 => Reason::Signal,
            Some(_) => Reason::Error,
        }
    }
}
