//! What dashboards and alerts read, against what the agent serves: every name with all the labels that are read.
//!
//! A name is served when the agent declares it with these labels, and when a real Prometheus, which scrapes the views
//! under the job names that kubernetes-mixin uses, has a series with all of them set. A name that this machine cannot
//! show is proved to be one: what it needs is looked for and must not be there.
#![allow(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::kubelet;
use crate::agent::{self, Agent};
use crate::args::{Args, usage};
use crate::peers::PROMETHEUS_3;
use crate::places;
use crate::prometheus::Prometheus;

/// Where a list's names come from, the view that shows them, the job name of the mixin, and the labels that targets get
/// from the cluster they are scraped in.
const SOURCES: [(&str, &str, &str, &[&str]); 2] = [
    ("cadvisor", "/metrics/cadvisor", "cadvisor", &["node"]),
    ("node_exporter", "/metrics/node", "node-exporter", &["namespace", "node", "pod"]),
];

/// Labels that every target has.
pub(crate) const OF_ANY_TARGET: &[&str] = &["cluster", "instance", "job", "metrics_path"];

/// Names that only other systems than Linux have.
const OF_OTHER_SYSTEMS: &[&str] = &[
    "node_memory_available_bytes",
    "node_memory_compressed_bytes",
    "node_memory_internal_bytes",
    "node_memory_purgeable_bytes",
    "node_memory_total_bytes",
    "node_memory_wired_bytes",
];

/// Labels that a consumer reads and that the replaced program does not give the name either.
const OF_NOBODY: &[(&str, &str, &str)] = &[
    ("container_fs_inodes_free", "name", "a kubelet has this name for the machine alone, whose row is called nothing"),
    ("node_bonding_active", "device", "the text of an alert says it where `master` is meant"),
    ("node_bonding_slaves", "device", "the text of an alert says it where `master` is meant"),
];

/// Names by how they start, what a machine needs to show them, and where that would be.
const NEEDS: &[(&str, &str, &[&str])] = &[
    ("node_bonding_", "bonded network devices", &["/sys/class/net/*/bonding"]),
    (
        "node_cpu_core_throttles_total",
        "CPUs that tell how often they throttled",
        &["/sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count"],
    ),
    ("node_edac_", "memory with error correction", &["/sys/devices/system/edac/mc/mc*"]),
    ("node_hwmon_temp_alarm", "a temperature sensor with an alarm", &["/sys/class/hwmon/*/temp*_alarm"]),
    (
        "node_hwmon_temp_crit_alarm_celsius",
        "a temperature sensor with an alarm",
        &["/sys/class/hwmon/*/temp*_crit_alarm"],
    ),
    ("node_hwmon_temp_max_celsius", "a temperature sensor with a limit", &["/sys/class/hwmon/*/temp*_max"]),
    ("node_hwmon_temp_celsius", "a temperature sensor", &["/sys/class/hwmon/*/temp*_input"]),
    ("node_md_", "software RAID", &["/sys/block/md*/md"]),
    ("node_network_speed_bytes", "a network device that knows its speed", &["/sys/class/net/*/speed"]),
    ("node_nf_conntrack_", "connection tracking", &["/proc/sys/net/netfilter/nf_conntrack_count"]),
    ("node_systemd_", "systemd", &["/run/dbus/system_bus_socket"]),
    ("node_zfs_", "ZFS", &["/proc/spl/kstat/zfs"]),
];

/// Labels that are read, by source and name.
pub(crate) type Wanted = BTreeMap<(String, String), BTreeSet<String>>;

/// What a source came to.
#[derive(Debug, Default)]
struct Tally {
    names: usize,
    labels: usize,
    shown: usize,
    absent: Vec<String>,
    elsewhere: Vec<String>,
    missing: Vec<String>,
}

