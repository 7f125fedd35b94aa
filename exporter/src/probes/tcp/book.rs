//! Assigns connections to units and workloads. Pure: fed with kernel rows, the books and the time.
//!
//! The same levels as there: rows by cgroup, units, workloads. Each reading adds what came to a row since the one
//! before to the row's unit and to the unit's workload, so a workload's sums only rise, whatever becomes of its
//! containers and of the kernel's rows.

use std::collections::{HashMap, HashSet};

use kubernetes::WorkloadRef;

use super::{
    named::{Came, Whose},
    wire::{Listener, ListenerKey, Meter, Peer, PeerId, PeerKey},
};
use crate::{
    books::{
        ledger::{Ledger, UnitId, other},
        times::Times,
    },
    ids::CgroupId,
};

/// Time for which a cgroup may be unknown to `lifetime` before its counts are added to `other`, in seconds.
const CLAIM: f64 = 10.0;
/// Time for which a row may be idle before it is removed, in seconds.
const IDLE: f64 = 600.0;
/// Time for which a workload keeps an idle peer, in seconds.
const IDLE_OF_WORKLOAD: f64 = 3600.0;

/// Sums of an account with one peer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WithPeer {
    /// Sums of its connections.
    pub sums: Peer,
    /// Since when, in seconds since the Unix epoch.
    pub created: f64,
    touched: f64,
}

/// Sums of a container or a workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// Over all peers, by direction.
    pub totals: [Peer; 2],
    /// By peer.
    pub peers: HashMap<PeerId, WithPeer>,
    /// Resets sent and received.
    pub resets: [u64; 2],
    /// Times to connect.
    pub connect: Times,
    /// Round-trip times.
    pub rtt: Times,
    /// Since when, in seconds since the Unix epoch.
    pub created: f64,
}

impl Account {
    fn new(now: f64) -> Self {
        Self { created: now, ..Self::default() }
    }

    fn add(&mut self, id: PeerId, more: &Peer, most: usize, now: f64) {
        if let Some(total) = self.totals.get_mut(id.direction()) {
            total.add(more);
        }
        let id = if self.peers.len() < most || self.peers.contains_key(&id) { id } else { PeerId::other(id.inbound) };
        let with = self.peers.entry(id).or_insert_with(|| WithPeer { created: now, ..WithPeer::default() });
        with.sums.add(more);
        with.touched = now;
    }

    fn add_meter(&mut self, now: &Meter, earlier: &Meter) {
        let [sent, received] = &mut self.resets;
        *sent += now.resets_sent.wrapping_sub(earlier.resets_sent);
        *received += now.resets_received.wrapping_sub(earlier.resets_received);
        self.connect.add(&now.connect.since(&earlier.connect));
        self.rtt.add(&now.rtt.since(&earlier.rtt));
    }

    fn merge(&mut self, more: Self, most: usize, now: f64) {
        for (id, with) in more.peers {
            self.add(id, &with.sums, most, now);
        }
        for (sum, more) in self.resets.iter_mut().zip(more.resets) {
            *sum += more;
        }
        self.connect.add(&more.connect);
        self.rtt.add(&more.rtt);
    }

    /// Connections that were opened, by direction.
    pub fn opened(&self) -> [u64; 2] {
        self.totals.map(|total| total.opened)
    }

    /// Both directions together.
    pub fn total(&self) -> Peer {
        let [mut sum, inbound] = self.totals;
        sum.add(&inbound);
        sum
    }
}

/// A port on which a container listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// Figures of the kernel about the sockets; `turned_away` is a sum that survives them.
    pub figures: Listener,
    /// Whether there is a socket now.
    pub there: bool,
}

/// A container's books.
#[derive(Clone, Debug, Default)]
pub struct Unit {
    /// Sums of the unit.
    pub account: Account,
    /// Listening sockets by port.
    pub listening: HashMap<u16, Listening>,
    /// Sums not yet added to the workload, because the workload is not known yet.
    waiting: Option<Account>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    last: Peer,
    changed: f64,
}

/// Whom a cgroup's counts belong to.
#[derive(Clone, Debug)]
enum Owner {
    Unit(UnitId, Option<WorkloadRef>),
    Workload(WorkloadRef),
    /// Not known yet.
    Wait,
    /// The root of the hierarchy, which is no container.
    Nobody,
}

