//! Panels as Grafana has them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::expression::{filled, plain};
use super::grid::Place;
use super::shared::Shared;
use super::written::{Bound, Cell, Column, Draw, Kind, Limit, Named, Panel, Query};
use crate::catalog::{Known, Labels};
use crate::panel::panel_id;
use crate::query;
use crate::threshold::{self, Thresholds};

/// What panels are made with.
pub(super) struct Ground<'a> {
    pub(super) known: &'a Known,
    pub(super) thresholds: &'a Thresholds,
    pub(super) shared: &'a Shared,
    /// Variables of each board, by its name.
    pub(super) variables: BTreeMap<String, Vec<String>>,
    /// Alerts that watch a panel, by board and panel.
    pub(super) watched: BTreeMap<(String, String), Vec<String>>,
}

/// The data source of all panels.
pub(super) fn data_source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// Where cells and series lead.
enum From {
    /// Labels of a series.
    Series(Labels),
    /// Columns of a table, by label.
    Columns(BTreeMap<String, String>),
}

/// What a value is drawn as while it is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Good {
    /// A line of its own colour, above or below that of the limit.
    Line,
    /// A big number.
    Number,
    /// One cell among many, which only stands out when it is bad.
    Cell,
    /// A bar in a cell.
    Bar,
}

impl Good {
    const fn colour(self) -> &'static str {
        match self {
            Self::Line => "transparent",
            Self::Number => "green",
            Self::Cell => "text",
            Self::Bar => "blue",
        }
    }
}

