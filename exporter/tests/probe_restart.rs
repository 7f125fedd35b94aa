//! An agent that is killed in the middle and started again: with pinned programs no counter falls and nothing is missing;
//! without, nothing of it stays in the kernel.
//!
//! `YAGURA_PROOF=1` makes it last a minute, with five kills.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

mod common;
mod machine;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use common::{BpfFs, Burning, Folder, alone, burner, is_proof, owner_root, total, unable};
use expo::{Exposition, ParsedKind};
use machine::{Agent, program};
use rustix::process::{Pid, Signal, kill_process};
use yagura_exporter::{probes::object::is_loaded, spec::View};

/// Families whose counts stay with the programs.
fn stays(name: &str) -> bool {
    let not_pinned = ["_network_", "_connections_", "_dns_", "_runqueue"];
    let ours =
        ["workload_", "container_processes_", "container_cpu_accounted_", "container_execs_", "container_oom_kill"];
    ours.iter().any(|start| name.starts_with(start)) && !not_pinned.iter().any(|part| name.contains(part))
}

/// Counters by series.
fn counters(page: &Exposition) -> BTreeMap<String, f64> {
    let families = page.families.iter().filter(|family| family.kind == ParsedKind::Counter && stays(&family.name));
    let samples = families.flat_map(|family| &family.samples);
    // Other tests may make a container of the same name again; not of these.
    let is_ours = |labels: &[(String, String)]| {
        let container = labels.iter().find(|(label, _)| label == "container");
        container.is_none_or(|(_, container)| container.starts_with("yagura-restart-"))
    };
    samples
        .filter(|sample| is_ours(&sample.labels))
        .map(|sample| (format!("{}{:?}", sample.name, sample.labels), sample.value))
        .collect()
}

/// What must not fall, over all agents.
#[derive(Default)]
struct Watch {
    last: BTreeMap<String, f64>,
    pages: u32,
}

impl Watch {
    fn see(&mut self, page: &Exposition) {
        let now = counters(page);
        let workloads = |all: &BTreeMap<String, f64>| -> BTreeSet<String> {
            all.keys().filter(|name| name.starts_with("workload_")).cloned().collect()
        };
        let gone: Vec<_> = workloads(&self.last).difference(&workloads(&now)).cloned().collect();
        assert!(gone.is_empty(), "gone on page {}: {gone:#?}", self.pages);
        for (series, value) in now {
            let last = self.last.entry(series.clone()).or_insert(value);
            assert!(value >= *last, "{series}: {value} after {last} on page {}", self.pages);
            *last = value;
        }
        self.pages += 1;
    }
}

fn kill(agent: Agent) {
    let pid = Pid::from_raw(i32::try_from(agent.id()).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    // Waits for its end.
    drop(agent);
}

/// Ids of the eBPF programs that a process holds.
fn programs(pid: u32) -> BTreeSet<u32> {
    let infos = std::fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap().flatten();
    let texts = infos.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    let id = |text: String| text.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok());
    texts.filter_map(id).collect()
}

fn all_end(ids: &BTreeSet<u32>) -> bool {
    testkit::wait_for(Duration::from_secs(20), || ids.iter().all(|id| !is_loaded(*id).unwrap()).then_some(())).is_some()
}

fn sum(page: &Exposition, name: &str, below: &str) -> f64 {
    let samples = page.samples().filter(|(_, sample)| sample.name == name);
    let of = |labels: &[(String, String)]| {
        let workload = labels.iter().find(|(label, _)| label == "workload");
        workload.is_some_and(|(_, workload)| workload.starts_with(below))
    };
    samples.filter(|(_, sample)| of(&sample.labels)).map(|(_, sample)| sample.value).sum()
}

