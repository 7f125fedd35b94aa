//! Batches of samples: slices put samples into one, encoders read them. A batch keeps one column per family, the label
//! values in one text, and is reused from scrape to scrape: after the first, putting a sample allocates nothing.

pub(crate) mod kept;
pub(crate) mod repeats;
mod rising;
mod subjects;

use std::marker::PhantomData;

use crate::{
    exemplar::Exemplar,
    family::{Desc, Family, Kind, Subject},
    histogram::Histogram,
    label::Label,
    unit::Unit,
};

use self::{
    rising::Rising,
    subjects::{SubjectRow, Text},
};

/// A subject's place in one batch, given by [`Batch::subject`]. It means nothing to another batch, nor after
/// [`Batch::clear`].
#[derive(Debug)]
pub struct Of<S> {
    index: u32,
    subject: PhantomData<fn(S)>,
}

impl<S> Clone for Of<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Of<S> {}

impl<S> Of<S> {
    /// The subject's index, as [`SampleLabels::subject_index`] gives it.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// The number of a sample. For a histogram it is not used; see [`Sample::histogram`].
pub type Number = f64;

#[derive(Clone, Copy, Debug)]
struct Row {
    subject: u32,
    first_value: u32,
    number: Number,
}

/// Created time and exemplar of a sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra {
    /// When the counter or histogram started from zero, in seconds since the Unix epoch.
    pub created: Option<f64>,
    /// One observed event that leads further.
    pub exemplar: Option<Exemplar>,
}

#[derive(Debug, Default)]
struct Column {
    desc: Option<&'static Desc>,
    rows: Vec<Row>,
    /// Whether some sample is not of a later subject than the one before it, so that two may be of one series.
    may_repeat: bool,
    /// (row, extra), ascending by row.
    extras: Vec<(u32, Extra)>,
    histograms: Vec<Histogram>,
    dropped: u64,
}

impl Column {
    fn truncate(&mut self, rows: usize) {
        self.rows.truncate(rows);
        self.may_repeat &= rows > 1;
        self.extras.retain(|(row, _)| (*row as usize) < rows);
        if !self.histograms.is_empty() {
            self.histograms.truncate(rows);
        }
    }
}

/// The most samples that a batch takes. Samples over a limit are dropped and counted, see [`Batch::dropped`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one family.
    pub per_family: usize,
    /// In all.
    pub total: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_family: usize::MAX, total: usize::MAX }
    }
}

/// Samples of one scrape, grouped by family in the order in which families first got one.
#[derive(Debug, Default)]
pub struct Batch {
    columns: Vec<Column>,
    order: Vec<u32>,
    subjects: Vec<SubjectRow>,
    rising: Rising,
    text: Text,
    limits: Limits,
    total: usize,
}

/// A state of a batch to go back to, see [`Batch::mark`].
#[derive(Debug)]
pub struct Mark {
    rows: Vec<(u32, usize)>,
    subjects: usize,
    values: u32,
}

impl Batch {
    /// An empty batch that takes at most so many samples.
    pub fn with_limits(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Empties the batch; keeps as much memory as it needed this time, and an eighth more.
    pub fn clear(&mut self) {
        for slot in self.order.drain(..) {
            if let Some(column) = self.columns.get_mut(slot as usize) {
                column.rows.shrink_to(column.rows.len() + column.rows.len() / 8);
                column.extras.shrink_to(column.extras.len() + column.extras.len() / 8);
                column.rows.clear();
                column.may_repeat = false;
                column.extras.clear();
                column.histograms.clear();
                column.dropped = 0;
            }
        }
        self.subjects.clear();
        self.rising = Rising::default();
        self.text.truncate(0);
        self.total = 0;
    }

    /// Registers a thing that samples will be about. `values` are those of `S::LABELS`, in order.
    pub fn subject<S: Subject, const M: usize>(&mut self, values: [&str; M]) -> Of<S> {
        const { assert!(M == S::LABELS.len(), "as many values as the subject has labels") };
        let index = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX);
        self.rising.note(self.subjects.last().copied(), S::LABELS, values, &self.text);
        self.subjects.push(SubjectRow { labels: S::LABELS, first_value: self.text.len() });
        for value in values {
            self.text.push(value);
        }
        Of { index, subject: PhantomData }
    }

