//! Rules of this project.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::report::{Ground, Report, Rule};
use super::tree::selectors;
use super::view::{Panel, View, list, text};
use crate::board::dashboard::SCHEMA;
use crate::board::expression::{legend_labels, plain};
use crate::board::grid::{COLUMNS, Place};
use crate::catalog::Labels;
use crate::query::Query;

/// The rules.
pub(super) const RULES: &[Rule] = &[
    ("schema", schema),
    ("uid", uid),
    ("unique-ids", unique_ids),
    ("grid", grid),
    ("data-source", data_source),
    ("known-metrics", known_metrics),
    ("kept-labels", kept_labels),
    ("repeated-query", repeated_query),
    ("variables", variables),
    ("filtered-selectors", filtered_selectors),
    ("links", links),
];

/// What the classic model must have.
const REQUIRED: [&str; 13] = [
    "title",
    "uid",
    "schemaVersion",
    "templating",
    "annotations",
    "panels",
    "time",
    "timepicker",
    "refresh",
    "tags",
    "timezone",
    "graphTooltip",
    "links",
];

fn schema(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    for key in REQUIRED {
        if view.board.get(key).is_none() {
            report.add("", format!("lacks {key}"));
        }
    }
    if view.board["schemaVersion"] != SCHEMA {
        report.add("", format!("has schema {} instead of {SCHEMA}", view.board["schemaVersion"]));
    }
    // What the last migrations changed.
    if !view.board["refresh"].is_string() {
        report.add("", "refresh is no text");
    }
    if view.board.pointer("/timepicker/time_options").is_some() {
        report.add("", "has time_options, which version 41 removed");
    }
    for panel in &view.panels {
        let hidden = panel.json.pointer("/fieldConfig/defaults/custom/hideFrom");
        if hidden.is_some_and(|hidden| hidden["viz"] == true && hidden["tooltip"] != true) {
            report.add(panel.title, "is hidden from the panel and not from its tooltip");
        }
        for key in ["type", "options", "fieldConfig", "gridPos"] {
            if panel.json.get(key).is_none() {
                report.add(panel.title, format!("lacks {key}"));
            }
        }
        if panel.title.chars().count() > 45 {
            report.add(panel.title, "has a title that is cut off");
        }
    }
    let question = text(view.board, "/description");
    if !question.ends_with('?') {
        report.add("", "does not say which question it answers");
    }
}

fn uid(view: &View<'_>, ground: &Ground<'_>, report: &mut Report) {
    let uid = text(view.board, "/uid");
    let is_plain = uid.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    if !uid.starts_with(ground.prefix) || uid.len() > 40 || !is_plain {
        report.add("", format!("the uid {uid:?} is not {:?} and a name, 40 characters at most", ground.prefix));
    }
}

fn unique_ids(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    let mut seen = BTreeMap::new();
    let rows = list(view.board, "/panels").iter().filter(|panel| text(panel, "/type") == "row");
    for panel in view.panels.iter().map(|panel| panel.json).chain(rows) {
        let title = text(panel, "/title");
        match panel["id"].as_u64().filter(|id| *id > 0) {
            None => report.add(title, "has no id"),
            Some(id) => {
                if let Some(other) = seen.insert(id, title) {
                    report.add(title, format!("has the id of {other:?}"));
                }
            }
        }
    }
    for panel in &view.panels {
        let mut ids = BTreeSet::new();
        if let Some(target) = panel.targets.iter().find(|target| !ids.insert(text(target.json, "/refId"))) {
            report.add(panel.title, format!("has two queries {:?}", text(target.json, "/refId")));
        }
    }
}

/// Where a panel stands.
fn place(panel: &Value) -> Option<Place> {
    let number = |key: &str| panel.pointer(&format!("/gridPos/{key}")).and_then(Value::as_u64);
    let small = |key: &str| number(key).and_then(|number| u32::try_from(number).ok());
    Some(Place { x: small("x")?, y: small("y")?, w: small("w")?, h: small("h")? })
}

