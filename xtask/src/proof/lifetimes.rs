//! `cargo xtask proof lifetimes`: real cgroups that live for milliseconds, the agent, and two real Prometheus that scrape
//! it; at the end each of the three must have all of their CPU time.

#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::burning::{Burner, Folder, Truth};
use super::cadvisor::Cadvisor;
use super::polling::Polling;
use crate::agent::{self, Agent};
use crate::args::Args;
use crate::exposition::Page;
use crate::peers::{PROMETHEUS_2, PROMETHEUS_3};
use crate::prometheus::Prometheus;
use crate::skip::Skip;
use crate::{cargo, debian, process};

const CPU: &str = "workload_cpu_usage_seconds_total";
/// Seconds between scrapes.
const EVERY: u64 = 3;
/// Cgroups at a time.
const PARALLEL: u64 = 2;

/// How much is done.
struct Scale {
    count: u64,
    seconds: u64,
}

/// `cargo xtask proof lifetimes [--count=N] [--seconds=N]`: N cgroups (1,000) in about N seconds (60).
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let number = |text: Option<String>, default| text.map_or(Ok(default), |text| text.parse::<u64>());
    let count = number(args.option("--count")?, 1000)?;
    let seconds = number(args.option("--seconds")?, 60)?;
    args.finish()?;
    process::run(&mut cargo::command(&["build", "--release", "--package", "yagura-exporter"]))?;
    prove(&Scale { count, seconds })
}

/// The short version.
pub(crate) fn check() -> Result<()> {
    prove(&Scale { count: 200, seconds: 5 })
}

fn prove(scale: &Scale) -> Result<()> {
    if !process::is_root() {
        return Err(Skip("making cgroups needs root".to_owned()).into());
    }
    if super::burning::root().is_none() {
        return Err(Skip("no cgroup version 2 tree is mounted".to_owned()).into());
    }
    if !debian::is_here() {
        return Err(Skip("Debian's package tools are not installed".to_owned()).into());
    }
    let (burner, folder) = (Burner::build()?, Folder::make("proof")?);
    let agent = Agent::start(&agent::binary()?, &["--log.level=warn".to_owned()])?;
    if let Some(reason) = off(&agent)? {
        return Err(Skip(format!("the feature lifetime is off: {reason}")).into());
    }
    let config = configuration(agent.url());
    let old = Prometheus::with(&PROMETHEUS_2.path()?, &config, "proof-2", &[])?;
    let zero = ["--enable-feature=created-timestamp-zero-ingestion"];
    let new = Prometheus::with(&PROMETHEUS_3.path()?, &config, "proof-3", &zero)?;
    // For a Prometheus that does not know when a series began, a workload must be there before it is looked at.
    folder.run_one("before")?;
    let there = format!("workload_containers_exited_total{{workload=\"{}\",reason=\"completed\"}} == 1", folder.name());
    let both_know = || [&old, &new].iter().all(|one| one.query(&there).is_ok_and(|rows| rows.len() == 1));
    process::wait_for("both Prometheus to know the workload", Duration::from_secs(40), both_know)?;
    let first = last_scrape(&old, &folder)?;

    let mut polling = Polling::of(folder.path());
    let mut cadvisor = Cadvisor::start(folder.name())?;
    let started = Instant::now();
    let (truth, mut low) = burn(&burner, &folder, scale, || {
        polling.turn();
        cadvisor.as_mut().map_or(Ok(()), Cadvisor::turn)?;
        total(&agent, &folder)
    })?;
    let took = started.elapsed();
    let cgroups = truth.len() as f64;
    let settled = || exited(&agent, &folder).is_ok_and(|exited| exited >= cgroups + 1.0);
    process::wait_for("the agent to close the books", Duration::from_secs(30), settled)?;
    low.see(total(&agent, &folder)?);
    // Two more scrapes of each, for what is gone is shown twice.
    let settled_at = last_scrape(&old, &folder)?.max(last_scrape(&new, &folder)?);
    let shown = || {
        let after = settled_at + 2.5 * EVERY as f64;
        [&old, &new].iter().all(|one| last_scrape(one, &folder).is_ok_and(|time| time > after))
    };
    process::wait_for("two more scrapes", Duration::from_secs(30), shown)?;

    let real = seconds(truth.values());
    let doubt = truth.values().map(|truth| truth.doubt_ns).sum::<u64>() as f64 / 1e9;
    println!(
        "  {cgroups} cgroups in {:.1} s, {real:.3} s of CPU time by wait4(2), {:.3} % of it in doubt at moves",
        took.as_secs_f64(),
        doubt / real * 100.0
    );
    let lab = Lab { folder, agent, old, new, first };
    let proof = lab.compare(&truth, &low, real, doubt)?;
    beside(&polling, cadvisor.as_ref(), cgroups, real);
    proof.verdict()
}

