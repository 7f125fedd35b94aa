//! Side by side with `node_exporter` on machines that are made of the collectors' own fixtures: hardware, modules and
//! kernels that this machine does not have. Nothing moves there, so every series, type and value must be the same.
//!
//! A machine takes a fixture of each collector as long as no two want the same file to hold different things; what is
//! left makes the next machine. The last one is empty: there it is compared which collectors say that they found nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::node::{VIEW, bare};
use crate::agent::{self, Agent};
use crate::args::Args;
use crate::exposition::{Page, Series};
use crate::peers::NODE_EXPORTER;
use crate::process::{self, Tied};
use crate::{http, places};

/// Collectors whose fixtures are not a whole machine, or whose series do not come from one, with the reason.
const NOT_COMPARED: &[(&str, &str)] = &[
    ("filesystem", "asks the file systems that are mounted here"),
    ("netclass_rtnl", "asks the kernel that runs here"),
    ("selinux", "asks the kernel that runs here"),
    ("processes", "lists the processes of the kernel that runs here"),
    ("systemd", "asks the manager that runs here"),
    ("textfile", "is told where its files are"),
    ("time", "asks the clock"),
    ("timex", "asks the clock"),
    ("uname", "asks the kernel that runs here"),
    ("scrape", "is about the programs"),
];

/// Series that are otherwise for a reason, by the start of the line that would say so.
const DIFFERENCES: &[(&str, &str)] = &[
    ("missing node_thermal_zone_temp{type=\"broken\"", "a zone that does not answer: 0 degrees there, nothing here"),
    ("missing node_interrupts_total{cpu=\"1\"", "a CPU that is offline: columns are counted there, and named here"),
    ("surplus node_interrupts_total{cpu=\"2\"", "a CPU that is offline: columns are counted there, and named here"),
];

/// A fixture of a collector.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fixture {
    collector: String,
    folder: PathBuf,
}

/// A machine made of fixtures.
#[derive(Debug, Default)]
struct Machine {
    collectors: BTreeSet<String>,
    files: BTreeMap<PathBuf, Entry>,
}

/// A file of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Folder,
    Link(PathBuf),
    File(Vec<u8>),
}

/// What a comparison found.
#[derive(Debug, Default)]
struct Found {
    same: BTreeMap<String, usize>,
    wrong: Vec<String>,
    /// Differences with their reasons, and how many series each is about.
    excused: BTreeMap<String, usize>,
}

/// The comparison as a check.
pub(crate) fn check() -> Result<()> {
    compare_all(false)
}

/// `cargo xtask parity node --fixtures [--verbose]`
pub(super) fn run(args: &mut Args) -> Result<()> {
    let verbose = args.flag("--verbose");
    args.finish()?;
    compare_all(verbose)
}

fn compare_all(verbose: bool) -> Result<()> {
    let owners = super::node::owners(&agent::catalog()?);
    let (mut series, mut wrong, mut collectors) = (0, 0, BTreeSet::new());
    let mut rest = fixtures()?;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let (machine, left) = machine(rest)?;
        rest = left;
        let folder = places::cache("fixtures")?.join(number.to_string());
        machine.write(&folder)?;
        let found = compare(&folder, &machine.collectors, &owners)?;
        println!("machine {number}: {}", said(&machine.collectors));
        for (collector, same) in &found.same {
            if verbose {
                println!("    {collector:<16} {same:>5} series");
            }
            series += same;
        }
        found.excused.iter().for_each(|(why, count)| println!("    {count} series are otherwise: {why}"));
        found.wrong.iter().for_each(|line| println!("    {line}"));
        wrong += found.wrong.len();
        collectors.extend(machine.collectors);
    }
    let empty = places::cache("fixtures")?.join("empty");
    Machine::default().write(&empty)?;
    let found = compare(&empty, &collectors, &owners)?;
    println!("a machine without anything: what says that it found nothing");
    found.wrong.iter().for_each(|line| println!("    {line}"));
    wrong += found.wrong.len();
    for (collector, why) in NOT_COMPARED {
        println!("not compared: {collector}: {why}");
    }
    println!(
        "\n{series} series of {} collectors are those of node_exporter {}",
        collectors.len(),
        NODE_EXPORTER.version
    );
    if wrong > 0 {
        bail!("{wrong} differences");
    }
    Ok(())
}

