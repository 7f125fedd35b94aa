//! Connections of workloads by peer instead of address. Pure: fed with workload counts, and resolves addresses.
//!
//! A count is assigned at once if the peer is certain, else it is held back for a while until it is known. Counts
//! therefore only rise and never move between peers.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use kubernetes::WorkloadRef;

use super::wire::{Peer, PeerId};
use crate::{
    books::ledger::UnitId,
    identity::peers::{Found, LOOKUP_SECONDS, Who},
    ids::CgroupId,
};

/// Time for which an idle account is kept, in seconds.
const IDLE: f64 = 3600.0;

/// Whom a workload has to do with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    /// Whether the peer opened the connection.
    pub inbound: bool,
    /// The other side.
    pub who: Who,
    /// Port of the side that was asked; 0 for all for whom there was no room.
    pub port: u16,
}

/// Account of a workload with one peer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// Sums of its connections.
    pub sums: Peer,
    /// Since when, in seconds since the Unix epoch.
    pub created: f64,
    touched: f64,
}

/// Something came to a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Came {
    /// Unit and workload that it belongs to.
    pub whose: Whose,
    /// The cgroup that it came by.
    pub cgroup: CgroupId,
    /// By address.
    pub peer: PeerId,
    /// What came.
    pub more: Peer,
}

/// Whose it is what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A workload's.
    Workload(WorkloadRef),
    /// A container's whose workload is not known yet, by its number in the books of lifetimes.
    Unit(UnitId),
}

/// Workload, address, and what the container that connected had been told that this is called.
type Waiting = (WorkloadRef, PeerId, Option<Arc<str>>);

/// The accounts.
#[derive(Debug, Default)]
pub struct Named {
    most: usize,
    workloads: HashMap<WorkloadRef, HashMap<Line, Account>>,
    /// What waits, and since when.
    waiting: HashMap<Waiting, (Peer, f64)>,
    over: u64,
}

impl Named {
    /// Accounts with so many others for each workload and direction.
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Has accounts with so many others from now on; those that are there stay.
    pub fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// Takes in what came, and what waited.
    ///
    /// `called` says what a cgroup had been told that an address is called, `find` who is at an address and port.
    pub fn take_in(
        &mut self,
        came: impl Iterator<Item = Came>,
        called: impl Fn(CgroupId, Ipv6Addr) -> Option<Arc<str>>,
        find: impl Fn(IpAddr, u16, Option<&str>) -> Found,
        now: f64,
    ) {
        for Came { whose, cgroup, peer, more } in came {
            let Whose::Workload(key) = whose else { continue };
            // Those who are asked have not looked up who asks.
            let name = if peer.inbound { None } else { called(cgroup, peer.address) };
            let (sums, _) = self.waiting.entry((key, peer, name)).or_insert((Peer::default(), now));
            sums.add(&more);
        }
        for ((key, peer, name), (sums, since)) in std::mem::take(&mut self.waiting) {
            let who = if peer.is_other() {
                Who::other()
            } else {
                let Found { who, is_sure } = find(IpAddr::V6(peer.address).to_canonical(), peer.port, name.as_deref());
                if !is_sure && now - since < LOOKUP_SECONDS {
                    self.waiting.insert((key, peer, name), (sums, since));
                    continue;
                }
                who
            };
            self.add(key, Line { inbound: peer.inbound, who, port: peer.port }, &sums, now);
        }
    }

    fn add(&mut self, key: WorkloadRef, line: Line, more: &Peer, now: f64) {
        let lines = self.workloads.entry(key).or_default();
        let has_room = lines.contains_key(&line)
            || lines.keys().filter(|known| known.inbound == line.inbound && known.port != 0).count() < self.most;
        let line = if has_room { line } else { Line { who: Who::other(), port: 0, ..line } };
        self.over += u64::from(!has_room);
        let account = lines.entry(line).or_insert_with(|| Account { created: now, ..Account::default() });
        account.sums.add(more);
        account.touched = now;
    }

    /// Forgets workloads that are gone, and others that they have had nothing to do with for long.
    pub fn settle(&mut self, is_there: impl Fn(&WorkloadRef) -> bool, now: f64) {
        self.workloads.retain(|key, _| is_there(key));
        for lines in self.workloads.values_mut() {
            lines.retain(|_, account| now - account.touched < IDLE);
        }
    }

