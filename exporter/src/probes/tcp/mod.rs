//! TCP connections of every container: opened, failed by reason, bytes, times, peers; kept for the workload when the
//! container is removed.
//!
//! `tcp.bpf.c` keeps one row for each peer of a cgroup in a map whose sums only rise. The [`book`] puts what came to
//! rows on the accounts of containers and workloads, which `lifetime` knows; what a container that lived for
//! milliseconds sent stays on its workload's account.
//!
//! A connection belongs to the cgroup that its socket was made in, whoever uses it; one that was accepted, to that of
//! the listener. Not included: what connections carried before the agent started, connections of the root cgroup, and
//! attempts for which the machine itself has no route: those never become attempts.

pub mod book;
mod connections;
mod metrics;
pub mod named;
mod spaces;
mod telling;
pub mod wire;

use std::{
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64},
    },
    time::{Duration, Instant},
};

use caps::Capability;
use kernfs::{Host, ReadError};
use kubernetes::WorkloadRef;
use parking_lot::Mutex;

use self::{
    book::{Book, Reading},
    metrics::Names,
    named::Named,
    spaces::{BySpace, Living},
    wire::{LOSSES, Listener, ListenerKey, Meter, Peer, PeerKey},
};
use super::{
    health::{self, Feature, Vitals},
    object::{Entries, Hook, Object, Plan, Ring, Table},
    running::Running,
    telling::{Telling, UNUSED_RING},
};
use crate::{
    books::{
        Books, Follower,
        ledger::{Ledger, other},
        moment::Moment,
    },
    events::{Feeds, Kind, flow::Flow},
    identity::{AsWorkload, Peers, names::NAMES},
    ids::CgroupId,
    privilege,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

const NEEDS: &[Need] = &[
    Need::Kernel(5, 12),
    Need::Btf,
    Need::Capability("CAP_BPF"),
    Need::Capability("CAP_PERFMON"),
    Need::Capability("CAP_SYS_ADMIN"),
    Need::Hook("inet_sock_set_state"),
    Need::Hook("inet_sk_error_report"),
    Need::Hook("tcp_destroy_sock"),
    Need::Hook("tcp_receive_reset"),
    Need::Hook("tcp_send_reset"),
    Need::Hook("iter/tcp"),
    Need::OneOf(&[&[Need::Hook("iter/bpf_sk_storage_map")], &[Need::Hook("iter/tcp")]]),
];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "tcp",
    about: "TCP connections of every container and workload: opened, failed by reason, bytes, round-trip times, backlog.",
    default_on: true,
    needs: NEEDS,
    shows: &[(View::Own, metrics::FAMILIES)],
    build: |context| Ok(Box::new(Shows { at_work: start_once(context)?, what: What::Totals })),
};

/// The same by peer, for workloads.
pub static PEERS: Spec = Spec {
    name: "tcp_peers",
    about: "TCP connections of every workload by whom they lead to.",
    default_on: true,
    needs: NEEDS,
    shows: &[(View::Own, metrics::WORKLOAD_PEERS)],
    build: |context| Ok(Box::new(Shows { at_work: start_once(context)?, what: What::WorkloadPeers })),
};

/// The same by peer, for containers.
pub static CONTAINER_PEERS: Spec = Spec {
    name: "tcp_container_peers",
    about: "TCP connections of every container by whom they lead to.",
    default_on: false,
    needs: NEEDS,
    shows: &[(View::Own, metrics::CONTAINER_PEERS)],
    build: |context| Ok(Box::new(Shows { at_work: start_once(context)?, what: What::ContainerPeers })),
};

/// The same by peer.
pub static CONNECTIONS: Spec = Spec {
    name: "tcp_connections",
    about: "TCP connections of every workload by who is at the other side: workload, service, node, name, network; and who \
            talks to whom.",
    default_on: true,
    needs: NEEDS,
    shows: &[(View::Own, connections::FAMILIES)],
    build: |context| {
        let at_work = start_once(context)?;
        at_work.tcp.name_peers(&context.peers, context.config.peers.per_workload);
        Ok(Box::new(Shows { at_work, what: What::Connections }))
    },
};

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tcp.bpf.o"));

