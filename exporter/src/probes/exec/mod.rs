//! Programs that are started, by container and by workload, and the stream of them for those who follow.
//!
//! `exec.bpf.c` counts by cgroup at the hook `sched_process_exec`; the sums stand in the ledger. It sends a record of each
//! start while somebody wants [`Started`]; a thread adds whose it was. Exit codes and signals are with `lifetime`, which
//! sees every process end.

pub mod wire;

use std::sync::Arc;

use kernfs::{Host, ReadError};
use metric::{Count, Desc, Extra, Family};

use self::wire::Start;
use super::{
    object::{Hook, Plan},
    running::Running,
    tally::Counting,
    telling::{Telling, UNUSED_RING},
};
use crate::{
    books::{
        Books,
        ledger::{Ledger, Tally},
        moment::Moment,
    },
    events::{Kind, started::Started},
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

static EXECS: Family<Count, 0, AsWorkload> =
    Family::counter("workload_execs_total", "Programs started in the workload's past and present containers.", &[]);
static CONTAINER_EXECS: Family<Count, 0, AsContainer> = Family::counter(
    "container_execs_total",
    "Programs started in the container; stays for a while after the container is removed.",
    &[],
);
static FAMILIES: &[&Desc] = &[EXECS.desc(), CONTAINER_EXECS.desc()];

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/exec.bpf.o"));
static HOOKS: &[(&str, Hook)] = &[("on_exec", Hook::Tracepoint("sched_process_exec"))];

/// How the feature is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Counts; nobody wants records of single starts yet.
    Count,
    /// Counts, with room for records of all starts in the ring `starts`; [`wire::decode`] reads them.
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
        constants: Vec::new(),
        sizes: if mode == Mode::Stream { Vec::new() } else { vec![("starts", UNUSED_RING)] },
        cgroup: None,
        pin: None,
        refuse: mode == Mode::Refused,
    };
    Counting::start(host, plan, "execs", &["cgroup", "record"], [Some(Tally::Execs), None], books)
}

/// The feature, and what tells of single starts while somebody wants them.
struct AtWork {
    counting: Arc<Counting>,
    _telling: Arc<Telling>,
}

static RUNNING: Running<AtWork> = Running::none();

struct Exec(Arc<AtWork>);

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let start = || {
        let (books, feeds) = (context.books()?, &context.feeds);
        let mode = if feeds.is_wanted::<Started>() { Mode::Stream } else { Mode::Count };
        let counting = start(&context.host, books.clone(), mode)?;
        counting.tells(feeds, Kind::Started, "record_of_follower");
        let (object, to) = (counting.object(), (books, feeds.clone()));
        let telling = Telling::of(object, "starts", 1, "yagura-starts", to, wire::decode, event)?;
        Ok(Arc::new(AtWork { counting, _telling: telling }))
    };
    Ok(Box::new(Exec(RUNNING.or_start(start)?)))
}

fn event(start: Start, ledger: &Ledger, now: Moment) -> Started {
    let Start { cgroup, time_ns, pid, parent, uid, command, file } = start;
    Started { time: now.wall_at(time_ns), whose: ledger.whose(cgroup), process: pid, parent, uid, command, file }
}

impl Collector for Exec {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let out = &mut *scrape.out;
        let put = |ledger: &Ledger| {
            for workload in ledger.workloads() {
                let key = &workload.key;
                let of = out.subject::<AsWorkload, 3>([&key.namespace, &key.name, key.kind]);
                let extra = Extra { created: Some(workload.created), exemplar: None };
                out.put_with(&EXECS, Some(of), [], Count(workload.tallies.execs as f64), extra);
            }
            for unit in ledger.shown_units() {
                let of = ledger.subject_of(unit, out);
                let extra = Extra { created: Some(unit.created), exemplar: None };
                out.put_with(&CONTAINER_EXECS, Some(of), [], Count(unit.tallies.execs as f64), extra);
            }
        };
        self.0.counting.read(put).map_err(|source| ReadError { path: "bpf/exec/execs".into(), source })
    }
}
