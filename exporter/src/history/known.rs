//! How scrapers know cgroups, and what a page tells them.

use std::{collections::HashSet, hash::BuildHasher as _};

use foldhash::fast::{FixedState, RandomState};

/// How many pages a scraper has the last values of what is gone. `increase()` extrapolates half an interval beyond the last
/// sample: of a series 0, v, v, … with k samples it makes 1 + 0.5/(k − 1) times v.
pub const TIMES: u8 = 20;
/// Time after its last page for which a scraper is known, in seconds. One that comes later is new: what happened meanwhile
/// would look to it as if it had happened at once.
pub(super) const KNOWN: f64 = 300.0;
/// Most scrapers that are told apart. Those beyond see the moment.
pub(super) const SCRAPERS_MOST: usize = 64;

/// A number for a cgroup's path.
pub(super) fn place_of(path: &str) -> u64 {
    FixedState::default().hash_one(path)
}

/// How a scraper knows a cgroup.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// It sees it as it is.
    Settled,
    /// It has seen these of its series, on so many pages.
    Young { seen: HashSet<u64, RandomState>, pages: u8 },
}

impl Known {
    /// Of which it has seen nothing.
    pub(super) fn young() -> Self {
        Self::Young { seen: HashSet::default(), pages: 0 }
    }
}

/// A page that is on its way to a scraper.
#[derive(Debug)]
pub struct Ticket {
    pub(super) page: u64,
    pub(super) scraper: String,
    pub(super) at: f64,
    pub(super) births: Vec<(usize, f64)>,
    /// Cgroups that the scraper has not seen before, and how it knows them from this page on.
    pub(super) first: Vec<(u64, Known)>,
    /// Series that it has not seen before of those that it is getting to know.
    pub(super) series: Vec<(u64, u64)>,
    /// Endings whose last values it has.
    pub(super) given: Vec<u64>,
}
