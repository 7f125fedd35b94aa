//! Counts that other features keep by cgroup in the ledger.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Counts that other features keep by cgroup in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    /// Processes killed because memory ran out.
    OomKills,
    /// Programs started.
    Execs,
    /// Memory that those processes had which were killed because memory ran out, in pages.
    OomPages,
}

/// Meaning of the two numbers that a feature's map has per cgroup.
pub type Columns = [Option<Tally>; 2];

/// One number a [`Tally`]. In a file they are a list, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 3]", into = "[u64; 3]")]
pub struct Tallies {
    /// Of [`Tally::OomKills`].
    pub oom_kills: u64,
    /// Of [`Tally::Execs`].
    pub execs: u64,
    /// Of [`Tally::OomPages`].
    pub oom_pages: u64,
}

impl Tallies {
    /// One of them and nothing of the others.
    pub(super) fn only(tally: Tally, count: u64) -> Self {
        let mut tallies = Self::default();
        *tallies.number_mut(tally) = count;
        tallies
    }

    /// The number of a tally.
    pub(super) fn number_mut(&mut self, tally: Tally) -> &mut u64 {
        match tally {
            Tally::OomKills => &mut self.oom_kills,
            Tally::Execs => &mut self.execs,
            Tally::OomPages => &mut self.oom_pages,
        }
    }

    /// Difference from earlier ones.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            oom_kills: self.oom_kills.saturating_sub(earlier.oom_kills),
            execs: self.execs.saturating_sub(earlier.execs),
            oom_pages: self.oom_pages.saturating_sub(earlier.oom_pages),
        }
    }
}

impl AddAssign for Tallies {
    fn add_assign(&mut self, more: Self) {
        self.oom_kills += more.oom_kills;
        self.execs += more.execs;
        self.oom_pages += more.oom_pages;
    }
}

impl From<[u64; 3]> for Tallies {
    fn from([oom_kills, execs, oom_pages]: [u64; 3]) -> Self {
        Self { oom_kills, execs, oom_pages }
    }
}

impl From<Tallies> for [u64; 3] {
    fn from(Tallies { oom_kills, execs, oom_pages }: Tallies) -> Self {
        [oom_kills, execs, oom_pages]
    }
}
