//! Proof that nothing of short-lived containers is lost, and what that costs.
//!
//! `cargo run --release -p yagura-exporter --example proof_lifetimes [COUNT [PARALLEL]]` makes COUNT cgroups (1,000) that
//! live 3–20 ms each, compares what was accounted with what wait4(2) said, and prints the programs' time an event and
//! their memory. Needs root, a C compiler and a version 2 tree. Exits 1 when the proof fails.

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use common::{Folder, Truth, burn, burner, host, owner_root, unable};
use yagura_exporter::probes::{
    exec, health,
    lifetime::{Lifetime, Options},
    object, oom,
};

/// The highest sum that a reading gave, how many readings there were, and in how many the sum had fallen.
#[derive(Default)]
struct Readings {
    highest: u64,
    reads: u32,
    falls: u32,
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() -> anyhow::Result<()> {
    if let Some(reason) = unable() {
        testkit::skipped(&reason);
        return Ok(());
    }
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let count = arguments.next().transpose()?.unwrap_or(1000);
    let parallel = arguments.next().transpose()?.unwrap_or(2);
    let host = host();
    let lifetime = Lifetime::start(&host, &Options::default())?;
    let _oom = oom::start(&host, lifetime.books(), false)?;
    let _exec = exec::start(&host, lifetime.books(), exec::Mode::Count)?;
    let counting = object::count_runs()?;
    let scratch = std::env::temp_dir().join(format!("yagura-proof-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let folder = Folder::make(&owner_root().unwrap_or_default(), "proof");
    let started = Instant::now();
    let (truth, readings) = burn_and_read(&lifetime, &folder, &burner(&scratch), [count, parallel])?;
    std::fs::remove_dir_all(&scratch)?;
    drop(counting);
    let (missed, began, ended) = lifetime.read(|ledger| {
        let known = |name: &&String| ledger.units().any(|unit| unit.path == format!("{}/{name}", folder.name()));
        let ours = || ledger.workloads().filter(|workload| workload.key.name.starts_with(&folder.name()));
        let began: u64 = ours().map(|workload| workload.started).sum();
        let ended: u64 = ours().flat_map(|workload| workload.exited).sum();
        (truth.len() - truth.keys().filter(known).count(), began, ended)
    })?;
    let real: u64 = truth.values().map(|truth| truth.cpu_ns).sum();
    let Readings { highest, reads, falls } = readings;
    let percent = highest as f64 / real as f64 * 100.0;
    println!(
        "{} cgroups in {:.1} s, {:.1} ms of CPU time each: accounted {percent:.3} %, missed {missed}, started {began}, \
         ended {ended}; the sum fell {falls} times in {reads} readings",
        truth.len(),
        started.elapsed().as_secs_f64(),
        real as f64 / 1e6 / truth.len() as f64
    );
    costs(&lifetime)?;
    anyhow::ensure!((percent - 100.0).abs() <= 0.2 && missed == 0 && falls == 0, "the proof failed");
    Ok(())
}

/// Burns, and reads the books meanwhile and for a while after.
fn burn_and_read(
    lifetime: &Lifetime,
    folder: &Folder,
    burner: &std::path::Path,
    [count, parallel]: [usize; 2],
) -> anyhow::Result<(BTreeMap<String, Truth>, Readings)> {
    let mut readings = Readings::default();
    let truth = std::thread::scope(|scope| -> anyhow::Result<_> {
        let burning = scope.spawn(|| burn(burner, &folder.0, count, [3, 20], parallel));
        let mut until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if !burning.is_finished() {
                until = Instant::now() + Duration::from_secs(5);
            }
            let sum: u64 = lifetime.read(|ledger| {
                let ours = ledger.workloads().filter(|workload| workload.key.name.starts_with(&folder.name()));
                ours.map(|workload| workload.totals.cpu_ns).sum()
            })?;
            readings.falls += u32::from(sum < readings.highest);
            readings.highest = readings.highest.max(sum);
            readings.reads += 1;
            std::thread::sleep(Duration::from_millis(250));
        }
        burning.join().map_err(|_| anyhow::anyhow!("the burner failed"))
    })?;
    Ok((truth, readings))
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn costs(lifetime: &Lifetime) -> anyhow::Result<()> {
    let (audit, kernel) = lifetime.audit()?;
    if let Some(kernel) = kernel {
        let error = (audit.total_ns() as f64 / kernel as f64 - 1.0) * 100.0;
        println!(
            "audit: live {} + dead {} + root {} ms; the kernel's total {} ms; error {error:.2} %",
            audit.live_ns / 1_000_000,
            audit.dead_ns / 1_000_000,
            audit.root_ns / 1_000_000,
            kernel / 1_000_000
        );
    }
    let clock = clock_cost();
    println!("a run's own clock reading, taken off below: {clock:.0} ns");
    let mut memory = 0;
    for vitals in health::vitals() {
        memory += vitals.costs.maps.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
        for run in vitals.costs.programs.iter().filter(|run| run.runs > 0) {
            let gross = run.ns as f64 / run.runs as f64;
            let net = (gross - clock).max(0.0);
            println!("{:>10} {:<13} {:>8} runs, {net:>6.0} ns each", vitals.feature, run.program, run.runs);
        }
        println!("{:>10} lost {:?}", vitals.feature, vitals.lost);
    }
    println!("kernel memory of all maps: {:.2} MiB", memory as f64 / f64::from(1 << 20));
    let before = cpu_time();
    for _ in 0..100 {
        lifetime.read(|_| ())?;
    }
    println!("one reading of the books: {:.0} µs of CPU time", (cpu_time() - before) * 1e4);
    Ok(())
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
