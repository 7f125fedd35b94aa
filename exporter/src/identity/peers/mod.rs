//! Resolves an address to a peer: workload, service, node, looked-up name or network.
//!
//! Sources: pods of this node; well-known and configured networks; yagura-kube-state for the rest of the cluster
//! ([`kubernetes::peers`], docs/decisions/0008); DNS answers of the container. Never waits for the network.

mod check;
mod directory;
mod networks;
mod own;
mod poll;
mod setup;
mod who;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use kernfs::{Host, Reader};
use kubernetes::{Credentials, Load, WorkloadRef};
use parking_lot::Mutex;
use tokio::sync::oneshot;

pub use self::check::check;
pub use self::who::{KINDS, Who};
use self::{directory::Directory, networks::Network};
use super::pods::Pods;

/// How long an address may be looked for in what the cluster's servers tell, in seconds: twice as long as it takes to
/// ask again.
pub const LOOKUP_SECONDS: f64 = 30.0;

/// A peer, and whether the answer is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Who.
    pub who: Who,
    /// False while a better answer may come.
    pub is_sure: bool,
}

/// Resolves addresses to peers. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Peers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    load: Arc<Load>,
    changes: AtomicU64,
    asking: Mutex<Option<(oneshot::Sender<()>, Servers)>>,
}

/// Whom to ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Servers {
    urls: Vec<String>,
    credentials: Credentials,
}

#[derive(Debug, Default)]
struct State {
    pods: Pods,
    directory: Directory,
    networks: Vec<Network>,
    /// Addresses of this machine, and when they were read.
    own: Vec<IpAddr>,
    read: Option<Instant>,
    node: String,
    /// The API server's address, where it is known without asking anybody.
    api_server: Option<IpAddr>,
    told: Told,
    outage: daemon::Outage,
}

/// State of polling the servers.
#[derive(Clone, Debug, Default)]
struct Told {
    is_on: bool,
    heard: Option<Instant>,
    trouble: Option<String>,
}

/// Figures for self-telemetry.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Whether a server is asked.
    pub is_on: bool,
    /// Age of the records.
    pub age: Option<Duration>,
    /// Records that are known.
    pub records: usize,
    /// Requests, of them failed, bytes.
    pub load: [u64; 3],
}

/// Interval of reading the machine's own addresses.
const READ_EVERY: Duration = Duration::from_mins(1);

impl Peers {
    /// Knows this node's pods.
    pub fn new(pods: &Pods) -> Self {
        let peers = Self::default();
        peers.0.state.lock().pods = pods.clone();
        peers
    }

    /// Reads the machine's own addresses, from time to time.
    pub fn refresh(&self, host: &Host, reader: &mut Reader) {
        let now = Instant::now();
        if self.0.state.lock().read.is_some_and(|read| now.duration_since(read) < READ_EVERY) {
            return;
        }
        let own = own::addresses(host, reader);
        let mut state = self.0.state.lock();
        (state.own, state.read) = (own, Some(now));
    }

    /// Finds the peer at this address and port; `named` is the name that the asking container looked up to find it.
    pub fn find(&self, address: IpAddr, port: u16, named: Option<&str>) -> Found {
        let address = address.to_canonical();
        let state = self.0.state.lock();
        let sure = |who: Who| Found { who, is_sure: true };
        if networks::is_local(address) {
            return sure(Who::of("local", "", ""));
        }
        if networks::is_metadata(address) {
            return sure(Who::of("metadata", "", ""));
        }
        if let Some(WorkloadRef { namespace, name, kind }) = state.pods.at(&address) {
            let answers_names = &*namespace == "kube-system" && matches!(&*name, "coredns" | "kube-dns");
            return sure(Who::workload(&namespace, kind, &name, answers_names));
        }
        if let Some(who) = state.directory.find(&address, port) {
            return sure(who.clone());
        }
        if state.api_server == Some(address) {
            return sure(Who::api_server());
        }
        if state.own.contains(&address) {
            return sure(Who::node(&state.node));
        }
        // What the cluster's servers did not tell may be told in a moment.
        let is_sure = !state.told.is_on;
        let who = match named {
            Some(name) => of_name(name),
            None => match state.networks.iter().find(|network| network.has(address)) {
                Some(network) => Who::of("cidr", "", &network.name),
                None if networks::is_private(address) => Who::of("private", "", ""),
                None => return sure(Who::of("world", "", "")),
            },
        };
        Found { who, is_sure }
    }

