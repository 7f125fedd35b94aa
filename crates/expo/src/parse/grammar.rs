//! Rules of a reader: which format, how strictly, which names and suffixes.

use crate::{dialect::Dialect, model::ParsedKind};

/// How much a reader forgives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Nothing.
    Strict,
    /// Everything that scrapers forgive.
    Lenient,
}

/// The rules for lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grammar {
    pub(super) dialect: Dialect,
    pub(super) strictness: Strictness,
}

impl Grammar {
    pub(super) fn is_lenient(self) -> bool {
        self.strictness == Strictness::Lenient
    }

    /// Whether more than one blank may stand between things.
    pub(super) fn is_loose(self) -> bool {
        self.dialect == Dialect::Text004 || self.is_lenient()
    }
}

/// Suffixes that the samples of a family may have after its name.
pub(super) fn suffixes(kind: ParsedKind, dialect: Dialect) -> &'static [&'static str] {
    use ParsedKind::{Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Summary, Unknown};
    match (dialect, kind) {
        (Dialect::OpenMetrics, Counter) => &["_total", "_created"],
        (Dialect::OpenMetrics, Info) => &["_info"],
        (Dialect::OpenMetrics, Histogram) => &["_bucket", "_count", "_sum", "_created"],
        (Dialect::OpenMetrics, Summary) => &["", "_count", "_sum", "_created"],
        (Dialect::OpenMetrics, GaugeHistogram) => &["_bucket", "_gcount", "_gsum"],
        (Dialect::Text004, Histogram | GaugeHistogram) => &["_bucket", "_count", "_sum"],
        (Dialect::Text004, Summary) => &["", "_count", "_sum"],
        (_, Counter | Gauge | Info | StateSet | Unknown) => &[""],
    }
}

/// Whether a sample may have this name.
pub(super) fn is_metric_name(name: &str) -> bool {
    is_name(name, |b| b == b':')
}

/// Whether a label may have this name.
pub(super) fn is_label_name(name: &str) -> bool {
    is_name(name, |_| false)
}

fn is_name(name: &str, more: impl Fn(u8) -> bool) -> bool {
    let mut bytes = name.bytes();
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_' || more(b);
    bytes.next().is_some_and(letter) && bytes.all(|b| letter(b) || b.is_ascii_digit())
}
