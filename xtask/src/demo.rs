//! `cargo xtask demo`: a shop on a real node, the agent, kube-state, and a real Prometheus that scrapes them; where there
//! can be no node, the agent and Prometheus.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::agent::Agent;
use crate::args::Args;
use crate::cluster::{self, Cluster, NODE};
use crate::peers::PROMETHEUS_2;
use crate::process::Tied;
use crate::prometheus::{JOBS, Prometheus, configuration};
use crate::{account, cargo, http, places, process, setup, shop};

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
    cargo::release()?;
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
    process::run(&mut cargo::command(&["build", "--release", "--package", "yagura-exporter"]))?;
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
