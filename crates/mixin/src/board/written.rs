//! A board as its source has it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A board.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Board {
    /// Its name, that of the file; the uid is made of it.
    #[serde(rename = "board")]
    pub(super) name: String,
    /// What stands above it.
    pub(super) title: String,
    /// The question that it answers, in one sentence.
    pub(super) question: String,
    /// Its variables after the data source, in order.
    pub(super) variables: Vec<Variable>,
    /// Names of annotations of the set.
    pub(super) annotations: Vec<String>,
    /// Where its time range begins.
    #[serde(default = "an_hour")]
    pub(super) from: String,
    /// Its rows.
    pub(super) rows: Vec<Row>,
}

fn an_hour() -> String {
    "now-1h".to_owned()
}

/// A variable of the set, and what this board does otherwise.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Variable {
    /// As the set has it.
    Named(String),
    /// With its own values.
    Own(OwnVariable),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnVariable {
    /// The name in the set.
    pub(super) name: String,
    /// The selector whose series have the values.
    #[serde(default)]
    pub(super) of: Option<String>,
    /// How many may be chosen.
    #[serde(default)]
    pub(super) pick: Option<Pick>,
}

/// How many values of a variable may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Pick {
    /// Any number, all at first.
    Any,
    /// One, the first at first.
    One,
}

/// Panels below a heading.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// The heading; the first row needs none.
    #[serde(default, rename = "row")]
    pub(super) heading: Option<String>,
    /// Whether it is closed at first.
    #[serde(default)]
    pub(super) closed: bool,
    /// Its panels, left to right, then down.
    pub(super) panels: Vec<Panel>,
}

/// What draws a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// Big numbers.
    Stat,
    /// Lines over time.
    Graph,
    /// Bars, one a series.
    Bars,
    /// Rows of labels and values.
    Table,
    /// A histogram over time.
    Heatmap,
    /// States over time.
    States,
    /// Nodes and edges.
    Topology,
}

/// A panel.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Panel {
    /// Its name on the board, which alerts link to; never changes.
    #[serde(rename = "panel")]
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) title: String,
    /// What it shows, why that matters, what to do about it.
    pub(super) about: String,
    pub(super) width: u32,
    #[serde(default)]
    pub(super) height: Option<u32>,
    /// Unit of its values; of a table, that of columns which name none.
    #[serde(default)]
    pub(super) unit: Option<String>,
    #[serde(default)]
    pub(super) decimals: Option<u32>,
    /// The least value of the axis; 0 when this is not set, `auto` when it depends on the data.
    #[serde(default)]
    pub(super) min: Option<Least>,
    #[serde(default)]
    pub(super) max: Option<f64>,
    #[serde(default)]
    pub(super) limit: Option<Limit>,
    /// What values are called.
    #[serde(default)]
    pub(super) values: BTreeMap<String, Named>,
    #[serde(default)]
    pub(super) queries: Vec<Query>,
    #[serde(default)]
    pub(super) columns: Vec<Column>,
    /// The title of the column that a table is sorted by, largest first.
    #[serde(default)]
    pub(super) sort: Option<String>,
    /// What stands there when there is nothing to show.
    #[serde(default)]
    pub(super) empty: Option<String>,
    /// Whether areas stand on each other.
    #[serde(default)]
    pub(super) stack: bool,
    /// Whether a stat draws its past.
    #[serde(default)]
    pub(super) past: bool,
    /// Whether a stat says what its series are called.
    #[serde(default)]
    pub(super) named: bool,
    /// The board that its series lead to.
    #[serde(default)]
    pub(super) link: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Least {
    /// By the data.
    Auto,
}

/// Where values turn bad.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    #[serde(default)]
    pub(super) above: Option<Bound>,
    #[serde(default)]
    pub(super) below: Option<Bound>,
    /// Where somebody should look already.
    #[serde(default)]
    pub(super) warn: Option<Bound>,
}

/// The name of a threshold, or a number that no alert knows.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Bound {
    Number(f64),
    Name(String),
}

/// What a value is called.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) text: String,
    pub(super) colour: String,
}

/// A query and how it is drawn.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    pub(super) expr: String,
    /// What series are called, with `{{label}}`.
    #[serde(default)]
    pub(super) legend: String,
    /// Its `refId`, where that means something.
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) draw: Option<Draw>,
    #[serde(default)]
    pub(super) colour: Option<String>,
    /// The field of a node graph that its value becomes.
    #[serde(default)]
    pub(super) field: Option<String>,
    #[serde(default)]
    pub(super) unit: Option<String>,
}

/// How a query is drawn other than the others of its panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Draw {
    /// Below the axis.
    Below,
    /// A dashed line without area.
    Reference,
}

/// A column of a table: a label, or a query's value.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    pub(super) title: String,
    #[serde(default)]
    pub(super) label: Option<String>,
    #[serde(default)]
    pub(super) expr: Option<String>,
    #[serde(default)]
    pub(super) unit: Option<String>,
    #[serde(default)]
    pub(super) decimals: Option<u32>,
    #[serde(default)]
    pub(super) width: Option<u32>,
    #[serde(default)]
    pub(super) limit: Option<Limit>,
    #[serde(default)]
    pub(super) values: BTreeMap<String, Named>,
    #[serde(default)]
    pub(super) cell: Option<Cell>,
    #[serde(default)]
    pub(super) max: Option<f64>,
    /// The board that its cells lead to.
    #[serde(default)]
    pub(super) link: Option<String>,
}

/// How a cell is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Cell {
    /// A bar beside the value.
    Bar,
    /// The threshold's colour behind the value.
    Colour,
}