/// Makes the panels of one board.
pub(super) struct Builder<'a> {
    ground: &'a Ground<'a>,
    board: &'a str,
    pub(super) problems: Vec<(String, String)>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(ground: &'a Ground<'a>, board: &'a str) -> Self {
        Self { ground, board, problems: Vec::new() }
    }

    fn refuse(&mut self, panel: &str, what: impl Into<String>) {
        self.problems.push((panel.to_owned(), what.into()));
    }

    /// A panel at its place.
    pub(super) fn panel(&mut self, source: &Panel, place: Place) -> Value {
        let mut panel = json!({
            "id": panel_id(&source.name),
            "title": source.title,
            "description": self.description(source),
            "gridPos": {"x": place.x, "y": place.y, "w": place.w, "h": place.h},
            "datasource": data_source(),
            "links": self.alerts(source),
        });
        let parts = match source.kind {
            Kind::Table => self.table(source),
            _ => self.drawn(source),
        };
        if let (Some(panel), Value::Object(parts)) = (panel.as_object_mut(), parts) {
            panel.extend(parts);
        }
        panel
    }

    /// Alerts that watch a panel.
    fn watching(&self, source: &Panel) -> &[String] {
        let key = (self.board.to_owned(), source.name.clone());
        self.ground.watched.get(&key).map_or(&[], Vec::as_slice)
    }

    fn description(&self, source: &Panel) -> String {
        let about = source.about.trim();
        match self.watching(source) {
            [] => about.to_owned(),
            alerts => format!("{about}\n\nWatched by {}.", alerts.join(", ")),
        }
    }

    /// Links in the head of a panel to the alerts that watch it: to Grafana's list of rules, which has those of its data
    /// sources too, with state, limit and runbook.
    fn alerts(&self, source: &Panel) -> Value {
        let link = |alert: &String| {
            json!({
                "type": "link", "title": format!("Alert {alert}"), "url": format!("/alerting/list?search={alert}"),
                "targetBlank": true, "icon": "", "tooltip": "", "tags": [], "asDropdown": false, "includeVars": false,
                "keepTime": false,
            })
        };
        self.watching(source).iter().map(link).collect()
    }

    /// Everything but tables.
    fn drawn(&mut self, source: &Panel) -> Value {
        if !source.columns.is_empty() {
            self.refuse(&source.name, "has columns and is no table");
        }
        let targets: Vec<Value> =
            source.queries.iter().enumerate().map(|(at, query)| self.target(source, query, at)).collect();
        let mut defaults = self.standard(source);
        let (kind, custom, options) = styles(source);
        if let Some(defaults) = defaults.as_object_mut() {
            if let Some(custom) = custom {
                defaults.insert("custom".to_owned(), custom);
            }
            if let Some(link) = &source.link {
                let links = self.series_link(source, link);
                defaults.insert("links".to_owned(), links);
            }
        }
        let overrides: Vec<Value> =
            source.queries.iter().enumerate().filter_map(|(at, query)| series_override(query, at)).collect();
        let transformations = if source.kind == Kind::Topology { topology_steps(&source.queries) } else { Vec::new() };
        json!({
            "type": kind,
            "targets": targets,
            "fieldConfig": {"defaults": defaults, "overrides": overrides},
            "options": options,
            "transformations": transformations,
        })
    }

    /// Unit, limits and names of values.
    fn standard(&mut self, source: &Panel) -> Value {
        let mut defaults = Map::new();
        defaults.insert("unit".to_owned(), json!(source.unit.as_deref().unwrap_or("short")));
        if let Some(decimals) = source.decimals {
            defaults.insert("decimals".to_owned(), json!(decimals));
        }
        if source.min.is_none() && !matches!(source.kind, Kind::Stat | Kind::States | Kind::Topology) {
            defaults.insert("min".to_owned(), json!(0));
        }
        if let Some(max) = source.max {
            defaults.insert("max".to_owned(), json!(max));
        }
        let good = if source.kind == Kind::Graph { Good::Line } else { Good::Number };
        let colour = if good == Good::Line { "palette-classic" } else { "thresholds" };
        defaults.insert("color".to_owned(), json!({"mode": colour}));
        if let Some(words) = &source.empty {
            defaults.insert("noValue".to_owned(), json!(words));
        }
        defaults.insert("mappings".to_owned(), mappings(&source.values));
        let unit = source.unit.clone();
        let thresholds = self.steps(&source.name, source.limit.as_ref(), unit.as_deref(), good);
        defaults.insert("thresholds".to_owned(), thresholds);
        Value::Object(defaults)
    }

    /// Steps of a limit. A line is drawn where a graph turns bad; anything else is coloured on both sides of it.
    fn steps(&mut self, panel: &str, limit: Option<&Limit>, unit: Option<&str>, good: Good) -> Value {
        let Some(limit) = limit else {
            let base = if good == Good::Line { "transparent" } else { "blue" };
            return json!({"mode": "absolute", "steps": [{"color": base, "value": null}]});
        };
        let mut number = |bound: &Bound| match bound {
            Bound::Number(number) => *number,
            Bound::Name(name) => self.limit(panel, name, unit),
        };
        let above = limit.above.as_ref().map(&mut number);
        let below = limit.below.as_ref().map(&mut number);
        let warn = limit.warn.as_ref().map(&mut number);
        let step = |colour: &str, value: Option<f64>| json!({"color": colour, "value": value});
        let is_line = good == Good::Line;
        let base = good.colour();
        let steps = match (above, below, warn) {
            (Some(above), None, None) => vec![step(base, None), step("red", Some(above))],
            (Some(above), None, Some(warn)) if warn < above => {
                vec![step(base, None), step("orange", Some(warn)), step("red", Some(above))]
            }
            // A line has the colour of the step that begins there, which is that of what lies below here.
            (None, Some(below), None) if is_line => vec![step(base, None), step("red", Some(below))],
            (None, Some(below), Some(warn)) if is_line && warn > below => {
                vec![step(base, None), step("red", Some(below)), step("orange", Some(warn))]
            }
            (None, Some(below), None) => vec![step("red", None), step(base, Some(below))],
            (None, Some(below), Some(warn)) if warn > below => {
                vec![step("red", None), step("orange", Some(below)), step(base, Some(warn))]
            }
            (Some(_), Some(_), _) | (None, None, _) => {
                self.refuse(panel, "has a limit that is neither above nor below");
                Vec::new()
            }
            _ => {
                self.refuse(panel, "warns on the wrong side of its limit");
                Vec::new()
            }
        };
        json!({"mode": "absolute", "steps": steps})
    }

    /// The number of a named limit, which must count what the panel counts.
    fn limit(&mut self, panel: &str, name: &str, unit: Option<&str>) -> f64 {
        let Some(limit) = self.ground.thresholds.0.get(name) else {
            self.refuse(panel, format!("there is no threshold {name:?}"));
            return 0.0;
        };
        let fitting: &[&str] = match limit.unit {
            threshold::Unit::Ratio => &["percentunit"],
            threshold::Unit::Seconds => &["s", "dtdurations"],
            threshold::Unit::Bytes => &["bytes"],
            threshold::Unit::Count => &["short", "none"],
            threshold::Unit::PerSecond => &["cps", "pps", "ops", "iops", "reqps"],
            threshold::Unit::Period => &[],
        };
        if !unit.is_some_and(|unit| fitting.contains(&unit)) {
            let unit = unit.unwrap_or("none");
            self.refuse(panel, format!("draws the limit {name}, which is no {unit}: it is one of {fitting:?}"));
        }
        match &limit.value {
            threshold::Value::Number(number) => *number,
            threshold::Value::Period(_) => 0.0,
        }
    }

    /// A query with parts and limits put in.
    fn text(&mut self, panel: &str, expr: &str) -> String {
        match filled(expr, &self.ground.shared.parts, self.ground.thresholds) {
            Ok((text, _)) => text,
            Err(what) => {
                self.refuse(panel, what);
                String::new()
            }
        }
    }

    fn target(&mut self, source: &Panel, query: &Query, at: usize) -> Value {
        let is_instant = match source.kind {
            Kind::Stat => !source.past,
            Kind::Bars | Kind::Topology | Kind::Table => true,
            Kind::Graph | Kind::Heatmap | Kind::States => false,
        };
        let format = match source.kind {
            Kind::Topology | Kind::Table => "table",
            Kind::Heatmap => "heatmap",
            _ => "time_series",
        };
        let expr = self.text(&source.name, &query.expr);
        json!({
            "refId": ref_id(query, at),
            "datasource": data_source(),
            "editorMode": "code",
            "expr": expr,
            "legendFormat": query.legend,
            "format": format,
            "instant": is_instant,
            "range": !is_instant,
        })
    }

    /// Labels that all of these queries keep.
    fn kept(&self, exprs: &[String]) -> Labels {
        let kept = exprs.iter().map(|expr| {
            let read = query::Query::read(&plain(expr).0, self.ground.known);
            read.ok().and_then(|query| query.keeps).unwrap_or_default()
        });
        kept.reduce(|a, b| a.intersection(&b).cloned().collect()).unwrap_or_default()
    }

    fn series_link(&mut self, source: &Panel, to: &str) -> Value {
        let exprs: Vec<String> = source.queries.iter().map(|query| self.text(&source.name, &query.expr)).collect();
        let labels = self.kept(&exprs);
        self.link(&source.name, to, &From::Series(labels))
    }

    /// A link to a board, with every variable of it that is known here.
    fn link(&mut self, panel: &str, to: &str, from: &From) -> Value {
        let ground = self.ground;
        let Some(variables) = ground.variables.get(to) else {
            self.refuse(panel, format!("leads to the board {to:?}, which there is not"));
            return json!([]);
        };
        let own = ground.variables.get(self.board);
        let mut url = format!("/d/{}{to}?${{datasource:queryparam}}", ground.shared.prefix);
        for variable in variables {
            let label =
                ground.shared.variables.get(variable).and_then(|shared| shared.label.as_ref()).unwrap_or(variable);
            let value = match from {
                From::Series(labels) if labels.contains(label) => Some(format!("${{__field.labels.{label}}}")),
                From::Columns(columns) => columns.get(label).map(|title| format!("${{__data.fields[\"{title}\"]}}")),
                From::Series(_) => None,
            };
            match value {
                Some(value) => url.extend(["&var-", variable, "=", &value]),
                None if own.is_some_and(|own| own.contains(variable)) => {
                    url.extend(["&${", variable, ":queryparam}"]);
                }
                None => {}
            }
        }
        url.push_str("&${__url_time_range}");
        json!([{"title": format!("Open the board {to}"), "url": url}])
    }

    fn table(&mut self, source: &Panel) -> Value {
        if !source.queries.is_empty() {
            self.refuse(&source.name, "is a table, whose queries stand in its columns");
        }
        let mut targets = Vec::new();
        let (mut renamed, mut order, mut titles) = (Map::new(), Map::new(), BTreeMap::new());
        let mut exprs = Vec::new();
        let values = source.columns.iter().filter(|column| column.expr.is_some()).count();
        for column in &source.columns {
            let name = match (&column.label, &column.expr) {
                (Some(label), None) => {
                    titles.insert(label.clone(), column.title.clone());
                    label.clone()
                }
                (None, Some(expr)) => {
                    let query = Query::plain(expr);
                    let id = letter(targets.len());
                    targets.push(self.target(source, &query, targets.len()));
                    exprs.push(self.text(&source.name, expr));
                    if values == 1 { "Value".to_owned() } else { format!("Value #{id}") }
                }
                _ => {
                    self.refuse(&source.name, format!("the column {:?} is neither a label nor a query", column.title));
                    continue;
                }
            };
            order.insert(name.clone(), json!(order.len()));
            renamed.insert(name, json!(column.title));
        }
        let kept = self.kept(&exprs);
        let mut hidden: Map<String, Value> = Map::new();
        for name in kept.iter().filter(|label| !titles.contains_key(*label)).map(String::as_str).chain(["Time"]) {
            hidden.insert(name.to_owned(), json!(true));
        }
        let mut steps = Vec::new();
        if values > 1 {
            steps.push(json!({"id": "merge", "options": {}}));
        }
        steps.push(json!({
            "id": "organize",
            "options": {"excludeByName": hidden, "indexByName": order, "renameByName": renamed},
        }));
        let overrides: Vec<Value> =
            source.columns.iter().filter_map(|column| self.column(source, column, &titles)).collect();
        let sort: Vec<Value> = source.sort.iter().map(|title| json!({"displayName": title, "desc": true})).collect();
        if source.sort.as_ref().is_some_and(|sort| !source.columns.iter().any(|column| &column.title == sort)) {
            self.refuse(&source.name, "is sorted by a column that it has not");
        }
        let mut defaults = json!({
            "unit": source.unit.as_deref().unwrap_or("short"),
            "color": {"mode": "thresholds"},
            "mappings": [],
            "thresholds": {"mode": "absolute", "steps": [{"color": "text", "value": null}]},
            "custom": {"align": "auto", "minWidth": 60, "cellOptions": {"type": "auto"}, "inspect": false, "filterable": false},
        });
        if let (Some(words), Some(defaults)) = (&source.empty, defaults.as_object_mut()) {
            defaults.insert("noValue".to_owned(), json!(words));
        }
        json!({
            "type": "table",
            "targets": targets,
            "fieldConfig": {"defaults": defaults, "overrides": overrides},
            "options": {
                "showHeader": true, "cellHeight": "sm", "frameIndex": 0, "sortBy": sort,
            },
            "transformations": steps,
        })
    }

    /// What a column has that the others have not.
    fn column(&mut self, source: &Panel, column: &Column, titles: &BTreeMap<String, String>) -> Option<Value> {
        let mut properties = Vec::new();
        let mut set = |id: &str, value: Value| properties.push(json!({"id": id, "value": value}));
        let unit = column.unit.as_ref().or(source.unit.as_ref());
        let good = match column.cell {
            None => Good::Cell,
            Some(Cell::Bar) => Good::Bar,
            Some(Cell::Colour) => Good::Number,
        };
        if column.label.is_some() {
            // A label is a name, even when it looks like a number.
            set("unit", json!("string"));
        } else if let Some(unit) = column.unit.as_ref() {
            set("unit", json!(unit));
        }
        if source.empty.is_some() {
            // The words are for the whole table.
            set("noValue", json!(""));
        }
        if let Some(decimals) = column.decimals {
            set("decimals", json!(decimals));
        }
        if let Some(width) = column.width {
            set("custom.width", json!(width));
        }
        if column.limit.is_some() {
            set("thresholds", self.steps(&source.name, column.limit.as_ref(), unit.map(String::as_str), good));
        }
        if !column.values.is_empty() {
            set("mappings", mappings(&column.values));
        }
        match column.cell {
            Some(Cell::Bar) => {
                set("custom.cellOptions", json!({"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}));
                set("min", json!(0));
                if column.max.is_none() {
                    set("fieldMinMax", json!(true));
                }
                if column.limit.is_none() {
                    set("thresholds", json!({"mode": "absolute", "steps": [{"color": "blue", "value": null}]}));
                }
            }
            Some(Cell::Colour) => {
                set("custom.cellOptions", json!({"type": "color-background", "mode": "basic"}));
            }
            None if column.limit.is_some() => set("custom.cellOptions", json!({"type": "color-text"})),
            None => {}
        }
        if let Some(max) = column.max {
            set("max", json!(max));
        }
        if let Some(to) = &column.link {
            let links = self.link(&source.name, to, &From::Columns(titles.clone()));
            set("links", links);
        }
        let named = json!({"id": "byName", "options": column.title});
        (!properties.is_empty()).then(|| json!({"matcher": named, "properties": properties}))
    }
}

impl Query {
    /// A query of a column.
    fn plain(expr: &str) -> Self {
        Self {
            expr: expr.to_owned(),
            legend: String::new(),
            id: None,
            draw: None,
            colour: None,
            field: None,
            unit: None,
        }
    }
}

/// The refId of the query at this place.
fn ref_id(query: &Query, at: usize) -> String {
    query.id.clone().unwrap_or_else(|| letter(at))
}

fn letter(at: usize) -> String {
    u32::try_from(at).ok().and_then(|at| char::from_u32(u32::from('A') + at)).unwrap_or('Z').to_string()
}

fn mappings(values: &BTreeMap<String, Named>) -> Value {
    if values.is_empty() {
        return json!([]);
    }
    let options: Map<String, Value> = values
        .iter()
        .enumerate()
        .map(|(at, (value, named))| (value.clone(), json!({"text": named.text, "color": named.colour, "index": at})))
        .collect();
    json!([{"type": "value", "options": options}])
}

/// How the series of a query differ from the others of its panel.
fn series_override(query: &Query, at: usize) -> Option<Value> {
    let mut properties = Vec::new();
    let mut set = |id: &str, value: Value| properties.push(json!({"id": id, "value": value}));
    match query.draw {
        Some(Draw::Below) => set("custom.transform", json!("negative-Y")),
        Some(Draw::Reference) => {
            set("custom.lineStyle", json!({"fill": "dash", "dash": [8, 6]}));
            set("custom.fillOpacity", json!(0));
            set("custom.stacking", json!({"mode": "none", "group": "reference"}));
        }
        None => {}
    }
    if let Some(colour) = &query.colour {
        set("color", json!({"mode": "fixed", "fixedColor": colour}));
    }
    if let Some(unit) = query.unit.as_ref().filter(|_| query.field.is_none()) {
        set("unit", json!(unit));
    }
    let matcher = json!({"id": "byFrameRefID", "options": ref_id(query, at)});
    (!properties.is_empty()).then(|| json!({"matcher": matcher, "properties": properties}))
}

/// What a stat shows of a series: its name, its value, or both.
fn text_mode(source: &Panel) -> &'static str {
    match (source.named, source.unit.as_deref()) {
        (true, Some("string")) => "name",
        (true, _) => "value_and_name",
        (false, _) => "value",
    }
}

/// Type, custom field options and options of a panel.
fn styles(source: &Panel) -> (&'static str, Option<Value>, Value) {
    let reduce = json!({"calcs": ["lastNotNull"], "fields": "", "values": false});
    let legend = match source.kind {
        Kind::Graph if source.width >= 12 => json!({
            "displayMode": "table", "placement": "right", "showLegend": true,
            "calcs": ["max", "lastNotNull"], "sortBy": "Max", "sortDesc": true,
        }),
        _ => json!({"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []}),
    };
    let tooltip = json!({"mode": "multi", "sort": "desc", "hideZeros": false});
    let hide_from = json!({"legend": false, "tooltip": false, "viz": false});
    match source.kind {
        Kind::Stat => (
            "stat",
            None,
            json!({
                "graphMode": if source.past { "area" } else { "none" },
                "colorMode": "value", "justifyMode": "auto", "orientation": "auto", "wideLayout": true,
                "textMode": text_mode(source),
                "showPercentChange": false, "percentChangeColorMode": "standard", "reduceOptions": reduce,
            }),
        ),
        Kind::Graph => (
            "timeseries",
            Some(json!({
                "drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1,
                "fillOpacity": if source.stack { 30 } else { 0 }, "gradientMode": "none",
                "showPoints": "auto", "pointSize": 4, "spanNulls": false, "insertNulls": false,
                "stacking": {"mode": if source.stack { "normal" } else { "none" }, "group": "A"},
                "axisPlacement": "auto", "axisLabel": "", "axisColorMode": "text", "axisBorderShow": false,
                "axisCenteredZero": false, "barAlignment": 0, "scaleDistribution": {"type": "linear"},
                "thresholdsStyle": {"mode": if source.limit.is_some() { "dashed" } else { "off" }},
                "hideFrom": hide_from,
            })),
            json!({"legend": legend, "tooltip": tooltip}),
        ),
        Kind::Bars => (
            "bargauge",
            None,
            json!({
                "displayMode": "basic", "valueMode": "color", "namePlacement": "left", "showUnfilled": true,
                "sizing": "auto", "minVizWidth": 8, "minVizHeight": 12, "maxVizHeight": 28, "orientation": "horizontal",
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": false, "calcs": []},
                "reduceOptions": reduce,
            }),
        ),
        Kind::Heatmap => (
            "heatmap",
            Some(json!({"hideFrom": hide_from, "scaleDistribution": {"type": "linear"}})),
            json!({
                "calculate": false, "cellGap": 1, "showValue": "never",
                "color": {
                    "mode": "scheme", "scheme": "Blues", "steps": 64, "exponent": 0.5, "reverse": false,
                    "fill": "dark-blue", "scale": "exponential",
                },
                "yAxis": {"axisPlacement": "left", "unit": source.unit.as_deref().unwrap_or("short"), "reverse": false},
                "cellValues": {"unit": "short"}, "rowsFrame": {"layout": "auto"}, "filterValues": {"le": 1e-9},
                "legend": {"show": true}, "tooltip": {"mode": "single", "yHistogram": true, "showColorScale": true},
                "exemplars": {"color": "rgba(255,0,255,0.7)"},
            }),
        ),
        Kind::States => (
            "state-timeline",
            Some(json!({"lineWidth": 0, "fillOpacity": 75, "hideFrom": hide_from})),
            json!({
                "showValue": "auto", "rowHeight": 0.85, "mergeValues": true, "alignValue": "left",
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []}, "tooltip": tooltip,
            }),
        ),
        Kind::Topology => ("nodeGraph", None, topology(&source.queries)),
        Kind::Table => ("table", None, json!({})),
    }
}

/// Options of a node graph: units of what stands at nodes and edges, colours of the arcs.
fn topology(queries: &[Query]) -> Value {
    let unit = |prefix: char, field: &str| {
        let is_it = |query: &&Query| {
            query.id.as_ref().is_some_and(|id| id.starts_with(prefix)) && query.field.as_deref() == Some(field)
        };
        json!(queries.iter().find(is_it).and_then(|query| query.unit.clone()).unwrap_or_else(|| "short".to_owned()))
    };
    let arcs: Vec<Value> = queries
        .iter()
        .filter_map(|query| {
            let field = query.field.as_ref().filter(|field| field.starts_with("arc__"))?;
            Some(json!({"field": field, "color": query.colour}))
        })
        .collect();
    json!({
        "nodes": {"mainStatUnit": unit('n', "mainstat"), "secondaryStatUnit": unit('n', "secondarystat"), "arcs": arcs},
        "edges": {"mainStatUnit": unit('e', "mainstat"), "secondaryStatUnit": unit('e', "secondarystat")},
        "layoutAlgorithm": "layered", "zoomMode": "cooperative",
    })
}

/// From one table a query to a table of nodes and one of edges, with the names of fields that the panel knows.
fn topology_steps(queries: &[Query]) -> Vec<Value> {
    let mut steps = vec![json!({"id": "filterFieldsByName", "options": {"exclude": {"pattern": "^Time$"}}})];
    for which in ["/^n/", "/^e/"] {
        steps.push(json!({
            "id": "joinByField", "options": {"byField": "id", "mode": "outer"},
            "filter": {"id": "byRefId", "options": which},
        }));
    }
    let (mut renamed, mut hidden) = (Map::new(), Map::new());
    for (at, query) in queries.iter().enumerate() {
        let name = format!("Value #{}", ref_id(query, at));
        match &query.field {
            Some(field) => drop(renamed.insert(name, json!(field))),
            None => drop(hidden.insert(name, json!(true))),
        }
    }
    let organized = json!({"excludeByName": hidden, "indexByName": {}, "renameByName": renamed});
    steps.push(json!({"id": "organize", "options": organized}));
    steps
}
