//! What counting connections costs those who are counted: throughput on loopback with and without, in turns.
//!
//! `cargo xtask proof overhead [ROUNDS [SECONDS [FEATURE ...]]]` runs iperf3 and wrk (`IPERF3` and `WRK` say where they
//! are, if not in the path) from within a cgroup, ROUNDS (6) times SECONDS (3) each, with the programs of the named
//! features attached (all that count the network, if none is named) and with none, in turns; then sends a million
//! datagrams each way. Needs root and a version 2 tree. Exits 1 when less than 99 % of the throughput of TCP is left.

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    ffi::OsString,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use common::{Alone, Folder, alone, host, owner_root, unable};
use yagura_exporter::probes::{
    dns::Dns,
    drops::Drops,
    lifetime::{Lifetime, Options},
    object,
    packets::At,
    tcp::{self, Tcp},
    udp::Udp,
};

/// What counts the network, or the part of it that is asked for.
struct Agent {
    udp: Option<Arc<Udp>>,
    tcp: Option<Arc<Tcp>>,
    dns: Option<Arc<Dns>>,
    drops: Option<Arc<Drops>>,
    // Dropped last: the others stand on its books.
    lifetime: Lifetime,
}

impl Agent {
    fn start(features: &[String]) -> Result<Self> {
        let lifetime = Lifetime::start(&host(), &Options::default())?;
        let books = || lifetime.books();
        let named = |name: &str| features.iter().any(|feature| feature == name);
        let at = if named(AT_CGROUPS) { &[At::Cgroups] } else { At::ALL };
        let all = features.iter().all(|feature| feature == AT_CGROUPS);
        let wanted = |name: &str| all || named(name);
        Ok(Self {
            tcp: wanted("tcp").then(|| Tcp::start(&host(), books(), &tcp::Options::default())).transpose()?,
            udp: wanted("udp").then(|| Udp::start(&host(), books(), at, false)).transpose()?,
            dns: wanted("dns").then(|| Dns::start(&host(), books(), at, false)).transpose()?,
            drops: wanted("drops").then(|| Drops::start(&host(), books(), false).ok()).flatten(),
            lifetime,
        })
    }

    /// How often the programs of each feature have run while the kernel counted.
    fn runs(&self) -> Vec<(&'static str, u64)> {
        let costs = [
            ("lifetime", Some(self.lifetime.costs())),
            ("tcp", self.tcp.as_ref().map(|feature| feature.costs())),
            ("udp", self.udp.as_ref().map(|feature| feature.costs())),
            ("dns", self.dns.as_ref().map(|feature| feature.costs())),
            ("drops", self.drops.as_ref().map(|feature| feature.costs())),
        ];
        let sum = |costs: object::Costs| costs.programs.iter().map(|run| run.runs).sum();
        costs.into_iter().filter_map(|(name, costs)| Some((name, sum(costs?)))).collect()
    }
}

/// Has `udp` and `dns` look at packets there, also where the kernel would let them into its functions.
const AT_CGROUPS: &str = "at-cgroups";

/// What can be named. The others stand on the books of `lifetime`, which is always attached.
const FEATURES: &[&str] = &["lifetime", "tcp", "udp", "dns", "drops", AT_CGROUPS];

