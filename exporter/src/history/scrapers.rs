//! What each scraper has seen.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::{
    endings::Ending,
    known::{KNOWN, Known, SCRAPERS_MOST, TIMES, Ticket, place_of},
};

/// How long a place that has nobody any more is remembered, in seconds.
const REMEMBERED: f64 = 3600.0;
/// How often places are forgotten.
const FORGET_EVERY: f64 = 60.0;

#[derive(Debug)]
struct Place {
    known: Known,
    met: f64,
}

/// What one scraper has seen.
#[derive(Debug)]
pub(super) struct Scraper {
    /// When its first page was, in seconds since the Unix epoch.
    pub(super) since: f64,
    last: f64,
    places: HashMap<u64, Place, RandomState>,
    forgot: f64,
    /// How often it has had the last values of what is gone, by number.
    given: HashMap<u64, u8>,
}

impl Scraper {
    fn new(since: f64) -> Self {
        Self { since, last: since, places: HashMap::default(), forgot: since, given: HashMap::new() }
    }

    /// How it knows a cgroup that it meets now.
    pub(super) fn meet(&mut self, place: u64, now: f64) -> Option<&Known> {
        let place = self.places.get_mut(&place)?;
        place.met = now;
        Some(&place.known)
    }

    /// Series that it has seen of a cgroup which it is getting to know.
    pub(super) fn seen(&self, place: u64) -> Option<&HashSet<u64, RandomState>> {
        match &self.places.get(&place)?.known {
            Known::Young { seen, .. } => Some(seen),
            Known::Settled => None,
        }
    }

    /// Whether it has seen a series before.
    pub(super) fn has_seen(&self, place: u64, series: u64) -> bool {
        match self.places.get(&place).map(|place| &place.known) {
            Some(Known::Settled) => true,
            Some(Known::Young { seen, .. }) => seen.contains(&series),
            None => false,
        }
    }

    /// Whether it still has to see the last values of what is gone.
    pub(super) fn awaits(&self, ending: &Ending) -> bool {
        let known = || self.places.contains_key(&place_of(&ending.portrait.labels.id));
        ending.gone_at.is_some_and(|gone| gone > self.since)
            && self.given.get(&ending.number).is_none_or(|times| *times < TIMES)
            && (ending.portrait.created > self.since || known())
    }

    fn delivered(&mut self, ticket: &Ticket) {
        self.last = ticket.at;
        for (place, known) in &ticket.first {
            self.places.entry(*place).or_insert_with(|| Place { known: known.clone(), met: ticket.at });
        }
        for (place, series) in &ticket.series {
            if let Some(Place { known: Known::Young { seen, .. }, .. }) = self.places.get_mut(place) {
                seen.insert(*series);
            }
        }
        for place in self.places.values_mut() {
            if let Known::Young { pages, .. } = &mut place.known {
                *pages += 1;
                if *pages >= TIMES {
                    place.known = Known::Settled;
                }
            }
        }
        for number in &ticket.given {
            *self.given.entry(*number).or_default() += 1;
        }
        if ticket.at - self.forgot > FORGET_EVERY {
            self.forgot = ticket.at;
            self.places.retain(|_, place| ticket.at - place.met < REMEMBERED);
        }
    }
}

/// All scrapers, by what they call themselves.
#[derive(Debug, Default)]
pub(super) struct Scrapers(HashMap<String, Scraper>);

impl Scrapers {
    /// Forgets those that have not come for long.
    pub(super) fn forget_silent(&mut self, now: f64) {
        self.0.retain(|_, scraper| now - scraper.last < KNOWN);
    }

    /// Whether there is one that has come a short while ago.
    pub(super) fn is_any_known(&self, now: f64) -> bool {
        self.0.values().any(|scraper| now - scraper.last < KNOWN)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One that has come a short while ago.
    pub(super) fn known(&mut self, name: &str) -> Option<&mut Scraper> {
        self.0.get_mut(name)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Scraper> {
        self.0.values()
    }

    /// A page has reached one.
    pub(super) fn delivered(&mut self, ticket: &Ticket) {
        if let Some(scraper) = self.0.get_mut(&ticket.scraper) {
            scraper.delivered(ticket);
        } else if self.0.len() < SCRAPERS_MOST {
            let mut scraper = Scraper::new(ticket.at);
            scraper.delivered(ticket);
            self.0.insert(ticket.scraper.clone(), scraper);
        }
    }

    /// Nobody is shown these any more.
    pub(super) fn forget(&mut self, endings: &[u64]) {
        if endings.is_empty() {
            return;
        }
        for scraper in self.0.values_mut() {
            scraper.given.retain(|number, _| !endings.contains(number));
        }
    }
}
