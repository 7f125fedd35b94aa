//! What is asked for about workloads.

use crate::labels;

/// What is asked for; nothing by default.
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Show which workload a pod belongs to.
    pub workloads: bool,
    /// Count pods that come and go.
    pub lifetimes: bool,
    /// Count what pods have asked for.
    pub requests: bool,
    /// Tell agents which workload is behind an address.
    pub peers: bool,
    /// Show whom workloads belong to: labels and where their values come from.
    pub contacts: Vec<Contact>,
    /// Kinds to look for owners in, beside those that we know.
    pub kinds: Vec<ExtraKind>,
}

/// A label that says whom a workload belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its name.
    pub label: String,
    /// Which of the workload's maps has the value.
    pub from: From,
    /// Under which key.
    pub key: String,
}

/// A map of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Its labels.
    Labels,
    /// Its annotations.
    Annotations,
}

/// A kind that owns pods or their owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraKind {
    /// As references name it: `TaskRun`.
    pub kind: String,
    /// `taskruns`.
    pub plural: String,
    /// `v1`.
    pub version: String,
    /// `tekton.dev`.
    pub group: String,
}

/// What is no such thing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadConfig {
    /// A contact.
    #[error("--workload-owner: cannot read {0:?}: it is written label=key or label=annotation:key, each label once")]
    Contact(String),
    /// A kind.
    #[error("--workload-kinds: cannot read {0:?}: it is written TaskRun=taskruns.v1.tekton.dev")]
    Kind(String),
    /// Nobody watches pods.
    #[error("--pod-workloads, --pod-lifetimes, --workload-requests, --peers: pods are not among --resources")]
    NoPods,
}

impl Config {
    /// Reads the lists of flags.
    pub fn new(workloads: bool, lifetimes: bool, owners: &[String], kinds: &[String]) -> Result<Self, BadConfig> {
        let mut contacts: Vec<Contact> = Vec::new();
        for text in owners {
            let contact = contact(text).filter(|new| contacts.iter().all(|contact| contact.label != new.label));
            contacts.push(contact.ok_or_else(|| BadConfig::Contact(text.clone()))?);
        }
        let kinds = kinds.iter().map(|text| extra_kind(text).ok_or_else(|| BadConfig::Kind(text.clone())));
        let kinds = kinds.collect::<Result<_, _>>()?;
        Ok(Self { workloads, lifetimes, contacts, kinds, ..Self::default() })
    }

    /// Whether nothing is asked for.
    pub fn is_off(&self) -> bool {
        !self.needs_pods() && self.contacts.is_empty()
    }

    /// Whether it takes a look at pods.
    pub fn needs_pods(&self) -> bool {
        self.workloads || self.lifetimes || self.requests || self.peers
    }
}

const OURS: [&str; 3] = ["namespace", "workload_kind", "workload"];

fn contact(text: &str) -> Option<Contact> {
    let (label, key) = text.split_once('=')?;
    let (from, key) = match key.split_once(':') {
        Some(("annotation", key)) => (From::Annotations, key),
        Some(("label", key)) => (From::Labels, key),
        Some(_) => return None,
        None => (From::Labels, key),
    };
    let is_name = labels::is_name(label) && !label.starts_with("__") && !OURS.contains(&label);
    (is_name && !key.is_empty()).then(|| Contact { label: label.to_owned(), from, key: key.to_owned() })
}

fn extra_kind(text: &str) -> Option<ExtraKind> {
    let (kind, resource) = text.split_once('=')?;
    let (plural, rest) = resource.split_once('.')?;
    let (version, group) = rest.split_once('.')?;
    let parts = [kind, plural, version, group].map(str::to_owned);
    let [kind, plural, version, group] = parts;
    let is_whole = [&kind, &plural, &version, &group].iter().all(|part| !part.is_empty() && !part.contains('/'));
    is_whole.then_some(ExtraKind { kind, plural, version, group })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(owners: &[&str], kinds: &[&str]) -> Result<Config, BadConfig> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Config::new(false, false, &owned(owners), &owned(kinds))
    }

    #[test]
    fn contacts_come_from_labels_or_annotations() {
        let config = new(&["team=example.org/team", "pager=annotation:example.org/pager"], &[]).unwrap();
        let read: Vec<_> = config.contacts.iter().map(|c| (c.label.as_str(), c.from, c.key.as_str())).collect();
        let expected = [("team", From::Labels, "example.org/team"), ("pager", From::Annotations, "example.org/pager")];
        assert_eq!(read, expected);
        for owners in [&["team"][..], &["team="], &["a-b=x"], &["workload=x"], &["a=secret:x"], &["a=x", "a=y"]] {
            assert!(matches!(new(owners, &[]), Err(BadConfig::Contact(_))), "{owners:?}");
        }
    }

    #[test]
    fn kinds_have_a_version_and_a_group() {
        let config = new(&[], &["TaskRun=taskruns.v1.tekton.dev"]).unwrap();
        let kind = config.kinds.first().unwrap();
        assert_eq!(
            (kind.plural.as_str(), kind.version.as_str(), kind.group.as_str()),
            ("taskruns", "v1", "tekton.dev")
        );
        for kind in ["taskruns.v1.tekton.dev", "TaskRun=taskruns", "TaskRun=taskruns.v1", "=a.b.c", "A=a/x.b.c"] {
            assert!(matches!(new(&[], &[kind]), Err(BadConfig::Kind(_))), "{kind}");
        }
    }
}
