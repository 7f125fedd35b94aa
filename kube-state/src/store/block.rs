//! A block: up to 128 objects with their series in columns, and the texts of their labels. It refers to nothing
//! outside of itself, so it can be copied while a scrape reads the original.

use std::{
    ops::Add,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{
    runs::{self, Runs},
    texts::{Text, Texts, grow},
    uid::{Key, Uid},
};
use crate::rows::Rows;

/// Objects of a block. Few, so that copying one is cheap; enough that texts which objects share are rarely kept twice.
const OBJECTS: usize = 128;

/// An object's place in its block.
pub(super) type Slot = u16;

#[derive(Debug)]
struct Object {
    uid: Uid,
    identity: Text,
    /// The last relist that had the object. Not part of the state that readers see.
    round: AtomicU32,
}

impl Clone for Object {
    fn clone(&self) -> Self {
        Self { uid: self.uid, identity: self.identity, round: AtomicU32::new(self.round.load(Ordering::Relaxed)) }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Block {
    objects: Vec<Option<Object>>,
    used: usize,
    series: usize,
    /// For each family, the run of each object; shorter where the last objects have none.
    columns: Vec<Vec<Text>>,
    texts: Texts,
}

/// Changes made by storing an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Families of which at least one series came, went or has another number.
    pub families: usize,
    /// Whether the object is new.
    pub is_new: bool,
}

impl Change {
    /// Nothing changed.
    pub const NONE: Self = Self { families: 0, is_new: false };

    /// Whether nothing changed.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// Size of the stored data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Objects.
    pub objects: usize,
    /// Series.
    pub series: usize,
    /// Memory for them, in bytes.
    pub bytes: usize,
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            objects: self.objects + other.objects,
            series: self.series + other.series,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Block {
    /// An empty block for so many families.
    pub(super) fn new(families: usize) -> Self {
        Self { objects: Vec::new(), used: 0, series: 0, columns: vec![Vec::new(); families], texts: Texts::default() }
    }

    /// How many objects it may have: all their texts must have a number.
    fn room(&self) -> usize {
        (Texts::MOST / (self.columns.len() + 2)).clamp(1, OBJECTS)
    }

    pub(super) fn has_room(&self) -> bool {
        self.used < self.room()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Places that are taken.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        (0..).zip(&self.objects).filter_map(|(slot, object)| object.as_ref().map(|_| slot))
    }

    /// Places of objects that the relist did not have.
    pub(super) fn stale(&self, round: u32) -> Vec<Slot> {
        let is_stale = |slot: &Slot| self.object(*slot).is_some_and(|o| o.round.load(Ordering::Relaxed) != round);
        self.slots().filter(is_stale).collect()
    }

    pub(super) fn uid(&self, slot: Slot) -> Key<'_> {
        self.object(slot).map_or(Key::Other(&[]), |object| object.uid.key(&self.texts))
    }

    /// Notes that a relist has the object.
    pub(super) fn mark(&self, slot: Slot, round: u32) {
        if let Some(object) = self.object(slot) {
            object.round.store(round, Ordering::Relaxed);
        }
    }

    fn object(&self, slot: Slot) -> Option<&Object> {
        self.objects.get(usize::from(slot))?.as_ref()
    }

    fn identity(&self, slot: Slot) -> &[u8] {
        self.object(slot).map_or(&[], |object| self.texts.text(object.identity))
    }

    fn run(&self, family: usize, slot: Slot) -> Text {
        self.columns.get(family).and_then(|column| column.get(usize::from(slot))).copied().unwrap_or_default()
    }

    /// Whether the object has exactly these series.
    pub(super) fn has(&self, slot: Slot, identity: &[u8], runs: &Runs) -> bool {
        self.identity(slot) == identity
            && runs.by_family().all(|(family, run)| self.texts.text(self.run(family, slot)) == run)
    }

    /// Puts other series in place of an object's.
    pub(super) fn replace(&mut self, slot: Slot, identity: &[u8], runs: &Runs) -> Change {
        let mut change = Change { families: 0, is_new: false };
        if self.identity(slot) != identity {
            let new = self.texts.acquire(identity);
            if let Some(Some(object)) = self.objects.get_mut(usize::from(slot)) {
                let old = std::mem::replace(&mut object.identity, new);
                self.texts.release(old);
            }
            change.families = self.columns.len();
        }
        change.families = change.families.max(self.write(slot, runs));
        change
    }

    /// Puts a new object. There must be room.
    pub(super) fn insert(&mut self, rows: &Rows, runs: &Runs, round: u32) -> (Slot, Change) {
        let free = self.objects.iter().position(Option::is_none).unwrap_or(self.objects.len());
        let uid = Key::of(rows.uid()).store(&mut self.texts);
        let identity = self.texts.acquire(rows.identity());
        let object = Some(Object { uid, identity, round: AtomicU32::new(round) });
        match self.objects.get_mut(free) {
            Some(place) => *place = object,
            None => self.objects.push(object),
        }
        self.used += 1;
        let slot = Slot::try_from(free).unwrap_or(Slot::MAX);
        let families = self.write(slot, runs);
        if !self.has_room() {
            self.shrink();
        }
        (slot, Change { families, is_new: true })
    }

    /// Removes an object.
    pub(super) fn clear(&mut self, slot: Slot) {
        let Some(object) = self.objects.get_mut(usize::from(slot)).and_then(Option::take) else { return };
        self.used -= 1;
        if self.used == 0 {
            *self = Self::new(self.columns.len());
            return;
        }
        if let Uid::Other(text) = object.uid {
            self.texts.release(text);
        }
        self.texts.release(object.identity);
        for family in 0..self.columns.len() {
            self.put(family, slot, Text::default());
        }
    }

    /// Identity and run of each object that has series of a family.
    pub(super) fn runs(&self, family: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        let column = self.columns.get(family).map_or(&[][..], Vec::as_slice);
        column.iter().zip(&self.objects).filter_map(|(run, object)| {
            let object = object.as_ref().filter(|_| *run != Text::default())?;
            Some((self.texts.text(object.identity), self.texts.text(*run)))
        })
    }

    /// Appends a family's series.
    pub(super) fn push_family(&self, family: usize, name_and_brace: &[u8], out: &mut Vec<u8>) {
        for (identity, mut run) in self.runs(family) {
            while let Some((line, rest)) = runs::first_line(run) {
                out.reserve(name_and_brace.len() + identity.len() + line.len());
                out.extend_from_slice(name_and_brace);
                out.extend_from_slice(identity);
                out.extend_from_slice(line);
                run = rest;
            }
        }
    }

    /// Size of the stored data.
    pub(super) fn usage(&self) -> Usage {
        let columns: usize = self.columns.iter().map(|column| column.capacity() * size_of::<Text>()).sum();
        let rest = self.columns.capacity() * size_of::<Vec<Text>>()
            + self.objects.capacity() * size_of::<Option<Object>>()
            + self.texts.heap()
            + size_of::<Self>();
        Usage { objects: self.used, series: self.series, bytes: columns + rest }
    }

    /// Writes what is not the same, and says of how many families.
    fn write(&mut self, slot: Slot, runs: &Runs) -> usize {
        let mut changed = 0;
        for (family, run) in runs.by_family() {
            if self.texts.text(self.run(family, slot)) == run {
                continue;
            }
            let text = if run.is_empty() { Text::default() } else { self.texts.acquire(run) };
            self.put(family, slot, text);
            changed += 1;
        }
        changed
    }

    /// Puts a run in the place of another.
    fn put(&mut self, family: usize, slot: Slot, new: Text) {
        let Some(column) = self.columns.get_mut(family) else { return };
        let at = usize::from(slot);
        if at >= column.len() {
            if new == Text::default() {
                return;
            }
            let more = at + 1 - column.len();
            grow(column, more);
            column.resize(at + 1, Text::default());
        }
        let Some(place) = column.get_mut(at) else { return };
        let old = std::mem::replace(place, new);
        self.series += runs::lines(self.texts.text(new));
        self.series -= runs::lines(self.texts.text(old));
        self.texts.release(old);
    }

    fn shrink(&mut self) {
        for column in &mut self.columns {
            column.shrink_to_fit();
        }
        self.objects.shrink_to_fit();
        self.texts.shrink();
    }
}
