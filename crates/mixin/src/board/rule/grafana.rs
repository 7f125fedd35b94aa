//! The seventeen rules of Grafana's dashboard-linter, under its names.

use std::collections::BTreeSet;

use metric::Kind;
use promql_parser::label::MatchOp;
use promql_parser::parser;
use serde_json::Value;

use super::report::{Ground, Report, Rule};
use super::tree::selectors;
use super::view::{Panel, Target, View, list, text};
use crate::board::expression::plain;

/// The rules.
pub(super) const RULES: &[Rule] = &[
    ("template-datasource-rule", template_datasource),
    ("template-job-rule", |view, _, report| template(view, "job", report)),
    ("template-instance-rule", |view, _, report| template(view, "instance", report)),
    ("template-label-promql-rule", template_label_promql),
    ("template-on-time-change-reload-rule", template_reload),
    ("panel-datasource-rule", panel_datasource),
    ("panel-title-description-rule", panel_title_description),
    ("panel-units-rule", panel_units),
    ("panel-no-targets-rule", panel_no_targets),
    ("target-logql-rule", target_logql),
    ("target-logql-auto-rule", target_logql_auto),
    ("target-promql-rule", target_promql),
    ("target-rate-interval-rule", target_rate_interval),
    ("target-job-rule", |view, ground, report| target_matcher(view, ground, "job", report)),
    ("target-instance-rule", |view, ground, report| target_matcher(view, ground, "instance", report)),
    ("target-counter-agg-rule", target_counter_agg),
    ("uneditable-dashboard-rule", uneditable),
];

/// Units that boards use, as Grafana names them.
const UNITS: &[&str] = &[
    "short",
    "none",
    "percentunit",
    "s",
    "dtdurations",
    "bytes",
    "Bps",
    "binBps",
    "cps",
    "pps",
    "ops",
    "iops",
    "reqps",
    "wps",
    "hertz",
    "celsius",
    "bool",
    "dateTimeFromNow",
    "dateTimeAsIso",
    "suffix:cores",
    "suffix:core-h",
    "suffix:GiB-h",
    "string",
];

/// Every target with its panel.
fn targets<'a>(view: &'a View<'_>) -> impl Iterator<Item = (&'a Panel<'a>, &'a Target<'a>)> {
    view.panels.iter().flat_map(|panel| panel.targets.iter().map(move |target| (panel, target)))
}

fn template_datasource(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    let all: Vec<&Value> = list(view.board, "/templating/list")
        .iter()
        .filter(|variable| text(variable, "/type") == "datasource")
        .collect();
    let [variable] = all.as_slice() else {
        report.add("", format!("has {} variables of data sources instead of one", all.len()));
        return;
    };
    for (key, want) in [("/name", "datasource"), ("/label", "Data source"), ("/query", "prometheus")] {
        if text(variable, key) != want {
            report.add("", format!("{key} of the data source is {:?} instead of {want:?}", text(variable, key)));
        }
    }
}

fn template(view: &View<'_>, name: &str, report: &mut Report) {
    let Some(variable) = view.variables.iter().find(|variable| variable.name == name) else {
        report.add("", format!("has no variable {name}"));
        return;
    };
    for (key, is_right) in [
        ("multi", variable.json["multi"] == true),
        ("includeAll", variable.json["includeAll"] == true),
        ("allValue", variable.json["allValue"] == ".+"),
    ] {
        if !is_right {
            report.add("", format!("{key} of the variable {name} is not as it should be"));
        }
    }
}

fn template_label_promql(view: &View<'_>, ground: &Ground<'_>, report: &mut Report) {
    for variable in &view.variables {
        let Some((selector, label)) = variable.values else {
            report.add("", format!("{} is no label_values(selector, label): {}", variable.name, variable.query));
            continue;
        };
        let tree = match parser::parse(&plain(selector).0) {
            Ok(tree) => tree,
            Err(error) => {
                report.add("", format!("{}: {selector} is no PromQL: {error}", variable.name));
                continue;
            }
        };
        for selected in selectors(&tree) {
            let name = selected.selector.name.as_deref().unwrap_or_default();
            if !ground.known.series(name).is_some_and(|(_, _, labels)| labels.contains(label)) {
                report.add("", format!("{}: {name:?} has no label {label:?}", variable.name));
            }
        }
    }
}

fn template_reload(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    for variable in view.variables.iter().filter(|variable| variable.json["refresh"] != 2) {
        report.add("", format!("the variable {} is not asked for again when the time range changes", variable.name));
    }
}

fn panel_datasource(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    for panel in view.panels.iter().filter(|panel| text(panel.json, "/datasource/uid") != "${datasource}") {
        report.add(panel.title, "has another data source than ${datasource}");
    }
}

