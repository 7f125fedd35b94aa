//! `cargo xtask proof dashboards`: a real node with workloads that serve, call, wait, fail and end; the agent, kube-state
//! and two real Prometheus of other names. Every query of every board must have data in both, and every panel is drawn.

mod asked;
mod names;
mod town;
mod volumes;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use metric::Catalog;

use self::asked::{Asker, EXCLUSIONS};
use self::town::Town;
use crate::agent::{self, Agent};
use crate::args::{Args, usage};
use crate::cluster::{self, Cluster, KUBELET, NODE, Options};
use crate::dashboards::{self, Drawing};
use crate::peers::PROMETHEUS_3;
use crate::process::Tied;
use crate::prometheus::Prometheus;
use crate::skip::Skip;
use crate::{account, alerts, cargo, http, places, process};

/// Seconds between scrapes.
const EVERY: u64 = 5;
/// Between things that happen.
const STEP: Duration = Duration::from_secs(15);
/// By this the times of alerts are shorter, so that those that the town deserves fire.
const FACTOR: f64 = 0.1;
/// What is chosen on boards about one of something.
const CHOSEN: [&str; 3] = ["namespace=store", "workload=cart", "node=node-1"];

/// `cargo xtask proof dashboards [--minutes N] [--out DIR] [--no-pictures] [--built] [--keep]`; with `--built`, the newest
/// binaries of the target directory are taken as they are.
pub(super) fn run(args: &mut Args) -> Result<()> {
    let minutes: u64 = match args.option("--minutes")? {
        Some(text) => text.parse().map_err(|_| usage(format!("--minutes {text:?} is no number")))?,
        None => 6,
    };
    let out = args.option("--out")?.map_or_else(|| places::target().join("dashboards"), PathBuf::from);
    let out = Some(out).filter(|_| !args.flag("--no-pictures"));
    let (keep, is_built) = (args.flag("--keep"), args.flag("--built"));
    args.finish()?;
    let (cluster, options) = (Cluster::of_this_machine()?, Options::default());
    if !is_built {
        cargo::release()?;
    }
    let agent = agent::binary()?;
    let programs = Programs { kube_state: agent.with_file_name("yagura-kube-state"), agent };
    let ran = cluster.answers(&options);
    cluster::up(&cluster, &options)?;
    let outcome = prove(&cluster, &programs, minutes, out.as_deref(), keep);
    if !keep {
        if ran {
            town::clear(&cluster)?;
        } else {
            cluster::down(&cluster)?;
        }
    }
    outcome
}

/// The binaries that are proved.
struct Programs {
    agent: PathBuf,
    kube_state: PathBuf,
}

impl Programs {
    /// What they print of themselves.
    fn catalogs(&self) -> Result<Vec<Catalog>> {
        let print = |program: &PathBuf| {
            let json = process::output(Command::new(program).arg("--print-catalog"))?;
            serde_json::from_str(&json).with_context(|| format!("{} printed no catalogue", program.display()))
        };
        [&self.agent, &self.kube_state].into_iter().map(print).collect()
    }
}

/// The programs that are scraped, and the two that scrape.
struct Suite {
    _agent: Agent,
    _kube_state: Tied,
    first: Prometheus,
    second: Prometheus,
}

