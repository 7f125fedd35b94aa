//! Names of addresses, from the DNS answers that each container received.
//!
//! The dns probe writes, users of names read. Two containers may know one address by different names, so each has its
//! own table. A name is valid for its TTL and kept longer, because connections outlive it. Entries per container and
//! per host are bounded; the one that expires first is removed.

use std::{collections::HashMap, net::Ipv6Addr, sync::Arc};

use parking_lot::Mutex;

use crate::ids::CgroupId;

/// Minimum validity of a name: programs use an answer for a while whatever its TTL.
const LEAST_NS: u64 = 30_000_000_000;
/// Maximum validity of a name.
const MOST_NS: u64 = 24 * 3_600_000_000_000;
/// Time for which an expired name is kept.
const REMEMBERED_NS: u64 = 3_600_000_000_000;

/// Most addresses of one cgroup, and of all.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of one cgroup.
    pub cgroup: usize,
    /// Of all.
    pub total: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cgroup: 512, total: 32_768 }
    }
}

#[derive(Clone, Debug)]
struct Known {
    name: Arc<str>,
    told_ns: u64,
    until_ns: u64,
}

/// Figures for self-telemetry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Addresses that have a name.
    pub known: usize,
    /// Names that were removed before they expired because the table was full.
    pub crowded: u64,
}

#[derive(Debug)]
struct Book {
    limits: Limits,
    cgroups: HashMap<CgroupId, HashMap<Ipv6Addr, Known>>,
    figures: Figures,
    swept_ns: u64,
}

/// The names. IPv4 addresses are written as `::ffff:a.b.c.d`, times are of the monotonic clock.
#[derive(Debug)]
pub struct Names(Mutex<Option<Book>>);

/// Those of this machine.
pub static NAMES: Names = Names::new();

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

impl Names {
    /// None yet.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// None yet, within these limits.
    pub fn within(limits: Limits) -> Self {
        Self(Mutex::new(Some(Book::new(limits))))
    }

    /// A cgroup was told that these addresses are called so, good for so many seconds.
    pub fn told(&self, cgroup: CgroupId, name: &str, addresses: &[Ipv6Addr], seconds: u32, now_ns: u64) {
        let good_ns = (u64::from(seconds) * 1_000_000_000).clamp(LEAST_NS, MOST_NS);
        let name: Arc<str> = name.into();
        let mut book = self.0.lock();
        let book = book.get_or_insert_with(|| Book::new(Limits::default()));
        for address in addresses {
            let known = Known { name: Arc::clone(&name), told_ns: now_ns, until_ns: now_ns.saturating_add(good_ns) };
            book.learn(cgroup, *address, known);
        }
        book.sweep(now_ns);
    }

    /// The cgroup's current or last name of an address.
    pub fn of(&self, cgroup: CgroupId, address: Ipv6Addr) -> Option<Arc<str>> {
        let book = self.0.lock();
        let known = book.as_ref()?.cgroups.get(&cgroup)?.get(&address)?;
        Some(Arc::clone(&known.name))
    }

    /// The cgroup's name of an address at a moment; `None` also if the name came only later.
    pub fn at(&self, cgroup: CgroupId, address: Ipv6Addr, moment_ns: u64) -> Option<Arc<str>> {
        let book = self.0.lock();
        let known = book.as_ref()?.cgroups.get(&cgroup)?.get(&address)?;
        (known.told_ns <= moment_ns).then(|| Arc::clone(&known.name))
    }

    /// These cgroups are gone.
    pub fn forget(&self, cgroups: &[CgroupId]) {
        if let Some(book) = self.0.lock().as_mut() {
            for cgroup in cgroups {
                let gone = book.cgroups.remove(cgroup).map_or(0, |names| names.len());
                book.figures.known -= gone;
            }
        }
    }

    /// Figures for self-telemetry.
    pub fn figures(&self) -> Figures {
        self.0.lock().as_ref().map(|book| book.figures).unwrap_or_default()
    }
}

impl Book {
    fn new(limits: Limits) -> Self {
        Self { limits, cgroups: HashMap::new(), figures: Figures::default(), swept_ns: 0 }
    }

