//! `cargo xtask proof newborn`: containers that live for 0.05 to 5 s, the agent, and two real Prometheus that scrape its
//! cAdvisor view at four intervals each; each of the eight must have what the containers used, from counters alone.
//!
//! A container is what a runtime makes of it: a cgroup with a quota in every hierarchy, a process that joins it, gets a
//! network namespace of its own, computes over its quota and sends datagrams. When it has ended its cgroup is removed at
//! once. The truth is what the kernel's files say between the two, and `/proc/net/dev` inside the namespace at the end.

#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};

use crate::agent::{self, Agent};
use crate::args::Args;
use crate::peers::{PROMETHEUS_2, PROMETHEUS_3};
use crate::prometheus::Prometheus;
use crate::skip::Skip;
use crate::{cargo, cluster, debian, places, process};

/// Seconds between scrapes, and the most that may be shown beyond the truth.
const INTERVALS: [(u64, f64); 4] = [(5, 0.05), (15, 0.05), (30, 0.05), (60, 0.15)];
/// The least that must be shown.
const LEAST: f64 = 0.99;
/// Pages for which the agent shows what is gone, and two more.
const PAGES: u64 = 23;

/// Families that are compared: name, selector, where the truth is in [`Used`].
const FAMILIES: [(&str, &str, usize); 6] = [
    ("container_cpu_usage_seconds_total", "", 0),
    ("container_network_transmit_bytes_total", ",interface=\"eth0\"", 1),
    ("container_network_transmit_packets_total", ",interface=\"eth0\"", 2),
    ("container_memory_failures_total", ",failure_type=\"pgfault\",scope=\"hierarchy\"", 3),
    ("container_cpu_cfs_throttled_periods_total", "", 4),
    ("container_cpu_cfs_throttled_seconds_total", "", 5),
];

/// What containers used, in the order of [`FAMILIES`].
type Used = [f64; FAMILIES.len()];

/// `cargo xtask proof newborn [--count=N] [--seconds=N] [--most=SECONDS] [--built]`: N containers (200) begin in N seconds
/// (300); intervals of at most so many seconds (60); `--built` takes the newest binary that is there.
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let number = |text: Option<String>, default| text.map_or(Ok(default), |text| text.parse::<u64>());
    let count = number(args.option("--count")?, 200)?;
    let seconds = number(args.option("--seconds")?, 300)?;
    let most = number(args.option("--most")?, 60)?;
    let is_built = args.flag("--built");
    args.finish()?;
    if !process::is_root() {
        return Err(Skip("making cgroups needs root".to_owned()).into());
    }
    if !debian::is_here() {
        return Err(Skip("Debian's package tools are not installed".to_owned()).into());
    }
    if !is_built {
        process::run(&mut cargo::command(&["build", "--release", "--package", "yagura-exporter"]))?;
    }
    prove(count, seconds, most)
}

fn prove(count: u64, seconds: u64, most: u64) -> Result<()> {
    let intervals: Vec<_> = INTERVALS.into_iter().filter(|(every, _)| *every <= most).collect();
    let folder = Folder::make()?;
    let flags = ["--log.level=warn", "--cadvisor.counters=over-time", "--cadvisor.cgroups=all"].map(str::to_owned);
    let agent = Agent::start(&agent::binary()?, &flags)?;
    let config = configuration(agent.url(), &intervals);
    let both = [
        ("Prometheus 2", Prometheus::with(&PROMETHEUS_2.path()?, &config, "proof-newborn-2", &[])?),
        ("Prometheus 3", Prometheus::with(&PROMETHEUS_3.path()?, &config, "proof-newborn-3", &[])?),
    ];
    let slowest = intervals.iter().map(|(every, _)| *every).max().unwrap_or_default();
    for (_, prometheus) in &both {
        process::wait_for("Prometheus to scrape at each interval", Duration::from_secs(slowest * 2 + 20), || {
            prometheus.query("up == 1").is_ok_and(|rows| rows.len() == intervals.len())
        })?;
    }
    // One more page each: a scraper is known from its first page on.
    std::thread::sleep(Duration::from_secs(slowest));
    let begin = epoch();
    let (truth, lived) = live(&folder, count, seconds)?;
    println!(
        "  {count} containers that lived {:.2} s on average, {:.1} s in all: {truth:?}",
        lived / count as f64,
        lived
    );
    std::thread::sleep(Duration::from_secs(slowest * PAGES));
    let end = epoch();
    let mut failures = Vec::new();
    for (name, prometheus) in &both {
        for (every, above) in &intervals {
            compare(name, prometheus, &folder, (*every, *above), [begin, end], &truth, &mut failures)?;
        }
    }
    let page = agent.page("/metrics")?;
    for line in page.lines().filter(|line| line.starts_with("yagura_cgroups_gone")) {
        println!("  {line}");
    }
    if failures.is_empty() {
        Ok(())
    } else {
        bail!("{} figures are out of bounds:\n{}", failures.len(), failures.join("\n"))
    }
}

