//! A metric family, declared once as a static. Invalid declarations do not compile.

#![expect(clippy::indexing_slicing, reason = "const fns have no checked indexing; they run at compile time")]

use std::{
    marker::PhantomData,
    sync::atomic::{AtomicU32, Ordering},
};

use serde::{Deserialize, Serialize};

use crate::{
    label::Label,
    unit::{Unit, UnitName},
};

/// The type of a family, as the exposition formats name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only rises, until it starts again from zero.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution: classic buckets, native buckets, or both.
    Histogram,
    /// Text in labels, the value is always 1. A gauge where the format knows no info type.
    Info,
    /// One series per state, 1 for the state that holds. A gauge where the format knows no state set.
    StateSet,
    /// Of no known type.
    Unknown,
}

impl Kind {
    /// The kind as the text formats spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Unknown => "unknown",
        }
    }
}

/// The labels that every sample about one thing shares: a container, a disk. They are given once per thing and batch,
/// not with each sample.
pub trait Subject: 'static {
    /// Their names, in wire order.
    const LABELS: &'static [Label];
}

/// The subject of families whose labels are all given with the sample.
#[derive(Debug)]
pub struct Alone;

impl Subject for Alone {
    const LABELS: &'static [Label] = &[];
}

/// A family's declaration without its types: for header lines, documentation and contract tests.
#[derive(Debug)]
pub struct Desc {
    /// Full name, as on the wire; a counter's ends in `_total`.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The unit of its value.
    pub unit: UnitName,
    /// Labels that its subject brings.
    pub subject_labels: &'static [Label],
    /// Labels that each sample brings; on the wire they follow the subject's.
    pub labels: &'static [Label],
    /// The program whose name and type this family keeps although they may break our rules.
    pub named_by: Option<&'static str>,
    /// Whether the machine told the name, see [`crate::Discovered`]: no catalogue lists it.
    pub discovered: bool,
    slot: AtomicU32,
}

impl Desc {
    /// A small number that is this family's own in this process, given at the first call. Batches index by it.
    pub fn slot(&self) -> usize {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        static ASSIGN: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let slot = self.slot.load(Ordering::Relaxed);
        if slot != 0 {
            return slot as usize - 1;
        }
        let _one_at_a_time = ASSIGN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let slot = self.slot.load(Ordering::Relaxed);
        if slot != 0 {
            return slot as usize - 1;
        }
        let slot = NEXT.fetch_add(1, Ordering::Relaxed);
        self.slot.store(slot, Ordering::Relaxed);
        slot as usize - 1
    }

    /// All label declarations, in wire order.
    pub fn all_labels(&self) -> impl Iterator<Item = &'static Label> + use<> {
        self.subject_labels.iter().chain(self.labels)
    }
}

/// A family whose samples are `U`s with `N` labels of their own, about an `S`.
#[derive(Debug)]
pub struct Family<U, const N: usize, S = Alone> {
    desc: Desc,
    types: PhantomData<fn(U, S)>,
}

impl<U: Unit, const N: usize, S: Subject> Family<U, N, S> {
    /// A value that only rises. Its name is `…_<unit>_total`.
    pub const fn counter(name: &'static str, help: &'static str, labels: &'static [Label; N]) -> Self {
        assert!(ends_with(name, "_total"), "a counter's name ends in _total");
        assert!(has_unit(name, U::NAME, "_total"), "the name lacks the unit of its value type");
        Self::new(name, help, Kind::Counter, labels, None)
    }

    /// A value that goes up and down. Its name is `…_<unit>`.
    pub const fn gauge(name: &'static str, help: &'static str, labels: &'static [Label; N]) -> Self {
        assert!(!ends_with(name, "_total"), "a gauge's name does not end in _total");
        assert!(has_unit(name, U::NAME, ""), "the name lacks the unit of its value type");
        Self::new(name, help, Kind::Gauge, labels, None)
    }

    /// A distribution. Its name is `…_<unit>`.
    pub const fn histogram(name: &'static str, help: &'static str, labels: &'static [Label; N]) -> Self {
        assert!(!ends_with(name, "_total"), "a histogram's name does not end in _total");
        assert!(has_unit(name, U::NAME, ""), "the name lacks the unit of its value type");
        Self::new(name, help, Kind::Histogram, labels, None)
    }