    fn learn(&mut self, cgroup: CgroupId, address: Ipv6Addr, known: Known) {
        let names = self.cgroups.entry(cgroup).or_default();
        if let Some(before) = names.get_mut(&address) {
            // Since when is what is asked for if the name is the same.
            let told_ns = if before.name == known.name { before.told_ns } else { known.told_ns };
            *before = Known { told_ns, ..known };
            return;
        }
        if names.len() >= self.limits.cgroup || self.figures.known >= self.limits.total {
            let first = names.iter().min_by_key(|(_, known)| known.until_ns).map(|(address, _)| *address);
            self.figures.crowded += 1;
            // A cgroup that comes when others have all the room there is has none.
            let Some(first) = first else { return };
            names.remove(&first);
            self.figures.known -= 1;
        }
        names.insert(address, known);
        self.figures.known += 1;
    }

    /// Forgets what is past, once in a while.
    fn sweep(&mut self, now_ns: u64) {
        const EVERY_NS: u64 = 60_000_000_000;
        if now_ns.saturating_sub(self.swept_ns) < EVERY_NS {
            return;
        }
        self.swept_ns = now_ns;
        self.cgroups.retain(|_, names| {
            names.retain(|_, known| now_ns < known.until_ns.saturating_add(REMEMBERED_NS));
            !names.is_empty()
        });
        self.figures.known = self.cgroups.values().map(HashMap::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn address(last: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last)
    }

    #[test]
    fn each_container_has_its_own_names_and_the_last_one_counts() {
        let names = Names::new();
        names.told(CgroupId(7), "db.example", &[address(1), address(2)], 60, SECOND);
        names.told(CgroupId(8), "other.example", &[address(1)], 60, SECOND);
        assert_eq!(names.of(CgroupId(7), address(1)).as_deref(), Some("db.example"));
        assert_eq!(names.of(CgroupId(8), address(1)).as_deref(), Some("other.example"));
        assert_eq!(names.of(CgroupId(8), address(2)), None);
        names.told(CgroupId(7), "new.example", &[address(1)], 60, 9 * SECOND);
        assert_eq!(names.of(CgroupId(7), address(1)).as_deref(), Some("new.example"));
        assert_eq!(names.at(CgroupId(7), address(1), 8 * SECOND), None, "it was told later");
        assert_eq!(names.at(CgroupId(7), address(1), 9 * SECOND).as_deref(), Some("new.example"));
        names.forget(&[CgroupId(7)]);
        assert_eq!((names.of(CgroupId(7), address(1)), names.figures().known), (None, 1));
    }

    #[test]
    fn a_name_is_forgotten_an_hour_after_its_time() {
        let names = Names::new();
        names.told(CgroupId(7), "short.example", &[address(1)], 0, 0);
        names.told(CgroupId(7), "long.example", &[address(2)], 7200, 0);
        names.told(CgroupId(7), "x.example", &[address(3)], 0, 3600 * SECOND);
        assert_eq!(names.of(CgroupId(7), address(1)).as_deref(), Some("short.example"));
        names.told(CgroupId(7), "x.example", &[address(3)], 0, 3690 * SECOND);
        assert_eq!(names.of(CgroupId(7), address(1)), None);
        assert_eq!(names.of(CgroupId(7), address(2)).as_deref(), Some("long.example"));
        assert_eq!(names.figures(), Figures { known: 2, crowded: 0 });
    }

    #[test]
    fn what_ends_first_makes_room() {
        let names = Names::within(Limits { cgroup: 2, total: 3 });
        names.told(CgroupId(7), "a.example", &[address(1)], 300, 0);
        names.told(CgroupId(7), "b.example", &[address(2)], 100, 0);
        names.told(CgroupId(7), "c.example", &[address(3)], 200, 0);
        assert_eq!(names.of(CgroupId(7), address(2)), None);
        names.told(CgroupId(8), "a.example", &[address(1)], 300, 0);
        // There is no room left at all: a newcomer has none, others change theirs.
        names.told(CgroupId(9), "a.example", &[address(1)], 300, 0);
        names.told(CgroupId(8), "d.example", &[address(4)], 300, 0);
        assert_eq!((names.of(CgroupId(9), address(1)), names.of(CgroupId(8), address(1))), (None, None));
        assert_eq!(names.of(CgroupId(8), address(4)).as_deref(), Some("d.example"));
        assert_eq!(names.figures(), Figures { known: 3, crowded: 3 });
    }
}
