//! The books: usage of units and workloads. Pure: fed with kernel readings and the time.
//!
//! Three levels. A *cgroup* has a row in the kernel's map whose sums only rise. A *unit* is what is counted as one
//! container: a container with all cgroups inside it, or any other cgroup with its own tasks. A *workload* is what
//! units belong to, and outlives them. Each reading adds what came to a cgroup since the reading before to its unit and
//! to its unit's workload; so a workload's sums only rise, whatever becomes of its containers.

mod closing;
mod key;
mod lifetimes;
mod names;
mod reading;
mod saved;
mod scrapers;
mod tally;
#[cfg(test)]
mod tests;
mod unit;
mod workload;

use std::collections::{HashMap, HashSet, VecDeque};

use kubernetes::WorkloadRef;
use metric::{Batch, Of};
use serde::{Deserialize, Serialize};

pub use self::{
    key::other,
    lifetimes::{LIFETIME_BOUNDS, Lifetimes},
    tally::{Columns, Tallies, Tally},
    unit::{Reason, Unit, UnitId},
    workload::Workload,
};
use self::{names::Names, scrapers::Scrapers, workload::Workloads};
use super::{
    owner::{self, Role},
    usage::{Memory, Totals},
};
use crate::{
    events::whose::{Container, Whose},
    identity::{AsContainer, Pods, bundle::Named, pods::PodName},
    ids::{CgroupId, ContainerId},
};

/// Limits of the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most workloads; those beyond are one, called `other`.
    pub workloads: usize,
    /// Most dead containers whose series stay.
    pub dead: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { workloads: 4096, dead: 4096 }
    }
}

/// Minimum time from a cgroup's removal to closing its books: the kernel frees its last tasks a while after they
/// ended.
pub const LINGER_NS: u64 = 1_500_000_000;
/// Time for which a removed container's series stay if not every scraper had them, in seconds.
pub const RETAIN: f64 = 300.0;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Member {
    unit: UnitId,
    path: String,
    last: Totals,
    tallies: Tallies,
    closed_ns: u64,
    /// Whether the path is made up, because the record that has it was lost.
    nameless: bool,
}

/// Sums over everything, for the audit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// CPU time of units that are there, in ns.
    pub live_ns: u64,
    /// Of those that are gone.
    pub dead_ns: u64,
    /// Of the root cgroup's own tasks, kernel threads for the most part.
    pub root_ns: u64,
}

impl Audit {
    /// All of it.
    pub fn total_ns(&self) -> u64 {
        self.live_ns + self.dead_ns + self.root_ns
    }
}

/// The books.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ledger {
    #[serde(skip)]
    limits: Limits,
    root: CgroupId,
    members: HashMap<CgroupId, Member>,
    units: HashMap<UnitId, Unit>,
    /// Owner path → unit, the youngest that had it.
    #[serde(skip)]
    by_path: HashMap<String, UnitId>,
    workloads: Workloads,
    names: Names,
    /// Places of the workloads of cgroups that are settled, for tasks that outlive them; oldest first in the order.
    #[serde(rename = "graves")]
    settled: HashMap<CgroupId, usize>,
    #[serde(rename = "grave_order")]
    settled_order: VecDeque<CgroupId>,
    /// Rows whose record has not come yet, and when they were first seen.
    #[serde(skip)]
    unclaimed: HashMap<CgroupId, u64>,
    #[serde(with = "lifetimes")]
    lifetimes: Lifetimes,
    #[serde(skip)]
    scrapers: Scrapers,
    all: u64,
    root_ns: u64,
    /// The last value of the root's row.
    root_last_ns: u64,
    overflow: Totals,
    overflow_tallies: Tallies,
    next_unit: UnitId,
}

impl Ledger {
    /// Empty books. `root` is the id of the hierarchy's root.
    pub fn new(limits: Limits, root: CgroupId) -> Self {
        Self {
            limits,
            root,
            members: HashMap::new(),
            units: HashMap::new(),
            by_path: HashMap::new(),
            workloads: Workloads::default(),
            names: Names::default(),
            settled: HashMap::new(),
            settled_order: VecDeque::new(),
            unclaimed: HashMap::new(),
            lifetimes: HashMap::new(),
            all: 0,
            root_ns: 0,
            root_last_ns: 0,
            scrapers: Scrapers::default(),
            overflow: Totals::default(),
            overflow_tallies: Tallies::default(),
            next_unit: UnitId(1),
        }
    }

    /// Has containers belong to what these pods belong to.
    #[must_use]
    pub fn with_pods(mut self, pods: &Pods) -> Self {
        self.names.ask(pods);
        self
    }

