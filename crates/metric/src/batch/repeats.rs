//! Finds samples of a batch whose series is in the batch already.
//!
//! Slices put samples subject by subject, so nearly all of a batch is known to be unique from the order of subjects
//! alone. Labels are compared only within the samples of one subject, and hashed only where there are many.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::{Batch, Column, Row, Sample};
use crate::family::Desc;

/// So many samples of one subject are compared each with each.
const FEW: usize = 8;

/// Samples whose series stands before them. It keeps its memory from batch to batch.
#[derive(Debug, Default)]
pub struct Repeats {
    /// For each subject, the first with the same labels; empty when all differ.
    first: Vec<u32>,
    /// For each subject, the number of the family that had it last.
    seen: Vec<u32>,
    table: HashTable<u32>,
    /// Slot of the family and index of the sample, by family and ascending.
    found: Vec<(usize, usize)>,
}

impl Repeats {
    /// Looks through a batch.
    pub fn find(&mut self, batch: &Batch) {
        self.found.clear();
        self.look_at_subjects(batch);
        self.seen.clear();
        self.seen.resize(batch.subjects.len(), 0);
        for (number, slot) in (1_u32..).zip(&batch.order) {
            let column = batch.columns.get(*slot as usize);
            if let Some(column) = column.filter(|column| column.may_repeat || !self.first.is_empty()) {
                self.look_at(batch, column, *slot as usize, number);
            }
        }
    }