/// `cargo xtask parity consumers [FILE.json]… [--write FILE]`
pub(super) fn run(args: &mut Args) -> Result<()> {
    let write = args.option("--write")?;
    let mut files: Vec<PathBuf> = std::iter::from_fn(|| args.positional()).map(PathBuf::from).collect();
    if let Some(option) = files.iter().find(|file| file.to_string_lossy().starts_with('-')) {
        return Err(usage(format!("unexpected argument {:?}", option.display().to_string())));
    }
    if files.is_empty() {
        files.push(places::consumers_file());
    }
    if let Some(write) = write {
        return places::write(Path::new(&write), as_list(&read(&files)?));
    }
    check(&files)
}

/// Compares the agent with the lists, on a real node with real pods.
pub(crate) fn check(files: &[PathBuf]) -> Result<()> {
    let mut wanted = read(files)?;
    for (name, label, why) in OF_NOBODY {
        for ((_, of), labels) in &mut wanted {
            if of == name && labels.remove(*label) {
                println!("left out: label {label} of {name}: {why}");
            }
        }
    }
    let catalog = agent::catalog()?;
    let tallies = kubelet::beside_pods(|| ask(&wanted, &catalog))?;
    report(&tallies)
}

/// What a Prometheus that scrapes both views has of each name.
fn ask(wanted: &Wanted, catalog: &Value) -> Result<BTreeMap<&'static str, Tally>> {
    let systemd = ["--collector.systemd", "--collector.systemd.enable-restarts-metrics"].map(str::to_owned);
    let agent = Agent::start(&agent::binary()?, &systemd)?;
    let prometheus = Prometheus::with(&PROMETHEUS_3.path()?, &configuration(&agent), "consumers", &[])?;
    prometheus.wait_up(SOURCES.len())?;
    std::thread::sleep(Duration::from_secs(4)); // quotas have held the work back, and a scrape has seen it
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for (source, view, job, _) in SOURCES {
        let tally = tallies.entry(source).or_default();
        for ((_, name), labels) in wanted.iter().filter(|((of, _), _)| of == source) {
            tally.names += 1;
            tally.labels += labels.len();
            let declared = declared(name, view, catalog);
            let set: Vec<String> = labels.iter().map(|label| format!(",{label}!=\"\"")).collect();
            let series = prometheus.query(&format!("count({name}{{job=\"{job}\"{}}})", set.concat()))?;
            tally.judge(name, labels, declared.as_ref(), !series.is_empty(), targets_of(source));
        }
    }
    Ok(tallies)
}

impl Tally {
    fn judge(
        &mut self,
        name: &str,
        labels: &BTreeSet<String>,
        declared: Option<&BTreeSet<String>>,
        shown: bool,
        of_target: &[&str],
    ) {
        if OF_OTHER_SYSTEMS.contains(&name) {
            self.elsewhere.push(name.to_owned());
            return;
        }
        let Some(declared) = declared else { return self.missing.push(format!("{name}: not declared")) };
        let known = |label: &&String| declared.contains(*label) || of_target.contains(&label.as_str());
        let unknown: Vec<&String> = labels.iter().filter(|label| !known(label)).collect();
        if !unknown.is_empty() {
            self.missing.push(format!("{name}: declared without the labels {unknown:?}"));
        } else if shown {
            self.shown += 1;
        } else {
            match lacking(name) {
                Some(what) => self.absent.push(format!("{name}: this machine has not got {what}")),
                None => self.missing.push(format!("{name}: no series with all of {labels:?}")),
            }
        }
    }
}