fn epoch() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn configuration(agent: &str, intervals: &[(u64, f64)]) -> String {
    let target = agent.trim_start_matches("http://");
    let mut text = "scrape_configs:\n".to_owned();
    for (every, _) in intervals {
        let _ = writeln!(
            text,
            "- {{job_name: every-{every}, metrics_path: /metrics/cadvisor, scrape_interval: {every}s, scrape_timeout: {}s, \
             params: {{scraper: [every-{every}]}}, static_configs: [{{targets: ['{target}']}}]}}",
            (every - 1).min(30)
        );
    }
    text
}

/// Compares what one Prometheus has from one interval with the truth.
fn compare(
    name: &str,
    prometheus: &Prometheus,
    folder: &Folder,
    (every, above): (u64, f64),
    [begin, end]: [f64; 2],
    truth: &Used,
    failures: &mut Vec<String>,
) -> Result<()> {
    let window = (end - begin + 120.0).ceil();
    let mut line = format!("  {name}, each {every} s: increase/rate over the truth");
    for (family, selector, at) in FAMILIES {
        let series = format!("{family}{{job=\"every-{every}\",id=~\"{}/.+\"{selector}}}", folder.name);
        let truth = truth[at];
        if truth == 0.0 {
            let _ = write!(line, ", {family} none");
            continue;
        }
        let whole = prometheus.value_at(&format!("sum(increase({series}[{window}s]))"), end)? / truth;
        let rates = mean_of_rates(prometheus, &series, [begin, end])? / truth;
        let falls = prometheus.value_at(&format!("sum(resets({series}[{window}s]))"), end)?;
        let _ = write!(line, ", {} {whole:.3}/{rates:.3}", family.trim_start_matches("container_"));
        let is_right = |ratio: f64| (LEAST..=1.0 + above).contains(&ratio);
        if falls != 0.0 {
            failures.push(format!("{name}, each {every} s: {family} fell {falls} times"));
        }
        for (what, ratio) in [("increase", whole), ("rate", rates)] {
            if !is_right(ratio) {
                failures.push(format!("{name}, each {every} s: {what} of {family} is {ratio:.3} of the truth"));
            }
        }
    }
    let failed = prometheus
        .value_at(&format!("count_over_time((up{{job=\"every-{every}\"}} == 0)[{window}s:{every}s])"), end)?;
    println!("{line}; {failed} scrapes failed");
    Ok(())
}

/// The mean of the rate over five minutes, times the time: what a board adds up.
fn mean_of_rates(prometheus: &Prometheus, series: &str, [begin, end]: [f64; 2]) -> Result<f64> {
    const STEP: u64 = 5;
    let past = Duration::from_secs_f64(end - begin).as_secs();
    let rows = prometheus.range(&format!("sum(rate({series}[5m]))"), past, STEP)?;
    let values = rows.iter().flat_map(|row| row["values"].as_array().into_iter().flatten());
    let numbers = values.filter_map(|value| value[1].as_str()?.parse::<f64>().ok());
    Ok(numbers.sum::<f64>() * STEP as f64)
}

/// A folder in every hierarchy, as a runtime has, and one for files.
struct Folder {
    name: String,
    roots: Vec<PathBuf>,
    scratch: PathBuf,
}

impl Folder {
    fn make() -> Result<Self> {
        let name = format!("/yagura-newborn-{}", std::process::id());
        let scratch = places::cache("scratch")?.join(&name[1..]);
        fs::create_dir_all(&scratch)?;
        let roots: Vec<PathBuf> = cluster::hierarchies().into_iter().map(|dir| dir.join(&name[1..])).collect();
        let folder = Self { name, roots, scratch };
        for root in &folder.roots {
            fs::create_dir(root).with_context(|| format!("cannot make {}", root.display()))?;
            prepare(root);
        }
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for root in &self.roots {
            for inner in fs::read_dir(root).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()) {
                fs::remove_dir(inner.path()).ok();
            }
            fs::remove_dir(root).ok();
        }
        fs::remove_dir_all(&self.scratch).ok();
    }
}

/// Gives a new cgroup what lets it hold processes, and its children controllers.
fn prepare(dir: &Path) {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if let Some(above) = dir.parent().and_then(|parent| fs::read_to_string(parent.join(file)).ok())
            && dir.join(file).exists()
        {
            fs::write(dir.join(file), above).ok();
        }
    }
    for controller in ["+cpu", "+memory", "+io", "+pids"] {
        fs::write(dir.join("cgroup.subtree_control"), controller).ok();
    }
}