fn grid(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    let open = list(view.board, "/panels");
    let closed = open.iter().map(|row| list(row, "/panels")).filter(|panels| !panels.is_empty());
    for panels in std::iter::once(open).chain(closed) {
        let mut places: Vec<(&str, Place)> = Vec::new();
        for panel in panels {
            let title = text(panel, "/title");
            let Some(place) = place(panel) else {
                report.add(title, "has no place");
                continue;
            };
            if place.w == 0 || place.h == 0 || place.x + place.w > COLUMNS {
                report.add(title, "stands outside the grid");
            }
            if let Some((other, _)) = places.iter().find(|(_, other)| other.meets(place)) {
                report.add(title, format!("stands on {other:?}"));
            }
            places.push((title, place));
        }
        let (Some(top), Some(bottom)) =
            (places.iter().map(|(_, place)| place.y).min(), places.iter().map(|(_, place)| place.y + place.h).max())
        else {
            continue;
        };
        let filled: u32 = places.iter().map(|(_, place)| place.w * place.h).sum();
        let gap = places.iter().find(|(_, place)| {
            let line: u32 = places.iter().filter(|(_, other)| other.y == place.y).map(|(_, other)| other.w).sum();
            line != COLUMNS
        });
        if let (true, Some((title, _))) = (filled != COLUMNS * (bottom - top), gap) {
            report.add(title, "leaves a gap beside it");
        }
    }
}

fn data_source(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    for key in ["__inputs", "__requires", "__elements"] {
        if view.board.get(key).is_some() {
            report.add("", format!("has {key}, which provisioning does not fill in"));
        }
    }
    let mut others = BTreeSet::new();
    foreign(view.board, &mut others);
    for other in others {
        report.add("", format!("has the data source {other} instead of ${{datasource}}"));
    }
}

/// Data sources that are not the variable, wherever they stand.
fn foreign(json: &Value, found: &mut BTreeSet<String>) {
    match json {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key == "datasource" && value["uid"] != "${datasource}" {
                    found.insert(value.to_string());
                }
                foreign(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| foreign(item, found)),
        _ => {}
    }
}

/// The queries of a panel as they are read together: the two forms of one histogram may stand in two.
fn readings(panel: &Panel<'_>) -> Vec<String> {
    if text(panel.json, "/type") == "heatmap" {
        let all: Vec<String> = panel.targets.iter().map(|target| format!("({})", target.plain)).collect();
        return vec![all.join(" or ")];
    }
    panel.targets.iter().map(|target| target.plain.clone()).collect()
}

fn known_metrics(view: &View<'_>, ground: &Ground<'_>, report: &mut Report) {
    let problems = |expr: &str| match Query::read(expr, ground.known) {
        Ok(_) => Vec::new(),
        Err(problems) => problems,
    };
    for panel in &view.panels {
        for expr in readings(panel) {
            for what in problems(&expr) {
                report.add(panel.title, what);
            }
        }
    }
    for annotation in list(view.board, "/annotations/list") {
        for what in problems(&plain(text(annotation, "/expr")).0) {
            report.add("", format!("annotation {}: {what}", text(annotation, "/name")));
        }
    }
}

/// Labels that links name as those of series, and columns that they name.
fn linked(json: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut labels, mut titles) = (BTreeSet::new(), BTreeSet::new());
    let all = json.to_string();
    for after in all.split("${__field.labels.").skip(1) {
        labels.extend(after.split_once('}').map(|(name, _)| name.to_owned()));
    }
    for after in all.split("${__data.fields[\\\"").skip(1) {
        titles.extend(after.split_once("\\\"]").map(|(name, _)| name.to_owned()));
    }
    (labels, titles)
}

fn kept_labels(view: &View<'_>, ground: &Ground<'_>, report: &mut Report) {
    for panel in &view.panels {
        let mut all: Vec<Labels> = Vec::new();
        for target in &panel.targets {
            let Some(kept) = Query::read(&target.plain, ground.known).ok().map(|query| query.keeps.unwrap_or_default())
            else {
                continue;
            };
            let (of_links, _) = linked(&panel.json["fieldConfig"]);
            for label in legend_labels(text(target.json, "/legendFormat")).union(&of_links) {
                if !kept.contains(label) {
                    report.add(panel.title, format!("names the label {label}, which {} does not keep", target.expr));
                }
            }
            all.push(kept);
        }
        if text(panel.json, "/type") != "table" {
            continue;
        }
        if all.iter().zip(all.iter().skip(1)).any(|(a, b)| a != b) {
            report.add(panel.title, format!("has columns whose queries keep different labels: {all:?}"));
        }
        let shown = list(panel.json, "/transformations").iter().rfind(|step| step["id"] == "organize");
        let renamed = shown.and_then(|step| step.pointer("/options/renameByName")).and_then(Value::as_object);
        let renamed = renamed.cloned().unwrap_or_default();
        let kept = all.first().cloned().unwrap_or_default();
        for column in renamed.keys().filter(|name| !name.starts_with("Value")) {
            if !kept.contains(column) {
                report.add(panel.title, format!("shows the label {column}, which its queries do not keep"));
            }
        }
        let titles: BTreeSet<&str> = renamed.values().filter_map(Value::as_str).collect();
        let of_overrides = list(panel.json, "/fieldConfig/overrides").iter().map(|rule| text(rule, "/matcher/options"));
        let (_, of_links) = linked(&panel.json["fieldConfig"]);
        for title in of_overrides.chain(of_links.iter().map(String::as_str)) {
            if !titles.contains(title) {
                report.add(panel.title, format!("names the column {title:?}, which there is not"));
            }
        }
    }
}

