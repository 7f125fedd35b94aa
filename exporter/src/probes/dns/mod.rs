//! Questions that containers ask of name servers, and what came of them; kept for the workload when the container is
//! gone.
//!
//! `dns.bpf.c` gives us packets between sockets and port 53 of servers, over UDP and TCP; [`wire`] reads what they say,
//! [`talk`] joins questions and answers. The addresses in answers are told to [`crate::identity::names`]. Counted at the side that asks, once, whatever interfaces a packet passes. Left
//! out are sockets of the root cgroup, encrypted questions, servers at other ports, and machines without cgroup version 2.

mod metrics;
pub mod talk;
pub mod wire;

use std::{path::Path, sync::Arc, time::Duration};

use kernfs::{Host, ReadError};
use parking_lot::Mutex;

use self::talk::{CODES, Counts, Heard, TYPES, Talk};
use super::{
    health::{self, Feature, Vitals},
    lifetime::{
        self, Books, Follower,
        ledger::{Ledger, Moment},
    },
    object::{Hook, Object, Plan, Table},
    pump::{Next, Pump, Turn},
    running::Running,
    sums::Sums,
    tcp::Slots,
};
use crate::{
    identity::{AsWorkload, names::NAMES},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "dns",
    about: "Questions of every container and workload to name servers: by type, answers by code, times, timeouts.",
    default_on: true,
    needs: &[
        Need::Kernel(5, 8),
        Need::Btf,
        Need::Capability("CAP_BPF"),
        Need::Capability("CAP_PERFMON"),
        Need::Capability("CAP_NET_ADMIN"),
        Need::Hook("cgroup_skb"),
    ],
    shows: &[(View::Own, metrics::FAMILIES)],
    build,
};

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dns.bpf.o"));
static HOOKS: &[(&str, Hook)] = &[("on_egress", Hook::Egress), ("on_ingress", Hook::Ingress)];

/// How often questions without an answer are given up, while there are some.
const PERIOD: Duration = Duration::from_millis(500);

const FIRST_ANSWER: usize = TYPES.len();
const TRUNCATED: usize = FIRST_ANSWER + CODES.len();
const TIMEOUTS: usize = TRUNCATED + 1;
const FIRST_SLOT: usize = TIMEOUTS + 1;
/// Queries by type, answers by code, truncated answers, timeouts, times.
const NUMBERS: usize = FIRST_SLOT + Slots::NUMBERS;

/// The feature at work. Dropping it ends its thread and detaches its programs.
#[derive(Debug)]
pub struct Dns {
    shared: Arc<Shared>,
    // Dropped, and so joined, before what it works on.
    _pump: Pump,
}

#[derive(Debug)]
struct Shared {
    object: Object,
    books: Books,
    losses: Table,
    talk: Mutex<Talk>,
    sums: Mutex<Sums<NUMBERS>>,
}

