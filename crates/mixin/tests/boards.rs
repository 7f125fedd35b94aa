//! Boards from sources: what is made, and what is refused before any rule is looked for.
#![expect(clippy::unwrap_used, reason = "a test")]

use mixin::board::{Boards, Watch};
use mixin::catalog::{Inputs, Known};
use mixin::{Source, Thresholds, panel_id};

const CATALOG: &str = r#"{"program":"p","version":"1","sections":[{"name":"s","about":"","default_on":true,"needs":[],"families":[
{"name":"pods","kind":"gauge","unit":"","help":"","endpoint":"/metrics","labels":[{"name":"namespace"}]},
{"name":"edges","kind":"gauge","unit":"","help":"","endpoint":"/metrics","labels":[{"name":"id"},{"name":"source"},{"name":"target"},{"name":"namespace"}]}]}]}"#;

const SHARED: &str = "
prefix: set-
tags: [set]
parts: {namespace: 'namespace=~\"$namespace\"'}
variables:
  namespace: {title: Namespace, of: pods, pick: any}
annotations: {}
";

const EXCLUSIONS: &str = "
- {rule: template-job-rule, reason: Jobs have other names elsewhere.}
- {rule: template-instance-rule, reason: Instances come and go with pods.}
- {rule: target-job-rule, reason: Follows from the missing variable.}
- {rule: target-instance-rule, reason: Follows from the missing variable.}
";

const BOARD: &str = "
board: good
title: A good board
question: Is it good?
variables: [namespace]
annotations: []
rows:
- panels:
  - panel: share
    kind: graph
    title: Share
    about: Which part of the pods each namespace has.
    width: 12
    unit: percentunit
    limit: {above: much, warn: 0.5}
    link: good
    queries:
    - {expr: 'sum by (namespace) (pods{@namespace})', legend: '{{namespace}}'}
    - {expr: 'sum by (namespace) (pods{@namespace}) > ${much}', legend: much, draw: reference, colour: red}
  - panel: names
    kind: table
    title: Names
    about: All namespaces, and how many pods they have.
    width: 12
    sort: Pods
    columns:
    - {title: Namespace, label: namespace, link: good}
    - {title: Pods, unit: none, cell: bar, expr: 'max by (namespace) (pods{@namespace})'}
    - {title: Least, unit: none, limit: {below: 1}, expr: 'min by (namespace) (pods{@namespace})'}
- row: More
  closed: true
  panels:
  - panel: graph
    kind: topology
    title: Edges
    about: Who has to do with whom, and how much.
    width: 24
    queries:
    - {id: edges, field: mainstat, unit: cps, expr: 'sum by (id, source, target) (edges{@namespace})'}
";

