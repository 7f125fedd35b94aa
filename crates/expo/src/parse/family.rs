//! Families read from a page, and the checks of a strict parser.

use std::collections::{HashMap, HashSet};

use super::{
    error::Problem,
    grammar::{Grammar, Strictness, suffixes},
};
use crate::{
    dialect::Dialect,
    model::{Exposition, ParsedFamily, ParsedKind, ParsedSample},
};

const EXEMPLAR_CHARS: usize = 128;

/// A family whose lines are being read. The name is the one of its header.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) name: String,
    pub(super) help: Option<String>,
    pub(super) kind: Option<ParsedKind>,
    pub(super) unit: Option<String>,
    pub(super) samples: Vec<ParsedSample>,
    /// The line of each sample.
    pub(super) lines: Vec<usize>,
    /// `_created` lines whose sample has not come yet.
    created: Vec<ParsedSample>,
}

impl Open {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            help: None,
            kind: None,
            unit: None,
            samples: Vec::new(),
            lines: Vec::new(),
            created: Vec::new(),
        }
    }

    /// Takes a sample that is one of the family's by its name.
    pub(super) fn add(&mut self, sample: ParsedSample, line: usize, grammar: Grammar) -> Result<(), Problem> {
        if grammar.dialect == Dialect::OpenMetrics {
            if grammar.strictness == Strictness::Strict {
                self.check_openmetrics(&sample)?;
            }
            let suffix = sample.name.strip_prefix(self.name.as_str());
            if suffix == Some("_created") && suffixes(self.kind(), grammar.dialect).contains(&"_created") {
                if !self.attach_created(&sample) {
                    self.created.push(sample);
                }
                return Ok(());
            }
        }
        self.samples.push(sample);
        self.lines.push(line);
        Ok(())
    }

    fn kind(&self) -> ParsedKind {
        self.kind.unwrap_or_default()
    }

    /// Puts the value of a `_created` line on the sample it is about.
    fn attach_created(&mut self, created: &ParsedSample) -> bool {
        let suffix = if self.kind() == ParsedKind::Counter { "_total" } else { "_count" };
        let of = self.samples.iter_mut().rev().find(|sample| {
            sample.labels == created.labels && sample.name.strip_prefix(self.name.as_str()) == Some(suffix)
        });
        let found = of.is_some();
        if let Some(sample) = of {
            sample.created = Some(created.value);
        }
        found
    }

    fn check_openmetrics(&self, sample: &ParsedSample) -> Result<(), Problem> {
        let kind = self.kind();
        let bucket = sample.name.ends_with("_bucket");
        if let Some(exemplar) = &sample.exemplar {
            let counted = kind == ParsedKind::Counter && sample.name.ends_with("_total");
            let observed = matches!(kind, ParsedKind::Histogram | ParsedKind::GaugeHistogram) && bucket;
            if !counted && !observed {
                return Err(Problem::MisplacedExemplar(sample.name.clone()));
            }
            let chars = |(name, value): &(String, String)| name.chars().count() + value.chars().count();
            if exemplar.labels.iter().map(chars).sum::<usize>() > EXEMPLAR_CHARS {
                return Err(Problem::LongExemplar);
            }
        }
        let fits = match kind {
            ParsedKind::Counter => sample.value >= 0.0,
            ParsedKind::Info => sample.value == 1.0,
            ParsedKind::StateSet => (sample.value == 0.0 || sample.value == 1.0) && sample.label(&self.name).is_some(),
            _ => true,
        };
        let value = || Problem::BadValue { value: sample.value.to_string(), kind: kind.name() };
        if fits { Ok(()) } else { Err(value()) }
    }
}

/// The problem of a family.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) problem: Problem,
    /// The sample that shows it, when it is one.
    pub(super) sample: Option<usize>,
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self { problem, sample: None }
    }
}

/// The families of a page so far.
#[derive(Debug)]
pub(super) struct Families {
    dialect: Dialect,
    strictness: Strictness,
    done: Vec<ParsedFamily>,
    /// Each name that a sample of a family may have, with the family.
    claimed: HashMap<String, String>,
}

impl Families {
    pub(super) fn new(dialect: Dialect, strictness: Strictness) -> Self {
        Self { dialect, strictness, done: Vec::new(), claimed: HashMap::new() }
    }

    pub(super) fn finish(self) -> Exposition {
        Exposition { families: self.done }
    }

    /// Takes a family that is complete.
    pub(super) fn add(&mut self, mut open: Open) -> Result<(), Fault> {
        for created in std::mem::take(&mut open.created) {
            if !open.attach_created(&created) && self.strictness == Strictness::Strict {
                return Err(Problem::LoneCreated(created.name).into());
            }
        }
        let kind = open.kind();
        let header = open.name.clone();
        let unit = open.unit.unwrap_or_default();
        let family = ParsedFamily {
            name: full_name(open.name, kind, self.dialect, &open.samples),
            help: open.help.unwrap_or_default(),
            kind,
            unit,
            samples: open.samples,
        };
        self.push(family, &header)
    }