fn repeated_query(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for panel in &view.panels {
        for target in &panel.targets {
            let words: String = target.expr.split_whitespace().collect();
            match seen.insert(words, panel.title) {
                Some(other) if other != panel.title => {
                    report.add(panel.title, format!("asks what {other:?} asks already: {}", target.expr));
                }
                _ => {}
            }
        }
    }
}

fn variables(view: &View<'_>, _: &Ground<'_>, report: &mut Report) {
    let mut known = BTreeSet::from(["datasource".to_owned()]);
    let mut used = BTreeSet::from(["datasource".to_owned()]);
    for variable in &view.variables {
        for name in plain(variable.query).1 {
            if !known.contains(&name) {
                report.add("", format!("the variable {} needs {name} before it", variable.name));
            }
            used.insert(name);
        }
        known.insert(variable.name.to_owned());
    }
    let of_panels = view.panels.iter().flat_map(|panel| panel.targets.iter().map(|target| (panel.title, target.expr)));
    let of_annotations = list(view.board, "/annotations/list").iter().map(|annotation| ("", text(annotation, "/expr")));
    for (title, expr) in of_panels.chain(of_annotations) {
        for name in plain(expr).1 {
            if !known.contains(&name) {
                report.add(title, format!("names the variable {name}, which there is not"));
            }
            used.insert(name);
        }
    }
    for name in known.difference(&used) {
        report.add("", format!("has the variable {name}, which nothing reads"));
    }
}

fn filtered_selectors(view: &View<'_>, ground: &Ground<'_>, report: &mut Report) {
    for panel in &view.panels {
        for target in &panel.targets {
            let Ok(tree) = &target.tree else { continue };
            for selected in selectors(tree) {
                let name = selected.selector.name.as_deref().unwrap_or_default();
                let Some((_, _, labels)) = ground.known.series(name) else { continue };
                for variable in &view.variables {
                    let Some(label) = ground.labels.get(variable.name).filter(|label| labels.contains(*label)) else {
                        continue;
                    };
                    let mut matchers = selected.selector.matchers.matchers.iter();
                    if !matchers.any(|matcher| &matcher.name == label) {
                        report.add(panel.title, format!("reads {name} without a filter on {label}"));
                    }
                }
            }
        }
    }
}

fn links(view: &View<'_>, ground: &Ground<'_>, report: &mut Report) {
    let own: BTreeSet<&str> = view.variables.iter().map(|variable| variable.name).collect();
    for panel in &view.panels {
        let all = panel.json["fieldConfig"].to_string();
        for after in all.split("\"url\":\"").skip(1) {
            let url = after.split("\",").next().unwrap_or(after).replace("\\\"", "'");
            let url = url.split("\"}").next().unwrap_or(&url);
            let Some((uid, query)) = url.strip_prefix("/d/").and_then(|path| path.split_once('?')) else {
                report.add(panel.title, format!("leads outside the boards: {url}"));
                continue;
            };
            let Some(variables) = ground.boards.get(uid) else {
                report.add(panel.title, format!("leads to {uid}, which there is not"));
                continue;
            };
            for part in query.split('&') {
                let set = part.strip_prefix("var-").and_then(|part| part.split_once('=')).map(|(name, _)| name);
                let passed = part.strip_prefix("${").and_then(|part| part.strip_suffix(":queryparam}"));
                let given = set.or(passed.filter(|name| *name != "datasource"));
                if let Some(name) = given.filter(|name| !variables.iter().any(|variable| variable == name)) {
                    report.add(panel.title, format!("gives {uid} the variable {name}, which it has not"));
                }
                if let Some(name) = passed.filter(|name| *name != "datasource" && !own.contains(name)) {
                    report.add(panel.title, format!("passes the variable {name}, which this board has not"));
                }
            }
        }
    }
}
