//! `cargo xtask demo`: a shop on a real node, the agent, kube-state, a real Prometheus that scrapes them and evaluates the
//! alerts, a real Alertmanager, and a fault that somebody is told of; where there can be no node, the same without the
//! shop.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::agent::Agent;
use crate::args::Args;
use crate::cluster::{self, Cluster, NODE};
use crate::pager::{Note, Pager};
use crate::peers::{ALERTMANAGER_NEW, PROMETHEUS_2};
use crate::process::Tied;
use crate::prometheus::{JOBS, Prometheus};
use crate::skip::Skip;
use crate::{account, alerts, cargo, http, places, process, setup, shop};

/// All times of the rules, made shorter: what takes three minutes in earnest takes 18 seconds here.
const FACTOR: f64 = 0.1;
/// How long the fault may take to reach somebody.
const PATIENCE: Duration = Duration::from_mins(4);

/// `cargo xtask demo`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let until = if args.flag("--once") { Until::Answered } else { Until::Interrupted };
    args.finish()?;
    setup::for_building()?;
    let options = cluster::Options::default();
    if let Some(missing) = cluster::missing(&options) {
        println!("without a node: {missing}");
        return alone(until);
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
    /// The questions are answered, and somebody was told of the fault.
    Answered,
    /// Somebody presses Ctrl-C.
    Interrupted,
}

/// The whole suite on a node that is up.
fn suite(machine: &Cluster, until: Until) -> Result<()> {
    cargo::release()?;
    let watch = Watch::prepare()?;
    shop::open(machine)?;
    let (kube_state, own, _process) = kube_state(machine, &binary("yagura-kube-state"))?;
    let flags = vec![format!("--kubernetes.node={NODE}"), "--kubernetes.owner-labels=team=team".to_owned()];
    let kubeconfig = account::kubeconfig(machine, &binary("yagura-exporter"), &flags)?;
    let further =
        vec![format!("--kubernetes.kubeconfig={}", kubeconfig.display()), format!("--peers.url={kube_state}")];
    let flags = [flags, further].concat();
    let agent = Agent::start(&binary("yagura-exporter"), &flags)?;
    let (mut prometheus, pager) = watch.start(agent.url(), NODE, &[&kube_state, &own])?;
    prometheus.wait_up(JOBS.len() + 2)?;
    shop::answer(&prometheus)?;
    shop::is_on_page(agent.url())?;
    println!("\nA fault: the shop gets a Deployment `checkout` of the team `front`, whose image does not exist.");
    shop::break_checkout(machine)?;
    told(&prometheus, pager.as_ref(), "WorkloadDown", "checkout")?;
    println!("\nagent         {}/", agent.url());
    println!("  who used what, talked to whom, belongs to whom: {}/workloads", agent.url());
    println!("kube-state    {kube_state}/");
    addresses(&prometheus, pager.as_ref());
    if until == Until::Interrupted {
        println!("\nall run until Ctrl-C; then `cargo xtask cluster down`");
        go_on(&mut prometheus, pager.as_ref())?;
    }
    Ok(())
}

/// kube-state before the cluster's API server, as the administrator: where it serves objects, and where itself.
fn kube_state(machine: &Cluster, binary: &Path) -> Result<(String, String, Tied)> {
    let (port, own) = (http::free_port()?, http::free_port()?);
    let mut command = process::tied(binary);
    command.arg(format!("--kubeconfig={}", machine.kubeconfig().display()));
    command.args(["--host=127.0.0.1".to_owned(), format!("--port={port}")]);
    command.args([
        "--telemetry-host=127.0.0.1".to_owned(),
        format!("--telemetry-port={own}"),
        "--pod-workloads".to_owned(),
        "--workload-owner=team=team".to_owned(),
        "--peers".to_owned(),
    ]);
    let log = places::cache("logs")?.join("demo-kube-state.log");
    let mut process = Tied::start("kube-state", &mut command, &log)?;
    let url = format!("http://127.0.0.1:{port}");
    process.wait_until(Duration::from_secs(30), || http::get(&format!("{url}/metrics")).is_ok())?;
    Ok((url, format!("http://127.0.0.1:{own}"), process))
}

/// The agent, Prometheus and Alertmanager. What is missing is the fault.
fn alone(until: Until) -> Result<()> {
    cargo::release()?;
    let watch = Watch::prepare()?;
    let agent = Agent::start(&binary("yagura-exporter"), &[])?;
    let (mut prometheus, pager) = watch.start(agent.url(), "this-machine", &[])?;
    prometheus.wait_up(JOBS.len())?;
    println!("\nA fault: nothing tells the state of a cluster, so the alerts about it are blind. That takes 90 s.");
    told(&prometheus, pager.as_ref(), "AlertInputMissing", "")?;
    println!("\nagent         {}/", agent.url());
    println!("  who used what and talked to whom: {}/workloads", agent.url());
    for (job, path) in JOBS {
        println!("  job {job:<9} {}{path}", agent.url());
    }
    addresses(&prometheus, pager.as_ref());
    println!("  try         {}/graph?g0.tab=0&g0.expr=rate(container_cpu_usage_seconds_total[1m])", prometheus.url);
    if until == Until::Interrupted {
        println!("\nall run until Ctrl-C");
        go_on(&mut prometheus, pager.as_ref())?;
    }
    Ok(())
}

