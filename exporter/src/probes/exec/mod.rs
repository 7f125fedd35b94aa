//! Programs that are started, by container and by workload, and the stream of them for those who follow.
//!
//! `exec.bpf.c` counts by cgroup at the hook `sched_process_exec`; the sums stand on `lifetime`'s books. Exit codes and
//! signals are with `lifetime`, which sees every process end.

pub mod wire;

use std::sync::Arc;

use kernfs::{Host, ReadError};
use metric::{Count, Desc, Extra, Family};

use super::{
    lifetime::Books,
    object::{Hook, Plan},
    running::Running,
    tally::Counting,
};
use crate::{
    books::ledger::Tally,
    identity::{AsContainer, AsWorkload},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "exec",
    about: "Programs that are started, by container and by workload.",
    default_on: true,
    needs: &[
        Need::Kernel(5, 8),
        Need::Btf,
        Need::Capability("CAP_BPF"),
        Need::Capability("CAP_PERFMON"),
        Need::Hook("sched_process_exec"),
    ],
    shows: &[(View::Own, FAMILIES)],
    build,
};

static EXECS: Family<Count, 0, AsWorkload> = Family::counter(
    "workload_execs_total",
    "Programs that were started in all containers that the workload has and had.",
    &[],
);
static CONTAINER_EXECS: Family<Count, 0, AsContainer> = Family::counter(
    "container_execs_total",
    "Programs that were started in the container; stays for a while when the container is gone.",
    &[],
);
static FAMILIES: &[&Desc] = &[EXECS.desc(), CONTAINER_EXECS.desc()];

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/exec.bpf.o"));
static HOOKS: &[(&str, Hook)] = &[("on_exec", Hook::Tracepoint("sched_process_exec"))];

/// How the feature is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Counts only.
    Count,
    /// Counts, and sends a record a start into the ring `starts`; [`wire::decode`] reads them.
    Stream,
    /// Is refused by the verifier; for tests.
    Refused,
}

/// Starts counting.
pub fn start(host: &Host, books: Books, mode: Mode) -> Result<Arc<Counting>, Unavailable> {
    let plan = Plan {
        name: "exec",
        image: IMAGE,
        hooks: HOOKS,
        constants: vec![("stream", u32::from(mode == Mode::Stream))],
        // An unused ring need not be large.
        sizes: if mode == Mode::Stream { Vec::new() } else { vec![("starts", 4096)] },
        cgroup: None,
        pin: None,
        refuse: mode == Mode::Refused,
    };
    Counting::start(host, plan, "execs", &["cgroup", "record"], [Some(Tally::Execs), None], books)
}

static RUNNING: Running<Counting> = Running::none();

struct Exec(Arc<Counting>);

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(Exec(RUNNING.or_start(|| start(&context.host, Books::current()?, Mode::Count))?)))
}

impl Collector for Exec {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let out = &mut *scrape.out;
        self.0.books.look(|ledger| {
            for workload in ledger.workloads() {
                let key = &workload.key;
                let of = out.subject::<AsWorkload, 3>([&key.namespace, &key.workload, key.kind]);
                let extra = Extra { created: Some(workload.created), exemplar: None };
                let [_, execs, _] = workload.tallies;
                out.put_with(&EXECS, Some(of), [], Count(execs as f64), extra);
            }
            for unit in ledger.shown_units() {
                let of = ledger.subject_of(unit, out);
                let extra = Extra { created: Some(unit.created), exemplar: None };
                let [_, execs, _] = unit.tallies;
                out.put_with(&CONTAINER_EXECS, Some(of), [], Count(execs as f64), extra);
            }
        });
        Ok(())
    }
}
