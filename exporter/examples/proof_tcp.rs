//! Proof that no connection of short-lived containers is lost, that each byte and failure is where it belongs, and what
//! that costs.
//!
//! `cargo run --release -p yagura-exporter --example proof_tcp [COUNT [PARALLEL]]` makes COUNT containers (500), each
//! with a network namespace of its own, IPv4, IPv6 and mapped in turn. Each has an exchange of known size with a server,
//! one with a server elsewhere, and three connects that fail: refused, unanswered, without a route; it is gone 5 ms
//! later. Then 200 cgroups connect 10,000 times a second for 10 s. Needs root, a C compiler, iproute2 and a version 2
//! tree. Exits 1 when the proof fails.

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use common::{
    Folder,
    calls::{judge, truth},
    host,
    network::{Network, Server, call, caller},
    owner_root, unable,
};
use yagura_exporter::probes::{
    lifetime::{Lifetime, Options},
    object,
    tcp::{self, Tcp, book::Account, wire},
};

fn main() -> anyhow::Result<()> {
    if let Some(reason) = unable().or_else(Network::unable) {
        testkit::skipped(&reason);
        return Ok(());
    }
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let count = arguments.next().transpose()?.unwrap_or(500);
    let parallel = arguments.next().transpose()?.unwrap_or(125);
    let scratch = std::env::temp_dir().join(format!("yagura-proof-tcp-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let caller = caller(&scratch);
    let exact = calls(&caller, count, parallel)?;
    let kept_up = load(&caller)?;
    std::fs::remove_dir_all(&scratch)?;
    anyhow::ensure!(exact, "the books of calls are wrong");
    anyhow::ensure!(kept_up, "the books of the load are wrong");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn calls(caller: &Path, count: usize, parallel: usize) -> anyhow::Result<bool> {
    let root = owner_root().unwrap_or_default();
    let network = Network::make("proof", count);
    let (servers, folder) = (Folder::make(&root, "proof-servers"), Folder::make(&root, "proof-calls"));
    let lifetime = Lifetime::start(&host(), &Options::default())?;
    let tcp = Tcp::start(&host(), lifetime.books(), &tcp::Options::default())?;
    let mut serving = Vec::new();
    for (space, port) in [("hub", 7001), ("far", 7002)] {
        let own = servers.0.join(space);
        std::fs::create_dir(&own)?;
        serving.push(Server::start(caller, &own, &network.file(space), port, 2));
    }
    let started = Instant::now();
    let calls = call(caller, &folder.0, &network, count, parallel, 5000);
    let took = started.elapsed().as_secs_f64();
    let verdict = judge(&tcp, &folder.name(), &calls);
    let [opened, failed, sent, received] = truth(&calls);
    println!(
        "{count} containers in {took:.1} s: connections {} of {opened}, failures {} of {failed}, bytes sent {} of \
         {sent}, received {} of {received}; containers missed {}, with something wrong {}; lost {:?}",
        verdict.connections[0],
        verdict.connections[1],
        verdict.bytes[0],
        verdict.bytes[1],
        verdict.missed,
        verdict.wrong.len(),
        tcp.lost()
    );
    println!("  {}", interrupted(&tcp));
    for wrong in verdict.wrong.iter().take(10) {
        println!("  {wrong}");
    }
    Ok(verdict.is_clean())
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn load(caller: &Path) -> anyhow::Result<bool> {
    let root = owner_root().unwrap_or_default();
    let (servers, folder) = (Folder::make(&root, "proof-server"), Folder::make(&root, "proof-load"));
    let lifetime = Lifetime::start(&host(), &Options::default())?;
    let options = tcp::Options { stream: 1, ring: 1 << 20, ..tcp::Options::default() };
    let tcp = Tcp::start(&host(), lifetime.books(), &options)?;
    let mut flows = tcp.flows()?;
    let server = Server::start(caller, &servers.0, "-", 7001, 2);
    let before = object_runs(&tcp);
    let counting = object::count_runs()?;
    let cpu = cpu_time();
    let running = Command::new(caller)
        .arg("load")
        .arg(&folder.0)
        .args(["200", "10000", "10", "4"])
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let (mut told, mut output) = (0_u64, None);
    let done = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| running.wait_with_output());
        let mut scraped = Instant::now();
        while !waiting.is_finished() {
            flows.drain(|record| {
                let ours = wire::decode(record).is_some_and(|flow| flow.direction == "outbound" && flow.peer.1 == 7001);
                told += u64::from(ours);
            });
            if scraped.elapsed() > Duration::from_secs(5) {
                scraped = Instant::now();
                output = Some(tcp.read(|book, _| book.rows()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        waiting.join()
    });
    let done = done.map_err(|_| anyhow::anyhow!("the load failed"))??;
    let cpu = cpu_time() - cpu;
    drop(counting);
    if let Some(rows) = output {
        rows?;
    }
    let text = String::from_utf8(done.stdout)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let [connections, sent, received, seconds] = words.as_slice() else { anyhow::bail!("the load said {text:?}") };
    let truth: [u64; 3] = [connections.parse()?, sent.parse()?, received.parse()?];
    let seconds: f64 = seconds.parse()?;
    flows.drain(|record| {
        told += u64::from(wire::decode(record).is_some_and(|f| f.direction == "outbound" && f.peer.1 == 7001));
    });
    let deadline = Instant::now() + Duration::from_secs(20);
    let counted = loop {
        lifetime.read(|_| ())?;
        let counted = tcp.read(|book, _| {
            let account = book.workloads().find(|(key, _)| *key.name == folder.name());
            let total = account.map(|(_, account)| Account::total(account)).unwrap_or_default();
            [total.opened, total.sent_bytes, total.received_bytes]
        })?;
        if counted == truth || Instant::now() > deadline {
            break counted;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let lost = tcp.lost();
    println!(
        "load: {:.0} connections/s for {seconds:.1} s from 200 cgroups: connections {} of {}, bytes sent {} of {}, \
         received {} of {}; {told} flow records; lost {lost:?}",
        truth[0] as f64 / seconds,
        counted[0],
        truth[0],
        counted[1],
        truth[1],
        counted[2],
        truth[2]
    );
    let clock = clock_cost();
    let mut kernel_ns = 0.0;
    for (run, earlier) in tcp.costs().programs.iter().zip(&before) {
        let (runs, ns) = (run.runs - earlier.runs, run.ns - earlier.ns);
        if runs > 0 {
            let each = (ns as f64 / runs as f64 - clock).max(0.0);
            kernel_ns += each * runs as f64;
            println!("  {:<17} {runs:>8} runs, {each:>5.0} ns each", run.program);
        }
    }
    println!(
        "  CPU: programs {:.2} %, agent {:.2} % of one CPU; {:.2} µs of programs a connection (both of its sides)",
        kernel_ns / seconds / 1e7,
        cpu / seconds * 100.0,
        kernel_ns / truth[0] as f64 / 1e3
    );
    let memory: u64 = tcp.costs().maps.iter().map(|(_, bytes, _)| bytes).sum();
    println!("  kernel memory of all maps: {:.2} MiB", memory as f64 / f64::from(1 << 20));
    drop(server);
    let flow_losses = lost.iter().find(|(what, _)| *what == "flow").map_or(0, |(_, lost)| *lost);
    Ok(counted == truth && (told >= truth[0] || flow_losses > 0))
}

/// How often the kernel left a program out because it had interrupted it.
fn interrupted(tcp: &Tcp) -> String {
    let programs = tcp.costs().programs;
    let told: Vec<_> = programs
        .iter()
        .filter(|run| run.missed > 0)
        .map(|run| format!("{} {} times", run.program, run.missed))
        .collect();
    if told.is_empty() { "no program interrupted itself".into() } else { format!("left out: {}", told.join(", ")) }
}

fn object_runs(tcp: &Tcp) -> Vec<object::Run> {
    tcp.costs().programs
}

/// This process's CPU time in seconds.
fn cpu_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The time between two readings of the clock that follow at once, which is in every run that the kernel times.
fn clock_cost() -> f64 {
    let started = Instant::now();
    for _ in 0..1_000_000 {
        std::hint::black_box(Instant::now());
    }
    started.elapsed().as_secs_f64() * 1e9 / 1e6
}
