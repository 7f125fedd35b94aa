//! A board's JSON, as rules look at it.

use promql_parser::parser::{self, Expr};
use serde_json::Value;

use crate::board::expression::plain;

/// A board.
pub(super) struct View<'a> {
    pub(super) board: &'a Value,
    /// All panels, those of closed rows too; no rows.
    pub(super) panels: Vec<Panel<'a>>,
    /// Variables that are taken from series.
    pub(super) variables: Vec<Variable<'a>>,
}

/// A panel.
pub(super) struct Panel<'a> {
    pub(super) json: &'a Value,
    pub(super) title: &'a str,
    pub(super) targets: Vec<Target<'a>>,
}

/// A query of a panel.
pub(super) struct Target<'a> {
    pub(super) json: &'a Value,
    pub(super) expr: &'a str,
    /// With something that parses in place of Grafana's variables.
    pub(super) plain: String,
    pub(super) tree: Result<Expr, String>,
}

/// A variable.
pub(super) struct Variable<'a> {
    pub(super) json: &'a Value,
    pub(super) name: &'a str,
    pub(super) query: &'a str,
    /// Selector and label of a `label_values`.
    pub(super) values: Option<(&'a str, &'a str)>,
}

/// A text, or nothing.
pub(super) fn text<'a>(json: &'a Value, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A list, or nothing.
pub(super) fn list<'a>(json: &'a Value, pointer: &str) -> &'a [Value] {
    json.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

impl<'a> View<'a> {
    pub(super) fn of(board: &'a Value) -> Self {
        let mut panels = Vec::new();
        for panel in list(board, "/panels") {
            if text(panel, "/type") == "row" {
                panels.extend(list(panel, "/panels").iter().map(Panel::of));
            } else {
                panels.push(Panel::of(panel));
            }
        }
        let of_series = list(board, "/templating/list").iter().filter(|json| text(json, "/type") == "query");
        let variables = of_series.map(|json| {
            let query = text(json, "/query/query");
            let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let values = inside.and_then(|inside| inside.rsplit_once(',')).map(|(of, label)| (of.trim(), label.trim()));
            Variable { json, name: text(json, "/name"), query, values }
        });
        Self { board, panels, variables: variables.collect() }
    }
}

impl<'a> Panel<'a> {
    fn of(json: &'a Value) -> Self {
        let targets = list(json, "/targets").iter().map(|target| {
            let expr = text(target, "/expr");
            let plain = plain(expr).0;
            Target { json: target, expr, tree: parser::parse(&plain), plain }
        });
        Self { json, title: text(json, "/title"), targets: targets.collect() }
    }
}
