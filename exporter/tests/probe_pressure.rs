//! Containers that come and go by the hundred while all CPUs are busy, with room for all, with a ring that nobody reads
//! and with maps that are too small: what is counted is exact, or what was lost is counted.
//!
//! `YAGURA_PROOF=1` makes each last a minute.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

mod common;

use std::{
    collections::BTreeMap,
    process::{Child, Command},
    time::{Duration, Instant},
};

use common::{Burning, Folder, Truth, alone, burner, is_proof, on, owner_root, total, unable};
use yagura_exporter::{
    books::ledger::Ledger,
    probes::lifetime::{Lifetime, Options, Sizes},
};

/// Cgroups a second that are asked for, so that what the load slows down still makes 200.
const RATE: usize = 280;
/// At a time.
const PARALLEL: usize = 12;
/// Longer than the kernel takes to free tasks.
const ALL_COUNTED: Duration = Duration::from_secs(4);
/// Longer than the books of what is gone stay open.
const ALL_CLOSED: Duration = Duration::from_secs(10);

/// Processes that want all CPUs, at the same priority as the rest.
struct Hogs(Vec<Child>);

impl Hogs {
    fn start() -> Self {
        let cpus = std::thread::available_parallelism().unwrap().get();
        let start = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        Self((0..cpus).map(|_| start()).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

/// What was done and what was counted of it.
struct Outcome {
    truth: BTreeMap<String, Truth>,
    rate: f64,
    /// In the folder's workloads, and of no known one.
    counted_ns: u64,
    other_ns: u64,
    started: u64,
    exited: u64,
    falls: u32,
    readings: u32,
    lost: Vec<(&'static str, u64)>,
}

impl Outcome {
    fn lost(&self, what: &str) -> u64 {
        self.lost.iter().filter(|(kind, _)| kind.contains(what)).map(|(_, lost)| lost).sum()
    }

    #[allow(clippy::print_stdout, reason = "the figures are what a proof is for")]
    fn print(&self, name: &str) {
        let (real, doubt) = total(&self.truth);
        let share = |ns: u64| ns as f64 / real as f64 * 100.0;
        println!(
            "{name}: {} cgroups, {:.0} a second beside as many busy loops as CPUs; counted {:.3} %, {:.3} % on other, \
             {:.3} % in doubt; started {}, ended {}; {} falls in {} readings; lost {:?}",
            self.truth.len(),
            self.rate,
            share(self.counted_ns),
            share(self.other_ns),
            share(doubt),
            self.started,
            self.exited,
            self.falls,
            self.readings,
            self.lost
        );
    }

    /// How far what was counted is from the truth, beyond what is in doubt.
    fn error_percent(&self, counted: u64) -> f64 {
        let (real, doubt) = total(&self.truth);
        counted.abs_diff(real).saturating_sub(doubt) as f64 / real as f64 * 100.0
    }
}

/// `quiet` is how long nothing may change before all is taken to be counted.
fn press(name: &str, options: &Options, quiet: Duration) -> Outcome {
    let lifetime = on(Lifetime::start(&common::host(), options));
    let scratch = tempfile::tempdir().unwrap();
    let folder = Folder::make(&owner_root().unwrap(), name);
    let count = if is_proof() { RATE * 60 } else { RATE * 3 / testkit::patience() as usize };
    let burner = burner(scratch.path());
    let _hogs = Hogs::start();
    let pause_us = PARALLEL * 1_000_000 / RATE;
    // What a cgroup takes by itself comes on top of the pause.
    let pause_us = pause_us.saturating_sub(20_000);
    let arguments = [count, 1, 3, PARALLEL, pause_us].map(|number| number.to_string());
    let started = Instant::now();
    let mut burning = Burning::start(&burner, &folder.0, &arguments);
    let ours = |ledger: &Ledger| {
        let mut sums = [0; 4];
        for workload in ledger.workloads() {
            if workload.key.name.starts_with(&folder.name()) {
                sums[0] += workload.totals.cpu_ns;
                sums[2] += workload.started;
                sums[3] += workload.exited.iter().sum::<u64>();
            } else if &*workload.key.name == "other" {
                sums[1] += workload.totals.cpu_ns;
            }
        }
        sums
    };
    let (mut highest, mut falls, mut readings, mut took) = (0, 0, 0, None);
    let mut settled_since = Instant::now();
    let mut last = [0; 4];
    while took.is_none() || settled_since.elapsed() < quiet {
        if took.is_none() && burning.is_done() {
            took = Some(started.elapsed());
        }
        let sums = lifetime.read(ours).unwrap();
        if took.is_none() || sums[0] != last[0] || sums[3] != last[3] {
            settled_since = Instant::now();
        }
        last = sums;
        falls += u32::from(sums[0] < highest);
        highest = highest.max(sums[0]);
        readings += 1;
        std::thread::sleep(Duration::from_millis(250));
    }
    let truth = burning.truth();
    let rate = truth.len() as f64 / took.unwrap().as_secs_f64();
    let [counted_ns, other_ns, began, exited] = last;
    let lost = lifetime.lost();
    Outcome { truth, rate, counted_ns, other_ns, started: began, exited, falls, readings, lost }
}

#[test]
fn with_room_for_all_it_is_exact() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let _alone = alone();
    let outcome = press("pressed", &Options::default(), ALL_CLOSED);
    outcome.print("room for all");
    assert!(outcome.error_percent(outcome.counted_ns) <= 0.2, "{} %", outcome.error_percent(outcome.counted_ns));
    let cgroups = outcome.truth.len() as u64;
    // A pass may see a task that moves before the move is told: what it used in between counts where it went, the time
    // above is exact all the same, and the start, or the end if that was told by then, counts where it came from.
    let moved = outcome.lost("move");
    for seen in [outcome.started, outcome.exited] {
        assert!(seen <= cgroups && seen + moved >= cgroups, "{seen} of {cgroups}, {moved} told late");
    }
    assert_eq!(outcome.falls, 0);
    let lost = outcome.lost.iter().filter(|(kind, _)| *kind != "move");
    assert!(lost.map(|(_, lost)| lost).sum::<u64>() == 0 && moved <= cgroups / 50, "{:?}", outcome.lost);
    if is_proof() {
        assert!(outcome.rate >= 200.0, "only {} cgroups a second", outcome.rate);
    }
}

#[test]
fn with_a_ring_that_nobody_reads_names_are_lost_and_counted_and_time_is_not() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let _alone = alone();
    let sizes = Sizes { ring: 4096, ..Options::default().sizes };
    let outcome = press("starved", &Options { sizes, starve: true, ..Options::default() }, ALL_COUNTED);
    outcome.print("a starved ring");
    assert!(outcome.lost("_event") > 0);
    let counted = outcome.counted_ns + outcome.other_ns;
    assert!(outcome.error_percent(counted) <= 0.2, "{} %", outcome.error_percent(counted));
    assert_eq!(outcome.falls, 0);
}

#[test]
fn with_maps_that_are_too_small_what_is_over_is_on_other_and_counted() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let _alone = alone();
    let sizes = Sizes { cgroups: 64, ..Options::default().sizes };
    let outcome = press("small", &Options { sizes, ..Options::default() }, ALL_COUNTED);
    outcome.print("too small maps");
    assert!(outcome.lost("cgroup") > 0);
    let (real, doubt) = total(&outcome.truth);
    // On `other` is also what else went on in cgroups that found no room, such as the loops.
    let counted = outcome.counted_ns + outcome.other_ns;
    assert!(counted + doubt + real / 500 >= real, "{counted} of {real} ns, {doubt} of them in doubt");
    assert!(outcome.counted_ns <= real + doubt + real / 500, "{} of {real} ns", outcome.counted_ns);
    assert_eq!(outcome.falls, 0);
}
