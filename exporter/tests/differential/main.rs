//! Every counter of every view lies between two plain reads of the kernel's own file, under load.
//!
//! The table of [`containers`] and [`node`] says, for each family, which field of which file it must agree with; a
//! family of a collector that is on by default and that the table does not know fails the test. `DIFFERENTIAL_SECONDS`
//! sets how long it runs.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and reports by printing"
)]

mod containers;
mod load;
mod node;
mod oracle;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use kernfs::{Budget, Host, Reader};
use metric::{Batch, Desc, Kind, Sample};
use yagura_exporter::{
    collectors,
    config::Config,
    identity::{Layout, Tree},
    scrape::Engine,
    spec::{Context, View},
};

use load::Container;
use oracle::{Files, Oracle, Plain, Series};

/// Counters that are compared with no file, by their whole names. What eBPF programs count is in no file at all, and
/// compared with what was done in `tests/probe_*.rs`.
const WITHOUT_FILE: &[(&str, &str)] = &[
    ("node_timex_pps_jitter_total", BY_CALL),
    ("node_timex_pps_calibration_total", BY_CALL),
    ("node_timex_pps_error_total", BY_CALL),
    ("node_timex_pps_stability_exceeded_total", BY_CALL),
    ("node_cpu_core_throttles_total", OF_HARDWARE),
    ("node_cpu_package_throttles_total", OF_HARDWARE),
    ("workload_cpu_requested_seconds_total", OF_PODS),
    ("workload_cpu_used_seconds_total", OF_PODS),
    ("workload_memory_requested_byte_seconds_total", OF_PODS),
    ("workload_memory_used_byte_seconds_total", OF_PODS),
    ("workload_cost_total", OF_PODS),
    ("process_cpu_seconds_total", OF_ITSELF),
    ("process_network_receive_bytes_total", OF_ITSELF),
    ("process_network_transmit_bytes_total", OF_ITSELF),
];
/// Counters of hardware and file systems that this machine has not got, by how their names begin: `cargo xtask parity node
/// --fixtures` holds each against `node_exporter`.
const ON_FIXTURES: &[&str] = &[
    "node_bcache_",
    "node_bcachefs_",
    "node_btrfs_",
    "node_fibrechannel_",
    "node_infiniband_",
    "node_ipvs_",
    "node_nfs_",
    "node_nfsd_",
    "node_rapl_",
    "node_tape_",
    "node_xfs_",
];
const BY_CALL: &str = "told by a system call, and 0 without a pulse-per-second device";
const OF_PODS: &str = "summed up over time, for pods that Kubernetes tells of; there are none here";
const OF_ITSELF: &str = "of the process that reads, which uses more while it is compared";
const OF_HARDWARE: &str = "of hardware; the file is found by topology, which the fixtures test";

/// Families of unknown type whose fields rise too.
const RISING: &[&str] = &["node_vmstat_", "node_netstat_"];
/// Of those, what does not.
const NOT_RISING: &[&str] = &["node_netstat_Tcp_CurrEstab", "node_netstat_Ip_Forwarding"];

fn rises(desc: &Desc) -> bool {
    let field = RISING.iter().any(|start| desc.name.starts_with(start)) && !NOT_RISING.contains(&desc.name);
    desc.kind == Kind::Counter || field
}

fn excused(family: &str) -> bool {
    WITHOUT_FILE.iter().any(|(name, _)| *name == family) || ON_FIXTURES.iter().any(|start| family.starts_with(start))
}

/// However slow the machine: series are met, compared, and compared again.
const LEAST_ROUNDS: u32 = 4;
/// And longer than asked for, until the load has moved what it moves.
const LOAD_TIMEOUT: Duration = Duration::from_mins(1);

/// Rising families of collectors that are on by default.
fn declared() -> BTreeSet<&'static str> {
    let on = collectors::ALL.iter().filter(|spec| spec.default_on);
    let families = on.flat_map(|spec| spec.shows).flat_map(|(_, families)| families.iter());
    families.filter(|desc| rises(desc)).map(|desc| desc.name).collect()
}

fn table() -> Vec<Oracle> {
    [containers::table(), node::table()].concat()
}

