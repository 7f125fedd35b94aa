//! What a scrape costs, on 300 real cgroups with a process each under kubelet-style paths. `make bench` runs it.
//!
//! First the engine alone, in this process: CPU time of the scraping thread, encoding, allocations. Then the release
//! binary over HTTP: CPU time, memory, descriptors, idle cost, growth under container churn. With `CADVISOR=path` the
//! same columns for that cAdvisor, with a kubelet's metric groups, in the same run; with `NODE_EXPORTER=path` for that
//! `node_exporter`. `CHURN=10000` makes the churn that long. At last the eBPF programs: time an event, time a cgroup,
//! kernel memory, and the agent while tasks take turns and programs start. `cargo bench -p yagura-exporter -- probes` does
//! that alone.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may end with a panic")]

mod probes;
#[path = "../served/mod.rs"]
mod served;

use std::{
    alloc::System,
    io::Write as _,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use expo::{Compressor, Encoder, Encoding, Format};
use kernfs::{Budget, Host, Reader};
use metric::Batch;
use rustix::time::{ClockId, clock_gettime};
use served::{Served, samples};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use testkit::{Cgroup, Child, Limits, pod_path};
use yagura_exporter::{
    collectors,
    config::Config,
    identity::{Layout, Tree},
    probes::iterators,
    scrape::Engine,
    spec::{Context, Spec, View},
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROOT: &str = "yagura-bench";
const PODS: usize = 100;
const PER_POD: usize = 3;
/// How long a container without a bundle is asked for it, and some.
const SETTLED: Duration = Duration::from_secs(12);
const ROUNDS: u32 = 50;

fn main() {
    // `cargo test` runs benches once without arguments; only `cargo bench` asks for figures.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    if !testkit::is_root() {
        testkit::skipped("making cgroups needs root");
        return;
    }
    let containers = Containers::start(PODS, PER_POD);
    println!("{} containers with a process each", containers.cgroups.len());
    let agent = Path::new(env!("CARGO_BIN_EXE_yagura-exporter"));
    if std::env::args().any(|arg| arg == "probes") {
        return of_probes(&containers, agent);
    }
    engine();
    measure(
        "yagura-exporter",
        agent,
        &["--web.listen-address={address}", "--log.level=warn", "--cadvisor.cgroups=all"],
        &["/metrics/cadvisor", "/metrics", "/metrics/node"],
    );
    if let Some(path) = testkit::given("CADVISOR") {
        let args = [
            "--listen_ip=127.0.0.1",
            "--port={port}",
            "--housekeeping_interval=10s",
            "--disable_metrics=percpu,tcp,udp,advtcp,sched,hugetlb,referenced_memory,cpu_topology,resctrl,memory_numa,cpuset,perf_event",
        ];
        measure("cadvisor", Path::new(&path), &args, &["/metrics"]);
    }
    if let Some(path) = testkit::given("NODE_EXPORTER") {
        let args = ["--web.listen-address={address}", "--log.level=error"];
        measure("node_exporter", Path::new(&path), &args, &["/metrics"]);
    }
    of_probes(&containers, agent);
}

fn of_probes(containers: &Containers, agent: &Path) {
    probes::events();
    probes::cgroups(containers);
    probes::load(agent);
}

fn host() -> Arc<Host> {
    Arc::new(Host::open("/proc".as_ref(), "/sys".as_ref(), "/sys/fs/cgroup".as_ref(), "/".as_ref()).unwrap())
}

/// Containers with a sleeping process each.
struct Containers {
    cgroups: Vec<Cgroup>,
    processes: Vec<Child>,
}

impl Containers {
    fn start(pods: usize, per_pod: usize) -> Self {
        let (mut cgroups, mut processes) = (Vec::new(), Vec::new());
        for pod in 0..pods {
            for index in 0..per_pod {
                let limits = Limits { memory: Some(64 << 20), cpu_quota: Some(50_000), pids: Some(100) };
                let cgroup = Cgroup::make(&pod_path(ROOT, pod, index), limits).unwrap();
                let process = Child::quiet(Command::new("sleep").arg("100000")).unwrap();
                cgroup.add(process.id()).unwrap();
                cgroups.push(cgroup);
                processes.push(process);
            }
        }
        // Processes end before their cgroups are removed.
        Self { cgroups, processes }
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        self.processes.clear();
    }
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// The engine alone.
fn engine() {
    let host = host();
    let layout = Arc::new(Layout::find(&host, &mut Reader::default()).unwrap());
    let context = Context::alone(Arc::clone(&host), Config::default());
    println!("\nengine, in this process ({} cgroups), mean of {ROUNDS} scrapes", layout.mode().name());
    println!(
        "view               samples  cpu ms  µs/container  ns/sample enc  plain  gzip   zstd   allocs  collectors by cost (µs)"
    );
    let with_passes: Vec<&Spec> = [&iterators::SPEC].into_iter().chain(collectors::ALL.iter().copied()).collect();
    let rows = [
        (View::Own, "/metrics", with_passes.as_slice()),
        (View::Own, "  files only", collectors::ALL),
        (View::Cadvisor, "/metrics/cadvisor", with_passes.as_slice()),
        (View::Cadvisor, "  files only", collectors::ALL),
        (View::Node, "/metrics/node", collectors::ALL),
    ];
    for (view, name, specs) in rows {
        let budget = Budget::new(100_000);
        let tree = Tree::new(Arc::clone(&host), Arc::clone(&layout), budget).unwrap();
        let mut engine = Engine::new(specs, |spec| spec.default_on, &context, tree);
        let mut batch = Batch::default();
        let scrape = |engine: &mut Engine, batch: &mut Batch| {
            engine.scrape(view, Instant::now() + Duration::from_mins(1), |_| true, batch)
        };
        for _ in 0..3 {
            scrape(&mut engine, &mut batch);
        }
        let (cpu, allocations) = (thread_cpu(), ALLOCATOR.stats().allocations);
        let mut by_collector: std::collections::BTreeMap<&str, Duration> = std::collections::BTreeMap::new();
        for _ in 0..ROUNDS {
            for run in scrape(&mut engine, &mut batch).runs {
                *by_collector.entry(run.collector).or_default() += run.took;
            }
        }
        let cpu = thread_cpu().saturating_sub(cpu) / ROUNDS;
        let allocations = (ALLOCATOR.stats().allocations - allocations) / ROUNDS as usize;
        let samples = batch.len();
        let mut encoder = Encoder::default();
        let mut page = Vec::new();
        encoder.encode(&[&batch], Format::Text004, &mut page).unwrap();
        let started = thread_cpu();
        for _ in 0..ROUNDS {
            page.clear();
            encoder.encode(&[&batch], Format::Text004, &mut page).unwrap();
        }
        let encode = thread_cpu().saturating_sub(started) / ROUNDS;
        let size = |encoding| {
            let mut compressor = Compressor::new(encoding, Vec::new()).unwrap();
            compressor.write_all(&page).unwrap();
            compressor.finish().unwrap().len()
        };
        let mut costs: Vec<_> = by_collector.into_iter().map(|(name, took)| (took / ROUNDS, name)).collect();
        costs.sort_by(|a, b| b.cmp(a));
        let costs: Vec<_> = costs.iter().take(8).map(|(took, name)| format!("{name} {}", took.as_micros())).collect();
        println!(
            "{name:<18} {samples:>7} {:>7.2} {:>13.1} {:>14.1} {:>6}k {:>4}k {:>5}k {allocations:>8}  {}",
            cpu.as_secs_f64() * 1e3,
            cpu.as_secs_f64() * 1e6 / (PODS * PER_POD) as f64,
            encode.as_secs_f64() * 1e9 / samples.max(1) as f64,
            page.len() / 1000,
            size(Encoding::Gzip) / 1000,
            size(Encoding::Zstd) / 1000,
            costs.join(", ")
        );
    }
}

/// A program that serves metrics over HTTP.
fn measure(name: &str, program: &Path, args: &[&str], paths: &[&str]) {
    let served = match Served::start(program, args) {
        Ok(served) => served,
        Err(why) => return println!("\nskipped: {name}: {why}"),
    };
    // Its containers are new to it, and without a bundle: for some seconds it looks again.
    served.get(paths.first().copied().unwrap_or("/metrics"));
    std::thread::sleep(SETTLED);
    println!("\n{name} over HTTP, mean of {ROUNDS} scrapes");
    println!("path                 lines   bytes  cpu ms  wall ms (worst)  rss MiB   fds");
    for path in paths {
        for _ in 0..3 {
            served.get(path);
        }
        let (cpu, mut worst, started) = (served.cpu(), Duration::ZERO, Instant::now());
        let mut page = Vec::new();
        for _ in 0..ROUNDS {
            let one = Instant::now();
            page = served.get(path);
            worst = worst.max(one.elapsed());
        }
        let (cpu, wall) = (served.cpu().saturating_sub(cpu) / ROUNDS, started.elapsed() / ROUNDS);
        println!(
            "{path:<18} {:>7} {:>7}k {:>6.1} {:>8.1} ({:.0}) {:>11.1} {:>6}",
            samples(&page),
            page.len() / 1000,
            cpu.as_secs_f64() * 1e3,
            wall.as_secs_f64() * 1e3,
            worst.as_secs_f64() * 1e3,
            served.rss(),
            served.descriptors()
        );
    }
    let idle = Duration::from_secs(20);
    let cpu = served.cpu();
    let floor = nothing(idle);
    let spent = served.cpu().saturating_sub(cpu);
    let share = |spent: Duration| spent.as_secs_f64() / idle.as_secs_f64() * 100.0;
    println!(
        "idle: {:.3} % of a core; a thread that does nothing but wake up once a second: {:.3} %",
        share(spent),
        share(floor)
    );
    if name == "yagura-exporter" {
        churn(&served);
    }
}

/// CPU time of a thread that wakes up once a second and does nothing: what this machine makes of being awake.
fn nothing(time: Duration) -> Duration {
    let until = Instant::now() + time;
    let before = thread_cpu();
    while Instant::now() < until {
        std::thread::sleep(Duration::from_secs(1));
    }
    thread_cpu().saturating_sub(before)
}

/// Scrapes while containers come and go, and looks at memory ten times on the way.
fn churn(served: &Served) {
    let scrapes: usize = testkit::given("CHURN").and_then(|n| n.parse().ok()).unwrap_or(1000);
    let (mut rss, mut made) = (Vec::new(), 0);
    for scrape in 0..scrapes {
        if scrape % 5 == 0 {
            made += 1;
            // As where jobs run again and again: always another container, of a hundred workloads.
            let path = pod_path(ROOT, 10_000 + made % 100, scrape);
            let cgroup = Cgroup::make(&path, Limits::default()).unwrap();
            served.get("/metrics/cadvisor");
            drop(cgroup);
        } else {
            served.get(if scrape % 2 == 0 { "/metrics" } else { "/metrics/cadvisor" });
        }
        if (scrape + 1) % (scrapes / 10).max(1) == 0 {
            rss.push(format!("{:.1}", served.rss()));
        }
    }
    println!("churn: {scrapes} scrapes, {made} containers came and went: rss {} MiB, after each tenth", rss.join(" "));
}
