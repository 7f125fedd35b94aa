//! Which workload a unit belongs to: the one place where that is decided.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{
    super::owner::{self, Role},
    unit::Unit,
    workload::Key,
};

/// What is known of pods.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Names {
    /// Pod uid → namespace and name.
    pods: HashMap<String, (String, String)>,
}

impl Names {
    /// A pod's name became known.
    pub(super) fn learn(&mut self, uid: &str, namespace: &str, pod: &str) {
        self.pods.insert(uid.to_owned(), (namespace.to_owned(), pod.to_owned()));
    }

    /// The workload of a unit; `None` while its pod's name may still be learnt.
    pub(super) fn workload_of(&self, unit: &Unit) -> Option<Key> {
        let (Role::Container { pod: Some(uid) } | Role::Pod(uid)) = &unit.role else {
            let workload = owner::parent(&unit.path).to_owned();
            return Some(Key { namespace: String::new(), workload, kind: "cgroup" });
        };
        match self.pods.get(uid) {
            Some((namespace, pod)) => Some(Key { namespace: namespace.clone(), workload: pod.clone(), kind: "pod" }),
            None if unit.closed_ns != 0 => Some(Key { namespace: String::new(), workload: uid.clone(), kind: "pod" }),
            None => None,
        }
    }

    /// Forgets all pods but those of these units.
    pub(super) fn keep_those_of<'u>(&mut self, units: impl Iterator<Item = &'u Unit>) {
        let of_pod = |unit: &'u Unit| match &unit.role {
            Role::Container { pod: Some(uid) } | Role::Pod(uid) => Some(uid.as_str()),
            _ => None,
        };
        let there: HashSet<&str> = units.filter_map(of_pod).collect();
        self.pods.retain(|uid, _| there.contains(uid.as_str()));
    }
}
