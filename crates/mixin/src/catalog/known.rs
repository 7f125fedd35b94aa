//! Everything that a query may read.

use std::collections::BTreeMap;

use metric::{Catalog, FamilyEntry, Kind, Section};

use super::family::{Family, Labels, Origin};
use super::input::Inputs;

/// Everything that a query may read.
#[derive(Debug, Clone, Default)]
pub struct Known {
    families: BTreeMap<String, Family>,
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
                    kind: dependency.kind,
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

    fn add_entry(&mut self, program: &str, section: &Section, entry: &FamilyEntry, attached: &Labels) {
        let origin = Origin::Program {
            program: program.to_owned(),
            section: section.name.clone(),
            endpoint: entry.endpoint.clone(),
            default_on: section.default_on,
        };
        let family = self.families.entry(entry.name.clone()).or_insert_with(|| Family {
            kind: entry.kind,
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
        let (kind, values) = (Kind::Gauge, BTreeMap::new());
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
            (family.kind == Kind::Histogram).then_some((name.as_str(), family))
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
        let known = Known::new(&[serde_json::from_str(json).unwrap()], &Inputs::default());
        let (name, family, labels) = known.series("x_seconds_bucket").unwrap();
        assert_eq!((name, labels.len(), family.values.len()), ("x_seconds", 2, 1));
        assert!(known.series("x_seconds_count").is_some() && known.series("y_count").is_none());
    }
}