fn prove(cluster: &Cluster, programs: &Programs, minutes: u64, out: Option<&Path>, keep: bool) -> Result<()> {
    let mut town = Town::build(cluster)?;
    town.wait()?;
    let suite = Suite::start(cluster, programs)?;
    let begun = Instant::now();
    let mut steps = 0;
    while begun.elapsed() < Duration::from_secs(60 * minutes) {
        if begun.elapsed() > STEP * steps {
            println!("{}", town.step()?);
            steps += 1;
        }
        town.follow()?;
        std::thread::sleep(Duration::from_secs(2));
    }
    let past = begun.elapsed().as_secs();
    let mut wrong = Vec::new();
    for (name, prometheus, is_first) in
        [("Prometheus", &suite.first, true), ("another Prometheus", &suite.second, false)]
    {
        let asker = Asker { prometheus, every: EVERY, past, has_cluster: is_first, has_native: is_first };
        wrong.extend(ask(name, &asker)?.into_iter().map(|missing| format!("{name}: {missing}")));
    }
    if let Some(out) = out {
        wrong.extend(draw(&suite, past, out));
    }
    println!("Prometheus: {}  {}", suite.first.url, suite.second.url);
    if keep {
        println!("all run until Ctrl-C; then `cargo xtask cluster down`");
        loop {
            println!("{}", town.step()?);
            let next = Instant::now() + STEP;
            while Instant::now() < next {
                town.follow()?;
                std::thread::sleep(Duration::from_secs(2));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("{} queries, variables or pictures are wrong:\n  {}", wrong.len(), wrong.join("\n  "));
    }
    Ok(())
}

/// Asks everything, and prints a line a board; gives what has no data and no reason for that.
fn ask(name: &str, asker: &Asker<'_>) -> Result<Vec<String>> {
    let root = places::repo();
    let exclusions = asked::exclusions(&root)?;
    println!("\n{name} at {}: queries with data, variables with values", asker.prometheus.url);
    let (mut missing, mut excluded, mut needless) = (Vec::new(), Vec::new(), Vec::new());
    let (mut queries, mut variables) = ((0, 0), (0, 0));
    for board in asked::boards(&root.join("dashboards/grafana"))? {
        let answers = asker.ask(&board, &exclusions)?;
        println!(
            "  {:<12} {:>3} of {:>3} queries, {} of {} variables, {} excluded",
            answers.board,
            answers.queries.0,
            answers.queries.1,
            answers.variables.0,
            answers.variables.1,
            answers.excluded.len()
        );
        queries = (queries.0 + answers.queries.0, queries.1 + answers.queries.1);
        variables = (variables.0 + answers.variables.0, variables.1 + answers.variables.1);
        missing.extend(answers.missing);
        excluded.extend(answers.excluded);
        needless.extend(answers.needless);
    }
    println!(
        "  {} of {} queries have data, {} without are in {EXCLUSIONS}; {} of {} variables have values",
        queries.0,
        queries.1,
        excluded.len(),
        variables.0,
        variables.1
    );
    for (what, lines) in
        [("no data", &missing), ("excluded", &excluded), ("has data although it is excluded", &needless)]
    {
        for line in lines {
            println!("  {what}: {line}");
        }
    }
    Ok(missing)
}

/// Draws every board from both, light from the first and dark from the second; gives what went wrong.
fn draw(suite: &Suite, past: u64, out: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let sources = [("Prometheus", &suite.first, "light"), ("Metrics of the west", &suite.second, "dark")];
    for (name, prometheus, theme) in sources {
        let drawing = Drawing {
            prometheus: Some(prometheus.url.clone()),
            name: Some(name.to_owned()),
            out: out.to_owned(),
            themes: vec![theme.to_owned()],
            chosen: CHOSEN.map(str::to_owned).to_vec(),
            scrape: Some(format!("{EVERY}s")),
            from: Some(format!("now-{}m", (past / 60).clamp(1, 60))),
            ..Drawing::default()
        };
        if let Err(error) = dashboards::draw(&drawing) {
            match error.downcast::<Skip>() {
                Ok(skip) => println!("skipped: pictures: {skip}"),
                Err(error) => wrong.push(format!("pictures from {name}: {error:#}")),
            }
        }
    }
    wrong
}

impl Suite {
    fn start(cluster: &Cluster, programs: &Programs) -> Result<Self> {
        let program = PROMETHEUS_3.path().context("cannot fetch Prometheus")?;
        let (objects, own, kube_state) = kube_state(cluster, &programs.kube_state)?;
        let flags = vec![format!("--kubernetes.node={NODE}"), "--kubernetes.owner-labels=team=team".to_owned()];
        let kubeconfig = account::kubeconfig_as("yagura-boards", cluster, &programs.agent, &flags)?;
        let further = vec![
            format!("--kubernetes.kubeconfig={}", kubeconfig.display()),
            format!("--kubernetes.kubelet.url={KUBELET}"),
            format!("--peers.url=http://{objects}"),
            "--prices.currency=EUR".to_owned(),
            "--prices.cpu-hour=0.03".to_owned(),
            "--prices.memory-gib-hour=0.004".to_owned(),
        ];
        let agent = Agent::start(&programs.agent, &[flags, further].concat())?;
        let volumes = volumes(cluster)?;
        let rules = rules(&programs.catalogs()?)?;
        let node = agent.url().trim_start_matches("http://").to_owned();
        let scraped =
            |names: [&str; 5], cluster: &str| configuration(names, cluster, [&node, &objects, &own, &volumes], &rules);
        let jobs = ["yagura", "node", "kube-state-metrics", "kube-state-telemetry", "kubelet"];
        // The first one has both kinds of histograms, the second one classic ones only.
        let both = scraped(jobs, "east").replace("global: {", "global: {always_scrape_classic_histograms: true, ");
        let first = Prometheus::with(&program, &both, "boards-1", &["--enable-feature=native-histograms"])?;
        let others = ["agents", "machines", "objects", "objects-own", "volumes"];
        let second = Prometheus::with(&program, &scraped(others, ""), "boards-2", &[])?;
        first.wait_up(jobs.len())?;
        second.wait_up(others.len())?;
        Ok(Self { _agent: agent, _kube_state: kube_state, first, second })
    }
}

/// Where volume statistics are: at the kubelet, else at what stands in for it.
fn volumes(cluster: &Cluster) -> Result<String> {
    let summary = http::get(&format!("{KUBELET}/stats/summary"));
    let says = || http::get(&format!("{KUBELET}/metrics")).is_ok_and(|page| page.contains("kubelet_volume_stats_"));
    // The kubelet looks at volumes once a minute.
    if summary.is_ok() && process::wait_for("volume statistics", Duration::from_secs(70), says).is_ok() {
        return Ok(KUBELET.trim_start_matches("http://").to_owned());
    }
    let why = summary.err().map(|error| format!("{error:#}")).unwrap_or_default();
    println!(
        "the kubelet has no volume statistics on this machine, the volume's file system is looked at instead: {why}"
    );
    volumes::serve(town::folder(cluster))
}

/// The alerts' rules, with shorter times.
fn rules(catalogs: &[Catalog]) -> Result<PathBuf> {
    let folder = places::cache("boards-rules")?;
    let set = alerts::set(catalogs)?;
    alerts::scaled(&set, FACTOR, &folder)?;
    Ok(folder)
}

/// kube-state before the cluster's API server; where it serves objects, and itself.
fn kube_state(cluster: &Cluster, binary: &Path) -> Result<(String, String, Tied)> {
    let (port, own) = (http::free_port()?, http::free_port()?);
    let mut command = process::tied(binary);
    command.arg(format!("--kubeconfig={}", cluster.kubeconfig().display()));
    command.args([format!("--port={port}"), format!("--telemetry-port={own}")]);
    command.args(["--host=127.0.0.1", "--telemetry-host=127.0.0.1", "--pod-workloads", "--peers"]);
    command.arg("--workload-owner=team=team");
    let log = places::cache("logs")?.join("boards-kube-state.log");
    let mut process = Tied::start("kube-state", &mut command, &log)?;
    let [objects, own] = [port, own].map(|port| format!("127.0.0.1:{port}"));
    process.wait_until(Duration::from_secs(30), || http::get(&format!("http://{objects}/metrics")).is_ok())?;
    Ok((objects, own, process))
}

/// What a Prometheus scrapes, under these names of jobs; without a cluster, nothing has that label.
fn configuration(names: [&str; 5], cluster: &str, targets: [&String; 4], rules: &Path) -> String {
    let [node, objects, own, kubelet] = targets;
    let cluster = if cluster.is_empty() { String::new() } else { format!(", cluster: {cluster}") };
    let job = |name: &str, path: &str, target: &str, more: &str| {
        format!(
            "- job_name: {name}\n  metrics_path: {path}\n  honor_labels: true\n  \
             static_configs: [{{targets: ['{target}'], labels: {{scrape: '{name}'{cluster}{more}}}}}]\n"
        )
    };
    let of_node = format!(", node: {NODE}");
    let [agent, machine, of_objects, of_own, volumes] = names;
    let jobs = [
        job(agent, "/metrics", node, &of_node),
        job(machine, "/metrics/node", node, &of_node),
        job(of_objects, "/metrics", objects, ""),
        job(of_own, "/metrics", own, ""),
        job(volumes, "/metrics", kubelet, &of_node)
            + "  metric_relabel_configs: [{source_labels: [__name__], regex: 'kubelet_volume_stats_.*', action: keep}]\n",
    ];
    format!(
        "global: {{scrape_interval: {EVERY}s, scrape_timeout: {}s, evaluation_interval: {EVERY}s}}\n\
         rule_files: ['{}/*.yaml']\nscrape_configs:\n{}",
        EVERY - 1,
        rules.display(),
        jobs.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_prometheus_has_other_names_and_no_cluster() {
        let address = "127.0.0.1:9".to_owned();
        let of = |names, cluster| configuration(names, cluster, [&address; 4], Path::new("/rules"));
        let first = of(["a", "b", "c", "d", "e"], "east");
        assert_eq!(first.matches("cluster: east").count(), 5, "{first}");
        let second = of(["v", "w", "x", "y", "z"], "");
        assert!(!second.contains("cluster") && second.contains("job_name: v"), "{second}");
    }
}