impl Dns {
    /// Loads and attaches. `refuse` has the verifier refuse a program, for tests.
    pub fn start(host: &Host, books: Books, refuse: bool) -> Result<Arc<Self>, Unavailable> {
        let root = books.unified_root();
        let root =
            root.ok_or_else(|| Unavailable("sockets know cgroups of version 2 only, and none is mounted".into()))?;
        let plan = Plan {
            name: "dns",
            image: IMAGE,
            hooks: HOOKS,
            constants: Vec::new(),
            sizes: Vec::new(),
            cgroup: Some(Path::new(&root)),
            pin: None,
            refuse,
        };
        let mut object = Object::load(&plan, host)?;
        let ring = object.ring("packets")?;
        object.attach(&plan)?;
        let losses = object.table("losses")?;
        let (talk, sums) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { object, books, losses, talk, sums });
        let for_pump = Arc::clone(&shared);
        let pump = Pump::start("yagura-dns", ring, PERIOD, move |turn| for_pump.turn(&turn));
        let pump = pump.map_err(|error| Unavailable(format!("cannot start the thread: {error}")))?;
        shared.books.follow_with(&shared);
        health::watch(&shared);
        Ok(Arc::new(Self { shared, _pump: pump }))
    }

    /// What was counted of each cgroup so far, for those who want to see cgroups.
    pub fn rows(&self) -> std::collections::HashMap<u64, Counts> {
        self.shared.talk.lock().counts().map(|(cgroup, counts)| (cgroup, counts.clone())).collect()
    }

    /// What was lost, by kind.
    pub fn lost(&self) -> Vec<(&'static str, u64)> {
        self.shared.vitals().lost
    }

    /// What the programs cost.
    pub fn costs(&self) -> super::object::Costs {
        self.shared.object.costs()
    }

    fn read<T>(&self, look: impl FnOnce(&Sums<NUMBERS>, &Ledger) -> T) -> T {
        self.shared.books.look(|ledger| {
            let mut sums = self.shared.sums.lock();
            self.shared.update(&mut sums, ledger, lifetime::now().wall);
            look(&sums, ledger)
        })
    }
}

impl Shared {
    fn turn(&self, turn: &Turn<'_>) -> Next {
        let mut talk = self.talk.lock();
        match turn {
            Turn::Record(bytes) => {
                if let Some(packet) = wire::decode(bytes) {
                    talk.take_in(&packet);
                    for Heard { cgroup, at_ns, told } in talk.heard() {
                        NAMES.told(cgroup, &told.name, &told.addresses, told.seconds, at_ns);
                    }
                }
            }
            Turn::Idle => talk.give_up(lifetime::now().mono_ns),
        }
        Next::soon_if(talk.is_waiting())
    }

    fn update(&self, sums: &mut Sums<NUMBERS>, ledger: &Ledger, now: f64) {
        let talk = self.talk.lock();
        sums.read(talk.counts().map(|(cgroup, counts)| (cgroup, numbers(counts))), ledger, now);
    }
}

fn numbers(counts: &Counts) -> [u64; NUMBERS] {
    let mut all = [0; NUMBERS];
    let parts = counts.queries.iter().chain(&counts.answers).chain([&counts.truncated, &counts.timeouts]);
    for (to, from) in all.iter_mut().zip(parts.copied().chain(counts.took.numbers())) {
        *to = from;
    }
    all
}

impl Follower for Shared {
    fn keep(&self, ledger: &Ledger, now: Moment) {
        self.update(&mut self.sums.lock(), ledger, now.wall);
    }

    fn forget(&self, cgroups: &[u64]) {
        NAMES.forget(cgroups);
        self.talk.lock().forget(cgroups);
        self.sums.lock().forget(cgroups);
    }
}

impl Feature for Shared {
    fn vitals(&self) -> Vitals {
        let lost = self.losses.get::<u32, u64>(&0).ok().flatten().unwrap_or(0);
        let crowded = self.talk.lock().crowded;
        let lost = vec![("packet", lost), ("conversation", crowded), ("name", NAMES.figures().crowded)];
        Vitals { feature: "dns", costs: self.object.costs(), lost, resyncs: 0 }
    }
}

static RUNNING: Running<Dns> = Running::none();

struct Shows(Arc<Dns>);

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(Shows(RUNNING.or_start(|| Dns::start(&context.host, Books::current()?, false))?)))
}

impl Collector for Shows {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let out = &mut *scrape.out;
        self.0.read(|sums, ledger| {
            for unit in ledger.shown_units() {
                let Some(account) = sums.unit(unit.number) else { continue };
                metrics::emit_unit(account, ledger.subject_of(unit, out), out);
            }
            for (key, account) in sums.workloads() {
                let of = out.subject::<AsWorkload, 3>([&key.namespace, &key.workload, key.kind]);
                metrics::emit_workload(account, of, out);
            }
        });
        Ok(())
    }
}