/// States first: from that moment on no connection is missed.
macro_rules! hooks {
    ($living:expr) => {
        &[
            ("on_state", Hook::Tracepoint("inet_sock_set_state")),
            ("on_state_again", Hook::Tracepoint("inet_sock_set_state")),
            ("on_error", Hook::Tracepoint("inet_sk_error_report")),
            ("on_destroy", Hook::Tracepoint("tcp_destroy_sock")),
            ("on_receive_reset", Hook::Tracepoint("tcp_receive_reset")),
            ("on_send_reset", Hook::Tracepoint("tcp_send_reset")),
            ("adopt", Hook::Iterator("tcp")),
            $living,
        ]
    };
}

/// Program that counts living connections by one run, and the one that counts those of a network namespace.
const LIVING: [&str; 2] = ["count_living", "count_living_here"];

/// How living connections are counted, the cheaper way first.
static HOOKS: [&[(&str, Hook)]; 2] =
    [hooks!((LIVING[0], Hook::Sockets("conns"))), hooks!((LIVING[1], Hook::Iterator("tcp")))];

/// Part of a CPU that passes over all sockets may take: one that took 10 ms of it is not repeated within a second.
const PASS_SHARE: u32 = 100;

/// Peers of a workload, as a multiple of those of a container and direction.
const WORKLOAD_PEERS: usize = 4;

/// How the feature is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Rows in all.
    pub rows: u32,
    /// Cgroups.
    pub cgroups: u32,
    /// Rows that a cgroup may have for each direction; the rest is `other`.
    pub peers: u32,
    /// Length of the prefix of an IPv4 address that tells peers apart.
    pub prefix_v4: u8,
    /// The same for IPv6.
    pub prefix_v6: u8,
    /// Flow records from the start: 0 for none, else of one of so many connections.
    pub stream: u32,
    /// Bytes of the ring buffer for them, a power of two.
    pub ring: u32,
    /// Has the verifier refuse the programs; for tests.
    pub refuse: bool,
    /// Goes through network namespaces even where the kernel lets one run see all sockets; for tests.
    pub by_space: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self::for_cpus(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }
}

impl Options {
    /// For a machine with so many CPUs: 4,096 rows and 1,024 cgroups a CPU, within 8,192 … 32,768 and 2,048 … 8,192. Full,
    /// they take 5 … 18 MiB of kernel memory; empty, a few kB.
    pub fn for_cpus(cpus: usize) -> Self {
        let cpus = u32::try_from(cpus).unwrap_or(u32::MAX);
        Self {
            rows: cpus.saturating_mul(4096).clamp(8192, 32_768),
            cgroups: cpus.saturating_mul(1024).clamp(2048, 8192),
            peers: 64,
            prefix_v4: 32,
            prefix_v6: 128,
            stream: 0,
            ring: 512 << 10,
            refuse: false,
            by_space: false,
        }
    }

    fn plan(&self, books: &Books, hooks: &'static [(&'static str, Hook)]) -> Plan<'static> {
        let v4 = if self.prefix_v4 == 0 { 0 } else { u32::MAX << (32 - u32::from(self.prefix_v4.min(32))) };
        let v6 = if self.prefix_v6 == 0 { 0 } else { u128::MAX << (128 - u32::from(self.prefix_v6.min(128))) };
        // The programs compare addresses as they lie in memory.
        let [a, b, c, d]: [u32; 4] = zerocopy::transmute!(v6.to_be_bytes());
        let mut constants = books.owners().constants.clone();
        constants.extend([
            ("peers_most", self.peers),
            ("mask_v4", v4.to_be()),
            ("mask_v6_0", a),
            ("mask_v6_1", b),
            ("mask_v6_2", c),
            ("mask_v6_3", d),
        ]);
        let ring = if self.stream == 0 { UNUSED_RING } else { self.ring };
        Plan {
            name: "tcp",
            image: IMAGE,
            hooks,
            constants,
            sizes: vec![
                ("peers", self.rows),
                ("meters", self.cgroups),
                ("released", self.cgroups),
                ("listeners", self.cgroups),
                ("flows", ring),
            ],
            cgroup: None,
            pin: None,
            refuse: self.refuse,
        }
    }
}

