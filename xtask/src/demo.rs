//! `cargo xtask demo`: a shop on a real node, the agent, kube-state, and a real Prometheus that scrapes them; where there
//! can be no node, the agent and Prometheus.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::agent::Agent;
use crate::args::Args;
use crate::cluster::{self, Cluster, NODE};
use crate::peers::PROMETHEUS_2;
use crate::process::Tied;
use crate::{account, http, places, process, setup, shop, tasks};

/// Views of the agent and the job names that dashboards and alerts know them by.
const JOBS: &[(&str, &str)] = &[("yagura", "/metrics"), ("cadvisor", "/metrics/cadvisor"), ("node", "/metrics/node")];

/// A Prometheus that scrapes one agent.
pub(crate) struct Prometheus {
    url: String,
    process: Tied,
}

/// `cargo xtask demo`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let until = if args.flag("--once") { Until::Answered } else { Until::Interrupted };
    args.finish()?;
    setup::for_building()?;
    let options = cluster::Options::default();
    if let Some(missing) = cluster::missing(&options) {
        println!("without a node: {missing}");
        return alone();
    }
    let machine = Cluster::of_this_machine()?;
    let ran = machine.answers(&options);
    cluster::up(&machine, &options)?;
    let outcome = suite(&machine, until);
    if !ran {
        cluster::down(&machine)?;
    }
    outcome
}

/// How long it runs.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    /// The questions are answered.
    Answered,
    /// Somebody presses Ctrl-C.
    Interrupted,
}

/// The whole suite on a node that is up.
fn suite(machine: &Cluster, until: Until) -> Result<()> {
    let program = PROMETHEUS_2.path().context("cannot fetch Prometheus")?;
    tasks::release()?;
    let binary = |name: &str| places::target().join("release").join(name);
    shop::open(machine)?;
    let (kube_state, _process) = kube_state(machine, &binary("yagura-kube-state"))?;
    let flags = vec![format!("--kubernetes.node={NODE}"), "--kubernetes.owner-labels=team=team".to_owned()];
    let kubeconfig = account::kubeconfig(machine, &binary("yagura-exporter"), &flags)?;
    let further =
        vec![format!("--kubernetes.kubeconfig={}", kubeconfig.display()), format!("--peers.url={kube_state}")];
    let flags = [flags, further].concat();
    let agent = Agent::start(&binary("yagura-exporter"), &flags)?;
    let target = kube_state.trim_start_matches("http://");
    let jobs = configuration(agent.url())
        + &format!(
            "- {{job_name: kube-state-metrics, honor_labels: true, static_configs: [{{targets: ['{target}']}}]}}\n"
        );
    let mut prometheus = Prometheus::with(&program, &jobs, "demo", &[])?;
    prometheus.wait_up(JOBS.len() + 1)?;
    shop::answer(&prometheus)?;
    shop::is_on_page(agent.url())?;
    println!("\nagent       {}/", agent.url());
    println!("  who used what, talked to whom, belongs to whom: {}/workloads", agent.url());
    println!("kube-state  {kube_state}/");
    println!("Prometheus  {}/", prometheus.url);
    if until == Until::Interrupted {
        println!("\nall run until Ctrl-C; then `cargo xtask cluster down`");
        prometheus.process.wait()?;
    }
    Ok(())
}

/// kube-state before the cluster's API server, as the administrator.
fn kube_state(machine: &Cluster, binary: &Path) -> Result<(String, Tied)> {
    let (port, own) = (http::free_port()?, http::free_port()?);
    let mut command = process::tied(binary);
    command.arg(format!("--kubeconfig={}", machine.kubeconfig().display()));
    command.args(["--host=127.0.0.1".to_owned(), format!("--port={port}")]);
    command.args([
        "--telemetry-host=127.0.0.1".to_owned(),
        format!("--telemetry-port={own}"),
        "--pod-workloads".to_owned(),
        "--peers".to_owned(),
    ]);
    let log = places::cache("logs")?.join("demo-kube-state.log");
    let mut process = Tied::start("kube-state", &mut command, &log)?;
    let url = format!("http://127.0.0.1:{port}");
    process.wait_until(Duration::from_secs(30), || http::get(&format!("{url}/metrics")).is_ok())?;
    Ok((url, process))
}

/// The agent and Prometheus.
fn alone() -> Result<()> {
    let program = PROMETHEUS_2.path().context("cannot fetch Prometheus")?;
    process::run(&mut tasks::cargo(&["build", "--release", "--package", "yagura-exporter"]))?;
    let agent = Agent::start(&places::target().join("release/yagura-exporter"), &[])?;
    let mut prometheus = Prometheus::start(&program, agent.url(), "demo")?;
    println!("\nagent       {}/", agent.url());
    println!("  who used what and talked to whom: {}/workloads", agent.url());
    for (job, path) in JOBS {
        println!("  job {job:<9} {}{path}", agent.url());
    }
    println!("Prometheus  {}/", prometheus.url);
    println!("  try       {}/graph?g0.tab=0&g0.expr=rate(container_cpu_usage_seconds_total[1m])", prometheus.url);
    println!("\nboth run until Ctrl-C");
    prometheus.process.wait()
}

