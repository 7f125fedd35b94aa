//! The books: who owns what was used. Pure: it is told what the kernel says, and the time.
//!
//! Three levels. A *cgroup* has a row in the kernel's map whose sums only rise. A *unit* is what is counted as one
//! container: a container with all cgroups inside it, or any other cgroup with its own tasks. A *workload* is what
//! units belong to, and outlives them. Each reading adds what came to a cgroup since the reading before to its unit and
//! to its unit's workload; so a workload's sums only rise, whatever becomes of its containers.

use std::collections::{HashMap, HashSet, VecDeque};

use metric::Histogram;

use super::{
    owner::{self, Role},
    wire::{Memory, Totals, Usage},
};
use crate::identity::bundle::Named;

/// How long after a cgroup's removal its books are closed at the earliest: the kernel frees its last tasks a while after they
/// ended.
pub const LINGER_NS: u64 = 1_500_000_000;
/// How long they are waited for at most.
const LINGER_MOST_NS: u64 = 8_000_000_000;
/// How long a row may wait for the record that names it; longer than the pump's period.
const CLAIM_NS: u64 = 3_000_000_000;
/// How long after a cgroup's removal the kernel's row is removed.
const KEEP_ROW_NS: u64 = 10_000_000_000;
/// How long a dead container's series stay if nobody scrapes, in seconds.
pub const RETAIN: f64 = 300.0;
/// How long a workload without containers stays, in seconds.
const RETAIN_WORKLOAD: f64 = 3600.0;
/// How many ids of removed cgroups are remembered, should a task that outlived them be freed.
const GRAVES: usize = 16_384;

/// What limits the ledger.
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

/// A moment, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The monotonic clock, in ns, which the kernel's rows use.
    pub mono_ns: u64,
    /// Seconds since the Unix epoch.
    pub wall: f64,
}

impl Moment {
    /// The time of day of a reading of the monotonic clock.
    fn wall_at(self, mono_ns: u64) -> f64 {
        self.wall - (self.mono_ns as f64 - mono_ns as f64) / 1e9
    }
}

/// The name of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Namespace; empty outside Kubernetes.
    pub namespace: String,
    /// Name of the pod, or path of the parent cgroup.
    pub workload: String,
    /// `pod` or `cgroup`.
    pub kind: &'static str,
}

impl Key {
    /// The workload of what is over a limit.
    pub fn other() -> Self {
        Self { namespace: String::new(), workload: "other".into(), kind: "cgroup" }
    }
}

/// What other features count by cgroup and keep on these books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    /// Processes killed because memory ran out.
    OomKills,
    /// Programs started.
    Execs,
}

/// One number a [`Tally`].
pub type Tallies = [u64; 2];

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Status 0.
    Completed,
    /// Another status.
    Error,
    /// A signal.
    Signal,
    /// Out of memory.
    Oom,
    /// No process of it was seen to end.
    Unknown,
}

impl Reason {
    /// Words for the label, by index.
    pub const NAMES: [&'static str; 5] = ["completed", "error", "signal", "oom", "unknown"];

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Error => "error",
            Self::Signal => "signal",
            Self::Oom => "oom",
            Self::Unknown => "unknown",
        }
    }
}

/// A workload's sums.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Its name.
    pub key: Key,
    /// What its containers used, dead and alive.
    pub totals: Totals,
    /// Containers started.
    pub started: u64,
    /// Containers ended, by [`Reason`].
    pub exited: [u64; 5],
    /// Containers that are there.
    pub running: u64,
    /// Most memory that one of its dead containers had, in pages.
    pub peak_pages: u64,
    /// Memory events of its dead containers.
    pub memory_events: [u64; 5],
    /// What other features count.
    pub tallies: Tallies,
    /// When we began to count, in seconds since the Unix epoch.
    pub created: f64,
    touched: f64,
}

