//! Checks that a source is complete and correct.

use std::collections::{BTreeMap, BTreeSet};

use metric::Kind;
use promql_parser::parser::{self, Expr};

use super::annotation::{self, Annotations};
use super::written::{Alert, Owner, Test};
use crate::catalog::{Inputs, Known, Labels};
use crate::query::{self, Query};
use crate::threshold::{Threshold, Thresholds};
use crate::{Problem, Source};

/// Labels that a scrape adds and that say nothing of what is wrong.
const OF_THE_SCRAPE: [&str; 2] = ["instance", "job"];
/// The shortest time before an alert fires.
const LEAST_FOR: u64 = 1;

/// What a source is checked against.
pub(crate) struct Ground<'a> {
    pub(crate) known: &'a Known,
    pub(crate) inputs: &'a Inputs,
    pub(crate) thresholds: &'a Thresholds,
    /// Inputs of each record, by its name.
    pub(crate) inputs_of_records: &'a BTreeMap<String, BTreeSet<String>>,
    /// Labels that say whose a workload is.
    pub(crate) owner_labels: &'a [String],
    /// The folder of runbooks.
    pub(crate) runbooks: &'a str,
    /// Names that other sets have.
    pub(crate) taken: &'a BTreeSet<String>,
}

/// An alert that may be compiled.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) area: String,
    pub(crate) source: Alert,
    /// The condition with its limits put in, without owners.
    pub(crate) condition: String,
    /// What Prometheus gets.
    pub(crate) expr: String,
    pub(crate) annotations: Annotations,
    /// Limits that it reads.
    pub(crate) thresholds: Vec<String>,
    /// Queries of the runbook with their limits put in.
    pub(crate) steps: Vec<Option<String>>,
}

/// Collects problems of one file.
struct Check<'a> {
    file: &'a Source,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn refuse(&mut self, key: &str, what: impl Into<String>) {
        self.problems.push(self.file.problem(key, what));
    }

    fn words(&mut self, key: &str, text: &str) {
        if text.trim().is_empty() {
            self.refuse(key, "is empty");
        }
    }

    /// A text with limits put in.
    fn filled(
        &mut self,
        key: &str,
        text: &str,
        ground: &Ground<'_>,
        write: fn(&Threshold) -> String,
    ) -> (String, Vec<String>) {
        match ground.thresholds.filled(text, write) {
            Ok(filled) => filled,
            Err(what) => {
                self.refuse(key, what);
                Default::default()
            }
        }
    }
}

/// Checks the source of an alert in an area.
pub(crate) fn checked(area: &str, file: &Source, ground: &Ground<'_>) -> Result<Checked, Vec<Problem>> {
    let source: Alert = file.read().map_err(|problem| vec![problem])?;
    let mut check = Check { file, problems: Vec::new() };
    name(&mut check, &source, ground);
    prose(&mut check, &source);
    fault(&mut check, &source);
    let (condition, mut thresholds) = check.filled("expr", &source.expr, ground, Threshold::query);
    let condition = condition.trim_end().to_owned();
    let query = query(&mut check, &source, &condition, ground);
    let by: Labels = source.by.iter().cloned().collect();
    let keeps: Labels = by.iter().cloned().chain(owners(&source, ground)).collect();
    let summary = annotation(&mut check, "summary", &source.summary, &keeps, &source, ground);
    let description = annotation(&mut check, "description", &source.description, &keeps, &source, ground);
    if let Some(query) = &query {
        inputs(&mut check, &source, query, ground);
    }
    let steps = steps(&mut check, &source, ground, &mut thresholds);
    tests(&mut check, &source, query.as_ref(), &keeps, ground);
    if !check.problems.is_empty() {
        return Err(check.problems);
    }
    thresholds.sort();
    thresholds.dedup();
    let annotations = Annotations {
        summary,
        description,
        dashboard: source.dashboard.uid.clone(),
        panel: source.dashboard.panel.clone(),
        variables: Annotations::variables(&keeps),
        page: format!("{}.md", source.alert),
        runbooks: ground.runbooks.to_owned(),
    };
    let expr = with_owner(&condition, source.owner, ground.owner_labels);
    Ok(Checked { area: area.to_owned(), source, condition, expr, annotations, thresholds, steps })
}

