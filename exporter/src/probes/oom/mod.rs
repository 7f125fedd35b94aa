//! OOM kills by container and by workload, with the memory of the victims; kept when the container is removed.
//!
//! `oom.bpf.c` counts victims and their memory by cgroup at the hook `mark_victim`; the sums stand in the ledger.

use std::sync::Arc;

use kernfs::{Host, ReadError};
use metric::{Bytes, Count, Desc, Extra, Family};

use super::{
    object::{Hook, Plan},
    running::Running,
    tally::Counting,
};
use crate::{
    books::{
        Books,
        ledger::{Ledger, Tallies, Tally},
    },
    identity::{AsContainer, AsWorkload},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "oom",
    about: "OOM kills by container and by workload, with the memory of the victims.",
    default_on: true,
    needs: &[
        Need::Kernel(6, 8),
        Need::Btf,
        Need::Capability("CAP_BPF"),
        Need::Capability("CAP_PERFMON"),
        Need::Hook("mark_victim"),
    ],
    shows: &[(View::Own, FAMILIES)],
    build,
};

static WORKLOAD_KILLS: Family<Count, 0, AsWorkload> = Family::counter(
    "workload_oom_kills_total",
    "Processes of the workload's past and present containers that were OOM-killed.",
    &[],
);
static KILLS: Family<Count, 0, AsContainer> = Family::counter(
    "container_oom_kills_total",
    "Processes of the container that were OOM-killed; stays for a while after the container is removed.",
    &[],
);
static WORKLOAD_KILLED: Family<Bytes, 0, AsWorkload> = Family::counter(
    "workload_oom_killed_memory_bytes_total",
    "Memory of the workload's processes when they were OOM-killed.",
    &[],
);
static KILLED: Family<Bytes, 0, AsContainer> = Family::counter(
    "container_oom_killed_memory_bytes_total",
    "Memory of the container's processes when they were OOM-killed; stays for a while after the container is removed.",
    &[],
);
static FAMILIES: &[&Desc] = &[WORKLOAD_KILLS.desc(), KILLS.desc(), WORKLOAD_KILLED.desc(), KILLED.desc()];

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/oom.bpf.o"));
static HOOKS: &[(&str, Hook)] = &[("on_victim", Hook::Tracepoint("mark_victim"))];

/// Starts counting. `refuse` has the verifier refuse the program, for tests.
pub fn start(host: &Host, books: Books, refuse: bool) -> Result<Arc<Counting>, Unavailable> {
    let plan = Plan {
        name: "oom",
        image: IMAGE,
        hooks: HOOKS,
        constants: Vec::new(),
        sizes: Vec::new(),
        cgroup: None,
        pin: None,
        refuse,
    };
    Counting::start(host, plan, "kills", &["cgroup"], [Some(Tally::OomKills), Some(Tally::OomPages)], books)
}

static RUNNING: Running<Counting> = Running::none();

struct Oom(Arc<Counting>);

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(Oom(RUNNING.or_start(|| start(&context.host, context.books()?, false))?)))
}

impl Collector for Oom {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let page_size = rustix::param::page_size() as u64;
        let out = &mut *scrape.out;
        let put = |ledger: &Ledger| {
            for workload in ledger.workloads() {
                let key = &workload.key;
                let of = out.subject::<AsWorkload, 3>([&key.namespace, &key.name, key.kind]);
                let extra = || Extra { created: Some(workload.created), exemplar: None };
                let Tallies { oom_kills: kills, oom_pages: pages, .. } = workload.tallies;
                out.put_with(&WORKLOAD_KILLS, Some(of), [], Count(kills as f64), extra());
                out.put_with(&WORKLOAD_KILLED, Some(of), [], Bytes(pages * page_size), extra());
            }
            for unit in ledger.shown_units() {
                let of = ledger.subject_of(unit, out);
                let extra = || Extra { created: Some(unit.created), exemplar: None };
                let Tallies { oom_kills: kills, oom_pages: pages, .. } = unit.tallies;
                out.put_with(&KILLS, Some(of), [], Count(kills as f64), extra());
                out.put_with(&KILLED, Some(of), [], Bytes(pages * page_size), extra());
            }
        };
        self.0.read(put).map_err(|source| ReadError { path: "bpf/oom/kills".into(), source })
    }
}