/// A container that runs.
struct Container {
    dirs: Vec<PathBuf>,
    traffic: PathBuf,
    process: Child,
}

/// What a container does: it takes the network that a runtime gives, computes and sleeps by turns, and sends datagrams.
const LIFE: &str = "ip link add eth0 type veth peer name peer0 && ip link set peer0 up && ip addr add 10.9.0.1/24 dev eth0 && ip link set eth0 up && \
    ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:01 dev eth0; \
    turn() { i=0; while [ $i -lt 4000 ]; do i=$((i+1)); done; \
    echo 0123456789012345678901234567890123456789 > /dev/udp/10.9.0.2/9; }; \
    turn; while [ ${EPOCHREALTIME/./} -lt $UNTIL ]; do turn; sleep 0.05; done; cat /proc/self/net/dev > $TRAFFIC";

impl Container {
    fn start(folder: &Folder, number: u64, seconds: f64) -> Result<Self> {
        let id = format!("{:08x}{number:056x}", std::process::id());
        let dirs: Vec<PathBuf> = folder.roots.iter().map(|root| root.join(&id)).collect();
        let mut join = String::new();
        for dir in &dirs {
            fs::create_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
            prepare(dir);
            for (file, value) in [("cpu.cfs_quota_us", "20000"), ("cpu.max", "20000 100000")] {
                if dir.join(file).exists() {
                    fs::write(dir.join(file), value)?;
                }
            }
            let _ = write!(join, "echo 0 > {}/cgroup.procs; ", dir.display());
        }
        let traffic = folder.scratch.join(&id);
        let mut command = Command::new("bash");
        command.args(["-c", &format!("{join} exec unshare --net bash -c \"$LIFE\"")]).env("LIFE", LIFE);
        command.env("UNTIL", format!("{:.0}", (epoch() + seconds) * 1e6)).env("TRAFFIC", &traffic);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot start bash")?;
        Ok(Self { dirs, traffic, process })
    }

    /// What the kernel says that it used, if it has ended; its cgroups are gone then.
    fn ended(&mut self) -> Result<Option<Used>> {
        if self.process.try_wait()?.is_none() {
            return Ok(None);
        }
        let text = |name: &str| self.dirs.iter().find_map(|dir| fs::read_to_string(dir.join(name)).ok());
        let field = |text: Option<String>, key: &str| {
            let text = text.unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse::<f64>().ok());
            line.unwrap_or(0.0)
        };
        let stat = self.dirs.iter().filter_map(|dir| fs::read_to_string(dir.join("cpu.stat")).ok());
        let stat: String = stat.collect();
        let cpu = match text("cpuacct.usage") {
            Some(ns) => ns.trim().parse::<f64>()? / 1e9,
            None => field(Some(stat.clone()), "usage_usec") / 1e6,
        };
        let faults = field(text("memory.stat"), "total_pgfault").max(field(text("memory.stat"), "pgfault"));
        let throttled = field(Some(stat.clone()), "nr_throttled");
        let stalled =
            (field(Some(stat.clone()), "throttled_time") / 1e9).max(field(Some(stat), "throttled_usec") / 1e6);
        for dir in self.dirs.iter().rev() {
            process::wait_for("an empty cgroup", Duration::from_secs(10), || fs::remove_dir(dir).is_ok())?;
        }
        let traffic = fs::read_to_string(&self.traffic).context("a container has no network")?;
        let line = traffic.lines().find_map(|line| line.trim().strip_prefix("eth0:")).unwrap_or_default();
        let words: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let sent = |at: usize| words.get(at).copied().unwrap_or(0.0);
        Ok(Some([cpu, sent(8), sent(9), faults, throttled, stalled]))
    }
}

/// Has containers live, and gives what they used in all, and for how long they lived.
fn live(folder: &Folder, count: u64, seconds: u64) -> Result<(Used, f64)> {
    let (mut used, mut lived) = (Used::default(), 0.0);
    let mut running: Vec<(Container, Instant)> = Vec::new();
    let begin = Instant::now();
    let mut number = 0;
    while number < count || !running.is_empty() {
        if number < count && begin.elapsed().as_secs_f64() >= (number * seconds) as f64 / count as f64 {
            // From 0.05 to 5 s, as many below 0.5 s as above.
            let length = 0.05 * 100_f64.powf((number * 37 % count) as f64 / count as f64);
            running.push((Container::start(folder, number, length)?, Instant::now()));
            number += 1;
        }
        let mut still = Vec::new();
        for (mut container, since) in running {
            match container.ended()? {
                Some(its) => {
                    used.iter_mut().zip(its).for_each(|(sum, its)| *sum += its);
                    lived += since.elapsed().as_secs_f64();
                }
                None => still.push((container, since)),
            }
        }
        running = still;
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok((used, lived))
}
