//! Inputs of queries, and the check at run time that one is missing.

use std::collections::BTreeMap;

use metric::Kind;
use serde::Deserialize;

use super::family::{Family, Labels, Origin};

/// The file of inputs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Labels that a scrape of a program of ours attaches, by program.
    pub attached: BTreeMap<String, Labels>,
    /// Labels that a scrape of any other program attaches.
    pub attached_to_others: Labels,
    /// Inputs by name.
    pub inputs: BTreeMap<String, Input>,
}

/// A page, a switched family or somebody else's metrics.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What it is, as the subject of a sentence.
    pub about: String,
    /// The program of ours that serves it.
    #[serde(default)]
    pub program: Option<String>,
    /// The page of the program: all families of slices that are on by default.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Slices that are off by default, or families of them.
    #[serde(default)]
    pub switched: Vec<String>,
    /// The flag that switches them on.
    #[serde(default)]
    pub flag: Option<String>,
    /// Families of programs that are not ours.
    #[serde(default)]
    pub dependencies: BTreeMap<String, Dependency>,
    /// Whether alerts do their work without it, and only lose labels.
    #[serde(default)]
    pub optional: bool,
    /// A query that has a row when it is missing.
    pub missing: String,
    /// What to do about that.
    pub remedy: String,
    /// Series with which the query is silent, for its test.
    pub present: BTreeMap<String, String>,
    /// Series with which it is not, beside one that has nothing to do with it.
    #[serde(default)]
    pub lacking: BTreeMap<String, String>,
}

/// A family of a program that is not ours.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Its type.
    pub kind: Kind,
    /// Its labels, beside those of the scrape.
    #[serde(default)]
    pub labels: Labels,
}

impl Inputs {
    /// The input that a family comes from. A record comes from what it reads.
    pub fn of(&self, name: &str, family: &Family) -> Option<&str> {
        let Origin::Program { program, section, endpoint, default_on } = &family.origin else {
            return match &family.origin {
                Origin::Dependency(input) => Some(self.inputs.get_key_value(input)?.0),
                _ => None,
            };
        };
        let is_ours = |input: &Input| input.program.as_ref() == Some(program);
        let switched = self.inputs.iter().find(|(_, input)| {
            is_ours(input) && input.switched.iter().any(|switched| switched == name || switched == section)
        });
        let by_page = || {
            let on = |input: &Input| is_ours(input) && input.endpoint.as_ref() == Some(endpoint);
            self.inputs.iter().find(|(_, input)| *default_on && on(input))
        };
        Some(switched.or_else(by_page)?.0)
    }
}
