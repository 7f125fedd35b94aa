//! Connections of containers that live for a moment in namespaces of their own: each is counted, with its bytes, its
//! failure's reason and its destination; and what is over a limit is counted where the limit says.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

mod common;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use common::{
    Folder, alone,
    calls::{judge, truth},
    host,
    network::{Network, Server, call, caller},
    on, owner_root,
};
use yagura_exporter::probes::{
    lifetime::{Lifetime, Options},
    tcp::{self, Tcp, wire},
};

/// Why connections cannot be counted here.
fn unable() -> Option<String> {
    common::unable().or_else(|| common::older_than((5, 12)))
}

#[test]
fn short_lived_containers_lose_no_connection() {
    if let Some(reason) = unable().or_else(Network::unable) {
        return testkit::skipped(&reason);
    }
    let _alone = alone();
    let network = Network::make("calls", 12);
    let scratch = tempfile::tempdir().unwrap();
    let caller = caller(scratch.path());
    let servers = Folder::make(&owner_root().unwrap(), "servers");
    let folder = Folder::make(&owner_root().unwrap(), "calls");
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let tcp = on(Tcp::start(&host(), lifetime.books(), &tcp::Options::default()));
    let serving: Vec<Server> = [("hub", 7001), ("far", 7002)]
        .map(|(space, port)| {
            let own = servers.0.join(space);
            std::fs::create_dir(&own).unwrap();
            Server::start(&caller, &own, &network.file(space), port, 1)
        })
        .into();
    let calls = call(&caller, &folder.0, &network, 12, 12, 5000);
    let verdict = judge(&tcp, &folder.name(), &calls);
    let missed: Vec<_> = tcp.costs().programs.into_iter().filter(|run| run.missed > 0).collect();
    assert!(verdict.is_clean(), "{verdict:#?} {:?}, runs missed: {missed:?}", tcp.lost());
    let [opened, failed, sent, received] = truth(&calls);
    assert_eq!((verdict.connections, verdict.bytes), ([opened, failed], [sent, received]));
    // The servers' side of the same connections: what was sent was received.
    lifetime.read(|_| ()).unwrap();
    let served = tcp
        .read(|book, ledger| {
            let unit = |space: &str| {
                let path = format!("{}/{space}", servers.name());
                let unit = ledger.units().find(|unit| unit.path == path).unwrap();
                book.unit(unit.number).unwrap().clone()
            };
            [unit("hub"), unit("far")]
        })
        .unwrap();
    assert_eq!(served.iter().map(|unit| unit.account.opened()[1]).sum::<u64>(), opened);
    assert_eq!(served.iter().map(|unit| unit.account.total().received_bytes).sum::<u64>(), sent);
    assert_eq!(served.iter().map(|unit| unit.account.total().sent_bytes).sum::<u64>(), received);
    assert!(served[0].listening[&7001].there && served[1].listening[&7002].there);
    assert_eq!(served[0].listening[&7001].figures.limit, 4096);
    println!("{} containers: {opened} connections, {failed} failures, {sent} and {received} bytes", calls.len());
    drop(serving);
}

#[test]
fn living_connections_are_counted_and_those_from_before_are_open() {
    living(false);
}

/// As on a kernel that refuses iterators over maps.
#[test]
fn living_connections_are_counted_by_network_namespace_too() {
    living(true);
}

fn living(by_space: bool) {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let alone = alone();
    let folder = Folder::make(&owner_root().unwrap(), "living");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = || {
        let stream = alone.within(&folder, || TcpStream::connect(("127.0.0.1", port)).unwrap());
        (stream, listener.accept().unwrap().0)
    };
    let (mut old, mut old_peer) = connect();
    old.write_all(&[7; 1000]).unwrap();
    old_peer.read_exact(&mut [0; 1000]).unwrap();
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let options = tcp::Options { stream: 1, by_space, ..tcp::Options::default() };
    let tcp = on(Tcp::start(&host(), lifetime.books(), &options));
    let (mut young, mut young_peer) = connect();
    let figures = || {
        let row = |rows: Vec<(wire::PeerKey, wire::Peer)>| {
            let id = folder.id();
            rows.into_iter().find(|(key, _)| key.cgroup == id).map(|(key, row)| (key.peer(), row)).unwrap()
        };
        row(tcp.rows().unwrap())
    };
    let (peer, row) = figures();
    assert_eq!((peer.inbound, peer.port), (false, port));
    assert_eq!((row.opened, row.open, row.sent_bytes), (1, 2, 0), "{row:?}");
    old.write_all(&[7; 500]).unwrap();
    young.write_all(&[7; 20]).unwrap();
    young_peer.read_exact(&mut [0; 20]).unwrap();
    young_peer.write_all(&[7; 3]).unwrap();
    young.read_exact(&mut [0; 3]).unwrap();
    let (_, row) = figures();
    assert_eq!((row.sent_bytes, row.received_bytes), (520, 3), "{row:?}");
    drop(old_peer);
    // Data that nobody read: the other side breaks the connection off.
    let deadline = Instant::now() + Duration::from_secs(5);
    while figures().1.ended[1] == 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(young);
    drop(young_peer);
    let (_, row) = figures();
    assert_eq!((row.open, row.ended), (0, [1, 1, 0, 0, 0]), "{row:?}");
    assert_eq!((row.sent_bytes, row.received_bytes), (520, 3), "{row:?}");
    let mut flows = Vec::new();
    let id = folder.id();
    on(tcp.flows()).drain(|record| flows.extend(wire::decode(record).filter(|flow| flow.cgroup == id)));
    let told: Vec<_> =
        flows.iter().map(|flow| (flow.outcome, flow.peer.1, flow.sent_bytes, flow.received_bytes)).collect();
    assert_eq!(told, [("reset_by_peer", port, 1500, 0), ("closed", port, 20, 3)]);
    let young = flows.last().unwrap();
    assert!(young.process == std::process::id() && young.opened_ns >= young.started_ns);
    drop(old);
}

