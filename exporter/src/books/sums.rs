//! Counters that a feature keeps by cgroup, added up by container and workload. Pure.

use std::collections::HashMap;

use kubernetes::WorkloadRef;

use super::ledger::{Ledger, UnitId, other};
use crate::ids::CgroupId;

/// Time for which a cgroup may be unknown to `lifetime` before its counts are added to `other`, in seconds.
const CLAIM: f64 = 10.0;

/// Sums, and since when, in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Account<const N: usize> {
    /// The sums.
    pub sums: [u64; N],
    /// Since when.
    pub created: f64,
}

impl<const N: usize> Account<N> {
    fn new(now: f64) -> Self {
        Self { sums: [0; N], created: now }
    }

    fn add(&mut self, more: &[u64; N]) {
        for (sum, more) in self.sums.iter_mut().zip(more) {
            *sum += more;
        }
    }
}

#[derive(Debug)]
struct Unit<const N: usize> {
    account: Account<N>,
    /// Counts not yet added to the workload, because the workload is not known yet.
    waiting: [u64; N],
}

/// The books.
#[derive(Debug)]
pub struct Sums<const N: usize> {
    last: HashMap<CgroupId, [u64; N]>,
    strangers: HashMap<CgroupId, f64>,
    units: HashMap<UnitId, Unit<N>>,
    workloads: HashMap<WorkloadRef, Account<N>>,
}

impl<const N: usize> Default for Sums<N> {
    fn default() -> Self {
        Self { last: HashMap::new(), strangers: HashMap::new(), units: HashMap::new(), workloads: HashMap::new() }
    }
}

impl<const N: usize> Sums<N> {
    /// Takes in what each cgroup has counted so far.
    pub fn read(&mut self, rows: impl Iterator<Item = (CgroupId, [u64; N])>, ledger: &Ledger, now: f64) {
        for (cgroup, row) in rows {
            let last = self.last.get(&cgroup).copied().unwrap_or([0; N]);
            let mut more = row;
            for (more, last) in more.iter_mut().zip(last) {
                *more = more.saturating_sub(last);
            }
            if more != [0; N] && self.put(cgroup, &more, ledger, now) {
                self.last.insert(cgroup, row);
            }
        }
        self.settle(ledger, now);
    }

    /// Whether there was an account to put it on.
    fn put(&mut self, cgroup: CgroupId, more: &[u64; N], ledger: &Ledger, now: f64) -> bool {
        if let Some(unit) = ledger.unit_of(cgroup) {
            let fresh = || Unit { account: Account::new(now), waiting: [0; N] };
            let books = self.units.entry(unit.number).or_insert_with(fresh);
            books.account.add(more);
            for (sum, more) in books.waiting.iter_mut().zip(more) {
                *sum += more;
            }
            return true;
        }
        if ledger.is_root(cgroup) {
            return true;
        }
        let key = if let Some(workload) = ledger.workload_of_settled(cgroup) {
            workload.key.clone()
        } else {
            let first_seen = *self.strangers.entry(cgroup).or_insert(now);
            if cgroup != CgroupId::NO_ROOM && now - first_seen < CLAIM {
                return false;
            }
            other()
        };
        self.workloads.entry(key).or_insert_with(|| Account::new(now)).add(more);
        true
    }

    /// Gives workloads what waited for them, and forgets what `lifetime` has forgotten.
    fn settle(&mut self, ledger: &Ledger, now: f64) {
        let workloads = &mut self.workloads;
        self.units.retain(|number, books| {
            let known = ledger.unit(*number);
            let workload = known.and_then(|unit| ledger.workload_of(unit)).map(|workload| workload.key.clone());
            if books.waiting != [0; N] && (workload.is_some() || known.is_none()) {
                let key = workload.unwrap_or_else(other);
                workloads.entry(key).or_insert_with(|| Account::new(now)).add(&books.waiting);
                books.waiting = [0; N];
            }
            known.is_some()
        });
        workloads.retain(|key, _| *key == other() || ledger.workload_called(key).is_some());
    }

    /// The kernel forgets what it counted of these.
    pub fn forget(&mut self, cgroups: &[CgroupId]) {
        for cgroup in cgroups {
            self.last.remove(cgroup);
            self.strangers.remove(cgroup);
        }
    }

    /// A container's account, by its number in `lifetime`'s books.
    pub fn unit(&self, number: UnitId) -> Option<&Account<N>> {
        self.units.get(&number).map(|unit| &unit.account)
    }

    /// All workloads.
    pub fn workloads(&self) -> impl Iterator<Item = (&WorkloadRef, &Account<N>)> {
        self.workloads.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{ledger::Limits, moment::Moment, usage::Row};

    #[test]
    fn a_workload_keeps_what_its_containers_counted_before_it_was_known_and_after_they_went() {
        let mut ledger = Ledger::new(Limits::default(), CgroupId(1));
        let mut sums = Sums::<2>::default();
        ledger.made(CgroupId(7), "/jobs/a", 0.0);
        sums.read([(CgroupId(7), [5, 1])].into_iter(), &ledger, 1.0);
        assert_eq!(sums.workloads().count(), 0);
        let mut row = Row::default();
        (row.opened_ns, row.totals.tasks_started) = (1, 1);
        ledger.measured([(CgroupId(7), row)].into_iter(), Moment { mono_ns: 2, wall: 1.0 });
        sums.read([(CgroupId(7), [6, 1])].into_iter(), &ledger, 2.0);
        let total = |sums: &Sums<2>| sums.workloads().find(|(key, _)| &*key.name == "/jobs").unwrap().1.sums;
        assert_eq!(total(&sums), [6, 1]);
        assert_eq!(sums.unit(ledger.unit_of(CgroupId(7)).unwrap().number).unwrap().sums, [6, 1]);
        // The cgroup is gone and settled; a packet comes late and is counted anew.
        ledger.removed(CgroupId(7), 10);
        let settled = ledger.leaving(60_000_000_000);
        ledger.settle(&settled, Moment { mono_ns: 60_000_000_000, wall: 60.0 });
        assert_eq!(settled, [CgroupId(7)]);
        sums.forget(&settled);
        sums.read([(CgroupId(7), [1, 0])].into_iter(), &ledger, 61.0);
        assert_eq!(total(&sums), [7, 1]);
    }

    #[test]
    fn what_nobody_knows_is_other_after_a_while() {
        let (ledger, mut sums) = (Ledger::new(Limits::default(), CgroupId(1)), Sums::<1>::default());
        sums.read([(CgroupId(9), [3]), (CgroupId(1), [8])].into_iter(), &ledger, 1.0);
        assert_eq!(sums.workloads().count(), 0);
        sums.read([(CgroupId(9), [3])].into_iter(), &ledger, 2.0 + CLAIM);
        let all: Vec<_> = sums.workloads().map(|(key, account)| (&*key.name, account.sums)).collect();
        assert_eq!(all, [("other", [3])]);
    }
}
