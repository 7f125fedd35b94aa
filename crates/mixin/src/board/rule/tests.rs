use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::board::{dashboard, names, panel};
use crate::catalog::{Inputs, Known};
use crate::{Source, Thresholds};

const CATALOG: &str = r#"{"program":"p","version":"1","sections":[{"name":"s","about":"","default_on":true,"needs":[],"families":[
{"name":"pods","kind":"gauge","unit":"","help":"","endpoint":"/metrics","labels":[{"name":"namespace"},{"name":"phase","values":["Running","Failed"]}]},
{"name":"starts_total","kind":"counter","unit":"","help":"","endpoint":"/metrics","labels":[{"name":"namespace"}]},
{"name":"life_seconds","kind":"histogram","unit":"seconds","help":"","endpoint":"/metrics","labels":[{"name":"namespace"}]}]}]}"#;

const SHARED: &str = "
prefix: set-
tags: [set]
parts: {namespace: 'namespace=~\"$namespace\"'}
variables:
  namespace: {title: Namespace, of: pods, pick: any}
annotations:
  failed: {title: Failed, expr: 'pods{phase=\"Failed\"} > 0', mark: '{{namespace}}', text: x, labels: [namespace], colour: red, shown: true}
";

const BOARD: &str = "
board: good
title: A good board
question: Is it good?
variables: [namespace]
annotations: [failed]
rows:
- panels:
  - panel: pods
    kind: graph
    title: Pods
    about: How many pods there are, of each phase.
    width: 12
    unit: none
    link: good
    queries:
    - {expr: 'sum by (namespace, phase) (pods{@namespace})', legend: '{{phase}}'}
  - panel: starts
    kind: table
    title: Starts
    about: How often something was started, by namespace.
    width: 12
    columns:
    - {title: Namespace, label: namespace, link: good}
    - {title: Starts, unit: cps, expr: 'sum by (namespace) (rate(starts_total{@namespace}[$__rate_interval]))'}
- row: More
  closed: true
  panels:
  - panel: lives
    kind: heatmap
    title: Lives
    about: How long the containers of the namespaces live.
    width: 24
    unit: s
    queries:
    - {expr: 'sum by (le) (rate(life_seconds_bucket{@namespace}[$__rate_interval]))', legend: '{{le}}'}
    - {expr: 'sum(rate(life_seconds{@namespace}[$__rate_interval]))'}
";

/// What is found on the board after a change, without rules on variables that this project excludes everywhere.
fn found(change: impl Fn(&mut Value)) -> Vec<Finding> {
    made(BTreeMap::new(), change).1
}

/// The board, with alerts that watch panels, after a change, and what is found on it.
fn made(watched: BTreeMap<(String, String), Vec<String>>, change: impl Fn(&mut Value)) -> (Value, Vec<Finding>) {
    let known = Known::new(&[serde_json::from_str(CATALOG).unwrap()], &Inputs::default());
    let thresholds = Thresholds::default();
    let shared: crate::board::shared::Shared = Source::new("shared.yaml", SHARED).read().unwrap();
    let board: crate::board::written::Board = Source::new("good.yaml", BOARD).read().unwrap();
    let variables = BTreeMap::from([(board.name.clone(), names(&board))]);
    let ground = panel::Ground { known: &known, thresholds: &thresholds, shared: &shared, variables, watched };
    let mut json = dashboard::made(&board, &ground).unwrap();
    change(&mut json);
    let ground = Ground {
        known: &known,
        prefix: "set-",
        labels: [("namespace".to_owned(), "namespace".to_owned())].into(),
        boards: [("set-good".to_owned(), vec!["namespace".to_owned()])].into(),
    };
    let findings = findings(&json, &ground);
    (json, findings)
}

/// Rules that hold nowhere here, and what makes them hold.
const EXCLUDED: [&str; 4] = ["template-job-rule", "template-instance-rule", "target-job-rule", "target-instance-rule"];

fn set(pointer: &'static str, value: Value) -> Change {
    Box::new(move |board| {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match board.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")) {
            Value::Object(fields) => drop(fields.insert(key.to_owned(), value.clone())),
            Value::Array(items) => *items.get_mut(key.parse::<usize>().unwrap()).unwrap() = value.clone(),
            other => panic!("{parent} is {other}"),
        }
    })
}

const EXPR: &str = "/panels/0/targets/0/expr";

#[test]
fn a_good_board_breaks_only_what_is_excluded() {
    let broken: BTreeSet<&str> = found(|_| {}).iter().map(|finding| finding.rule).collect();
    assert_eq!(broken, BTreeSet::from(EXCLUDED));
}

