//! Side by side with `node_exporter` on this machine: every series of every collector that both have.
//!
//! The reference is read before and after ours. The sets of series must be identical, the types too, and a counter of
//! ours must lie between the two reads. Gauges move both ways in between, so they are only counted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::agent::{self, Agent};
use crate::args::Args;
use crate::exposition::{Page, Series};
use crate::peers::NODE_EXPORTER;
use crate::process::{self, Tied};
use crate::{http, places};

pub(super) const VIEW: &str = "/metrics/node";

/// What is off by default, and is compared too. Not `processes` and `tcpstat`: which states processes and sockets are in
/// is another set of series each time.
const SWITCHED_ON: &[&str] = &[
    "--collector.buddyinfo",
    "--collector.cgroups",
    "--collector.drbd",
    "--collector.interrupts",
    "--collector.ksmd",
    "--collector.lnstat",
    "--collector.meminfo_numa",
    "--collector.network_route",
    "--collector.qdisc",
    "--collector.slabinfo",
    "--collector.softirqs",
    "--collector.stat.softirq",
    "--collector.swap",
    "--collector.zoneinfo",
];

/// Families about the program and its scrape; they cannot be the same.
fn is_of_the_program(series: &Series) -> bool {
    let is_own = ["node_scrape_", "process_"].into_iter().any(|prefix| series.name.starts_with(prefix));
    is_own || series.name == "node_exporter_build_info"
}

/// A collector's line of the table.
#[derive(Debug, Default)]
struct Row {
    theirs: usize,
    ours: usize,
    missing: Vec<Series>,
    surplus: Vec<Series>,
    other_type: Vec<String>,
    counters: usize,
    outside: Vec<String>,
    gauges: usize,
    gauges_within: usize,
}

impl Row {
    fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty() && self.other_type.is_empty() && self.outside.is_empty()
    }
}

/// `cargo xtask parity node [--agent URL] [--verbose]`
pub(super) fn run(args: &mut Args) -> Result<()> {
    let verbose = args.flag("--verbose");
    let agent = Agent::from_args(args, &flags())?;
    args.finish()?;
    compare(&agent, verbose)
}

/// The comparison with the built agent, as a check.
pub(crate) fn check() -> Result<()> {
    compare(&Agent::start(&agent::binary()?, &flags())?, false)
}

fn flags() -> Vec<String> {
    SWITCHED_ON.iter().map(|&flag| flag.to_owned()).collect()
}

/// Compares with a `node_exporter` that is started for it.
fn compare(agent: &Agent, verbose: bool) -> Result<()> {
    let (url, _reference) = start_reference()?;
    let theirs = |url: &str| http::get_as(url, "text/plain;version=0.0.4").and_then(|text| Page::parse(&text));
    let before = theirs(&url)?;
    let ours = Page::parse(&agent.page(VIEW)?)?;
    let after = theirs(&url)?;
    let owners = owners(&agent::catalog()?);
    let (rows, not_served) = rows(&before, &ours, &after, &owners);
    let unknown = collectors_of(&before).difference(&collectors_of(&ours)).cloned().collect::<Vec<_>>();
    let otherwise = ended_otherwise(&before, &ours);
    print(&rows, verbose);
    let wrong = rows.values().filter(|row| !row.is_clean()).count();
    let (series, all) =
        rows.values().fold((0, 0), |(good, all), row| (good + row.theirs - row.missing.len(), all + row.theirs));
    println!("\n{series} of {all} series of node_exporter {}, {} collectors", NODE_EXPORTER.version, rows.len());
    println!(
        "not ours to serve: {NOT_OURS}; {} of the program's own families are there",
        ours.types.keys().filter(|name| name.starts_with("process_")).count()
    );
    let of_process = |page: &Page| -> BTreeSet<String> {
        page.types.keys().filter(|name| name.starts_with("process_")).cloned().collect()
    };
    let process = of_process(&before).difference(&of_process(&ours)).cloned().collect::<Vec<_>>();
    for (missing, what) in [
        (not_served.into_iter().collect::<Vec<_>>(), "families of node_exporter that the agent does not have"),
        (process, "families of the process that the agent does not have"),
        (unknown, "collectors of node_exporter that the agent does not have"),
        (otherwise, "collectors that ended otherwise"),
    ] {
        if !missing.is_empty() {
            bail!("{what}: {missing:?}");
        }
    }
    if wrong > 0 {
        bail!("{wrong} collectors differ");
    }
    Ok(())
}

