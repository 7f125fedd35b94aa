//! Packets that the kernel dropped: how many and why, of every container; of those that have no socket, by device.
//!
//! `drops.bpf.c` counts at the hook where packets are dropped, so a machine that drops none pays nothing. Not included:
//! packets that a device or its driver dropped before the kernel had them (`node_network_*_drop_total`), and
//! attempts to connect that a full listener turns away where the kernel takes them for handled
//! (`container_network_listen_turned_away_total`).

mod reasons;
mod wire;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use kernfs::{Host, ReadError, Reader};
use metric::{Count, Desc, Extra, Family, Label};
use parking_lot::Mutex;

use self::{
    reasons::{REASONS_MOST, Reasons},
    wire::{Device, Key},
};
use super::{
    health::{self, Feature, Vitals},
    object::{Entries, Hook, Object, Plan, Table},
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
    name: "drops",
    about: "Packets that the kernel dropped, by why: of every container and workload, else by device.",
    default_on: true,
    needs: &[
        Need::Kernel(5, 17),
        Need::Btf,
        Need::Capability("CAP_BPF"),
        Need::Capability("CAP_PERFMON"),
        Need::Hook("kfree_skb"),
    ],
    shows: &[(View::Own, FAMILIES)],
    build,
};

const REASON: Label = Label::open("reason", "reasons that the kernel knows");

static OF_CONTAINER: Family<Count, 1, AsContainer> = Family::counter(
    "container_network_dropped_packets_total",
    "Packets from and for the container's sockets that the kernel dropped, by why; a reason is shown once it has occurred.",
    &[REASON],
);
static OF_WORKLOAD: Family<Count, 1, AsWorkload> = Family::counter(
    "workload_network_dropped_packets_total",
    "Packets from and for sockets of all containers that the workload has and had that the kernel dropped, by why; a \
     reason is shown once it has occurred.",
    &[REASON],
);
static OF_DEVICE: Family<Count, 3> = Family::counter(
    "machine_network_dropped_packets_total",
    "Packets of no container's socket that the kernel dropped, by the device that they were at, whether that is the \
     machine's or in a container, and why; a reason is shown once it has occurred.",
    &[
        Label::closed("network", &NETWORKS),
        Label::open("device", "network devices, idle ones that are gone left out"),
        REASON,
    ],
);
const NETWORKS: [&str; 2] = ["container", "host"];

static FAMILIES: &[&Desc] = &[OF_CONTAINER.desc(), OF_WORKLOAD.desc(), OF_DEVICE.desc()];

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/drops.bpf.o"));
static HOOKS: &[(&str, Hook)] = &[("on_drop", Hook::Tracepoint("kfree_skb"))];

/// How long the row of a device must have been idle before it is asked whether the device is still there, in seconds.
const IDLE: f64 = 600.0;

/// The feature at work. Dropping it detaches its programs.
#[derive(Debug)]
pub struct Drops {
    host: Arc<Host>,
    object: Object,
    books: Books,
    counts: Table,
    losses: Table,
    reasons: Reasons,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: Entries<Key, u64>,
    sums: Sums<REASONS_MOST>,
    /// Rows of devices, and when each last changed.
    devices: HashMap<Key, (u64, f64)>,
    reader: Reader,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

/// Packets by reason.
pub type ByReason = BTreeMap<String, u64>;

/// What the kernel has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// By cgroup.
    pub cgroups: HashMap<CgroupId, ByReason>,
    /// By device: whether it is the machine's own, and its name.
    pub devices: HashMap<(bool, String), ByReason>,
}

impl Drops {
    /// Loads and attaches. `refuse` has the verifier refuse the program, for tests.
    pub fn start(host: &Arc<Host>, books: Books, refuse: bool) -> Result<Arc<Self>, Unavailable> {
        let mut reader = Reader::default();
        let btf = reader.read(&host.sys, "kernel/btf/vmlinux").ok().flatten();
        let reasons = btf.and_then(Reasons::of);
        let reasons = reasons.ok_or_else(|| Unavailable("cannot read the kernel's types (BTF)".into()))?;
        if !reasons.is_told() {
            return Err(Unavailable("this kernel does not say why it drops packets: that came with Linux 5.17".into()));
        }
        let own = reader.stat(&host.proc, "1/ns/net").and_then(|stat| u32::try_from(stat.st_ino).ok()).unwrap_or(0);
        drop(reader);
        let mut constants = books.owners().constants.clone();
        constants.extend([("knows_receiver", u32::from(reasons.arguments > 3)), ("own_network", own)]);
        let plan = Plan {
            name: "drops",
            image: IMAGE,
            hooks: HOOKS,
            constants,
            sizes: Vec::new(),
            cgroup: None,
            pin: None,
            refuse,
        };
        let mut object = Object::load(&plan, host)?;
        object.attach(&plan)?;
        let (counts, losses) = (object.table("drops")?, object.table("losses")?);
        let host = Arc::clone(host);
        let feature = Arc::new(Self { host, object, books, counts, losses, reasons, state: Mutex::default() });
        feature.books.follow(&feature);
        health::watch(&feature);
        Ok(feature)
    }

    /// What the kernel has counted, for those who want to see cgroups.
    pub fn rows(&self) -> std::io::Result<Rows> {
        let mut entries: Entries<Key, u64> = Entries::default();
        self.counts.read_all(self.counts.max_entries(), &mut entries)?;
        let mut rows = Rows::default();
        for (key, count) in entries.iter() {
            let to = match key.device() {
                Some(Device { is_host, name }) => rows.devices.entry((is_host, name)).or_default(),
                None => rows.cgroups.entry(key.cgroup).or_default(),
            };
            *to.entry(self.reasons.word(self.reasons.index(key.reason)).to_owned()).or_default() += *count;
        }
        Ok(rows)
    }