fn read(file: &str, from: &str, to: &str, watches: &[Watch]) -> Result<Boards, String> {
    let known = Known::new(&[serde_json::from_str(CATALOG).unwrap()], &Inputs::default());
    let limits = "much: {value: 0.75, unit: ratio, about: A part.}\nslow: {value: 1, unit: seconds, about: A time.}";
    let thresholds = Thresholds::read(&Source::new("thresholds.yaml", limits)).unwrap();
    let sources: Vec<Source> = [("shared.yaml", SHARED), ("exclusions.yaml", EXCLUSIONS), ("grafana/good.yaml", BOARD)]
        .iter()
        .map(|(name, text)| {
            assert!(*name != file || text.contains(from), "{from:?} is not in {name}");
            Source::new(*name, if *name == file { text.replacen(from, to, 1) } else { (*text).to_owned() })
        })
        .collect();
    Boards::read(&sources, &known, &thresholds, watches)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn watch(panel: &str, limit: &str) -> Watch {
    let (uid, alert) = ("set-good".to_owned(), "MuchOfAll".to_owned());
    Watch { alert, uid, panel: panel.to_owned(), limits: vec![limit.to_owned()] }
}

#[test]
fn a_board_is_made_of_its_source() {
    let boards = read("grafana/good.yaml", "", "", &[watch("share", "much")]).unwrap();
    assert_eq!((boards.counts.boards, boards.counts.panels, boards.counts.queries), (1, 3, 5));
    let json: serde_json::Value = serde_json::from_str(boards.files.get("grafana/good.json").unwrap()).unwrap();
    let at = |pointer: &str| json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).clone();
    assert_eq!(at("/uid"), "set-good");
    assert_eq!(at("/panels/0/id"), panel_id("share"));
    assert_eq!(at("/panels/0/targets/0/expr"), "sum by (namespace) (pods{namespace=~\"$namespace\"})");
    assert_eq!(at("/panels/0/targets/1/expr"), "sum by (namespace) (pods{namespace=~\"$namespace\"}) > 0.75");
    assert!(at("/panels/0/description").as_str().unwrap().ends_with("Watched by MuchOfAll."));
    assert_eq!(at("/panels/0/fieldConfig/defaults/thresholds/steps/2/value"), 0.75);
    let link = "/d/set-good?${datasource:queryparam}&var-namespace=${__field.labels.namespace}&${__url_time_range}";
    assert_eq!(at("/panels/0/fieldConfig/defaults/links/0/url"), link);
    assert_eq!(at("/panels/1/transformations/1/options/renameByName/Value #B"), "Least");
    assert_eq!(at("/panels/2/panels/0/transformations/3/options/renameByName/Value #edges"), "mainstat");
}

#[test]
fn a_bad_source_is_refused_with_its_place() {
    let board = "grafana/good.yaml";
    for (file, from, to, why) in [
        (board, "board: good", "board: bad", "grafana/good.yaml:2: board: is \"bad\" in a file of another name"),
        (board, "kind: graph", "kind: graf", "unknown variant"),
        (board, "width: 12", "widht: 12", "unknown field"),
        (board, "above: much,", "above: mush,", "grafana/good.yaml:9: share: there is no threshold \"mush\""),
        (board, "above: much,", "above: slow,", "draws the limit slow, which is no percentunit"),
        (board, "above: much,", "above: much, below: 1,", "neither above nor below"),
        (board, "warn: 0.5", "warn: 0.9", "wrong side"),
        (board, "{@namespace})', legend: '{{n", "{@space})', legend: '{{n", "there is no part \"space\""),
        (board, "> ${much}", "> ${mush}", "there is no threshold \"mush\""),
        (board, "link: good", "link: other", "leads to the board \"other\""),
        (board, "sort: Pods", "sort: Containers", "sorted by a column"),
        (board, "label: namespace, link", "link", "neither a label nor a query"),
        (board, "variables: [namespace]", "variables: [namespace, pod]", "there is no variable \"pod\""),
        (board, "annotations: []", "annotations: [boots]", "there is no annotation \"boots\""),
        (board, "width: 12", "width: 11", "grid: leaves a gap"),
        ("exclusions.yaml", "rule: template-job-rule", "rule: grid", "the exclusion of grid excludes nothing"),
        ("exclusions.yaml", "Jobs have other names elsewhere.", "No.", "says no reason"),
        ("shared.yaml", "prefix: set-", "prefixes: set-", "shared.yaml:2: prefix"),
    ] {
        let said = read(file, from, to, &[]).err().unwrap_or_else(|| panic!("{to:?} was not refused"));
        assert!(said.contains(why), "{to:?}: {said}");
    }
}

#[test]
fn an_alert_leads_to_a_panel_that_draws_its_limit() {
    let said = |watch: Watch| read("grafana/good.yaml", "", "", &[watch]).err().unwrap_or_default();
    assert!(said(watch("none", "much")).contains("leads to none of set-good, which there is not"));
    assert_eq!(said(watch("share", "much")), "");
    let undrawn =
        read("grafana/good.yaml", "limit: {above: much, warn: 0.5}", "decimals: 1", &[watch("share", "much")]);
    assert!(undrawn.err().unwrap().contains("draws none of the limits of MuchOfAll"));
}
