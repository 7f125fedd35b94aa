//! Options about workloads.

use kubernetes::{OwnerKind, Wanted};

/// Enabled parts; none by default.
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
    pub contacts: Vec<Wanted>,
    /// Kinds to look for owners in, beside those that we know.
    pub kinds: Vec<OwnerKind>,
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
        let contacts = Wanted::parse_all(owners).map_err(|text| BadConfig::Contact(text.to_owned()))?;
        let kinds = kinds.iter().map(|text| OwnerKind::parse(text).ok_or_else(|| BadConfig::Kind(text.clone())));
        let kinds = kinds.collect::<Result<_, _>>()?;
        Ok(Self { workloads, lifetimes, contacts, kinds, ..Self::default() })
    }

    /// Whether nothing is asked for.
    pub fn is_off(&self) -> bool {
        !self.needs_pods() && self.contacts.is_empty()
    }

    /// The kinds that this takes to watch beside pods.
    pub fn owner_kinds(&self) -> Vec<OwnerKind> {
        if self.is_off() {
            return Vec::new();
        }
        let namespaces = (!self.contacts.is_empty()).then(OwnerKind::namespaces);
        OwnerKind::known().chain(namespaces).chain(self.kinds.iter().cloned()).collect()
    }

    /// Whether it takes a look at pods.
    pub fn needs_pods(&self) -> bool {
        self.workloads || self.lifetimes || self.requests || self.peers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(owners: &[&str], kinds: &[&str]) -> Result<Config, BadConfig> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Config::new(false, false, &owned(owners), &owned(kinds))
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_flag() {
        assert_eq!(new(&["team=example.org/team"], &["TaskRun=taskruns.v1.tekton.dev"]).unwrap().contacts.len(), 1);
        for owners in [&["team"][..], &["pod=x"], &["a=x", "a=y"]] {
            let bad = owners.last().copied().unwrap_or_default().to_owned();
            assert_eq!(new(owners, &[]), Err(BadConfig::Contact(bad)));
        }
        assert_eq!(new(&[], &["TaskRun=taskruns.v1"]), Err(BadConfig::Kind("TaskRun=taskruns.v1".to_owned())));
    }

    #[test]
    fn owners_are_watched_when_somebody_asks_for_them() {
        let plurals = |config: &Config| config.owner_kinds().iter().map(|kind| kind.plural.clone()).collect::<Vec<_>>();
        assert!(plurals(&Config::default()).is_empty());
        let config = new(&["team=x"], &["TaskRun=taskruns.v1.tekton.dev"]).unwrap();
        let mut expected = ["cronjobs", "daemonsets", "deployments", "jobs", "replicasets"].to_vec();
        expected.extend(["replicationcontrollers", "statefulsets", "namespaces", "taskruns"]);
        assert_eq!(plurals(&config), expected);
    }
}
