//! Comparing two pages about the same machine: every series of the reference must be in ours.
//!
//! The reference is read several times, before and after ours, because it measures on its own schedule: a kubelet's
//! value is up to 15 s old. A counter of ours must lie between the reference's last sample before our read and its
//! first sample after it. A gauge that moves was measured at other instants than ours, so ours is read several times
//! too: what ours showed and what the reference showed in that time must overlap, or be within what [`Near`] allows.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::differences::{self, Difference, Near};
use crate::exposition::{Page, Sample, Series};

/// A page of the reference and the time it was asked for, in milliseconds.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) at_ms: i64,
    pub(crate) page: Page,
}

impl Read {
    fn sample(&self, series: &Series) -> Option<(i64, f64)> {
        let sample = self.page.samples.get(series)?;
        Some((sample.time_ms.unwrap_or(self.at_ms), sample.value))
    }
}

/// What came of one series.
#[derive(Debug, Clone, PartialEq)]
enum Verdict {
    Equal,
    Between,
    Near(&'static Near),
    Explained(&'static Difference),
    Missing { instead: Option<String> },
    OtherType { theirs: String, ours: String },
    Outside { low: f64, high: f64, ours: f64 },
}

/// The outcome of a comparison.
#[derive(Debug, Default)]
pub(crate) struct Report {
    verdicts: BTreeMap<Series, Verdict>,
    ended: usize,
    beyond: BTreeMap<String, usize>,
    beyond_rows: BTreeMap<String, usize>,
}

/// Compares every series that all reads of the reference show with ours: the first page read within `time_ms`, the
/// others while the reference was read.
pub(crate) fn compare(reads: &[Read], pages: &[Page], time_ms: &RangeInclusive<i64>) -> Report {
    let mut report = Report::default();
    let (Some((first, rest)), Some(ours)) = (reads.split_first(), pages.first()) else { return report };
    for series in first.page.samples.keys() {
        if rest.iter().all(|read| read.page.samples.contains_key(series)) {
            report.verdicts.insert(series.clone(), verdict(series, reads, pages, time_ms));
        } else {
            report.ended += 1;
        }
    }
    let theirs = first.page.families();
    for series in ours.samples.keys().filter(|series| !first.page.samples.contains_key(series)) {
        let new_family = theirs.binary_search(&series.name.as_str()).is_err();
        let (map, key) = if new_family {
            (&mut report.beyond, series.name.clone())
        } else {
            (&mut report.beyond_rows, row_kind(series))
        };
        *map.entry(key).or_default() += 1;
    }
    report
}

fn verdict(series: &Series, reads: &[Read], pages: &[Page], time_ms: &RangeInclusive<i64>) -> Verdict {
    let type_of = |page: &Page| page.types.get(&series.name).cloned().unwrap_or_default();
    let theirs = reads.first().map(|read| type_of(&read.page)).unwrap_or_default();
    let found = |page| find(series, page).map(|sample| (0, sample.value));
    let Some((ours, (_, value))) = pages.first().and_then(|ours| Some((ours, found(ours)?))) else {
        return Verdict::Missing { instead: pages.first().and_then(|ours| instead(series, ours)) };
    };
    if type_of(ours) != theirs {
        return Verdict::OtherType { theirs, ours: type_of(ours) };
    }
    let samples: Vec<(i64, f64)> = reads.iter().filter_map(|read| read.sample(series)).collect();
    let counter = theirs == "counter";
    let (low, high) = if counter { around(&samples, time_ms) } else { extent(&samples) };
    if low == value && high == value {
        return Verdict::Equal;
    }
    let rounding = value.abs() * 1e-9; // the same nanoseconds through another division
    if low - rounding <= value && value <= high + rounding {
        return Verdict::Between;
    }
    if !counter {
        let (least, most) = extent(&pages.iter().filter_map(found).collect::<Vec<_>>());
        if least <= high && low <= most {
            return Verdict::Between;
        }
    }
    if let Some(difference) = differences::EXPLAINED.iter().find(|d| d.covers(series, (low, high), value)) {
        return Verdict::Explained(difference);
    }
    match differences::NEAR.iter().find(|near| near.covers(series, (low, high), value)) {
        Some(near) => Verdict::Near(near),
        None => Verdict::Outside { low, high, ours: value },
    }
}

/// Our sample of a series, past those labels that name the program itself.
fn find<'a>(series: &'a Series, ours: &'a Page) -> Option<&'a Sample> {
    if let Some(sample) = ours.samples.get(series) {
        return Some(sample);
    }
    let of_program = differences::OF_THE_PROGRAM.iter().find(|(family, _)| *family == series.name)?;
    let same = |other: &Series| {
        let pairs = series.labels.iter().zip(&other.labels);
        series.labels.len() == other.labels.len()
            && pairs.into_iter().all(|(a, b)| a == b || (a.0 == b.0 && of_program.1.contains(&a.0.as_str())))
    };
    ours.series(&series.name).find(|(other, _)| same(other)).map(|(_, sample)| sample)
}

/// The labels of the series that ours has of the same cgroup, where they are not the same.
fn instead(series: &Series, ours: &Page) -> Option<String> {
    let id = series.label("id");
    let of_id = |other: &&Series| !id.is_empty() && other.label("id") == id;
    let (other, _) = ours.series(&series.name).find(|(other, _)| of_id(other))?;
    let labels = other.labels.iter().filter(|pair| !series.labels.contains(pair));
    Some(labels.map(|(key, value)| format!("{key}={value:?}")).collect::<Vec<_>>().join(","))
}

/// The last value before our read and the first after it.
fn around(samples: &[(i64, f64)], time_ms: &RangeInclusive<i64>) -> (f64, f64) {
    let before = samples.iter().rfind(|(time, _)| time <= time_ms.start()).or(samples.first());
    let after = samples.iter().find(|(time, _)| time >= time_ms.end()).or(samples.last());
    (before.map_or(f64::NAN, |s| s.1), after.map_or(f64::NAN, |s| s.1))
}

fn extent(samples: &[(i64, f64)]) -> (f64, f64) {
    let values = || samples.iter().map(|sample| sample.1);
    (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
}

/// What a row is about, for the list of what ours has beyond.
fn row_kind(series: &Series) -> String {
    let id = series.label("id");
    if id.is_empty() {
        return format!("{} with other labels", series.name);
    }
    if !series.label("pod").is_empty() {
        let whose = if series.label("image").is_empty() { "pod" } else { "container" };
        return format!("{} of a {whose}", series.name);
    }
    format!("rows of {}", if id.len() > 40 { "other cgroups" } else { id })
}

impl Report {
    /// Whether each series is there and right, or its difference is explained.
    pub(crate) fn is_clean(&self) -> bool {
        !self.verdicts.is_empty() && self.count(Verdict::is_bad) == 0
    }

    fn count(&self, is: impl Fn(&Verdict) -> bool) -> usize {
        self.verdicts.values().filter(|v| is(v)).count()
    }

    /// The one line of the outcome.
    pub(crate) fn summary(&self, of: &str) -> String {
        let all = self.verdicts.len();
        let mut families: Vec<&str> = self.verdicts.keys().map(|series| series.name.as_str()).collect();
        families.dedup();
        format!("{} of {all} series of {of}, {} families", all - self.count(Verdict::is_bad), families.len())
    }

    /// Prints all that a person needs to judge it.
    pub(crate) fn print(&self, of: &str, verbose: bool) {
        println!("\ncompared with {of}:");
        println!("  {:>6} equal in every read", self.count(|v| *v == Verdict::Equal));
        println!("  {:>6} between two reads", self.count(|v| *v == Verdict::Between));
        for near in differences::NEAR {
            self.line(|v| matches!(v, Verdict::Near(n) if std::ptr::eq(*n, near)), "near", near.family, near.why);
        }
        for d in differences::EXPLAINED {
            self.line(|v| matches!(v, Verdict::Explained(e) if std::ptr::eq(*e, d)), "explained", d.family, d.why);
        }
        if self.ended > 0 {
            println!("  {:>6} not compared: their container ended between the reads", self.ended);
        }
        self.print_beyond();
        self.print_bad(verbose);
    }

    /// One line for each family and way of being wrong, or one for each series.
    fn print_bad(&self, verbose: bool) {
        let mut groups: BTreeMap<(&str, &str), Vec<(&Series, &Verdict)>> = BTreeMap::new();
        for (series, verdict) in self.verdicts.iter().filter(|(_, v)| v.is_bad()) {
            groups.entry((&series.name, verdict.word())).or_default().push((series, verdict));
        }
        for ((family, word), group) in groups {
            println!("  DIFFERENT {family}: {} series {word}", group.len());
            for (series, verdict) in group.iter().take(if verbose { usize::MAX } else { 2 }) {
                println!("      {series}: {verdict}");
            }
        }
    }

    fn line(&self, is: impl Fn(&Verdict) -> bool, word: &str, family: &str, why: &str) {
        let count = self.count(is);
        if count > 0 {
            println!("  {count:>6} {word}: {family}: {why}");
        }
    }

    fn print_beyond(&self) {
        let total: usize = self.beyond.values().chain(self.beyond_rows.values()).sum();
        println!("  beyond it, ours has {total} series:");
        for (family, count) in &self.beyond {
            println!("  {count:>6} {family}");
        }
        for (kind, count) in &self.beyond_rows {
            println!("  {count:>6} {kind}");
        }
    }
}

impl Verdict {
    fn word(&self) -> &'static str {
        match self {
            Self::Missing { instead: None } => "missing",
            Self::Missing { .. } => "with other labels",
            Self::OtherType { .. } => "of another type",
            _ => "with another value",
        }
    }

    fn is_bad(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::OtherType { .. } | Self::Outside { .. })
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Equal => f.write_str("equal"),
            Self::Between => f.write_str("between two reads"),
            Self::Near(near) => f.write_str(near.why),
            Self::Explained(difference) => f.write_str(difference.why),
            Self::Missing { instead: None } => f.write_str("not in ours"),
            Self::Missing { instead: Some(labels) } => write!(f, "ours has {labels}"),
            Self::OtherType { theirs, ours } => write!(f, "theirs is a {theirs}, ours a {ours:?}"),
            Self::Outside { low, high, ours } => write!(f, "ours is {ours}, theirs {low} to {high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(at_ms: i64, text: &str) -> Read {
        Read { at_ms, page: Page::parse(text).unwrap() }
    }

    fn against(reads: &[Read], ours: &str) -> Report {
        compare(reads, &[Page::parse(ours).unwrap()], &(100..=110))
    }

    #[test]
    fn a_counter_must_lie_between_the_samples_around_our_read() {
        let text = |value, time| format!("# TYPE c_total counter\nc_total {value} {time}\n");
        let reads = [read(90, &text(1, 50)), read(120, &text(5, 105)), read(140, &text(9, 130))];
        for (value, good) in [(0, false), (1, true), (7, true), (9, true), (10, false)] {
            assert_eq!(against(&reads, &text(value, 0)).is_clean(), good, "{value}");
        }
        // Without the last read the counter could not be judged by a sample that is older than ours.
        assert!(!against(&reads[..1], &text(7, 0)).is_clean());
    }

    #[test]
    fn a_gauge_that_moves_must_have_met_the_other_at_some_time() {
        let page = |value| Page::parse(&format!("# TYPE g gauge\ng {value}\n")).unwrap();
        let reads = [5, 8].map(|value| read(90, &format!("# TYPE g gauge\ng {value}\n")));
        for (ours, good) in [([4, 5], true), ([9, 7], true), ([4, 9], true), ([9, 12], false), ([1, 4], false)] {
            assert_eq!(compare(&reads, &ours.map(page), &(100..=110)).is_clean(), good, "{ours:?}");
        }
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_not_clean() {
        let reads = [read(90, "# TYPE a gauge\na{x=\"1\"} 1\n")];
        assert!(against(&reads, "# TYPE a gauge\na{x=\"1\"} 1\nb 2\n").is_clean());
        assert!(!against(&reads, "# TYPE a gauge\na{x=\"2\"} 1\n").is_clean());
        assert!(!against(&reads, "# TYPE a counter\na{x=\"1\"} 1\n").is_clean());
        assert!(!against(&reads, "# TYPE a gauge\na{x=\"1\"} 3\n").is_clean());
        assert!(!against(&[], "").is_clean(), "nothing compared is nothing shown");
    }

    #[test]
    fn a_container_that_ended_is_counted_apart() {
        let reads =
            [read(90, "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 1\n"), read(120, "# TYPE a gauge\na{x=\"1\"} 1\n")];
        let report = against(&reads, "# TYPE a gauge\na{x=\"1\"} 1\n");
        assert!(report.is_clean());
        assert_eq!((report.ended, report.summary("them").as_str()), (1, "1 of 1 series of them, 1 families"));
    }
}
