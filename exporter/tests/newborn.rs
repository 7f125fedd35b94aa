//! Counters of the cAdvisor view over time, on this machine: containers that come and go between two scrapes add up to
//! what they used, whoever scrapes.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and reports by printing")]

mod machine;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use expo::Exposition;
use machine::{Agent, off, program};
use testkit::{Cgroup, Child, Limits, container_id, wait_for};
use yagura_exporter::spec::View;

const CPU: &str = "container_cpu_usage_seconds_total";
const SENT: &str = "container_network_transmit_packets_total";
/// Pages for which what is gone stays.
const TIMES: usize = 20;

/// What it does: it leaves the machine's network for one of its own, as a runtime does after it has joined a cgroup,
/// computes, and sends datagrams.
const LIFE: &str = "exec unshare --net bash -c 'ip link add eth0 type veth peer name peer0 && ip link set peer0 up && ip addr add 10.9.0.1/24 dev eth0 && \
    ip link set eth0 up && ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:01 dev eth0; echo 1 > /dev/udp/10.9.0.2/9; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; \
    sleep 1; cat /proc/self/net/dev > $TRAFFIC'";

/// The values of a family by path, of network families those of `eth0`.
fn values(page: &Exposition, family: &str) -> BTreeMap<String, f64> {
    let samples = page.samples().map(|(_, sample)| sample).filter(|sample| sample.name == family);
    let samples = samples.filter(|sample| sample.label("interface").is_none_or(|name| name == "eth0"));
    samples.filter_map(|sample| Some((sample.label("id")?.to_owned(), sample.value))).collect()
}

fn page(agent: &Agent, scraper: &str) -> Exposition {
    let reply = agent.get(&format!("{}?scraper={scraper}", View::Cadvisor.path())).unwrap();
    expo::parse(&reply.body, expo::Format::Text004).unwrap()
}

/// What the kernel says that a cgroup used, in seconds.
fn used(path: &str) -> f64 {
    let below = path.trim_start_matches('/');
    let read = |file: PathBuf| std::fs::read_to_string(file).ok();
    if let Some(ns) = read(Path::new("/sys/fs/cgroup/cpuacct").join(below).join("cpuacct.usage")) {
        return ns.trim().parse::<f64>().unwrap() / 1e9;
    }
    let stat = read(Path::new("/sys/fs/cgroup").join(below).join("cpu.stat")).unwrap();
    let micros = stat.lines().find_map(|line| line.strip_prefix("usage_usec ")).unwrap();
    micros.parse::<f64>().unwrap() / 1e6
}

/// Packets that left by `eth0`, by the kernel's own file inside.
fn sent(file: &Path) -> f64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("eth0:")).unwrap_or_default();
    line.split_whitespace().nth(9).and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

#[test]
fn containers_between_two_scrapes_add_up_for_each_scraper() {
    if !testkit::is_root() {
        return testkit::skipped("making cgroups needs root");
    }
    let mut command = program();
    command.args(["--cadvisor.counters=over-time", "--cadvisor.cgroups=all", "--log.level=warn"]);
    let agent = Agent::start(&mut command);
    if let Some(reason) = off(&agent.page(View::Own), "lifetime") {
        return testkit::skipped(&format!("lifetime is off: {reason}"));
    }
    let scratch = tempfile::tempdir().unwrap();
    for scraper in ["fast", "slow"] {
        page(&agent, scraper);
    }
    let mut truth = BTreeMap::new();
    for number in 0..4 {
        let path = format!("/yagura-newborn/{}", container_id(77, number));
        let traffic = scratch.path().join(number.to_string());
        let cgroup = Cgroup::make(&path, Limits::default()).unwrap();
        let start = scratch.path().join(format!("start{number}"));
        let life = format!("while [ ! -e {} ]; do sleep 0.01; done; {LIFE}", start.display());
        let mut process = Child::quiet(Command::new("sh").args(["-c", &life]).env("TRAFFIC", &traffic)).unwrap();
        cgroup.add(process.id()).unwrap();
        std::fs::write(&start, "").unwrap();
        let status = process.handle().wait().unwrap();
        assert!(status.success(), "{status}");
        // The agent reads when the last process has ended; a runtime removes the cgroup some milliseconds later.
        std::thread::sleep(Duration::from_millis(200));
        truth.insert(path.clone(), (used(&path), sent(&traffic)));
        drop(cgroup);
    }
    assert!(truth.values().all(|(cpu, sent)| *cpu > 0.0 && *sent > 0.0), "{truth:?}");
    let there = |values: &BTreeMap<String, f64>| truth.keys().filter(|path| values.contains_key(*path)).count();
    // The books settle within seconds.
    std::thread::sleep(Duration::from_secs(3));
    for scraper in ["fast", "slow"] {
        let first = page(&agent, scraper);
        for family in [CPU, SENT] {
            let values = values(&first, family);
            assert_eq!(there(&values), truth.len(), "{scraper} has {family} of all");
            assert!(truth.keys().all(|path| values.get(path) == Some(&0.0)), "{scraper}: {family} begins with zero");
        }
        assert_eq!(there(&values(&first, "container_memory_usage_bytes")), 0, "gauges go at once");
        for _ in 0..TIMES {
            let later = page(&agent, scraper);
            let (cpus, packets) = (values(&later, CPU), values(&later, SENT));
            for (path, (cpu, sent)) in &truth {
                let (shown, packets) = (cpus.get(path).unwrap(), packets.get(path).unwrap());
                assert!((shown - cpu).abs() < cpu * 0.01 + 0.002, "{scraper}: {shown} of {cpu} s of {path}");
                // The kernel may send some of its own after the last look.
                assert!((*sent..sent + 4.0).contains(packets), "{scraper}: {packets} of {sent} packets of {path}");
            }
        }
        assert_eq!(there(&values(&page(&agent, scraper), CPU)), 0, "{scraper} has had them often enough");
    }
    // One that comes later sees nothing of them, nor does anybody after a restart.
    assert_eq!(there(&values(&page(&agent, "late"), CPU)), 0);
    let own = wait_for(Duration::from_secs(10), || {
        page(&agent, "fast");
        let page = agent.page(View::Own);
        let gone = page.samples().find(|(_, sample)| sample.name == "yagura_cgroups_gone").map(|(_, s)| s.value);
        gone.filter(|gone| *gone < truth.len() as f64)
    });
    assert!(own.is_some(), "what everybody has had is forgotten");
}