/// The feature at work. Dropping it detaches its programs.
#[derive(Debug)]
pub struct Tcp {
    object: Object,
    books: Books,
    peers: Table,
    meters: Table,
    released: Table,
    listeners: Table,
    losses: Table,
    living: Living,
    names: Names,
    /// Feeds for records of single connections; tests read the records themselves.
    followed: OnceLock<Feeds>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    book: Book,
    /// Accounts by peer, and the resolver of peers.
    named: Option<(Named, Peers)>,
    peers: Entries<PeerKey, Peer>,
    meters: Entries<CgroupId, Meter>,
    listeners: Entries<ListenerKey, Listener>,
    passed: Instant,
    pass_took: Duration,
    /// The scrape that the books were last read for.
    scrape: f64,
}

impl Tcp {
    /// Loads and attaches the programs, and takes in the sockets that are there.
    pub fn start(host: &Arc<Host>, books: Books, options: &Options) -> Result<Arc<Self>, Unavailable> {
        let plans: Vec<_> =
            HOOKS.iter().skip(usize::from(options.by_space)).map(|hooks| options.plan(&books, hooks)).collect();
        let unprepared = |error| Unavailable(format!("cannot prepare the maps: {error}"));
        let (object, peers) = Object::first_of(&plans, host, |object, _| {
            let peers = object.table("peers")?;
            // What finds no room at all is counted under cgroup 0.
            for inbound in [0, 1] {
                peers.set(&PeerKey::nobody(inbound), &Peer::default()).map_err(unprepared)?;
            }
            object.table("streaming")?.set(&0_u32, &options.stream).map_err(unprepared)?;
            Ok(peers)
        })?;
        spaces::adopt(host, &object.iterator("adopt")?);
        let living = if let Ok(iterator) = object.iterator(LIVING[0]) {
            Living::Everywhere(iterator)
        } else {
            privilege::keep(Capability::CAP_SYS_ADMIN);
            Living::BySpace(BySpace {
                host: Arc::clone(host),
                iterator: object.iterator(LIVING[1])?,
                pass: object.table("pass")?,
                number: AtomicU64::new(0),
                told: AtomicBool::new(false),
            })
        };
        let state = State {
            book: Book::new(options.peers as usize * WORKLOAD_PEERS),
            named: None,
            peers: Entries::default(),
            meters: Entries::default(),
            listeners: Entries::default(),
            passed: Instant::now(),
            pass_took: Duration::ZERO,
            scrape: 0.0,
        };
        let feature = Arc::new(Self {
            peers,
            meters: object.table("meters")?,
            released: object.table("released")?,
            listeners: object.table("listeners")?,
            losses: object.table("losses")?,
            living,
            names: Names { prefixes: [options.prefix_v4, options.prefix_v6] },
            followed: OnceLock::new(),
            state: Mutex::new(state),
            object,
            books,
        });
        feature.books.follow(&feature);
        health::watch(&feature);
        Ok(feature)
    }

    /// Has living connections counted, brings its book up to date and shows it beside the ledger.
    pub fn read<T>(&self, look: impl FnOnce(&Book, &Ledger) -> T) -> std::io::Result<T> {
        let mut state = self.state.lock();
        let passed = self.pass(&mut state)?;
        self.update(&mut state, passed, Moment::now().wall)?;
        Ok(self.books.look(|ledger| look(&state.book, ledger)))
    }

    /// Also keeps accounts by peer, with a maximum per workload and direction.
    pub fn name_peers(&self, peers: &Peers, most: usize) {
        let mut state = self.state.lock();
        state.book.keep_what_comes();
        match &mut state.named {
            Some((named, _)) => named.set_most(most),
            none => *none = Some((Named::new(most), peers.clone())),
        }
    }

