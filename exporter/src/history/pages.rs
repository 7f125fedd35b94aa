//! Makes of pages of the moment pages that add up.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use metric::{Batch, Desc, Kind, Label, Of, Revised, Subject as _};
use parking_lot::Mutex;

use super::{
    endings::{Endings, Rows},
    known::{Known, Ticket, place_of},
    scrapers::{Scraper, Scrapers},
};
use crate::{
    identity::{AsCadvisor, Labels, Portrait},
    spec::{Spec, View},
};

/// Most cgroups that are gone and still shown. Of more the oldest are cut.
const ENDINGS_MOST: usize = 4096;

/// Counters of containers, as scrapers have seen them. It outlives a reload of the configuration.
#[derive(Debug, Default)]
pub struct History(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    scrapers: Scrapers,
    endings: Endings,
    /// The last page, for what has gone since.
    previous: Option<Previous>,
    pages: u64,
    cut: u64,
}

#[derive(Debug)]
struct Previous {
    page: u64,
    batch: Batch,
    /// Birth of each cgroup that was there, by subject.
    births: Vec<(usize, f64)>,
}

/// What a page needs to know besides its batch.
pub struct Asked<'a> {
    /// Who asks.
    pub scraper: &'a str,
    /// The time, in seconds since the Unix epoch.
    pub now: f64,
    /// Cgroups with rows, by path: path, birth, subject.
    pub living: &'a [(&'a str, f64, Of<AsCadvisor>)],
    /// Whether a cgroup that is gone would have rows.
    pub shows: &'a dyn Fn(&Portrait) -> bool,
    /// Whether the page has this family.
    pub has: &'a dyn Fn(&Desc) -> bool,
    /// CPU time of a container that is gone in seconds, where the books have all of it.
    pub whole_cpu: &'a dyn Fn(&str) -> Option<f64>,
}

impl std::fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("scraper", &self.scraper).finish_non_exhaustive()
    }
}

/// Sizes, for self-telemetry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Cgroups that are gone and kept.
    pub kept: usize,
    /// Cgroups whose counters were given up before every scraper had them.
    pub cut: u64,
}

/// Whether a slice has counters of cgroups in the cAdvisor view that are read when one ends.
pub fn reads(spec: &Spec) -> bool {
    let shown = spec.shows.iter().filter(|(view, _)| *view == View::Cadvisor).flat_map(|(_, families)| *families);
    let mut counters = shown.filter(|desc| desc.kind == Kind::Counter);
    let names = |labels: &'static [Label]| labels.iter().map(|label| label.name);
    counters.any(|desc| names(desc.subject_labels).eq(names(AsCadvisor::LABELS)))
}

/// Whether a family is one of a slice's in the cAdvisor view.
pub fn shows(spec: &Spec, desc: &Desc) -> bool {
    spec.shows
        .iter()
        .any(|(view, families)| *view == View::Cadvisor && families.iter().any(|its| its.name == desc.name))
}

impl History {
    /// Whether anybody has seen a page a short while ago.
    pub fn is_followed(&self, now: f64) -> bool {
        self.0.lock().scrapers.is_any_known(now)
    }

    /// Sizes, for self-telemetry.
    pub fn figures(&self) -> Figures {
        let state = self.0.lock();
        Figures { kept: state.endings.gone(), cut: state.cut }
    }

    /// These are the counters of a cgroup that may soon be gone.
    pub fn read(&self, portrait: Portrait, batch: &mut Batch, now: f64) {
        let rows = Rows::of(batch, portrait.created, |_| true);
        let state = &mut *self.0.lock();
        state.endings.read(portrait, rows, now);
        state.cut += state.endings.cut_to(ENDINGS_MOST);
    }

    /// A cgroup was made: what was read of one at the same path is of another.
    pub fn made(&self, path: &str) {
        self.0.lock().endings.remove(path);
    }

    /// A cgroup is gone.
    pub fn gone(&self, path: &str, now: f64) {
        self.0.lock().endings.gone_at(path, now);
    }

    /// Makes of a page of the moment one that adds up to what this scraper has seen before.
    pub fn page(&self, asked: &Asked<'_>, batch: &mut Batch) -> Ticket {
        let state = &mut *self.0.lock();
        state.pages += 1;
        state.scrapers.forget_silent(asked.now);
        state.take_vanished(asked);
        let births = asked.living.iter().map(|(_, birth, of)| (of.index(), *birth)).collect();
        let mut ticket = Ticket {
            page: state.pages,
            scraper: asked.scraper.to_owned(),
            at: asked.now,
            births,
            first: Vec::new(),
            series: Vec::new(),
            given: Vec::new(),
        };
        if let Some(scraper) = state.scrapers.known(asked.scraper) {
            show_living(scraper, &mut state.endings, asked, batch, &mut ticket);
            show_gone(scraper, &mut state.endings, asked, batch, &mut ticket);
            state
                .scrapers
                .forget(&state.endings.finish(|ending| !state.scrapers.all().any(|scraper| scraper.awaits(ending))));
        } else {
            ticket.first = asked.living.iter().map(|(path, ..)| (place_of(path), Known::Settled)).collect();
            if state.scrapers.is_empty() {
                state.endings.clear();
            }
        }
        state.cut += state.endings.cut_to(ENDINGS_MOST);
        ticket
    }

    /// A page has reached its scraper whole.
    pub fn delivered(&self, ticket: &Ticket) {
        self.0.lock().scrapers.delivered(ticket);
    }

