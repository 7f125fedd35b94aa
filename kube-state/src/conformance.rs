//! Comparison with lines that were recorded from kube-state-metrics: objects in, lines out, every difference shown.
//!
//! The input has one JSON record a line: `id`, `resource` (plural), `object`, and what is expected of it: `default`
//! (no allowlists, no opt-in), `star` (everything allowed and opted in), each a list of `{name, lines}`, and for some
//! records `case_lines` (opt-in on) under `case_allow_labels` and `case_allow_annotations`. Order of lines does not matter.
//! kube-state-metrics writes a series twice when an object names something twice; of such lines the first is expected.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    family::Gate,
    kind::{OptIn, Resource},
    labels::AllowList,
    number, resources,
    rows::{Options, Rows},
};

pub mod sharding;

/// A record of the input.
#[derive(Debug, Deserialize)]
struct Record {
    id: u64,
    resource: String,
    object: Box<RawValue>,
    default: Vec<Expected>,
    star: Vec<Expected>,
    case_lines: Option<Vec<String>>,
    case_allow_labels: Option<Vec<String>>,
    case_allow_annotations: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Expected {
    name: String,
    lines: Vec<String>,
}

/// What was compared and what differs.
#[derive(Debug, Default)]
pub struct Report {
    /// Records.
    pub vectors: usize,
    /// Records without any difference.
    pub identical: usize,
    /// Families that had a line in some record, as expected.
    pub covered: BTreeSet<String>,
    /// One text for each difference.
    pub differences: Vec<String>,
}

impl Report {
    /// Whether something was compared and nothing differs.
    pub fn is_clean(&self) -> bool {
        self.vectors > 0 && self.identical == self.vectors
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        let theirs = |resource: &&dyn Resource| resource.descs().filter(|desc| desc.gate != Gate::Ours).count();
        let families: usize = resources::ALL.iter().map(theirs).sum();
        let (same, all, covered) = (self.identical, self.vectors, self.covered.len());
        write!(f, "vectors identical: {same} of {all}; families covered: {covered} of {families}")
    }
}

/// What makes the input unusable.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: cannot read the record")]
pub struct BadRecord {
    line: usize,
    source: serde_json::Error,
}

/// Compares all records of a text.
pub fn compare(text: &str) -> Result<Report, BadRecord> {
    let mut report = Report::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let record: Record = serde_json::from_str(line).map_err(|source| BadRecord { line: index + 1, source })?;
        let before = report.differences.len();
        report.vectors += 1;
        compare_record(&record, &mut report);
        report.identical += usize::from(report.differences.len() == before);
    }
    Ok(report)
}

fn compare_record(record: &Record, report: &mut Report) {
    let Some(resource) = resources::find(&record.resource) else {
        report.differences.push(format!("object {}: kind {:?} is not known", record.id, record.resource));
        return;
    };
    let plain = resource.options(AllowList::default(), AllowList::default(), OptIn::None);
    let star = resource.options(AllowList::all(), AllowList::all(), OptIn::All);
    for (name, options, expected) in [("default", plain, &record.default), ("star", star, &record.star)] {
        report.covered.extend(expected.iter().filter(|f| !f.lines.is_empty()).map(|f| f.name.clone()));
        let lines = expected.iter().flat_map(|family| &family.lines).map(String::as_str).collect();
        compare_lines(record, name, resource, options, lines, report);
    }
    if let Some(lines) = &record.case_lines {
        let labels = allowed(record.case_allow_labels.as_deref(), lines, resource, Gate::Labels);
        let annotations = allowed(record.case_allow_annotations.as_deref(), lines, resource, Gate::Annotations);
        let options = resource.options(labels, annotations, OptIn::All);
        compare_lines(record, "case", resource, options, lines.iter().map(String::as_str).collect(), report);
    }
}

/// The allowlist of a case. Some records expect rows that only a list can give but were made without noting it; for
/// them everything is allowed.
fn allowed(noted: Option<&[String]>, lines: &[String], resource: &dyn Resource, gate: Gate) -> AllowList {
    let gated = |line: &String| {
        let name = line.split_once('{').map(|(name, _)| name);
        resource.descs().any(|desc| desc.gate == gate && Some(desc.name) == name)
    };
    match noted {
        Some(patterns) => AllowList::new(patterns),
        None if lines.iter().any(gated) => AllowList::all(),
        None => AllowList::default(),
    }
}

fn compare_lines(
    record: &Record,
    case: &str,
    resource: &'static dyn Resource,
    options: Options,
    mut expected: Vec<&str>,
    report: &mut Report,
) {
    let mut rows = Rows::new(Arc::new(options));
    if let Err(error) = resource.render(record.object.get().as_bytes(), &mut rows) {
        report.differences.push(format!("object {} ({}, {case}): {error}", record.id, record.resource));
        return;
    }
    let mut seen = BTreeSet::new();
    expected.retain(|line| seen.insert(line.rsplit_once(' ').map_or(*line, |(series, _)| series)));
    let mut lines = lines(resource, &rows);
    lines.sort_unstable();
    expected.sort_unstable();
    if let Some(difference) = first_differences(&expected, &lines) {
        report.differences.push(format!("object {} ({}, {case}):{difference}", record.id, record.resource));
    }
}

/// The series of an object as text lines, in the order of the output.
pub fn lines(resource: &dyn Resource, rows: &Rows) -> Vec<String> {
    let line = |row| {
        let family: &crate::rows::Row = row;
        let mut line = Vec::new();
        line.extend_from_slice(resource.family(family.family.into()).map_or("", |desc| desc.name).as_bytes());
        line.push(b'{');
        line.extend_from_slice(rows.identity());
        line.extend_from_slice(rows.own_labels(family));
        line.extend_from_slice(b"} ");
        number::push(&mut line, family.number);
        String::from_utf8_lossy(&line).into_owned()
    };
    rows.all().iter().map(line).collect()
}

/// Lines of one side that the other lacks. Both are sorted.
fn first_differences(expected: &[&str], lines: &[String]) -> Option<String> {
    let (mut left, mut right) = (expected.iter().peekable(), lines.iter().peekable());
    let mut text = String::new();
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(left), Some(right)) => (**left).cmp(right.as_str()),
        };
        if order.is_le() {
            let line = left.next();
            if order.is_lt() {
                let _ = write!(text, "\n  expected {}", line.unwrap_or(&""));
            }
        }
        if order.is_ge() {
            let line = right.next();
            if order.is_gt() {
                let _ = write!(text, "\n  got      {}", line.map_or("", String::as_str));
            }
        }
    }
    (!text.is_empty()).then_some(text)
}
