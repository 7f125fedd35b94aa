//! What the eBPF programs cost: time an event, time a cgroup, kernel memory, and the agent while much goes on.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use kernfs::{Budget, Reader};
use metric::Batch;
use rustix::thread::{CpuSet, sched_setaffinity};
use testkit::{Cgroup, Child, Limits, pod_path};
use yagura_exporter::{
    config::Config,
    identity::{Controller, Layout, Tree},
    probes::{exec, health, iterators, iterators::Iterators, lifetime, object, oom},
    scrape::Engine,
    slices,
    spec::{Context, Spec, View},
};

use crate::{Containers, ROOT, ROUNDS, SETTLED, host, served::Served, thread_cpu};

/// Every program, in this process, with as much going on as makes its time an event known.
pub(crate) fn events() {
    let host = host();
    let layout = Arc::new(Layout::find(&host, &mut Reader::default()).unwrap());
    let context = Context::alone(Arc::clone(&host), Config::default());
    let specs: Vec<&'static Spec> = slices::all().filter(|spec| slices::is_probe(spec)).collect();
    let tree = Tree::new(Arc::clone(&host), layout, Budget::new(100_000)).unwrap();
    let mut engine = Engine::new(&specs, |_| true, &context, tree);
    for off in engine.off() {
        println!("off: {}: {}", off.spec.name, off.reason);
    }
    let counting = object::count_runs().unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| switches(20_000, &stop));
        scope.spawn(|| execs(100, &stop));
        connections(300);
        for i in 0..100 {
            let cgroup = Cgroup::make(&pod_path(ROOT, 20_000 + i, 0), Limits::default()).unwrap();
            let mut process = Child::quiet(Command::new("sleep").arg("0.005")).unwrap();
            let _ = cgroup.add(process.id());
            process.handle().wait().unwrap();
        }
        thread::sleep(Duration::from_secs(2));
        stop.store(true, Relaxed);
    });
    drop(counting);
    let clock = clock_cost();
    println!("\neBPF programs; time an event, less {clock:.0} ns of the clock that times it");
    println!("feature            program              runs   ns each   kernel memory of the feature");
    let mut total = 0;
    for vitals in health::vitals() {
        let (feature, memory) = (vitals.feature, vitals.costs.memory());
        total += memory;
        for run in &vitals.costs.programs {
            let net = (run.ns as f64 / run.runs.max(1) as f64 - clock).max(0.0);
            let net = if run.runs == 0 { "-".to_owned() } else { format!("{net:.0}") };
            println!("{feature:<18} {:<16} {:>8} {net:>9}   {} kB", run.program, run.runs, memory / 1000);
        }
        let lost: Vec<_> = vitals.lost.iter().filter(|(_, lost)| *lost > 0).collect();
        if !lost.is_empty() {
            println!("{feature:<18} lost {lost:?}");
        }
    }
    println!("kernel memory of all features: {:.2} MiB", total as f64 / f64::from(1 << 20));
    let mut batch = Batch::default();
    engine.scrape(View::Own, Instant::now() + Duration::from_mins(1), |_| true, &mut batch);
}

