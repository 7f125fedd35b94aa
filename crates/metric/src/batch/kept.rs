//! Counters of single subjects apart from their batch: read from one, shown in another, or shown with another number.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use foldhash::fast::FixedState;

use super::{Batch, Extra, Number, Of, Row, subjects::Text};
use crate::family::{Desc, Kind, Subject};

/// A counter's sample apart from its batch.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its family.
    pub desc: &'static Desc,
    /// Values of its own labels, without those of its subject.
    pub labels: Box<[Box<str>]>,
    /// Its number.
    pub number: Number,
    /// When it started from zero, in seconds since the Unix epoch, if it said so.
    pub created: Option<f64>,
}

/// A counter's sample in a batch.
#[derive(Clone, Copy, Debug)]
pub struct Counter<'a> {
    /// Its family.
    pub desc: &'static Desc,
    /// Index of its subject.
    pub subject: usize,
    /// Its number.
    pub number: Number,
    /// When it started from zero, if it says so.
    pub created: Option<f64>,
    text: &'a Text,
    first: u32,
}

/// Another number for a counter, and when it started from zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Revised {
    /// The number.
    pub number: Number,
    /// When it started from zero, in seconds since the Unix epoch.
    pub created: f64,
}

impl Counter<'_> {
    /// A number for family and labels without the subject's: of two counters of one subject they differ.
    pub fn series(&self) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        self.desc.slot().hash(&mut hasher);
        self.labels().for_each(|value| value.hash(&mut hasher));
        hasher.finish()
    }

    /// It, apart from the batch.
    pub fn keep(&self) -> Kept {
        let labels = self.labels().map(Box::from).collect();
        Kept { desc: self.desc, labels, number: self.number, created: self.created }
    }

    fn labels(&self) -> impl Iterator<Item = &str> {
        (0..self.desc.labels.len()).map(|at| self.text.value(self.first as usize + at))
    }
}

impl Batch {
    /// Shows each counter of those subjects that are wanted, by their index, and puts in what is given instead.
    pub fn revise(
        &mut self,
        is_wanted: impl Fn(usize) -> bool,
        mut revise: impl FnMut(Counter<'_>) -> Option<Revised>,
    ) {
        let Self { columns, order, text, .. } = self;
        for slot in order {
            let Some(column) = columns.get_mut(*slot as usize) else { continue };
            let Some(desc) = column.desc.filter(|desc| desc.kind == Kind::Counter) else { continue };
            let extras = &mut column.extras;
            for (at, row) in (0_u32..).zip(&mut column.rows) {
                let Row { subject, first_value: first, number } = *row;
                let subject = subject as usize;
                if !is_wanted(subject) {
                    continue;
                }
                let place = extras.binary_search_by_key(&at, |(row, _)| *row);
                let created = place.ok().and_then(|place| extras.get(place)?.1.created);
                let Some(revised) = revise(Counter { desc, subject, number, created, text, first }) else { continue };
                row.number = revised.number;
                match place {
                    Ok(place) => {
                        if let Some((_, extra)) = extras.get_mut(place) {
                            extra.created = Some(revised.created);
                        }
                    }
                    Err(place) => {
                        extras.insert(place, (at, Extra { created: Some(revised.created), exemplar: None }));
                    }
                }
            }
        }
    }

    /// Shows each counter of those subjects that are wanted, by their index.
    pub fn counters(&mut self, is_wanted: impl Fn(usize) -> bool, mut show: impl FnMut(Counter<'_>)) {
        self.revise(is_wanted, |counter| {
            show(counter);
            None
        });
    }

    /// Puts a counter that was kept, with this number.
    pub fn put_kept<S: Subject>(&mut self, kept: &Kept, subject: Of<S>, revised: Revised) {
        let labels: Vec<&str> = kept.labels.iter().map(|value| &**value).collect();
        let extra = Extra { created: Some(revised.created), exemplar: None };
        self.push(kept.desc, subject.index, &labels, revised.number, Some(extra));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        family::Family,
        label::Label,
        unit::{Bytes, Count},
    };

    struct Disk;
    impl Subject for Disk {
        const LABELS: &'static [Label] = &[Label::open("disk", "disks")];
    }
    static MOVED: Family<Bytes, 1, Disk> =
        Family::counter("moved_bytes_total", "Moved.", &[Label::closed("direction", &["read", "write"])]);
    static SIZE: Family<Count, 0, Disk> = Family::gauge("size", "Size.", &[]);

    fn numbers(batch: &Batch) -> Vec<(String, f64, Option<f64>)> {
        let samples = batch.families().flat_map(|desc| batch.samples(desc).map(move |sample| (desc, sample)));
        let line = |(desc, sample): (&Desc, super::super::Sample<'_>)| {
            let labels: Vec<_> = sample.labels().all().map(|(_, value)| value.to_owned()).collect();
            (format!("{} {}", desc.name, labels.join(" ")), sample.number(), sample.extra().and_then(|e| e.created))
        };
        samples.map(line).collect()
    }

    #[test]
    fn counters_of_a_subject_are_shown_with_other_numbers_and_in_another_batch() {
        let mut batch = Batch::default();
        let [a, b] = ["a", "b"].map(|disk| batch.subject::<Disk, 1>([disk]));
        for of in [a, b] {
            batch.put_of(&MOVED, of, ["read"], Bytes(7));
            batch.put_of(&SIZE, of, [], 5);
            batch.put_with(&MOVED, Some(of), ["write"], Bytes(8), Extra { created: Some(3.0), exemplar: None });
        }
        let mut kept = Vec::new();
        batch.counters(|subject| subject == b.index(), |counter| kept.push((counter.series(), counter.keep())));
        assert_eq!(
            kept.iter().map(|(_, kept)| (kept.number, kept.created)).collect::<Vec<_>>(),
            [(7.0, None), (8.0, Some(3.0))]
        );
        assert_ne!(kept[0].0, kept[1].0);
        batch.revise(|subject| subject == b.index(), |_| Some(Revised { number: 0.0, created: 9.0 }));
        assert_eq!(
            numbers(&batch),
            [
                ("moved_bytes_total a read".to_owned(), 7.0, None),
                ("moved_bytes_total a write".to_owned(), 8.0, Some(3.0)),
                ("moved_bytes_total b read".to_owned(), 0.0, Some(9.0)),
                ("moved_bytes_total b write".to_owned(), 0.0, Some(9.0)),
                ("size a".to_owned(), 5.0, None),
                ("size b".to_owned(), 5.0, None),
            ]
        );
        batch.clear();
        let late = batch.subject::<Disk, 1>(["late"]);
        for (_, kept) in &kept {
            batch.put_kept(kept, late, Revised { number: kept.number, created: 2.0 });
        }
        assert_eq!(
            numbers(&batch),
            [
                ("moved_bytes_total late read".to_owned(), 7.0, Some(2.0)),
                ("moved_bytes_total late write".to_owned(), 8.0, Some(2.0)),
            ]
        );
    }
}
