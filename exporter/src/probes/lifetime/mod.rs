//! What every container used, however short it lived: CPU time to the nanosecond, processes, exit codes, memory peak.
//!
//! `lifetime.bpf.c` keeps one row a cgroup in a map whose sums only rise, and sends a record when a cgroup is made or
//! removed. A thread reads the records, so that a container's bundle is read while the container is there; the
//! [`Ledger`] puts what rows say on the accounts of containers and workloads. Records are hints: a lost one costs a
//! container's name, never its CPU time, and has the hierarchy walked.
//!
//! Left out: what tasks used before the agent started.

mod archive;
mod hierarchy;
mod metrics;
pub mod wire;

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use kernfs::{Host, ReadError, Reader};
use parking_lot::Mutex;

use self::{
    archive::{Archive, Note, Page},
    hierarchy::Hierarchy,
    wire::{EVENT_LOSSES, LOSSES, Record, Usage},
};
use super::{
    health::{self, Feature, Vitals},
    object::{Entries, Hook, Iterator, Object, Plan, Table},
    pump::{Next, Pump, Turn},
    running::Running,
};
use crate::{
    books::{
        ledger::{self, Columns, Ledger},
        moment::Moment,
        usage::Row,
    },
    identity::{Pods, bundle},
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

/// How often the pump looks although no record woke it, while something is unfinished. Shorter than the ledger's wait for
/// a container's last records.
const PERIOD: Duration = Duration::from_secs(1);
/// How often it settles what is gone.
const SETTLE_EVERY: Duration = Duration::from_secs(2);
/// How long a container is asked for its bundle each period.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the hierarchy is walked although nothing was lost.
const WALK_EVERY: Duration = Duration::from_mins(1);

/// How large the maps are.
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
    /// How large the maps are.
    pub sizes: Sizes,
    /// What limits the books.
    pub limits: ledger::Limits,
    /// What containers belong to.
    pub pods: Pods,
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
            pin: None,
            refuse: false,
            starve: false,
        }
    }
}

/// The feature at work. Dropping it ends its thread and detaches its programs.
#[derive(Debug)]
pub struct Lifetime {
    shared: Arc<Shared>,
    // Dropped, and so joined, before what it works on.
    pump: Option<Pump>,
}

struct Shared {
    host: Arc<Host>,
    hierarchy: Hierarchy,
    object: Object,
    usage: Table,
    losses: Table,
    living: Iterator,
    pin: Option<PathBuf>,
    state: Mutex<State>,
    /// Maps of other features whose counts stand on these books.
    sources: Mutex<Vec<(Columns, Weak<Table>)>>,
    /// Features with books of their own.
    followers: Mutex<Vec<Weak<dyn Follower>>>,
}

/// A feature that keeps books of its own beside these. It is called with the books locked.
pub trait Follower: Send + Sync {
    /// Some cgroups are gone and will be forgotten: what was counted of them can be put on the right accounts now.
    fn keep(&self, ledger: &Ledger, now: Moment);
    /// These cgroups are forgotten.
    fn forget(&self, cgroups: &[u64]);
}

/// The books, for features that keep their counts there.
#[derive(Clone, Debug)]
pub struct Books(Arc<Shared>);

impl Books {
    /// Those of the `lifetime` feature that is at work.
    pub fn current() -> Result<Self, Unavailable> {
        RUNNING
            .get()
            .map(|running| running.books())
            .ok_or_else(|| Unavailable("needs the feature lifetime, which is off".into()))
    }

    /// Values of the constants that say which cgroup owns a task.
    pub fn owner(&self) -> Vec<(&'static str, u32)> {
        self.0.hierarchy.constants()
    }

    /// Root of the version 2 hierarchy, if that owns what is used.
    pub fn unified_root(&self) -> Option<PathBuf> {
        self.0.hierarchy.unified_root()
    }