fn name(check: &mut Check<'_>, source: &Alert, ground: &Ground<'_>) {
    let stem = check.file.file.rsplit('/').next().and_then(|name| name.strip_suffix(".yaml"));
    if stem != Some(&source.alert) {
        check.refuse("alert", format!("is {:?} in the file {}", source.alert, check.file.file));
    }
    let mut chars = source.alert.chars();
    if !chars.next().is_some_and(|c| c.is_ascii_uppercase()) || !chars.all(|c| c.is_ascii_alphanumeric()) {
        check.refuse("alert", "is no name in CamelCase");
    }
    if ground.taken.contains(&source.alert) {
        check.refuse("alert", format!("{} is the name of an alert of another set that users have", source.alert));
    }
    if source.r#for.minutes_up() < LEAST_FOR {
        check.refuse("for", "is below one minute, which two evaluations do not see");
    }
}

/// A fault is made by steps, or there is a reason why nobody can make it here.
fn fault(check: &mut Check<'_>, source: &Alert) {
    let fault = &source.fault;
    match &fault.unproven {
        None if fault.steps.is_empty() => check.refuse("fault", "has no steps, and no reason under `unproven`"),
        Some(_) if !fault.steps.is_empty() || !fault.before.is_empty() => {
            check.refuse("fault.unproven", "stands beside steps that prove it");
        }
        Some(reason) => check.words("fault.unproven", reason),
        None => {}
    }
    for (key, steps) in [("fault.before", &fault.before), ("fault.steps", &fault.steps)] {
        if steps.iter().any(|step| step.len() != 1) {
            check.refuse(key, "has a step that is not one injector with what it is told");
        }
    }
    for label in fault.row.keys().filter(|label| !source.by.contains(label)) {
        check.refuse("fault.row", format!("has the label {label}, which `by` does not have"));
    }
}

fn prose(check: &mut Check<'_>, source: &Alert) {
    let runbook = &source.runbook;
    for (key, text) in [
        ("summary", &source.summary),
        ("description", &source.description),
        ("fault.about", &source.fault.about),
        ("runbook.meaning", &runbook.meaning),
        ("runbook.impact", &runbook.impact),
        ("runbook.mitigation", &runbook.mitigation),
        ("dashboard.uid", &source.dashboard.uid),
        ("dashboard.panel", &source.dashboard.panel),
    ] {
        check.words(key, text);
    }
    if source.summary.contains("$value") || source.summary.trim().lines().count() != 1 {
        check
            .refuse("summary", "is one line without the value: a number that moves makes a new notification each time");
    }
    if runbook.diagnosis.iter().filter(|step| step.query.is_some()).count() == 0 {
        check.refuse("runbook.diagnosis", "has no step with a query");
    }
    for step in &runbook.diagnosis {
        check.words("runbook.diagnosis", &step.ask);
    }
}

/// The condition, read.
fn query(check: &mut Check<'_>, source: &Alert, condition: &str, ground: &Ground<'_>) -> Option<Query> {
    if condition.is_empty() {
        check.words("expr", condition);
        return None;
    }
    let query = match Query::read(condition, ground.known) {
        Ok(query) => query,
        Err(problems) => {
            for what in problems {
                check.refuse("expr", what);
            }
            return None;
        }
    };
    let by: Labels = source.by.iter().cloned().collect();
    let Some(keeps) = &query.keeps else {
        check.refuse("expr", "is a number: an alert takes rows");
        return None;
    };
    let list = |labels: &mut dyn Iterator<Item = &String>| labels.map(String::as_str).collect::<Vec<_>>().join(", ");
    if *keeps != by {
        let (lost, more) = (list(&mut by.difference(keeps)), list(&mut keeps.difference(&by)));
        if !lost.is_empty() {
            check.refuse("by", format!("names labels that the expression does not keep: {lost}"));
        }
        if !more.is_empty() {
            check.refuse("by", format!("lacks labels that the expression keeps: {more}"));
        }
    }
    for label in OF_THE_SCRAPE {
        if by.contains(label) && source.owner != Owner::None {
            check.refuse("by", format!("has {label}, which says who was scraped and changes when that restarts"));
        }
    }
    let lacks: Vec<&str> = source.owner.on().iter().copied().filter(|label| !by.contains(*label)).collect();
    if !lacks.is_empty() {
        check.refuse("owner", format!("takes labels that `by` does not have: {}", lacks.join(", ")));
    }
    Some(query)
}

