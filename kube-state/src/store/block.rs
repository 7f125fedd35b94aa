//! A block: up to 128 objects with their series in columns, and the texts of their labels. It refers to nothing
//! outside of itself, so it can be copied while a scrape reads the original.

use std::{
    ops::{Add, Range},
    sync::atomic::{AtomicU32, Ordering},
};

use super::texts::{Text, Texts, grow};
use crate::{
    number,
    rows::{Row, Rows},
};

/// Objects of a block. Few, so that copying one is cheap (a third of a megabyte for pods) and finding an object's
/// series in a column takes seven steps; enough that texts which objects share are rarely kept twice.
const OBJECTS: usize = 128;

/// How far from its expected place a series is looked for before it is searched.
const NEAR: usize = 8;

/// An object's place in its block.
pub(super) type Slot = u16;

#[derive(Clone, Copy, Debug)]
struct Series {
    number: f64,
    labels: Text,
    object: Slot,
}

#[derive(Debug)]
struct Object {
    uid: Text,
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
    columns: Vec<Vec<Series>>,
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
        Self { objects: Vec::new(), used: 0, columns: vec![Vec::new(); families], texts: Texts::default() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.used < OBJECTS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
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

    pub(super) fn uid(&self, slot: Slot) -> &[u8] {
        self.object(slot).map_or(&[], |object| self.texts.text(object.uid))
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

    /// Whether the object has exactly these series.
    pub(super) fn has(&self, slot: Slot, rows: &Rows) -> bool {
        self.has_identity(slot, rows)
            && self.by_family(rows).all(|(family, new)| self.changed_range(family, slot, rows, new).is_none())
    }

    fn has_identity(&self, slot: Slot, rows: &Rows) -> bool {
        self.object(slot).is_some_and(|object| self.texts.text(object.identity) == rows.identity())
    }

    /// Puts other series in place of an object's.
    pub(super) fn replace(&mut self, slot: Slot, rows: &Rows) -> Change {
        let mut change = Change { families: 0, is_new: false };
        if !self.has_identity(slot, rows) {
            let new = self.texts.acquire(rows.identity());
            if let Some(Some(object)) = self.objects.get_mut(usize::from(slot)) {
                let old = std::mem::replace(&mut object.identity, new);
                self.texts.release(old);
            }
            change.families = self.columns.len();
        }
        change.families = change.families.max(self.write(slot, rows));
        change
    }

    /// Puts a new object. There must be room.
    pub(super) fn insert(&mut self, rows: &Rows, round: u32) -> (Slot, Change) {
        let free = self.objects.iter().position(Option::is_none).unwrap_or(self.objects.len());
        let uid = self.texts.acquire(rows.uid().as_bytes());
        let identity = self.texts.acquire(rows.identity());
        let object = Some(Object { uid, identity, round: AtomicU32::new(round) });
        match self.objects.get_mut(free) {
            Some(place) => *place = object,
            None => self.objects.push(object),
        }
        self.used += 1;
        let slot = Slot::try_from(free).unwrap_or(Slot::MAX);
        let families = self.write(slot, rows);
        if self.used == OBJECTS {
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
        self.texts.release(object.uid);
        self.texts.release(object.identity);
        for family in 0..self.columns.len() {
            let range = self.columns.get(family).map_or(0..0, |column| self.range_of(column, slot));
            let Some(column) = self.columns.get_mut(family) else { continue };
            for series in column.drain(range) {
                self.texts.release(series.labels);
            }
        }
    }

    /// Appends a family's series.
    pub(super) fn push_family(&self, family: usize, name_and_brace: &[u8], out: &mut Vec<u8>) {
        let Some(column) = self.columns.get(family) else { return };
        let mut object: (Option<Slot>, &[u8]) = (None, &[]);
        for series in column {
            if object.0 != Some(series.object) {
                let identity = self.object(series.object).map_or(&[][..], |object| self.texts.text(object.identity));
                object = (Some(series.object), identity);
            }
            let labels = self.texts.text(series.labels);
            out.reserve(name_and_brace.len() + object.1.len() + labels.len() + 32);
            out.extend_from_slice(name_and_brace);
            out.extend_from_slice(object.1);
            out.extend_from_slice(labels);
            out.extend_from_slice(b"} ");
            number::push(out, series.number);
            out.push(b'\n');
        }
    }

    /// Size of the stored data.
    pub(super) fn usage(&self) -> Usage {
        let columns: usize = self.columns.iter().map(|column| column.capacity() * size_of::<Series>()).sum();
        let rest = self.columns.capacity() * size_of::<Vec<Series>>()
            + self.objects.capacity() * size_of::<Option<Object>>()
            + self.texts.heap()
            + size_of::<Self>();
        Usage { objects: self.used, series: self.columns.iter().map(Vec::len).sum(), bytes: columns + rest }
    }

    /// New rows of each family, also of those that have none. Rows come sorted by family.
    fn by_family<'r>(&self, rows: &'r Rows) -> impl Iterator<Item = (usize, &'r [Row])> + use<'r> {
        let mut rest = rows.all();
        (0..self.columns.len()).map(move |family| {
            let length = rest.iter().take_while(|row| usize::from(row.family) == family).count();
            let (new, after) = rest.split_at(length);
            rest = after;
            (family, new)
        })
    }

    /// Where the object's series of a family are, if they are not the same as the new ones.
    fn changed_range(&self, family: usize, slot: Slot, rows: &Rows, new: &[Row]) -> Option<Range<usize>> {
        let column = self.columns.get(family)?;
        let range = self.range_of(column, slot);
        let old = column.get(range.clone()).unwrap_or(&[]);
        let is_same = old.len() == new.len()
            && old.iter().zip(new).all(|(old, new)| {
                old.number.to_bits() == new.number.to_bits() && self.texts.text(old.labels) == rows.own_labels(new)
            });
        (!is_same).then_some(range)
    }

    /// Writes what is not the same, and says of how many families.
    fn write(&mut self, slot: Slot, rows: &Rows) -> usize {
        let mut changed = 0;
        for (family, new) in self.by_family(rows) {
            let Some(range) = self.changed_range(family, slot, rows, new) else { continue };
            let Some(column) = self.columns.get_mut(family) else { continue };
            let texts = &mut self.texts;
            let series = new.iter().map(|row| Series {
                number: row.number,
                labels: texts.acquire(rows.own_labels(row)),
                object: slot,
            });
            let series: Vec<Series> = series.collect();
            grow(column, series.len().saturating_sub(range.len()));
            for old in column.splice(range, series) {
                self.texts.release(old.labels);
            }
            changed += 1;
        }
        changed
    }

    /// Where an object's series are in a column, which is sorted by object. Most families have equally many series of
    /// each object, so the place can be guessed; a search would read the column's memory in seven places.
    fn range_of(&self, column: &[Series], slot: Slot) -> Range<usize> {
        let is_before = |at: usize| column.get(at).is_some_and(|series| series.object < slot);
        let guess = usize::from(slot) * column.len() / self.objects.len().max(1);
        let near = guess.saturating_sub(NEAR)..(guess + NEAR).min(column.len());
        let mut start = guess;
        while start > near.start && !is_before(start - 1) {
            start -= 1;
        }
        while start < near.end && is_before(start) {
            start += 1;
        }
        if (start > 0 && !is_before(start - 1)) || is_before(start) {
            start = column.partition_point(|series| series.object < slot);
        }
        let after = column.get(start..).unwrap_or(&[]);
        start..start + after.iter().take_while(|series| series.object == slot).count()
    }

    fn shrink(&mut self) {
        for column in &mut self.columns {
            column.shrink_to_fit();
        }
        self.objects.shrink_to_fit();
        self.texts.shrink();
    }
}