impl Prometheus {
    /// Starts it with a fresh store in the cache, and waits until it answers.
    pub(crate) fn start(program: &Path, agent: &str, name: &str) -> Result<Self> {
        Self::with(program, &configuration(agent), name, &[])
    }

    /// The same with a configuration and further flags of the caller's.
    pub(crate) fn with(program: &Path, configuration: &str, name: &str, flags: &[&str]) -> Result<Self> {
        let dir = places::cache(&format!("prometheus-{name}"))?;
        std::fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
        let config = dir.join("prometheus.yml");
        places::write(&config, configuration)?;
        let port = http::free_port()?;
        let mut command = process::tied(program);
        command.current_dir(&dir).arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", dir.join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}")).args(flags);
        let url = format!("http://127.0.0.1:{port}");
        let mut process = Tied::start("Prometheus", &mut command, &dir.join("log"))?;
        process.wait_until(Duration::from_mins(1), || http::get(&format!("{url}/-/ready")).is_ok())?;
        Ok(Self { url, process })
    }

    /// The result of an instant query.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Value>> {
        self.answer(&format!("query={}", escape(expression)))
    }

    /// The only number that an expression has at a time; 0 if it has none.
    pub(crate) fn value_at(&self, expression: &str, seconds: f64) -> Result<f64> {
        let rows = self.answer(&format!("query={}&time={seconds:.3}", escape(expression)))?;
        let Some(row) = rows.first() else { return Ok(0.0) };
        let number = row["value"][1].as_str().and_then(|text| text.parse().ok());
        number.with_context(|| format!("{expression} is no number: {row}"))
    }

    fn answer(&self, parameters: &str) -> Result<Vec<Value>> {
        let text = http::get(&format!("{}/api/v1/query?{parameters}", self.url))?;
        let answer: Value = serde_json::from_str(&text).context("Prometheus's answer")?;
        Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until so many targets were scraped.
    pub(crate) fn wait_up(&self, targets: usize) -> Result<()> {
        let up = || self.query("up == 1").is_ok_and(|rows| rows.len() == targets);
        process::wait_for("Prometheus to scrape every view", Duration::from_secs(40), up)
            .with_context(|| format!("targets: {}", self.errors()))
    }

    /// Waits until each view was scraped, and gives the number of samples of each.
    pub(crate) fn scraped(&self) -> Result<Vec<(&'static str, u64)>> {
        self.wait_up(JOBS.len())?;
        let mut counts = Vec::new();
        for (job, _) in JOBS {
            let rows = self.query(&format!("scrape_samples_scraped{{job=\"{job}\"}}"))?;
            let count = rows.first().and_then(|row| row["value"][1].as_str()?.parse().ok());
            counts.push((*job, count.with_context(|| format!("no samples of {job}"))?));
        }
        Ok(counts)
    }

    fn errors(&self) -> String {
        let text = http::get(&format!("{}/api/v1/targets", self.url)).unwrap_or_default();
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let targets = answer["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
        let line = |target: &Value| format!("{}: {}", target["scrapeUrl"], target["lastError"]);
        targets.iter().map(line).collect::<Vec<_>>().join("; ")
    }
}

/// The page as a file for promtool, which reads it from its standard input.
pub(crate) fn promtool_check(promtool: &PathBuf, page: &Path) -> Result<String> {
    let input = std::fs::File::open(page).with_context(|| format!("cannot read {}", page.display()))?;
    let out = Command::new(promtool).args(["check", "metrics"]).stdin(input).output()?;
    Ok(String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout))
}

fn configuration(agent: &str) -> String {
    let target = agent.trim_start_matches("http://");
    let job = |(job, path): &(&str, &str)| {
        let targets = format!("static_configs: [{{targets: ['{target}']}}]");
        format!("- {{job_name: {job}, metrics_path: {path}, honor_timestamps: false, {targets}}}\n")
    };
    let jobs: Vec<String> = JOBS.iter().map(job).collect();
    format!("global: {{scrape_interval: 5s, scrape_timeout: 4s}}\nscrape_configs:\n{}", jobs.concat())
}

/// A query as part of an address.
fn escape(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_become_addresses() {
        assert_eq!(escape("up == 1{a=\"b\"}"), "up%20%3D%3D%201%7Ba%3D%22b%22%7D");
    }

    #[test]
    fn every_view_has_its_job() {
        let text = configuration("http://127.0.0.1:9");
        assert_eq!(text.matches("'127.0.0.1:9'").count(), JOBS.len());
    }
}
