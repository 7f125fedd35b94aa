//! Names of workloads, which pods belong to.

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize};

/// The name of a kind, for all time.
pub type Kind = &'static str;

/// What containers and pods belong to: what outlives them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkloadRef {
    /// Its namespace; empty outside of Kubernetes.
    pub namespace: Arc<str>,
    /// Its name.
    #[serde(rename = "workload")]
    pub name: Arc<str>,
    /// Its kind, as references name it: `Deployment`.
    #[serde(deserialize_with = "known_kind")]
    pub kind: Kind,
}

/// Most kinds that are told apart.
const MOST_KINDS: usize = 256;

/// A kind's name for all time. Names are few, but owners can be of any kind: those over 256 are `other`.
pub fn kind(name: &str) -> Kind {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock();
    if let Some(known) = names.get(name) {
        return known;
    }
    if names.len() >= MOST_KINDS {
        return "other";
    }
    let name: &'static str = name.to_owned().leak();
    names.insert(name);
    name
}

/// A kind from a file, as [`kind`] has it.
pub fn known_kind<'de, D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
    String::deserialize(from).map(|name| kind(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_for_all_time() {
        assert!(std::ptr::eq(kind("Deployment"), kind(&String::from("Deployment"))));
    }
}
