//! Datagrams between containers, over the loopback device and over IPv6: each is counted where it left and where it
//! arrived, once.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

mod common;

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use common::{Folder, alone, host, on, owner_root, unable};
use yagura_exporter::probes::{
    lifetime::{Lifetime, Options},
    packets::At,
    udp::Udp,
};

/// What was counted of a folder's cgroup: datagrams and bytes sent, received, and datagrams dropped.
fn counted(udp: &Udp, folder: &Folder) -> [u64; 5] {
    let id = folder.id();
    udp.rows().unwrap().get(&id).copied().unwrap_or_default()
}

/// Why this kernel does not let programs in there.
fn closed(at: At) -> Option<String> {
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    common::closed(Udp::start(&host(), lifetime.books(), &[at], false))
}

#[test]
fn datagrams_and_their_bytes_are_counted_at_both_ends_in_functions() {
    at_both_ends(At::Functions);
}

#[test]
fn datagrams_and_their_bytes_are_counted_at_both_ends_at_cgroups() {
    at_both_ends(At::Cgroups);
}

fn at_both_ends(at: At) {
    if let Some(reason) = unable().or_else(|| closed(at)) {
        return testkit::skipped(&reason);
    }
    let alone = alone();
    let root = owner_root().unwrap();
    let (from, to) = (Folder::make(&root, "udp-from"), Folder::make(&root, "udp-to"));
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let udp = on(Udp::start(&host(), lifetime.books(), &[at], false));
    let mut expected = [0, 0];
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let receiver = alone.within(&to, || UdpSocket::bind(address).unwrap());
        let sender = alone.within(&from, || UdpSocket::bind(address).unwrap());
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for size in [0, 1, 100, 1400, 9000] {
            sender.send_to(&vec![7; size], receiver.local_addr().unwrap()).unwrap();
            assert_eq!(receiver.recv(&mut [0; 10_000]).unwrap(), size);
            expected = [expected[0] + 1, expected[1] + size as u64];
        }
    }
    let [datagrams, bytes] = expected;
    assert_eq!(counted(&udp, &from), [datagrams, bytes, 0, 0, 0]);
    assert_eq!(counted(&udp, &to), [0, 0, datagrams, bytes, 0]);
}

#[test]
fn headers_of_ipv6_are_no_bytes_of_the_program_in_functions() {
    without_extensions(At::Functions);
}

#[test]
fn headers_of_ipv6_are_no_bytes_of_the_program_at_cgroups() {
    without_extensions(At::Cgroups);
}

fn without_extensions(at: At) {
    if let Some(reason) = unable().or_else(|| closed(at)) {
        return testkit::skipped(&reason);
    }
    let alone = alone();
    let root = owner_root().unwrap();
    let (from, to) = (Folder::make(&root, "udp-extended-from"), Folder::make(&root, "udp-extended-to"));
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let udp = on(Udp::start(&host(), lifetime.books(), &[at], false));
    let receiver = alone.within(&to, || UdpSocket::bind("[::1]:0").unwrap());
    let sender = alone.within(&from, || UdpSocket::bind("[::1]:0").unwrap());
    receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    common::extend(&sender);
    for _ in 0..10 {
        sender.send_to(&[7; 100], receiver.local_addr().unwrap()).unwrap();
        assert_eq!(receiver.recv(&mut [0; 1000]).unwrap(), 100);
    }
    assert_eq!(counted(&udp, &from), [10, 1000, 0, 0, 0]);
    assert_eq!(counted(&udp, &to), [0, 0, 10, 1000, 0]);
}

#[test]
fn large_sends_count_as_the_datagrams_that_they_become() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let alone = alone();
    let root = owner_root().unwrap();
    let (from, to) = (Folder::make(&root, "udp-cut-from"), Folder::make(&root, "udp-cut-to"));
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let udp = on(Udp::start(&host(), lifetime.books(), At::ALL, false));
    let receiver = alone.within(&to, || UdpSocket::bind("127.0.0.1:0").unwrap());
    let sender = alone.within(&from, || UdpSocket::bind("127.0.0.1:0").unwrap());
    receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    common::cut_sends_up(&sender, 500);
    sender.send_to(&[7; 1700], receiver.local_addr().unwrap()).unwrap();
    for size in [500, 500, 500, 200] {
        assert_eq!(receiver.recv(&mut [0; 2000]).unwrap(), size);
    }
    assert_eq!(counted(&udp, &from), [4, 1700, 0, 0, 0]);
    assert_eq!(counted(&udp, &to), [0, 0, 4, 1700, 0]);
}

#[test]
fn datagrams_without_room_are_counted_in_functions() {
    without_room(At::Functions);
}

#[test]
fn datagrams_without_room_are_counted_at_cgroups() {
    without_room(At::Cgroups);
}

fn without_room(at: At) {
    if let Some(reason) = unable().or_else(|| closed(at)) {
        return testkit::skipped(&reason);
    }
    let alone = alone();
    let folder = Folder::make(&owner_root().unwrap(), "udp-full");
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let udp = on(Udp::start(&host(), lifetime.books(), &[at], false));
    let receiver = alone.within(&folder, || UdpSocket::bind("127.0.0.1:0").unwrap());
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..2000 {
        sender.send_to(&[7; 1000], receiver.local_addr().unwrap()).unwrap();
    }
    receiver.set_nonblocking(true).unwrap();
    let kept = std::iter::from_fn(|| receiver.recv(&mut [0; 1000]).ok()).count() as u64;
    assert!(kept < 2000, "the socket took all");
    let [_, _, received, _, dropped] = counted(&udp, &folder);
    assert_eq!((received, dropped), (2000, 2000 - kept));
}

#[test]
fn others_on_the_same_root_stay_and_a_packet_costs_little() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let alone = alone();
    let folder = Folder::make(&owner_root().unwrap(), "udp-two");
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let one = on(Udp::start(&host(), lifetime.books(), At::ALL, false));
    let two = on(Udp::start(&host(), lifetime.books(), At::ALL, false));
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = alone.within(&folder, || UdpSocket::bind("127.0.0.1:0").unwrap());
    let counting = yagura_exporter::probes::object::count_runs().unwrap();
    let started = Instant::now();
    for _ in 0..5000 {
        sender.send_to(&[7; 100], receiver.local_addr().unwrap()).unwrap();
    }
    println!("{:.0} ns a datagram with both at work", started.elapsed().as_secs_f64() * 1e9 / 5000.0);
    drop(counting);
    for udp in [&one, &two] {
        assert_eq!(counted(udp, &folder)[..2], [5000, 500_000]);
        for run in udp.costs().programs.iter().filter(|run| run.runs > 0) {
            println!("{}: {} ns a run, clock included", run.program, run.ns / run.runs);
        }
    }
    let reason = Udp::start(&host(), lifetime.books(), At::ALL, true).map(drop).unwrap_err();
    assert!(reason.0.contains("refused by the verifier: "), "{reason}");
}