/// The kernel's maps, as they were read.
#[derive(Debug)]
pub struct Reading<'r, P, M, L> {
    /// Rows by peer.
    pub peers: P,
    /// Rows by cgroup.
    pub meters: M,
    /// Listeners.
    pub listeners: L,
    /// Whether all sockets were looked at since the last reading.
    pub passed: bool,
    /// What the accounts stand beside.
    pub ledger: &'r Ledger,
    /// Seconds since the Unix epoch.
    pub now: f64,
}

/// The books.
#[derive(Debug)]
pub struct Book {
    /// Most peers of one workload.
    most_peers: usize,
    rows: HashMap<PeerKey, Row>,
    meters: HashMap<CgroupId, Meter>,
    listeners: HashMap<ListenerKey, (Listener, f64)>,
    last_pass: u64,
    strangers: HashMap<CgroupId, f64>,
    gone: HashSet<CgroupId>,
    units: HashMap<UnitId, Unit>,
    workloads: HashMap<WorkloadRef, Account>,
    /// Additions to workloads since the last call of `came`; `None` while nobody calls it.
    came: Option<Vec<Came>>,
}

impl Book {
    /// Empty books.
    pub fn new(most_peers: usize) -> Self {
        Self {
            most_peers,
            rows: HashMap::new(),
            meters: HashMap::new(),
            listeners: HashMap::new(),
            last_pass: 0,
            strangers: HashMap::new(),
            gone: HashSet::new(),
            units: HashMap::new(),
            workloads: HashMap::new(),
            came: None,
        }
    }