/// Ends with the proof.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() -> Result<()> {
    if let Some(reason) = unable() {
        testkit::skipped(&reason);
        return Ok(());
    }
    let mut arguments = std::env::args().skip(1);
    let mut number = |name: &str, usual: u64| match arguments.next() {
        Some(text) => text.parse().with_context(|| format!("{name} is a number, not {text:?}")),
        None => Ok(usual),
    };
    let rounds = number("ROUNDS", 6)?;
    let seconds = number("SECONDS", 3)?;
    let features: Vec<String> = arguments.collect();
    for feature in &features {
        ensure!(FEATURES.contains(&feature.as_str()), "no feature is called {feature:?}: there are {FEATURES:?}");
    }
    let program = |variable: &str, name: &str| {
        let program = OsString::from(testkit::given(variable).unwrap_or_else(|| name.to_owned()));
        let there = Command::new(&program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        there.then_some(program)
    };
    let alone = alone();
    let folder = Folder::make(&owner_root().context("no version 2 tree")?, "overhead");
    let mut ratios = Vec::new();
    if let Some(iperf) = program("IPERF3", "iperf3") {
        let port = free_port()?;
        let _server = Ending(within(&alone, &folder, || {
            Command::new(&iperf).args(["-s", "-B", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).spawn()
        })?);
        wait_for(port)?;
        let (with, without) = in_turns(rounds, &features, || throughput(&alone, &folder, &iperf, port, seconds))?;
        println!("iperf3: {:.2} Gbit/s with, {:.2} without, ratio {:.4}", with / 1e9, without / 1e9, with / without);
        ratios.push(("iperf3", with / without));
    } else {
        println!("iperf3 is not installed, and IPERF3 does not say where it is");
    }
    if let Some(wrk) = program("WRK", "wrk") {
        let port = within(&alone, &folder, serve)?;
        let (with, without) = in_turns(rounds, &features, || requests(&alone, &folder, &wrk, port, seconds))?;
        println!("wrk: {with:.0} requests/s with, {without:.0} without, ratio {:.4}", with / without);
        let agent = Agent::start(&features)?;
        let counting = object::count_runs()?;
        let answered = requests(&alone, &folder, &wrk, port, seconds)? * seconds as f64;
        drop(counting);
        for (feature, runs) in agent.runs() {
            println!("  {feature:<10} {:.2} programs run a request", runs as f64 / answered);
        }
        ratios.push(("wrk", with / without));
    } else {
        println!("wrk is not installed, and WRK does not say where it is");
    }
    datagrams(&alone, &folder, rounds, &features)?;
    drop(folder);
    for (what, ratio) in ratios {
        ensure!(ratio >= 0.99, "{what} has {:.1} % of its throughput left", ratio * 100.0);
    }
    Ok(())
}

fn within<T>(alone: &Alone, folder: &Folder, act: impl FnOnce() -> T) -> T {
    alone.within(folder, act)
}

/// Medians of what is measured with and without the programs. Who begins changes from round to round.
fn in_turns(rounds: u64, features: &[String], mut measure: impl FnMut() -> Result<f64>) -> Result<(f64, f64)> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    measure()?;
    for round in 0..rounds {
        for first in [round % 2 == 0, round % 2 != 0] {
            if first {
                let agent = Agent::start(features)?;
                with.push(measure()?);
                drop(agent);
            } else {
                without.push(measure()?);
            }
        }
    }
    Ok((median(with), median(without)))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    let (low, high) = (all.get((all.len() - 1) / 2), all.get(all.len() / 2));
    f64::midpoint(low.copied().unwrap_or(f64::NAN), high.copied().unwrap_or(f64::NAN))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until somebody listens, by the kernel's list: a server of iperf3 takes whoever connects for a client.
fn wait_for(port: u16) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let is_listening = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|own| own.ends_with(&format!(":{port:04X}"))) && words.nth(1) == Some("0A")
    };
    while !std::fs::read_to_string("/proc/net/tcp")?.lines().any(is_listening) {
        if Instant::now() > deadline {
            bail!("nobody listens at port {port}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Bits a second.
fn throughput(alone: &Alone, folder: &Folder, iperf: &OsString, port: u16, seconds: u64) -> Result<f64> {
    let client = within(alone, folder, || {
        let mut command = Command::new(iperf);
        command.args(["-c", "127.0.0.1", "-J", "-p", &port.to_string(), "-t", &seconds.to_string()]);
        command.stdout(Stdio::piped()).spawn()
    })?;
    let text = client.wait_with_output()?.stdout;
    let result: serde_json::Value = serde_json::from_slice(&text).context("iperf3 said no JSON")?;
    let rate = result.pointer("/end/sum_received/bits_per_second").and_then(serde_json::Value::as_f64);
    rate.with_context(|| format!("iperf3 said no rate: {result}"))
}

/// A small server of HTTP whose threads end with the process. Sockets that come of its listener are of the same cgroup.
fn serve() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    Ok(port)
}

fn answer(mut stream: TcpStream) {
    let mut room = [0; 4096];
    while stream.read(&mut room).is_ok_and(|length| length > 0) {
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").is_err() {
            return;
        }
    }
}

/// Requests a second.
fn requests(alone: &Alone, folder: &Folder, wrk: &OsString, port: u16, seconds: u64) -> Result<f64> {
    let client = within(alone, folder, || {
        let mut command = Command::new(wrk);
        command.args(["-t", "1", "-c", "16", "-d", &seconds.to_string(), &format!("http://127.0.0.1:{port}/")]);
        command.stdout(Stdio::piped()).spawn()
    })?;
    let text = String::from_utf8(client.wait_with_output()?.stdout)?;
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    Ok(rate.with_context(|| format!("wrk said no rate: {text}"))?.trim().parse()?)
}

/// What a datagram takes from the call that sends it to the call that gets it.
#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn datagrams(alone: &Alone, folder: &Folder, rounds: u64, features: &[String]) -> Result<()> {
    const MANY: u32 = 100_000;
    let (from, to) = within(alone, folder, || -> std::io::Result<_> {
        let to = UdpSocket::bind("127.0.0.1:0")?;
        let from = UdpSocket::bind("127.0.0.1:0")?;
        from.connect(to.local_addr()?)?;
        Ok((from, to))
    })?;
    let (with, without) = in_turns(rounds, features, || {
        let (started, mut room) = (Instant::now(), [0; 256]);
        for _ in 0..MANY {
            from.send(&[7; 200])?;
            to.recv(&mut room)?;
        }
        Ok(started.elapsed().as_secs_f64() * 1e9 / f64::from(MANY))
    })?;
    println!(
        "udp: {with:.0} ns a datagram with, {without:.0} without, so {:.0} ns for counting it at both ends",
        with - without
    );
    let agent = Agent::start(features)?;
    let Some(udp) = &agent.udp else { return Ok(()) };
    let counting = object::count_runs()?;
    for _ in 0..MANY {
        from.send(&[7; 200])?;
        to.recv(&mut [0; 256])?;
    }
    drop(counting);
    for run in udp.costs().programs {
        if run.runs > 0 {
            println!(
                "  {:<12} {:>7} runs, {:.0} ns each with the clock",
                run.program,
                run.runs,
                run.ns as f64 / run.runs as f64
            );
        }
    }
    Ok(())
}