/// A container, or another cgroup that has tasks.
#[derive(Clone, Debug)]
pub struct Unit {
    /// A number that no other unit has or had.
    pub number: u64,
    /// Path of its cgroup.
    pub path: String,
    /// Namespace, pod and container, as far as they are known.
    pub labels: [String; 3],
    /// Whether it holds a pod's namespaces and nothing else.
    pub sandbox: bool,
    /// What it used.
    pub totals: Totals,
    /// When we began to count, in seconds since the Unix epoch.
    pub created: f64,
    /// When it was removed, likewise.
    pub closed: Option<f64>,
    /// Status of the process that went last, as wait(2) gives it.
    pub status: Option<u32>,
    /// Memory, known when it is removed.
    pub memory: Memory,
    /// What other features count.
    pub tallies: Tallies,
    role: Role,
    workload: Option<usize>,
    flushed: Totals,
    flushed_tallies: Tallies,
    flushed_events: [u64; 5],
    counted_start: bool,
    opened_ns: u64,
    emptied_ns: u64,
    closed_ns: u64,
    last_end_ns: u64,
    ended: bool,
    shown: u32,
    members: u32,
}

impl Workload {
    /// Adds what is known of a container's memory and was not added before.
    fn add_memory(&mut self, unit: &mut Unit, now: f64) {
        self.peak_pages = self.peak_pages.max(unit.memory.peak_pages);
        for ((sum, known), added) in self.memory_events.iter_mut().zip(unit.memory.events).zip(&mut unit.flushed_events)
        {
            let more = known.saturating_sub(*added);
            *added = known.max(*added);
            *sum += more;
            if more != 0 {
                self.touched = now;
            }
        }
    }
}

impl Unit {
    /// Whether it ever had a task, and so is shown.
    pub fn is_real(&self) -> bool {
        self.totals.is_real()
    }

    /// Takes in what the kernel says of its memory: in its row, in the record of its removal or in both, so the greater
    /// counts.
    fn learn_memory(&mut self, memory: Memory) {
        self.memory.peak_pages = self.memory.peak_pages.max(memory.peak_pages);
        for (known, new) in self.memory.events.iter_mut().zip(memory.events) {
            *known = (*known).max(new);
        }
    }

    /// How it ended.
    pub fn reason(&self) -> Reason {
        let [oom_kills, _] = self.tallies;
        let [.., oom_kill_events] = self.memory.events;
        match self.status {
            _ if oom_kills > 0 || oom_kill_events > 0 => Reason::Oom,
            None => Reason::Unknown,
            Some(0) => Reason::Completed,
            Some(status) if status & 0x7f != 0 => Reason::Signal,
            Some(_) => Reason::Error,
        }
    }
}