    /// Puts a sample of a family without subject.
    pub fn put<U: Unit, const N: usize>(
        &mut self,
        family: &'static Family<U, N>,
        labels: [&str; N],
        value: impl Into<U>,
    ) {
        self.push(family.desc(), NO_SUBJECT, &labels, value.into().number(), None);
    }

    /// Puts a sample about a subject.
    pub fn put_of<U: Unit, const N: usize, S: Subject>(
        &mut self,
        family: &'static Family<U, N, S>,
        subject: Of<S>,
        labels: [&str; N],
        value: impl Into<U>,
    ) {
        self.push(family.desc(), subject.index, &labels, value.into().number(), None);
    }

    /// Puts a sample that carries a created time or an exemplar.
    pub fn put_with<U: Unit, const N: usize, S: Subject>(
        &mut self,
        family: &'static Family<U, N, S>,
        subject: Option<Of<S>>,
        labels: [&str; N],
        value: impl Into<U>,
        extra: Extra,
    ) {
        let subject = subject.map_or(NO_SUBJECT, |subject| subject.index);
        self.push(family.desc(), subject, &labels, value.into().number(), Some(extra));
    }

    /// Puts a number that is already in the family's unit.
    pub(crate) fn push_number<U: Unit, const N: usize>(
        &mut self,
        family: &'static Family<U, N>,
        labels: [&str; N],
        number: Number,
        extra: Extra,
    ) {
        self.push(family.desc(), NO_SUBJECT, &labels, number, Some(extra));
    }

    /// Puts a histogram.
    pub fn put_histogram<U: Unit, const N: usize, S: Subject>(
        &mut self,
        family: &'static Family<U, N, S>,
        subject: Option<Of<S>>,
        labels: [&str; N],
        histogram: Histogram,
    ) {
        let desc = family.desc();
        debug_assert_eq!(desc.kind, Kind::Histogram, "{} is not a histogram", desc.name);
        let subject = subject.map_or(NO_SUBJECT, |subject| subject.index);
        if self.push(desc, subject, &labels, histogram.count() as f64, None)
            && let Some(column) = self.columns.get_mut(desc.slot())
        {
            column.histograms.push(histogram);
        }
    }

    fn push(
        &mut self,
        desc: &'static Desc,
        subject: u32,
        labels: &[&str],
        number: Number,
        extra: Option<Extra>,
    ) -> bool {
        let slot = desc.slot();
        if self.columns.len() <= slot {
            self.columns.resize_with(slot + 1, Column::default);
        }
        let Some(column) = self.columns.get_mut(slot) else { return false };
        if column.rows.is_empty() && column.dropped == 0 {
            column.desc = Some(desc);
            self.order.push(u32::try_from(slot).unwrap_or(u32::MAX));
        }
        if column.rows.len() >= self.limits.per_family || self.total >= self.limits.total {
            column.dropped += 1;
            return false;
        }
        debug_assert!(
            desc.labels.iter().zip(labels).all(|(label, value)| label.allows(value)),
            "{}: {labels:?} are not all among the declared values",
            desc.name
        );
        let row = Row { subject, first_value: self.text.len(), number };
        for value in labels {
            self.text.push(value);
        }
        if let Some(extra) = extra {
            column.extras.push((u32::try_from(column.rows.len()).unwrap_or(u32::MAX), extra));
        }
        column.may_repeat |= column.rows.last().is_some_and(|last| last.subject >= subject);
        column.rows.push(row);
        self.total += 1;
        true
    }

