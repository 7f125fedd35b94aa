//! Usage of every container, however short it lived: CPU time to the nanosecond, processes, exit codes, memory peak.
//!
//! `lifetime.bpf.c` keeps one row a cgroup in a map whose sums only rise, and sends a record when a cgroup is made or
//! removed. A thread reads the records, so that a container's bundle is read while the container is there; the
//! [`Ledger`] puts what rows say on the accounts of containers and workloads. Records are hints: a lost one costs a
//! container's name, never its CPU time, and has the hierarchy walked.
//!
//! Not included: what tasks used before the agent started.

mod archive;
mod hierarchy;
mod metrics;
mod upkeep;
pub mod wire;
mod writer;

use std::{path::PathBuf, sync::Arc};

use kernfs::{Host, ReadError};

use self::{
    archive::Archive,
    hierarchy::Hierarchy,
    upkeep::{Maps, Naming, Upkeep},
    wire::Usage,
    writer::Writer,
};
use super::{
    health::{self, Feature as _},
    object::{Hook, Object, Plan},
    pump::Pump,
    running::Running,
};
use crate::{
    books::{
        Books, Owners,
        ledger::{self, Ledger},
        moment::Moment,
    },
    events::{Feeds, life::Life},
    identity::{Places, Pods},
    ids::CgroupId,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "lifetime",
    about: "What every container used and how it ended, however short it lived; sums by workload that only rise.",
    default_on: true,
    needs: &[
        Need::Kernel(5, 8),
        Need::Btf,
        Need::Capability("CAP_BPF"),
        Need::Capability("CAP_PERFMON"),
        Need::Hook("cgroup_mkdir"),
        Need::Hook("cgroup_rmdir"),
        Need::Hook("cgroup_attach_task"),
        Need::Hook("cgroup_notify_populated"),
        Need::Hook("sched_process_fork"),
        Need::Hook("sched_process_free"),
        Need::Hook("sched_switch"),
        Need::Hook("iter/task"),
    ],
    shows: &[(View::Own, metrics::FAMILIES)],
    build,
};

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lifetime.bpf.o"));

/// Forks first: from the moment on that tasks are counted, none is missed.
static HOOKS: &[(&str, Hook)] = &[
    ("on_fork", Hook::Tracepoint("sched_process_fork")),
    ("on_attach", Hook::Tracepoint("cgroup_attach_task")),
    ("on_mkdir", Hook::Tracepoint("cgroup_mkdir")),
    ("on_rmdir", Hook::Tracepoint("cgroup_rmdir")),
    ("on_populated", Hook::Tracepoint("cgroup_notify_populated")),
    ("on_free", Hook::Tracepoint("sched_process_free")),
    ("on_switch", Hook::Tracepoint("sched_switch")),
    ("count_living", Hook::Iterator("task")),
];

/// Sizes of the maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Cgroups that are there or went in the last ten seconds.
    pub cgroups: u32,
    /// Tasks.
    pub tasks: u32,
    /// Bytes of the ring buffer, a power of two.
    pub ring: u32,
}

impl Sizes {
    /// For a machine with so many CPUs: 4,096 cgroups and 8,192 tasks a CPU, within 8,192 … 32,768 and
    /// 16,384 … 65,536. Full, they take 3 … 14 MiB of kernel memory; empty, less than 1 MiB.
    pub fn for_cpus(cpus: usize) -> Self {
        let cpus = u32::try_from(cpus).unwrap_or(u32::MAX).max(1).checked_next_power_of_two().unwrap_or(1 << 31);
        Self {
            cgroups: cpus.saturating_mul(4096).clamp(8192, 32_768),
            tasks: cpus.saturating_mul(8192).clamp(16_384, 65_536),
            ring: 256 << 10,
        }
    }
}

/// How the feature is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sizes of the maps.
    pub sizes: Sizes,
    /// Limits of the books.
    pub limits: ledger::Limits,
    /// Pods that containers belong to.
    pub pods: Pods,
    /// Where containers' bundles are.
    pub places: Places,
    /// Who is told of cgroups that come, empty and go.
    pub feeds: Feeds,
    /// Where state outlives the agent: one that is started again goes on counting where this one ended.
    pub pin: Option<Pin>,
    /// Has the verifier refuse the programs; for tests.
    pub refuse: bool,
    /// Leaves records in the ring buffer; for tests of what happens when it is full.
    pub starve: bool,
}

/// Where state outlives the agent.
#[derive(Clone, Debug)]
pub struct Pin {
    /// A folder on a BPF file system, for programs and maps.
    pub bpffs: PathBuf,
    /// A folder for the books; like the other it should not outlive the machine's boot.
    pub books: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sizes: Sizes::for_cpus(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)),
            limits: ledger::Limits::default(),
            pods: Pods::default(),
            places: Places::default(),
            feeds: Feeds::default(),
            pin: None,
            refuse: false,
            starve: false,
        }
    }
}

/// The feature at work. Dropping it ends its threads and detaches its programs, unless they are pinned.
#[derive(Debug)]
pub struct Lifetime {
    upkeep: Arc<Upkeep>,
    pump: Option<Pump>,
}

