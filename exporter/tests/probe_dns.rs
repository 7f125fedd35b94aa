//! Questions that a cgroup asks of a name server: each is counted by type, with its answer, and with the time it took,
//! over UDP and over TCP.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are test code")]

mod common;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Folder, alone, drops::Space, host, on, owner_root, unable};
use yagura_exporter::{
    identity::names::NAMES,
    ids::CgroupId,
    probes::{
        dns::{
            Dns,
            talk::{CODES, Counts, TYPES},
        },
        lifetime::{Lifetime, Options},
        packets::At,
    },
};

/// How long the server thinks before it answers a question for text.
const PAUSE: Duration = Duration::from_millis(50);

fn query(id: u16, kind: u16) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3]);
    bytes.extend(b"www\x07example\x00");
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// A question for an address is told 192.0.2.9, for a minute; both are to `www.example`.
fn with_address(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[7] = 1;
    bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 9]);
    bytes
}

/// The last digit of the number says which code, the one before whether it is cut short; 90 and more stays unanswered.
fn answer(query: &[u8], is_datagram: bool) -> Option<Vec<u8>> {
    let mut bytes = query.to_vec();
    let (high, low) = (bytes.get(1)? / 10, bytes[1] % 10);
    bytes[2] = 0x81 | if high == 1 && is_datagram { 2 } else { 0 };
    bytes[3] = 0x80 | low;
    if low == 0 && query.ends_with(&[0, 1, 0, 1]) {
        bytes = with_address(bytes);
    }
    (high < 9).then_some(bytes)
}

/// A server at port 53 of an address of the loopback device. Its threads end with the process.
fn serve(at: SocketAddr) {
    let socket = UdpSocket::bind(at).unwrap();
    std::thread::spawn(move || {
        let mut room = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut room) {
            if room[..length].ends_with(&[0, 16, 0, 1]) {
                std::thread::sleep(PAUSE);
            }
            if let Some(answer) = answer(&room[..length], true) {
                socket.send_to(&answer, from).unwrap();
            }
        }
    });
    let listener = TcpListener::bind(at).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut length = [0; 2];
            while stream.read_exact(&mut length).is_ok() {
                let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut message).unwrap();
                let answer = answer(&message, false).unwrap();
                stream.write_all(&[&length[..], &answer].concat()).unwrap();
            }
        }
    });
}

fn ask(at: SocketAddr, id: u16, kind: u16) {
    let from: SocketAddr = if at.is_ipv6() { "[::1]:0" } else { "127.0.0.1:0" }.parse().unwrap();
    let socket = UdpSocket::bind(from).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(if id >= 90 { 10 } else { 5000 }))).unwrap();
    socket.send_to(&query(id, kind), at).unwrap();
    assert_eq!(socket.recv(&mut [0; 1500]).is_ok(), id < 90);
}

