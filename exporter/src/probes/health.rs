//! Cost and losses of the eBPF programs: kernel memory of maps, runs and run time, dropped records and rows. The
//! agent's RSS does not include these.

use std::sync::{Arc, Weak};

use kernfs::ReadError;
use metric::{Bytes, Count, Desc, Family, Label, Nanos, Seconds};
use parking_lot::Mutex;

use super::object::Costs;
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "probes",
    about: "What the eBPF programs cost and what they lost.",
    default_on: true,
    needs: &[Need::Btf, Need::Capability("CAP_BPF"), Need::Capability("CAP_PERFMON")],
    shows: &[(View::Own, FAMILIES)],
    build,
};

const FEATURE: Label = Label::open("feature", "eBPF features of the agent");

static MAP_MEMORY: Family<Bytes, 2> = Family::gauge(
    "yagura_probe_map_memory_bytes",
    "Kernel memory that a map of an eBPF feature occupies.",
    &[FEATURE, Label::open("map", "maps of the agent")],
);
static MAP_CAPACITY: Family<Count, 2> = Family::gauge(
    "yagura_probe_map_capacity",
    "Most entries of a map of an eBPF feature; of a ring buffer, its bytes.",
    &[FEATURE, Label::open("map", "maps of the agent")],
);
static MEMORY: Family<Bytes, 0> = Family::gauge(
    "yagura_probe_kernel_memory_bytes",
    "Kernel memory that all maps and programs of the eBPF features occupy, which the agent's own memory does not show.",
    &[],
);
static RUNS: Family<Count, 2> = Family::counter(
    "yagura_probe_runs_total",
    "Runs of an eBPF program, counted only while the kernel is asked to.",
    &[FEATURE, Label::open("program", "programs of the agent")],
);
static RUN_TIME: Family<Seconds, 2> = Family::counter(
    "yagura_probe_run_seconds_total",
    "Time in an eBPF program, with the two clock readings around each run, counted only while the kernel is asked to.",
    &[FEATURE, Label::open("program", "programs of the agent")],
);
static MISSED: Family<Count, 2> = Family::counter(
    "yagura_probe_missed_runs_total",
    "Runs of an eBPF program that the kernel left out because it had interrupted the same program on that CPU.",
    &[FEATURE, Label::open("program", "programs of the agent")],
);
static LOST: Family<Count, 2> = Family::counter(
    "yagura_probe_lost_total",
    "Records and map entries of an eBPF feature dropped because a ring buffer or map was full.",
    &[FEATURE, Label::open("what", "kinds of record and of map of the agent")],
);
static RESYNCS: Family<Count, 1> = Family::counter(
    "yagura_probe_resyncs_total",
    "Times that an eBPF feature was read again completely because records were lost.",
    &[FEATURE],
);
static FAMILIES: &[&Desc] = &[
    MEMORY.desc(),
    MAP_MEMORY.desc(),
    MAP_CAPACITY.desc(),
    RUNS.desc(),
    RUN_TIME.desc(),
    MISSED.desc(),
    LOST.desc(),
    RESYNCS.desc(),
];

/// State of a feature.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    /// Name of the feature.
    pub feature: &'static str,
    /// Cost of the feature's maps and programs.
    pub costs: Costs,
    /// Dropped records and map entries, by kind.
    pub lost: Vec<(&'static str, u64)>,
    /// Number of times that it was read again completely because of that.
    pub resyncs: u64,
}

/// A feature at work.
pub trait Feature: Send + Sync {
    /// Current state of the feature.
    fn vitals(&self) -> Vitals;
}

static AT_WORK: Mutex<Vec<Weak<dyn Feature>>> = Mutex::new(Vec::new());

/// Has the feature's vitals shown as long as it lives.
pub fn watch(feature: &Arc<impl Feature + 'static>) {
    let weak: Weak<dyn Feature> = Arc::downgrade(feature) as Weak<dyn Feature>;
    let mut all = AT_WORK.lock();
    all.retain(|known| known.strong_count() > 0);
    all.push(weak);
}

/// The vitals of all features at work.
pub fn vitals() -> Vec<Vitals> {
    let all: Vec<Arc<dyn Feature>> = AT_WORK.lock().iter().filter_map(Weak::upgrade).collect();
    all.iter().map(|feature| feature.vitals()).collect()
}

struct Health;

#[expect(clippy::unnecessary_wraps, reason = "the signature of all slices")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(Health))
}

impl Collector for Health {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let out = &mut *scrape.out;
        let mut seen = Vec::new();
        let mut memory = 0;
        for vitals in vitals() {
            let feature = vitals.feature;
            // Two of one kind exist for a moment while the configuration is reloaded.
            if seen.contains(&feature) {
                continue;
            }
            seen.push(feature);
            memory += vitals.costs.memory();
            for (map, memory, capacity) in &vitals.costs.maps {
                out.put(&MAP_MEMORY, [feature, map], Bytes(*memory));
                out.put(&MAP_CAPACITY, [feature, map], Count(*capacity as f64));
            }
            for run in &vitals.costs.programs {
                out.put(&RUNS, [feature, run.program], Count(run.runs as f64));
                out.put(&RUN_TIME, [feature, run.program], Nanos(run.ns));
                out.put(&MISSED, [feature, run.program], Count(run.missed as f64));
            }
            for (what, count) in &vitals.lost {
                out.put(&LOST, [feature, what], Count(*count as f64));
            }
            out.put(&RESYNCS, [feature], Count(vitals.resyncs as f64));
        }
        out.put(&MEMORY, [], Bytes(memory));
        Ok(())
    }
}
