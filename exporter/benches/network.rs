//! What counting the network costs: a run of each program, kernel memory of destinations, scrapes of 300 containers with
//! 20 destinations each, and that a scan of all ports of a host and of 4,096 hosts stays within its caps. `make bench`
//! runs it.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark may end with a panic")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Alone, Folder, alone, host, on, owner_root, unable};
use kernfs::{Budget, Reader};
use metric::Batch;
use rustix::time::{ClockId, clock_gettime};
use yagura_exporter::{
    config::Config,
    identity::{Layout, Tree},
    probes::{
        dns,
        drops::{self, Drops},
        lifetime::{self, Lifetime, Options},
        object::{self, Costs},
        packets::At,
        tcp::{self, Tcp},
        udp::{self, Udp},
    },
    scrape::Engine,
    spec::{Context, Spec, View},
};

const CONTAINERS: u16 = 300;
const DESTINATIONS: u16 = 20;
const EVENTS: u32 = 20_000;

fn main() {
    // `cargo test` runs benches once without arguments; only `cargo bench` asks for figures.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    if let Some(reason) = unable() {
        testkit::skipped(&reason);
        return;
    }
    let alone = alone();
    let folder = Folder::make(&owner_root().unwrap(), "bench-network");
    println!("\nnetwork");
    events(&alone, &folder);
    memory(&alone, &folder);
    scan(&alone, &folder);
    scrapes(&alone, &folder);
}

/// The time between two readings of the clock that follow at once, which is in every run that the kernel times.
fn clock_ns() -> f64 {
    let started = Instant::now();
    for _ in 0..1_000_000 {
        std::hint::black_box(Instant::now());
    }
    started.elapsed().as_secs_f64() * 1e9 / 1e6
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// Time in each program for a connection, a datagram, a dropped packet.
fn events(alone: &Alone, folder: &Folder) {
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let tcp = on(Tcp::start(&host(), lifetime.books(), &tcp::Options::default()));
    let udp = on(Udp::start(&host(), lifetime.books(), At::ALL, false));
    let drops = Drops::start(&host(), lifetime.books(), false);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 64]);
        }
    });
    let clock = clock_ns();
    let counting = object::count_runs().unwrap();
    alone.within(folder, || {
        for _ in 0..EVENTS {
            let mut stream = TcpStream::connect(to).unwrap();
            stream.write_all(b"hello").unwrap();
        }
        let (from, at) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let at_address = at.local_addr().unwrap();
        for _ in 0..EVENTS {
            from.send_to(b"hello", at_address).unwrap();
            at.recv(&mut [0; 64]).unwrap();
        }
        // Nobody is there: each is dropped.
        drop(at);
        for _ in 0..EVENTS {
            from.send_to(b"hello", at_address).unwrap();
        }
    });
    drop(counting);
    // Programs of packets run for those of the whole machine, so of them only the time of a run means something.
    let show = |costs: Costs| {
        let mut sum = 0.0;
        for run in costs.programs.iter().filter(|run| run.runs > 0) {
            let each = (run.ns as f64 / run.runs as f64 - clock).max(0.0);
            sum += each * run.runs as f64;
            println!("  {:<18} {:>7} runs, {each:>5.0} ns each", run.program, run.runs);
        }
        sum / f64::from(EVENTS)
    };
    let connection = show(tcp.costs());
    println!("  programs for a connection, both of its sides: {connection:.0} ns");
    show(udp.costs());
    if let Ok(drops) = drops {
        show(drops.costs());
    }
}

fn kernel_memory(costs: &Costs) -> u64 {
    costs.maps.iter().map(|(_, bytes, _)| bytes).sum()
}

/// Asks for connections that are refused: each makes a row.
fn refused(address: Ipv4Addr, port: u16) {
    assert!(TcpStream::connect(SocketAddr::from((address, port))).is_err(), "somebody listens at port {port}");
}

fn memory(alone: &Alone, folder: &Folder) {
    const ROWS: u16 = 10_000;
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let options = tcp::Options { rows: 65_536, peers: u32::from(ROWS), ..tcp::Options::default() };
    let tcp = on(Tcp::start(&host(), lifetime.books(), &options));
    let before = (kernel_memory(&tcp.costs()), tcp.rows().unwrap().len());
    alone.within(folder, || {
        for number in 0..ROWS {
            let [high, low] = number.to_be_bytes();
            refused(Ipv4Addr::new(127, 3, high, low), 7);
        }
    });
    let after = (kernel_memory(&tcp.costs()), tcp.rows().unwrap().len());
    let (bytes, rows) = (after.0 - before.0, after.1 - before.1);
    println!(
        "  kernel memory: {:.0} kB for 1,000 destinations ({rows} rows), {:.0} kB for the empty maps",
        bytes as f64 / rows as f64,
        before.0 as f64 / 1e3
    );
}

