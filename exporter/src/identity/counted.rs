//! Counters of a cgroup from eBPF iterators, used instead of reading its files.

/// Figures of one cgroup, from the pass of this scrape. What is missing is read from files.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    /// From the memory controller.
    pub memory: Option<CountedMemory>,
    /// From the pids controller.
    pub tasks: Option<CountedTasks>,
    /// Time that tasks waited, by resource.
    pub pressure: Option<CountedPressure>,
}

/// Figures of one cgroup that a collector of this scrape has read from files, for those that run after it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Read {
    /// CPU time, in seconds.
    pub cpu: Option<f64>,
    /// How often a period of its quota ended throttled; `None` also where it has no quota.
    pub throttled: Option<u64>,
    /// Memory, in bytes.
    pub memory: Option<u64>,
}

/// Of the files `memory.*`, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedMemory {
    /// `memory.current`, or `memory.usage_in_bytes`.
    pub usage: u64,
    /// `memory.peak`, or `memory.max_usage_in_bytes`.
    pub peak: u64,
    /// `memory.swap.current`.
    pub swap: u64,
    /// `memory.kmem.usage_in_bytes`.
    pub kernel: u64,
}

/// Of the files `pids.*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedTasks {
    /// `pids.current`.
    pub current: u64,
    /// `pids.peak`.
    pub peak: Option<u64>,
    /// Stands still while `pids.events` does.
    pub events_stamp: u64,
}

/// Nanoseconds that `*.pressure` show as totals: some tasks, all tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedPressure {
    /// `cpu.pressure`.
    pub cpu: [u64; 2],
    /// `memory.pressure`.
    pub memory: [u64; 2],
    /// `io.pressure`.
    pub io: [u64; 2],
}