fn report(tallies: &BTreeMap<&str, Tally>) -> Result<()> {
    println!(
        "{:<14} {:>6} {:>7} {:>7} {:>7} {:>13} {:>8}",
        "names of", "names", "labels", "series", "absent", "other system", "missing"
    );
    for (source, t) in tallies {
        let (absent, elsewhere, missing) = (t.absent.len(), t.elsewhere.len(), t.missing.len());
        println!("{source:<14} {:>6} {:>7} {:>7} {absent:>7} {elsewhere:>13} {missing:>8}", t.names, t.labels, t.shown);
    }
    let all = |pick: fn(&Tally) -> &Vec<String>| tallies.values().flat_map(pick);
    all(|t| &t.absent).for_each(|line| println!("  absent   {line}"));
    all(|t| &t.elsewhere).for_each(|name| println!("  other    {name}: no name of Linux"));
    all(|t| &t.missing).for_each(|line| println!("  MISSING  {line}"));
    let (names, missing) = (tallies.values().map(|t| t.names).sum::<usize>(), all(|t| &t.missing).count());
    println!("\n{names} names that consumers read, {missing} missing");
    if names == 0 || missing > 0 {
        bail!("{missing} of {names} names are missing");
    }
    Ok(())
}

fn targets_of(source: &str) -> &'static [&'static str] {
    SOURCES.iter().find(|(name, ..)| *name == source).map_or(&[], |(.., labels)| labels)
}

/// The labels that the agent declares.
fn declared(name: &str, view: &str, catalog: &Value) -> Option<BTreeSet<String>> {
    let sections = catalog["sections"].as_array()?;
    let families = sections.iter().filter_map(|section| section["families"].as_array()).flatten();
    let family = families.into_iter().find(|family| family["name"] == name && family["endpoint"] == view)?;
    let labels = family["labels"].as_array().into_iter().flatten();
    Some(labels.filter_map(|label| label["name"].as_str().map(str::to_owned)).collect())
}

/// What the machine lacks to show it; `None` when it lacks nothing, or nobody knows what.
fn lacking(name: &str) -> Option<&'static str> {
    let (_, what, paths) = NEEDS.iter().find(|(start, ..)| name.starts_with(start))?;
    let parts = |path: &&str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let there = paths.iter().any(|path| is_there(Path::new("/"), &parts(path)));
    (!there).then_some(what)
}

/// Whether something below the folder has these names, each of which may hold one `*`; a file must be readable.
fn is_there(folder: &Path, parts: &[String]) -> bool {
    let Some((part, rest)) = parts.split_first() else {
        return folder.metadata().is_ok_and(|meta| !meta.is_file() || fs::read(folder).is_ok());
    };
    let Some((start, end)) = part.split_once('*') else { return is_there(&folder.join(part), rest) };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| {
        let name = name.to_string_lossy();
        let fits = name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end);
        fits && is_there(&folder.join(&*name), rest)
    })
}

fn read(files: &[PathBuf]) -> Result<Wanted> {
    let mut wanted = Wanted::new();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let list: Value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))?;
        let before = wanted.len();
        take(&list, &SOURCES.map(|(source, ..)| source), &mut wanted);
        if wanted.len() == before && files.len() == 1 {
            bail!("{} lists no names of cAdvisor or node_exporter", file.display());
        }
    }
    Ok(wanted)
}

/// Lists come in three shapes: ours, one consumer's names by source, and those of several consumers.
pub(crate) fn take(list: &Value, sources: &[&str], wanted: &mut Wanted) {
    let groups = list["consumers"].as_object().map(|consumers| consumers.values().collect()).unwrap_or_default();
    let groups: Vec<&Value> = [&list["names"], &list["sources"]].into_iter().chain::<Vec<_>>(groups).collect();
    for group in groups {
        for source in sources {
            for (name, entry) in group[*source].as_object().into_iter().flatten() {
                let words = entry["labels"].as_array().or(entry.as_array()).into_iter().flatten();
                let read = words.filter_map(Value::as_str);
                let matched = entry["label_values"].as_object().into_iter().flatten().map(|(label, _)| label.as_str());
                let labels = read.chain(matched).filter(|label| !OF_ANY_TARGET.contains(label)).map(str::to_owned);
                wanted.entry(((*source).to_owned(), name.clone())).or_default().extend(labels);
            }
        }
    }
}

