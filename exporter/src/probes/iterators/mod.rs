//! Memory, tasks and pressure of all cgroups from eBPF iterators, instead of one file read per value.
//!
//! Programs on `iter/cgroup` (Linux 6.1) copy the counters that the files of `memory.*`, `pids.*` and `*.pressure`
//! show; a pass over 300 cgroups takes some 0.1 ms, reading the files 1 … 4 µs each. Each pass is a program of its own:
//! one that a kernel refuses leaves the others. The figures are put on the cgroups of the scrape
//! ([`crate::identity::Counted`]) before the collectors run; whatever is missing there they read from files, as all of
//! them do where this slice is off.
//!
//! Not included: `memory.stat` and `cpu.stat`, which the kernel adds up when they are read.

mod pass;
pub mod wire;

use std::{path::PathBuf, sync::Arc};

use kernfs::{Host, ReadError};
use parking_lot::Mutex;

use self::{
    pass::{Pass, Program},
    wire::{MemoryReading, PressureReading, Reading, TasksReading},
};
use super::{object::Hook, running::Running};
use crate::{
    identity::{Counted, Layout},
    ids::CgroupId,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "iterators",
    about: "Memory, tasks and pressure of all containers in one pass of the kernel, instead of a file read each.",
    default_on: true,
    needs: &[
        Need::Kernel(6, 1),
        Need::Btf,
        Need::Capability("CAP_BPF"),
        Need::Capability("CAP_PERFMON"),
        Need::Hook("iter/cgroup"),
    ],
    shows: &[(View::Cadvisor, &[]), (View::Own, &[])],
    build,
};

static MEMORY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/iter_memory.bpf.o"));
static TASKS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/iter_tasks.bpf.o"));
static PRESSURE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/iter_pressure.bpf.o"));

/// The passes that this machine can have.
#[derive(Debug)]
pub struct Iterators {
    memory: Result<Pass<MemoryReading>, Unavailable>,
    tasks: Result<Pass<TasksReading>, Unavailable>,
    pressure: Result<Pass<PressureReading>, Unavailable>,
    page_size: u64,
}

impl Iterators {
    /// Loads a program a pass. Gives the reason when none is to be had.
    pub fn start(host: &Host, layout: &Layout, refuse: bool) -> Result<Self, Unavailable> {
        let cpus = aya::util::nr_cpus().unwrap_or(1);
        let cpus = u32::try_from(cpus).unwrap_or(1);
        let memory = Program {
            feature: "iterators_memory",
            image: MEMORY,
            hooks: &[("on_cgroup_memory", Hook::Cgroups)],
            constants: Vec::new(),
        };
        let tasks = Program {
            feature: "iterators_tasks",
            image: TASKS,
            hooks: &[("on_cgroup_tasks", Hook::Cgroups)],
            constants: Vec::new(),
        };
        let pressure = Program {
            feature: "iterators_pressure",
            image: PRESSURE,
            hooks: &[("on_cgroup_pressure", Hook::Cgroups)],
            constants: vec![("cpus", cpus)],
        };
        let started = Self {
            memory: start(&memory, host, layout, refuse),
            tasks: start(&tasks, host, layout, refuse),
            pressure: start(&pressure, host, layout, refuse),
            page_size: rustix::param::page_size() as u64,
        };
        let reasons = [started.memory.as_ref().err(), started.tasks.as_ref().err(), started.pressure.as_ref().err()];
        for reason in reasons.iter().flatten() {
            tracing::debug!(%reason, "cgroup iterator is off: reading files instead");
        }
        match reasons {
            [Some(memory), Some(_), Some(_)] => Err(memory.clone()),
            _ => Ok(started),
        }
    }

    /// Makes all passes. One that fails leaves nothing for [`Iterators::of`], and the others.
    pub fn run(&mut self) -> Result<(), ReadError> {
        let problem = |source| ReadError { path: PathBuf::from("bpf/iterators"), source };
        let memory = self.memory.as_mut().map_or(Ok(()), Pass::run);
        let tasks = self.tasks.as_mut().map_or(Ok(()), Pass::run);
        let pressure = self.pressure.as_mut().map_or(Ok(()), Pass::run);
        memory.and(tasks).and(pressure).map_err(problem)
    }

    /// What the passes found of a cgroup, by its ids in the hierarchies of [`Reading::CONTROLLER`].
    pub fn of(&self, memory: Option<CgroupId>, tasks: Option<CgroupId>, pressure: Option<CgroupId>) -> Counted {
        fn found<R: Reading>(pass: &Result<Pass<R>, Unavailable>, id: Option<CgroupId>) -> Option<&R> {
            pass.as_ref().ok()?.of(id?)
        }
        Counted {
            memory: found(&self.memory, memory).map(|reading| reading.counted(self.page_size)),
            tasks: found(&self.tasks, tasks).map(TasksReading::counted),
            pressure: found(&self.pressure, pressure).and_then(PressureReading::counted),
        }
    }

    /// Whether there is a pass for pressure.
    pub fn has_pressure(&self) -> bool {
        self.pressure.is_ok()
    }

    /// Number of cgroups that the passes found: memory, tasks, pressure.
    pub fn found(&self) -> [usize; 3] {
        [
            self.memory.as_ref().map_or(0, |pass| pass.all().len()),
            self.tasks.as_ref().map_or(0, |pass| pass.all().len()),
            self.pressure.as_ref().map_or(0, |pass| pass.all().len()),
        ]
    }
}

fn start<R: Reading>(program: &Program, host: &Host, layout: &Layout, refuse: bool) -> Result<Pass<R>, Unavailable> {
    let home = layout.home(R::CONTROLLER).and_then(|home| layout.roots().nth(home));
    let root = home.ok_or_else(|| Unavailable(format!("no hierarchy has {:?}", R::CONTROLLER)))?;
    Pass::start(program, host, root, refuse)
}

static RUNNING: Running<Mutex<Iterators>> = Running::none();

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let layout =
        Layout::find(&context.host, &mut kernfs::Reader::default()).map_err(|error| Unavailable(error.to_string()))?;
    let start = || Iterators::start(&context.host, &layout, false).map(|passes| Arc::new(Mutex::new(passes)));
    Ok(Box::new(Passes(RUNNING.or_start(start)?)))
}

#[derive(Debug)]
struct Passes(Arc<Mutex<Iterators>>);

impl Collector for Passes {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        let mut passes = self.0.lock();
        let outcome = passes.run();
        for group in scrape.tree.groups() {
            if group.cadvisor.is_none() && group.own.is_none() {
                continue;
            }
            let mut id = |controller| group.id(&layout, controller);
            let ids = (id(MemoryReading::CONTROLLER), id(TasksReading::CONTROLLER), id(PressureReading::CONTROLLER));
            group.counted = passes.of(ids.0, ids.1, ids.2);
        }
        outcome
    }
}