    /// All accounts, by workload.
    pub fn workloads(&self) -> impl Iterator<Item = (&WorkloadRef, &HashMap<Line, Account>)> {
        self.workloads.iter()
    }

    /// Number of counts added to `other` because a workload has its maximum of peers.
    pub fn over(&self) -> u64 {
        self.over
    }
}

/// One end of a connection, in the picture of who talks to whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spot {
    /// Namespace, if it has one.
    pub namespace: String,
    /// Kind of the workload, else one of [`crate::identity::peers::KINDS`].
    pub kind: String,
    /// Name of the peer.
    pub name: String,
}

impl Spot {
    fn of_workload(key: &WorkloadRef) -> Self {
        Self { namespace: key.namespace.to_string(), kind: key.kind.to_owned(), name: key.name.to_string() }
    }

    /// The workload, where it is known; so that a service and its pods are one.
    fn of(who: &Who) -> Self {
        let (kind, name) = who.workload.as_ref().map_or((who.kind, &who.name), |(kind, name)| (*kind, name));
        Self { namespace: who.namespace.to_string(), kind: kind.to_owned(), name: name.to_string() }
    }

    /// Id in edges: `shop/Deployment/web`, `world`.
    pub fn id(&self) -> String {
        let parts = [&self.namespace, &self.kind, &self.name];
        let there: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        there.join("/")
    }
}

/// Connections from one spot to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edge {
    /// Sums of the connections.
    pub sums: Peer,
    /// Since when, in seconds since the Unix epoch.
    pub created: f64,
}

