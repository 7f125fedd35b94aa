//! Features that count something by cgroup, in a map of their own, and keep the sums on `lifetime`'s books.

use std::sync::Arc;

use kernfs::Host;

use super::{
    health::{self, Feature, Vitals},
    lifetime::Books,
    object::{Object, Plan, Table},
};
use crate::{books::ledger::Columns, spec::Unavailable};

/// A feature at work. Dropping it detaches its programs.
#[derive(Debug)]
pub struct Counting {
    object: Object,
    counts: Arc<Table>,
    losses: Table,
    kinds: &'static [&'static str],
    /// Where its counts stand.
    pub books: Books,
}

impl Counting {
    /// Loads and attaches. `map` has `u64` keys and two numbers a value, which `columns` puts on the books; `kinds` are
    /// the losses that it counts. With the books, it stays at work when the agent ends.
    pub fn start(
        host: &Host,
        mut plan: Plan<'_>,
        map: &str,
        kinds: &'static [&'static str],
        columns: Columns,
        books: Books,
    ) -> Result<Arc<Self>, Unavailable> {
        plan.constants.extend(books.owner());
        let pin = books.pin();
        let plan = Plan { pin: pin.as_deref(), ..plan };
        let mut object = Object::load(&plan, host)?;
        let is_new = !object.is_reused();
        let counts = Arc::new(object.table(map)?);
        let losses = object.table("losses")?;
        // What finds no room is counted under cgroup 0.
        if is_new {
            counts
                .set(&0_u64, &[0_u64; 2])
                .map_err(|error| Unavailable(format!("cannot prepare the maps: {error}")))?;
        }
        object.attach(&plan)?;
        object.pin()?;
        books.follow(columns, &counts, is_new);
        let feature = Arc::new(Self { object, counts, losses, kinds, books });
        health::watch(&feature);
        Ok(feature)
    }

    /// The object, for its other maps.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// What is counted of one cgroup; `None` when nothing was.
    pub fn count_of(&self, cgroup: u64) -> Option<[u64; 2]> {
        self.counts.get(&cgroup).ok().flatten()
    }
}

impl Feature for Counting {
    fn vitals(&self) -> Vitals {
        let lost = (0_u32..)
            .zip(self.kinds)
            .map(|(index, what)| (*what, self.losses.get::<u32, u64>(&index).ok().flatten().unwrap_or(0)));
        let lost = lost.collect();
        Vitals { feature: self.object.name(), costs: self.object.costs(), lost, resyncs: 0 }
    }
}