fn binary(name: &str) -> PathBuf {
    places::target().join("release").join(name)
}

/// What looks at the exporters: programs, and rules with shorter times.
struct Watch {
    prometheus: PathBuf,
    /// None where it cannot be built, which was said.
    alertmanager: Option<PathBuf>,
    rules: PathBuf,
}

impl Watch {
    fn prepare() -> Result<Self> {
        let catalogs = ["yagura-exporter", "yagura-kube-state"].map(binary);
        let rules = places::cache("demo-rules")?;
        alerts::scaled(&alerts::set(&alerts::printed_by(&catalogs)?)?, FACTOR, &rules)?;
        let alertmanager = match ALERTMANAGER_NEW.binary() {
            Ok(program) => Some(program),
            Err(error) => {
                let skip = error.downcast::<Skip>()?;
                println!("without Alertmanager: {skip}");
                None
            }
        };
        Ok(Self { prometheus: PROMETHEUS_2.path().context("cannot fetch Prometheus")?, alertmanager, rules })
    }

    /// Starts both before the agent of a node and the pages of kube-state.
    fn start(&self, agent: &str, node: &str, kube_state: &[&str]) -> Result<(Prometheus, Option<Pager>)> {
        let pager = self.alertmanager.as_deref().map(Pager::start).transpose()?;
        let told = pager.as_ref().map(|pager| format!("'{}'", pager.url.trim_start_matches("http://")));
        let host = |url: &str| url.trim_start_matches("http://").to_owned();
        let mut text = format!(
            "global: {{scrape_interval: 5s, scrape_timeout: 4s, evaluation_interval: 5s}}\nrule_files: ['{}/*.yaml']\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: [{}]}}]}}]}}\nscrape_configs:\n",
            self.rules.display(),
            told.unwrap_or_default()
        );
        for (job, path) in JOBS {
            let _ = writeln!(
                text,
                "- {{job_name: {job}, metrics_path: {path}, honor_labels: true, static_configs: [{{targets: ['{}'], \
                 labels: {{node: {node}}}}}]}}",
                host(agent)
            );
        }
        for (url, job) in kube_state.iter().zip(["kube-state-metrics", "kube-state-itself"]) {
            let _ = writeln!(
                text,
                "- {{job_name: {job}, honor_labels: true, static_configs: [{{targets: ['{}']}}]}}",
                host(url)
            );
        }
        Ok((Prometheus::with(&self.prometheus, &text, "demo", &[])?, pager))
    }
}

/// Waits until somebody is told of an alert, of that workload if it is about one, and prints it. Without Alertmanager it
/// fires, and nobody is told.
fn told(prometheus: &Prometheus, pager: Option<&Pager>, alert: &str, workload: &str) -> Result<()> {
    let begin = Instant::now();
    let Some(pager) = pager else {
        let query = format!("ALERTS{{alertname=\"{alert}\", workload=\"{workload}\", alertstate=\"firing\"}}");
        let fires = || prometheus.query(&query).is_ok_and(|rows| !rows.is_empty());
        process::wait_for(&format!("{alert} to fire"), PATIENCE, fires)?;
        println!("after {} s {alert} fires", begin.elapsed().as_secs());
        return Ok(());
    };
    let mut others: Vec<Note> = Vec::new();
    while begin.elapsed() < PATIENCE {
        for note in pager.take() {
            if note.fires && note.label("alertname") == alert && note.label("workload") == workload {
                println!("after {} s {} is told:", begin.elapsed().as_secs(), note.receiver);
                print(&note);
                if !others.is_empty() {
                    println!("and besides:");
                    others.iter().for_each(print);
                }
                return Ok(());
            }
            others.push(note);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let names: Vec<&str> = others.iter().map(|note| note.label("alertname")).collect();
    bail!("nobody was told of {alert} within {} s, but of {names:?}", PATIENCE.as_secs())
}

fn print(note: &Note) {
    let [summary, runbook] =
        ["summary", "runbook_url"].map(|name| note.annotations.get(name).and_then(|text| text.as_str()));
    let state = if note.fires { note.label("severity") } else { "over" };
    println!("  {state:<8} {}: {}", note.label("alertname"), summary.unwrap_or_default());
    println!("           {}", runbook.unwrap_or_default());
}

fn addresses(prometheus: &Prometheus, pager: Option<&Pager>) {
    println!("Prometheus    {}/", prometheus.url);
    println!("  alerts      {}/alerts  (times of all rules × {FACTOR})", prometheus.url);
    if let Some(pager) = pager {
        println!("Alertmanager  {}/", pager.url);
    }
    println!("  dashboards  cargo xtask dashboards preview --prometheus {}", prometheus.url);
}

/// Prints what is told until Prometheus ends.
fn go_on(prometheus: &mut Prometheus, pager: Option<&Pager>) -> Result<()> {
    println!("what Alertmanager sends from now on:");
    while !prometheus.process.has_ended() {
        pager.map(Pager::take).unwrap_or_default().iter().for_each(print);
        std::thread::sleep(Duration::from_secs(1));
    }
    prometheus.process.wait()
}
