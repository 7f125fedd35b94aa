//! Addresses of the cluster as received from yagura-kube-state. Pure.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use kubernetes::{
    peers::{Kind, Line, Record},
    workload,
};

use super::who::Who;

/// A peer, shared by all its addresses; many pods have the same one.
type Shared = Arc<Who>;

#[derive(Debug)]
struct Entry {
    kind: Kind,
    who: Shared,
    addresses: Box<[IpAddr]>,
    ports: Box<[u16]>,
    node_ports: Box<[u16]>,
    /// Grows with each record that is set.
    order: u64,
}

/// Identifies a record.
type Id = (Kind, Box<str>);

/// Records received from one server.
#[derive(Debug, Default)]
struct Server {
    entries: HashMap<Id, Entry>,
    token: Option<String>,
}

/// An answer as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Answer {
    begun: bool,
    whole: bool,
    said: Vec<Line<'static>>,
    records: u64,
    token: Option<String>,
}

/// A response that is invalid or incomplete.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadAnswer {
    /// A line that cannot be read, or is not in its place.
    #[error("a line is not of the protocol: {0}")]
    Line(String),
    /// It was cut.
    #[error("the answer is not whole")]
    Cut,
}

impl Answer {
    /// Takes in a line.
    pub(super) fn line(&mut self, text: &[u8]) -> Result<(), BadAnswer> {
        let bad = || BadAnswer::Line(String::from_utf8_lossy(text.get(..80).unwrap_or(text)).into_owned());
        match Line::read(text).ok_or_else(bad)? {
            Line::Begins { whole } if !self.begun => (self.begun, self.whole) = (true, whole),
            Line::Begins { .. } => return Err(bad()),
            _ if !self.begun || self.token.is_some() => return Err(bad()),
            Line::Ends { token, records } => {
                if records != self.records {
                    return Err(BadAnswer::Cut);
                }
                self.token = Some(token.into_owned());
            }
            Line::Passed => self.records += 1,
            said => {
                self.records += 1;
                self.said.push(said);
            }
        }
        Ok(())
    }
}

/// The directory.
#[derive(Debug, Default)]
pub(super) struct Directory {
    servers: HashMap<String, Server>,
    by_address: HashMap<IpAddr, Vec<(u64, Place)>>,
    by_node_port: HashMap<u16, (u64, Shared)>,
    names: HashSet<Shared>,
    order: u64,
}

/// One use of an address.
#[derive(Clone, Debug)]
struct Place {
    kind: Kind,
    who: Shared,
    ports: Box<[u16]>,
}

impl Directory {
    /// The token to send to a server.
    pub(super) fn token(&self, server: &str) -> Option<&str> {
        self.servers.get(server)?.token.as_deref()
    }

    /// Takes in a whole answer. True when it says something new.
    pub(super) fn apply(&mut self, server: &str, answer: Answer) -> Result<bool, BadAnswer> {
        let Some(token) = answer.token else { return Err(BadAnswer::Cut) };
        let is_news = answer.whole || !answer.said.is_empty();
        let mut known = self.servers.remove(server).unwrap_or_default();
        if answer.whole {
            for entry in std::mem::take(&mut known.entries).into_values() {
                self.remove(&entry);
            }
        }
        for said in answer.said {
            match said {
                Line::Set { kind, id, record } => {
                    let (id, entry) = ((kind, id.into()), self.entry(kind, record));
                    if let Some(old) = known.entries.remove(&id) {
                        self.remove(&old);
                    }
                    self.add(&entry);
                    known.entries.insert(id, entry);
                }
                Line::Gone { kind, id } => {
                    if let Some(old) = known.entries.remove(&(kind, id.into())) {
                        self.remove(&old);
                    }
                }
                Line::Begins { .. } | Line::Ends { .. } | Line::Passed => {}
            }
        }
        known.token = Some(token);
        self.servers.insert(server.to_owned(), known);
        if is_news {
            self.names.retain(|who| Arc::strong_count(who) > 1);
        }
        Ok(is_news)
    }

    /// Number of known records.
    pub(super) fn len(&self) -> usize {
        self.servers.values().map(|server| server.entries.len()).sum()
    }

    /// Finds the peer at an address and port.
    pub(super) fn find(&self, address: &IpAddr, port: u16) -> Option<&Who> {
        let places = self.by_address.get(address)?;
        let exact = places.iter().rev().find(|(_, place)| place.ports.contains(&port));
        let (_, place) = exact.or_else(|| places.iter().rev().find(|(_, place)| place.ports.is_empty()))?;
        if place.kind == Kind::Node
            && let Some((_, service)) = self.by_node_port.get(&port)
        {
            return Some(service);
        }
        Some(&place.who)
    }

    fn entry(&mut self, kind: Kind, record: Record<'_>) -> Entry {
        let Record { namespace, name, workload_kind, workload, answers_dns, .. } = record;
        let backend = (!workload.is_empty()).then(|| (workload::kind(&workload_kind), &*workload));
        let who = match kind {
            Kind::Pod => {
                let (workload_kind, workload) = backend.unwrap_or(("Pod", &name));
                Who::workload(&namespace, workload_kind, workload, answers_dns)
            }
            Kind::Service => Who::service(&namespace, &name, backend, answers_dns),
            Kind::Node => Who::node(&name),
            Kind::ApiServer => Who::api_server(),
        };
        let who = if let Some(known) = self.names.get(&who) {
            Arc::clone(known)
        } else {
            let who = Arc::new(who);
            self.names.insert(Arc::clone(&who));
            who
        };
        self.order += 1;
        Entry {
            kind,
            who,
            addresses: record.addresses.into(),
            ports: record.ports.into(),
            node_ports: record.node_ports.into(),
            order: self.order,
        }
    }