fn settled(dns: &Arc<Dns>, folder: &Folder, is_there: impl Fn(&Counts) -> bool) -> Counts {
    let id = folder.id();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let counts = dns.rows().remove(&id).unwrap_or_default();
        if is_there(&counts) || Instant::now() > deadline {
            return counts;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Why this kernel does not let programs in there.
fn closed(at: At) -> Option<String> {
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    common::closed(Dns::start(&host(), lifetime.books(), &[at], false))
}

#[test]
fn each_question_has_its_answer_or_none_in_functions() {
    each_question(At::Functions, 77);
}

#[test]
fn each_question_has_its_answer_or_none_at_cgroups() {
    each_question(At::Cgroups, 78);
}

fn each_question(at: At, third: u8) {
    if let Some(reason) = unable().or_else(|| closed(at)) {
        return testkit::skipped(&reason);
    }
    // An address of its own, so that a resolver of the machine's is not in the way.
    let [last, ..] = std::process::id().to_le_bytes();
    let v4 = SocketAddr::from(([127, 53, third, last], 53));
    serve(v4);
    let alone = alone();
    let folder = Folder::make(&owner_root().unwrap(), "dns");
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let dns = on(Dns::start(&host(), lifetime.books(), &[at], false));
    alone.within(&folder, || {
        for _ in 0..50 {
            ask(v4, 0, 1);
            ask(v4, 0, 28);
            ask(v4, 3, 1);
            ask(v4, 2, 28);
        }
        for _ in 0..5 {
            ask(v4, 0, 16);
            ask(v4, 90, 33);
            // Cut short, and asked again over TCP, two at once.
            ask(v4, 10, 15);
            let mut stream = TcpStream::connect(v4).unwrap();
            let message = [&29_u16.to_be_bytes()[..], &query(10, 15)].concat();
            assert_eq!(message.len(), 31);
            stream.write_all(&[&message[..], &message].concat()).unwrap();
            stream.read_exact(&mut [0; 62]).unwrap();
        }
    });
    let counts = settled(&dns, &folder, |counts| counts.timeouts >= 10);
    let queries: Vec<_> = TYPES.iter().zip(counts.queries).filter(|(_, count)| *count > 0).collect();
    assert_eq!(queries, [(&"a", 100), (&"aaaa", 100), (&"mx", 15), (&"srv", 5), (&"txt", 5)]);
    let answers: Vec<_> = CODES.iter().zip(counts.answers).filter(|(_, count)| *count > 0).collect();
    assert_eq!(answers, [(&"noerror", 120), (&"servfail", 50), (&"nxdomain", 50)]);
    // The second of two questions with one number is the first asked again.
    assert_eq!((counts.truncated, counts.timeouts), (5, 10), "{:?}", dns.lost());
    assert_eq!(counts.took.count(), 215);
    let pauses = u64::try_from(PAUSE.as_nanos()).unwrap() * 5;
    assert!(counts.took.sum_ns() >= pauses, "{} ns", counts.took.sum_ns());
    assert!(dns.lost().iter().all(|(_, lost)| *lost == 0), "{:?}", dns.lost());
    let id = folder.id();
    let address = std::net::Ipv4Addr::new(192, 0, 2, 9).to_ipv6_mapped();
    assert_eq!(NAMES.of(id, address).as_deref(), Some("www.example"));
    assert_eq!(NAMES.of(CgroupId(1), address), None, "another cgroup asked for nothing");
}

#[test]
fn a_server_that_the_firewall_moves_to_another_port_has_its_questions_in_functions() {
    behind_the_firewall(At::Functions, "dns-moved-f");
}

#[test]
fn a_server_that_the_firewall_moves_to_another_port_has_its_questions_at_cgroups() {
    behind_the_firewall(At::Cgroups, "dns-moved-c");
}

/// As in Docker's networks: 127.0.0.11:53 is another port of that address, by DNAT and SNAT.
fn behind_the_firewall(at: At, purpose: &str) {
    if let Some(reason) = unable().or_else(|| closed(at)) {
        return testkit::skipped(&reason);
    }
    let alone = alone();
    let space = Space::make(purpose);
    let server = space.within(|| UdpSocket::bind("127.0.0.11:0").unwrap());
    if let Err(reason) = space.move_port("127.0.0.11", 53, server.local_addr().unwrap().port()) {
        return testkit::skipped(&format!("no packet can be moved to another port: {reason}"));
    }
    std::thread::spawn(move || {
        let mut room = [0; 1500];
        while let Ok((length, from)) = server.recv_from(&mut room) {
            if let Some(answer) = answer(&room[..length], true) {
                server.send_to(&answer, from).unwrap();
            }
        }
    });
    let folder = Folder::make(&owner_root().unwrap(), purpose);
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let dns = on(Dns::start(&host(), lifetime.books(), &[at], false));
    space.within(|| {
        alone.within(&folder, || {
            for _ in 0..20 {
                // As glibc's and Go's resolvers ask.
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.connect("127.0.0.11:53").unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                socket.send(&query(0, 1)).unwrap();
                socket.recv(&mut [0; 1500]).unwrap();
            }
        });
    });
    let counts = settled(&dns, &folder, |counts| counts.took.count() >= 20);
    let [questions, answers] = [counts.queries.iter().sum::<u64>(), counts.answers.iter().sum()];
    assert_eq!((questions, answers, counts.took.count(), counts.timeouts), (20, 20, 20, 0));
}

#[test]
fn a_refused_object_gives_a_reason() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let reason = Dns::start(&host(), lifetime.books(), At::ALL, true).map(drop).unwrap_err();
    assert!(reason.0.contains("refused by the verifier: "), "{reason}");
}