/// What the reference tells of Go and of its own handler.
const NOT_OURS: &str = "go_*, promhttp_*";

/// The collectors that a page says it ran.
fn collectors_of(page: &Page) -> BTreeSet<String> {
    successes(page).into_keys().collect()
}

/// Whether each collector worked; the same word is 0 for what failed and for what found nothing.
fn successes(page: &Page) -> BTreeMap<String, bool> {
    let told = page.samples.iter().filter(|(series, _)| series.name == "node_scrape_collector_success");
    told.map(|(series, sample)| (series.label("collector").to_owned(), sample.value == 1.0)).collect()
}

/// Collectors that both have and that worked in one only.
fn ended_otherwise(theirs: &Page, ours: &Page) -> Vec<String> {
    let ours = successes(ours);
    let differs = |(name, worked): (String, bool)| match ours.get(&name) {
        Some(here) if *here != worked => Some(format!("{name}: {worked} there, {here} here")),
        _ => None,
    };
    successes(theirs).into_iter().filter_map(differs).collect()
}

/// Its address and the process. It is built once, by Go, and kept in the cache.
fn start_reference() -> Result<(String, Tied)> {
    let binary = NODE_EXPORTER.binary()?;
    let port = http::free_port()?;
    let log = places::cache("logs")?.join(format!("node_exporter-{port}.log"));
    let mut command = process::tied(&binary);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).args(SWITCHED_ON);
    let mut started = Tied::start("node_exporter", &mut command, &log)?;
    let url = format!("http://127.0.0.1:{port}/metrics");
    started.wait_until(Duration::from_secs(30), || http::get(&url).is_ok())?;
    std::fs::remove_file(&log).ok();
    Ok((url, started))
}

/// The collector of each family of the node view.
pub(super) fn owners(catalog: &serde_json::Value) -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for section in catalog["sections"].as_array().into_iter().flatten() {
        let collector = section["name"].as_str().unwrap_or_default();
        for family in section["families"].as_array().into_iter().flatten() {
            if family["endpoint"] == VIEW {
                let name = family["name"].as_str().unwrap_or_default();
                owners.insert(name.to_owned(), collector.trim_start_matches("node_").to_owned());
            }
        }
    }
    owners
}

/// A series without the labels that have no value, which are the same as none.
pub(super) fn bare(series: &Series) -> Series {
    let labels = series.labels.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
    Series { name: series.name.clone(), labels }
}

/// Series by name and labels.
fn series(page: &Page) -> BTreeMap<Series, f64> {
    page.samples.iter().map(|(key, sample)| (bare(key), sample.value)).collect()
}

/// The collector of a family. Of those that no catalogue can name, since the machine does, the first word tells.
fn owner(name: &str, owners: &BTreeMap<String, String>, ours: &Page) -> Option<String> {
    let discovered = || ours.types.contains_key(name).then(|| name.strip_prefix("node_")?.split('_').next()).flatten();
    owners.get(name).cloned().or_else(|| discovered().map(str::to_owned))
}

type Rows = BTreeMap<String, Row>;

/// The table, and the families of the reference that the agent does not have.
fn rows(before: &Page, ours: &Page, after: &Page, owners: &BTreeMap<String, String>) -> (Rows, BTreeSet<String>) {
    let (first, ours_series, last) = (series(before), series(ours), series(after));
    let (mut rows, mut not_served) = (Rows::new(), BTreeSet::new());
    for (series, low) in &first {
        let Some(collector) = owner(&series.name, owners, ours) else {
            if series.name.starts_with("node_") {
                not_served.insert(series.name.clone());
            }
            continue;
        };
        // What ended between the two reads may be in ours or not.
        let Some(high) = last.get(series).filter(|_| !is_of_the_program(series)) else { continue };
        let row = rows.entry(collector).or_default();
        row.theirs += 1;
        let Some(value) = ours_series.get(series) else {
            row.missing.push(series.clone());
            continue;
        };
        let kind = |page: &Page| page.types.get(&series.name).cloned().unwrap_or_default();
        if kind(before) != kind(ours) {
            row.other_type.push(format!("{series}: {} there, {} here", kind(before), kind(ours)));
        }
        // Rounding of a float that went through another division.
        let slack = value.abs() * 1e-9;
        let within = (low.min(*high) - slack..=low.max(*high) + slack).contains(value);
        if kind(before) == "gauge" {
            row.gauges += 1;
            row.gauges_within += usize::from(within);
        } else {
            row.counters += 1;
            if !within {
                row.outside.push(format!("{series}: {value} here, {low} to {high} there"));
            }
        }
    }
    for series in ours_series.keys().filter(|series| !is_of_the_program(series)) {
        let Some(collector) = owner(&series.name, owners, ours) else { continue };
        let row = rows.entry(collector).or_default();
        row.ours += 1;
        if !first.contains_key(series) && !last.contains_key(series) {
            row.surplus.push(series.clone());
        }
    }
    (rows, not_served)
}

