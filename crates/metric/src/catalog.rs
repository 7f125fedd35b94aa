//! All declarations of a program as data: for documentation, `--print-catalog`, and for checking what dashboards and
//! alerts ask for.

use serde::Serialize;

use crate::{
    family::{Desc, Kind},
    label::Values,
};

/// What a program can emit.
#[derive(Clone, Debug, Serialize)]
pub struct Catalog {
    /// The program's name.
    pub program: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its families, by the slice that declares them.
    pub sections: Vec<Section>,
}

/// The families of one slice.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// The slice's name, as in its flag.
    pub name: &'static str,
    /// One sentence: what it measures.
    pub about: &'static str,
    /// Whether it is on by default.
    pub default_on: bool,
    /// What it needs: kernel files, versions, capabilities.
    pub needs: Vec<String>,
    /// Its families, by the endpoint that shows them, in declared order.
    pub families: Vec<FamilyEntry>,
}

/// One family.
#[derive(Clone, Debug, Serialize)]
pub struct FamilyEntry {
    /// Full name, as in the text format.
    pub name: &'static str,
    /// counter, gauge, histogram, info, stateset or unknown.
    pub kind: &'static str,
    /// Unit, or empty.
    pub unit: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// The endpoint that shows it.
    pub endpoint: &'static str,
    /// The program whose name it keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_by: Option<&'static str>,
    /// Labels, in wire order.
    pub labels: Vec<LabelEntry>,
}

/// One label.
#[derive(Clone, Debug, Serialize)]
pub struct LabelEntry {
    /// Its name.
    pub name: &'static str,
    /// All its values, when they are fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<&'static [&'static str]>,
    /// What bounds their number, when they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<&'static str>,
}

impl FamilyEntry {
    /// The declaration, as shown by `endpoint`.
    pub fn new(desc: &Desc, endpoint: &'static str) -> Self {
        let labels = desc
            .all_labels()
            .map(|label| match label.values {
                Values::Open(bound) => LabelEntry { name: label.name, values: None, bound: Some(bound) },
                Values::Closed(values) => LabelEntry { name: label.name, values: Some(values), bound: None },
            })
            .collect();
        Self {
            name: desc.name,
            kind: desc.kind.name(),
            unit: desc.unit.suffix(),
            help: desc.help,
            endpoint,
            named_by: desc.named_by,
            labels,
        }
    }
}

impl Kind {
    /// The kind as the text formats spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Unknown => "unknown",
        }
    }
}