/// All that runs.
struct Lab {
    folder: Folder,
    agent: Agent,
    old: Prometheus,
    new: Prometheus,
    /// A scrape at which the workload was there and nothing had begun.
    first: f64,
}

impl Lab {
    fn compare(&self, truth: &BTreeMap<String, Truth>, low: &Rising, real: f64, doubt: f64) -> Result<Proof> {
        let (mut proof, cgroups) = (Proof::default(), truth.len() as f64);
        let by_agent = low.last - low.first;
        proof.share("the agent", by_agent, real, doubt);
        proof.holds(&format!("the sum fell {} times in {} readings", low.falls, low.readings), low.falls == 0);
        let range = (last_scrape(&self.new, &self.folder)? - self.first + 600.0).ceil();
        let below = format!("workload=~\"{}(/.*)?\"", self.folder.name());
        let of_before = low.first;
        let increase = self
            .new
            .value_at(&format!("sum(increase({CPU}{{{below}}}[{range}s]))"), last_scrape(&self.new, &self.folder)?)?;
        proof.share("Prometheus 3, increase() over all workloads", increase - of_before, real, doubt);
        let direct = seconds(truth.iter().filter(|(name, _)| !name.contains('/')).map(|(_, truth)| truth));
        let (end, one) =
            (last_scrape(&self.old, &self.folder)?, format!("{CPU}{{workload=\"{}\"}}", self.folder.name()));
        // From the sample at `first` to that at `end`: nothing is left to extrapolate.
        let window = ((end - self.first) * 1000.0 + 1.0).round();
        let increase = self.old.value_at(&format!("sum(increase({one}[{window}ms]))"), end)?;
        proof.share("Prometheus 2, increase() of the workload that was there", increase, direct, doubt);
        // Only of the one that adds no zeros: a workload that began after a scrape's time and before its answer gets its
        // zero when it has a value already, which is a fall to none but `resets`.
        let resets = self.old.value_at(&format!("sum(resets({CPU}{{{below}}}[{range}s]))"), end)?;
        proof.holds(&format!("Prometheus 2 saw {resets} falls"), resets == 0.0);
        let container = format!("container=~\"{}/.+\"", self.folder.name().trim_start_matches('/'));
        let samples = format!("count_over_time(container_cpu_accounted_seconds_total{{{container}}}[{range}s])");
        let twice = self.old.value_at(&format!("count({samples} >= 2)"), end)?;
        let text = format!("Prometheus 2 has {twice} containers' own series at least twice");
        proof.holds(&text, twice == cgroups + 1.0);
        let page = Page::parse(&self.agent.page("/metrics")?)?;
        for name in ["workload_containers_started_total", "workload_containers_exited_total"] {
            let count = sum(&page, name, &self.folder) - 1.0;
            proof.holds(&format!("{name}: {count}"), count == cgroups);
        }
        let of_lifetime = page.series("yagura_probe_lost_total").filter(|(s, _)| s.label("feature") == "lifetime");
        let lost = of_lifetime.map(|(_, sample)| sample.value).sum::<f64>();
        proof.holds(&format!("{lost} records or rows lost"), lost == 0.0);
        for (_, sample) in page.series("yagura_audit_error_ratio") {
            println!(
                "  audit: all that was counted differs from the kernel's own total by {:.3} %",
                sample.value * 100.0
            );
        }
        Ok(proof)
    }
}

/// What others saw.
fn beside(polling: &Polling, cadvisor: Option<&Cadvisor>, cgroups: f64, real: f64) {
    let (readings, seen, ns) = polling.seen();
    let share = |value: f64| value / real * 100.0;
    println!(
        "  beside it, files read every 15 s: {seen} of {cgroups} cgroups in {readings} readings, {:.1} % of the time",
        share(ns as f64 / 1e9)
    );
    match cadvisor {
        Some(cadvisor) => {
            let (seen, cpu) = cadvisor.seen();
            println!(
                "  beside it, cAdvisor scraped every 15 s: {seen} of {cgroups} cgroups, {:.1} % of the time",
                share(cpu)
            );
        }
        None => println!("  beside it, cAdvisor: CADVISOR names none"),
    }
}