#[test]
fn with_pinned_programs_no_counter_falls_and_nothing_is_missing() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let _alone = alone();
    let scratch = tempfile::tempdir().unwrap();
    let bpffs = match BpfFs::mount(scratch.path()) {
        Ok(bpffs) => bpffs,
        Err(error) => return testkit::skipped(&format!("no BPF file system can be mounted: {error}")),
    };
    let start = || {
        let (pin, books) = (bpffs.0.join("yagura"), scratch.path().join("books"));
        let mut command = program();
        command.args([format!("--probe.pin={}", pin.display()), format!("--probe.books={}", books.display())]);
        Agent::start(command.arg("--log.level=warn"))
    };
    let (kills, count) = if is_proof() { (5, 3000) } else { (2, 300 / testkit::patience() as usize) };
    let folder = Folder::make(&owner_root().unwrap(), "restart");
    let burner = burner(scratch.path());
    let mut watch = Watch::default();
    let mut agent = start();
    watch.see(&agent.page(View::Own));
    // Some 50 cgroups a second.
    let arguments = [count, 3, 20, 2, 28_000].map(|number: usize| number.to_string());
    let began = Instant::now();
    let mut burning = Burning::start(&burner, &folder.0, &arguments);
    let period = Duration::from_secs(count as u64 / 50) / (kills + 1);
    let mut killed = 0;
    // On a slow machine an agent takes longer to come up than the load lasts.
    while !burning.is_done() || killed < kills {
        if killed < kills && began.elapsed() > period * (killed + 1) {
            let ids = programs(agent.id());
            kill(agent);
            killed += 1;
            // Containers come and go meanwhile.
            std::thread::sleep(Duration::from_millis(700));
            let left = ids.iter().filter(|id| is_loaded(**id).unwrap()).count();
            assert!(left > 0, "no program stayed at work");
            agent = start();
        }
        watch.see(&agent.page(View::Own));
        std::thread::sleep(Duration::from_millis(250));
    }
    let took = began.elapsed();
    let truth = burning.truth();
    let cgroups = truth.len() as f64;
    let ended = |page: &Exposition| sum(page, "workload_containers_exited_total", &folder.name());
    let page = testkit::wait_for(Duration::from_secs(30), || {
        let page = agent.page(View::Own);
        watch.see(&page);
        (ended(&page) >= cgroups).then_some(page)
    });
    let page = page.unwrap_or_else(|| panic!("{} of {cgroups} ended", ended(&agent.page(View::Own))));
    let (real, doubt) = total(&truth);
    let counted = sum(&page, "workload_cpu_usage_seconds_total", &folder.name()) * 1e9;
    // Nested ones have a workload of their own: what is at the folder itself was found under its name.
    let direct: u64 = truth.iter().filter(|(name, _)| !name.contains('/')).map(|(_, truth)| truth.cpu_ns).sum();
    let here = sum(&page, "workload_cpu_usage_seconds_total", &folder.name())
        - sum(&page, "workload_cpu_usage_seconds_total", &format!("{}/", folder.name()));
    let percent = |counted: f64, real: u64| counted / real as f64 * 100.0;
    println!(
        "{cgroups} cgroups in {:.1} s, {killed} kills: counted {:.3} %, by name {:.3} %, {:.3} % in doubt; no counter of {} \
         series fell on {} pages",
        took.as_secs_f64(),
        percent(counted, real),
        percent(here * 1e9, direct),
        percent(doubt as f64, real),
        watch.last.len(),
        watch.pages
    );
    assert_eq!(killed, kills);
    let most = 0.2 + percent(doubt as f64, real);
    assert!((percent(counted, real) - 100.0).abs() <= most, "{} %", percent(counted, real));
    assert!((percent(here * 1e9, direct) - 100.0).abs() <= most, "{} %", percent(here * 1e9, direct));
    let started = sum(&page, "workload_containers_started_total", &folder.name());
    assert_eq!((started, ended(&page)), (cgroups, cgroups));

    // Whoever removes the folder ends them.
    let ids = programs(agent.id());
    kill(agent);
    std::fs::remove_dir_all(bpffs.0.join("yagura")).unwrap();
    assert!(all_end(&ids), "programs stay without their folder");
}

#[test]
fn without_pins_a_killed_agent_leaves_no_program() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let _alone = alone();
    let agent = Agent::start(program().arg("--log.level=warn"));
    let ids = programs(agent.id());
    let page = agent.page(View::Own);
    let memory = page.samples().find(|(_, sample)| sample.name == "yagura_probe_kernel_memory_bytes").unwrap().1.value;
    println!("{} programs while it runs; {:.2} MiB of kernel memory", ids.len(), memory / f64::from(1 << 20));
    assert!(memory > 0.0 && memory <= f64::from(16 << 20), "{memory} bytes");
    assert!(!ids.is_empty() && ids.iter().all(|id| is_loaded(*id).unwrap()));
    kill(agent);
    assert!(all_end(&ids), "programs stay");
}
