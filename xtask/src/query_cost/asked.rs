//! What is asked: the queries of all panels as Grafana sends them, and those of all rules.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::prometheus::{Prometheus, escape};
use crate::{alerts, http, places};

/// The time that panels show.
const RANGE_S: u64 = 24 * 3600;
/// The width of one of the 24 columns of a board on a screen of 1920 pixels.
const COLUMN_PX: u64 = 78;

/// Queries that are sent together, and how long they take.
#[derive(Debug)]
pub(super) struct Asked {
    /// Whose they are.
    pub(super) name: String,
    pub(super) queries: Vec<Query>,
}

#[derive(Debug)]
pub(super) struct Query {
    pub(super) expr: String,
    /// Seconds between the answers over the whole range; `None` for one answer at its end.
    pub(super) step: Option<u64>,
}

/// What an answer took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Cost {
    pub(super) seconds: f64,
    pub(super) samples: u64,
    pub(super) bytes: usize,
}

/// Panels of all boards. A variable with All is All, another one has the value with the most series.
pub(super) fn panels(prometheus: &Prometheus, end: u64, interval: u64) -> Result<Vec<Asked>> {
    let mut all = Vec::new();
    for path in alerts::files(&places::repo().join("dashboards/grafana"))? {
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let board: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
        let values = variables(&board, prometheus, end).with_context(|| format!("variables of {}", path.display()))?;
        let mut panels = Vec::new();
        flatten(&board, &mut panels);
        for panel in panels {
            let step = step(panel["gridPos"]["w"].as_u64().unwrap_or(24));
            let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
            let query = |target: &Value| {
                let step_of = (target["instant"] != Value::Bool(true)).then_some(step);
                Query {
                    expr: filled(target["expr"].as_str().unwrap_or_default(), &values, step, interval),
                    step: step_of,
                }
            };
            let name = format!("{}: {}", text_of(&board["title"]), text_of(&panel["title"]));
            let queries: Vec<Query> = targets.iter().map(query).collect();
            if !queries.is_empty() {
                all.push(Asked { name, queries });
            }
        }
    }
    Ok(all)
}

/// All rules that Prometheus has loaded, of a type: `alerting` or `recording`.
pub(super) fn rules(prometheus: &Prometheus, kind: &str) -> Result<Vec<Asked>> {
    let answer: Value = serde_json::from_str(&http::get(&format!("{}/api/v1/rules", prometheus.url))?)?;
    let groups = answer["data"]["groups"].as_array().context("Prometheus has no rules")?;
    let rules = groups.iter().filter_map(|group| group["rules"].as_array()).flatten();
    let asked = |rule: &Value| Asked {
        name: text_of(&rule["name"]).to_owned(),
        queries: vec![Query { expr: text_of(&rule["query"]).to_owned(), step: None }],
    };
    Ok(rules.filter(|rule| rule["type"] == kind).map(asked).collect())
}

/// Asks once.
pub(super) fn ask(prometheus: &Prometheus, query: &Query, end: u64) -> Result<Cost> {
    let expr = escape(&query.expr);
    let url = &prometheus.url;
    let address = match query.step {
        None => format!("{url}/api/v1/query?stats=1&time={end}&query={expr}"),
        Some(step) => {
            // As Grafana does it, both ends are multiples of the step.
            let end = end - end % step;
            format!("{url}/api/v1/query_range?stats=1&start={}&end={end}&step={step}&query={expr}", end - RANGE_S)
        }
    };
    let begin = std::time::Instant::now();
    let text = http::get(&address)?;
    let seconds = begin.elapsed().as_secs_f64();
    let samples = text.rsplit_once("\"totalQueryableSamples\":").map_or("", |(_, rest)| rest);
    let samples = samples.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
    Ok(Cost { seconds, samples: samples.context("Prometheus says nothing about samples")?, bytes: text.len() })
}

/// Every panel, those in closed rows too.
fn flatten<'a>(parent: &'a Value, all: &mut Vec<&'a Value>) {
    for panel in parent["panels"].as_array().map(Vec::as_slice).unwrap_or_default() {
        all.push(panel);
        flatten(panel, all);
    }
}

fn variables(board: &Value, prometheus: &Prometheus, end: u64) -> Result<BTreeMap<String, String>> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for variable in board["templating"]["list"].as_array().map(Vec::as_slice).unwrap_or_default() {
        if variable["type"] != "query" {
            continue;
        }
        let name = text_of(&variable["name"]).to_owned();
        let value = if variable["includeAll"] == Value::Bool(true) {
            ".*".to_owned()
        } else {
            let definition = text_of(&variable["definition"]);
            let inside = definition.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (selector, label) = inside.and_then(|inside| inside.rsplit_once(", ")).context("no label_values")?;
            let selector = filled(selector, &values, 60, 30);
            let rows = prometheus.query_at(&format!("topk(1, count by ({label}) ({selector}))"), end)?;
            let row = rows.first().with_context(|| format!("{name} has no value"))?;
            text_of(&row["metric"][label]).to_owned()
        };
        values.insert(name, value);
    }
    Ok(values)
}

/// A query with the values of variables, the long names first.
fn filled(expr: &str, values: &BTreeMap<String, String>, step: u64, interval: u64) -> String {
    let rate = (step + interval).max(4 * interval);
    let built_in = [
        ("__rate_interval", format!("{rate}s")),
        ("__range_s", RANGE_S.to_string()),
        ("__range", format!("{RANGE_S}s")),
    ];
    let mut all: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.extend(built_in.iter().map(|(name, value)| (*name, value.as_str())));
    all.extend([("__interval", "")]);
    let step = format!("{step}s");
    all.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    all.into_iter().fold(expr.to_owned(), |text, (name, value)| {
        let value = if name == "__interval" { step.as_str() } else { value };
        text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
    })
}

/// The step of a panel of so many columns: the range over its pixels, rounded as Grafana rounds.
fn step(columns: u64) -> u64 {
    match RANGE_S * 1000 / (columns * COLUMN_PX) {
        ..45_000 => 30,
        45_000..90_000 => 60,
        90_000..210_000 => 120,
        210_000..450_000 => 300,
        _ => 600,
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_as_grafana_does() {
        let values = [("workload", "web"), ("workload_kind", "Job")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let text =
            "x{a=\"$workload\", b=\"${workload_kind}\", c=\"$workload_kind\"}[$__rate_interval] $__range $__interval";
        let want = "x{a=\"web\", b=\"Job\", c=\"Job\"}[150s] 86400s 120s";
        assert_eq!(filled(text, &values.into(), 120, 30), want);
    }

    #[test]
    fn narrow_panels_have_longer_steps() {
        assert_eq!([24, 12, 8, 4].map(step), [60, 120, 120, 300]);
    }
}