/// Labels that come with owners.
fn owners(source: &Alert, ground: &Ground<'_>) -> Vec<String> {
    let of_pods = source.owner.brings();
    let named = if source.owner == Owner::None { &[][..] } else { ground.owner_labels };
    of_pods.iter().map(|&label| label.to_owned()).chain(named.iter().cloned()).collect()
}

/// The condition, its rows with their owner where there is one. What has none fires all the same: the second half of
/// the `or` has exactly the rows whose workload is in no row of owners.
fn with_owner(condition: &str, owner: Owner, owner_labels: &[String]) -> String {
    let Some(record) = owner.record() else { return condition.to_owned() };
    let (on, mut include) = (owner.on(), owner.brings().to_vec());
    include.extend(owner_labels.iter().map(String::as_str));
    let (on, include) = (on.join(", "), include.join(", "));
    let condition = query::indented(condition, 2);
    format!("(\n{condition}\n)\n* on ({on}) group_left ({include}) {record}\nor on ({on})\n(\n{condition}\n)")
}

fn annotation(
    check: &mut Check<'_>,
    key: &str,
    text: &str,
    keeps: &Labels,
    source: &Alert,
    ground: &Ground<'_>,
) -> String {
    let (filled, _) = check.filled(key, text.trim_end(), ground, Threshold::words);
    match annotation::named_labels(&filled) {
        Err(what) => check.refuse(key, what),
        Ok(labels) => {
            for label in labels.iter().filter(|label| !keeps.contains(*label) && !source.labels.contains_key(*label)) {
                check.refuse(key, format!("names the label {label}, which the expression does not keep"));
            }
        }
    }
    filled
}

fn inputs(check: &mut Check<'_>, source: &Alert, query: &Query, ground: &Ground<'_>) {
    let mut read = BTreeSet::new();
    for name in &query.reads {
        if let Some(inputs) = ground.inputs_of_records.get(name) {
            read.extend(inputs.iter().cloned());
            continue;
        }
        let Some((family, known, _)) = ground.known.series(name) else { continue };
        match ground.inputs.of(family, known) {
            Some(input) => drop(read.insert(input.to_owned())),
            None => {
                check.refuse("expr", format!("reads {name}, which no input has: it is off by default and has no flag"));
            }
        }
    }
    let said: BTreeSet<String> = source.inputs.iter().cloned().collect();
    for input in read.difference(&said) {
        check.refuse("inputs", format!("lacks {input}, which the expression reads"));
    }
    for input in said.difference(&read) {
        check.refuse("inputs", format!("names {input}, which the expression does not read"));
    }
}

fn steps(check: &mut Check<'_>, source: &Alert, ground: &Ground<'_>, used: &mut Vec<String>) -> Vec<Option<String>> {
    let mut steps = Vec::new();
    for step in &source.runbook.diagnosis {
        let Some(query) = &step.query else {
            steps.push(None);
            continue;
        };
        let (query, names) = check.filled("runbook.diagnosis", query.trim_end(), ground, Threshold::query);
        used.extend(names);
        if let Err(problems) = Query::read(&query, ground.known) {
            for what in problems {
                check.refuse("runbook.diagnosis", format!("{}: {what}", query.replace('\n', " ")));
            }
        }
        steps.push(Some(query));
    }
    steps
}