    /// Whether the kernel says which socket a packet was for.
    pub fn knows_receivers(&self) -> bool {
        self.reasons.arguments > 3
    }

    /// What the programs cost.
    pub fn costs(&self) -> super::object::Costs {
        self.object.costs()
    }

    fn update(&self, state: &mut State, now: f64) -> std::io::Result<()> {
        let State { rows, sums, devices, reader } = state;
        self.counts.read_all(self.counts.max_entries(), rows)?;
        let mut of_cgroups: HashMap<CgroupId, [u64; REASONS_MOST]> = HashMap::new();
        for (key, count) in rows.iter() {
            if key.cgroup == CgroupId::NO_ROOM {
                let (last, changed) = devices.entry(*key).or_insert((0, now));
                if last != count {
                    (*last, *changed) = (*count, now);
                }
            } else if let Some(sum) =
                of_cgroups.entry(key.cgroup).or_insert([0; REASONS_MOST]).get_mut(self.reasons.index(key.reason))
            {
                *sum += count;
            }
        }
        self.books.look(|ledger| sums.read(of_cgroups.into_iter(), ledger, now));
        self.forget_devices(devices, reader, now)
    }

    /// Forgets devices that are gone. Those inside containers cannot be asked for.
    fn forget_devices(&self, devices: &mut HashMap<Key, (u64, f64)>, reader: &Reader, now: f64) -> std::io::Result<()> {
        let is_gone = |key: &Key| {
            let Some(Device { is_host, name }) = key.device() else { return true };
            !is_host || name.is_empty() || !reader.exists(&self.host.sys, &format!("class/net/{name}"))
        };
        let idle = devices.iter().filter(|(key, (_, changed))| now - changed > IDLE && is_gone(key));
        let idle: Vec<Key> = idle.map(|(key, _)| *key).collect();
        for key in idle {
            self.counts.remove(&key)?;
            devices.remove(&key);
        }
        Ok(())
    }

    fn put(&self, state: &State, ledger: &Ledger, scrape: &mut Scrape<'_>) {
        let out = &mut *scrape.out;
        for unit in ledger.shown_units() {
            let Some(account) = state.sums.unit(unit.number) else { continue };
            let of = ledger.subject_of(unit, out);
            for (reason, count, extra) in self.named(account) {
                out.put_with(&OF_CONTAINER, Some(of), [reason], count, extra);
            }
        }
        for (key, account) in state.sums.workloads() {
            let of = out.subject::<AsWorkload, 3>([&key.namespace, &key.name, key.kind]);
            for (reason, count, extra) in self.named(account) {
                out.put_with(&OF_WORKLOAD, Some(of), [reason], count, extra);
            }
        }
        let mut devices: BTreeMap<(Device, &str), u64> = BTreeMap::new();
        for (key, (count, _)) in &state.devices {
            if let Some(device) = key.device() {
                *devices.entry((device, self.reasons.word(self.reasons.index(key.reason)))).or_default() += count;
            }
        }
        for ((Device { is_host, name }, reason), count) in devices {
            let network = if is_host { "host" } else { "container" };
            out.put(&OF_DEVICE, [network, &name, reason], Count(count as f64));
        }
    }

    fn named<'a>(&'a self, account: &'a Account<REASONS_MOST>) -> impl Iterator<Item = (&'a str, Count, Extra)> + 'a {
        let there = account.sums.iter().enumerate().filter(|(_, count)| **count > 0);
        there.map(|(index, count)| {
            let extra = Extra { created: Some(account.created), exemplar: None };
            (self.reasons.word(index), Count(*count as f64), extra)
        })
    }
}

impl Follower for Drops {
    fn catch_up(&self, now: Moment) {
        if let Err(error) = self.update(&mut self.state.lock(), now.wall) {
            tracing::debug!(%error, "cannot read the map of dropped packets");
        }
    }

    fn forget(&self, cgroups: &[CgroupId]) {
        let mut state = self.state.lock();
        let keys: Vec<Key> =
            state.rows.iter().map(|(key, _)| *key).filter(|key| cgroups.contains(&key.cgroup)).collect();
        for key in keys {
            if let Err(error) = self.counts.remove(&key) {
                tracing::debug!(%error, "cannot delete map entries of a removed cgroup");
            }
        }
        state.sums.forget(cgroups);
    }
}

impl Feature for Drops {
    fn vitals(&self) -> Vitals {
        let lost = self.losses.get::<u32, u64>(&0).ok().flatten().unwrap_or(0);
        Vitals { feature: "drops", costs: self.object.costs(), lost: vec![("packet", lost)], resyncs: 0 }
    }
}

static RUNNING: Running<Drops> = Running::none();

struct Shows(Arc<Drops>);

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(Shows(RUNNING.or_start(|| Drops::start(&context.host, context.books()?, false))?)))
}

impl Collector for Shows {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let drops = &self.0;
        let mut state = drops.state.lock();
        let updated = drops.update(&mut state, Moment::now().wall);
        updated.map_err(|source| ReadError { path: "bpf/drops/drops".into(), source })?;
        drops.books.look(|ledger| drops.put(&state, ledger, scrape));
        Ok(())
    }
}