    /// Keeps the batch of a page until the next, and gives that of the page before, to be used again.
    pub fn keep(&self, ticket: Ticket, batch: Batch) -> Option<Batch> {
        let mut state = self.0.lock();
        let this = Previous { page: ticket.page, batch, births: ticket.births };
        match &mut state.previous {
            // Another page that began later was done earlier.
            Some(newer) if newer.page > this.page => Some(this.batch),
            previous => previous.replace(this).map(|previous| previous.batch),
        }
    }
}

impl State {
    /// What the last page had and this one has not is gone: what the last page showed of it counts, where nothing later
    /// was read.
    fn take_vanished(&mut self, asked: &Asked<'_>) {
        let mut living = asked.living.iter().map(|(path, birth, _)| (*path, *birth)).peekable();
        let mut vanished = Vec::new();
        if let Some(Previous { batch, births, .. }) = &mut self.previous {
            for (subject, birth) in &*births {
                let path = batch.subject_labels(*subject).find(|(name, _)| *name == "id").map_or("", |(_, path)| path);
                while living.next_if(|(other, _)| *other < path).is_some() {}
                if living.peek().is_none_or(|(other, _)| *other != path) {
                    vanished.push((*subject, labels_of(batch, *subject), *birth));
                }
            }
            for (subject, labels, birth) in vanished {
                let rows = Rows::of(batch, birth, |of| of == subject);
                let path = labels.id.clone();
                self.endings.read(Portrait::shown(labels, birth), rows, asked.now);
                self.endings.gone_at(&path, asked.now);
            }
        }
        self.endings.meet(asked.living, asked.now);
    }
}

fn labels_of(batch: &Batch, subject: usize) -> Labels {
    let mut labels = Labels::default();
    for (name, value) in batch.subject_labels(subject) {
        let label = match name {
            "container" => &mut labels.container,
            "id" => &mut labels.id,
            "image" => &mut labels.image,
            "name" => &mut labels.name,
            "namespace" => &mut labels.namespace,
            _ => &mut labels.pod,
        };
        value.clone_into(label);
    }
    labels
}

/// A cgroup that a scraper gets to know.
struct Young<'s> {
    place: u64,
    birth: f64,
    /// Series that it has seen.
    seen: Option<&'s HashSet<u64, RandomState>>,
}

/// Shows each series that the scraper has not seen of a cgroup that was made since it came with zero first.
fn show_living(
    scraper: &mut Scraper,
    endings: &mut Endings,
    asked: &Asked<'_>,
    batch: &mut Batch,
    ticket: &mut Ticket,
) {
    let mut young: HashMap<usize, Young<'_>> = HashMap::new();
    let mut places = Vec::new();
    let since = scraper.since;
    for (path, birth, of) in asked.living {
        let place = place_of(path);
        match scraper.meet(place, asked.now) {
            Some(Known::Settled) => {}
            Some(Known::Young { .. }) => places.push((place, *birth, of.index())),
            None if *birth > since => {
                let rows = Rows::of(batch, *birth, |subject| subject == of.index());
                endings.read(Portrait::shown(labels_of(batch, of.index()), *birth), rows, asked.now);
                ticket.first.push((place, Known::young()));
                young.insert(of.index(), Young { place, birth: *birth, seen: None });
            }
            None => ticket.first.push((place, Known::Settled)),
        }
    }
    for (place, birth, subject) in places {
        young.insert(subject, Young { place, birth, seen: scraper.seen(place) });
    }
    if young.is_empty() {
        return;
    }
    batch.revise(
        |subject| young.contains_key(&subject),
        |counter| {
            let Young { place, birth, seen } = young.get(&counter.subject)?;
            // One that began before is not the cgroup's own.
            if counter.created.is_some() {
                return None;
            }
            let series = counter.series();
            let is_seen = seen.is_some_and(|seen| seen.contains(&series));
            if !is_seen {
                ticket.series.push((*place, series));
            }
            Some(Revised { number: if is_seen { counter.number } else { 0.0 }, created: *birth })
        },
    );
}

/// Shows the counters of what is gone: with zero first where the scraper has not seen them, then their last values.
fn show_gone(scraper: &mut Scraper, endings: &mut Endings, asked: &Asked<'_>, batch: &mut Batch, ticket: &mut Ticket) {
    endings.keep_shown(asked.shows);
    for ending in endings.all_gone() {
        if !scraper.awaits(ending) {
            continue;
        }
        ending.learn_cpu(asked.whole_cpu);
        let place = place_of(&ending.portrait.labels.id);
        let is_new = scraper.meet(place, asked.now).is_none();
        let mut of = None;
        let mut is_first = false;
        for (series, kept) in ending.rows.shown().filter(|(_, kept)| (asked.has)(kept.desc)) {
            let is_seen = scraper.has_seen(place, series);
            if !is_seen {
                is_first = true;
                ticket.series.push((place, series));
            }
            let of = *of.get_or_insert_with(|| {
                let Labels { container, id, image, name, namespace, pod } = &ending.portrait.labels;
                batch.subject::<AsCadvisor, 6>([container, id, image, name, namespace, pod].map(String::as_str))
            });
            let number = if is_seen { kept.number } else { 0.0 };
            batch.put_kept(kept, of, Revised { number, created: ending.portrait.created });
        }
        if is_new {
            ticket.first.push((place, Known::young()));
        }
        if !is_first {
            ticket.given.push(ending.number);
        }
    }
}
