//! A cgroup's usage as read from the kernel. A row is independent of the map's layout; the numbers in it are not.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, transmute_mut};

use crate::ids::CgroupId;

/// Names of memory events, in the order of [`Memory::events`].
pub const MEMORY_EVENTS: [&str; 5] = ["low", "high", "max", "oom", "oom_kill"];

/// Memory accounting of a cgroup at its removal. Laid out as the kernel's rows have it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
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

/// Usage of tasks; each number only rises. Laid out as the kernel's rows have it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
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

/// All numbers.
fn numbers(totals: &mut Totals) -> &mut [u64; size_of::<Totals>() / size_of::<u64>()] {
    transmute_mut!(totals)
}

impl Totals {
    /// Difference from an earlier state of the same cgroup.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let (mut more, mut earlier) = (*self, *earlier);
        for (number, earlier) in numbers(&mut more).iter_mut().zip(*numbers(&mut earlier)) {
            *number = number.saturating_sub(earlier);
        }
        more
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
    fn add_assign(&mut self, mut more: Self) {
        for (number, more) in numbers(self).iter_mut().zip(*numbers(&mut more)) {
            *number += more;
        }
    }
}
