//! Containers that live for milliseconds, on the real kernel: nothing that they used is lost, nothing is counted twice.
#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

mod common;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use common::{Folder, Truth, alone, burn, burner, host, on, owner_root, total, unable};
use yagura_exporter::{
    books::ledger,
    probes::lifetime::{Lifetime, Options},
};

/// Waits until the ledger has settled what went, then gives units and workloads below a folder.
fn settled(
    lifetime: &Lifetime,
    folder: &str,
    truth: &BTreeMap<String, Truth>,
) -> (Vec<ledger::Unit>, Vec<ledger::Workload>) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (units, workloads) = lifetime
            .read(|ledger| {
                let units: Vec<_> = ledger.units().filter(|unit| unit.path.starts_with(folder)).cloned().collect();
                let workloads = ledger.workloads().filter(|workload| workload.key.name.starts_with(folder));
                (units, workloads.cloned().collect::<Vec<_>>())
            })
            .unwrap();
        let exited: u64 = workloads.iter().flat_map(|workload| workload.exited).sum();
        let ended: u64 =
            units.iter().map(|unit| unit.totals.ended_ok + unit.totals.ended_error + unit.totals.ended_signal).sum();
        let all = exited >= truth.len() as u64 && ended >= truth.values().map(|truth| truth.processes).sum();
        if all || Instant::now() > deadline {
            return (units, workloads);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn containers_that_live_for_milliseconds_are_accounted_in_full() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    // What is lost is counted for the whole machine.
    let _alone = alone();
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let scratch = tempfile::tempdir().unwrap();
    let folder = Folder::make(&owner_root().unwrap(), "short");
    let truth = burn(&burner(scratch.path()), &folder.0, 200, [3, 20], 2);
    let (units, workloads) = settled(&lifetime, &folder.name(), &truth);

    let mut accounted = 0;
    for (name, real) in &truth {
        let path = format!("{}/{name}", folder.name());
        let unit = units.iter().find(|unit| unit.path == path).unwrap_or_else(|| panic!("{path} was missed"));
        let error = unit.totals.cpu_ns.abs_diff(real.cpu_ns);
        assert!(error < real.cpu_ns / 20 + 500_000 + real.doubt_ns, "{path}: {} of {real:?}", unit.totals.cpu_ns);
        let ended = unit.totals.ended_ok + unit.totals.ended_error + unit.totals.ended_signal;
        assert_eq!(ended, real.processes, "processes of {path}");
        if real.processes == 1 {
            assert_eq!(unit.status, Some(real.status), "status of {path}");
        }
        accounted += unit.totals.cpu_ns;
    }
    let (real, doubt) = total(&truth);
    let percent = accounted as f64 / real as f64 * 100.0;
    let doubt = doubt as f64 / real as f64 * 100.0;
    let (cgroups, real) = (truth.len(), real as f64 / 1e6);
    println!("{cgroups} cgroups, {real:.1} ms of CPU time, accounted {percent:.3} %, {doubt:.3} % in doubt");
    assert!((percent - 100.0).abs() <= 0.2 + doubt, "accounted {percent} %, {doubt} % in doubt");

    let sum: u64 = workloads.iter().map(|workload| workload.totals.cpu_ns).sum();
    assert_eq!(sum, accounted, "workloads and containers differ");
    let started: u64 = workloads.iter().map(|workload| workload.started).sum();
    let exited: u64 = workloads.iter().flat_map(|workload| workload.exited).sum();
    assert_eq!((started, exited), (truth.len() as u64, truth.len() as u64));
    assert!(lifetime.lost().iter().all(|(_, lost)| *lost == 0), "{:?}", lifetime.lost());
}

/// What came of a process with many threads that moved; times are CPU times in ns, of the cgroups before and after.
struct Swarm {
    counted: [u64; 2],
    /// As the threads clocked it, from their first line to their last.
    real: [u64; 2],
    /// As the kernel counted it (`cpu.stat`), to each thread's very end, which is in neither the threads' clocks nor the
    /// times of children that have ended.
    kernel: [u64; 2],
    /// What the threads cannot tell on which side of the move it was.
    doubt: u64,
    /// Threads that were not seen to move.
    lost: u64,
}

impl Swarm {
    /// Whether what was counted is no less than `real` and no more than `kernel`, as far as the threads know.
    fn fits(&self, counted: u64, real: u64, kernel: u64) -> bool {
        let doubt = real / 50 + 3_000_000 + self.doubt;
        counted + doubt > real && counted < kernel + doubt
    }
}

impl std::fmt::Display for Swarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { counted, real, kernel, doubt, lost } = self;
        write!(f, "{counted:?} of {real:?} ns, {kernel:?} by the kernel, {doubt} in doubt, {lost} not seen to move")
    }
}