    /// The samples of a family of the batch that was looked through last, each series once.
    pub fn firsts<'a>(&'a self, batch: &'a Batch, desc: &Desc) -> impl Iterator<Item = Sample<'a>> + use<'a> {
        let slot = desc.slot();
        let start = self.found.partition_point(|(of, _)| *of < slot);
        let mut repeats = self.found.get(start..).unwrap_or_default().iter().peekable();
        batch.samples(desc).enumerate().filter_map(move |(index, sample)| {
            if repeats.next_if(|repeat| **repeat == (slot, index)).is_some() { None } else { Some(sample) }
        })
    }

    /// Whether samples of a family are left out.
    pub fn has(&self, desc: &Desc) -> bool {
        !self.found.is_empty() && self.found.binary_search_by(|(of, _)| of.cmp(&desc.slot())).is_ok()
    }

    /// How many samples of each family are left out.
    pub fn counts<'a>(&'a self, batch: &'a Batch) -> impl Iterator<Item = (&'static Desc, u64)> + use<'a> {
        let families = self.found.chunk_by(|(a, _), (b, _)| a == b);
        families.filter_map(|family| {
            let desc = batch.columns.get(family.first()?.0)?.desc?;
            Some((desc, family.len() as u64))
        })
    }

    fn look_at_subjects(&mut self, batch: &Batch) {
        let Self { first, table, .. } = self;
        first.clear();
        if batch.rising.all_differ() {
            return;
        }
        table.clear();
        table.reserve(batch.subjects.len(), |_| 0);
        let mut any = false;
        for (index, subject) in (0_u32..).zip(&batch.subjects) {
            let hash = hash(batch, subject.first_value, subject.labels.len());
            let same = |other: &u32| {
                batch.subjects.get(*other as usize).is_some_and(|other| {
                    other.labels.len() == subject.labels.len()
                        && other.labels.iter().zip(subject.labels).all(|(a, b)| a.name == b.name)
                        && equal(batch, other.first_value, subject.first_value, subject.labels.len())
                })
            };
            if let Some(known) = table.find(hash, same) {
                first.push(*known);
                any = true;
            } else {
                table.insert_unique(hash, index, |other| rehash(batch, *other));
                first.push(index);
            }
        }
        if !any {
            first.clear();
        }
    }

    fn subject(&self, row: &Row) -> u32 {
        self.first.get(row.subject as usize).copied().unwrap_or(row.subject)
    }

    fn look_at(&mut self, batch: &Batch, column: &Column, slot: usize, number: u32) {
        let labels = column.desc.map_or(0, |desc| desc.labels.len());
        let from = self.found.len();
        let mut start = 0;
        while let Some(head) = column.rows.get(start) {
            let subject = self.subject(head);
            let rest = column.rows.get(start + 1..).unwrap_or_default();
            let length = 1 + rest.iter().take_while(|row| self.subject(row) == subject).count();
            let comes_back = match self.seen.get_mut(subject as usize) {
                Some(seen) => std::mem::replace(seen, number) == number,
                // Without a subject.
                None => start > 0,
            };
            if comes_back && labels > 0 {
                self.found.truncate(from);
                self.compare_all(batch, column, slot, labels);
                self.found.get_mut(from..).unwrap_or_default().sort_unstable();
                break;
            }
            if comes_back || length > 1 {
                self.compare(batch, column, slot, labels, start..start + length, comes_back);
            }
            start += length;
        }
        // Families come in the order of their first samples, and are looked up by slot.
        if self.found.len() > from {
            self.found.sort_unstable();
        }
    }

    /// Compares samples of one subject.
    fn compare(
        &mut self,
        batch: &Batch,
        column: &Column,
        slot: usize,
        labels: usize,
        range: std::ops::Range<usize>,
        comes_back: bool,
    ) {
        if labels == 0 {
            // No label tells them apart.
            let start = if comes_back { range.start } else { range.start + 1 };
            self.found.extend((start..range.end).map(|index| (slot, index)));
            return;
        }
        let rows = column.rows.get(range.clone()).unwrap_or_default();
        if rows.len() > FEW {
            return self.hash_rows(batch, slot, labels, rows, range.start, false);
        }
        for (index, row) in rows.iter().enumerate().skip(1) {
            let mut before = rows.iter().take(index);
            if before.any(|other| equal(batch, other.first_value, row.first_value, labels)) {
                self.found.push((slot, range.start + index));
            }
        }
    }

    fn compare_all(&mut self, batch: &Batch, column: &Column, slot: usize, labels: usize) {
        self.hash_rows(batch, slot, labels, &column.rows, 0, true);
    }

    fn hash_rows(&mut self, batch: &Batch, slot: usize, labels: usize, rows: &[Row], offset: usize, by_subject: bool) {
        let Self { first, table, found, .. } = self;
        let of =
            |row: &Row| if by_subject { first.get(row.subject as usize).copied().unwrap_or(row.subject) } else { 0 };
        let hash_of = |row: &Row| hash(batch, row.first_value, labels) ^ u64::from(of(row)).wrapping_mul(SPREAD);
        table.clear();
        table.reserve(rows.len(), |_| 0);
        for (index, row) in (0_u32..).zip(rows) {
            let hash = hash_of(row);
            let same = |other: &u32| {
                rows.get(*other as usize).is_some_and(|other| {
                    of(other) == of(row) && equal(batch, other.first_value, row.first_value, labels)
                })
            };
            if table.find(hash, same).is_some() {
                found.push((slot, offset + index as usize));
            } else {
                table.insert_unique(hash, index, |other| rows.get(*other as usize).map_or(0, hash_of));
            }
        }
    }
}

/// An odd number whose bits are spread.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

fn value(batch: &Batch, first: u32, at: usize) -> &[u8] {
    batch.text.value(first as usize + at).as_bytes()
}

fn equal(batch: &Batch, one: u32, other: u32, labels: usize) -> bool {
    (0..labels).all(|at| value(batch, one, at) == value(batch, other, at))
}

fn hash(batch: &Batch, first: u32, labels: usize) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    for at in 0..labels {
        value(batch, first, at).hash(&mut hasher);
    }
    hasher.finish()
}

