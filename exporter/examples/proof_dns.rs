//! Proof that what a real name server was asked is what was counted.
//!
//! `cargo run --release -p yagura-exporter --example proof_dns` starts unbound (`UNBOUND` says where it is, if not in the
//! path) with a zone of its own, and asks from within a cgroup for 50 names by A and AAAA, 50 that do not exist, 50 of a
//! zone whose server fails, 20 whose answer has no room in a datagram and is fetched over TCP, and 10 that nobody
//! answers. Needs root and a version 2 tree. Exits 1 when a count is wrong.

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use common::{Folder, alone, host, owner_root, unable};
use yagura_exporter::{
    books::times::{NATIVE_SLOTS, Slots},
    identity::names::NAMES,
    probes::{
        dns::{
            Dns,
            talk::{CODES, Counts, TYPES},
        },
        lifetime::{Lifetime, Options},
        packets::At,
    },
};

/// Ends with the proof.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn configuration(at: SocketAddr, failing: u16) -> String {
    let mut text = format!(
        "server:\n interface: {}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n directory: \"/\"\n pidfile: \"\"\n use-syslog: no\n \
         logfile: \"\"\n access-control: 127.0.0.0/8 allow\n do-not-query-localhost: no\n module-config: \"iterator\"\n \
         num-threads: 1\n local-zone: \"here.test.\" static\n local-zone: \"silent.test.\" deny\n",
        at.ip()
    );
    for name in 0..50 {
        let _ = writeln!(text, " local-data: \"n{name}.here.test. A 192.0.2.{name}\"");
        let _ = writeln!(text, " local-data: \"n{name}.here.test. AAAA 2001:db8::{name}\"");
    }
    for part in 0..20 {
        let _ = writeln!(text, " local-data: 'long.here.test. TXT \"{part}{}\"'", "x".repeat(200));
    }
    text + &format!("forward-zone:\n name: \"broken.example.\"\n forward-addr: 127.0.0.1@{failing}\n")
}

/// The port of a server that fails whatever it is asked. Its thread ends with the process.
fn failing() -> anyhow::Result<u16> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let port = socket.local_addr()?.port();
    std::thread::spawn(move || {
        let mut room = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut room) {
            let mut answer = room.get(..length).unwrap_or_default().to_vec();
            if let [_, _, flags, code, ..] = answer.as_mut_slice() {
                (*flags, *code) = (*flags | 0x80, 0x82);
            }
            let _ = socket.send_to(&answer, from);
        }
    });
    Ok(port)
}

fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        bytes.extend(u8::try_from(label.len()));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// Response code, whether it was cut short, how long it took; `None` if nobody answers within the time.
fn ask(at: SocketAddr, name: &str, kind: u16, patience: Duration) -> anyhow::Result<Option<(u8, bool, Duration)>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(patience))?;
    let (message, mut room) = (query(7, name, kind), [0; 4096]);
    let started = Instant::now();
    socket.send_to(&message, at)?;
    match socket.recv(&mut room) {
        Ok(_) => {
            let [_, _, flags, code, ..] = room;
            Ok(Some((code & 0xf, flags & 2 != 0, started.elapsed())))
        }
        Err(_) => Ok(None),
    }
}