    /// Samples in all.
    pub fn len(&self) -> usize {
        self.total
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Families that have samples, in the order in which they got their first.
    pub fn families(&self) -> impl Iterator<Item = &'static Desc> + use<'_> {
        self.order.iter().filter_map(|slot| {
            let column = self.columns.get(*slot as usize)?;
            if column.rows.is_empty() { None } else { column.desc }
        })
    }

    /// Families that lost samples to the limits, and how many each.
    pub fn dropped(&self) -> impl Iterator<Item = (&'static Desc, u64)> + use<'_> {
        self.order.iter().filter_map(|slot| {
            let column = self.columns.get(*slot as usize)?;
            if column.dropped == 0 { None } else { Some((column.desc?, column.dropped)) }
        })
    }

    /// The samples of a family, in the order of putting.
    pub fn samples(&self, desc: &Desc) -> impl ExactSizeIterator<Item = Sample<'_>> + use<'_> {
        let column = self.columns.get(desc.slot()).unwrap_or(EMPTY);
        let mut extras = column.extras.iter().peekable();
        column.rows.iter().enumerate().map(move |(index, row)| {
            let extra = extras.next_if(|(at, _)| *at as usize == index).map(|(_, extra)| extra);
            Sample { batch: self, row: *row, desc: column.desc, extra, histogram: column.histograms.get(index) }
        })
    }

    /// The number of subjects; [`SampleLabels::subject_index`] is below it.
    pub fn subjects(&self) -> usize {
        self.subjects.len()
    }

    /// Labels and values of a subject.
    pub fn subject_labels(&self, index: usize) -> impl Iterator<Item = (&'static str, &str)> {
        let row = self.subjects.get(index);
        let first = row.map_or(0, |row| row.first_value as usize);
        row.map_or(&[][..], |row| row.labels)
            .iter()
            .enumerate()
            .map(move |(i, label)| (label.name, self.text.value(first + i)))
    }

    /// Remembers what is in the batch now, so that a slice that fails in the middle can be undone.
    pub fn mark(&self) -> Mark {
        let rows = self
            .order
            .iter()
            .map(|slot| (*slot, self.columns.get(*slot as usize).map_or(0, |column| column.rows.len())))
            .collect();
        Mark { rows, subjects: self.subjects.len(), values: self.text.len() }
    }

    /// Takes back all that was put since the mark was made.
    pub fn rollback(&mut self, mark: &Mark) {
        for slot in self.order.drain(mark.rows.len()..) {
            if let Some(column) = self.columns.get_mut(slot as usize) {
                column.truncate(0);
                column.dropped = 0;
            }
        }
        for (slot, rows) in &mark.rows {
            if let Some(column) = self.columns.get_mut(*slot as usize) {
                column.truncate(*rows);
            }
        }
        self.subjects.truncate(mark.subjects);
        self.text.truncate(mark.values);
        self.total = mark.rows.iter().map(|(_, rows)| rows).sum();
    }
}

const NO_SUBJECT: u32 = u32::MAX;
const EMPTY: &Column =
    &Column { desc: None, rows: Vec::new(), may_repeat: false, extras: Vec::new(), histograms: Vec::new(), dropped: 0 };

/// One sample of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    batch: &'a Batch,
    row: Row,
    desc: Option<&'static Desc>,
    extra: Option<&'a Extra>,
    histogram: Option<&'a Histogram>,
}

impl<'a> Sample<'a> {
    /// Its number; of a histogram, the count of observations.
    pub fn number(&self) -> Number {
        self.row.number
    }

    /// Its histogram, when the family is one.
    pub fn histogram(&self) -> Option<&'a Histogram> {
        self.histogram
    }

    /// Its created time and exemplar, if it has any.
    pub fn extra(&self) -> Option<&'a Extra> {
        self.extra
    }

    /// Its labels.
    pub fn labels(&self) -> SampleLabels<'a> {
        SampleLabels { batch: self.batch, row: self.row, own: self.desc.map_or(&[], |desc| desc.labels) }
    }
}

/// The labels of a sample: those of its subject, then its own.
#[derive(Clone, Copy, Debug)]
pub struct SampleLabels<'a> {
    batch: &'a Batch,
    row: Row,
    own: &'static [Label],
}

