//! DNS queries of containers and their answers; kept for the workload when the container is removed.
//!
//! `dns.bpf.c` gives us packets between sockets and port 53 of servers, over UDP and TCP; [`wire`] reads what they say,
//! [`talk`] joins questions and answers. The addresses in answers are told to [`crate::identity::names`]. Counted at
//! the side that asks, once, whatever interfaces a packet passes. Not included: sockets of the root cgroup, encrypted
//! questions, servers at other ports, and machines without cgroup version 2.

mod metrics;
mod numbers;
pub mod talk;
pub mod wire;

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use kernfs::{Host, ReadError};
use parking_lot::Mutex;

use self::{
    numbers::{NUMBERS, numbers},
    talk::{Counts, Heard, Talk},
};
use super::{
    health::{self, Feature, Vitals},
    object::{Copies, Hook, Object, Plan, Table},
    packets::At,
    pump::{Next, Pump, Turn},
    running::Running,
};
use crate::{
    books::{Books, Follower, ledger::Ledger, moment::Moment, sums::Sums},
    identity::{AsWorkload, names::NAMES},
    ids::CgroupId,
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
        Need::OneOf(&[
            &[
                Need::Hook("ip_send_skb"),
                Need::Hook("ip6_send_skb"),
                Need::Hook("__udp_enqueue_schedule_skb"),
                Need::Hook("ip_queue_xmit"),
                Need::Hook("inet6_csk_xmit"),
                Need::Hook("tcp_probe"),
                Need::Hook("tcp_rcv_state_process"),
            ],
            &[Need::Hook("cgroup_skb"), Need::Capability("CAP_NET_ADMIN")],
        ]),
    ],
    shows: &[(View::Own, metrics::FAMILIES)],
    build,
};

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dns.bpf.o"));

fn hooks(at: At) -> &'static [(&'static str, Hook)] {
    match at {
        At::Functions => &[
            ("on_send", Hook::Function("ip_send_skb")),
            ("on_send_v6", Hook::Function("ip6_send_skb")),
            ("on_arrival", Hook::Function("__udp_enqueue_schedule_skb")),
            ("on_segment", Hook::Function("ip_queue_xmit")),
            ("on_segment_v6", Hook::Function("inet6_csk_xmit")),
            ("on_reply", Hook::Tracepoint("tcp_probe")),
            ("on_late_reply", Hook::Function("tcp_rcv_state_process")),
        ],
        At::Cgroups => &[("on_egress", Hook::Egress), ("on_ingress", Hook::Ingress)],
    }
}

/// How often questions without an answer are given up, while there are some.
const PERIOD: Duration = Duration::from_millis(500);

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
    elsewhere: Mutex<Option<Elsewhere>>,
    talk: Mutex<Talk>,
    sums: Mutex<Sums<NUMBERS>>,
}

impl Dns {
    /// Loads and attaches, at the first of these places that the kernel allows. `refuse` has the verifier refuse a
    /// program, for tests.
    pub fn start(host: &Host, books: Books, at: &[At], refuse: bool) -> Result<Arc<Self>, Unavailable> {
        let root = books.owners().unified_root.clone();
        let root =
            root.ok_or_else(|| Unavailable("sockets know cgroups of version 2 only, and none is mounted".into()))?;
        let plan = |at: &At| Plan {
            name: "dns",
            image: IMAGE,
            hooks: hooks(*at),
            constants: Vec::new(),
            sizes: Vec::new(),
            cgroup: Some(Path::new(&root)),
            pin: None,
            refuse,
        };
        let plans: Vec<_> = at.iter().map(plan).collect();
        let (object, (ring, copies)) = Object::first_of(&plans, host, |object, number| {
            let takes_copies = at.get(number) == Some(&At::Functions);
            let copies = if takes_copies { Some(Elsewhere::of(object.copies("copies")?)) } else { None };
            Ok((object.ring("packets")?, copies))
        })?;
        let losses = object.table("losses")?;
        let (elsewhere, talk, sums) = (Mutex::new(copies), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { object, books, losses, elsewhere, talk, sums });
        let for_pump = Arc::clone(&shared);
        let pump = Pump::start("yagura-dns", ring, PERIOD, move |turn| for_pump.turn(&turn));
        let pump = pump.map_err(|error| Unavailable(format!("cannot start the thread: {error}")))?;
        shared.books.follow(&shared);
        health::watch(&shared);
        Ok(Arc::new(Self { shared, _pump: pump }))
    }

