//! Families of kinds that the cluster defines itself, as a configuration says: custom-resource-state of
//! kube-state-metrics, whole grammar. `docs/custom-resources.md` explains it to users.
//!
//! [`Config`] is read and checked once. [`Discovery`] is told of the cluster's definitions and says which kinds begin
//! and which end. A [`CustomKind`] turns objects into rows. Nothing here speaks to a server.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

mod config;
mod discovery;
mod document;
mod family;
mod following;
mod path;
mod value;

pub use config::{BadConfig, Config, Note};
pub use discovery::{BadDefinition, Changes, Definition, Discovery};
pub use family::Trouble;
pub use following::{Counts, Follower, OfCustom};
pub use value::NotANumber;

use config::Resource;
use family::{Each, Rule};

use crate::{
    rows::{Options, Rows},
    select::Selection,
    store::{Head, Store},
};

/// Where the configuration comes from: `--custom-resource-state-config` goes before
/// `--custom-resource-state-config-file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// There is none.
    None,
    /// The flag's own value.
    Inline(String),
    /// A file, to be read again when it changes.
    File {
        /// Its path.
        path: PathBuf,
        /// Whether to start without it and wait for it to appear.
        may_be_missing: bool,
    },
}

/// A configuration, and the text that it is the meaning of.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The configuration; empty when there is none yet.
    pub config: Config,
    /// The file's text, when it comes from a file that is there.
    pub text: Option<String>,
}

impl Source {
    /// Reads the configuration.
    pub fn load(&self) -> Result<Loaded, BadConfig> {
        match self {
            Self::None => Ok(Loaded::default()),
            Self::Inline(text) => {
                let config = Config::parse(text, Path::new("--custom-resource-state-config"))?;
                Ok(Loaded { config, text: None })
            }
            Self::File { path, may_be_missing } => match std::fs::read_to_string(path) {
                Ok(text) => Ok(Loaded { config: Config::parse(&text, path)?, text: Some(text) }),
                Err(error) if error.kind() == ErrorKind::NotFound && *may_be_missing => Ok(Loaded::default()),
                Err(error) => {
                    let what = format!("cannot be read: {error}");
                    Err(BadConfig(Note { file: path.clone(), place: None, key: String::new(), what }))
                }
            },
        }
    }

    /// Chooses by the values of the flags; empty ones count as not given.
    pub fn new(inline: Option<&str>, file: Option<&std::path::Path>, may_be_missing: bool) -> Self {
        match (inline.filter(|text| !text.is_empty()), file.filter(|path| !path.as_os_str().is_empty())) {
            (Some(text), _) => Self::Inline(text.to_owned()),
            (None, Some(path)) => Self::File { path: path.to_owned(), may_be_missing },
            (None, None) => Self::None,
        }
    }
}

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

/// Text that is not an object.
#[derive(Debug, thiserror::Error)]
pub enum BadObject {
    /// Not JSON.
    #[error("cannot read an object of {plural}")]
    Read {
        /// The kind it should be of.
        plural: String,
        /// What stands in the way.
        source: serde_json::Error,
    },
    /// An object without a uid cannot be told from others.
    #[error("an object of {plural} has no uid")]
    NoUid {
        /// The kind it should be of.
        plural: String,
    },
}

impl CustomKind {
    /// The families that these entries of a configuration give to a kind.
    fn new<'r>(id: Id, plural: String, namespaced: bool, resources: impl Iterator<Item = &'r Resource>) -> Self {
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

    /// The path of the kind's objects below the server's address; in one namespace when one is named.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let within = namespace.filter(|_| self.namespaced).map(|name| format!("/namespaces/{name}"));
        format!("/apis/{}/{}{}/{}", self.id.group, self.id.version, within.unwrap_or_default(), self.plural)
    }

    /// The names of its families, in the order of the output.
    pub fn families(&self) -> impl Iterator<Item = &str> {
        self.families.iter().map(|family| family.name.as_str())
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
        let object: Value =
            serde_json::from_slice(json).map_err(|source| BadObject::Read { plural: self.plural.clone(), source })?;
        let uid = object.pointer("/metadata/uid").and_then(Value::as_str).filter(|uid| !uid.is_empty());
        rows.start(uid.ok_or_else(|| BadObject::NoUid { plural: self.plural.clone() })?, &[]);
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
