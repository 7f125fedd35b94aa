//! A whole board as Grafana has it: the classic model.

use serde_json::{Value, json};

use super::expression::filled;
use super::grid::{COLUMNS, Flow};
use super::panel::{Builder, Ground, data_source};
use super::written::{Board, Kind, Pick, Row, Variable};
use crate::panel::panel_id;

/// The version of the model: the newest one. Nothing is used that 39 has not.
pub(super) const SCHEMA: u32 = 42;

/// Makes a board; problems with the names of their panels when it cannot be made.
pub(super) fn made(board: &Board, ground: &Ground<'_>) -> Result<Value, Vec<(String, String)>> {
    let mut builder = Builder::new(ground, &board.name);
    let panels = rows(&board.rows, &mut builder);
    let variables = variables(board, ground, &mut builder.problems);
    let annotations = annotations(board, ground, &mut builder.problems);
    let shared = ground.shared;
    let menu = shared.tags.first().cloned().unwrap_or_default();
    let json = json!({
        "id": null,
        "uid": format!("{}{}", shared.prefix, board.name),
        "title": board.title,
        "description": board.question,
        "tags": shared.tags,
        "schemaVersion": SCHEMA,
        "editable": false,
        "graphTooltip": 1,
        "fiscalYearStartMonth": 0,
        "liveNow": false,
        "preload": false,
        "refresh": "1m",
        "time": {"from": board.from, "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "weekStart": "",
        "links": [{
            "type": "dashboards", "title": "Yagura", "tags": [menu], "asDropdown": true, "includeVars": true,
            "keepTime": true, "targetBlank": false, "icon": "external link", "tooltip": "Other boards of this set", "url": "",
        }],
        "templating": {"list": variables},
        "annotations": {"list": annotations},
        "panels": panels,
    });
    if builder.problems.is_empty() { Ok(json) } else { Err(builder.problems) }
}

fn rows(rows: &[Row], builder: &mut Builder<'_>) -> Vec<Value> {
    let (mut all, mut y) = (Vec::new(), 0);
    for row in rows {
        let heading = row.heading.as_ref().map(|title| {
            let heading = json!({
                "type": "row", "id": panel_id(&format!("row {title}")), "title": title, "collapsed": row.closed,
                "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}, "panels": [],
            });
            y += 1;
            heading
        });
        let mut flow = Flow::at(y);
        let panels: Vec<Value> = row
            .panels
            .iter()
            .map(|panel| {
                let height = panel.height.unwrap_or(if panel.kind == Kind::Stat { 4 } else { 8 });
                builder.panel(panel, flow.next(panel.width, height))
            })
            .collect();
        match heading {
            // Closed rows keep their panels inside, where Grafana looks for them when one opens it.
            Some(mut heading) if row.closed => {
                if let Some(inside) = heading.get_mut("panels") {
                    *inside = json!(panels);
                }
                all.push(heading);
            }
            heading => {
                all.extend(heading);
                all.extend(panels);
                y = flow.bottom();
            }
        }
    }
    all
}

fn variables(board: &Board, ground: &Ground<'_>, problems: &mut Vec<(String, String)>) -> Vec<Value> {
    let mut list = vec![json!({
        "type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "regex": "",
        "hide": 0, "multi": false, "includeAll": false, "skipUrlSync": false, "options": [], "refresh": 1,
        "current": {"text": "default", "value": "default"},
    })];
    for variable in &board.variables {
        let (name, of, pick) = match variable {
            Variable::Named(name) => (name, None, None),
            Variable::Own(own) => (&own.name, own.of.as_ref(), own.pick),
        };
        let Some(shared) = ground.shared.variables.get(name) else {
            problems.push((String::new(), format!("there is no variable {name:?}")));
            continue;
        };
        let selector = match filled(of.unwrap_or(&shared.of), &ground.shared.parts, ground.thresholds) {
            Ok((selector, _)) => selector,
            Err(what) => {
                problems.push((String::new(), format!("variable {name}: {what}")));
                continue;
            }
        };
        let is_any = pick.unwrap_or(shared.pick) == Pick::Any;
        let query = format!("label_values({selector}, {})", shared.label.as_ref().unwrap_or(name));
        let current =
            if is_any { json!({"text": ["All"], "value": ["$__all"]}) } else { json!({"text": "", "value": ""}) };
        let mut variable = json!({
            "type": "query", "name": name, "label": shared.title, "datasource": data_source(),
            "query": {"query": query, "refId": format!("variable-{name}"), "qryType": 1},
            "regex": "", "refresh": 2, "sort": 1, "hide": 0, "skipUrlSync": false, "options": [],
            "multi": is_any, "includeAll": is_any, "current": current,
        });
        if let Some(variable) = variable.as_object_mut().filter(|_| is_any) {
            variable.insert("allValue".to_owned(), json!(".*"));
        }
        list.push(variable);
    }
    list
}

fn annotations(board: &Board, ground: &Ground<'_>, problems: &mut Vec<(String, String)>) -> Vec<Value> {
    let mut list = Vec::new();
    for name in &board.annotations {
        let Some(shared) = ground.shared.annotations.get(name) else {
            problems.push((String::new(), format!("there is no annotation {name:?}")));
            continue;
        };
        match filled(&shared.expr, &ground.shared.parts, ground.thresholds) {
            Ok((expr, _)) => list.push(json!({
                "name": shared.title, "datasource": data_source(), "enable": shared.shown, "hide": false,
                "iconColor": shared.colour, "expr": expr, "step": "60s", "titleFormat": shared.mark,
                "textFormat": shared.text, "tagKeys": shared.labels.join(","), "useValueForTime": false,
            })),
            Err(what) => problems.push((String::new(), format!("annotation {name}: {what}"))),
        }
    }
    list
}