#[derive(Clone, Debug)]
struct Member {
    unit: u64,
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

/// Lifetimes of containers, by namespace and kind of workload.
pub type Lifetimes = HashMap<(String, &'static str), Histogram>;

/// The books.
#[derive(Debug)]
pub struct Ledger {
    limits: Limits,
    root: u64,
    members: HashMap<u64, Member>,
    units: HashMap<u64, Unit>,
    /// Owner path → unit, the youngest that had it.
    by_path: HashMap<String, u64>,
    workloads: Vec<Option<Workload>>,
    keys: HashMap<Key, usize>,
    /// Pod uid → namespace and name.
    pods: HashMap<String, (String, String)>,
    graves: HashMap<u64, usize>,
    grave_order: VecDeque<u64>,
    /// Rows whose record has not come yet, and when they were first seen.
    unclaimed: HashMap<u64, u64>,
    lifetimes: Lifetimes,
    all: u64,
    root_ns: u64,
    overflow: Totals,
    overflow_tallies: Tallies,
    next_unit: u64,
}

/// Bounds of lifetimes, in seconds.
pub const LIFETIME_BOUNDS: &[f64] =
    &[0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 3600.0, 21_600.0, 86_400.0, 604_800.0];

impl Ledger {
    /// Empty books. `root` is the id of the hierarchy's root.
    pub fn new(limits: Limits, root: u64) -> Self {
        Self {
            limits,
            root,
            members: HashMap::new(),
            units: HashMap::new(),
            by_path: HashMap::new(),
            workloads: Vec::new(),
            keys: HashMap::new(),
            pods: HashMap::new(),
            graves: HashMap::new(),
            grave_order: VecDeque::new(),
            unclaimed: HashMap::new(),
            lifetimes: HashMap::new(),
            all: 0,
            root_ns: 0,
            overflow: Totals::default(),
            overflow_tallies: [0; 2],
            next_unit: 1,
        }
    }

    /// A cgroup is there. Returns the id of the container that should be looked up now, if it is one.
    pub fn made<'p>(&mut self, id: u64, path: &'p str, now: f64) -> Option<&'p str> {
        let nameless = match self.members.get(&id) {
            Some(member) if member.path == path => return None,
            Some(member) => member.nameless,
            None => false,
        };
        if id == self.root || id == 0 {
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
    fn rename(&mut self, id: u64, path: &str, role: &Role) {
        let Some(member) = self.members.get_mut(&id) else { return };
        member.nameless = false;
        let before = std::mem::replace(&mut member.path, path.to_owned());
        let number = member.unit;
        if let Some(unit) = self.units.get_mut(&number)
            && unit.path == before
        {
            path.clone_into(&mut unit.path);
            owner::called(path).clone_into(&mut unit.labels[2]);
            unit.role = role.clone();
            self.by_path.remove(&before);
            self.by_path.insert(path.to_owned(), number);
        }
    }

    fn open_unit(&mut self, path: &str, role: Role, now: f64) -> u64 {
        let number = self.next_unit;
        self.next_unit += 1;
        let called = owner::called(path).to_owned();
        let unit = Unit {
            number,
            path: path.to_owned(),
            labels: [String::new(), String::new(), called],
            sandbox: false,
            totals: Totals::default(),
            created: now,
            closed: None,
            status: None,
            memory: Memory::default(),
            tallies: [0; 2],
            role,
            workload: None,
            flushed: Totals::default(),
            flushed_tallies: [0; 2],
            flushed_events: [0; 5],
            counted_start: false,
            opened_ns: 0,
            emptied_ns: 0,
            closed_ns: 0,
            last_end_ns: 0,
            ended: false,
            shown: 0,
            members: 0,
        };
        self.units.insert(number, unit);
        self.by_path.insert(path.to_owned(), number);
        number
    }

    fn join(&mut self, id: u64, unit: u64, path: &str) {
        let member = Member {
            unit,
            path: path.to_owned(),
            last: Totals::default(),
            tallies: [0; 2],
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

    fn leave(&mut self, unit: u64) {
        if let Some(unit) = self.units.get_mut(&unit) {
            unit.members = unit.members.saturating_sub(1);
        }
    }

    /// A container's bundle was read.
    pub fn named(&mut self, id: u64, named: &Named) {
        let Some(member) = self.members.get(&id) else { return };
        let Some(unit) = self.units.get_mut(&member.unit) else { return };
        let Named { namespace, pod, container, name, sandbox, .. } = named;
        unit.sandbox = *sandbox;
        let called = if container.is_empty() { name } else { container };
        let called = if *sandbox && container.is_empty() { "" } else { called };
        unit.labels = [namespace.clone(), pod.clone(), called.to_owned()];
        if let Role::Container { pod: Some(uid) } = &unit.role
            && !pod.is_empty()
        {
            self.pods.insert(uid.clone(), (namespace.clone(), pod.clone()));
        }
    }

    /// A cgroup was removed from the owning hierarchy.
    pub fn removed(&mut self, id: u64, now_ns: u64) {
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
            && let Some(Some(workload)) = self.workloads.get_mut(workload)
        {
            workload.add_memory(unit, now);
        }
    }

    /// These cgroups are there, and no others: ids and paths of all of the hierarchy. Returns those that are new.
    pub fn walked(&mut self, live: &[(u64, String)], now_ns: u64, now: f64) -> Vec<(u64, String)> {
        let there: HashMap<u64, &str> = live.iter().map(|(id, path)| (*id, path.as_str())).collect();
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
        let mut new = Vec::new();
        for (id, path) in live {
            if let Some(container) = self.made(*id, path, now) {
                new.push((*id, container.to_owned()));
            }
        }
        new
    }

    /// Rows of the kernel's map, as they are now.
    pub fn measured<'u>(&mut self, rows: impl Iterator<Item = (&'u u64, &'u Usage)> + Clone, now: Moment) {
        self.adopt_strays(rows.clone(), now);
        for (id, usage) in rows {
            let totals = Totals::from(usage);
            if *id == 0 {
                let more = totals.since(&self.overflow);
                self.overflow = totals;
                self.all += more.cpu_ns;
                if more != Totals::default() {
                    let other = self.workload(Key::other(), now.wall);
                    self.flush(other, more, now.wall);
                }
            } else if *id == self.root {
                let more = totals.cpu_ns.saturating_sub(self.root_ns);
                self.root_ns += more;
                self.all += more;
            } else {
                self.apply(*id, usage, &totals, now);
            }
        }
        self.resolve_all(now.wall);
    }

    /// Gives rows that have waited for their record long enough a place beside their siblings.
    fn adopt_strays<'u>(&mut self, rows: impl Iterator<Item = (&'u u64, &'u Usage)>, now: Moment) {
        let mut due = Vec::new();
        for (id, usage) in rows {
            if *id == 0 || *id == self.root || self.members.contains_key(id) {
                continue;
            }
            // The record may be on its way; the row will not run away.
            let since = *self.unclaimed.entry(*id).or_insert(now.mono_ns);
            if now.mono_ns.saturating_sub(since) >= CLAIM_NS {
                due.push((*id, usage.parent));
            }
        }
        // Parents are older than their children and have smaller ids.
        due.sort_unstable();
        for (id, parent) in due {
            self.adopt(id, parent, now.wall);
        }
    }

    /// What another feature counted of a cgroup so far. Called after [`Ledger::measured`], which knows the cgroups.
    pub fn tallied(&mut self, tally: Tally, id: u64, count: u64, now: f64) {
        let at = tally as usize;
        let last = match self.members.get_mut(&id) {
            Some(member) => member.tallies.get_mut(at),
            None if id == 0 => self.overflow_tallies.get_mut(at),
            None => return,
        };
        let Some(last) = last else { return };
        let more = count.saturating_sub(std::mem::replace(last, count));
        if more == 0 {
            return;
        }
        let mut tallies = Tallies::default();
        if let Some(slot) = tallies.get_mut(at) {
            *slot = more;
        }
        let unit = self.members.get(&id).and_then(|member| self.units.get_mut(&member.unit));
        let Some(unit) = unit else {
            let other = self.workload(Key::other(), now);
            self.flush_tallies(other, tallies);
            return;
        };
        if let Some(sum) = unit.tallies.get_mut(at) {
            *sum += more;
        }
        if let Some(workload) = unit.workload {
            unit.flushed_tallies = unit.tallies;
            self.flush_tallies(workload, tallies);
        }
    }

    fn flush_tallies(&mut self, workload: usize, more: Tallies) {
        if let Some(Some(workload)) = self.workloads.get_mut(workload) {
            for (sum, more) in workload.tallies.iter_mut().zip(more) {
                *sum += more;
            }
        }
    }

    /// A row without a name: its record was lost, or a task outlived its cgroup.
    fn adopt(&mut self, id: u64, parent: u64, now: f64) {
        let parent_path = match self.members.get(&parent) {
            Some(member) => member.path.as_str(),
            None if parent == self.root => "",
            None => "/other",
        };
        let path = format!("{parent_path}/cgroup-{id}");
        self.made(id, &path, now);
        if let Some(member) = self.members.get_mut(&id) {
            member.nameless = true;
        }
        if let Some(workload) = self.graves.get(&id).copied()
            && let Some(member) = self.members.get(&id)
            && let Some(unit) = self.units.get_mut(&member.unit)
        {
            unit.workload = Some(workload);
            unit.counted_start = true;
            unit.ended = true;
        }
    }

    fn apply(&mut self, id: u64, usage: &Usage, totals: &Totals, now: Moment) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let more = totals.since(&member.last);
        member.last = *totals;
        if usage.closed_ns != 0 {
            member.closed_ns = usage.closed_ns;
        }
        self.all += more.cpu_ns;
        let Some(unit) = self.units.get_mut(&member.unit) else { return };
        unit.totals += more;
        if usage.last_end_ns > unit.last_end_ns {
            unit.last_end_ns = usage.last_end_ns;
            unit.status = Some(usage.last_status);
        }
        if unit.path == member.path {
            unit.opened_ns = usage.opened_ns;
            unit.emptied_ns = usage.emptied_ns;
            if usage.opened_ns != 0 {
                unit.created = now.wall_at(usage.opened_ns);
            }
            if usage.closed_ns != 0 && unit.closed_ns == 0 {
                unit.closed_ns = usage.closed_ns;
                unit.closed = Some(now.wall_at(usage.closed_ns).min(now.wall));
            }
            unit.learn_memory(Memory { peak_pages: usage.peak_pages, events: usage.memory_events });
        }
    }

    /// Gives each unit its workload, as soon as its name is known, and the workload what the unit used.
    fn resolve_all(&mut self, now: f64) {
        let numbers: Vec<u64> = self.units.keys().copied().collect();
        for number in numbers {
            let Some(unit) = self.units.get(&number) else { continue };
            if !unit.is_real() {
                continue;
            }
            let workload = if let Some(workload) = unit.workload {
                workload
            } else {
                let Some(key) = self.key_of(unit) else { continue };
                self.workload(key, now)
            };
            let Some(unit) = self.units.get_mut(&number) else { continue };
            unit.workload = Some(workload);
            let more = unit.totals.since(&unit.flushed);
            unit.flushed = unit.totals;
            let tallies: Tallies = std::array::from_fn(|i| {
                unit.tallies.get(i).copied().unwrap_or(0) - unit.flushed_tallies.get(i).copied().unwrap_or(0)
            });
            unit.flushed_tallies = unit.tallies;
            let starts = !unit.counted_start && unit.opened_ns != 0 && !unit.sandbox;
            unit.counted_start = true;
            self.flush(workload, more, now);
            self.flush_tallies(workload, tallies);
            let (Some(Some(workload)), Some(unit)) = (self.workloads.get_mut(workload), self.units.get_mut(&number))
            else {
                continue;
            };
            workload.started += u64::from(starts);
            workload.add_memory(unit, now);
        }
    }

    /// `None` while a pod's name may still be learnt.
    fn key_of(&self, unit: &Unit) -> Option<Key> {
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

    fn workload(&mut self, key: Key, now: f64) -> usize {
        if let Some(known) = self.keys.get(&key) {
            return *known;
        }
        let key = if self.keys.len() < self.limits.workloads || key == Key::other() { key } else { Key::other() };
        if let Some(known) = self.keys.get(&key) {
            return *known;
        }
        let workload = Workload {
            key: key.clone(),
            totals: Totals::default(),
            started: 0,
            exited: [0; 5],
            running: 0,
            peak_pages: 0,
            memory_events: [0; 5],
            tallies: [0; 2],
            created: now,
            touched: now,
        };
        let free = self.workloads.iter().position(Option::is_none);
        let at = free.unwrap_or(self.workloads.len());
        match self.workloads.get_mut(at) {
            Some(slot) => *slot = Some(workload),
            None => self.workloads.push(Some(workload)),
        }
        self.keys.insert(key, at);
        at
    }

    fn flush(&mut self, workload: usize, more: Totals, now: f64) {
        if more == Totals::default() {
            return;
        }
        if let Some(Some(workload)) = self.workloads.get_mut(workload) {
            workload.totals += more;
            workload.touched = now;
        }
    }

    /// Closes the books of what is gone, and forgets what was gone long enough. Returns the rows that the kernel can
    /// forget too.
    pub fn settle(&mut self, now_ns: u64, now: f64) -> Vec<u64> {
        self.end_units(now_ns, now);
        let mut rows = Vec::new();
        let done = self
            .members
            .iter()
            .filter(|(_, member)| member.closed_ns != 0 && now_ns.saturating_sub(member.closed_ns) > KEEP_ROW_NS);
        rows.extend(done.map(|(id, _)| *id));
        for id in &rows {
            let Some(member) = self.members.remove(id) else { continue };
            let workload = self.units.get(&member.unit).and_then(|unit| unit.workload);
            self.leave(member.unit);
            if let Some(workload) = workload {
                self.bury(*id, workload);
            }
        }
        self.forget_units(now);
        self.forget_workloads(now);
        rows
    }

    fn end_units(&mut self, now_ns: u64, now: f64) {
        for unit in self.units.values_mut() {
            // The kernel frees a task some time after its end: the last one's status is there when a task was freed
            // after the cgroup had become empty.
            let waited = now_ns.saturating_sub(unit.closed_ns);
            let complete = waited >= LINGER_NS && unit.last_end_ns >= unit.emptied_ns;
            let due = unit.closed_ns != 0 && (complete || waited >= LINGER_MOST_NS);
            if !due || unit.ended || (unit.is_real() && unit.workload.is_none()) {
                continue;
            }
            unit.ended = true;
            let reason = unit.reason();
            let Some(Some(workload)) = unit.workload.and_then(|at| self.workloads.get_mut(at)) else { continue };
            workload.touched = now;
            workload.add_memory(unit, now);
            if unit.sandbox {
                continue;
            }
            let at = Reason::NAMES.iter().position(|name| *name == reason.name());
            if let Some(count) = at.and_then(|at| workload.exited.get_mut(at)) {
                *count += 1;
            }
            if unit.opened_ns != 0 {
                let end = if unit.emptied_ns == 0 { unit.closed_ns } else { unit.emptied_ns };
                let key = (workload.key.namespace.clone(), workload.key.kind);
                let lifetimes = self.lifetimes.entry(key).or_insert_with(|| {
                    let mut histogram = Histogram::new(LIFETIME_BOUNDS, 3);
                    histogram.created = Some(now);
                    histogram
                });
                lifetimes.observe(end.saturating_sub(unit.opened_ns) as f64 / 1e9);
            }
        }
    }

    fn bury(&mut self, id: u64, workload: usize) {
        if self.graves.insert(id, workload).is_none() {
            self.grave_order.push_back(id);
        }
        while self.grave_order.len() > GRAVES {
            if let Some(oldest) = self.grave_order.pop_front() {
                self.graves.remove(&oldest);
            }
        }
    }

    fn forget_units(&mut self, now: f64) {
        let dead = self.units.values().filter(|unit| unit.ended).count();
        let mut surplus = dead.saturating_sub(self.limits.dead);
        let mut gone: Vec<(u64, f64)> = self
            .units
            .iter()
            .filter(|(_, unit)| unit.ended && unit.members == 0)
            .map(|(number, unit)| (*number, unit.closed.unwrap_or(now)))
            .collect();
        gone.sort_by(|a, b| a.1.total_cmp(&b.1));
        for (number, closed) in gone {
            let Some(unit) = self.units.get(&number) else { continue };
            let seen = unit.shown >= 2 || now - closed >= RETAIN || !unit.is_real();
            if !seen && surplus == 0 {
                continue;
            }
            surplus = surplus.saturating_sub(1);
            if self.by_path.get(&unit.path) == Some(&number) {
                self.by_path.remove(&unit.path);
            }
            self.units.remove(&number);
        }
    }

    fn forget_workloads(&mut self, now: f64) {
        let mut used: Vec<u64> = vec![0; self.workloads.len()];
        for unit in self.units.values() {
            if let Some(count) = unit.workload.and_then(|at| used.get_mut(at)) {
                *count += 1;
            }
        }
        for workload in self.workloads.iter_mut().flatten() {
            workload.running = 0;
        }
        for unit in self.units.values().filter(|unit| unit.closed_ns == 0 && unit.is_real() && !unit.sandbox) {
            if let Some(Some(workload)) = unit.workload.and_then(|at| self.workloads.get_mut(at)) {
                workload.running += 1;
            }
        }
        let mut freed = Vec::new();
        for (at, slot) in self.workloads.iter_mut().enumerate() {
            let idle = used.get(at) == Some(&0)
                && slot.as_ref().is_some_and(|workload| now - workload.touched > RETAIN_WORKLOAD);
            if idle && let Some(workload) = slot.take() {
                self.keys.remove(&workload.key);
                freed.push(at);
            }
        }
        if !freed.is_empty() {
            self.graves.retain(|_, workload| !freed.contains(workload));
            let live_pods: Vec<String> = self
                .units
                .values()
                .filter_map(|unit| match &unit.role {
                    Role::Container { pod: Some(uid) } | Role::Pod(uid) => Some(uid.clone()),
                    _ => None,
                })
                .collect();
            self.pods.retain(|uid, _| live_pods.contains(uid));
        }
    }

    /// All workloads.
    pub fn workloads(&self) -> impl Iterator<Item = &Workload> {
        self.workloads.iter().flatten()
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
    pub fn is_root(&self, id: u64) -> bool {
        id == self.root
    }

    /// The unit of a cgroup.
    pub fn unit_of(&self, id: u64) -> Option<&Unit> {
        self.units.get(&self.members.get(&id)?.unit)
    }

    /// A unit by its number, as long as it is on the books.
    pub fn unit(&self, number: u64) -> Option<&Unit> {
        self.units.get(&number)
    }

    /// The workload of a unit, once it is known.
    pub fn workload_of(&self, unit: &Unit) -> Option<&Workload> {
        self.workloads.get(unit.workload?)?.as_ref()
    }

    /// The workload that a cgroup belonged to which is settled already.
    pub fn workload_of_grave(&self, id: u64) -> Option<&Workload> {
        self.workloads.get(*self.graves.get(&id)?)?.as_ref()
    }

    /// The workload of a name.
    pub fn workload_called(&self, key: &Key) -> Option<&Workload> {
        self.workloads.get(*self.keys.get(key)?)?.as_ref()
    }

    /// The dead units were shown once more.
    pub fn shown(&mut self) {
        for unit in self.units.values_mut().filter(|unit| unit.ended) {
            unit.shown += 1;
        }
    }

    /// Lifetimes of ended containers.
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// How many cgroups are gone but not yet settled.
    pub fn pending(&self) -> usize {
        self.members.values().filter(|member| member.closed_ns != 0).count()
    }

    /// Containers without a name, by member id: their bundle may be there by now.
    pub fn unnamed(&self) -> Vec<(u64, String)> {
        let unnamed = self.members.iter().filter_map(|(id, member)| {
            let unit = self.units.get(&member.unit)?;
            let wants = matches!(unit.role, Role::Container { .. }) && unit.path == member.path;
            (wants && unit.closed_ns == 0 && unit.labels[0].is_empty() && unit.labels[1].is_empty())
                .then(|| (*id, owner::container_id(&unit.path).unwrap_or("").to_owned()))
        });
        unnamed.filter(|(_, container)| !container.is_empty()).collect()
    }

    /// Sums over everything.
    pub fn audit(&self) -> Audit {
        let live = self.units.values().filter(|unit| unit.closed_ns == 0).map(|unit| unit.totals.cpu_ns).sum();
        let dead = self.all.saturating_sub(live).saturating_sub(self.root_ns);
        Audit { live_ns: live, dead_ns: dead, root_ns: self.root_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// A container whose removal the kernel's row tells at two seconds, with these events.
    fn removed_with(ledger: &mut Ledger, peak_pages: u64, memory_events: [u64; 5]) {
        ledger.made(7, "/jobs/a", 1.0);
        let mut usage = Usage::default();
        (usage.opened_ns, usage.tasks_started) = (SECOND, 1);
        (usage.emptied_ns, usage.last_end_ns) = (2 * SECOND, 2 * SECOND);
        (usage.closed_ns, usage.peak_pages, usage.memory_events) = (2 * SECOND, peak_pages, memory_events);
        ledger.measured([(&7, &usage)].into_iter(), Moment { mono_ns: 2 * SECOND, wall: 2.0 });
    }

    fn memory_of_jobs(ledger: &Ledger) -> (u64, [u64; 5]) {
        let jobs = ledger.workloads().find(|workload| workload.key.workload == "/jobs").unwrap();
        (jobs.peak_pages, jobs.memory_events)
    }

    #[test]
    fn memory_events_told_twice_count_once_whenever_the_books_close() {
        let told = Memory { peak_pages: 30, events: [0, 0, 4, 1, 1] };
        for closed_first in [false, true] {
            let mut ledger = Ledger::new(Limits::default(), 1);
            removed_with(&mut ledger, 20, [0, 0, 3, 1, 1]);
            if closed_first {
                ledger.settle(20 * SECOND, 20.0);
                assert!(ledger.units().all(|unit| unit.ended), "closed");
            }
            assert_eq!(memory_of_jobs(&ledger), (20, [0, 0, 3, 1, 1]));
            ledger.memory_at_end("/jobs/a", told, 21.0);
            ledger.memory_at_end("/jobs/a", told, 22.0);
            ledger.settle(23 * SECOND, 23.0);
            assert_eq!(memory_of_jobs(&ledger), (30, told.events), "closed first: {closed_first}");
        }
    }

    #[test]
    fn memory_events_in_a_row_read_after_the_books_closed_reach_the_workload() {
        let mut ledger = Ledger::new(Limits::default(), 1);
        removed_with(&mut ledger, 20, [0; 5]);
        ledger.settle(20 * SECOND, 20.0);
        removed_with(&mut ledger, 25, [0, 0, 0, 2, 2]);
        removed_with(&mut ledger, 25, [0, 0, 0, 2, 2]);
        assert_eq!(memory_of_jobs(&ledger), (25, [0, 0, 0, 2, 2]));
    }
}