fn print(rows: &Rows, verbose: bool) {
    println!("{:<14} {:>6} {:>5} {:>8} {:>9}  differences", "collector", "theirs", "ours", "counters", "gauges");
    for (collector, row) in rows {
        let counters = format!("{}/{}", row.counters - row.outside.len(), row.counters);
        let gauges = format!("{}/{}", row.gauges_within, row.gauges);
        let mut said = Vec::new();
        for (count, what) in [
            (row.missing.len(), "missing"),
            (row.surplus.len(), "surplus"),
            (row.other_type.len(), "of another type"),
            (row.outside.len(), "outside"),
        ] {
            if count > 0 {
                said.push(format!("{count} {what}"));
            }
        }
        let said = if said.is_empty() { "none".to_owned() } else { said.join(", ") };
        println!("{collector:<14} {:>6} {:>5} {counters:>8} {gauges:>9}  {said}", row.theirs, row.ours);
        let most = if verbose { usize::MAX } else { 3 };
        let series = row.missing.iter().map(|s| format!("missing {s}"));
        let series = series.chain(row.surplus.iter().map(|s| format!("surplus {s}")));
        for line in series.chain(row.other_type.iter().cloned()).chain(row.outside.iter().cloned()).take(most) {
            println!("    {line}");
        }
    }
    println!("\ncounters lie between two reads of node_exporter; gauges may move both ways and are only counted");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(before: &str, ours: &str, after: &str) -> Row {
        let page = |text| Page::parse(text).unwrap();
        let owners = BTreeMap::from([("node_x_total".to_owned(), "x".to_owned())]);
        let (mut rows, _) = rows(&page(before), &page(ours), &page(after), &owners);
        rows.remove("x").unwrap()
    }

    #[test]
    fn a_collector_that_is_missing_or_ended_otherwise_is_named() {
        let page = |rows: &[(&str, u8)]| {
            let line =
                |(name, value): &(&str, u8)| format!("node_scrape_collector_success{{collector=\"{name}\"}} {value}\n");
            Page::parse(&rows.iter().map(line).collect::<String>()).unwrap()
        };
        let (theirs, ours) =
            (page(&[("cpu", 1), ("xfs", 1), ("nvme", 0)]), page(&[("cpu", 1), ("nvme", 1), ("own", 1)]));
        let missing: Vec<String> = collectors_of(&theirs).difference(&collectors_of(&ours)).cloned().collect();
        assert_eq!(missing, ["xfs"]);
        assert_eq!(ended_otherwise(&theirs, &ours), ["nvme: false there, true here"]);
    }

    #[test]
    fn a_counter_lies_between_two_reads_and_an_empty_label_is_none() {
        let theirs = |n| format!("# TYPE node_x_total counter\nnode_x_total{{a=\"1\",b=\"\"}} {n}\n");
        let row = compared(&theirs(5), "# TYPE node_x_total counter\nnode_x_total{a=\"1\"} 6\n", &theirs(7));
        assert!(row.is_clean() && row.counters == 1, "{row:?}");
        let row = compared(&theirs(5), "# TYPE node_x_total gauge\nnode_x_total{a=\"1\"} 8\n", &theirs(7));
        assert_eq!((row.outside.len(), row.other_type.len()), (1, 1));
        let row = compared(&theirs(5), "# TYPE node_x_total counter\nnode_x_total{a=\"2\"} 6\n", &theirs(7));
        assert_eq!((row.missing.len(), row.surplus.len()), (1, 1));
    }
}
