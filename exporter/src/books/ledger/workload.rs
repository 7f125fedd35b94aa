//! A workload: the owner of units; it outlives them.

use std::collections::HashMap;

use kubernetes::WorkloadRef;
use serde::{Deserialize, Serialize};

use super::{super::usage::Totals, key::other, tally::Tallies, unit::Unit};

/// A workload's sums.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// The workload's namespace, kind and name.
    pub key: WorkloadRef,
    /// Usage of the workload's containers, past and present.
    pub totals: Totals,
    /// Containers started.
    pub started: u64,
    /// Containers ended, by [`Reason`](super::Reason).
    pub exited: [u64; 5],
    /// Containers that are there.
    pub running: u64,
    /// Most memory that one of its dead containers had, in pages.
    pub peak_pages: u64,
    /// Memory events of its dead containers.
    pub memory_events: [u64; 5],
    /// Counts of other features.
    pub tallies: Tallies,
    /// When we began to count, in seconds since the Unix epoch.
    pub created: f64,
    pub(super) touched: f64,
}

impl Workload {
    fn new(key: WorkloadRef, now: f64) -> Self {
        Self {
            key,
            totals: Totals::default(),
            started: 0,
            exited: [0; 5],
            running: 0,
            peak_pages: 0,
            memory_events: [0; 5],
            tallies: Tallies::default(),
            created: now,
            touched: now,
        }
    }

    /// Adds what is known of a container's memory and was not added before.
    pub(super) fn add_memory(&mut self, unit: &mut Unit, now: f64) {
        self.peak_pages = self.peak_pages.max(unit.memory.peak_pages);
        for ((sum, known), added) in self.memory_events.iter_mut().zip(unit.memory.events).zip(&mut unit.flushed_events)
        {
            let more = known.saturating_sub(*added);
            *added = known.max(*added);
            *sum += more;
            if more != 0 {
                self.touched = now;
            }
        }
    }
}

/// All workloads. One keeps its place as long as it is there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Workloads {
    places: Vec<Option<Workload>>,
    #[serde(skip)]
    keys: HashMap<WorkloadRef, usize>,
}

impl Workloads {
    /// Finds them by name again after they were read from a file.
    pub(super) fn index(&mut self) {
        let keys = self.places.iter().enumerate();
        self.keys = keys.filter_map(|(at, place)| Some((place.as_ref()?.key.clone(), at))).collect();
    }

    /// The place of the workload of this name, which is made if it is not there; that of `other` when there are `most`.
    pub(super) fn place(&mut self, key: WorkloadRef, most: usize, now: f64) -> usize {
        if let Some(known) = self.keys.get(&key) {
            return *known;
        }
        let key = if self.keys.len() < most || key == other() { key } else { other() };
        if let Some(known) = self.keys.get(&key) {
            return *known;
        }
        let workload = Workload::new(key.clone(), now);
        let free = self.places.iter().position(Option::is_none);
        let at = free.unwrap_or(self.places.len());
        match self.places.get_mut(at) {
            Some(place) => *place = Some(workload),
            None => self.places.push(Some(workload)),
        }
        self.keys.insert(key, at);
        at
    }

    /// The one at a place.
    pub(super) fn at(&self, place: usize) -> Option<&Workload> {
        self.places.get(place)?.as_ref()
    }

    /// The one at a place.
    pub(super) fn at_mut(&mut self, place: usize) -> Option<&mut Workload> {
        self.places.get_mut(place)?.as_mut()
    }

    /// The one of this name.
    pub(super) fn called(&self, key: &WorkloadRef) -> Option<&Workload> {
        self.at(*self.keys.get(key)?)
    }

    /// All that are there.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Workload> {
        self.places.iter().flatten()
    }

    /// All that are there.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Workload> {
        self.places.iter_mut().flatten()
    }

    /// Forgets those for which `is_done` holds, and gives their places.
    pub(super) fn forget(&mut self, is_done: impl Fn(usize, &Workload) -> bool) -> Vec<usize> {
        let mut freed = Vec::new();
        for (at, place) in self.places.iter_mut().enumerate() {
            if let Some(workload) = place.take_if(|workload| is_done(at, workload)) {
                self.keys.remove(&workload.key);
                freed.push(at);
            }
        }
        freed
    }

    /// Adds what a container used.
    pub(super) fn add(&mut self, place: usize, more: Totals, now: f64) {
        if more == Totals::default() {
            return;
        }
        if let Some(workload) = self.at_mut(place) {
            workload.totals += more;
            workload.touched = now;
        }
    }

    /// Adds what other features counted.
    pub(super) fn add_tallies(&mut self, place: usize, more: Tallies) {
        if let Some(workload) = self.at_mut(place) {
            workload.tallies += more;
        }
    }
}