    /// Brings the books up to date and shows the accounts by peer.
    pub fn read_named<T>(&self, look: impl FnOnce(&Named) -> T) -> std::io::Result<Option<T>> {
        self.read(|_, _| ())?;
        Ok(self.state.lock().named.as_ref().map(|(named, _)| look(named)))
    }

    /// The kernel's rows as they are, for those who want to see cgroups.
    pub fn rows(&self) -> std::io::Result<Vec<(PeerKey, Peer)>> {
        self.living.run()?;
        let mut rows = Entries::default();
        self.peers.read_all(self.peers.max_entries(), &mut rows)?;
        Ok(rows.iter().map(|(key, peer)| (*key, *peer)).collect())
    }

    /// What listeners turned away, by cgroup, for those who want to see cgroups.
    pub fn rows_of_listeners(&self) -> std::io::Result<Vec<(CgroupId, u64)>> {
        self.living.run()?;
        let mut rows: Entries<ListenerKey, Listener> = Entries::default();
        self.listeners.read_all(self.listeners.max_entries(), &mut rows)?;
        Ok(rows.iter().map(|(key, listener)| (key.cgroup, listener.turned_away)).collect())
    }

    /// Flow records; [`wire::decode`] reads them. There is one reader.
    pub fn flows(&self) -> Result<Ring, Unavailable> {
        self.object.ring("flows")
    }

    /// Dropped records and map entries, by kind.
    pub fn lost(&self) -> Vec<(&'static str, u64)> {
        self.vitals().lost
    }

    /// Whether living connections are counted by network namespace, since the kernel refuses what sees all of them.
    pub fn goes_by_space(&self) -> bool {
        matches!(self.living, Living::BySpace(_))
    }

    /// Cost of the programs.
    pub fn costs(&self) -> super::object::Costs {
        self.object.costs()
    }

    /// Counts what living connections carried, unless that was done a moment ago for its length.
    fn pass(&self, state: &mut State) -> std::io::Result<bool> {
        if state.passed.elapsed() < state.pass_took * PASS_SHARE {
            return Ok(false);
        }
        state.passed = Instant::now();
        state.pass_took = self.living.run()?;
        Ok(true)
    }

    fn update(&self, state: &mut State, passed: bool, now: f64) -> std::io::Result<()> {
        self.peers.read_all(self.peers.max_entries(), &mut state.peers)?;
        self.meters.read_all(self.meters.max_entries(), &mut state.meters)?;
        self.listeners.read_all(self.listeners.max_entries(), &mut state.listeners)?;
        let State { book, named, peers, meters, listeners, .. } = state;
        let (peers, meters, listeners) = (peers.iter(), meters.iter(), listeners.iter());
        self.books.look(|ledger| book.read(Reading { peers, meters, listeners, passed, ledger, now }));
        if let Some((named, who)) = named {
            let called = |cgroup, address| NAMES.of(cgroup, address);
            named.take_in(book.came().into_iter(), called, |address, port, name| who.find(address, port, name), now);
            let is_there =
                |ledger: &Ledger, key: &WorkloadRef| *key == other() || ledger.workload_called(key).is_some();
            self.books.look(|ledger| named.settle(|key| is_there(ledger, key), now));
        }
        self.tidy(book, now)
    }

    /// Removes rows that are not needed any more.
    fn tidy(&self, book: &mut Book, now: f64) -> std::io::Result<()> {
        for key in book.idle_rows(now) {
            if let Some(end) = self.peers.take::<PeerKey, Peer>(&key)? {
                self.books.look(|ledger| book.released(&key, &end, ledger, now));
                let mut gone = self.released.get::<CgroupId, [u64; 2]>(&key.cgroup)?.unwrap_or_default();
                if let Some(gone) = gone.get_mut(key.peer().direction()) {
                    *gone += 1;
                }
                self.released.set(&key.cgroup, &gone)?;
            }
        }
        let gone = book.gone_for_good();
        for cgroup in &gone {
            self.meters.remove(cgroup)?;
            self.released.remove(cgroup)?;
        }
        for key in book.idle_listeners(&gone, now) {
            self.listeners.remove(&key)?;
        }
        Ok(())
    }
}