    /// The folder on a BPF file system where programs and maps stay when the agent ends, if they do.
    pub fn pin(&self) -> Option<PathBuf> {
        self.0.pin.clone()
    }

    /// Has the counts of a map, with `u64` keys and two numbers a value, put on the books as long as the map lives.
    /// `is_new`: the map begins at zero.
    pub fn follow(&self, columns: Columns, table: &Arc<Table>, is_new: bool) {
        if is_new {
            let mut state = self.0.state.lock();
            for tally in columns.into_iter().flatten() {
                state.ledger.tally_is_new(tally);
            }
        }
        self.0.sources.lock().push((columns, Arc::downgrade(table)));
    }

    /// Has a feature that keeps books of its own follow these as long as it lives.
    pub fn follow_with(&self, follower: &Arc<impl Follower + 'static>) {
        let weak: Weak<dyn Follower> = Arc::downgrade(follower) as Weak<dyn Follower>;
        let mut followers = self.0.followers.lock();
        followers.retain(|known| known.strong_count() > 0);
        followers.push(weak);
    }

    /// Shows the books.
    pub fn look<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.0.state.lock().ledger)
    }
}

struct State {
    ledger: Ledger,
    rows: Entries<u64, Usage>,
    counts: Entries<u64, [u64; 2]>,
    reader: Reader,
    lost: [u64; LOSSES.len()],
    resyncs: u64,
    settled: Instant,
    walked: Instant,
    /// When containers were last asked for their bundles.
    asked: Instant,
    kernel_start: Option<u64>,
    archive: Option<Archive>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("object", &self.object).finish_non_exhaustive()
    }
}

impl Lifetime {
    /// Loads and attaches the programs, takes in what is there, and starts the thread.
    pub fn start(host: &Arc<Host>, options: &Options) -> Result<Self, Unavailable> {
        let hierarchy = Hierarchy::find(host)?;
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
            pin: options.pin.as_ref().map(|pin| pin.bpffs.as_path()),
            refuse: options.refuse,
        };
        let archived = options.pin.as_ref().map(|pin| Archive::open(&pin.books, host)).transpose();
        let archived = archived.map_err(|error| Unavailable(format!("cannot keep the books: {error}")))?;
        let mut object = Object::load(&plan, host)?;
        let (usage, since) = (object.table("usage")?, object.table("since")?);
        let ring = object.ring("events")?;
        let refused = |error: std::io::Error| Unavailable(format!("cannot prepare the maps: {error}"));
        if !object.is_reused() {
            usage.set(&0_u64, &Usage::default()).map_err(refused)?;
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
        let losses = object.table("losses")?;
        let mut state = State {
            ledger: Ledger::new(options.limits, hierarchy.root).with_pods(&options.pods),
            rows: Entries::default(),
            counts: Entries::default(),
            reader: Reader::default(),
            lost: [0; LOSSES.len()],
            resyncs: 0,
            settled: Instant::now(),
            walked: Instant::now(),
            asked: Instant::now(),
            kernel_start: None,
            archive: None,
        };
        state.kernel_start = hierarchy.kernel_total(&mut state.reader);
        if let Some((archive, page, notes)) = archived {
            if let Some(page) = page.filter(|page| page.ledger.root() == hierarchy.root) {
                state.go_on(page, object.is_reused(), options);
            } else if object.is_reused() {
                tracing::warn!("the books of the agent before are gone: counters begin anew");
            }
            state.replay(notes, hierarchy.number);
            state.archive = Some(archive);
        }
        let shared = Arc::new(Shared {
            host: Arc::clone(host),
            hierarchy,
            object,
            usage,
            losses,
            living,
            pin: options.pin.as_ref().map(|pin| pin.bpffs.clone()),
            state: Mutex::new(state),
            sources: Mutex::default(),
            followers: Mutex::default(),
        });
        shared.first_reading();
        health::watch(&shared);
        let mut pump = None;
        if !options.starve {
            let for_pump = Arc::clone(&shared);
            let mut reader = Reader::default();
            let started = Pump::start("yagura-lifetime", ring, PERIOD, move |turn| for_pump.turn(&turn, &mut reader));
            pump = Some(started.map_err(|error| Unavailable(format!("cannot start the thread: {error}")))?);
        }
        Ok(Self { shared, pump })
    }

