//! A cgroup's usage as read from the kernel, independent of the map's layout.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::ids::CgroupId;

/// Names of memory events, in the order of [`Memory::events`].
pub const MEMORY_EVENTS: [&str; 5] = ["low", "high", "max", "oom", "oom_kill"];

/// Memory accounting of a cgroup at its removal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The most it had, in pages.
    pub peak_pages: u64,
    /// Events, in the order of [`MEMORY_EVENTS`].
    pub events: [u64; 5],
}

/// A reading of one cgroup: usage of its own tasks, without those of cgroups inside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Id of the parent cgroup; 0: it has none.
    pub parent: CgroupId,
    /// When it was made, in ns of the monotonic clock; 0: before counting began.
    pub opened_ns: u64,
    /// When it was removed; 0: it is there.
    pub closed_ns: u64,
    /// When its last process ended; 0: it has processes, or never had any.
    pub emptied_ns: u64,
    /// Usage of its tasks.
    pub totals: Totals,
    /// When the process ended whose status follows.
    pub last_end_ns: u64,
    /// Status of the process that ended last, as wait(2) gives it.
    pub last_status: u32,
    /// Memory of the cgroup, known when it is removed.
    pub memory: Memory,
}

/// Usage of tasks; each number only rises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// CPU time, in ns.
    pub cpu_ns: u64,
    /// Time spent waiting for a CPU, in ns.
    pub wait_ns: u64,
    /// Bytes fetched from storage.
    pub read_bytes: u64,
    /// Bytes written to storage.
    pub written_bytes: u64,
    /// Processes and threads started.
    pub tasks_started: u64,
    /// Processes started.
    pub processes_started: u64,
    /// Processes and threads ended.
    pub tasks_ended: u64,
    /// Processes ended with status 0.
    pub ended_ok: u64,
    /// Processes ended with another status.
    pub ended_error: u64,
    /// Processes ended by a signal.
    pub ended_signal: u64,
}

impl Totals {
    /// Difference from an earlier state of the same cgroup.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            wait_ns: self.wait_ns.saturating_sub(earlier.wait_ns),
            read_bytes: self.read_bytes.saturating_sub(earlier.read_bytes),
            written_bytes: self.written_bytes.saturating_sub(earlier.written_bytes),
            tasks_started: self.tasks_started.saturating_sub(earlier.tasks_started),
            processes_started: self.processes_started.saturating_sub(earlier.processes_started),
            tasks_ended: self.tasks_ended.saturating_sub(earlier.tasks_ended),
            ended_ok: self.ended_ok.saturating_sub(earlier.ended_ok),
            ended_error: self.ended_error.saturating_sub(earlier.ended_error),
            ended_signal: self.ended_signal.saturating_sub(earlier.ended_signal),
        }
    }

    /// Whether this can be a later state of the same row. If not, the row was made anew.
    #[must_use]
    pub fn follows(&self, earlier: &Self) -> bool {
        self.cpu_ns >= earlier.cpu_ns
            && self.tasks_started >= earlier.tasks_started
            && self.tasks_ended >= earlier.tasks_ended
    }

    /// Whether a task was ever seen.
    pub fn is_real(&self) -> bool {
        self.cpu_ns > 0 || self.tasks_started > 0 || self.tasks_ended > 0
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, more: Self) {
        self.cpu_ns += more.cpu_ns;
        self.wait_ns += more.wait_ns;
        self.read_bytes += more.read_bytes;
        self.written_bytes += more.written_bytes;
        self.tasks_started += more.tasks_started;
        self.processes_started += more.processes_started;
        self.tasks_ended += more.tasks_ended;
        self.ended_ok += more.ended_ok;
        self.ended_error += more.ended_error;
        self.ended_signal += more.ended_signal;
    }
}