    /// Takes a family that stands on the page under `header`.
    pub(super) fn push(&mut self, family: ParsedFamily, header: &str) -> Result<(), Fault> {
        if self.strictness == Strictness::Strict {
            self.claim(header, family.kind)?;
            check_unit(&family, header)?;
            no_series_twice(&family)?;
            if matches!(family.kind, ParsedKind::Histogram | ParsedKind::GaugeHistogram) {
                check_buckets(&family)?;
            }
        }
        self.done.push(family);
        Ok(())
    }

    fn claim(&mut self, header: &str, kind: ParsedKind) -> Result<(), Problem> {
        let allowed = suffixes(kind, self.dialect);
        for suffix in allowed.iter().copied().chain((!allowed.contains(&"")).then_some("")) {
            let name = format!("{header}{suffix}");
            let Some(other) = self.claimed.insert(name.clone(), header.to_owned()) else { continue };
            return Err(if other == header {
                Problem::Interleaved(header.to_owned())
            } else {
                Problem::NameClash { name, family: header.to_owned(), other }
            });
        }
        Ok(())
    }
}

/// The name that the model has for a family.
fn full_name(header: String, kind: ParsedKind, dialect: Dialect, samples: &[ParsedSample]) -> String {
    let suffix = match (dialect, kind) {
        (Dialect::OpenMetrics, ParsedKind::Counter) => "_total",
        (Dialect::OpenMetrics, ParsedKind::Info) => "_info",
        _ => return header,
    };
    // Some programs print the full name in the header, too.
    let printed_in_full = samples.first().is_some_and(|sample| sample.name == header);
    if printed_in_full { header } else { header + suffix }
}

fn check_unit(family: &ParsedFamily, header: &str) -> Result<(), Problem> {
    let unit = &family.unit;
    let stem =
        if family.kind == ParsedKind::Counter { header.strip_suffix("_total").unwrap_or(header) } else { header };
    let fits = unit.is_empty()
        || (!matches!(family.kind, ParsedKind::Info | ParsedKind::StateSet)
            && stem.strip_suffix(unit.as_str()).is_some_and(|head| head.ends_with('_')));
    if fits { Ok(()) } else { Err(Problem::BadUnit { unit: unit.clone(), family: header.to_owned() }) }
}

fn no_series_twice(family: &ParsedFamily) -> Result<(), Fault> {
    let mut seen = HashSet::with_capacity(family.samples.len());
    for (index, sample) in family.samples.iter().enumerate() {
        let mut labels: Vec<_> = sample.labels.iter().collect();
        labels.sort();
        if !seen.insert((sample.name.as_str(), labels)) {
            return Err(Fault { problem: Problem::DuplicateSeries(series(sample)), sample: Some(index) });
        }
    }
    Ok(())
}

fn series(sample: &ParsedSample) -> String {
    let labels: Vec<_> = sample.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{}{{{}}}", sample.name, labels.join(","))
}

/// The classic buckets of one label set.
#[derive(Default)]
struct Distribution {
    last_bound: Option<f64>,
    last_count: f64,
    total: Option<f64>,
    last_sample: usize,
}

impl Distribution {
    fn bucket(&mut self, sample: &ParsedSample) -> Result<(), &'static str> {
        let bound = match sample.label("le").ok_or("bucket without le")? {
            "+Inf" => f64::INFINITY,
            bound => bound.parse().map_err(|_| "le is not a number")?,
        };
        if self.last_bound.is_some_and(|last| last >= bound) {
            return Err("bounds do not rise");
        }
        if sample.value < self.last_count {
            return Err("buckets are not cumulative");
        }
        (self.last_bound, self.last_count) = (Some(bound), sample.value);
        Ok(())
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.last_bound != Some(f64::INFINITY) {
            return Err("no +Inf bucket");
        }
        if self.total.is_some_and(|total| total != self.last_count) {
            return Err("count and +Inf bucket differ");
        }
        Ok(())
    }
}

fn check_buckets(family: &ParsedFamily) -> Result<(), Fault> {
    let mut by_labels: HashMap<Vec<&(String, String)>, Distribution> = HashMap::new();
    let fault = |index: usize, series: String, what| Fault {
        problem: Problem::Inconsistent { series, what },
        sample: Some(index),
    };
    for (index, sample) in family.samples.iter().enumerate().filter(|(_, sample)| sample.histogram.is_none()) {
        let labels = sample.labels.iter().filter(|(name, _)| name != "le").collect();
        let distribution = by_labels.entry(labels).or_default();
        distribution.last_sample = index;
        match sample.name.strip_prefix(family.name.as_str()) {
            Some("_bucket") => distribution.bucket(sample).map_err(|what| fault(index, series(sample), what))?,
            Some("_count" | "_gcount") => distribution.total = Some(sample.value),
            _ => {}
        }
    }
    for (labels, distribution) in by_labels {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let series = || format!("{}{{{}}}", family.name, labels.join(","));
        distribution.check().map_err(|what| fault(distribution.last_sample, series(), what))?;
    }
    Ok(())
}