/// Connects that nobody waits for: given up at once, given up with the program, and broken off by name.
#[test]
fn connects_that_the_program_gives_up_are_failures() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let alone = alone();
    let folder = Folder::make(&owner_root().unwrap(), "given-up");
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let tcp = on(Tcp::start(&host(), lifetime.books(), &tcp::Options::default()));
    // A listener whose backlog is full answers no more connects over the loopback device.
    let listener = narrow_listener();
    let port = listener.local_addr().unwrap().port();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let kept: Vec<TcpStream> = (0..2).filter_map(|_| TcpStream::connect_timeout(&address, LITTLE).ok()).collect();
    assert!(TcpStream::connect_timeout(&address, LITTLE).is_err(), "the backlog is not full");
    alone.within(&folder, || {
        for _ in 0..20 {
            assert!(TcpStream::connect_timeout(&address, Duration::from_millis(2)).is_err());
        }
        for _ in 0..5 {
            let target = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
            let mut child = std::process::Command::new("bash").args(["-c", &target]).spawn().unwrap();
            let deadline = Instant::now() + Duration::from_secs(10);
            while connects_to(port) == 0 && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
    });
    let id = folder.id();
    let row = tcp.rows().unwrap().into_iter().find(|(key, _)| key.cgroup == id).unwrap().1;
    let abandoned = wire::FAILURES.map(|reason| if reason == "abandoned" { 25 } else { 0 });
    assert_eq!((row.attempts, row.opened, row.failed), (25, 0, abandoned), "{row:?} {:?}", tcp.lost());
    drop(kept);
}

const LITTLE: Duration = Duration::from_millis(200);

/// A listener for which one connection may wait.
fn narrow_listener() -> TcpListener {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    socket.into()
}

/// Connects to a port that have no answer yet, as the kernel lists them.
fn connects_to(port: u16) -> usize {
    let target = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table
        .lines()
        .filter(|line| {
            line.split_whitespace().nth(2).is_some_and(|to| to.ends_with(&target))
                && line.split_whitespace().nth(3) == Some("02")
        })
        .count()
}

#[test]
fn a_scan_over_many_ports_stays_within_the_cap_and_says_so() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let alone = alone();
    let folder = Folder::make(&owner_root().unwrap(), "scan");
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let options = tcp::Options { peers: 8, ..tcp::Options::default() };
    let tcp = on(Tcp::start(&host(), lifetime.books(), &options));
    let ports = 2..2002_u16;
    let refused =
        alone.within(&folder, || ports.filter(|port| TcpStream::connect(("127.1.2.3", *port)).is_err()).count());
    let id = folder.id();
    let rows: Vec<_> = tcp.rows().unwrap().into_iter().filter(|(key, _)| key.cgroup == id).collect();
    assert_eq!(rows.len(), 9);
    assert_eq!(rows.iter().map(|(_, row)| row.failed[0]).sum::<u64>(), refused as u64);
    let other = rows.iter().find(|(key, _)| key.peer().is_other()).unwrap().1;
    assert_eq!(other.failed[0], refused as u64 - 8);
    let over = tcp.lost().into_iter().find(|(what, _)| *what == "peer_over_cap").unwrap().1;
    assert_eq!(over, refused as u64 - 8);
}

#[test]
fn a_prefix_that_is_configured_is_one_peer() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let alone = alone();
    let folder = Folder::make(&owner_root().unwrap(), "prefix");
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let options = tcp::Options { prefix_v4: 24, ..tcp::Options::default() };
    let tcp = on(Tcp::start(&host(), lifetime.books(), &options));
    alone.within(&folder, || {
        for host in 1..=50 {
            TcpStream::connect((std::net::Ipv4Addr::new(127, 9, 8, host), 3)).unwrap_err();
        }
    });
    let id = folder.id();
    let rows: Vec<_> = tcp.rows().unwrap().into_iter().filter(|(key, _)| key.cgroup == id).collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0].0.peer().address, std::net::Ipv4Addr::new(127, 9, 8, 0).to_ipv6_mapped());
    assert_eq!(rows[0].1.failed[0], 50);
}

#[test]
fn a_refused_object_gives_a_reason() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let options = tcp::Options { refuse: true, ..tcp::Options::default() };
    let reason = Tcp::start(&host(), lifetime.books(), &options).map(drop).unwrap_err();
    assert!(reason.0.contains("refused by the verifier: "), "{reason}");
}