    /// A cgroup is there. Returns the id of the container that should be looked up now, if it is one.
    pub fn made<'p>(&mut self, id: CgroupId, path: &'p str, now: f64) -> Option<ContainerId<&'p str>> {
        let nameless = match self.members.get(&id) {
            Some(member) if member.path == path => return None,
            Some(member) => member.nameless,
            None => false,
        };
        if id == self.root || id == CgroupId::NO_ROOM {
            return None;
        }
        self.unclaimed.remove(&id);
        let (unit_path, role) = owner::of(path);
        let inner = unit_path.len() < path.len();
        if nameless {
            self.rename(id, path, &role);
            return if inner { None } else { owner::container_id(path) };
        }
        let known = self
            .by_path
            .get(unit_path)
            .copied()
            .filter(|unit| inner && self.units.get(unit).is_some_and(|unit| unit.closed_ns == 0));
        let unit = known.unwrap_or_else(|| self.open_unit(unit_path, role.clone(), now));
        self.join(id, unit, path);
        match role {
            Role::Container { .. } if !inner => owner::container_id(path),
            _ => None,
        }
    }

    /// The true name of a cgroup that got a made-up one.
    fn rename(&mut self, id: CgroupId, path: &str, role: &Role) {
        let Some(member) = self.members.get_mut(&id) else { return };
        member.nameless = false;
        let before = std::mem::replace(&mut member.path, path.to_owned());
        let number = member.unit;
        if let Some(unit) = self.units.get_mut(&number)
            && unit.path == before
        {
            path.clone_into(&mut unit.path);
            owner::called(path).clone_into(&mut unit.labels.name);
            unit.role = role.clone();
            self.by_path.remove(&before);
            self.by_path.insert(path.to_owned(), number);
        }
    }

    fn workload(&mut self, key: WorkloadRef, now: f64) -> usize {
        self.workloads.place(key, self.limits.workloads, now)
    }

    fn open_unit(&mut self, path: &str, role: Role, now: f64) -> UnitId {
        let number = self.next_unit;
        self.next_unit = number.next();
        self.units.insert(number, Unit::new(number, path, role, now));
        self.by_path.insert(path.to_owned(), number);
        number
    }

    fn join(&mut self, id: CgroupId, unit: UnitId, path: &str) {
        let member = Member {
            unit,
            path: path.to_owned(),
            last: Totals::default(),
            tallies: Tallies::default(),
            closed_ns: 0,
            nameless: false,
        };
        if let Some(before) = self.members.insert(id, member) {
            self.leave(before.unit);
        }
        if let Some(unit) = self.units.get_mut(&unit) {
            unit.members += 1;
        }
    }

    fn leave(&mut self, unit: UnitId) {
        if let Some(unit) = self.units.get_mut(&unit) {
            unit.members = unit.members.saturating_sub(1);
        }
    }

    /// A container's bundle was read.
    pub fn named(&mut self, id: CgroupId, named: &Named) {
        let Some(member) = self.members.get(&id) else { return };
        let Some(unit) = self.units.get_mut(&member.unit) else { return };
        let Named { namespace, pod, container, name, sandbox, .. } = named;
        (unit.named, unit.sandbox) = (true, *sandbox);
        let called = if container.is_empty() { name } else { container };
        let called = if *sandbox && container.is_empty() { "" } else { called };
        unit.labels = Container { namespace: namespace.clone(), pod: pod.clone(), name: called.to_owned() };
        if let Role::Container { pod: Some(uid) } = &unit.role
            && !pod.is_empty()
        {
            self.names.learn(uid, PodName { namespace: namespace.clone(), name: pod.clone() });
        }
    }

    /// A cgroup was removed from the owning hierarchy.
    pub fn removed(&mut self, id: CgroupId, now_ns: u64) {
        if let Some(member) = self.members.get_mut(&id)
            && member.closed_ns == 0
        {
            member.closed_ns = now_ns;
        }
    }

    /// What is left of the memory accounting of a removed cgroup; by path, for in a hierarchy of version 1 it has
    /// another id.
    pub fn memory_at_end(&mut self, path: &str, memory: Memory, now: f64) {
        let (unit_path, _) = owner::of(path);
        if unit_path != path {
            return;
        }
        let Some(unit) = self.by_path.get(unit_path).and_then(|unit| self.units.get_mut(unit)) else { return };
        unit.learn_memory(memory);
        // The books may be closed already: what came late is added to the workload.
        if unit.ended
            && let Some(workload) = unit.workload
            && let Some(workload) = self.workloads.at_mut(workload)
        {
            workload.add_memory(unit, now);
        }
    }

    /// These cgroups are there, and no others: ids and paths of all of the hierarchy.
    pub fn walked(&mut self, live: &[(CgroupId, String)], now_ns: u64, now: f64) {
        let there: HashMap<CgroupId, &str> = live.iter().map(|(id, path)| (*id, path.as_str())).collect();
        for (id, member) in &mut self.members {
            if member.closed_ns == 0 && !there.contains_key(id) {
                member.closed_ns = now_ns;
                if let Some(unit) = self.units.get_mut(&member.unit)
                    && unit.path == member.path
                {
                    unit.closed_ns = now_ns;
                    unit.closed = Some(now);
                }
            }
        }
        for (id, path) in live {
            self.made(*id, path, now);
        }
    }

    /// All workloads.
    pub fn workloads(&self) -> impl Iterator<Item = &Workload> {
        self.workloads.iter()
    }

    /// All units that had tasks: those that are there, and those whose series stay for a while.
    pub fn units(&self) -> impl Iterator<Item = &Unit> {
        self.units.values().filter(|unit| unit.is_real())
    }

    /// Of these, of any that bear the same labels only the youngest: what can be shown side by side.
    pub fn shown_units(&self) -> Vec<&Unit> {
        let mut units: Vec<&Unit> = self.units().collect();
        units.sort_by(|a, b| b.created.total_cmp(&a.created));
        let mut taken = HashSet::new();
        units.retain(|unit| taken.insert(&unit.labels));
        units
    }

    /// Whether this is the root of the hierarchy.
    pub fn is_root(&self, id: CgroupId) -> bool {
        id == self.root
    }

    /// The unit of a cgroup.
    pub fn unit_of(&self, id: CgroupId) -> Option<&Unit> {
        self.units.get(&self.members.get(&id)?.unit)
    }

    /// A unit by its number, as long as it is on the books.
    pub fn unit(&self, number: UnitId) -> Option<&Unit> {
        self.units.get(&number)
    }

    /// CPU time of the container, or what else is counted as one, that was at this path and is gone, in ns, if all of it
    /// was counted.
    pub fn whole_cpu(&self, path: &str) -> Option<u64> {
        let unit = self.units.get(self.by_path.get(path)?)?;
        (unit.opened_ns != 0 && unit.closed_ns != 0).then_some(unit.totals.cpu_ns)
    }

    /// The workload of a unit, once it is known.
    pub fn workload_of(&self, unit: &Unit) -> Option<&Workload> {
        self.workloads.at(unit.workload?)
    }

    /// A unit as what samples are about.
    pub fn subject_of(&self, unit: &Unit, out: &mut Batch) -> Of<AsContainer> {
        let Container { namespace, pod, name } = &unit.labels;
        let (workload, kind) =
            self.workload_of(unit).map_or(("", ""), |workload| (&*workload.key.name, workload.key.kind));
        out.subject::<AsContainer, 5>([namespace, pod, name, workload, kind])
    }

    /// The unit and workload of an event in a cgroup, as far as the books know them now.
    pub fn whose(&self, cgroup: CgroupId) -> Whose {
        let unit = self.unit_of(cgroup);
        let workload = match unit {
            Some(unit) => self.workload_of(unit),
            None => self.workload_of_settled(cgroup),
        };
        let container = unit.map(|unit| unit.labels.clone());
        let workload = workload.map(|workload| workload.key.clone());
        Whose { cgroup, container, workload }
    }

    /// The workload that a cgroup belonged to which is settled already.
    pub fn workload_of_settled(&self, id: CgroupId) -> Option<&Workload> {
        self.workloads.at(*self.settled.get(&id)?)
    }

    /// The workload of a name.
    pub fn workload_called(&self, key: &WorkloadRef) -> Option<&Workload> {
        self.workloads.called(key)
    }

    /// All this was shown to a scraper.
    pub fn shown(&mut self, to: &str, now: f64) {
        self.scrapers.shown(to, now);
    }

    /// Lifetimes of ended containers.
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// Number of removed cgroups whose books are not closed yet.
    pub fn pending(&self) -> usize {
        self.members.values().filter(|member| member.closed_ns != 0).count()
    }

    /// Containers made since `since` whose bundle was not read, by member id: it may be there by now.
    pub fn unnamed(&self, since: f64) -> Vec<(CgroupId, ContainerId)> {
        let unnamed = self.members.iter().filter_map(|(id, member)| {
            let unit = self.units.get(&member.unit)?;
            let wants = matches!(unit.role, Role::Container { .. }) && unit.path == member.path;
            (wants && !unit.named && unit.closed_ns == 0 && unit.created >= since)
                .then(|| Some((*id, owner::container_id(&unit.path)?.boxed())))
                .flatten()
        });
        unnamed.collect()
    }

    /// Containers outside pods that have been named and are there, by member id.
    pub fn named_alone(&self) -> Vec<(CgroupId, ContainerId)> {
        let alone = self.members.iter().filter_map(|(id, member)| {
            let unit = self.units.get(&member.unit).filter(|unit| unit.path == member.path)?;
            let is_alone = unit.named && unit.closed_ns == 0 && unit.role == Role::Container { pod: None };
            let container = owner::container_id(&unit.path)?;
            is_alone.then(|| (*id, container.boxed()))
        });
        alone.collect()
    }

    /// The path of a cgroup that is known.
    pub fn path(&self, id: CgroupId) -> Option<&str> {
        self.members.get(&id).map(|member| member.path.as_str())
    }

    /// Sums over everything.
    pub fn audit(&self) -> Audit {
        let live = self.units.values().filter(|unit| unit.closed_ns == 0).map(|unit| unit.totals.cpu_ns).sum();
        let dead = self.all.saturating_sub(live).saturating_sub(self.root_ns);
        Audit { live_ns: live, dead_ns: dead, root_ns: self.root_ns }
    }
}