#[test]
fn a_panel_leads_to_the_alerts_that_watch_it() {
    let watched = [(("good".to_owned(), "pods".to_owned()), vec!["PodsLost".to_owned()])].into();
    let (board, _) = made(watched, |_| {});
    let [pods, starts] = ["/panels/0", "/panels/1"].map(|panel| board.pointer(panel).unwrap());
    assert!(pods["description"].as_str().unwrap().ends_with("Watched by PodsLost."), "{pods}");
    assert_eq!(pods["links"][0]["url"], "/alerting/list?search=PodsLost");
    assert_eq!(starts["links"], json!([]));
}

type Change = Box<dyn Fn(&mut Value)>;

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn every_rule_is_broken_by_a_bad_board() {
    let loki = |expr: &'static str| {
        move |board: &mut Value| {
            set("/panels/0/targets/0/datasource", json!({"type": "loki", "uid": "${datasource}"}))(board);
            set(EXPR, json!(expr))(board);
        }
    };
    let cases: Vec<(&str, Change, &str)> = vec![
        ("template-datasource-rule", set("/templating/list/0/label", json!("Source")), "instead of"),
        ("template-datasource-rule", set("/templating/list/0/type", json!("custom")), "has 0 variables"),
        (
            "template-label-promql-rule",
            set("/templating/list/1/query/query", json!("label_values(pods{, namespace)")),
            "no PromQL",
        ),
        (
            "template-label-promql-rule",
            set("/templating/list/1/query/query", json!("label_values(pods, pod)")),
            "no label \"pod\"",
        ),
        ("template-on-time-change-reload-rule", set("/templating/list/1/refresh", json!(1)), "time range"),
        ("panel-datasource-rule", set("/panels/0/datasource/uid", json!("abc")), "another data source"),
        ("panel-title-description-rule", set("/panels/0/title", json!("")), "no title"),
        ("panel-title-description-rule", set("/panels/0/description", json!("Pods.")), "does not say"),
        ("panel-units-rule", set("/panels/0/fieldConfig/defaults/unit", json!("percents")), "unit \"percents\""),
        ("panel-units-rule", set("/panels/1/fieldConfig/overrides/1/properties/0/value", json!("cp")), "unit \"cp\""),
        ("panel-no-targets-rule", set("/panels/2/panels/0/targets", json!([])), "asks nothing"),
        ("target-logql-rule", Box::new(loki("rate({a=\"b\"[5m])")), "no LogQL"),
        ("target-logql-auto-rule", Box::new(loki("rate({a=\"b\"}[5m])")), "other than $__auto"),
        ("target-promql-rule", set(EXPR, json!("sum by (phase (pods)")), "no PromQL"),
        (
            "target-rate-interval-rule",
            set(EXPR, json!("rate(starts_total{namespace=~\"$namespace\"}[5m])")),
            "over 5m instead",
        ),
        ("target-counter-agg-rule", set(EXPR, json!("sum by (namespace) (starts_total)")), "without rate"),
        ("uneditable-dashboard-rule", set("/editable", json!(true)), "can be edited"),
        ("schema", set("/schemaVersion", json!(39)), "schema 39"),
        ("schema", set("/refresh", json!(false)), "no text"),
        ("schema", Box::new(|board| drop(board.as_object_mut().unwrap().remove("annotations"))), "lacks annotations"),
        ("schema", set("/description", json!("All about pods.")), "which question"),
        ("schema", set("/timepicker", json!({"time_options": []})), "version 41"),
        ("schema", set("/panels/0/fieldConfig/defaults/custom/hideFrom", json!({"viz": true})), "tooltip"),
        ("uid", set("/uid", json!("good")), "is not \"set-\""),
        ("uid", set("/uid", json!("set-a-board-whose-name-is-longer-than-grafana-likes")), "40 characters"),
        (
            "unique-ids",
            Box::new(|board| board["panels"][0]["id"] = board["panels"][2]["panels"][0]["id"].clone()),
            "has the id of",
        ),
        (
            "unique-ids",
            Box::new(|board| {
                let again = board["panels"][0]["targets"][0].clone();
                board["panels"][0]["targets"].as_array_mut().unwrap().push(again);
            }),
            "two queries",
        ),
        ("grid", set("/panels/0/gridPos/w", json!(13)), "stands on"),
        ("grid", set("/panels/0/gridPos/w", json!(11)), "leaves a gap"),
        ("grid", set("/panels/1/gridPos/w", json!(13)), "outside the grid"),
        ("data-source", set("/annotations/list/0/datasource", json!({"type": "prometheus", "uid": "P1"})), "\"P1\""),
        ("data-source", set("/__inputs", json!([])), "__inputs"),
        (
            "known-metrics",
            set(EXPR, json!("sum by (phase) (podz{namespace=~\"$namespace\"})")),
            "nothing declares podz",
        ),
        ("known-metrics", set(EXPR, json!("sum by (phase) (pods{phase=\"Gone\"})")), "never \"Gone\""),
        ("known-metrics", set("/panels/2/panels/0/targets/1/expr", json!("vector(1)")), "add the native query"),
        ("known-metrics", set("/annotations/list/0/expr", json!("podz > 0")), "annotation Failed"),
        ("kept-labels", set("/panels/0/targets/0/legendFormat", json!("{{pod}}")), "names the label pod"),
        (
            "kept-labels",
            set(EXPR, json!("sum by (phase) (pods{namespace=~\"$namespace\"})")),
            "names the label namespace",
        ),
        (
            "kept-labels",
            set("/panels/1/targets/0/expr", json!("sum(rate(starts_total[$__rate_interval]))")),
            "shows the label namespace",
        ),
        ("kept-labels", set("/panels/1/fieldConfig/overrides/0/matcher/options", json!("Space")), "column \"Space\""),
        (
            "repeated-query",
            Box::new(|board| {
                board["panels"][0]["targets"][0]["expr"] = board["panels"][1]["targets"][0]["expr"].clone();
            }),
            "asks what",
        ),
        ("variables", set(EXPR, json!("sum by (namespace, phase) (pods{namespace=~\"$space\"})")), "variable space"),
        (
            "variables",
            Box::new(|board| {
                let mut other = board["templating"]["list"][1].clone();
                other["name"] = json!("pod");
                board["templating"]["list"].as_array_mut().unwrap().push(other);
            }),
            "which nothing reads",
        ),
        (
            "variables",
            set("/templating/list/1/query/query", json!("label_values(pods{phase=~\"$phase\"}, namespace)")),
            "needs phase before",
        ),
        ("filtered-selectors", set(EXPR, json!("sum by (namespace, phase) (pods)")), "without a filter on namespace"),
        ("links", set("/panels/0/fieldConfig/defaults/links", json!([{"url": "/d/set-none?x"}])), "which there is not"),
        (
            "links",
            set("/panels/0/fieldConfig/defaults/links", json!([{"url": "https://example.org"}])),
            "outside the boards",
        ),
        ("links", set("/panels/0/fieldConfig/defaults/links", json!([{"url": "/d/set-good?var-pod=a"}])), "it has not"),
        (
            "links",
            set("/panels/0/fieldConfig/defaults/links", json!([{"url": "/d/set-good?${pod:queryparam}"}])),
            "this board has not",
        ),
    ];
    let mut broken = BTreeSet::from(EXCLUDED);
    for (rule, change, words) in &cases {
        let all = found(change);
        let is_said = all.iter().any(|finding| finding.rule == *rule && finding.what.contains(words));
        assert!(is_said, "{rule} does not say {words:?}: {all:#?}");
        broken.insert(rule);
    }
    assert_eq!(broken, super::all().map(|(name, _)| *name).collect(), "a rule has no bad board");
}

