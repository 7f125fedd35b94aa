//! All declarations of a program as data: for documentation, `--print-catalog`, and for checking what dashboards and
//! alerts ask for. It owns its texts, so that the catalogue of another program or version can be read back.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    family::{Desc, Kind},
    label::{Label, Values},
};

/// The families that a program can emit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// The program's name.
    pub program: String,
    /// Its version.
    pub version: String,
    /// Its families, by the slice that declares them.
    pub sections: Vec<Section>,
}

/// The families of one slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// The slice's name, as in its flag.
    pub name: String,
    /// One sentence: what it measures.
    pub about: String,
    /// Whether it is on by default.
    pub default_on: bool,
    /// Requirements.
    pub needs: Vec<NeedEntry>,
    /// Its families, by the endpoint that shows them, in declared order.
    pub families: Vec<FamilyEntry>,
}

/// Something of the machine that a slice needs; without it some or all of its series are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeedEntry {
    /// A file or folder; its first element names the root: `proc/…`, `sys/…`, `cgroup/…`, `rootfs/…`.
    File(String),
    /// A kernel of at least this version: major, minor.
    Kernel(u32, u32),
    /// A capability: `CAP_SYS_PTRACE`.
    Capability(String),
    /// The kernel's own type information, `sys/kernel/btf/vmlinux`.
    Btf,
    /// A hook that an eBPF program is attached to.
    Hook(String),
    /// Events of this type, which another slice produces.
    Events(String),
    /// Rights on what is at a path of the API server.
    Rights {
        /// `list`, `watch`.
        verbs: Vec<String>,
        /// `/api/v1/pods`.
        path: String,
    },
    /// At least one of these flags.
    Flags(Vec<String>),
    /// One of these sets, the first that the machine has.
    OneOf(Vec<Vec<NeedEntry>>),
}

impl fmt::Display for NeedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {path}"),
            Self::Kernel(major, minor) => write!(f, "Linux {major}.{minor}"),
            Self::Capability(name) => f.write_str(name),
            Self::Btf => f.write_str("BTF"),
            Self::Hook(name) => write!(f, "hook {name}"),
            Self::Events(kind) => write!(f, "events of type {kind}"),
            Self::Rights { verbs, path } => write!(f, "{} on {path}", verbs.join(" and ")),
            Self::Flags(flags) => write!(f, "`{}`", flags.join("` or `")),
            Self::OneOf(sets) => {
                for (place, set) in sets.iter().enumerate() {
                    let texts: Vec<String> = set.iter().map(ToString::to_string).collect();
                    write!(f, "{}{}", if place == 0 { "" } else { ", else " }, texts.join(" + "))?;
                }
                Ok(())
            }
        }
    }
}

/// One family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyEntry {
    /// Full name, as in the text format.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Unit, or empty.
    pub unit: String,
    /// One sentence.
    pub help: String,
    /// The endpoint that shows it.
    pub endpoint: String,
    /// The program whose name it keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_by: Option<String>,
    /// Labels, in wire order.
    pub labels: Vec<LabelEntry>,
}

/// One label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelEntry {
    /// Its name.
    pub name: String,
    /// All its values, when they are fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// The bound of their number in words, when they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<String>,
}

impl Catalog {
    /// All families, with the sections that declare them.
    pub fn families(&self) -> impl Iterator<Item = (&Section, &FamilyEntry)> {
        self.sections.iter().flat_map(|section| section.families.iter().map(move |family| (section, family)))
    }
}

impl FamilyEntry {
    /// The declaration, as shown by `endpoint`.
    pub fn new(desc: &Desc, endpoint: &str) -> Self {
        Self {
            name: desc.name.to_owned(),
            kind: desc.kind,
            unit: desc.unit.suffix().to_owned(),
            help: desc.help.to_owned(),
            endpoint: endpoint.to_owned(),
            named_by: desc.named_by.map(str::to_owned),
            labels: desc.all_labels().map(LabelEntry::from).collect(),
        }
    }
}

impl LabelEntry {
    /// A label whose values come from outside; `bound` says in words what limits their number.
    pub fn open(name: &str, bound: &str) -> Self {
        Self { name: name.to_owned(), values: None, bound: Some(bound.to_owned()) }
    }
}

impl From<&Label> for LabelEntry {
    fn from(label: &Label) -> Self {
        match label.values {
            Values::Open(bound) => Self::open(label.name, bound),
            Values::Closed(values) => Self {
                name: label.name.to_owned(),
                values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
                bound: None,
            },
        }
    }
}