#[test]
fn every_counter_says_what_it_must_agree_with() {
    let table = table();
    let families = declared();
    let missing: Vec<_> =
        families.iter().filter(|family| !excused(family) && !table.iter().any(|row| row.is_of(family))).collect();
    assert!(missing.is_empty(), "these counters are in no row of the table: {missing:#?}");
    let unknown: Vec<_> =
        table.iter().filter(|row| !families.iter().any(|family| row.is_of(family))).map(|row| row.family).collect();
    assert!(unknown.is_empty(), "rows of families that there are not: {unknown:#?}");
    for start in ON_FIXTURES {
        assert!(families.iter().any(|family| family.starts_with(start)), "{start} is excused, and there is none");
    }
    for (name, _) in WITHOUT_FILE {
        assert!(families.contains(name), "{name} is excused, and there is none");
        assert!(!table.iter().any(|row| row.is_of(name)), "{name} is excused, and has a row");
    }
}

#[test]
fn every_counter_lies_between_two_plain_reads() {
    if !testkit::is_root() {
        return testkit::skipped("making cgroups with load in them takes root");
    }
    if is_init_hidden() {
        return again_where_init_is_ours("every_counter_lies_between_two_plain_reads");
    }
    let seconds = testkit::given("DIFFERENTIAL_SECONDS").and_then(|text| text.parse().ok()).unwrap_or(60);
    // Not in /tmp, which may be in memory.
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let containers = load::start(scratch.path()).unwrap();
    let mut check = Check::new(containers);
    let started = Instant::now();
    let until = started + Duration::from_secs(seconds);
    let mut rounds = 0;
    while Instant::now() < until
        || rounds < LEAST_ROUNDS
        || (check.waits_for_load() && Instant::now() < until + LOAD_TIMEOUT)
    {
        rounds += 1;
        for view in View::ALL {
            check.round(view, Options::Default);
        }
        check.round(View::Node, Options::All);
        std::thread::sleep(Duration::from_millis(20));
    }
    check.report(started.elapsed().as_secs());
}

/// Whether process 1 may not be looked into, as where it has a capability that this process lacks: then nobody can tell
/// which network namespaces are not the machine's, and pods have no network series in our own view.
fn is_init_hidden() -> bool {
    std::fs::metadata("/proc/1/ns/net").is_err()
}

/// Runs this test again in a process namespace of its own, whose process 1 it can look into.
fn again_where_init_is_ours(test: &str) {
    let mut command = std::process::Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(std::env::current_exe().unwrap());
    let status = command.args(["--exact", test, "--nocapture"]).status().unwrap();
    assert!(status.success(), "{status}");
}

/// Options that bring families which are off by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Options {
    Default,
    All,
}

struct Check {
    engine: Engine,
    with_options: Engine,
    batch: Batch,
    table: Vec<Oracle>,
    containers: Vec<Container>,
    /// What each series must agree with; empty for those that are not looked at.
    known: BTreeMap<String, Vec<Plain>>,
    compared: BTreeMap<&'static str, Compared>,
    comparisons: u64,
    violations: Vec<String>,
}

#[derive(Default)]
struct Compared {
    first: BTreeMap<String, f64>,
    rose: bool,
}

impl Check {
    fn new(containers: Vec<Container>) -> Self {
        let host = Host::open("/proc".as_ref(), "/sys".as_ref(), "/sys/fs/cgroup".as_ref(), "/".as_ref()).unwrap();
        let host = Arc::new(host);
        let layout = Arc::new(Layout::find(&host, &mut Reader::default()).unwrap());
        let engine = |config: Config| {
            let tree = Tree::new(Arc::clone(&host), Arc::clone(&layout), Budget::new(10_000)).unwrap();
            let context = Context::alone(Arc::clone(&host), config);
            Engine::new(collectors::ALL, |spec| spec.default_on, &context, tree)
        };
        let mut all = Config::default();
        all.collector.netdev.enable_detailed_metrics = true;
        all.collector.stat.softirq = true;
        Self {
            engine: engine(Config::default()),
            with_options: engine(all),
            batch: Batch::default(),
            table: table(),
            containers,
            known: BTreeMap::new(),
            compared: BTreeMap::new(),
            comparisons: 0,
            violations: Vec::new(),
        }
    }

    /// Plain read, scrape, plain read. A series that is new in this round is compared from the next on.
    fn round(&mut self, view: View, options: Options) {
        let prefix = format!("{} {options:?} ", view.path());
        let paths: BTreeSet<PathBuf> = self
            .known
            .iter()
            .filter(|(series, _)| series.starts_with(&prefix))
            .flat_map(|(_, sources)| sources.iter().flat_map(|source| source.paths().map(PathBuf::from)))
            .collect();
        let before = read(&paths);
        let deadline = Instant::now() + Duration::from_secs(30);
        let engine = if options == Options::All { &mut self.with_options } else { &mut self.engine };
        engine.scrape(view, deadline, |_| true, &mut self.batch);
        let after = read(&paths);

        let batch = std::mem::take(&mut self.batch);
        for desc in batch.families().filter(|desc| rises(desc) && !excused(desc.name)) {
            for sample in batch.samples(desc) {
                let labels = labels(&sample);
                let series = format!("{prefix}{}{labels:?}", desc.name);
                if let Some(sources) = self.known.get(&series) {
                    let bounds = sources.iter().find_map(|source| source.bounds(&before, &after));
                    self.compare(desc.name, series, sample.number(), bounds);
                } else {
                    let sources = self.sources(desc.name, &labels);
                    self.known.insert(series, sources);
                }
            }
        }
        self.batch = batch;
    }

