//! What pods belong to, by name.

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;

/// What containers and pods belong to: what outlives them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadRef {
    /// Its namespace; empty outside of Kubernetes.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its kind, as references name it: `Deployment`.
    pub kind: &'static str,
}

/// Most kinds that are told apart.
const MOST_KINDS: usize = 256;

/// A kind's name for all time. Names are few, but owners can be of any kind: those over 256 are `other`.
pub fn kind(name: &str) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_for_all_time() {
        assert!(std::ptr::eq(kind("Deployment"), kind(&String::from("Deployment"))));
    }
}