    /// Takes in what the kernel's maps say.
    pub fn read<'m>(
        &mut self,
        reading: Reading<
            '_,
            impl Iterator<Item = (&'m PeerKey, &'m Peer)>,
            impl Iterator<Item = (&'m CgroupId, &'m Meter)>,
            impl Iterator<Item = (&'m ListenerKey, &'m Listener)> + Clone,
        >,
    ) {
        let Reading { peers, meters, listeners, passed, ledger, now } = reading;
        let mut owners = HashMap::new();
        for (key, peer) in peers {
            self.read_peer(key, peer, &mut owners, ledger, now);
        }
        for (cgroup, meter) in meters {
            self.read_meter(*cgroup, meter, &mut owners, ledger, now);
        }
        self.read_listeners(listeners, passed, &mut owners, ledger, now);
        self.settle(ledger, now);
    }

    fn read_peer(
        &mut self,
        key: &PeerKey,
        peer: &Peer,
        owners: &mut HashMap<CgroupId, Owner>,
        ledger: &Ledger,
        now: f64,
    ) {
        let last = self.rows.get(key).map_or_else(Peer::default, |row| row.last);
        let more = peer.since(&last);
        if more == Peer::default() {
            return;
        }
        let owner = owners.entry(key.cgroup).or_insert_with(|| self.strangers.owner(key.cgroup, ledger, now)).clone();
        let most = self.most_peers;
        match owner {
            Owner::Wait => return,
            Owner::Nobody => {}
            Owner::Workload(workload) => self.give(workload, key, &more, now),
            Owner::Unit(number, workload) => {
                let unit = self.units.entry(number).or_insert_with(|| Unit::new(now));
                // The kernel has a cap of its own for these.
                unit.account.add(key.peer(), &more, usize::MAX, now);
                if let Some(workload) = workload {
                    self.give(workload, key, &more, now);
                } else {
                    unit.waiting(now).add(key.peer(), &more, most, now);
                    self.note(Whose::Unit(number), key, &more);
                }
            }
        }
        self.rows.insert(*key, Row { last: *peer, changed: now });
    }

    fn read_meter(
        &mut self,
        cgroup: CgroupId,
        meter: &Meter,
        owners: &mut HashMap<CgroupId, Owner>,
        ledger: &Ledger,
        now: f64,
    ) {
        let last = self.meters.get(&cgroup).copied().unwrap_or_default();
        if *meter == last {
            return;
        }
        let owner = owners.entry(cgroup).or_insert_with(|| self.strangers.owner(cgroup, ledger, now)).clone();
        match owner {
            Owner::Wait => return,
            Owner::Nobody => {}
            Owner::Workload(workload) => self.workload(workload, now).add_meter(meter, &last),
            Owner::Unit(number, workload) => {
                let unit = self.units.entry(number).or_insert_with(|| Unit::new(now));
                unit.account.add_meter(meter, &last);
                match workload {
                    Some(workload) => self.workload(workload, now).add_meter(meter, &last),
                    None => unit.waiting(now).add_meter(meter, &last),
                }
            }
        }
        self.meters.insert(cgroup, *meter);
    }

    fn read_listeners<'m>(
        &mut self,
        listeners: impl Iterator<Item = (&'m ListenerKey, &'m Listener)> + Clone,
        passed: bool,
        owners: &mut HashMap<CgroupId, Owner>,
        ledger: &Ledger,
        now: f64,
    ) {
        if passed {
            let newest = listeners.clone().map(|(_, listener)| listener.pass).max().unwrap_or(0);
            // No listener was seen in the pass if its number is not there.
            self.last_pass = if newest > self.last_pass { newest } else { u64::MAX };
            for unit in self.units.values_mut() {
                for listening in unit.listening.values_mut() {
                    listening.there = false;
                    listening.figures = Listener { turned_away: listening.figures.turned_away, ..Listener::default() };
                }
            }
        }
        let pass = self.last_pass;
        for (key, listener) in listeners {
            let there = listener.pass == pass;
            let (last, seen) = self.listeners.get(key).copied().unwrap_or((Listener::default(), now));
            let more = listener.turned_away.wrapping_sub(last.turned_away);
            let seen = if there { now } else { seen };
            if (there && passed) || more > 0 {
                let owner = owners.entry(key.cgroup).or_insert_with(|| self.strangers.owner(key.cgroup, ledger, now));
                if matches!(owner, Owner::Wait) {
                    continue;
                }
                if let Owner::Unit(number, _) = owner {
                    let unit = self.units.entry(*number).or_insert_with(|| Unit::new(now));
                    let listening = unit.listening.entry(key.port).or_default();
                    listening.figures.turned_away += more;
                    if there && passed {
                        // A container may have more than one cgroup.
                        listening.there = true;
                        listening.figures.sockets += listener.sockets;
                        listening.figures.waiting += listener.waiting;
                        if listener.fullest >= listening.figures.fullest {
                            listening.figures.fullest = listener.fullest;
                            listening.figures.limit = listener.limit;
                        }
                    }
                }
            }
            self.listeners.insert(*key, (*listener, seen));
        }
        if passed && self.last_pass == u64::MAX {
            self.last_pass = self.listeners.values().map(|(listener, _)| listener.pass).max().unwrap_or(0);
        }
    }

    fn workload(&mut self, key: WorkloadRef, now: f64) -> &mut Account {
        self.workloads.entry(key).or_insert_with(|| Account::new(now))
    }

    /// Puts what came on a workload's account.
    fn give(&mut self, to: WorkloadRef, row: &PeerKey, more: &Peer, now: f64) {
        let most = self.most_peers;
        self.note(Whose::Workload(to.clone()), row, more);
        self.workload(to, now).add(row.peer(), more, most, now);
    }

    fn note(&mut self, whose: Whose, row: &PeerKey, more: &Peer) {
        if let Some(came) = &mut self.came {
            came.push(Came { whose, cgroup: row.cgroup, peer: row.peer(), more: *more });
        }
    }

    /// Has what comes to workloads kept for [`Book::came`].
    pub fn keep_what_comes(&mut self) {
        self.came.get_or_insert_default();
    }

    /// Additions to workloads since the last call.
    pub fn came(&mut self) -> Vec<Came> {
        let Some(came) = &mut self.came else { return Vec::new() };
        let (known, waiting) =
            std::mem::take(came).into_iter().partition(|came| matches!(came.whose, Whose::Workload(_)));
        *came = waiting;
        known
    }

    /// Gives workloads what waited for them, and forgets what `lifetime` has forgotten.
    fn settle(&mut self, ledger: &Ledger, now: f64) {
        let mut due = Vec::new();
        self.units.retain(|number, unit| {
            let known = ledger.unit(*number);
            let workload = known.and_then(|unit| ledger.workload_of(unit)).map(|workload| workload.key.clone());
            if unit.waiting.is_some() && (workload.is_some() || known.is_none()) {
                due.extend(unit.waiting.take().map(|waiting| (*number, workload.unwrap_or_else(other), waiting)));
            }
            known.is_some()
        });
        let most = self.most_peers;
        for (number, key, waiting) in due {
            for came in self.came.iter_mut().flatten().filter(|came| came.whose == Whose::Unit(number)) {
                came.whose = Whose::Workload(key.clone());
            }
            self.workload(key, now).merge(waiting, most, now);
        }
        self.workloads.retain(|key, _| *key == other() || ledger.workload_called(key).is_some());
        for workload in self.workloads.values_mut() {
            workload.peers.retain(|id, with| !with.sums.is_idle(id.inbound) || now - with.touched < IDLE_OF_WORKLOAD);
        }
    }

    /// `lifetime` forgets these cgroups.
    pub fn forget(&mut self, cgroups: &[CgroupId]) {
        self.gone.extend(cgroups);
    }

    /// Rows that the kernel can do without: idle, and of cgroups that are gone or idle for long.
    pub fn idle_rows(&self, now: f64) -> Vec<PeerKey> {
        let idle = self.rows.iter().filter(|(key, row)| {
            key.cgroup != CgroupId::NO_ROOM
                && row.last.is_idle(key.peer().inbound)
                && (self.gone.contains(&key.cgroup) || now - row.changed > IDLE)
        });
        idle.map(|(key, _)| *key).collect()
    }

    /// The kernel's row is gone; it ended as given.
    pub fn released(&mut self, key: &PeerKey, end: &Peer, ledger: &Ledger, now: f64) {
        self.read_peer(key, end, &mut HashMap::new(), ledger, now);
        self.rows.remove(key);
        let Owner::Unit(number, _) = self.strangers.owner(key.cgroup, ledger, now) else { return };
        if !self.gone.contains(&key.cgroup)
            && let Some(unit) = self.units.get_mut(&number)
        {
            unit.account.peers.remove(&key.peer());
        }
    }

    /// Cgroups that are gone and have no rows any more: what else the kernel has of them can go. They are forgotten.
    pub fn gone_for_good(&mut self) -> Vec<CgroupId> {
        if self.gone.is_empty() {
            return Vec::new();
        }
        let busy: HashSet<CgroupId> = self.rows.keys().map(|key| key.cgroup).collect();
        let done: Vec<CgroupId> = self.gone.iter().filter(|cgroup| !busy.contains(cgroup)).copied().collect();
        for cgroup in &done {
            self.gone.remove(cgroup);
            self.meters.remove(cgroup);
            self.strangers.remove(cgroup);
        }
        done
    }

    /// Listeners that the kernel can forget: of cgroups that are gone, or without a socket for long.
    /// They are forgotten.
    pub fn idle_listeners(&mut self, gone: &[CgroupId], now: f64) -> Vec<ListenerKey> {
        let pass = self.last_pass;
        let idle = |key: &ListenerKey, listener: &Listener, seen: f64| {
            gone.contains(&key.cgroup) || (listener.pass != pass && now - seen > IDLE)
        };
        let done: Vec<ListenerKey> = self
            .listeners
            .iter()
            .filter(|(key, (listener, seen))| idle(key, listener, *seen))
            .map(|(key, _)| *key)
            .collect();
        for key in &done {
            self.listeners.remove(key);
        }
        done
    }

    /// A container's books, by its number in `lifetime`'s.
    pub fn unit(&self, number: UnitId) -> Option<&Unit> {
        self.units.get(&number)
    }

    /// All workloads.
    pub fn workloads(&self) -> impl Iterator<Item = (&WorkloadRef, &Account)> {
        self.workloads.iter()
    }

    /// Number of known rows of the kernel's map.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }
}