    fn compare(&mut self, family: &'static str, series: String, shown: f64, bounds: Option<(f64, f64)>) {
        let Some((least, most)) = bounds else { return };
        self.comparisons += 1;
        // The same number may be rounded in two ways.
        let slack = 1e-9 + most.abs() * 1e-12;
        if shown < least - slack || shown > most + slack {
            self.violations.push(format!("{series}: {shown} is not between {least} and {most}"));
        }
        let compared = self.compared.entry(family).or_default();
        compared.rose |= *compared.first.entry(series).or_insert(shown) < shown;
    }

    /// Empty for cgroups of others, which may go and come back between the reads.
    fn sources(&self, family: &str, labels: &BTreeMap<String, String>) -> Vec<Plain> {
        let Some(row) = self.table.iter().find(|row| row.fits(family, labels)) else {
            panic!("{family}{labels:?} is in no row of the table");
        };
        let is_of = |container: &&Container| {
            let named = |label: &str, value: &str| labels.get(label).is_some_and(|found| found == value);
            named("id", container.cgroup.path()) || named("container", &container.id) || named("pod", &container.pod)
        };
        let container = self.containers.iter().find(is_of);
        let id = labels.get("id").map(String::as_str);
        let above = id.filter(|id| *id == "/" || id.trim_start_matches('/').starts_with(load::FOLDER));
        let cgroup = container.map(|container| container.cgroup.path()).or(above);
        let is_cgroups = ["id", "container", "pod"].iter().any(|name| labels.contains_key(*name));
        if is_cgroups && cgroup.is_none() {
            return Vec::new();
        }
        let pid = container.map(Container::pid).or((id == Some("/")).then_some(1));
        let rest = row.family.strip_suffix('*').and_then(|start| family.strip_prefix(start)).unwrap_or("");
        let series = Series { labels, cgroup, pid, rest };
        row.sources.iter().filter_map(|source| Plain::of(source, &series)).collect()
    }

    fn has_risen(&self, family: &str) -> bool {
        self.compared.get(family).is_some_and(|compared| compared.rose)
    }

    fn waits_for_load(&self) -> bool {
        !MUST_RISE.iter().all(|family| self.has_risen(family))
    }

    fn report(mut self, seconds: u64) {
        let declared = declared();
        let seen: BTreeSet<&str> = self.compared.keys().copied().collect();
        let rose = self.compared.values().filter(|compared| compared.rose).count();
        println!(
            "{} comparisons over {} counter families in {seconds} s ({rose} of them rose), {} violations",
            self.comparisons,
            seen.len(),
            self.violations.len()
        );
        for (name, why) in WITHOUT_FILE {
            println!("not compared: {name}: {why}");
        }
        let absent: Vec<_> = declared.iter().filter(|family| !seen.contains(**family) && !excused(family)).collect();
        println!("without a series on this machine: {absent:?}");
        self.containers.clear();
        self.violations.truncate(40);
        assert!(self.violations.is_empty(), "{:#?}", self.violations);
        for family in MUST_RISE {
            assert!(self.has_risen(family), "{family} did not rise: no load?");
        }
    }
}

/// What the load moves on every kernel; without it the comparison would prove little.
const MUST_RISE: &[&str] = &[
    "container_cpu_usage_seconds_total",
    "container_cpu_cfs_throttled_periods_total",
    "container_cpu_time_seconds_total",
    "container_memory_failures_total",
    "container_memory_failcnt",
    "container_memory_page_faults_total",
    "container_oom_events_total",
    "container_fs_writes_bytes_total",
    "container_io_bytes_total",
    "container_network_transmit_bytes_total",
    "pod_network_packets_total",
    "container_tasks_refused_total",
];

fn read(paths: &BTreeSet<PathBuf>) -> Files {
    paths.iter().map(|path| (path.clone(), std::fs::read_to_string(path).ok())).collect()
}

fn labels(sample: &Sample<'_>) -> BTreeMap<String, String> {
    sample.labels().all().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