fn said(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Every fixture of a collector of the node view, by collector and name.
fn fixtures() -> Result<Vec<Fixture>> {
    let collectors = places::repo().join("exporter/src/collectors");
    let mut fixtures = Vec::new();
    for folder in listed(&collectors)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(collector) = name.strip_prefix("node_").map(str::to_owned) else { continue };
        if NOT_COMPARED.iter().any(|(known, _)| *known == collector) || !folder.join("testdata").is_dir() {
            continue;
        }
        for folder in listed(&folder.join("testdata"))? {
            if folder.is_dir() {
                fixtures.push(Fixture { collector: collector.clone(), folder });
            }
        }
    }
    Ok(fixtures)
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort_unstable();
    Ok(paths)
}

/// A machine of as many fixtures as go together, one a collector, and those that are left.
fn machine(fixtures: Vec<Fixture>) -> Result<(Machine, Vec<Fixture>)> {
    let (mut machine, mut left) = (Machine::default(), Vec::new());
    for fixture in fixtures {
        let mut files = BTreeMap::new();
        read(&fixture.folder, Path::new(""), &mut files)?;
        let fits = files.iter().all(|(path, entry)| machine.files.get(path).is_none_or(|there| there == entry));
        if fits && !machine.collectors.contains(&fixture.collector) {
            machine.collectors.insert(fixture.collector);
            machine.files.extend(files);
        } else {
            left.push(fixture);
        }
    }
    Ok((machine, left))
}

/// All that is below a folder. What process 1 sees of the network is also what everybody sees.
fn read(root: &Path, below: &Path, files: &mut BTreeMap<PathBuf, Entry>) -> Result<()> {
    for path in listed(&root.join(below))? {
        let name = below.join(path.file_name().unwrap_or_default());
        if name.ends_with(".keep") {
            continue;
        }
        let kind = fs::symlink_metadata(&path)?.file_type();
        let entry = if kind.is_symlink() {
            Entry::Link(fs::read_link(&path)?)
        } else if kind.is_dir() {
            read(root, &name, files)?;
            Entry::Folder
        } else {
            Entry::File(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?)
        };
        if let Ok(rest) = name.strip_prefix("proc/1/net") {
            files.insert(Path::new("proc/net").join(rest), entry.clone());
        } else if let Ok(rest) = name.strip_prefix("proc/net") {
            files.insert(Path::new("proc/1/net").join(rest), entry.clone());
        }
        files.insert(name, entry);
    }
    Ok(())
}

impl Machine {
    fn write(&self, folder: &Path) -> Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        for root in ["proc/self", "sys", "rootfs", "cgroup"] {
            fs::create_dir_all(folder.join(root))?;
        }
        // So that the agent takes it for a hierarchy, as it takes a folder with `self` for a procfs.
        fs::write(folder.join("cgroup/cgroup.controllers"), "")?;
        for (name, entry) in &self.files {
            let path = folder.join(name);
            match entry {
                Entry::Folder => fs::create_dir_all(&path)?,
                Entry::File(content) => places::write(&path, content)?,
                Entry::Link(target) => {
                    if let Some(parent) = path.parent() {
                        fs::create_dir_all(parent)?;
                    }
                    std::os::unix::fs::symlink(target, &path)
                        .with_context(|| format!("cannot make {}", path.display()))?;
                }
            }
        }
        Ok(())
    }
}

/// Both programs on one machine.
fn compare(folder: &Path, collectors: &BTreeSet<String>, owners: &BTreeMap<String, String>) -> Result<Found> {
    // Over netlink the kernel that runs here would answer.
    let files = ["--collector.disable-defaults", "--no-collector.arp.netlink", "--no-collector.netdev.netlink"];
    let mut flags = files.map(str::to_owned).to_vec();
    flags.extend(collectors.iter().map(|name| format!("--collector.{name}")));
    for (flag, below) in [
        ("path.procfs", "proc"),
        ("path.sysfs", "sys"),
        ("path.rootfs", "rootfs"),
        ("path.udev.data", "rootfs/run/udev/data"),
    ] {
        flags.push(format!("--{flag}={}", folder.join(below).display()));
    }
    let theirs = {
        let port = http::free_port()?;
        let log = places::cache("logs")?.join(format!("node_exporter-{port}.log"));
        let mut command = process::tied(&NODE_EXPORTER.binary()?);
        command
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--web.disable-exporter-metrics")
            .args(&flags);
        let mut started = Tied::start("node_exporter", &mut command, &log)?;
        let url = format!("http://127.0.0.1:{port}/metrics");
        started.wait_until(Duration::from_secs(30), || http::get(&url).is_ok())?;
        let page = Page::parse(&http::get_as(&url, "text/plain;version=0.0.4")?)?;
        fs::remove_file(&log).ok();
        page
    };
    flags.push(format!("--path.cgroupfs={}", folder.join("cgroup").display()));
    flags.extend(["--probe.disable", "--collector.node_scrape", "--web.disable-exporter-metrics"].map(str::to_owned));
    let ours = Page::parse(&Agent::start(&agent::binary()?, &flags)?.page(VIEW)?)?;
    Ok(differences(&theirs, &ours, owners))
}

