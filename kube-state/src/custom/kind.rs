//! A custom kind, and how its objects become rows.

use std::sync::Arc;

use kubernetes::request::collection;
use serde_json::Value;

use super::{
    config::Resource,
    family::{self, Each, Rule, Trouble},
};
use crate::{
    kind::BadObject,
    rows::{Options, Rows},
    select::Selection,
    store::{Head, Store},
};

/// A custom kind in one of its versions, by which it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// API group.
    pub group: String,
    /// API version.
    pub version: String,
    /// As objects name it: `Ship`.
    pub kind: String,
}

/// A custom kind with the families that the configuration gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomKind {
    /// What it is.
    pub id: Id,
    /// As paths name it: `ships`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    families: Vec<Family>,
}

#[derive(Clone, Debug, PartialEq)]
struct Family {
    name: String,
    head: Vec<u8>,
    openmetrics_head: Vec<u8>,
    rules: Vec<Rule>,
}

impl CustomKind {
    /// The families that these entries of a configuration give to a kind.
    pub(super) fn new<'r>(
        id: Id,
        plural: String,
        namespaced: bool,
        resources: impl Iterator<Item = &'r Resource>,
    ) -> Self {
        let mut families: Vec<Family> = Vec::new();
        for resource in resources {
            for metric in &resource.metrics {
                let mut common = resource.common.clone();
                common.insert("customresource_group".to_owned(), id.group.clone());
                common.insert("customresource_version".to_owned(), id.version.clone());
                common.insert("customresource_kind".to_owned(), id.kind.clone());
                common.extend(metric.rule.common.clone());
                let rule = Rule { common, ..metric.rule.clone() };
                if let Some(family) = families.iter_mut().find(|family| family.name == metric.name) {
                    family.rules.push(rule);
                    continue;
                }
                let openmetrics_type = match rule.each {
                    Each::Gauge { .. } => "gauge",
                    Each::Info { .. } => "info",
                    Each::StateSet { .. } => "stateset",
                };
                families.push(Family {
                    name: metric.name.clone(),
                    head: head(&metric.name, &metric.help, "gauge"),
                    openmetrics_head: head(&metric.name, &metric.help, openmetrics_type),
                    rules: vec![rule],
                });
            }
        }
        Self { id, plural, namespaced, families }
    }

    /// Its name, as kubectl takes it: `ships.v1.fleet.example.org`.
    pub fn name(&self) -> String {
        format!("{}.{}.{}", self.plural, self.id.version, self.id.group)
    }

    /// The path of the kind's objects below the server's address; in one namespace when one is named.
    pub fn path(&self, namespace: Option<&str>) -> String {
        collection(&self.id.group, &self.id.version, &self.plural, namespace.filter(|_| self.namespaced))
    }

    /// The names of its families, in the order of the output.
    pub fn families(&self) -> impl Iterator<Item = &str> {
        self.families.iter().map(|family| family.name.as_str())
    }

    /// Paths of its families that led to a value in none of the objects so far, by family.
    pub fn unresolved(&self) -> impl Iterator<Item = (&str, Vec<String>)> {
        let seen = self.families.iter().filter(|family| family.rules.iter().any(|rule| rule.seen.is_set()));
        seen.map(|family| (family.name.as_str(), family.rules.iter().flat_map(Rule::unresolved).collect()))
    }

    /// Which of its families are kept.
    fn wanted(&self, selection: &Selection) -> Vec<bool> {
        self.families().map(|name| selection.keeps(name)).collect()
    }

    /// What its rows need to know.
    pub fn options(&self, selection: &Selection) -> Options {
        Options { wanted: self.wanted(selection), ..Options::NONE }
    }

    /// The heads of its families; `None` for those that are not kept.
    pub fn heads(&self, selection: &Selection) -> impl Iterator<Item = Option<Head>> {
        self.families.iter().zip(self.wanted(selection)).map(|(family, wanted)| {
            let head = Head::custom(&family.name, family.head.clone());
            wanted.then(|| head.or_in_openmetrics(family.openmetrics_head.clone()))
        })
    }

    /// Empty rows for its objects.
    pub fn rows(&self, selection: &Selection) -> Rows {
        Rows::new(Arc::new(self.options(selection)))
    }

    /// An empty store for its objects.
    pub fn store(&self, selection: &Selection) -> Store {
        Store::new(self.heads(selection))
    }

    /// Reads an object and puts its series into `rows`, whose former content goes. `trouble` hears why a family lacks
    /// series, together with the family's name and how talkative the log must be for it to be said.
    pub fn render(
        &self,
        json: &[u8],
        rows: &mut Rows,
        trouble: &mut dyn FnMut(&str, u8, Trouble),
    ) -> Result<(), BadObject> {
        let object: Value = serde_json::from_slice(json)
            .map_err(|source| BadObject::Read { plural: self.plural.clone().into(), source })?;
        let uid = object.pointer("/metadata/uid").and_then(Value::as_str).filter(|uid| !uid.is_empty());
        rows.start(uid.ok_or_else(|| BadObject::NoUid { plural: self.plural.clone().into() })?, &[]);
        let options = Arc::clone(rows.shared_options());
        for ((index, family), wanted) in (0_u16..).zip(&self.families).zip(&options.wanted) {
            if !wanted {
                continue;
            }
            let mut is_spoiled = false;
            rows.family(index, &[], |rows| {
                for rule in &family.rules {
                    let mut put = |labels: &family::Labels<'_>, number| {
                        rows.put_bare(labels.iter().map(|(name, value)| (name.as_ref(), value.as_ref())), number);
                    };
                    rule.render(&object, &mut put, &mut |what| {
                        is_spoiled |= !matches!(what, Trouble::Nothing { .. });
                        trouble(&family.name, rule.error_log_v, what);
                    });
                }
            });
            if is_spoiled {
                rows.note_spoiled(index);
            }
        }
        Ok(())
    }
}

fn head(name: &str, help: &str, kind: &str) -> Vec<u8> {
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    format!("# HELP {name} {help}\n# TYPE {name} {kind}\n").into_bytes()
}