impl Named {
    /// Who talks to whom, from the side that asks to the side that is asked, and all that are there.
    ///
    /// A connection between workloads is seen at both ends, maybe on two machines; it counts at the end that asked. What
    /// comes from elsewhere counts at the end that was asked.
    pub fn edges(&self) -> (HashMap<(Spot, Spot), Edge>, HashSet<Spot>) {
        let (mut edges, mut spots) = (HashMap::new(), HashSet::new());
        for (key, lines) in &self.workloads {
            let own = Spot::of_workload(key);
            for (line, account) in lines {
                if line.inbound && line.who.workload.is_some() {
                    continue;
                }
                let other = Spot::of(&line.who);
                spots.extend([own.clone(), other.clone()]);
                let ends = if line.inbound { (other, own.clone()) } else { (own.clone(), other) };
                let edge = edges.entry(ends).or_insert_with(|| Edge { created: account.created, ..Edge::default() });
                edge.sums.add(&account.sums);
                edge.created = edge.created.min(account.created);
            }
        }
        (edges, spots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> WorkloadRef {
        WorkloadRef { namespace: "shop".into(), name: name.into(), kind: "Deployment" }
    }

    fn came(address: u16, port: u16, inbound: bool, opened: u64) -> Came {
        let address = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, address);
        Came {
            whose: Whose::Workload(key("web")),
            cgroup: CgroupId(7),
            peer: PeerId { inbound, address, port },
            more: Peer { opened, ..Peer::default() },
        }
    }

    fn nobody(_: CgroupId, _: Ipv6Addr) -> Option<Arc<str>> {
        None
    }

    fn who(kind: &'static str, name: &str, workload: Option<&'static str>) -> Who {
        let workload = workload.map(|kind| (kind, name.into()));
        Who { kind, namespace: "shop".into(), name: name.into(), workload }
    }

    fn opened(named: &Named) -> Vec<(bool, String, u16, u64)> {
        let lines = named.workloads().flat_map(|(_, lines)| lines);
        let mut all: Vec<_> = lines
            .map(|(line, account)| {
                (line.inbound, format!("{} {}", line.who.kind, line.who.name), line.port, account.sums.opened)
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn what_came_waits_until_it_is_known_who_it_is() {
        let mut named = Named::new(10);
        let unknown = |_: IpAddr, _, _: Option<&str>| Found { who: who("private", "", None), is_sure: false };
        named.take_in([came(1, 80, false, 2)].into_iter(), nobody, unknown, 100.0);
        named.take_in([came(1, 80, false, 3)].into_iter(), nobody, unknown, 110.0);
        assert_eq!(opened(&named), []);
        let known =
            |_: IpAddr, _, _: Option<&str>| Found { who: who("workload", "db", Some("StatefulSet")), is_sure: true };
        named.take_in(std::iter::empty(), nobody, known, 111.0);
        assert_eq!(opened(&named), [(false, "workload db".into(), 80, 5)]);
        named.take_in([came(2, 80, false, 1)].into_iter(), nobody, unknown, 120.0);
        named.take_in(std::iter::empty(), nobody, unknown, 120.0 + LOOKUP_SECONDS);
        assert_eq!(opened(&named).first(), Some(&(false, "private ".into(), 80, 1)), "for so long and no longer");
    }

    #[test]
    fn one_address_can_have_many_names() {
        let mut named = Named::new(10);
        let called =
            |cgroup: CgroupId, _| Some(Arc::from(if cgroup == CgroupId(7) { "a.example" } else { "b.example" }));
        let find =
            |_: IpAddr, _, name: Option<&str>| Found { who: who("dns", name.unwrap_or("?"), None), is_sure: true };
        let other = Came { cgroup: CgroupId(8), ..came(1, 443, false, 2) };
        let inbound = came(1, 80, true, 4);
        let unit = Came { whose: Whose::Unit(UnitId(1)), ..came(1, 443, false, 8) };
        named.take_in([came(1, 443, false, 1), other, inbound, unit].into_iter(), called, find, 1.0);
        let lines = opened(&named);
        let expected = [(false, "dns a.example", 443, 1), (false, "dns b.example", 443, 2), (true, "dns ?", 80, 4)];
        assert_eq!(lines, expected.map(|(inbound, who, port, count)| (inbound, who.to_owned(), port, count)));
    }

    #[test]
    fn those_over_the_limit_are_one() {
        let mut named = Named::new(2);
        let by_address =
            |address: IpAddr, _, _: Option<&str>| Found { who: who("dns", &address.to_string(), None), is_sure: true };
        for address in 1..=5 {
            named.take_in(
                [came(address, 443, false, 1), came(address, 80, true, 1)].into_iter(),
                nobody,
                by_address,
                1.0,
            );
        }
        let lines = opened(&named);
        assert_eq!(lines.len(), 6);
        let other: u64 = lines.iter().filter(|line| line.1 == "other ").map(|line| line.3).sum();
        let all: u64 = lines.iter().map(|line| line.3).sum();
        assert_eq!((other, all, named.over()), (6, 10, 6));
        named.take_in([came(1, 443, false, 1)].into_iter(), nobody, by_address, 2.0);
        assert!(opened(&named).contains(&(false, "dns fd00::1".into(), 443, 2)), "who is in stays in");
        named.settle(|_| true, 2.0 + IDLE);
        assert_eq!(opened(&named), []);
    }

    #[test]
    fn a_connection_between_workloads_is_one_edge() {
        let mut named = Named::new(10);
        let find = |_: IpAddr, port, _: Option<&str>| {
            let who = match port {
                80 => who("workload", "client", Some("Job")),
                443 => Who { kind: "world", namespace: "".into(), name: "".into(), workload: None },
                5432 => who("service", "db", Some("StatefulSet")),
                _ => who("workload", "db", Some("StatefulSet")),
            };
            Found { who, is_sure: true }
        };
        let all = [came(1, 80, true, 1), came(2, 443, true, 2), came(3, 5432, false, 4), came(4, 5433, false, 8)];
        named.take_in(all.into_iter(), nobody, find, 1.0);
        let (edges, spots) = named.edges();
        let mut seen: Vec<_> = edges.iter().map(|((a, b), edge)| (a.id(), b.id(), edge.sums.opened)).collect();
        seen.sort();
        assert_eq!(
            seen,
            [
                ("shop/Deployment/web".to_owned(), "shop/StatefulSet/db".to_owned(), 12),
                ("world".to_owned(), "shop/Deployment/web".to_owned(), 2),
            ]
        );
        assert_eq!(spots.len(), 3);
    }
}