impl Lifetime {
    /// Loads and attaches the programs, takes in what is there, and starts the threads.
    pub fn start(host: &Arc<Host>, options: &Options) -> Result<Self, Unavailable> {
        let hierarchy = Hierarchy::find(host)?;
        let pin = options.pin.as_ref().map(|pin| pin.bpffs.clone());
        let plan = Plan {
            name: "lifetime",
            image: IMAGE,
            hooks: HOOKS,
            constants: hierarchy.constants(),
            sizes: vec![
                ("usage", options.sizes.cgroups),
                ("tasks", options.sizes.tasks),
                ("events", options.sizes.ring),
            ],
            cgroup: None,
            pin: pin.as_deref(),
            refuse: options.refuse,
        };
        let boot = options
            .pin
            .as_ref()
            .map_or_else(|| Ok(String::new()), |_| archive::boot(host))
            .map_err(|error| unkept(&error))?;
        let archived = options
            .pin
            .as_ref()
            .map(|pin| Archive::open(&pin.books, &boot))
            .transpose()
            .map_err(|error| unkept(&error))?;
        let (archive, left) = archived.unzip();
        let mut object = Object::load(&plan, host)?;
        let (usage, since) = (object.table("usage")?, object.table("since")?);
        let ring = object.ring("events")?;
        let refused = |error: std::io::Error| Unavailable(format!("cannot prepare the maps: {error}"));
        if !object.is_reused() {
            usage.set(&CgroupId::NO_ROOM, &Usage::default()).map_err(refused)?;
            since.set(&0_u32, &u64::MAX).map_err(refused)?;
        }
        object.attach(&plan)?;
        let living = object.iterator("count_living")?;
        if !object.is_reused() {
            // Tasks that started before this moment and are not known yet are only taken note of by the first pass.
            since.set(&0_u32, &Moment::now().mono_ns).map_err(refused)?;
            living.run().map_err(refused)?;
        }
        object.pin()?;
        let maps = Maps { usage, losses: object.table("losses")?, streaming: object.table("streaming")?, living };
        let ledger = Ledger::new(options.limits, hierarchy.root).with_pods(&options.pods);
        let owners = Owners { constants: hierarchy.constants(), unified_root: hierarchy.unified_root(), pin };
        let books = Books::new(ledger, owners);
        let mut upkeep = Upkeep::new((host, &options.places), hierarchy, object, maps, books);
        if let Some(left) = left {
            upkeep.go_on(left, boot, options.limits, &options.pods);
        }
        let writer = archive.map(Writer::start).transpose();
        let no_thread = |error: std::io::Error| Unavailable(format!("cannot start the thread: {error}"));
        upkeep.tells(&options.feeds);
        upkeep.written_by(writer.map_err(no_thread)?);
        upkeep.first_reading();
        let upkeep = Arc::new(upkeep);
        health::watch(&upkeep);
        options.feeds.produced_by::<Life>(&upkeep);
        let mut pump = None;
        if !options.starve {
            let for_pump = Arc::clone(&upkeep);
            let mut naming = Naming::default();
            let each = move |turn: super::pump::Turn<'_>| for_pump.turn(&turn, &mut naming);
            let started = Pump::start("yagura-lifetime", ring, upkeep::PERIOD, each).map_err(no_thread)?;
            upkeep.is_pumped_by(started.waker());
            pump = Some(started);
        }
        Ok(Self { upkeep, pump })
    }

    /// Brings the books up to date and shows them.
    pub fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> std::io::Result<T> {
        self.upkeep.bring_up_to_date()?;
        Ok(self.upkeep.books().look(look))
    }

    /// CPU time of everything since the start by the books and by the kernel's own total, in ns.
    pub fn audit(&self) -> std::io::Result<(ledger::Audit, Option<u64>)> {
        let kernel = self.upkeep.bring_up_to_date()?;
        Ok((self.upkeep.books().look(Ledger::audit), kernel))
    }

    /// Dropped records and map entries, by kind.
    pub fn lost(&self) -> Vec<(&'static str, u64)> {
        self.upkeep.vitals().lost
    }

    /// Cost of the programs.
    pub fn costs(&self) -> super::object::Costs {
        self.upkeep.vitals().costs
    }

    /// The books, for features that count by the same cgroups.
    pub fn books(&self) -> Books {
        self.upkeep.books().clone()
    }

    /// Whether programs of an agent before this one go on counting.
    pub fn is_reused(&self) -> bool {
        self.upkeep.is_reused()
    }

    /// Whether the thread that reads records runs.
    pub fn is_pumping(&self) -> bool {
        self.pump.is_some()
    }
}

impl Drop for Lifetime {
    fn drop(&mut self) {
        // First, so that the last page has the last record.
        self.pump = None;
        self.upkeep.end();
    }
}

/// Why there is no folder for the books.
fn unkept(error: &std::io::Error) -> Unavailable {
    Unavailable(format!("cannot keep the books: {error}"))
}

static RUNNING: Running<Lifetime> = Running::none();

/// Shows the books.
struct Shows(Arc<Lifetime>);

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let probe = &context.config.probe;
    let pin = probe.is_pinned().then(|| Pin { bpffs: probe.pin.clone(), books: probe.books.clone() });
    let options = Options {
        pods: context.pods.clone(),
        places: context.places.clone(),
        feeds: context.feeds.clone(),
        pin,
        ..Options::default()
    };
    let lifetime = RUNNING.or_start(|| Lifetime::start(&context.host, &options).map(Arc::new))?;
    // Only the first engine that is built of a context can open them.
    let _ = context.books.set(lifetime.books());
    Ok(Box::new(Shows(lifetime)))
}

impl Collector for Shows {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let problem = |source| ReadError { path: "bpf/lifetime/usage".into(), source };
        let upkeep = &self.0.upkeep;
        let kernel = upkeep.bring_up_to_date().map_err(problem)?;
        let page_size = rustix::param::page_size() as u64;
        upkeep.books().look(|ledger| metrics::emit(ledger, page_size, kernel, scrape.out));
        Ok(())
    }

    fn delivered(&mut self, scraper: &str, at: f64) {
        self.0.upkeep.books().change(|ledger| ledger.shown(scraper, at));
    }
}