fn differences(theirs: &Page, ours: &Page, owners: &BTreeMap<String, String>) -> Found {
    let mut found = Found::default();
    let series = |page: &Page| -> BTreeMap<Series, f64> {
        let shown = page.samples.iter().filter(|(series, _)| is_compared(series));
        shown.map(|(series, sample)| (bare(series), sample.value)).collect()
    };
    let (theirs_series, ours_series) = (series(theirs), series(ours));
    for (series, value) in &theirs_series {
        let kind = |page: &Page| page.types.get(&series.name).cloned().unwrap_or_default();
        match ours_series.get(series) {
            None => found.wrong.push(format!("missing {series}")),
            Some(_) if kind(theirs) != kind(ours) => {
                found.wrong.push(format!("{series}: {} there, {} here", kind(theirs), kind(ours)));
            }
            // Rounding of a float that went through another division.
            Some(ours) if (ours - value).abs() > value.abs() * 1e-9 => {
                found.wrong.push(format!("{series}: {value} there, {ours} here"));
            }
            Some(_) => {
                let owner = owners.get(&series.name).map_or("others", String::as_str);
                *found.same.entry(owner.to_owned()).or_default() += 1;
            }
        }
    }
    // One odd file costs node_exporter all of a collector, or what comes after it.
    let success = |series: &BTreeMap<Series, f64>, collector: &str| {
        let labels = vec![("collector".to_owned(), collector.to_owned())];
        series.get(&Series { name: "node_scrape_collector_success".to_owned(), labels }).copied()
    };
    for series in ours_series.keys().filter(|series| !theirs_series.contains_key(series)) {
        let owner = owners.get(&series.name).map_or("", String::as_str);
        let fails_there = success(&theirs_series, owner) == Some(0.0) && success(&ours_series, owner) == Some(1.0);
        if fails_there {
            *found.excused.entry(format!("{owner} fails there")).or_default() += 1;
        } else {
            found.wrong.push(format!("surplus {series}"));
        }
    }
    let Found { wrong, excused, .. } = &mut found;
    wrong.retain(|line| {
        let known = DIFFERENCES.iter().find(|(known, _)| line.starts_with(known));
        let why = known.map(|(_, why)| (*why).to_owned()).or_else(|| {
            let failing = excused.keys().filter_map(|why| why.strip_suffix(" fails there"));
            let is_said =
                |owner: &&str| line.starts_with(&format!("node_scrape_collector_success{{collector=\"{owner}\"}}"));
            failing.into_iter().find(is_said).map(|owner| format!("{owner} fails there"))
        });
        if let Some(why) = &why {
            *excused.entry(why.clone()).or_default() += 1;
        }
        why.is_none()
    });
    found
}

/// Which collectors worked is compared, how long they took is not.
fn is_compared(series: &Series) -> bool {
    series.name.starts_with("node_")
        && series.name != "node_scrape_collector_duration_seconds"
        && series.name != "node_exporter_build_info"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_any_kind_is_found() {
        let page = |text: &str| Page::parse(text).unwrap();
        let theirs = page("# TYPE node_x gauge\nnode_x{a=\"1\"} 1\nnode_x{a=\"2\"} 2\nnode_x{a=\"3\",b=\"\"} 3\n");
        let ours =
            page("# TYPE node_x gauge\nnode_x{a=\"1\"} 1\nnode_x{a=\"2\"} 5\nnode_x{a=\"3\"} 3\nnode_x{a=\"4\"} 4\n");
        let found = differences(&theirs, &ours, &BTreeMap::new());
        assert_eq!(found.wrong, ["node_x{a=\"2\"}: 2 there, 5 here", "surplus node_x{a=\"4\"}"]);
        assert_eq!(found.same["others"], 2);
        let counter = page("# TYPE node_x counter\nnode_x{a=\"1\"} 1\n");
        assert_eq!(differences(&theirs, &counter, &BTreeMap::new()).wrong.len(), 3);
    }

    #[test]
    fn fixtures_that_want_different_things_make_two_machines() {
        let fixtures = fixtures().unwrap();
        let all = fixtures.len();
        let (machine, left) = machine(fixtures).unwrap();
        assert!(machine.collectors.len() > 30 && left.len() < all);
        assert!(machine.files.contains_key(Path::new("proc/net/dev")));
    }
}
