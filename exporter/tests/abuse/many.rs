//! Much more of everything than any machine has.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use kernfs::{Budget, Host};
use metric::Batch;
use rustix::time::{ClockId, clock_gettime};
use testkit::pod_path;
use yagura_exporter::{collectors, report::Outcome, spec::View};

use crate::{
    machine::{engine_of, read, scrape},
    survived,
};

/// Files of a cgroup; all cgroups share them, which costs a link each.
const FILES: &[(&str, &str)] = &[
    ("cgroup.procs", ""),
    (
        "cpu.stat",
        "usage_usec 5000000\nuser_usec 3000000\nsystem_usec 2000000\nnr_periods 10\nnr_throttled 1\nthrottled_usec 9\n",
    ),
    ("memory.current", "4096000\n"),
    ("memory.stat", "anon 1000000\nfile 3000000\nkernel 96000\ninactive_file 1000000\npgfault 7\npgmajfault 1\n"),
    ("pids.current", "3\n"),
];

/// A tree of version 2 with so many pods of one container.
fn tree(root: &Path, pods: usize) {
    for name in ["cgroup", "proc", "sys", "rootfs", "files"] {
        fs::create_dir(root.join(name)).unwrap();
    }
    let top = root.join("cgroup");
    fs::write(top.join("cgroup.controllers"), "cpu memory pids\n").unwrap();
    for pod in 0..pods {
        let container = top.join(pod_path("kubepods", pod, 0).trim_start_matches('/'));
        fs::create_dir_all(&container).unwrap();
        for folder in [container.parent().unwrap(), &container] {
            for (name, content) in FILES {
                // A file has 65,000 links at most on some file systems.
                let source = root.join("files").join(format!("{name}-{}", pod / 20_000));
                if !source.exists() {
                    fs::write(&source, content).unwrap();
                }
                fs::hard_link(&source, folder.join(name)).unwrap();
            }
        }
    }
}

/// What a machine with so many pods costs.
struct Cost {
    cgroups: u64,
    rows: usize,
    /// CPU time of a scrape of the cAdvisor view for each cgroup.
    each: Duration,
    took: Duration,
}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

fn cost(pods: usize) -> Cost {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    tree(root.path(), pods);
    let host = Arc::new(Host::below(root.path()).unwrap());
    // Fewer than there are files, in both sizes.
    let mut engine = engine_of(collectors::ALL, &host, &Budget::new(1000));
    let mut batch = Batch::default();
    scrape(&mut engine, View::Cadvisor, &mut batch);
    let (start, begin) = (cpu_time(), Instant::now());
    let report = scrape(&mut engine, View::Cadvisor, &mut batch);
    let (spent, took) = (cpu_time().saturating_sub(start), begin.elapsed());
    let usage = batch.families().find(|desc| desc.name == "container_memory_usage_bytes").unwrap();
    let rows = batch.samples(usage).count();

    // A scraper with little patience gets what there was time for, and is told of the rest.
    let hurried = engine.scrape(View::Own, Instant::now() + Duration::from_millis(1), |_| true, &mut batch);
    assert!(hurried.runs.iter().any(|run| run.outcome == Outcome::Late), "{:?}", hurried.runs);
    read(&batch, expo::Format::Text004);

    let cgroups = report.figures.groups as u64;
    Cost { cgroups, rows, each: spent / u32::try_from(cgroups).unwrap(), took }
}

#[test]
fn fifty_thousand_cgroups_cost_each_what_a_tenth_do() {
    let pods = 25_000;
    let (few, many) = (cost(pods / 10), cost(pods));
    for (cost, pods) in [(&few, pods / 10), (&many, pods)] {
        let all = 2 * pods;
        assert!(cost.cgroups >= all as u64 && cost.rows >= all, "{} cgroups, {} rows", cost.cgroups, cost.rows);
    }
    survived(
        &format!("{} cgroups", 2 * pods),
        &format!(
            "{} rows in {:?}, {:?} of CPU each; {} in {:?}, {:?} each (not optimised)",
            many.rows, many.took, many.each, few.rows, few.took, few.each
        ),
    );
    assert!(many.each < 3 * few.each, "{:?} each, {:?} where they are few", many.each, few.each);
}

#[test]
fn a_megabyte_of_sysfs_is_no_label() {
    let root = tempfile::tempdir().unwrap();
    for name in ["cgroup", "proc", "sys/class/thermal/thermal_zone0", "rootfs"] {
        fs::create_dir_all(root.path().join(name)).unwrap();
    }
    fs::write(root.path().join("cgroup/cgroup.controllers"), "").unwrap();
    let zone = root.path().join("sys/class/thermal/thermal_zone0");
    fs::write(zone.join("type"), "x".repeat(1 << 20)).unwrap();
    fs::write(zone.join("temp"), "42000\n").unwrap();
    let host = Arc::new(Host::below(root.path()).unwrap());
    let mut engine = engine_of(collectors::ALL, &host, &Budget::new(1000));
    let mut batch = Batch::default();
    scrape(&mut engine, View::Node, &mut batch);
    let page = read(&batch, expo::Format::Text004);
    let zone = page.samples().find(|(_, sample)| sample.name == "node_thermal_zone_temp").unwrap().1;
    let longest = page.samples().flat_map(|(_, sample)| &sample.labels).map(|(_, value)| value.len()).max().unwrap();
    assert!((zone.value - 42.0).abs() < 1e-9 && longest == 4096, "{longest}");
    survived("an attribute of 1 MiB", &format!("the longest label has {longest} bytes"));
}