/// CPU time of a cgroup as its `cpu.stat` has it, in ns.
fn usage_of(cgroup: &std::path::Path) -> u64 {
    let stat = std::fs::read(cgroup.join("cpu.stat")).unwrap();
    let (_, micros) = kernfs::text::pairs(&stat).find(|(key, _)| *key == b"usage_usec").unwrap();
    micros * 1_000
}

/// Has a process with so many threads move.
fn swarm(threads: usize) -> Swarm {
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let scratch = tempfile::tempdir().unwrap();
    let folder = Folder::make(&owner_root().unwrap(), &format!("swarm{threads}"));
    let both = ["from", "to"].map(|name| folder.0.join(name));
    for cgroup in &both {
        std::fs::create_dir(cgroup).unwrap();
    }
    let mut command = std::process::Command::new(burner(scratch.path()));
    let done = command.arg("swarm").args(&both).args([threads.to_string(), "200".into()]).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [from, to, doubt] = numbers.as_slice() else { panic!("{text}") };
    let kernel = both.each_ref().map(|cgroup| usage_of(cgroup));
    let counted = |lifetime: &Lifetime| {
        let of = |ledger: &ledger::Ledger, name: &str| {
            let path = format!("{}/{name}", folder.name());
            ledger.units().find(|unit| unit.path == path).map_or(0, |unit| unit.totals.cpu_ns)
        };
        lifetime.read(|ledger| ["from", "to"].map(|name| of(ledger, name))).unwrap()
    };
    let all = testkit::wait_for(Duration::from_secs(10), || {
        let counted = counted(&lifetime);
        (counted.iter().sum::<u64>() >= from + to).then_some(counted)
    });
    let lost = lifetime.lost().into_iter().find(|(what, _)| *what == "move").unwrap().1;
    let counted = all.unwrap_or_else(|| counted(&lifetime));
    Swarm { counted, real: [*from, *to], kernel, doubt: *doubt, lost }
}

#[test]
fn threads_of_a_process_that_moves_count_where_they_ran() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    // What is lost is counted for the whole machine.
    let _alone = alone();
    let swarm = swarm(300);
    println!("300 threads: {swarm}");
    assert_eq!(swarm.lost, 0);
    for side in [0, 1] {
        assert!(swarm.fits(swarm.counted[side], swarm.real[side], swarm.kernel[side]), "{swarm}");
    }
}

#[test]
fn threads_that_are_too_many_to_be_seen_to_move_are_counted_as_lost() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    // What is lost is counted for the whole machine.
    let _alone = alone();
    let swarm = swarm(700);
    println!("700 threads: {swarm}");
    assert!(swarm.lost >= 700 - 512, "{swarm}");
    let [counted, real, kernel] = [swarm.counted, swarm.real, swarm.kernel].map(|sides| sides.iter().sum());
    assert!(swarm.fits(counted, real, kernel), "{swarm}");
}

#[test]
fn a_process_that_has_ended_is_not_moved_and_its_end_counts_once() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let _alone = alone();
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let folder = Folder::make(&owner_root().unwrap(), "ended");
    let [home, other] = ["home", "other"].map(|name| folder.0.join(name));
    for cgroup in [&home, &other] {
        std::fs::create_dir(cgroup).unwrap();
    }
    let join = format!("echo 0 > {}/cgroup.procs", home.display());
    let mut child = std::process::Command::new("sh").args(["-c", &join]).spawn().unwrap();
    let stat = format!("/proc/{}/stat", child.id());
    let ended = || std::fs::read_to_string(&stat).is_ok_and(|text| text.contains(") Z ")).then_some(());
    testkit::wait_for(Duration::from_secs(10), ended).unwrap();
    // Whether the kernel refuses it or does nothing is the kernel's affair.
    let moved = std::fs::write(other.join("cgroup.procs"), child.id().to_string());
    child.wait().unwrap();
    let of = |name: &str| {
        let path = format!("{}/{name}", folder.name());
        let found = |ledger: &ledger::Ledger| ledger.units().find(|unit| unit.path == path).cloned();
        lifetime.read(found).unwrap()
    };
    let ends = || of("home").map_or((0, 0), |unit| (unit.totals.ended_ok, unit.totals.tasks_ended));
    testkit::wait_for(Duration::from_secs(10), || (ends() == (1, 1)).then_some(())).unwrap();
    // The kernel frees the task some time after its end.
    let again = testkit::wait_for(Duration::from_millis(700), || (ends() != (1, 1)).then(ends));
    assert_eq!(again, None, "{moved:?}");
    assert!(of("other").is_none(), "nothing ran there");
    assert_eq!(lifetime.lost().into_iter().find(|(what, _)| *what == "move").unwrap().1, 0, "{moved:?}");
}
