//! Datagrams of every container, their bytes, and those dropped at a full socket buffer; kept for the workload when the
//! container is removed.
//!
//! `udp.bpf.c` counts by cgroup where packets leave and reach sockets. Not included: sockets of the root cgroup, and
//! machines without cgroup version 2.

use std::{collections::HashMap, path::Path, sync::Arc};

use kernfs::{Host, ReadError};
use metric::{Bytes, Count, Desc, Extra, Family, Label, Of, Subject};
use parking_lot::Mutex;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    health::{self, Feature, Vitals},
    object::{Entries, Hook, Object, Plan, Table},
    packets::At,
    running::Running,
};
use crate::{
    books::{
        Books, Follower,
        ledger::Ledger,
        moment::Moment,
        sums::{Account, Sums},
    },
    identity::{AsContainer, AsWorkload},
    ids::CgroupId,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "udp",
    about: "Datagrams of every container and workload, their bytes, and those for which there was no room.",
    default_on: true,
    needs: &[
        Need::Kernel(5, 8),
        Need::Btf,
        Need::Capability("CAP_BPF"),
        Need::Capability("CAP_PERFMON"),
        Need::OneOf(&[
            &[Need::Hook("ip_send_skb"), Need::Hook("ip6_send_skb"), Need::Hook("__udp_enqueue_schedule_skb")],
            &[Need::Hook("cgroup_skb"), Need::Capability("CAP_NET_ADMIN")],
        ]),
        Need::Hook("udp_fail_queue_rcv_skb"),
    ],
    shows: &[(View::Own, FAMILIES)],
    build,
};

const DIRECTION: Label = Label::closed("direction", &["sent", "received"]);

struct Families<S: Subject> {
    datagrams: Family<Count, 1, S>,
    sent: Family<Bytes, 0, S>,
    received: Family<Bytes, 0, S>,
    dropped: Family<Count, 0, S>,
}

static OF_CONTAINER: Families<AsContainer> = Families {
    datagrams: Family::counter(
        "container_network_udp_datagrams_total",
        "Datagrams that the container's sockets sent and received, by direction.",
        &[DIRECTION],
    ),
    sent: Family::counter(
        "container_network_udp_sent_bytes_total",
        "Payload bytes of datagrams that the container's sockets sent.",
        &[],
    ),
    received: Family::counter(
        "container_network_udp_received_bytes_total",
        "Payload bytes of datagrams that the container's sockets received.",
        &[],
    ),
    dropped: Family::counter(
        "container_network_udp_dropped_total",
        "Datagrams dropped because the receive buffer of the container's socket was full.",
        &[],
    ),
};

static OF_WORKLOAD: Families<AsWorkload> = Families {
    datagrams: Family::counter(
        "workload_network_udp_datagrams_total",
        "Datagrams that sockets of the workload's past and present containers sent and received, by direction.",
        &[DIRECTION],
    ),
    sent: Family::counter(
        "workload_network_udp_sent_bytes_total",
        "Payload bytes of datagrams that sockets of the workload's past and present containers sent.",
        &[],
    ),
    received: Family::counter(
        "workload_network_udp_received_bytes_total",
        "Payload bytes of datagrams that sockets of the workload's past and present containers received.",
        &[],
    ),
    dropped: Family::counter(
        "workload_network_udp_dropped_total",
        "Datagrams dropped because the receive buffer of a socket of the workload's past and present containers was full.",
        &[],
    ),
};

static FAMILIES: &[&Desc] = &[
    OF_CONTAINER.datagrams.desc(),
    OF_CONTAINER.sent.desc(),
    OF_CONTAINER.received.desc(),
    OF_CONTAINER.dropped.desc(),
    OF_WORKLOAD.datagrams.desc(),
    OF_WORKLOAD.sent.desc(),
    OF_WORKLOAD.received.desc(),
    OF_WORKLOAD.dropped.desc(),
];

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/udp.bpf.o"));

fn hooks(at: At) -> &'static [(&'static str, Hook)] {
    const NO_ROOM: (&str, Hook) = ("on_no_room", Hook::Tracepoint("udp_fail_queue_rcv_skb"));
    match at {
        At::Functions => &[
            ("on_send", Hook::Function("ip_send_skb")),
            ("on_send_v6", Hook::Function("ip6_send_skb")),
            ("on_arrival", Hook::Function("__udp_enqueue_schedule_skb")),
            NO_ROOM,
        ],
        At::Cgroups => &[("on_egress", Hook::Egress), ("on_ingress", Hook::Ingress), NO_ROOM],
    }
}

/// Datagrams sent, bytes sent, datagrams received, bytes received, datagrams dropped (`struct datagrams`).
const NUMBERS: usize = 5;

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Datagrams([u64; NUMBERS]);

const _: () = assert!(size_of::<Datagrams>() == 40);

/// The feature at work. Dropping it detaches its programs.
#[derive(Debug)]
pub struct Udp {
    object: Object,
    books: Books,
    counts: Table,
    losses: Table,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rows: Entries<CgroupId, Datagrams>,
    sums: Sums<NUMBERS>,
}

