//! What all boards share: variables, parts of queries, annotations.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::written::Pick;

/// The file of what boards share.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shared {
    /// What uids begin with.
    pub(super) prefix: String,
    /// Tags of all boards; the first one is that of the menu of boards.
    pub(super) tags: Vec<String>,
    /// Parts of queries, which these name with `@`.
    pub(super) parts: BTreeMap<String, String>,
    /// Variables by name.
    pub(super) variables: BTreeMap<String, Variable>,
    /// Annotations by name.
    pub(super) annotations: BTreeMap<String, Annotation>,
}

/// A variable: values of a label.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variable {
    /// What stands before it.
    pub(super) title: String,
    /// The selector whose series have the values.
    pub(super) of: String,
    /// The label, when it is not the variable's name.
    #[serde(default)]
    pub(super) label: Option<String>,
    pub(super) pick: Pick,
}

/// What is marked on all graphs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Annotation {
    pub(super) title: String,
    pub(super) expr: String,
    /// What a mark says, with `{{label}}`.
    pub(super) mark: String,
    /// What it says below.
    pub(super) text: String,
    /// Labels that it shows.
    pub(super) labels: Vec<String>,
    pub(super) colour: String,
    /// Whether it is shown from the start.
    pub(super) shown: bool,
}