/// A list as it is committed: a line a name.
fn as_list(wanted: &Wanted) -> String {
    list_of(wanted, &SOURCES.map(|(source, ..)| source))
}

/// The same for these sources.
pub(crate) fn list_of(wanted: &Wanted, sources: &[&str]) -> String {
    let of = |source: &str| {
        let names = wanted.iter().filter(|((of, _), _)| of == source);
        let lines: Vec<String> =
            names.map(|((_, name), labels)| format!("  {}: {}", json!(name), json!(labels))).collect();
        format!(" {}: {{\n{}\n }}", json!(source), lines.join(",\n"))
    };
    let sources: Vec<String> = sources.iter().map(|source| of(source)).collect();
    format!("{{\"names\": {{\n{}\n}}}}\n", sources.join(",\n"))
}

/// Each view under its job name, with the labels that a cluster's discovery gives its target.
fn configuration(agent: &Agent) -> String {
    let target = agent.url().trim_start_matches("http://");
    let job = |(_, view, job, labels): &(&str, &str, &str, &[&str])| {
        let labels: Vec<String> = labels.iter().map(|label| format!("{label}: the-{label}")).collect();
        let targets = format!("targets: ['{target}'], labels: {{cluster: c, {}}}", labels.join(", "));
        format!("- {{job_name: {job}, metrics_path: {view}, static_configs: [{{{targets}}}]}}\n")
    };
    let jobs: Vec<String> = SOURCES.iter().map(job).collect();
    format!("global: {{scrape_interval: 2s, scrape_timeout: 2s}}\nscrape_configs:\n{}", jobs.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(list: &Value) -> Wanted {
        let mut wanted = Wanted::new();
        take(list, &SOURCES.map(|(source, ..)| source), &mut wanted);
        wanted
    }

    #[test]
    fn lists_of_all_shapes_say_the_same_and_ours_can_be_read_back() {
        let entry = json!({"labels": ["mode", "cpu"], "label_values": {"job": ["=node"], "zone": ["!="]}});
        let one = wanted(&json!({"sources": {"node_exporter": {"node_x": entry}, "kubelet": {"kubelet_x": entry}}}));
        let several = wanted(&json!({"consumers": {"a": {"node_exporter": {"node_x": entry}}, "b": {}}}));
        assert_eq!(one, several);
        let labels: Vec<&str> = one.values().flatten().map(String::as_str).collect();
        assert_eq!((one.len(), labels), (1, vec!["cpu", "mode", "zone"]));
        assert_eq!(wanted(&serde_json::from_str(&as_list(&one)).unwrap()), one);
    }

    #[test]
    fn a_name_is_missing_unless_it_has_its_labels_and_a_series_or_a_reason() {
        let set = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect::<BTreeSet<String>>();
        let judged = |name, labels: &[&str], declared: Option<&[&str]>, shown| {
            let mut tally = Tally::default();
            tally.judge(name, &set(labels), declared.map(set).as_ref(), shown, &["node"]);
            (tally.shown, tally.absent.len(), tally.elsewhere.len(), tally.missing.len())
        };
        assert_eq!(judged("node_x", &["a", "node"], Some(&["a"]), true), (1, 0, 0, 0));
        assert_eq!(judged("node_x", &["a"], Some(&["b"]), true), (0, 0, 0, 1));
        assert_eq!(judged("node_x", &[], None, false), (0, 0, 0, 1));
        assert_eq!(judged("node_x", &[], Some(&[]), false), (0, 0, 0, 1));
        assert_eq!(judged("node_memory_wired_bytes", &[], None, false), (0, 0, 1, 0));
    }

    #[test]
    fn what_is_there_is_no_excuse() {
        let parts = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
        assert!(is_there(Path::new("/"), &parts("proc/sel*/sta*")));
        assert!(!is_there(Path::new("/"), &parts("proc/sel*/no-such-*")));
    }
}