impl Udp {
    /// Loads and attaches, at the first of these places that the kernel allows. `refuse` has the verifier refuse a
    /// program, for tests.
    pub fn start(host: &Host, books: Books, at: &[At], refuse: bool) -> Result<Arc<Self>, Unavailable> {
        let root = books.owners().unified_root.clone();
        let root =
            root.ok_or_else(|| Unavailable("sockets know cgroups of version 2 only, and none is mounted".into()))?;
        let plan = |at: &At| Plan {
            name: "udp",
            image: IMAGE,
            hooks: hooks(*at),
            constants: books.owners().constants.clone(),
            sizes: Vec::new(),
            cgroup: Some(Path::new(&root)),
            pin: None,
            refuse,
        };
        let plans: Vec<_> = at.iter().map(plan).collect();
        let (object, ()) = Object::first_of(&plans, host, |_, _| Ok(()))?;
        let (counts, losses) = (object.table("counts")?, object.table("losses")?);
        let feature = Arc::new(Self { object, books, counts, losses, state: Mutex::default() });
        feature.books.follow(&feature);
        health::watch(&feature);
        Ok(feature)
    }

    /// Brings its sums up to date and shows them beside the ledger.
    pub fn read<T>(&self, look: impl FnOnce(&Sums<NUMBERS>, &Ledger) -> T) -> std::io::Result<T> {
        let mut state = self.state.lock();
        self.update(&mut state, Moment::now().wall)?;
        Ok(self.books.look(|ledger| look(&state.sums, ledger)))
    }

    /// Cost of the programs.
    pub fn costs(&self) -> super::object::Costs {
        self.object.costs()
    }

    fn update(&self, state: &mut State, now: f64) -> std::io::Result<()> {
        let State { rows, sums } = state;
        self.counts.read_all(self.counts.max_entries(), rows)?;
        self.books.look(|ledger| sums.read(totals(rows), ledger, now));
        Ok(())
    }

    /// Counts of the kernel, by cgroup.
    pub fn rows(&self) -> std::io::Result<HashMap<CgroupId, [u64; NUMBERS]>> {
        let mut rows = Entries::default();
        self.counts.read_all(self.counts.max_entries(), &mut rows)?;
        Ok(totals(&rows).collect())
    }
}

/// Sums over CPUs.
fn totals(rows: &Entries<CgroupId, Datagrams>) -> impl Iterator<Item = (CgroupId, [u64; NUMBERS])> {
    rows.iter_copies().map(|(cgroup, copies)| {
        let mut total = [0; NUMBERS];
        for Datagrams(copy) in copies {
            for (sum, number) in total.iter_mut().zip(copy) {
                *sum += number;
            }
        }
        (*cgroup, total)
    })
}

impl Follower for Udp {
    fn catch_up(&self, now: Moment) {
        if let Err(error) = self.update(&mut self.state.lock(), now.wall) {
            tracing::debug!(%error, "cannot read the map of datagrams");
        }
    }

    fn forget(&self, cgroups: &[CgroupId]) {
        for cgroup in cgroups {
            if let Err(error) = self.counts.remove(cgroup) {
                tracing::debug!(%error, "cannot delete map entries of a removed cgroup");
            }
        }
        self.state.lock().sums.forget(cgroups);
    }
}

impl Feature for Udp {
    fn vitals(&self) -> Vitals {
        let lost = self.losses.get::<u32, u64>(&0).ok().flatten().unwrap_or(0);
        Vitals { feature: "udp", costs: self.object.costs(), lost: vec![("packet", lost)], resyncs: 0 }
    }
}

static RUNNING: Running<Udp> = Running::none();

struct Shows(Arc<Udp>);

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(Shows(
        RUNNING.or_start(|| Udp::start(&context.host, context.books()?, At::all_of(&context.host), false))?,
    )))
}

impl Collector for Shows {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let problem = |source| ReadError { path: "bpf/udp/counts".into(), source };
        let out = &mut *scrape.out;
        let put = |sums: &Sums<NUMBERS>, ledger: &Ledger| {
            for unit in ledger.shown_units() {
                let Some(account) = sums.unit(unit.number) else { continue };
                emit(&OF_CONTAINER, account, ledger.subject_of(unit, out), out);
            }
            for (key, account) in sums.workloads() {
                let of = out.subject::<AsWorkload, 3>([&key.namespace, &key.name, key.kind]);
                emit(&OF_WORKLOAD, account, of, out);
            }
        };
        self.0.read(put).map_err(problem)
    }
}

fn emit<S: Subject>(families: &'static Families<S>, account: &Account<NUMBERS>, of: Of<S>, out: &mut metric::Batch) {
    let extra = || Extra { created: Some(account.created), exemplar: None };
    let [sent, sent_bytes, received, received_bytes, dropped] = account.sums;
    out.put_with(&families.datagrams, Some(of), ["sent"], Count(sent as f64), extra());
    out.put_with(&families.datagrams, Some(of), ["received"], Count(received as f64), extra());
    out.put_with(&families.sent, Some(of), [], Bytes(sent_bytes), extra());
    out.put_with(&families.received, Some(of), [], Bytes(received_bytes), extra());
    out.put_with(&families.dropped, Some(of), [], Count(dropped as f64), extra());
}