    /// Brings the books up to date and shows them.
    pub fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> std::io::Result<T> {
        self.shared.living.run()?;
        let mut state = self.shared.state.lock();
        self.shared.update(&mut state)?;
        Ok(look(&state.ledger))
    }

    /// CPU time of everything since the start by the books and by the kernel's own total, in ns.
    pub fn audit(&self) -> std::io::Result<(ledger::Audit, Option<u64>)> {
        let audit = self.read(Ledger::audit)?;
        Ok((audit, self.shared.kernel_since_start(&mut self.shared.state.lock())))
    }

    /// What was lost, by kind.
    pub fn lost(&self) -> Vec<(&'static str, u64)> {
        self.shared.vitals().lost
    }

    /// What the programs cost.
    pub fn costs(&self) -> super::object::Costs {
        self.shared.object.costs()
    }

    /// The books, for features that keep their counts there.
    pub fn books(&self) -> Books {
        Books(Arc::clone(&self.shared))
    }

    /// Whether programs of an agent before this one go on counting.
    pub fn is_reused(&self) -> bool {
        self.shared.object.is_reused()
    }

    /// Whether the thread runs.
    pub fn is_pumping(&self) -> bool {
        self.pump.is_some()
    }
}

impl State {
    /// Goes on with the books of the agent before. `reused`: so do the kernel's rows.
    fn go_on(&mut self, page: Page<Ledger>, reused: bool, options: &Options) {
        let Page { ledger, kernel_start, kernel_seen, lost, resyncs, .. } = page;
        self.ledger = ledger.continued(options.limits, &options.pods);
        self.resyncs = resyncs;
        if reused {
            (self.kernel_start, self.lost) = (kernel_start, lost);
            return;
        }
        self.ledger.rows_are_new();
        // What nobody counted since then is left out on both sides.
        self.kernel_start = match (self.kernel_start, kernel_start, kernel_seen) {
            (Some(now), Some(start), Some(seen)) => Some(now.saturating_sub(seen.saturating_sub(start))),
            (now, ..) => now,
        };
    }

    /// Takes in what the agent before learnt after it wrote the books last.
    fn replay(&mut self, notes: Vec<Note>, owner: u32) {
        let now = Moment::now();
        for note in notes {
            match note {
                Note::Seen(Record::Made { id, path }) => {
                    self.ledger.made(id, &path, now.wall);
                }
                Note::Seen(Record::Removed { hierarchy, id, path, memory }) => {
                    if hierarchy == owner {
                        self.ledger.removed(id, now.mono_ns);
                    }
                    if let Some(memory) = memory {
                        self.ledger.memory_at_end(&path, memory, now.wall);
                    }
                }
                Note::Named(id, named) => self.ledger.named(id, &named),
            }
        }
    }

    /// Takes note of what the rows do not tell.
    fn note(&mut self, note: impl FnOnce() -> Note) {
        if let Some(archive) = &mut self.archive {
            archive.note(&note());
        }
    }

    fn named(&mut self, id: u64, named: &bundle::Named) {
        self.ledger.named(id, named);
        self.note(|| Note::Named(id, named.clone()));
    }
}

impl Shared {
    fn first_reading(&self) {
        let mut state = self.state.lock();
        let state = &mut *state;
        self.walk(state);
        if let Err(error) = self.update(state) {
            tracing::warn!(%error, "cannot read what containers used");
        }
    }