/// The same figures of the same cgroups, by passes of the kernel and from files that are kept open; and a scrape that
/// reads no file.
pub(crate) fn cgroups(containers: &Containers) {
    let host = host();
    let layout = Arc::new(Layout::find(&host, &mut Reader::default()).unwrap());
    println!("\nmemory, tasks and pressure of {} containers, mean of {ROUNDS}", containers.cgroups.len());
    match Iterators::start(&host, &layout, false) {
        Ok(mut passes) => {
            let cpu = thread_cpu();
            for _ in 0..ROUNDS {
                passes.run().unwrap();
            }
            let each = thread_cpu().saturating_sub(cpu).as_secs_f64() * 1e6 / f64::from(ROUNDS);
            let found = passes.found();
            let most = *found.iter().max().unwrap();
            println!(
                "by iterator: {:.2} µs a cgroup ({found:?} found, {each:.0} µs a round)",
                each / most.max(1) as f64
            );
        }
        Err(reason) => println!("by iterator: off: {reason}"),
    }
    let files = kept(containers, &layout);
    let mut room = [0; 4096];
    let cpu = thread_cpu();
    for _ in 0..ROUNDS {
        for file in &files {
            file.read_at(&mut room, 0).unwrap();
        }
    }
    let each = thread_cpu().saturating_sub(cpu).as_secs_f64() * 1e6 / f64::from(ROUNDS);
    let count = containers.cgroups.len();
    println!("by kept file: {:.2} µs a cgroup ({} files, {each:.0} µs a round)", each / count as f64, files.len());

    let specs: [&'static Spec; 4] = [&iterators::SPEC, &lifetime::SPEC, &oom::SPEC, &exec::SPEC];
    let context = Context::alone(Arc::clone(&host), Config::default());
    let tree = Tree::new(host, layout, Budget::new(100_000)).unwrap();
    let mut engine = Engine::new(&specs, |_| true, &context, tree);
    let mut batch = Batch::default();
    let mut scrape = || {
        let late = Instant::now() + Duration::from_mins(1);
        engine.scrape(View::Own, late, |_| true, &mut batch);
    };
    (0..3).for_each(|_| scrape());
    let cpu = thread_cpu();
    (0..ROUNDS).for_each(|_| scrape());
    let each = thread_cpu().saturating_sub(cpu) / ROUNDS;
    println!(
        "a scrape of what iterators and lifetimes tell, no file read: {:.2} ms, {} samples",
        each.as_secs_f64() * 1e3,
        batch.len()
    );
}

fn kept(containers: &Containers, layout: &Layout) -> Vec<File> {
    let folder = |cgroup: &Cgroup, controller| -> Option<PathBuf> {
        let root = layout.roots().nth(layout.home(controller)?)?;
        Some(root.join(cgroup.path().trim_start_matches('/')))
    };
    let names: [(Controller, &[&[&str]]); 3] = [
        (
            Controller::Memory,
            &[
                &["memory.current", "memory.usage_in_bytes"],
                &["memory.peak", "memory.max_usage_in_bytes"],
                &["memory.swap.current", "memory.memsw.usage_in_bytes"],
                &["memory.events", "memory.failcnt"],
            ],
        ),
        (Controller::Pids, &[&["pids.current"]]),
        (Controller::Unified, &[&["cpu.pressure"], &["memory.pressure"], &["io.pressure"]]),
    ];
    let mut files = Vec::new();
    for cgroup in &containers.cgroups {
        for (controller, wanted) in names {
            let Some(folder) = folder(cgroup, controller) else { continue };
            for either in wanted {
                files.extend(either.iter().find_map(|name| File::open(folder.join(name)).ok()));
            }
        }
    }
    files
}

/// The release binary while tasks take turns and programs start.
pub(crate) fn load(agent: &Path) {
    let served = Served::start(agent, &["--web.listen-address={address}", "--log.level=warn"]).unwrap();
    served.get("/metrics");
    thread::sleep(SETTLED);
    println!("\nthe agent with its default features while much goes on, scraped once in 10 s");
    println!(
        "switches/s  execs/s   agent % of a core between scrapes   ms of a scrape after 10 s   its programs % of a core, \
         with the clock that times them"
    );
    for (turns, starts) in [(0, 0), (10_000, 0), (20_000, 500)] {
        let stop = AtomicBool::new(false);
        let counting = object::count_runs().unwrap();
        let ran = programs(&served.get("/metrics"));
        let (cpu, before, started) = (served.cpu(), activity(), Instant::now());
        thread::scope(|scope| {
            scope.spawn(|| switches(turns, &stop));
            scope.spawn(|| execs(starts, &stop));
            thread::sleep(Duration::from_secs(10));
            stop.store(true, Relaxed);
        });
        let seconds = started.elapsed().as_secs_f64();
        let (between, after) = (served.cpu(), activity());
        let (runs, ns) = programs(&served.get("/metrics"));
        drop(counting);
        let scrape = served.cpu().saturating_sub(between).as_secs_f64();
        let cpu = between.saturating_sub(cpu).as_secs_f64();
        let rate = |at: usize| (after[at] - before[at]) as f64 / seconds;
        let gross = ns - ran.1;
        let net = gross - (runs - ran.0) * clock_cost() / 1e9;
        println!(
            "{:>10.0} {:>8.0} {:>35.3} {:>27.1} {:>26.3} {:>10.3}",
            rate(0),
            rate(1),
            cpu / seconds * 100.0,
            scrape * 1e3,
            net.max(0.0) / seconds * 100.0,
            gross / seconds * 100.0
        );
    }
}

/// Runs of all programs and their seconds.
fn programs(page: &[u8]) -> (f64, f64) {
    let text = String::from_utf8_lossy(page);
    let sum = |name: &str| -> f64 {
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    (sum("yagura_probe_runs_total{"), sum("yagura_probe_run_seconds_total{"))
}

/// Context switches and forks of the machine so far.
fn activity() -> [u64; 2] {
    let text = std::fs::read_to_string("/proc/stat").unwrap();
    let number = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap();
    [number("ctxt"), number("processes")]
}

/// Two threads that take turns on one CPU, so many times a second.
fn switches(rate: u32, stop: &AtomicBool) {
    let (mut near, far) = std::io::pipe().map(|(read, write)| (write, read)).unwrap();
    let (back, mut answer) = std::io::pipe().unwrap();
    let one_cpu = || {
        let mut cpus = CpuSet::new();
        cpus.set(0);
        let _ = sched_setaffinity(None, &cpus);
    };
    thread::scope(|scope| {
        scope.spawn(move || {
            one_cpu();
            let (mut far, mut byte) = (far, [0]);
            while far.read(&mut byte).is_ok_and(|read| read == 1) {
                answer.write_all(&byte).unwrap();
            }
        });
        scope.spawn(move || {
            one_cpu();
            let (mut back, mut byte) = (back, [0]);
            while !stop.load(Relaxed) {
                let started = Instant::now();
                // Two switches a turn.
                for _ in 0..rate / 200 {
                    near.write_all(&[1]).unwrap();
                    back.read_exact(&mut byte).unwrap();
                }
                thread::sleep(Duration::from_millis(10).saturating_sub(started.elapsed()));
            }
        });
    });
}

/// So many programs a second that end at once.
fn execs(rate: u32, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        let started = Instant::now();
        for _ in 0..rate / 50 {
            drop(Command::new("/bin/true").status());
        }
        thread::sleep(Duration::from_millis(20).saturating_sub(started.elapsed()));
    }
}

fn connections(count: u32) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (from, to) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    for _ in 0..count {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"question").unwrap();
        server.read_exact(&mut [0; 8]).unwrap();
        from.send_to(b"datagram", to.local_addr().unwrap()).unwrap();
        to.recv(&mut [0; 8]).unwrap();
    }
}

/// The time between two readings of the clock that follow at once, which is in every run that the kernel times.
fn clock_cost() -> f64 {
    let started = Instant::now();
    for _ in 0..1_000_000 {
        std::hint::black_box(Instant::now());
    }
    started.elapsed().as_secs_f64() * 1e9 / 1e6
}