#[test]
fn rules_on_jobs_hold_for_a_board_that_has_them() {
    let has =
        |rule: &'static str, change: &dyn Fn(&mut Value)| found(change).iter().any(|finding| finding.rule == rule);
    for name in ["job", "instance"] {
        let with = |all: &'static str| {
            move |board: &mut Value| {
                let mut variable = board["templating"]["list"][1].clone();
                (variable["name"], variable["allValue"]) = (json!(name), json!(all));
                board["templating"]["list"].as_array_mut().unwrap().push(variable);
                for pointer in [
                    EXPR,
                    "/panels/1/targets/0/expr",
                    "/panels/2/panels/0/targets/0/expr",
                    "/panels/2/panels/0/targets/1/expr",
                ] {
                    let expr = board.pointer_mut(pointer).unwrap();
                    *expr = json!(expr.as_str().unwrap().replace('{', &format!("{{{name}=~\"${name}\", ")));
                }
            }
        };
        let (template, target) = if name == "job" { (EXCLUDED[0], EXCLUDED[2]) } else { (EXCLUDED[1], EXCLUDED[3]) };
        assert!(!has(template, &with(".+")) && has(template, &with(".*")), "{template}");
        assert!(!has(target, &with(".+")), "{target}");
    }
}

#[test]
fn an_exclusion_covers_what_it_names() {
    let finding = Finding { rule: "grid", panel: "Pods".to_owned(), what: "leaves a gap".to_owned() };
    let read = |text: &str| Source::new("e.yaml", text).read::<Exclusion>().unwrap();
    for (text, covers) in [
        ("{rule: grid, reason: x}", true),
        ("{rule: schema, reason: x}", false),
        ("{rule: grid, boards: [other], reason: x}", false),
        ("{rule: grid, boards: [good], panels: [Pods], saying: a gap, reason: x}", true),
        ("{rule: grid, panels: [Starts], reason: x}", false),
        ("{rule: grid, saying: stands on, reason: x}", false),
    ] {
        assert_eq!(read(text).covers("good", &finding), covers, "{text}");
    }
}
