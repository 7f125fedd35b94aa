//! Problems that go on, by cause: thirty watches of one server that is down have one problem, and the log says it once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::Mutex;

/// Problems by cause, with who has them. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Troubles(Arc<Mutex<BTreeMap<String, Trouble>>>);

#[derive(Debug, Default)]
struct Trouble {
    /// Who has it now.
    now: BTreeSet<String>,
    /// Who has had it since it began.
    ever: BTreeSet<String>,
}

impl Troubles {
    /// `who` has a problem of this cause. True if nobody else has one: it is new, and to be said.
    pub fn begun(&self, who: &str, cause: &str) -> bool {
        let mut troubles = self.0.lock();
        let trouble = troubles.entry(cause.to_owned()).or_default();
        let is_new = trouble.now.is_empty();
        if is_new {
            trouble.ever.clear();
        }
        trouble.now.insert(who.to_owned());
        trouble.ever.insert(who.to_owned());
        is_new
    }

    /// `who` has no problem any more. If with that a cause is gone, those who had a problem of it.
    pub fn ended(&self, who: &str) -> Option<Vec<String>> {
        let mut over = BTreeSet::new();
        let mut troubles = self.0.lock();
        troubles.retain(|_, trouble| {
            if trouble.now.remove(who) && trouble.now.is_empty() {
                over.append(&mut trouble.ever);
                return false;
            }
            true
        });
        (!over.is_empty()).then(|| over.into_iter().collect())
    }

    /// Who has a problem of this cause now.
    pub fn having(&self, cause: &str) -> Vec<String> {
        self.0.lock().get(cause).map(|trouble| trouble.now.iter().cloned().collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_new_once_and_over_once() {
        let troubles = Troubles::default();
        assert!(troubles.begun("pods", "refused"));
        assert!(!troubles.begun("jobs", "refused") && !troubles.begun("pods", "refused"));
        assert!(troubles.begun("nodes", "forbidden"), "another cause");
        assert_eq!(troubles.having("refused"), ["jobs", "pods"]);
        assert_eq!(troubles.ended("pods"), None);
        assert_eq!(troubles.ended("pods"), None, "it had ended");
        assert_eq!(troubles.ended("jobs"), Some(vec!["jobs".to_owned(), "pods".to_owned()]));
        assert!(troubles.begun("jobs", "refused"), "it came back");
        assert_eq!(troubles.ended("jobs"), Some(vec!["jobs".to_owned()]));
    }
}
