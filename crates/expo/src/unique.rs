//! Names and series of a page, each once.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use foldhash::fast::RandomState;

use crate::model::{ParsedFamily, ParsedKind, ParsedSample};

/// What the names of a family's lines end with, in some format.
fn suffixes(kind: ParsedKind) -> &'static [&'static str] {
    match kind {
        ParsedKind::Histogram => &["", "_bucket", "_sum", "_count"],
        ParsedKind::GaugeHistogram => &["", "_bucket", "_sum", "_count", "_gsum", "_gcount"],
        ParsedKind::Summary => &["", "_sum", "_count"],
        ParsedKind::Counter | ParsedKind::Gauge | ParsedKind::Info | ParsedKind::StateSet | ParsedKind::Unknown => {
            &[""]
        }
    }
}

/// The names that lines of a family may have, in some format: its own, and of a histogram `x` also `x_bucket`, `x_sum`
/// and `x_count`.
pub fn line_names(family: &str, kind: ParsedKind) -> impl Iterator<Item = String> {
    suffixes(kind).iter().map(move |suffix| format!("{family}{suffix}"))
}

/// Names of lines that a page has.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Name, and the number of the page that had it last: names stay, so that they are not allocated for each page.
    last: HashMap<Box<str>, u64, RandomState>,
    page: u64,
    name: String,
}

impl Names {
    /// Most names that are kept; a page of the agent has about a thousand.
    const MOST: usize = 20_000;

    /// A page is at its end; another begins.
    pub(crate) fn begin(&mut self) {
        self.page += 1;
        if self.last.len() > Self::MOST {
            self.last.clear();
        }
    }

    /// Takes the names of a family, if none of them is taken.
    pub(crate) fn are_free(&mut self, family: &str, kind: ParsedKind) -> bool {
        let Self { last, page, name } = self;
        for suffix in suffixes(kind) {
            spell(name, family, suffix);
            if last.get(name.as_str()) == Some(page) {
                return false;
            }
        }
        for suffix in suffixes(kind) {
            spell(name, family, suffix);
            match last.get_mut(name.as_str()) {
                Some(last) => *last = *page,
                None => drop(last.insert(name.as_str().into(), *page)),
            }
        }
        true
    }
}

fn spell(name: &mut String, family: &str, suffix: &str) {
    name.clear();
    name.push_str(family);
    name.push_str(suffix);
}

/// The family with each series once.
pub(crate) fn once(family: &ParsedFamily) -> Cow<'_, ParsedFamily> {
    if family.samples.len() < 2 {
        return Cow::Borrowed(family);
    }
    let mut seen = HashSet::with_capacity_and_hasher(family.samples.len(), RandomState::default());
    if family.samples.iter().all(|sample| seen.insert(Series::of(sample))) {
        return Cow::Borrowed(family);
    }
    seen.clear();
    let firsts = family.samples.iter().filter(|sample| seen.insert(Series::of(sample)));
    let samples = firsts.cloned().collect();
    let ParsedFamily { name, help, kind, unit, .. } = family;
    Cow::Owned(ParsedFamily { name: name.clone(), help: help.clone(), kind: *kind, unit: unit.clone(), samples })
}

/// Name and labels of a sample, in no matter which order; a label without a value is none. A native histogram is no
/// line, and stands beside those of the classic one.
#[derive(PartialEq, Eq, Hash)]
struct Series<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    is_native: bool,
}

impl<'a> Series<'a> {
    fn of(sample: &'a ParsedSample) -> Self {
        let labels = sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut labels: Vec<_> = labels.filter(|(_, value)| !value.is_empty()).collect();
        if !labels.is_sorted() {
            labels.sort_unstable();
        }
        Self { name: &sample.name, labels, is_native: sample.histogram.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lines_are_taken_with_their_family() {
        let mut names = Names::default();
        assert!(names.are_free("h", ParsedKind::Histogram));
        for (taken, kind) in
            [("h", ParsedKind::Gauge), ("h_count", ParsedKind::Unknown), ("h_sum", ParsedKind::Counter)]
        {
            assert!(!names.are_free(taken, kind), "{taken}");
        }
        assert!(names.are_free("s_count", ParsedKind::Gauge));
        assert!(!names.are_free("s", ParsedKind::Summary));
        assert!(names.are_free("s", ParsedKind::Gauge), "a family that is left out takes no names");
        assert!(names.are_free("h_total", ParsedKind::Counter));
        names.begin();
        assert!(names.are_free("h_count", ParsedKind::Counter), "on the next page");
    }
}