    /// Grows whenever something is learnt.
    pub fn changes(&self) -> u64 {
        let pods = self.0.state.lock().pods.changes();
        self.0.changes.load(Relaxed).wrapping_add(pods)
    }

    /// Figures for self-telemetry.
    pub fn figures(&self) -> Figures {
        let state = self.0.state.lock();
        let Load { requests, failed, bytes } = &*self.0.load;
        Figures {
            is_on: state.told.is_on,
            age: state.told.heard.map(|heard| heard.elapsed()),
            records: state.directory.len(),
            load: [requests, failed, bytes].map(|count| count.load(Relaxed)),
        }
    }
}

/// The peer with a name: a service for names of the cluster, even if its address is unknown.
fn of_name(name: &str) -> Who {
    let name = name.trim_end_matches('.');
    let mut parts = name.split('.').rev().skip_while(|part| *part != "svc").skip(1);
    match (parts.next(), parts.next()) {
        (Some(namespace), Some(service)) => Who::service(namespace, service, None, false),
        _ => Who::of("dns", "", name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn without_a_server_names_are_coarser_and_certain() {
        let peers = Peers::default();
        let config = config::Peers { networks: vec!["office=192.0.2.0/24".into()], ..config::Peers::default() };
        peers.set_up(&config, "node-1");
        peers.0.state.lock().own = vec!["192.168.7.7".parse().unwrap()];
        let find = |address: &str, named: Option<&str>| {
            let Found { who, is_sure } = peers.find(address.parse().unwrap(), 443, named);
            assert!(is_sure, "{address}");
            (who.kind, format!("{}/{}", who.namespace, who.name))
        };
        let at = |kind, name: &str| (kind, name.to_owned());
        assert_eq!(find("127.0.0.1", None), at("local", "/"));
        assert_eq!(find("::ffff:169.254.169.254", None), at("metadata", "/"));
        assert_eq!(find("192.168.7.7", None), at("node", "/node-1"));
        assert_eq!(find("10.2.3.4", None), at("private", "/"));
        assert_eq!(find("10.2.3.4", Some("db.shop.svc.cluster.local.")), at("service", "shop/db"));
        assert_eq!(find("10.2.3.4", Some("db-0.db.shop.svc.cluster.local")), at("service", "shop/db"));
        assert_eq!(find("203.0.113.9", Some("api.example.org")), at("dns", "/api.example.org"));
        assert_eq!(find("192.0.2.9", None), at("cidr", "/office"));
        assert_eq!(find("203.0.113.9", None), at("world", "/"));
    }

    #[test]
    fn options_that_cannot_be_read_are_said() {
        let peers = |network: &str| config::Peers {
            url: vec!["https://kube-state:8080".into()],
            networks: vec![network.into()],
            ..config::Peers::default()
        };
        assert_eq!(check(&peers("a=10.0.0.0/8")), Ok(()));
        assert_eq!(check(&peers("10.0.0.0/8")).unwrap_err().0, "networks");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "no certificate\n").unwrap();
        let with_authority = config::Peers { ca_file: file.path().into(), ..peers("a=10.0.0.0/8") };
        let (key, what) = check(&with_authority).unwrap_err();
        assert!(key == "ca_file" && what.contains("has no certificate in PEM form"), "{key}: {what}");
        std::fs::write(&file, "a\u{1}b").unwrap();
        let with_token = config::Peers { token_file: file.path().into(), ..peers("a=10.0.0.0/8") };
        let (key, what) = check(&with_token).unwrap_err();
        assert!(key == "token_file" && what.contains("has characters that no token has"), "{key}: {what}");
    }
}