    /// Counts by cgroup.
    pub fn rows(&self) -> HashMap<CgroupId, Counts> {
        self.shared.talk.lock().counts().map(|(cgroup, counts)| (cgroup, counts.clone())).collect()
    }

    /// Dropped records and map entries, by kind.
    pub fn lost(&self) -> Vec<(&'static str, u64)> {
        self.shared.vitals().lost
    }

    /// Cost of the programs.
    pub fn costs(&self) -> super::object::Costs {
        self.shared.object.costs()
    }

    fn read<T>(&self, look: impl FnOnce(&Sums<NUMBERS>, &Ledger) -> T) -> T {
        let mut sums = self.shared.sums.lock();
        self.shared.update(&mut sums, Moment::now().wall);
        self.shared.books.look(|ledger| look(&sums, ledger))
    }
}

/// Payloads that are not with their packets, by CPU and time.
#[derive(Debug)]
struct Elsewhere {
    copies: Copies,
    found: HashMap<(u32, u64), Vec<u8>>,
    missing: u64,
}

impl Elsewhere {
    fn of(copies: Copies) -> Self {
        Self { copies, found: HashMap::new(), missing: 0 }
    }

    /// Takes one out. It was there before its packet.
    fn take(&mut self, cpu: u32, at_ns: u64) -> Option<Vec<u8>> {
        let Self { copies, found, missing } = self;
        if !found.contains_key(&(cpu, at_ns)) {
            copies.drain(cpu, |bytes| {
                if let Some((at_ns, payload)) = wire::decode_copy(bytes) {
                    found.insert((cpu, at_ns), payload.to_vec());
                }
            });
        }
        let payload = found.remove(&(cpu, at_ns));
        *missing += u64::from(payload.is_none());
        payload
    }
}

impl Shared {
    /// The packet with its payload; `None` if that is lost, which is counted.
    fn complete(&self, packet: wire::Packet) -> Option<wire::Packet> {
        let Some(cpu) = packet.copied_by else { return Some(packet) };
        let payload = self.elsewhere.lock().as_mut()?.take(cpu, packet.at_ns)?;
        Some(wire::Packet { payload, ..packet })
    }

    fn turn(&self, turn: &Turn<'_>) -> Next {
        let mut talk = self.talk.lock();
        match turn {
            Turn::Record(bytes) => {
                let packet = wire::decode(bytes);
                if let Some(packet) = packet.and_then(|packet| self.complete(packet)) {
                    talk.take_in(&packet);
                    for Heard { cgroup, at_ns, told } in talk.heard() {
                        NAMES.told(cgroup, &told.name, &told.addresses, told.seconds, at_ns);
                    }
                }
            }
            Turn::Idle => talk.give_up(Moment::now().mono_ns),
        }
        Next::soon_if(talk.is_waiting())
    }

    fn update(&self, sums: &mut Sums<NUMBERS>, now: f64) {
        let rows: Vec<_> = self.talk.lock().counts().map(|(cgroup, counts)| (cgroup, numbers(counts))).collect();
        self.books.look(|ledger| sums.read(rows.into_iter(), ledger, now));
    }
}

impl Follower for Shared {
    fn catch_up(&self, now: Moment) {
        self.update(&mut self.sums.lock(), now.wall);
    }

    fn forget(&self, cgroups: &[CgroupId]) {
        NAMES.forget(cgroups);
        self.talk.lock().forget(cgroups);
        self.sums.lock().forget(cgroups);
    }
}

impl Feature for Shared {
    fn vitals(&self) -> Vitals {
        let missing = self.elsewhere.lock().as_ref().map_or(0, |elsewhere| elsewhere.missing);
        let lost = self.losses.get::<u32, u64>(&0).ok().flatten().unwrap_or(0) + missing;
        let crowded = self.talk.lock().crowded;
        let lost = vec![("packet", lost), ("conversation", crowded), ("name", NAMES.figures().crowded)];
        Vitals { feature: "dns", costs: self.object.costs(), lost, resyncs: 0 }
    }
}

static RUNNING: Running<Dns> = Running::none();

struct Shows(Arc<Dns>);

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(Shows(
        RUNNING.or_start(|| Dns::start(&context.host, context.books()?, At::all_of(&context.host), false))?,
    )))
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
                let of = out.subject::<AsWorkload, 3>([&key.namespace, &key.name, key.kind]);
                metrics::emit_workload(account, of, out);
            }
        });
        Ok(())
    }
}