/// How long the answer took.
fn ask_over_tcp(at: SocketAddr, name: &str, kind: u16) -> anyhow::Result<Duration> {
    let mut stream = TcpStream::connect(at)?;
    let message = query(8, name, kind);
    let length = u16::try_from(message.len())?.to_be_bytes();
    let started = Instant::now();
    stream.write_all(&[&length[..], &message].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    stream.read_exact(&mut vec![0; usize::from(u16::from_be_bytes(length))])?;
    Ok(started.elapsed())
}

/// Asks all, and says how long the answers took by the clock of the one who asks.
fn ask_all(at: SocketAddr) -> anyhow::Result<Slots> {
    let long = Duration::from_secs(5);
    let mut took = Slots::default();
    let mut observe = |time: Duration| took.observe(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    let mut timed = |name: &str, kind, code| -> anyhow::Result<()> {
        match ask(at, name, kind, long)? {
            Some((answered, false, took)) if answered == code => observe(took),
            other => bail!("{name} {kind}: {other:?}"),
        }
        Ok(())
    };
    for name in 0..50 {
        timed(&format!("n{name}.here.test"), 1, 0)?;
        timed(&format!("n{name}.here.test"), 28, 0)?;
        timed(&format!("none{name}.here.test"), 1, 3)?;
        timed(&format!("n{name}.broken.example"), 1, 2)?;
    }
    for _ in 0..20 {
        let Some((0, true, took)) = ask(at, "long.here.test", 16, long)? else { bail!("long: not cut short") };
        observe(took);
        observe(ask_over_tcp(at, "long.here.test", 16)?);
    }
    for name in 0..10 {
        let answer = ask(at, &format!("n{name}.silent.test"), 33, Duration::from_millis(20))?;
        ensure!(answer.is_none(), "silent: {answer:?}");
    }
    Ok(took)
}

/// In which classic bucket so much of the answers are. What the program sees is longer by the time until it is woken.
fn bucket(times: &Slots, share: f64) -> usize {
    let most = (times.count() as f64 * share).ceil();
    let mut sum = 0.0;
    let below = |slot: &u64| {
        sum += *slot as f64;
        sum < most
    };
    times.numbers().skip(1 + NATIVE_SLOTS).take_while(below).count()
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() -> anyhow::Result<()> {
    if let Some(reason) = unable() {
        testkit::skipped(&reason);
        return Ok(());
    }
    let program = testkit::given("UNBOUND").unwrap_or_else(|| "unbound".into());
    if Command::new(&program).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        testkit::skipped("unbound is not installed, and UNBOUND does not say where it is");
        return Ok(());
    }
    let [last, ..] = std::process::id().to_le_bytes();
    let at = SocketAddr::from(([127, 53, 78, last], 53));
    let path = std::env::temp_dir().join(format!("yagura-proof-dns-{}.conf", std::process::id()));
    std::fs::write(&path, configuration(at, failing()?))?;
    let server = Server(Command::new(&program).arg("-c").arg(&path).spawn()?);
    let deadline = Instant::now() + Duration::from_secs(10);
    while ask(at, "n0.here.test", 1, Duration::from_millis(100))?.is_none() {
        if Instant::now() > deadline {
            bail!("unbound does not answer at {at}");
        }
    }
    std::fs::remove_file(&path)?;
    let folder = Folder::make(&owner_root().context("no version 2 tree")?, "proof-dns");
    let lifetime = Lifetime::start(&host(), &Options::default())?;
    let dns = Dns::start(&host(), lifetime.books(), At::ALL, false)?;
    let took = alone().within(&folder, || ask_all(at))?;
    let id = folder.id();
    let mut counts = Counts::default();
    let deadline = Instant::now() + Duration::from_secs(20);
    while counts.timeouts < 10 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
        counts = dns.rows().remove(&id).unwrap_or_default();
    }
    drop(server);
    let queries: Vec<_> = TYPES.into_iter().zip(counts.queries).filter(|(_, count)| *count > 0).collect();
    let answers: Vec<_> = CODES.into_iter().zip(counts.answers).filter(|(_, count)| *count > 0).collect();
    let mean = |ns: u64| ns as f64 / 240.0 / 1000.0;
    println!(
        "queries {queries:?}, answers {answers:?}, cut short {}, timeouts {}; {} answers in {:.0} µs on average, {:.0} \
         by the program that asks; lost {:?}",
        counts.truncated,
        counts.timeouts,
        counts.took.count(),
        mean(counts.took.sum_ns()),
        mean(took.sum_ns()),
        dns.lost()
    );
    ensure!(queries == [("a", 150), ("aaaa", 50), ("srv", 10), ("txt", 40)], "queries are wrong");
    ensure!(answers == [("noerror", 140), ("servfail", 50), ("nxdomain", 50)], "answers are wrong");
    ensure!((counts.truncated, counts.timeouts, counts.took.count()) == (20, 10, 240), "the rest is wrong");
    ensure!(counts.took.sum_ns() <= took.sum_ns(), "answers took longer than those who asked waited");
    for share in [0.5, 0.9, 0.99] {
        let [ours, theirs] = [&counts.took, &took].map(|times| bucket(times, share));
        println!("  {:>2.0} % of answers: bucket {ours}, by the program that asks {theirs}", share * 100.0);
        ensure!(ours.abs_diff(theirs) <= 1, "times differ by more than a bucket");
    }
    let told = NAMES.figures();
    let address = std::net::Ipv4Addr::new(192, 0, 2, 49).to_ipv6_mapped();
    let name = NAMES.of(id, address);
    println!("  {} addresses have a name; 192.0.2.49 is {name:?}", told.known);
    ensure!(told.known == 100 && name.as_deref() == Some("n49.here.test"), "names are wrong");
    Ok(())
}