impl<'a> SampleLabels<'a> {
    /// The subject's index in the batch: equal indices mean equal labels, so an encoder can write them once.
    pub fn subject_index(&self) -> Option<usize> {
        (self.row.subject != NO_SUBJECT).then_some(self.row.subject as usize)
    }

    /// The sample's own labels, in declared order.
    pub fn own(&self) -> impl ExactSizeIterator<Item = (&'static str, &'a str)> + use<'a> {
        let (batch, first) = (self.batch, self.row.first_value as usize);
        self.own.iter().enumerate().map(move |(i, label)| (label.name, batch.text.value(first + i)))
    }

    /// All labels, in wire order.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &'a str)> + use<'a> {
        let batch = self.batch;
        self.subject_index().into_iter().flat_map(move |index| batch.subject_labels(index)).chain(self.own())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::{Bytes, Count, Seconds};

    struct Disk;
    impl Subject for Disk {
        const LABELS: &'static [Label] = &[Label::open("disk", "disks of the machine")];
    }
    static READ: Family<Bytes, 1, Disk> = Family::counter(
        "disk_transferred_bytes_total",
        "Bytes moved to or from the disk.",
        &[Label::closed("direction", &["read", "write"])],
    );
    static UP: Family<Count, 0> = Family::gauge("up", "Whether it is up.", &[]);
    static LAT: Family<Seconds, 0> = Family::histogram("latency_seconds", "How long it took.", &[]);

    fn lines(batch: &Batch) -> Vec<String> {
        let mut lines = Vec::new();
        for desc in batch.families() {
            for sample in batch.samples(desc) {
                let labels: Vec<_> = sample.labels().all().map(|(k, v)| format!("{k}={v:?}")).collect();
                lines.push(format!("{}{{{}}} {}", desc.name, labels.join(","), sample.number()));
            }
        }
        lines
    }

    #[test]
    fn samples_come_back_grouped_by_family_with_the_subjects_labels_first() {
        let mut batch = Batch::default();
        let sda = batch.subject::<Disk, 1>(["sda"]);
        batch.put_of(&READ, sda, ["read"], Bytes(7));
        batch.put(&UP, [], true);
        batch.put_of(&READ, sda, ["write"], Bytes(8));
        assert_eq!(
            lines(&batch),
            [
                r#"disk_transferred_bytes_total{disk="sda",direction="read"} 7"#,
                r#"disk_transferred_bytes_total{disk="sda",direction="write"} 8"#,
                "up{} 1"
            ]
        );
        batch.clear();
        assert!(lines(&batch).is_empty());
    }

    #[test]
    fn what_is_over_the_limit_is_dropped_and_counted() {
        let mut batch = Batch::with_limits(Limits { per_family: 1, total: 2 });
        let sda = batch.subject::<Disk, 1>(["sda"]);
        batch.put_of(&READ, sda, ["read"], Bytes(1));
        batch.put_of(&READ, sda, ["write"], Bytes(1));
        batch.put(&UP, [], 1_u8);
        assert_eq!(batch.len(), 2);
        assert_eq!(
            batch.dropped().map(|(d, n)| (d.name, n)).collect::<Vec<_>>(),
            [("disk_transferred_bytes_total", 1)]
        );
    }

    #[test]
    fn a_rollback_leaves_what_was_there_at_the_mark() {
        let mut batch = Batch::default();
        let sda = batch.subject::<Disk, 1>(["sda"]);
        batch.put_of(&READ, sda, ["read"], Bytes(1));
        let mark = batch.mark();
        batch.put_of(&READ, sda, ["write"], Bytes(2));
        batch.put(&UP, [], 1_u8);
        batch.put_histogram(&LAT, None, [], Histogram::default());
        batch.rollback(&mark);
        assert_eq!(lines(&batch), [r#"disk_transferred_bytes_total{disk="sda",direction="read"} 1"#]);
        assert_eq!(batch.len(), 1);
        batch.put(&UP, [], 1_u8);
        assert_eq!(lines(&batch).len(), 2);
    }
}