/// What must hold.
#[derive(Default)]
struct Proof {
    failures: Vec<String>,
}

impl Proof {
    /// All of the time, within 0.2 % and what is in doubt.
    fn share(&mut self, who: &str, counted: f64, real: f64, doubt: f64) {
        let percent = counted / real * 100.0;
        self.holds(
            &format!("{who}: {counted:.3} s, {percent:.3} %"),
            (percent - 100.0).abs() <= 0.2 + doubt / real * 100.0,
        );
    }

    fn holds(&mut self, what: &str, holds: bool) {
        println!("  {}{what}", if holds { "" } else { "WRONG: " });
        if !holds {
            self.failures.push(what.to_owned());
        }
    }

    fn verdict(self) -> Result<()> {
        ensure!(self.failures.is_empty(), "the proof failed: {}", self.failures.join("; "));
        Ok(())
    }
}

/// The sum as it was read first, last, and how often it fell between.
#[derive(Default)]
struct Rising {
    first: f64,
    last: f64,
    readings: u32,
    falls: u32,
}

impl Rising {
    fn see(&mut self, value: f64) {
        if self.readings == 0 {
            self.first = value;
        }
        self.falls += u32::from(value < self.last);
        self.last = value;
        self.readings += 1;
    }
}

/// Burns, and reads meanwhile.
fn burn(
    burner: &Burner,
    folder: &Folder,
    scale: &Scale,
    mut read: impl FnMut() -> Result<f64>,
) -> Result<(BTreeMap<String, Truth>, Rising)> {
    let mut rising = Rising::default();
    rising.see(read()?);
    // A cgroup takes some 12 ms by itself.
    let pause_us = (scale.seconds * PARALLEL * 1_000_000 / scale.count.max(1)).saturating_sub(12_000);
    let mut burning = burner.start(folder, scale.count, [3, 20], PARALLEL, pause_us)?;
    let deadline = Instant::now() + Duration::from_secs(scale.seconds * 10 + 60);
    while !burning.is_done() {
        ensure!(Instant::now() < deadline, "the burner does not end");
        rising.see(read()?);
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok((burning.truth()?, rising))
}

fn seconds<'t>(truth: impl Iterator<Item = &'t Truth>) -> f64 {
    truth.map(|truth| truth.cpu_ns).sum::<u64>() as f64 / 1e9
}

fn off(agent: &Agent) -> Result<Option<String>> {
    let page = Page::parse(&agent.page("/metrics")?)?;
    let of = |name: &str| {
        let mut all = page.series("yagura_feature_enabled");
        all.find(|(series, _)| series.label("feature") == name).map(|(series, sample)| (series.clone(), sample.value))
    };
    let (series, value) = of("lifetime").context("the agent does not tell whether lifetime is on")?;
    Ok((value == 0.0).then(|| series.label("reason").to_owned()))
}

/// All workloads at and below the folder.
fn sum(page: &Page, name: &str, folder: &Folder) -> f64 {
    let ours = page.series(name).filter(|(series, _)| {
        let rest = series.label("workload").strip_prefix(folder.name());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    ours.map(|(_, sample)| sample.value).sum()
}

fn total(agent: &Agent, folder: &Folder) -> Result<f64> {
    Ok(sum(&Page::parse(&agent.page("/metrics")?)?, CPU, folder))
}

fn exited(agent: &Agent, folder: &Folder) -> Result<f64> {
    Ok(sum(&Page::parse(&agent.page("/metrics")?)?, "workload_containers_exited_total", folder))
}

/// When this Prometheus scraped the workload last.
fn last_scrape(prometheus: &Prometheus, folder: &Folder) -> Result<f64> {
    let rows = prometheus.query(&format!("timestamp({CPU}{{workload=\"{}\"}})", folder.name()))?;
    let time = rows.first().and_then(|row| row["value"][1].as_str()?.parse().ok());
    match time {
        Some(time) => Ok(time),
        None => bail!("Prometheus does not have the workload {}", folder.name()),
    }
}

fn configuration(agent: &str) -> String {
    let target = agent.trim_start_matches("http://");
    format!(
        "global: {{scrape_interval: {EVERY}s, scrape_timeout: {EVERY}s}}\n\
         scrape_configs:\n- {{job_name: yagura, static_configs: [{{targets: ['{target}']}}]}}\n"
    )
}