    /// One turn of the pump.
    fn turn(&self, turn: &Turn<'_>, reader: &mut Reader) -> Next {
        match turn {
            Turn::Record(bytes) => {
                if let Some(record) = wire::decode(bytes) {
                    self.take_in(record, reader);
                }
                Next::Period
            }
            Turn::Idle => {
                let unnamed = self.name_the_unnamed(reader);
                let mut state = self.state.lock();
                let waited = state.settled.elapsed();
                let pending = state.ledger.pending();
                let crowded = pending > self.usage.max_entries() / 4 && waited > PERIOD / 4;
                if (pending > 0 && waited >= SETTLE_EVERY || crowded)
                    && let Err(error) = self.update(&mut state)
                {
                    tracing::debug!(%error, "cannot read what containers used");
                }
                Next::soon_if(unnamed || pending > 0)
            }
        }
    }

    fn take_in(&self, record: Record, reader: &mut Reader) {
        let now = Moment::now();
        match record {
            Record::Made { id, path } => {
                let container = {
                    let mut state = self.state.lock();
                    let container = state.ledger.made(id, &path, now.wall).map(str::to_owned);
                    state.note(|| Note::Seen(Record::Made { id, path }));
                    container
                };
                // The bundle is read without the lock: scrapes must not wait for a disk.
                if let Some(container) = container
                    && let Some(named) = bundle::find(&self.host, reader, &container)
                {
                    self.state.lock().named(id, &named);
                }
            }
            Record::Removed { hierarchy, id, path, memory } => {
                let mut state = self.state.lock();
                if hierarchy == self.hierarchy.number {
                    state.ledger.removed(id, now.mono_ns);
                }
                if let Some(memory) = memory {
                    state.ledger.memory_at_end(&path, memory, now.wall);
                }
                state.note(|| Note::Seen(Record::Removed { hierarchy, id, path, memory }));
            }
        }
    }

    /// Asks young containers again for bundles that were not there when their cgroup was made; tells whether some are to
    /// be asked once more. Those that keep silent are asked after each walk.
    fn name_the_unnamed(&self, reader: &mut Reader) -> bool {
        let unnamed = {
            let mut state = self.state.lock();
            if state.asked.elapsed() < PERIOD / 2 {
                return true;
            }
            state.asked = Instant::now();
            state.ledger.unnamed(Moment::now().wall - PATIENCE.as_secs_f64())
        };
        let mut silent = false;
        for (id, container) in unnamed {
            match bundle::find(&self.host, reader, &container) {
                Some(named) => self.state.lock().named(id, &named),
                None => silent = true,
            }
        }
        silent
    }

    /// Puts what the kernel's rows say on the accounts.
    fn update(&self, state: &mut State) -> std::io::Result<()> {
        if self.lost_events(state)? || state.walked.elapsed() >= WALK_EVERY {
            self.walk(state);
        }
        let now = Moment::now();
        self.usage.read_all(self.usage.max_entries(), &mut state.rows)?;
        state.ledger.measured(state.rows.iter().map(|(id, usage)| (*id, Row::from(usage))), now);
        let mut sources = self.sources.lock();
        sources.retain(|(_, table)| table.strong_count() > 0);
        for (columns, table) in sources.iter().filter_map(|(columns, table)| Some((*columns, table.upgrade()?))) {
            table.read_all(table.max_entries(), &mut state.counts)?;
            for (id, counts) in state.counts.iter() {
                for (tally, count) in columns.iter().zip(counts) {
                    if let Some(tally) = tally {
                        state.ledger.tallied(*tally, *id, *count, now.wall);
                    }
                }
            }
        }
        let followers: Vec<Arc<dyn Follower>> = self.followers.lock().iter().filter_map(Weak::upgrade).collect();
        if state.ledger.pending() > 0 {
            for follower in &followers {
                follower.keep(&state.ledger, now);
            }
        }
        self.save(state);
        // What came to a row since it was read goes with it.
        let leaving = state.ledger.leaving(now.mono_ns);
        let mut last = Vec::new();
        for id in &leaving {
            last.extend(self.usage.take::<u64, Usage>(id)?.map(|usage| (*id, Row::from(&usage))));
        }
        if !last.is_empty() {
            state.ledger.measured(last.iter().copied(), now);
        }
        let settled = state.ledger.settle(now.mono_ns, now.wall);
        for id in &settled {
            for table in sources.iter().filter_map(|(_, table)| table.upgrade()) {
                table.remove(id)?;
            }
        }
        if !settled.is_empty() {
            for follower in &followers {
                follower.forget(&settled);
            }
        }
        state.settled = Instant::now();
        Ok(())
    }

