//! Structs that the iterators write to their tables (iterators.h).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    identity::{Controller, CountedMemory, CountedPressure, CountedTasks},
    ids::CgroupId,
};

/// Reading of a cgroup by a pass.
pub trait Reading: FromBytes + IntoBytes + Immutable + Clone + std::fmt::Debug + Send + 'static {
    /// The controller whose hierarchy is walked.
    const CONTROLLER: Controller;

    /// The cgroup's id, which is the inode of its folder.
    fn id(&self) -> CgroupId;
}

/// Memory (`struct memory_reading`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MemoryReading {
    id: CgroupId,
    usage_pages: u64,
    peak_pages: u64,
    kernel_pages: u64,
    swap_pages: u64,
    /// Charges that the limit refused at first, of memory, and of memory and swap together.
    pub failcnt: [u64; 2],
    /// `low`, `high`, `max`, `oom`, `oom_kill`, `oom_group_kill`, with all cgroups below.
    pub events: [u64; 6],
    /// `oom_kill` of the cgroup alone.
    pub own_oom_kills: u64,
}

const _: () = assert!(size_of::<MemoryReading>() == 112);

impl Reading for MemoryReading {
    const CONTROLLER: Controller = Controller::Memory;

    fn id(&self) -> CgroupId {
        self.id
    }
}

impl MemoryReading {
    pub(super) fn counted(&self, page_size: u64) -> CountedMemory {
        let bytes = |pages: u64| pages.saturating_mul(page_size);
        CountedMemory {
            usage: bytes(self.usage_pages),
            peak: bytes(self.peak_pages),
            swap: bytes(self.swap_pages),
            kernel: bytes(self.kernel_pages),
        }
    }
}

/// Tasks (`struct tasks_reading`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TasksReading {
    id: CgroupId,
    current: u64,
    peak: u64,
    refusals: u64,
    has_peak: u32,
    padding: u32,
}

const _: () = assert!(size_of::<TasksReading>() == 40);

impl Reading for TasksReading {
    const CONTROLLER: Controller = Controller::Pids;

    fn id(&self) -> CgroupId {
        self.id
    }
}

impl TasksReading {
    pub(super) fn counted(&self) -> CountedTasks {
        let peak = (self.has_peak != 0).then_some(self.peak);
        CountedTasks { current: self.current, peak, events_stamp: self.refusals }
    }
}

/// Pressure (`struct pressure_reading`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PressureReading {
    id: CgroupId,
    io_ns: [u64; 2],
    memory_ns: [u64; 2],
    cpu_ns: [u64; 2],
    pending: u32,
    enabled: u32,
}

const _: () = assert!(size_of::<PressureReading>() == 64);

impl Reading for PressureReading {
    const CONTROLLER: Controller = Controller::Unified;

    fn id(&self) -> CgroupId {
        self.id
    }
}

impl PressureReading {
    /// `None` where a file would show more: time that is not in the totals yet, or that pressure is switched off.
    pub(super) fn counted(&self) -> Option<CountedPressure> {
        let Self { io_ns: io, memory_ns: memory, cpu_ns: cpu, pending, enabled, .. } = *self;
        (pending == 0 && enabled != 0).then_some(CountedPressure { cpu, memory, io })
    }
}
