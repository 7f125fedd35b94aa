//! What is known of metrics: families of the programs, dependencies that others serve, rules that record.

mod input;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

pub use input::{Dependency, Input, Inputs};

/// Names of labels.
pub type Labels = BTreeSet<String>;

/// The catalogue that a program prints.
#[derive(Debug, Clone, Deserialize)]
pub struct Catalog {
    /// The program's name.
    pub program: String,
    /// Its slices.
    pub sections: Vec<Section>,
}

/// One slice of a program.
#[derive(Debug, Clone, Deserialize)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Whether it is on by default.
    pub default_on: bool,
    /// Its families.
    pub families: Vec<Entry>,
}

/// One family of a slice.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// counter, gauge, histogram, info, stateset or unknown.
    pub kind: String,
    /// The page that shows it.
    pub endpoint: String,
    /// Its labels.
    pub labels: Vec<EntryLabel>,
}

/// One label of a family.
#[derive(Debug, Clone, Deserialize)]
pub struct EntryLabel {
    /// Its name.
    pub name: String,
    /// All its values, when they are fixed.
    pub values: Option<Vec<String>>,
}

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

/// A family, wherever it comes from.
#[derive(Debug, Clone)]
pub struct Family {
    /// counter, gauge, histogram, info, stateset or unknown.
    pub kind: String,
    /// All labels that its series can have.
    pub labels: Labels,
    /// Labels by which no two series are the same, when that is fewer than all.
    pub unique: Option<Labels>,
    /// Labels whose values are fixed.
    pub values: BTreeMap<String, Vec<String>>,
    /// Whence it comes.
    pub origin: Origin,
}

/// Everything that a query may read.
#[derive(Debug, Clone, Default)]
pub struct Known {
    families: BTreeMap<String, Family>,
}

impl Catalog {
    /// Reads what `--print-catalog` prints.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }
}

impl Known {
    /// Families of programs and of dependencies, with the labels that a scrape attaches.
    pub fn new(catalogs: &[Catalog], inputs: &Inputs) -> Self {
        let mut known = Self::default();
        for catalog in catalogs {
            let attached = inputs.attached.get(&catalog.program).cloned().unwrap_or_default();
            for section in &catalog.sections {
                for entry in &section.families {
                    known.add_entry(&catalog.program, section, entry, &attached);
                }
            }
        }
        for (name, input) in &inputs.inputs {
            for (family, dependency) in &input.dependencies {
                let family_of = Family {
                    kind: dependency.kind.clone(),
                    labels: dependency.labels.iter().chain(&inputs.attached_to_others).cloned().collect(),
                    unique: None,
                    values: BTreeMap::new(),
                    origin: Origin::Dependency(name.clone()),
                };
                known.families.insert(family.clone(), family_of);
            }
        }
        known
    }

    fn add_entry(&mut self, program: &str, section: &Section, entry: &Entry, attached: &Labels) {
        let origin = Origin::Program {
            program: program.to_owned(),
            section: section.name.clone(),
            endpoint: entry.endpoint.clone(),
            default_on: section.default_on,
        };
        let family = self.families.entry(entry.name.clone()).or_insert_with(|| Family {
            kind: entry.kind.clone(),
            labels: attached.clone(),
            unique: None,
            values: BTreeMap::new(),
            origin,
        });
        for label in &entry.labels {
            family.labels.insert(label.name.clone());
            if let Some(values) = &label.values {
                family.values.insert(label.name.clone(), values.clone());
            }
        }
    }

    /// Adds what a rule records: its labels, and those by which no two of its rows are the same.
    pub fn add_record(&mut self, name: &str, labels: Labels, unique: Labels) {
        let (kind, values) = ("gauge".to_owned(), BTreeMap::new());
        let family = Family { kind, labels, unique: Some(unique), values, origin: Origin::Record };
        self.families.insert(name.to_owned(), family);
    }

    /// Adds labels that a configuration gives to a family.
    pub fn add_labels(&mut self, family: &str, labels: &[String]) {
        if let Some(family) = self.families.get_mut(family) {
            family.labels.extend(labels.iter().cloned());
        }
    }

    /// Whether there is a family of exactly this name.
    pub fn has(&self, name: &str) -> bool {
        self.families.contains_key(name)
    }

    /// The family that series of this name belong to, and the labels that they have: those of a classic histogram's
    /// buckets have `le`.
    pub fn series(&self, name: &str) -> Option<(&str, &Family, Labels)> {
        if let Some((name, family)) = self.families.get_key_value(name) {
            return Some((name, family, family.labels.clone()));
        }
        let of_histogram = |suffix: &str| {
            let (name, family) = self.families.get_key_value(name.strip_suffix(suffix)?)?;
            (family.kind == "histogram").then_some((name.as_str(), family))
        };
        if let Some((name, family)) = of_histogram("_bucket") {
            let labels = family.labels.iter().cloned().chain(["le".to_owned()]).collect();
            return Some((name, family, labels));
        }
        let (name, family) = of_histogram("_sum").or_else(|| of_histogram("_count"))?;
        Some((name, family, family.labels.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_a_histogram_belong_to_its_family() {
        let json = r#"{"program":"p","version":"1","sections":[{"name":"s","about":"","default_on":false,"needs":[],
            "families":[{"name":"x_seconds","kind":"histogram","unit":"seconds","help":"","endpoint":"/metrics",
            "labels":[{"name":"a","values":["1","2"]}]},{"name":"y","kind":"gauge","unit":"","help":"",
            "endpoint":"/metrics","labels":[]}]}]}"#;
        let known = Known::new(&[Catalog::read(json).unwrap()], &Inputs::default());
        let (name, family, labels) = known.series("x_seconds_bucket").unwrap();
        assert_eq!((name, labels.len(), family.values.len()), ("x_seconds", 2, 1));
        assert!(known.series("x_seconds_count").is_some() && known.series("y_count").is_none());
    }
}