fn scan(alone: &Alone, folder: &Folder) {
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let tcp = on(Tcp::start(&host(), lifetime.books(), &tcp::Options::default()));
    let before = kernel_memory(&tcp.costs());
    let started = Instant::now();
    let asked = alone.within(folder, || {
        let ports = (1..=u16::MAX).map(|port| TcpStream::connect((Ipv4Addr::new(127, 1, 2, 3), port)).is_err());
        let hosts = (0..4096_u16).map(|host| {
            let [high, low] = host.to_be_bytes();
            TcpStream::connect((Ipv4Addr::new(127, 2, high, low), 7)).is_err()
        });
        ports.chain(hosts).filter(|refused| *refused).count()
    });
    let took = started.elapsed();
    let id = folder.id();
    let rows: Vec<_> = tcp.rows().unwrap().into_iter().filter(|(key, _)| key.cgroup == id).collect();
    let counted: u64 = rows.iter().map(|(_, row)| row.failed.iter().sum::<u64>()).sum();
    let lost = tcp.lost();
    let over = lost.iter().find(|(what, _)| *what == "peer_over_cap").map_or(0, |(_, over)| *over);
    println!(
        "  a scan of 65,535 ports and 4,096 hosts in {:.1} s: {asked} refused, {counted} counted, {} rows, {over} under \
         `other`; {:.0} kB of kernel memory more",
        took.as_secs_f64(),
        rows.len(),
        (kernel_memory(&tcp.costs()).saturating_sub(before)) as f64 / 1e3
    );
    assert_eq!((counted, rows.len()), (asked as u64, 65), "64 destinations and `other`");
}

fn scrapes(alone: &Alone, folder: &Folder) {
    const ROUNDS: u32 = 20;
    static SPECS: &[&Spec] =
        &[&lifetime::SPEC, &tcp::SPEC, &tcp::PEERS, &tcp::CONTAINER_PEERS, &udp::SPEC, &dns::SPEC, &drops::SPEC];
    let host = host();
    let layout = Arc::new(Layout::find(&host, &mut Reader::default()).unwrap());
    let context = Context::alone(Arc::clone(&host), Config::default());
    let tree = Tree::new(Arc::clone(&host), layout, Budget::new(100_000)).unwrap();
    let mut engine = Engine::new(SPECS, |_| true, &context, tree);
    let containers: Vec<Folder> = (0..CONTAINERS).map(|number| container(&folder.0, number)).collect();
    for (number, container) in (0_u16..).zip(&containers) {
        alone.within(container, || {
            for destination in 0..DESTINATIONS {
                let [high, low] = number.to_be_bytes();
                refused(Ipv4Addr::new(127, 4 + high, low, 1 + destination.to_le_bytes()[0]), 7);
            }
        });
    }
    let mut batch = Batch::default();
    let mut scrape = || {
        let started = thread_cpu();
        let report = engine.scrape(View::Own, Instant::now() + Duration::from_mins(1), |_| true, &mut batch);
        (thread_cpu().saturating_sub(started), report, batch.len())
    };
    scrape();
    let mut by_collector: std::collections::BTreeMap<&str, Duration> = std::collections::BTreeMap::new();
    let (mut cpu, mut samples) = (Duration::ZERO, 0);
    for _ in 0..ROUNDS {
        let (took, report, len) = scrape();
        cpu += took;
        samples = len;
        for run in report.runs {
            *by_collector.entry(run.collector).or_default() += run.took;
        }
    }
    let each: Vec<_> =
        by_collector.iter().map(|(name, took)| format!("{name} {}", (*took / ROUNDS).as_micros())).collect();
    println!(
        "  a scrape of {CONTAINERS} containers with {DESTINATIONS} destinations each: {} µs of CPU, {samples} samples ({})",
        (cpu / ROUNDS).as_micros(),
        each.join(", ")
    );
}

fn container(parent: &Path, number: u16) -> Folder {
    let path = parent.join(format!("c{number}"));
    std::fs::create_dir(&path).unwrap();
    Folder(path)
}