fn panel_title_description(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    for panel in &view.panels {
        if panel.title.is_empty() {
            report.add(&panel.json["id"].to_string(), "has no title");
        }
        if text(panel.json, "/description").len() < 20 {
            report.add(panel.title, "does not say what it shows and why");
        }
    }
}

fn panel_units(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    for panel in &view.panels {
        let defaults = [panel.json.pointer("/fieldConfig/defaults/unit").unwrap_or(&Value::Null)];
        let overrides = list(panel.json, "/fieldConfig/overrides")
            .iter()
            .flat_map(|rule| list(rule, "/properties"))
            .filter(|property| property["id"] == "unit")
            .map(|property| &property["value"]);
        for unit in defaults.into_iter().chain(overrides) {
            if !unit.as_str().is_some_and(|unit| UNITS.contains(&unit)) {
                report
                    .add(panel.title, format!("has the unit {unit}, which is not one of Grafana's that are used here"));
            }
        }
    }
}

fn panel_no_targets(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    for panel in view.panels.iter().filter(|panel| panel.targets.is_empty()) {
        report.add(panel.title, "asks nothing");
    }
}

fn is_loki(panel: &Panel<'_>, target: &Target<'_>) -> bool {
    [target.json, panel.json].iter().any(|json| text(json, "/datasource/type") == "loki")
}

fn target_logql(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    for (panel, target) in targets(view).filter(|(panel, target)| is_loki(panel, target)) {
        // A log query begins with the streams that it reads; nothing here can check more.
        let opens = target.expr.matches(['{', '(', '[']).count();
        let closes = target.expr.matches(['}', ')', ']']).count();
        if !target.expr.contains('{') || opens != closes {
            report.add(panel.title, format!("is no LogQL: {}", target.expr));
        }
    }
}

fn target_logql_auto(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    for (panel, target) in targets(view).filter(|(panel, target)| is_loki(panel, target)) {
        let mut ranges = target.expr.split('[').skip(1).filter_map(|after| after.split_once(']'));
        if ranges.any(|(range, _)| range != "$__auto") {
            report.add(panel.title, format!("has a range other than $__auto: {}", target.expr));
        }
    }
}

fn target_promql(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    for (panel, target) in targets(view) {
        if let Err(error) = &target.tree {
            report.add(panel.title, format!("is no PromQL: {error}"));
        }
    }
}

fn target_rate_interval(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    for (panel, target) in targets(view) {
        let Ok(tree) = &target.tree else { continue };
        let is_rate = |function: Option<&str>| matches!(function, Some("rate" | "irate" | "increase"));
        let ranges = selectors(tree).iter().filter(|selected| is_rate(selected.function)).count();
        let right = target.expr.matches("[$__rate_interval]").count();
        if right < ranges {
            let others: BTreeSet<&str> = target
                .expr
                .split('[')
                .skip(1)
                .filter_map(|after| after.split_once(']'))
                .map(|(range, _)| range)
                .filter(|range| *range != "$__rate_interval")
                .collect();
            let others: Vec<&str> = others.into_iter().collect();
            report.add(panel.title, format!("takes a rate over {} instead of $__rate_interval", others.join(", ")));
        }
    }
}

fn target_matcher(view: &View<'_>, _: &Ground<'_>, label: &str, report: &mut Report) {
    for (panel, target) in targets(view) {
        let Ok(tree) = &target.tree else { continue };
        let lacks = selectors(tree).iter().any(|selected| {
            let mut matchers = selected.selector.matchers.matchers.iter();
            !matchers.any(|matcher| matcher.name == label && matches!(matcher.op, MatchOp::Re(_)))
        });
        if lacks {
            report.add(panel.title, format!("has a selector without {label}"));
        }
    }
}

fn target_counter_agg(view: &View<'_>, ground: &Ground<'_>, report: &mut Report) {
    for (panel, target) in targets(view) {
        let Ok(tree) = &target.tree else { continue };
        for selected in selectors(tree) {
            let name = selected.selector.name.as_deref().unwrap_or_default();
            let kind = ground.known.series(name).map(|(_, family, _)| family.kind);
            let is_counter = matches!(kind, Some(Kind::Counter | Kind::Histogram));
            if is_counter && !matches!(selected.function, Some("rate" | "irate" | "increase")) {
                report.add(panel.title, format!("reads the counter {name} without rate, irate or increase"));
            }
        }
    }
}

fn uneditable(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    if view.board["editable"] != false {
        report.add("", "can be edited in Grafana, where changes are lost");
    }
}