    fn add(&mut self, entry: &Entry) {
        for address in &entry.addresses {
            let place = Place { kind: entry.kind, who: Arc::clone(&entry.who), ports: entry.ports.clone() };
            self.by_address.entry(*address).or_default().push((entry.order, place));
        }
        for port in &entry.node_ports {
            self.by_node_port.insert(*port, (entry.order, Arc::clone(&entry.who)));
        }
    }

    fn remove(&mut self, entry: &Entry) {
        for address in &entry.addresses {
            if let Some(places) = self.by_address.get_mut(address) {
                places.retain(|(order, _)| *order != entry.order);
                if places.is_empty() {
                    self.by_address.remove(address);
                }
            }
        }
        for port in &entry.node_ports {
            if self.by_node_port.get(port).is_some_and(|(order, _)| *order == entry.order) {
                self.by_node_port.remove(port);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(directory: &mut Directory, lines: &[&str]) -> Result<bool, BadAnswer> {
        let mut answer = Answer::default();
        for line in lines {
            answer.line(line.as_bytes())?;
        }
        directory.apply("a", answer)
    }

    fn find(directory: &Directory, address: &str, port: u16) -> Option<String> {
        let who = directory.find(&address.parse().unwrap(), port)?;
        Some(format!("{} {}/{}", who.kind, who.namespace, who.name))
    }

    const WHOLE: [&str; 7] = [
        r#"{"peers":1,"whole":true}"#,
        r#"{"set":"pod","id":"1","namespace":"shop","name":"web-x","workload_kind":"Deployment","workload":"web","addresses":["10.0.0.1"]}"#,
        r#"{"set":"service","id":"2","namespace":"shop","name":"db","addresses":["10.96.0.1"],"node_ports":[31080]}"#,
        r#"{"set":"service","id":"3","namespace":"kube-system","name":"kube-dns","role":"dns","addresses":["10.96.0.10"]}"#,
        r#"{"set":"node","id":"4","name":"node-1","addresses":["192.168.0.2"]}"#,
        r#"{"set":"apiserver","id":"default/kubernetes","addresses":["192.168.0.2"],"ports":[6443]}"#,
        r#"{"end":{"token":"e-1","records":5}}"#,
    ];

    #[test]
    fn an_address_is_what_was_set_last_and_a_port_is_nearer() {
        let mut directory = Directory::default();
        assert_eq!(apply(&mut directory, &WHOLE), Ok(true));
        assert_eq!(directory.token("a"), Some("e-1"));
        let found = |address: &str, port| find(&directory, address, port).unwrap_or_default();
        assert_eq!(found("10.0.0.1", 80), "workload shop/web");
        assert_eq!(found("10.96.0.1", 5432), "service shop/db");
        assert_eq!(found("10.96.0.10", 53), "kubedns kube-system/kube-dns");
        assert_eq!(found("192.168.0.2", 10250), "node /node-1");
        assert_eq!(found("192.168.0.2", 6443), "apiserver default/kubernetes");
        assert_eq!(found("192.168.0.2", 31080), "service shop/db");
        assert_eq!(found("10.0.0.2", 80), "");
    }

    #[test]
    fn changes_come_after_the_whole_and_an_address_can_move() {
        let mut directory = Directory::default();
        apply(&mut directory, &WHOLE).unwrap();
        let next = [
            r#"{"peers":1,"whole":false}"#,
            r#"{"set":"pod","id":"9","namespace":"shop","name":"job","workload_kind":"Job","workload":"job","addresses":["10.0.0.1"]}"#,
            r#"{"gone":"pod","id":"1"}"#,
            r#"{"gone":"pod","id":"never"}"#,
            r#"{"set":"planet","id":"3"}"#,
            r#"{"end":{"token":"e-2","records":4}}"#,
        ];
        assert_eq!(apply(&mut directory, &next), Ok(true));
        assert_eq!(find(&directory, "10.0.0.1", 80).as_deref(), Some("workload shop/job"));
        assert_eq!(directory.len(), 5);
        let nothing = [r#"{"peers":1,"whole":false}"#, r#"{"end":{"token":"e-2","records":0}}"#];
        assert_eq!(apply(&mut directory, &nothing), Ok(false));
        let anew = [r#"{"peers":1,"whole":true}"#, r#"{"end":{"token":"f-0","records":0}}"#];
        assert_eq!(apply(&mut directory, &anew), Ok(true));
        assert_eq!((directory.len(), find(&directory, "192.168.0.2", 31080)), (0, None));
        assert!(directory.by_address.is_empty() && directory.by_node_port.is_empty() && directory.names.is_empty());
    }

    #[test]
    fn an_answer_that_was_cut_changes_nothing() {
        let mut directory = Directory::default();
        apply(&mut directory, &WHOLE).unwrap();
        assert_eq!(apply(&mut directory, &[WHOLE[0], WHOLE[1]]), Err(BadAnswer::Cut));
        assert_eq!(apply(&mut directory, &[WHOLE[0], WHOLE[6]]), Err(BadAnswer::Cut), "records are missing");
        assert!(matches!(apply(&mut directory, &[WHOLE[1]]), Err(BadAnswer::Line(_))));
        assert_eq!((directory.len(), directory.token("a")), (5, Some("e-1")));
    }
}