impl Follower for Tcp {
    fn catch_up(&self, now: Moment) {
        if let Err(error) = self.update(&mut self.state.lock(), false, now.wall) {
            tracing::debug!(%error, "cannot read the maps of connections");
        }
    }

    fn forget(&self, cgroups: &[CgroupId]) {
        self.state.lock().book.forget(cgroups);
    }
}

impl Feature for Tcp {
    fn vitals(&self) -> Vitals {
        let lost = (0_u32..)
            .zip(LOSSES)
            .map(|(index, what)| (what, self.losses.get::<u32, u64>(&index).ok().flatten().unwrap_or(0)));
        let lost =
            lost.chain([("flow_of_follower", self.followed.get().map_or(0, |feeds| feeds.lost(Kind::Flow)))]).collect();
        Vitals { feature: "tcp", costs: self.object.costs(), lost, resyncs: 0 }
    }
}

/// An address as peers have it.
pub fn as_peer(address: IpAddr) -> std::net::Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// The feature, and what tells of single connections while somebody wants them.
struct AtWork {
    tcp: Arc<Tcp>,
    _telling: Arc<Telling>,
}

static RUNNING: Running<AtWork> = Running::none();

fn start_once(context: &Context) -> Result<Arc<AtWork>, Unavailable> {
    RUNNING.or_start(|| {
        let sampled = context.config.events.flows_sample.max(1);
        let stream = if context.feeds.is_wanted::<Flow>() { sampled } else { 0 };
        let tcp = Tcp::start(&context.host, context.books()?, &Options { stream, ..Options::default() })?;
        let feeds = tcp.followed.get_or_init(|| context.feeds.clone());
        let telling = telling::of(&tcp.object, tcp.books.clone(), feeds.clone(), sampled)?;
        Ok(Arc::new(AtWork { tcp, _telling: telling }))
    })
}

/// The part of the feature that a slice shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Totals,
    WorkloadPeers,
    ContainerPeers,
    Connections,
}

struct Shows {
    at_work: Arc<AtWork>,
    what: What,
}

impl Collector for Shows {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let problem = |source| ReadError { path: "bpf/tcp".into(), source };
        let (tcp, what, out) = (&self.at_work.tcp, self.what, &mut *scrape.out);
        if let Some((_, peers)) = &tcp.state.lock().named {
            peers.refresh(scrape.host, scrape.reader);
        }
        let mut state = tcp.state.lock();
        // The first of the slices in a scrape reads for all of them.
        if state.scrape != scrape.now {
            let passed = tcp.pass(&mut state).map_err(problem)?;
            tcp.update(&mut state, passed, scrape.now).map_err(problem)?;
            state.scrape = scrape.now;
        }
        if what == What::Connections {
            if let Some((named, _)) = &state.named {
                connections::emit(named, out);
            }
            return Ok(());
        }
        tcp.books.look(|ledger| {
            if what != What::ContainerPeers {
                for (key, account) in state.book.workloads() {
                    let of = out.subject::<AsWorkload, 3>([&key.namespace, &key.name, key.kind]);
                    match what {
                        What::WorkloadPeers => metrics::emit_workload_peers(account, of, tcp.names, out),
                        _ => metrics::emit_workload(account, of, out),
                    }
                }
            }
            if what != What::WorkloadPeers {
                for (unit, books) in
                    ledger.shown_units().into_iter().filter_map(|unit| Some((unit, state.book.unit(unit.number)?)))
                {
                    let of = ledger.subject_of(unit, out);
                    match what {
                        What::ContainerPeers => metrics::emit_unit_peers(books, of, tcp.names, out),
                        _ => metrics::emit_unit(books, of, out),
                    }
                }
            }
        });
        Ok(())
    }
}
