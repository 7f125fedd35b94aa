//! Time that runnable tasks wait for a CPU, as a histogram by container. Off by default: `lifetime` has a
//! program at every context switch already, and this one comes on top.
//!
//! `runqueue.bpf.c` counts at the hook `sched_switch`; names come from the ledger.

use std::{collections::BTreeMap, sync::Arc};

use kernfs::{Host, ReadError};
use metric::{Buckets, Desc, Family, Histogram, Seconds};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    health::{self, Feature, Vitals},
    object::{Entries, Hook, Object, Plan, Table},
    running::Running,
};
use crate::{
    books::{Books, ledger::Unit},
    events::whose::Container,
    identity::AsContainer,
    ids::CgroupId,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "runqueue",
    about: "How long tasks that are ready to run wait for a CPU, by container.",
    default_on: false,
    needs: &[
        Need::Kernel(5, 11),
        Need::Btf,
        Need::Capability("CAP_BPF"),
        Need::Capability("CAP_PERFMON"),
        Need::Hook("sched_switch"),
    ],
    shows: &[(View::Own, FAMILIES)],
    build,
};

static DELAY: Family<Seconds, 0, AsContainer> = Family::histogram(
    "container_cpu_wait_seconds",
    "Time that the container's tasks waited on the run queue, per wait.",
    &[],
);
static FAMILIES: &[&Desc] = &[DELAY.desc()];

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/runqueue.bpf.o"));
static HOOKS: &[(&str, Hook)] = &[("on_switch", Hook::Tracepoint("sched_switch"))];

const SLOTS: usize = 25;

/// Upper bounds of the kernel's slots but the last: 2^i µs.
static BOUNDS: [f64; SLOTS - 1] = {
    let mut bounds = [0.0; SLOTS - 1];
    let mut i = 0;
    while i < bounds.len() {
        #[expect(clippy::indexing_slicing, reason = "runs at compile time")]
        {
            bounds[i] = (1_u64 << i) as f64 / 1e6;
        }
        i += 1;
    }
    bounds
};

/// Delays of one cgroup on one CPU (`struct delays`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Delays {
    /// Sum of all.
    pub sum_ns: u64,
    /// How many.
    pub count: u64,
    /// How many in each slot; slot i ends at 2^i µs.
    pub slots: [u64; SLOTS],
}

const _: () = assert!(size_of::<Delays>() == 216);

impl Delays {
    fn add(&mut self, more: &Self) {
        self.sum_ns += more.sum_ns;
        self.count += more.count;
        for (slot, more) in self.slots.iter_mut().zip(more.slots) {
            *slot += more;
        }
    }

    fn histogram(&self) -> Histogram {
        let buckets = Buckets { bounds: &BOUNDS, counts: self.slots.to_vec() };
        Histogram::counted(self.sum_ns as f64 / 1e9, self.count, Some(buckets), None)
    }
}

/// The feature at work. Dropping it detaches its program.
#[derive(Debug)]
pub struct Runqueue {
    object: Object,
    waits: Table,
    losses: Table,
    books: Books,
}

impl Runqueue {
    /// Loads and attaches. `refuse` has the verifier refuse the program, for tests.
    pub fn start(host: &Host, books: Books, refuse: bool) -> Result<Arc<Self>, Unavailable> {
        let plan = Plan {
            name: "runqueue",
            image: IMAGE,
            hooks: HOOKS,
            constants: books.owners().constants.clone(),
            sizes: Vec::new(),
            cgroup: None,
            pin: None,
            refuse,
        };
        let mut object = Object::load(&plan, host)?;
        object.attach(&plan)?;
        let (waits, losses) = (object.table("waits")?, object.table("losses")?);
        let feature = Arc::new(Self { object, waits, losses, books });
        health::watch(&feature);
        Ok(feature)
    }

    /// All delays so far, by cgroup.
    pub fn read(&self, scratch: &mut Entries<CgroupId, Delays>) -> std::io::Result<Vec<(CgroupId, Delays)>> {
        self.waits.read_all(self.waits.max_entries(), scratch)?;
        let sums = scratch.iter_copies().map(|(id, copies)| {
            let mut sum = Delays::default();
            for copy in copies {
                sum.add(copy);
            }
            (*id, sum)
        });
        Ok(sums.collect())
    }
}

impl Feature for Runqueue {
    fn vitals(&self) -> Vitals {
        let lost = self.losses.get::<u32, u64>(&0).ok().flatten().unwrap_or(0);
        Vitals { feature: "runqueue", costs: self.object.costs(), lost: vec![("cgroup", lost)], resyncs: 0 }
    }
}

static RUNNING: Running<Runqueue> = Running::none();

struct Waits {
    feature: Arc<Runqueue>,
    scratch: Entries<CgroupId, Delays>,
}

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let feature = RUNNING.or_start(|| Runqueue::start(&context.host, context.books()?, false))?;
    Ok(Box::new(Waits { feature, scratch: Entries::default() }))
}

impl Collector for Waits {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let problem = |source| ReadError { path: "bpf/runqueue/waits".into(), source };
        let delays = self.feature.read(&mut self.scratch).map_err(problem)?;
        let out = &mut *scrape.out;
        let gone = self.feature.books.look(|ledger| {
            let mut gone = Vec::new();
            // A container's cgroups, and those of containers with the same labels, are one series.
            let mut sums: BTreeMap<&Container, (&Unit, Delays)> = BTreeMap::new();
            for (id, delays) in &delays {
                match ledger.unit_of(*id) {
                    Some(unit) => sums.entry(&unit.labels).or_insert_with(|| (unit, Delays::default())).1.add(delays),
                    None if ledger.is_root(*id) => {}
                    None => gone.push(*id),
                }
            }
            for (unit, delays) in sums.into_values() {
                let of = ledger.subject_of(unit, out);
                out.put_histogram(&DELAY, Some(of), [], delays.histogram());
            }
            gone
        });
        for id in gone {
            self.feature.waits.remove(&id).map_err(problem)?;
        }
        Ok(())
    }
}