fn tests(check: &mut Check<'_>, source: &Alert, query: Option<&Query>, keeps: &Labels, ground: &Ground<'_>) {
    let tests = &source.tests;
    let has_histogram = query.is_some_and(|query| {
        query
            .reads
            .iter()
            .filter_map(|name| ground.known.series(name))
            .any(|(_, family, _)| family.kind == Kind::Histogram)
    });
    let needed = [
        ("firing", &tests.firing, true),
        ("just_under", &tests.just_under, true),
        ("flapping", &tests.flapping, true),
        ("native", &tests.native, has_histogram),
    ];
    for (name, test, is_needed) in needed {
        if is_needed && test.is_none() && !tests.exempt.contains_key(name) {
            check.refuse("tests", format!("has no {name} test, and no reason under `exempt`"));
        }
    }
    for (name, reason) in &tests.exempt {
        if !needed.iter().any(|(needed, ..)| needed == name) || reason.trim().is_empty() {
            check.refuse("tests.exempt", format!("{name} is no test that can be left out, or has no reason"));
        }
    }
    for key in source.data.keys() {
        sound_series(key, ground.known).unwrap_or_else(|what| check.refuse("data", what));
    }
    let mut all: Vec<(String, &Test)> = tests.more.iter().map(|(name, test)| (format!("more.{name}"), test)).collect();
    all.extend(needed.into_iter().filter_map(|(name, test, _)| Some((name.to_owned(), test.as_ref()?))));
    all.extend(
        [("doubled", &tests.doubled), ("empty", &tests.empty)]
            .into_iter()
            .filter_map(|(name, test)| Some((name.to_owned(), test.as_ref()?))),
    );
    for (name, test) in all {
        let key = format!("tests.{name}");
        test_of(check, &key, source, test, keeps, ground);
        let fires = test.at.values().any(|rows| !rows.is_empty());
        let is_silent_first = test.at.values().next().is_some_and(Vec::is_empty);
        match name.as_str() {
            "firing" if !fires || !is_silent_first => {
                check.refuse(&key, "is silent first, before its time is over, and fires then");
            }
            "firing" if test.reads.is_none() => check.refuse(&key, "does not say what people read"),
            "just_under" if fires => check.refuse(&key, "fires"),
            "native" if !fires => check.refuse(&key, "does not fire"),
            _ => {}
        }
    }
}

fn test_of(check: &mut Check<'_>, key: &str, source: &Alert, test: &Test, keeps: &Labels, ground: &Ground<'_>) {
    for series in test.data.keys() {
        sound_series(series, ground.known).unwrap_or_else(|what| check.refuse(key, what));
    }
    for series in &test.without {
        if !source.data.contains_key(series) {
            check.refuse(key, format!("leaves out {series}, which the alert's data do not have"));
        }
    }
    if test.at.is_empty() {
        check.refuse(key, "looks at no time");
    }
    for row in test.at.values().flatten() {
        for label in row.keys().filter(|label| !keeps.contains(*label)) {
            check.refuse(key, format!("expects the label {label}, which the expression does not keep"));
        }
    }
}

/// A series of a test: a known name with labels that it can have.
pub(crate) fn sound_series(series: &str, known: &Known) -> Result<(), String> {
    let parsed = parser::parse(series).map_err(|error| format!("{series} is no series: {error}"))?;
    let Expr::VectorSelector(selector) = parsed else { return Err(format!("{series} is no series")) };
    let name = selector.name.unwrap_or_default();
    let (_, family, labels) = known.series(&name).ok_or_else(|| format!("{series}: nothing declares {name}"))?;
    for matcher in &selector.matchers.matchers {
        if !labels.contains(&matcher.name) {
            return Err(format!("{series}: {name} has no label {}", matcher.name));
        }
        let values = family.values.get(&matcher.name);
        if values.is_some_and(|values| !matcher.value.is_empty() && !values.contains(&matcher.value)) {
            return Err(format!("{series}: {} is never {:?}", matcher.name, matcher.value));
        }
    }
    Ok(())
}