fn rehash(batch: &Batch, subject: u32) -> u64 {
    batch.subjects.get(subject as usize).map_or(0, |subject| hash(batch, subject.first_value, subject.labels.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        family::{Family, Subject},
        label::Label,
        unit::Count,
    };

    struct Disk;
    impl Subject for Disk {
        const LABELS: &'static [Label] = &[Label::open("disk", "disks"), Label::open("of", "machines")];
    }
    static SIZE: Family<Count, 0, Disk> = Family::gauge("size", "Size.", &[]);
    static PART: Family<Count, 1, Disk> = Family::gauge("part", "Part.", &[Label::open("part", "parts")]);
    static UP: Family<Count, 0> = Family::gauge("up", "Up.", &[]);
    static CPU: Family<Count, 2> =
        Family::gauge("cpu", "CPU.", &[Label::open("cpu", "CPUs"), Label::open("mode", "modes")]);

    /// Lines that are left, and counts of what is not.
    fn shown(batch: &Batch) -> (Vec<String>, Vec<(&'static str, u64)>) {
        let mut repeats = Repeats::default();
        // Twice, for memory is kept.
        repeats.find(batch);
        repeats.find(batch);
        let mut lines = Vec::new();
        for desc in batch.families() {
            for sample in repeats.firsts(batch, desc) {
                let labels: Vec<_> = sample.labels().all().map(|(name, value)| format!("{name}={value}")).collect();
                lines.push(format!("{}{labels:?} {}", desc.name, sample.number()));
            }
        }
        (lines, repeats.counts(batch).map(|(desc, count)| (desc.name, count)).collect())
    }

    #[test]
    fn the_first_of_equal_series_stays() {
        let mut batch = Batch::default();
        let [a, b, twin] = ["a", "b", "a"].map(|disk| batch.subject::<Disk, 2>([disk, ""]));
        for (of, size) in [(a, 1), (b, 2), (twin, 3), (a, 4)] {
            batch.put_of(&SIZE, of, [], size);
        }
        batch.put(&UP, [], 1);
        batch.put(&UP, [], 0);
        for (of, part, number) in [(a, "1", 1), (a, "2", 2), (a, "1", 3), (b, "1", 4), (twin, "2", 5), (twin, "3", 6)] {
            batch.put_of(&PART, of, [part], number);
        }
        let (lines, counts) = shown(&batch);
        assert_eq!(
            lines,
            [
                r#"size["disk=a", "of="] 1"#,
                r#"size["disk=b", "of="] 2"#,
                "up[] 1",
                r#"part["disk=a", "of=", "part=1"] 1"#,
                r#"part["disk=a", "of=", "part=2"] 2"#,
                r#"part["disk=b", "of=", "part=1"] 4"#,
                r#"part["disk=a", "of=", "part=3"] 6"#,
            ]
        );
        let mut counts = counts;
        counts.sort_unstable();
        assert_eq!(counts, [("part", 2), ("size", 2), ("up", 1)]);
    }

    #[test]
    fn many_samples_without_a_subject_are_compared_too() {
        let mut batch = Batch::default();
        for cpu in 0..100 {
            for mode in ["user", "idle", "system", if cpu % 10 == 0 { "user" } else { "nice" }] {
                batch.put(&CPU, [&cpu.to_string(), mode], 1);
            }
        }
        let (lines, counts) = shown(&batch);
        assert_eq!((lines.len(), counts), (390, vec![("cpu", 10)]));
    }

    proptest! {
        #[test]
        fn what_is_left_is_what_a_set_leaves(
            subjects in prop::collection::vec(0..6_u8, 1..12),
            rows in prop::collection::vec((0..3_u8, any::<prop::sample::Index>(), 0..4_u8), 0..60),
        ) {
            let mut batch = Batch::default();
            let of: Vec<_> = subjects.iter().map(|name| batch.subject::<Disk, 2>([&name.to_string(), "m"])).collect();
            let mut expected = std::collections::BTreeSet::new();
            for (family, subject, label) in &rows {
                let (label, subject) = (label.to_string(), subject.index(of.len()));
                match family {
                    0 => batch.put_of(&SIZE, of[subject], [], 1),
                    1 => batch.put_of(&PART, of[subject], [&label], 1),
                    _ => batch.put(&CPU, [&label, "x"], 1),
                }
                expected.insert(match family {
                    0 => (0, subjects[subject], String::new()),
                    1 => (1, subjects[subject], label),
                    _ => (2, 0, label),
                });
            }
            let (lines, counts) = shown(&batch);
            let different: std::collections::BTreeSet<_> = lines.iter().collect();
            prop_assert_eq!(different.len(), lines.len());
            prop_assert_eq!(lines.len(), expected.len());
            prop_assert_eq!(counts.iter().map(|(_, n)| *n).sum::<u64>(), (rows.len() - lines.len()) as u64);
        }
    }
}
