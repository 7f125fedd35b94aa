//! A family, wherever it comes from.

use std::collections::{BTreeMap, BTreeSet};

use metric::Kind;

/// Names of labels.
pub type Labels = BTreeSet<String>;

/// Where series of a name come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A program of this project.
    Program {
        /// The program's name.
        program: String,
        /// The slice.
        section: String,
        /// The page.
        endpoint: String,
        /// Whether the slice is on by default.
        default_on: bool,
    },
    /// Another program; the name of the input that declares it.
    Dependency(String),
    /// A recording rule of the set.
    Record,
}

/// A family.
#[derive(Debug, Clone)]
pub struct Family {
    /// Its type.
    pub kind: Kind,
    /// All labels that its series can have.
    pub labels: Labels,
    /// Labels by which no two series are the same, when that is fewer than all.
    pub unique: Option<Labels>,
    /// Labels whose values are fixed.
    pub values: BTreeMap<String, Vec<String>>,
    /// Whence it comes.
    pub origin: Origin,
}
