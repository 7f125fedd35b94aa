//! The books in a file, so that an agent that starts again goes on with them.

use std::collections::HashMap;

use super::{super::usage::Totals, Ledger, Limits, tally::Tally};
use crate::{identity::Pods, ids::CgroupId};

impl Ledger {
    /// These books, as they were read from a file, at work again.
    #[must_use]
    pub fn continued(mut self, limits: Limits, pods: &Pods) -> Self {
        self.limits = limits;
        self.names.ask(pods);
        self.workloads.index();
        let mut units: Vec<_> = self.units.values().map(|unit| (unit.number, unit.path.clone())).collect();
        // The youngest has a path that several had.
        units.sort_unstable();
        self.by_path = units.into_iter().map(|(number, path)| (path, number)).collect::<HashMap<_, _>>();
        self
    }

    /// Whose they are: the id of the hierarchy's root.
    pub fn root(&self) -> CgroupId {
        self.root
    }

    /// The kernel's rows are new ones, which begin at zero.
    pub fn rows_are_new(&mut self) {
        for member in self.members.values_mut() {
            member.last = Totals::default();
        }
        self.overflow = Totals::default();
        self.root_last_ns = 0;
    }

    /// What another feature counts begins at zero.
    pub fn tally_is_new(&mut self, tally: Tally) {
        let all = self.members.values_mut().map(|member| &mut member.tallies).chain([&mut self.overflow_tallies]);
        for tallies in all {
            *tallies.number_mut(tally) = 0;
        }
    }
}
