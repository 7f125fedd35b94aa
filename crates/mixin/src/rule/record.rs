//! Recording rules, in the order in which they are evaluated.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::alert::{Case, Look, Sample, quoted_labels, sound_series};
use crate::catalog::{Inputs, Known, Labels};
use crate::query::Query;
use crate::threshold::{Threshold, Thresholds};
use crate::{Period, Problem, Source};

/// What the first part of a name promises of the labels.
const LEVELS: &[(&str, &[&str])] = &[
    ("claim", &["cluster", "namespace", "persistentvolumeclaim"]),
    ("cluster", &["cluster"]),
    ("namespace", &["cluster", "namespace"]),
    ("node", &["cluster", "node"]),
    ("node_device", &["cluster", "node", "device"]),
    ("node_mountpoint", &["cluster", "node", "mountpoint"]),
    ("pod", &["cluster", "namespace", "pod"]),
    ("workload", &["cluster", "namespace", "workload_kind", "workload"]),
];

/// The file of records.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Records(Vec<Record>);

/// One record as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// Its name, level:metric:operation.
    #[serde(rename = "record")]
    name: String,
    /// One sentence.
    about: String,
    /// Labels of its rows.
    by: Labels,
    /// Inputs without which it has no rows, where it reads others that it can do without.
    #[serde(default)]
    needs: Option<BTreeSet<String>>,
    /// Its query.
    expr: String,
    /// Its tests.
    tests: Vec<Test>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    name: String,
    data: BTreeMap<String, String>,
    at: BTreeMap<Period, Vec<Row>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    labels: BTreeMap<String, String>,
    value: f64,
}

/// A record that may be compiled.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) expr: String,
    pub(crate) inputs: BTreeSet<String>,
    pub(crate) thresholds: Vec<String>,
    pub(crate) cases: Vec<Case>,
}

impl Records {
    /// Checks all records, each of which may read those before it, and makes them known.
    pub(crate) fn checked(
        source: &Source,
        owner_labels: &[String],
        known: &mut Known,
        (inputs, thresholds, taken): (&Inputs, &Thresholds, &BTreeSet<String>),
    ) -> Result<Vec<Recorded>, Vec<Problem>> {
        let Self(records) = source.read().map_err(|problem| vec![problem])?;
        let (mut problems, mut all) = (Vec::new(), Vec::<Recorded>::new());
        for (at, mut record) in records.into_iter().enumerate() {
            let line = source.text.lines().zip(1..).filter(|(line, _)| line.starts_with("- record:")).nth(at);
            let line: u64 = line.map_or(0, |(_, line)| line);
            let mut refuse = |key: &str, what: String| {
                let key = format!("{}.{key}", record.name);
                problems.push(Problem { file: source.file.clone(), line, key, what });
            };
            let owners = |text: &str| text.replace("${owner_labels}", &owner_labels.join(", "));
            if record.by.remove("${owner_labels}") {
                record.by.extend(owner_labels.iter().cloned());
            }
            if let Err(what) = well_named(&record.name, &record.by) {
                refuse("record", what);
            }
            if taken.contains(&record.name) {
                refuse("record", "is the name of a record of another set that users have".to_owned());
            }
            if record.about.trim().is_empty() {
                refuse("about", "is empty".to_owned());
            }
            let (expr, used) = match thresholds.filled(&owners(&record.expr), Threshold::query) {
                Ok(filled) => filled,
                Err(what) => {
                    refuse("expr", what);
                    continue;
                }
            };
            match Query::read(&expr, known) {
                Err(reasons) => reasons.into_iter().for_each(|what| refuse("expr", what)),
                Ok(query) => {
                    let keeps = query.keeps.clone().unwrap_or_default();
                    if keeps != record.by {
                        refuse("by", format!("is {:?} and the expression keeps {keeps:?}", record.by));
                    }
                    known.add_record(&record.name, record.by.clone(), query.unique.clone());
                    let read = read_inputs(&query, known, inputs, &all);
                    let needs = record.needs.clone().unwrap_or_else(|| read.clone());
                    if !needs.is_subset(&read) {
                        refuse("needs", "names inputs that the expression does not read".to_owned());
                    }
                    let cases = record.cases(known, &mut refuse);
                    let (name, about) = (record.name.clone(), record.about.clone());
                    let expr = expr.trim_end().to_owned();
                    all.push(Recorded { name, about, expr, inputs: needs, thresholds: used, cases });
                }
            }
        }
        if problems.is_empty() { Ok(all) } else { Err(problems) }
    }
}

impl Record {
    fn cases(&self, known: &Known, refuse: &mut impl FnMut(&str, String)) -> Vec<Case> {
        if self.tests.iter().all(|test| test.at.values().all(Vec::is_empty)) {
            refuse("tests", "expects no row".to_owned());
        }
        let mut cases = Vec::new();
        for test in &self.tests {
            for series in test.data.keys() {
                sound_series(series, known).unwrap_or_else(|what| refuse("tests.data", what));
            }
            let look = |(at, rows): (&Period, &Vec<Row>)| {
                let sample = |row: &Row| Sample {
                    series: format!("{}{}", self.name, quoted_labels(&row.labels)),
                    value: row.value,
                };
                Look { at: *at, query: self.name.clone(), samples: rows.iter().map(sample).collect() }
            };
            cases.push(Case {
                name: format!("{}: {}", self.name, test.name),
                interval: Period::minutes(1),
                series: test.data.clone(),
                looks: test.at.iter().map(look).collect(),
                reads: None,
                is_native: test.data.values().any(|values| values.contains("{{")),
            });
        }
        cases
    }
}

fn well_named(name: &str, by: &Labels) -> Result<(), String> {
    let parts: Vec<&str> = name.split(':').collect();
    let [level, metric, operation] = parts.as_slice() else { return Err("is not level:metric:operation".to_owned()) };
    if metric.is_empty() || operation.is_empty() {
        return Err("is not level:metric:operation".to_owned());
    }
    let Some((_, labels)) = LEVELS.iter().find(|(name, _)| name == level) else {
        return Err(format!("has the level {level:?}, which is none of ours"));
    };
    match labels.iter().find(|label| !by.contains(**label)) {
        Some(label) => Err(format!("promises the label {label} by its level, and does not keep it")),
        None => Ok(()),
    }
}

fn read_inputs(query: &Query, known: &Known, inputs: &Inputs, before: &[Recorded]) -> BTreeSet<String> {
    let mut read = BTreeSet::new();
    for name in &query.reads {
        if let Some(record) = before.iter().find(|record| record.name == *name) {
            read.extend(record.inputs.iter().cloned());
        } else if let Some((family, of, _)) = known.series(name) {
            read.extend(inputs.of(family, of).map(str::to_owned));
        }
    }
    read
}
