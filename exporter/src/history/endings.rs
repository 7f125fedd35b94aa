//! What was read last of cgroups that are gone, or may be soon.

use std::collections::{BTreeMap, HashMap};

use metric::{Batch, Kept, Of};

use crate::identity::{AsCadvisor, Portrait};

/// The family of which the books have an exact value.
pub(super) const CPU: &str = "container_cpu_usage_seconds_total";
/// How long what was read of a cgroup that is there is kept, in seconds. Later the last page is as good.
const READING_HOLDS: f64 = 60.0;

/// Counters of one cgroup.
#[derive(Debug, Default)]
pub(super) struct Rows(HashMap<u64, Kept>);

impl Rows {
    /// Those of a batch that are the cgroup's own: what began before it, as the counters of the host's interfaces that a
    /// container has until it gets its own, is nobody's end.
    pub(super) fn of(batch: &mut Batch, birth: f64, is_wanted: impl Fn(usize) -> bool) -> Self {
        let mut rows = HashMap::new();
        batch.counters(is_wanted, |counter| {
            if counter.created.is_none_or(|created| created >= birth) {
                rows.insert(counter.series(), counter.keep());
            }
        });
        Self(rows)
    }

    /// Takes in what was read another time: counters rise, so the greater one is the later one.
    fn merge(&mut self, other: Self) {
        for (series, kept) in other.0 {
            match self.0.get_mut(&series) {
                Some(known) if known.number >= kept.number => {}
                Some(known) => *known = kept,
                None => drop(self.0.insert(series, kept)),
            }
        }
    }

    /// Those that a scraper loses if it does not see them: not the zeros.
    pub(super) fn shown(&self) -> impl Iterator<Item = (u64, &Kept)> {
        let shown = self.0.iter().filter(|(_, kept)| kept.number > 0.0);
        shown.map(|(series, kept)| (*series, kept))
    }
}

/// What was read last of one cgroup.
#[derive(Debug)]
pub(super) struct Ending {
    /// A number that no other has.
    pub(super) number: u64,
    pub(super) portrait: Portrait,
    pub(super) rows: Rows,
    /// Since when it is gone, in seconds since the Unix epoch.
    pub(super) gone_at: Option<f64>,
    read_at: f64,
}

impl Ending {
    /// Takes in what the books have counted to the end.
    pub(super) fn learn_cpu(&mut self, whole_cpu: &dyn Fn(&str) -> Option<f64>) {
        let cpu = self.rows.0.values_mut().find(|kept| kept.desc.name == CPU);
        if let Some(cpu) = cpu
            && let Some(whole) = whole_cpu(&self.portrait.labels.id)
        {
            cpu.number = cpu.number.max(whole);
        }
    }
}

/// All of them, by path.
#[derive(Debug, Default)]
pub(super) struct Endings {
    all: BTreeMap<Box<str>, Ending>,
    next: u64,
}

impl Endings {
    /// This was read of a cgroup.
    pub(super) fn read(&mut self, portrait: Portrait, rows: Rows, now: f64) {
        let Self { all, next } = self;
        let known = all.get_mut(portrait.labels.id.as_str());
        if let Some(ending) = known {
            ending.rows.merge(rows);
            ending.read_at = now;
            if ending.portrait.is_named() <= portrait.is_named() {
                let created = ending.portrait.created.min(portrait.created);
                ending.portrait = portrait;
                ending.portrait.created = created;
            }
            return;
        }
        *next += 1;
        let path = portrait.labels.id.as_str().into();
        all.insert(path, Ending { number: *next, portrait, rows, gone_at: None, read_at: now });
    }

    /// Forgets a cgroup.
    pub(super) fn remove(&mut self, path: &str) {
        self.all.remove(path);
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    /// A cgroup is gone.
    pub(super) fn gone_at(&mut self, path: &str, now: f64) {
        if let Some(ending) = self.all.get_mut(path) {
            ending.gone_at.get_or_insert(now);
        }
    }

    /// These cgroups are there, sorted by path, and no others.
    pub(super) fn meet(&mut self, living: &[(&str, f64, Of<AsCadvisor>)], now: f64) {
        self.all.retain(|path, ending| {
            let living = living.binary_search_by(|(other, ..)| (*other).cmp(path)).ok().and_then(|at| living.get(at));
            let Some((_, birth, _)) = living else {
                ending.gone_at.get_or_insert(now);
                return true;
            };
            // One that is at the place of another.
            let is_another = ending.gone_at.take().is_some_and(|gone| *birth >= gone);
            !is_another && now - ending.read_at < READING_HOLDS
        });
    }

    /// Forgets those that have no rows for anybody.
    pub(super) fn keep_shown(&mut self, shows: &dyn Fn(&Portrait) -> bool) {
        self.all.retain(|_, ending| {
            ending.gone_at.is_none() || (shows(&ending.portrait) && ending.rows.shown().next().is_some())
        });
    }

    /// Those of cgroups that are gone.
    pub(super) fn all_gone(&mut self) -> impl Iterator<Item = &mut Ending> {
        self.all.values_mut().filter(|ending| ending.gone_at.is_some())
    }

    /// How many are gone.
    pub(super) fn gone(&self) -> usize {
        self.all.values().filter(|ending| ending.gone_at.is_some()).count()
    }

    /// Forgets those that every scraper has had often enough, and gives their numbers.
    pub(super) fn finish(&mut self, is_done: impl Fn(&Ending) -> bool) -> Vec<u64> {
        let mut done = Vec::new();
        self.all.retain(|_, ending| {
            let is_done = ending.gone_at.is_some() && is_done(ending);
            if is_done {
                done.push(ending.number);
            }
            !is_done
        });
        done
    }

    /// Forgets the oldest that are more than so many, and tells how many of those that are gone it were.
    pub(super) fn cut_to(&mut self, most: usize) -> u64 {
        let mut cut = 0;
        while self.all.len() > most {
            let oldest = self.all.iter().min_by_key(|(_, ending)| ending.number).map(|(path, _)| path.clone());
            let Some(ending) = oldest.and_then(|path| self.all.remove(&path)) else { break };
            cut += u64::from(ending.gone_at.is_some());
        }
        cut
    }
}