    /// Writes the books down, before the kernel's rows of what is gone are removed: whatever becomes of this process,
    /// the next one finds each number in the rows, in the file or in both.
    fn save(&self, state: &mut State) {
        let Some(mut archive) = state.archive.take() else { return };
        let page = Page {
            boot: archive.boot().to_owned(),
            kernel_start: state.kernel_start,
            kernel_seen: self.hierarchy.kernel_total(&mut state.reader),
            lost: state.lost,
            resyncs: state.resyncs,
            ledger: &state.ledger,
        };
        archive.write(&page);
        state.archive = Some(archive);
    }

    /// Whether events were lost since the last call.
    fn lost_events(&self, state: &mut State) -> std::io::Result<bool> {
        let mut lost = [0; LOSSES.len()];
        for (index, count) in (0_u32..).zip(&mut lost) {
            *count = self.losses.get(&index)?.unwrap_or(0);
        }
        let events = |counts: &[u64]| counts.iter().take(EVENT_LOSSES).sum::<u64>();
        let more = events(&lost) > events(&state.lost);
        state.resyncs += u64::from(more);
        state.lost = lost;
        Ok(more)
    }

    fn walk(&self, state: &mut State) {
        let now = Moment::now();
        let live = self.hierarchy.walk(&mut state.reader);
        state.ledger.walked(&live, now.mono_ns, now.wall);
        for (id, container) in state.ledger.unnamed(0.0) {
            if let Some(named) = bundle::find(&self.host, &mut state.reader, &container) {
                state.named(id, &named);
            }
        }
        state.walked = Instant::now();
    }

    fn kernel_since_start(&self, state: &mut State) -> Option<u64> {
        let total = self.hierarchy.kernel_total(&mut state.reader)?;
        Some(total.saturating_sub(state.kernel_start?))
    }
}

impl Feature for Shared {
    fn vitals(&self) -> Vitals {
        let lost = (0_u32..)
            .zip(LOSSES)
            .map(|(index, what)| (what, self.losses.get::<u32, u64>(&index).ok().flatten().unwrap_or(0)));
        let lost = lost.collect();
        Vitals { feature: "lifetime", costs: self.object.costs(), lost, resyncs: self.state.lock().resyncs }
    }
}

static RUNNING: Running<Lifetime> = Running::none();

/// Shows the books.
struct Shows(Arc<Lifetime>);

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let probe = &context.config.probe;
    let pin = probe.is_pinned().then(|| Pin { bpffs: probe.pin.clone(), books: probe.books.clone() });
    let options = Options { pods: context.pods.clone(), pin, ..Options::default() };
    let start = || Lifetime::start(&context.host, &options).map(Arc::new);
    Ok(Box::new(Shows(RUNNING.or_start(start)?)))
}

impl Collector for Shows {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let problem = |source| ReadError { path: "bpf/lifetime/usage".into(), source };
        let shared = &self.0.shared;
        shared.living.run().map_err(problem)?;
        let mut state = shared.state.lock();
        shared.update(&mut state).map_err(problem)?;
        let kernel = shared.kernel_since_start(&mut state);
        let page_size = rustix::param::page_size() as u64;
        metrics::emit(&state.ledger, page_size, kernel, scrape.out);
        Ok(())
    }

    fn delivered(&mut self, scraper: &str, at: f64) {
        self.0.shared.state.lock().ledger.shown(scraper, at);
    }
}
