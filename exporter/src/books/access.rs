//! Access of features to the books.
//!
//! The ledger has one lock, and it comes last: who holds it asks nobody, reads no map of the kernel and no file. A
//! feature that keeps accounts of its own takes its own lock first, reads its map, and then looks at the ledger. So
//! [`Books::catch_up`] and [`Books::forget`] are called without the ledger's lock.

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use super::{ledger::Ledger, moment::Moment};
use crate::ids::CgroupId;

/// Which cgroup owns a task, and where programs stay: what features that count by the same cgroups are loaded with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// Values of the programs' constants that say which cgroup owns a task.
    pub constants: Vec<(&'static str, u32)>,
    /// Root of the version 2 hierarchy, if that owns what is used.
    pub unified_root: Option<PathBuf>,
    /// The folder on a BPF file system where programs and maps stay when the agent ends, if they do.
    pub pin: Option<PathBuf>,
}

/// A feature that counts by the cgroups of the ledger. It is called without the ledger's lock.
pub trait Follower: Send + Sync {
    /// Some cgroups are gone, and the ledger will forget them a few seconds from now: what was counted of them is to be
    /// put on accounts while it still says whose they are.
    fn catch_up(&self, now: Moment);

    /// These cgroups are forgotten: what the kernel has counted of them can go.
    fn forget(&self, cgroups: &[CgroupId]);
}

/// The books. Clones are the same.
#[derive(Clone)]
pub struct Books(Arc<Shared>);

struct Shared {
    owners: Owners,
    ledger: Mutex<Ledger>,
    followers: Mutex<Vec<Weak<dyn Follower>>>,
}

impl std::fmt::Debug for Books {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Books").field("owners", &self.0.owners).finish_non_exhaustive()
    }
}

impl Books {
    /// Those of this ledger.
    pub fn new(ledger: Ledger, owners: Owners) -> Self {
        Self(Arc::new(Shared { owners, ledger: Mutex::new(ledger), followers: Mutex::default() }))
    }

    /// The owners that programs are loaded with.
    pub fn owners(&self) -> &Owners {
        &self.0.owners
    }

    /// Shows the ledger.
    pub fn look<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.0.ledger.lock())
    }

    /// Writes in the ledger.
    pub fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        change(&mut self.0.ledger.lock())
    }

    /// Has a feature told what becomes of cgroups, as long as it lives.
    pub fn follow(&self, follower: &Arc<impl Follower + 'static>) {
        let weak: Weak<dyn Follower> = Arc::downgrade(follower) as Weak<dyn Follower>;
        let mut followers = self.0.followers.lock();
        followers.retain(|known| known.strong_count() > 0);
        followers.push(weak);
    }

    /// Has all followers put on accounts what was counted so far.
    pub fn catch_up(&self, now: Moment) {
        for follower in self.followers() {
            follower.catch_up(now);
        }
    }

    /// Tells all followers that these cgroups are forgotten.
    pub fn forget(&self, cgroups: &[CgroupId]) {
        for follower in self.followers() {
            follower.forget(cgroups);
        }
    }

    fn followers(&self) -> Vec<Arc<dyn Follower>> {
        self.0.followers.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::ledger::Limits, *};

    struct Counts(Books, Mutex<Vec<CgroupId>>);

    impl Follower for Counts {
        fn catch_up(&self, _: Moment) {
            // With the ledger's lock held this would never end.
            self.0.look(|ledger| assert!(ledger.is_root(CgroupId(1))));
        }

        fn forget(&self, cgroups: &[CgroupId]) {
            self.0.change(|ledger| ledger.removed(CgroupId(7), 1));
            self.1.lock().extend(cgroups);
        }
    }

    #[test]
    fn followers_are_called_without_the_ledgers_lock_and_as_long_as_they_live() {
        let books = Books::new(Ledger::new(Limits::default(), CgroupId(1)), Owners::default());
        let follower = Arc::new(Counts(books.clone(), Mutex::default()));
        books.follow(&follower);
        books.catch_up(Moment::now());
        books.forget(&[CgroupId(7), CgroupId(8)]);
        assert_eq!(*follower.1.lock(), [CgroupId(7), CgroupId(8)]);
        drop(follower);
        assert!(books.followers().is_empty());
    }
}