impl Unit {
    fn new(now: f64) -> Self {
        Self { account: Account::new(now), ..Self::default() }
    }

    fn waiting(&mut self, now: f64) -> &mut Account {
        self.waiting.get_or_insert_with(|| Account::new(now))
    }
}

/// When cgroups that nobody knows were first seen.
trait Strangers {
    fn owner(&mut self, cgroup: CgroupId, ledger: &Ledger, now: f64) -> Owner;
}

impl Strangers for HashMap<CgroupId, f64> {
    fn owner(&mut self, cgroup: CgroupId, ledger: &Ledger, now: f64) -> Owner {
        if cgroup == CgroupId::NO_ROOM {
            return Owner::Workload(other());
        }
        if ledger.is_root(cgroup) {
            return Owner::Nobody;
        }
        if let Some(unit) = ledger.unit_of(cgroup) {
            return Owner::Unit(unit.number, ledger.workload_of(unit).map(|workload| workload.key.clone()));
        }
        if let Some(workload) = ledger.workload_of_settled(cgroup) {
            return Owner::Workload(workload.key.clone());
        }
        let first_seen = *self.entry(cgroup).or_insert(now);
        if now - first_seen < CLAIM { Owner::Wait } else { Owner::Workload(other()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{ledger::Limits, moment::Moment, usage::Row};

    const ROOT: CgroupId = CgroupId(1);

    fn used() -> Row {
        let mut row = Row::default();
        (row.parent, row.opened_ns, row.totals.tasks_started) = (CgroupId(2), 1, 1);
        row
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::new(Limits::default(), ROOT);
        ledger.made(CgroupId(7), "/jobs/a", 0.0);
        let row = used();
        ledger.measured([(CgroupId(7), row)].into_iter(), Moment { mono_ns: 2, wall: 1.0 });
        ledger
    }

    fn key(cgroup: u64, port: u8) -> PeerKey {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&cgroup.to_ne_bytes());
        bytes[18..20].fill(0xff);
        bytes[20..24].copy_from_slice(&[10, 0, 0, port]);
        bytes[24] = port;
        zerocopy::transmute!(bytes)
    }

    fn read(book: &mut Book, ledger: &Ledger, rows: &[(PeerKey, Peer)], now: f64) {
        let peers = rows.iter().map(|(key, peer)| (key, peer));
        book.read(Reading {
            peers,
            meters: [].iter().copied(),
            listeners: [].iter().copied(),
            passed: true,
            ledger,
            now,
        });
    }

    fn sent(bytes: u64) -> Peer {
        Peer { attempts: 1, opened: 1, ended: [1, 0, 0, 0, 0], sent_bytes: bytes, ..Peer::default() }
    }

    fn workload(book: &Book, name: &str) -> u64 {
        let account = book.workloads().find(|(key, _)| &*key.name == name).map(|(_, account)| account);
        account.map_or(0, |account| account.total().sent_bytes)
    }

    #[test]
    fn what_a_row_gains_goes_to_its_container_and_workload_once() {
        let (mut book, ledger) = (Book::new(8), ledger());
        read(&mut book, &ledger, &[(key(7, 1), sent(10))], 1.0);
        read(&mut book, &ledger, &[(key(7, 1), sent(10))], 2.0);
        read(&mut book, &ledger, &[(key(7, 1), sent(15)), (key(7, 2), sent(1))], 3.0);
        assert_eq!(workload(&book, "/jobs"), 16);
        let number = ledger.unit_of(CgroupId(7)).unwrap().number;
        let unit = book.unit(number).unwrap();
        assert_eq!((unit.account.total().sent_bytes, unit.account.peers.len()), (16, 2));
    }

    #[test]
    fn a_row_that_the_kernel_forgot_starts_from_nothing_and_takes_nothing_back() {
        let (mut book, ledger) = (Book::new(8), ledger());
        read(&mut book, &ledger, &[(key(7, 1), sent(10))], 1.0);
        assert_eq!(book.idle_rows(1.0 + IDLE + 1.0), [key(7, 1)]);
        book.released(&key(7, 1), &sent(12), &ledger, 1000.0);
        assert_eq!(workload(&book, "/jobs"), 12);
        read(&mut book, &ledger, &[(key(7, 1), sent(3))], 1001.0);
        assert_eq!(workload(&book, "/jobs"), 15);
    }

    #[test]
    fn an_unknown_cgroup_waits_for_its_name_and_then_is_other() {
        let (mut book, mut ledger) = (Book::new(8), ledger());
        read(&mut book, &ledger, &[(key(9, 1), sent(10)), (key(11, 1), sent(5))], 1.0);
        assert_eq!(workload(&book, "other"), 0);
        ledger.made(CgroupId(9), "/jobs/b", 1.0);
        read(&mut book, &ledger, &[(key(9, 1), sent(10)), (key(11, 1), sent(5))], 2.0 + CLAIM);
        assert_eq!(workload(&book, "other"), 5);
        // It has no tasks that anybody saw, and so no workload yet: nothing is lost meanwhile.
        assert_eq!(workload(&book, "/jobs"), 0);
        let row = used();
        ledger.measured([(CgroupId(9), row)].into_iter(), Moment { mono_ns: 3, wall: 20.0 });
        read(&mut book, &ledger, &[(key(9, 1), sent(10))], 20.0);
        assert_eq!(workload(&book, "/jobs"), 10);
    }

    #[test]
    fn a_workload_keeps_so_many_peers_and_puts_the_rest_on_other() {
        let (mut book, ledger) = (Book::new(4), ledger());
        let rows: Vec<_> = (1..=20).map(|port| (key(7, port), sent(1))).collect();
        read(&mut book, &ledger, &rows, 1.0);
        let (_, account) = book.workloads().find(|(key, _)| &*key.name == "/jobs").unwrap();
        assert_eq!(account.peers.len(), 5);
        assert_eq!(account.peers[&PeerId::other(false)].sums.sent_bytes, 16);
        assert_eq!(account.total().sent_bytes, 20);
    }
}
