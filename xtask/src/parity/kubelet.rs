//! The agent beside a real kubelet with real pods: whatever the kubelet's own cAdvisor page shows must be in ours.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

use super::compare::{self, Read, Report};
use super::workload::{self, Way};
use crate::agent::{self, Agent};
use crate::args::Args;
use crate::cluster::{self, Cluster, KUBELET, Options};
use crate::exposition::{Page, Series};
use crate::{http, process, vm};

/// The kubelet measures a container every 10 to 15 s.
const HOUSEKEEPING: Duration = Duration::from_secs(16);

/// `cargo xtask parity kubelet [--agent URL] [--keep] [--verbose] [--standalone | --vm]`
pub(super) fn run(args: &mut Args) -> Result<()> {
    if args.flag("--vm") {
        args.finish()?;
        return vm::parity();
    }
    let after = if args.flag("--keep") { After::Keep } else { After::Remove };
    let verbose = args.flag("--verbose");
    let options = if args.flag("--standalone") { Options::standalone() } else { Options::default() };
    let report = on_cluster(&options, after, |machine, way| {
        let agent = Agent::from_args(args, &flags())?;
        args.finish()?;
        measure(machine, way, &agent)
    })?;
    judge(&report, verbose)
}

/// A kubelet that is in no cgroup of its own, as these are, shows every cgroup.
fn flags() -> [String; 1] {
    ["--cadvisor.cgroups=all".to_owned()]
}

/// The comparison with the built agent, as a check.
pub(crate) fn check() -> Result<()> {
    let compare = |machine: &Cluster, way| measure(machine, way, &Agent::start(&agent::binary()?, &flags())?);
    judge(&on_cluster(&Options::default(), After::Remove, compare)?, false)
}

/// Does something while the pods run on a real node, and cleans up.
pub(super) fn beside_pods<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    on_cluster(&Options::default(), After::Remove, |machine, way| {
        workload::create(machine, way)?;
        work()
    })
}

/// What becomes of the pods, and of a cluster that did not run before.
#[derive(Clone, Copy, PartialEq)]
enum After {
    Keep,
    Remove,
}

fn on_cluster<T>(options: &Options, after: After, work: impl FnOnce(&Cluster, Way) -> Result<T>) -> Result<T> {
    let machine = Cluster::of_this_machine()?;
    let ran = machine.answers(options);
    cluster::up(&machine, options)?;
    let way = if options.api { Way::Api } else { Way::Files };
    let outcome = work(&machine, way);
    if after == After::Remove && ran {
        workload::remove(&machine, way)?;
    } else if after == After::Remove {
        cluster::down(&machine)?;
    }
    outcome
}

fn judge(report: &Report, verbose: bool) -> Result<()> {
    report.print("the kubelet's cAdvisor", verbose);
    println!("\n{}", report.summary("the kubelet"));
    if !report.is_clean() {
        bail!("ours differs from the kubelet's page");
    }
    Ok(())
}

/// Compares on a cluster that is up; leaves its pods.
fn measure(cluster: &Cluster, way: Way, agent: &Agent) -> Result<Report> {
    let begin = Instant::now();
    workload::create(cluster, way)?;
    let (pods, containers) = workload::size();
    println!("{pods} pods with {containers} containers settled after {:.0} s", begin.elapsed().as_secs_f64());
    wait_for_rows(way)?;
    let mut reads = vec![kubelet()?];
    let start = now_ms();
    let read_ours = || Page::parse(&agent.page("/metrics/cadvisor")?);
    let mut ours = vec![read_ours()?];
    let time = start..=now_ms();
    let deadline = Instant::now() + 3 * HOUSEKEEPING;
    loop {
        std::thread::sleep(Duration::from_secs(2));
        ours.push(read_ours()?);
        let read = kubelet()?;
        let current = read.page.samples.values().all(|s| s.time_ms.is_none_or(|at| at >= *time.end()));
        reads.push(read);
        if current || Instant::now() > deadline {
            break;
        }
    }
    println!("the kubelet was read {} times and ours {} times", reads.len(), ours.len());
    Ok(compare::compare(&reads, &ours, &time))
}

/// Waits until the kubelet shows every running container, and shows the same series for a whole round of measuring.
fn wait_for_rows(way: Way) -> Result<()> {
    let deadline = Instant::now() + process::patience(Duration::from_mins(2));
    let mut before: BTreeSet<Series> = BTreeSet::new();
    let mut since = Instant::now();
    loop {
        let begin = Instant::now();
        let page = kubelet()?.page;
        let missing = rowless(&page, way);
        let series: BTreeSet<Series> = page.samples.into_keys().collect();
        if series != before {
            before = series;
            since = Instant::now();
        }
        if missing.is_none() && since.elapsed() > HOUSEKEEPING {
            return Ok(());
        }
        if Instant::now() > deadline {
            match missing {
                Some(who) => bail!("the kubelet shows no row of {who}"),
                None => return Ok(()), // a container that crashes again and again never lets the page rest
            }
        }
        process::pause(Duration::from_secs(1), begin);
    }
}

/// A running container that the page does not show yet.
fn rowless(page: &Page, way: Way) -> Option<String> {
    let shown: BTreeSet<(&str, &str)> =
        page.series("container_memory_usage_bytes").map(|(s, _)| (s.label("pod"), s.label("container"))).collect();
    let hidden = |(pod, name): &(&str, &str)| !shown.contains(&(way.name(pod).as_str(), *name));
    workload::running().into_iter().find(hidden).map(|(pod, name)| format!("{pod}/{name}"))
}

fn kubelet() -> Result<Read> {
    let at_ms = now_ms();
    Ok(Read { at_ms, page: Page::parse(&http::get(&format!("{KUBELET}/metrics/cadvisor"))?)? })
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
