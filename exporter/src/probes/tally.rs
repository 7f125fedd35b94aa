//! Features that count one thing by cgroup in their own map, with sums in the books.

use std::sync::{Arc, OnceLock};

use kernfs::Host;
use parking_lot::Mutex;

use super::{
    health::{self, Feature, Vitals},
    object::{Entries, Object, Plan, Table},
};
use crate::{
    books::{
        Books, Follower,
        ledger::{Columns, Ledger},
        moment::Moment,
    },
    events::{Feeds, Kind},
    ids::CgroupId,
    spec::Unavailable,
};

/// A feature at work. Dropping it detaches its programs.
#[derive(Debug)]
pub struct Counting {
    object: Object,
    counts: Table,
    losses: Table,
    kinds: &'static [&'static str],
    columns: Columns,
    books: Books,
    /// Held while rows are read and put in the ledger, so that an older reading never follows a newer one.
    rows: Mutex<Entries<CgroupId, [u64; 2]>>,
    /// Where its events are told, and what those that a follower lost are called.
    followed: OnceLock<(Feeds, Kind, &'static str)>,
}

impl Counting {
    /// Loads and attaches. `map` has cgroups for keys and two numbers a value, which `columns` puts on the books; `kinds` are
    /// the losses that it counts. With the books, it stays at work when the agent ends.
    pub fn start(
        host: &Host,
        mut plan: Plan<'_>,
        map: &str,
        kinds: &'static [&'static str],
        columns: Columns,
        books: Books,
    ) -> Result<Arc<Self>, Unavailable> {
        plan.constants.extend(books.owners().constants.iter().copied());
        let pin = books.owners().pin.clone();
        let plan = Plan { pin: pin.as_deref(), ..plan };
        let mut object = Object::load(&plan, host)?;
        let is_new = !object.is_reused();
        let counts = object.table(map)?;
        let losses = object.table("losses")?;
        // What finds no room is counted under cgroup 0.
        if is_new {
            counts
                .set(&CgroupId::NO_ROOM, &[0_u64; 2])
                .map_err(|error| Unavailable(format!("cannot prepare the maps: {error}")))?;
        }
        object.attach(&plan)?;
        object.pin()?;
        if is_new {
            books.change(|ledger| columns.into_iter().flatten().for_each(|tally| ledger.tally_is_new(tally)));
        }
        let feature = Arc::new(Self {
            object,
            counts,
            losses,
            kinds,
            columns,
            books,
            rows: Mutex::default(),
            followed: OnceLock::new(),
        });
        feature.books.follow(&feature);
        health::watch(&feature);
        Ok(feature)
    }

    /// Says where its events are told; `lost` is what those that a follower loses are called in the losses.
    pub fn tells(&self, feeds: &Feeds, kind: Kind, lost: &'static str) {
        self.followed.get_or_init(|| (feeds.clone(), kind, lost));
    }

    /// The object, for its other maps.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Brings the ledger up to date and shows it.
    pub fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> std::io::Result<T> {
        self.update(Moment::now().wall)?;
        Ok(self.books.look(look))
    }

    fn update(&self, now: f64) -> std::io::Result<()> {
        let mut rows = self.rows.lock();
        self.counts.read_all(self.counts.max_entries(), &mut rows)?;
        self.books.change(|ledger| {
            for (cgroup, counts) in rows.iter() {
                for (tally, count) in self.columns.iter().zip(counts) {
                    if let Some(tally) = tally {
                        ledger.tallied(*tally, *cgroup, *count, now);
                    }
                }
            }
        });
        Ok(())
    }

    /// Counts of one cgroup; `None` if there are none.
    pub fn count_of(&self, cgroup: CgroupId) -> Option<[u64; 2]> {
        self.counts.get(&cgroup).ok().flatten()
    }
}

impl Follower for Counting {
    fn catch_up(&self, now: Moment) {
        if let Err(error) = self.update(now.wall) {
            tracing::debug!(feature = self.object.name(), %error, "cannot read what cgroups counted");
        }
    }

    fn forget(&self, cgroups: &[CgroupId]) {
        for cgroup in cgroups {
            if let Err(error) = self.counts.remove(cgroup) {
                tracing::debug!(feature = self.object.name(), %error, "cannot forget what a cgroup counted");
            }
        }
    }
}

impl Feature for Counting {
    fn vitals(&self) -> Vitals {
        let lost = (0_u32..)
            .zip(self.kinds)
            .map(|(index, what)| (*what, self.losses.get::<u32, u64>(&index).ok().flatten().unwrap_or(0)));
        let followed = self.followed.get().map(|(feeds, kind, what)| (*what, feeds.lost(*kind)));
        let lost = lost.chain(followed).collect();
        Vitals { feature: self.object.name(), costs: self.object.costs(), lost, resyncs: 0 }
    }
}