    /// Text in labels; put with the value 1. Its name ends in `_info`.
    pub const fn info(name: &'static str, help: &'static str, labels: &'static [Label; N]) -> Self {
        assert!(ends_with(name, "_info"), "an info family's name ends in _info");
        assert!(matches!(U::NAME, UnitName::None), "an info family has no unit");
        Self::new(name, help, Kind::Info, labels, None)
    }

    /// A family that keeps the name and type that the program `namer` gave it, be they as they may.
    pub const fn as_named_by(
        namer: &'static str,
        kind: Kind,
        name: &'static str,
        help: &'static str,
        labels: &'static [Label; N],
    ) -> Self {
        assert!(!namer.is_empty(), "say whose name it is");
        Self::new(name, help, kind, labels, Some(namer))
    }

    const fn new(
        name: &'static str,
        help: &'static str,
        kind: Kind,
        labels: &'static [Label; N],
        named_by: Option<&'static str>,
    ) -> Self {
        assert!(is_metric_name(name, named_by.is_some()), "metric names are snake_case");
        assert!(ends_with(help, "."), "the help text is a sentence");
        assert!(no_label_twice(S::LABELS, labels), "a label stands twice");
        let desc = Desc {
            name,
            help,
            kind,
            unit: U::NAME,
            subject_labels: S::LABELS,
            labels,
            named_by,
            discovered: false,
            slot: AtomicU32::new(0),
        };
        Self { desc, types: PhantomData }
    }

    /// The same, marked as found at run time.
    pub(crate) const fn discovered(self) -> Self {
        let Desc { name, help, kind, unit, subject_labels, labels, named_by, .. } = self.desc;
        let slot = AtomicU32::new(0);
        let desc = Desc { name, help, kind, unit, subject_labels, labels, named_by, discovered: true, slot };
        Self { desc, types: PhantomData }
    }

    /// The declaration without its types.
    pub const fn desc(&self) -> &Desc {
        &self.desc
    }
}

const fn ends_with(text: &str, suffix: &str) -> bool {
    let (text, suffix) = (text.as_bytes(), suffix.as_bytes());
    if text.len() < suffix.len() {
        return false;
    }
    let (mut i, start) = (0, text.len() - suffix.len());
    while i < suffix.len() {
        if text[start + i] != suffix[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Whether `name` is `…_<unit><tail>`; a plain number needs no suffix.
const fn has_unit(name: &str, unit: UnitName, tail: &str) -> bool {
    let suffix = unit.suffix();
    if suffix.is_empty() {
        return true;
    }
    let (head, _) = name.as_bytes().split_at(name.len() - tail.len());
    let suffix = suffix.as_bytes();
    if head.len() < suffix.len() + 2 || head[head.len() - suffix.len() - 1] != b'_' {
        return false;
    }
    let (mut i, start) = (0, head.len() - suffix.len());
    while i < suffix.len() {
        if head[start + i] != suffix[i] {
            return false;
        }
        i += 1;
    }
    true
}

pub(crate) const fn is_metric_name(name: &str, foreign: bool) -> bool {
    let bytes = name.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let b = bytes[i];
        let digit = i > 0 && b.is_ascii_digit();
        if !(b.is_ascii_lowercase() || digit || b == b'_' || (foreign && b.is_ascii_uppercase())) {
            return false;
        }
        i += 1;
    }
    !bytes.is_empty()
}

const fn no_label_twice(subject: &[Label], own: &[Label]) -> bool {
    let all = subject.len() + own.len();
    let mut i = 0;
    while i < all {
        let a = if i < subject.len() { subject[i].name } else { own[i - subject.len()].name };
        let mut j = i + 1;
        while j < all {
            let b = if j < subject.len() { subject[j].name } else { own[j - subject.len()].name };
            if a.len() == b.len() && ends_with(a, b) {
                return false;
            }
            j += 1;
        }
        i += 1;
    }
    true
}
