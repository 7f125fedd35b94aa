//! State that a collector keeps by cgroup between scrapes.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::group::Group;

#[derive(Debug)]
struct Entry<T> {
    value: T,
    /// A cgroup that was made anew under the same path is another one.
    created: f64,
    seen: u64,
}

/// Values by cgroup. A cgroup that was not asked for during a whole scrape is forgotten.
#[derive(Debug)]
pub struct PerGroup<T> {
    entries: HashMap<Box<str>, Entry<T>, RandomState>,
    scrape: u64,
}

impl<T> Default for PerGroup<T> {
    fn default() -> Self {
        Self { entries: HashMap::default(), scrape: 0 }
    }
}

impl<T> PerGroup<T> {
    /// To be called first in a scrape.
    pub fn begin(&mut self) {
        let last = self.scrape;
        self.entries.retain(|_, entry| entry.seen == last);
        self.scrape += 1;
    }

    /// The state of the cgroup.
    pub fn of(&mut self, group: &Group) -> Option<&mut T> {
        let entry = self.entries.get_mut(&group.path).filter(|entry| entry.created == group.created)?;
        entry.seen = self.scrape;
        Some(&mut entry.value)
    }

    /// Remembers this of the cgroup.
    pub fn remember(&mut self, group: &Group, value: T) {
        if let Some(known) = self.of(group) {
            *known = value;
            return;
        }
        let entry = Entry { value, created: group.created, seen: self.scrape };
        self.entries.insert(group.path.clone(), entry);
    }
}
