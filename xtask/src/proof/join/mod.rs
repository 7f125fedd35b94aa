//! `cargo xtask proof join`: a real node with a hundred pods of every shape, minutes of churn, and the agent's pages
//! read all the while: every series must say the right pod, container and workload.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

mod churn;
mod seen;
mod shapes;
mod truth;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use self::churn::Churn;
use self::seen::Seen;
use self::shapes::{NAMESPACE, SHAPES};
use self::truth::Following;
use crate::agent::{self, Agent};
use crate::args::{Args, usage};
use crate::cluster::{self, Cluster, KUBELET, NODE, Options};
use crate::exposition::Page;
use crate::{account, process};

/// How often the agent's pages are read.
const SCRAPE: Duration = Duration::from_secs(5);

/// `cargo xtask proof join [--minutes N] [--keep]`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let minutes: u64 = match args.option("--minutes")? {
        Some(text) => text.parse().map_err(|_| usage(format!("--minutes {text:?} is no number")))?,
        None => 10,
    };
    let keep = args.flag("--keep");
    args.finish()?;
    let cluster = Cluster::of_this_machine()?;
    let options = Options::default();
    let ran = cluster.answers(&options);
    cluster::up(&cluster, &options)?;
    let outcome = prove(&cluster, &options, minutes);
    if !keep && !ran {
        cluster::down(&cluster)?;
    }
    outcome
}

fn prove(cluster: &Cluster, options: &Options, minutes: u64) -> Result<()> {
    let binary = agent::binary()?;
    let mut flags = vec![format!("--kubernetes.node={NODE}"), format!("--kubernetes.kubelet.url={KUBELET}")];
    let kubeconfig = account::kubeconfig(cluster, &binary, &flags)?;
    flags.push(format!("--kubernetes.kubeconfig={}", kubeconfig.display()));
    let agent = Agent::start(&binary, &flags)?;
    let following = Following::start(cluster);
    let begun = Instant::now();
    create(cluster)?;
    let mut seen = Seen::default();
    let all_run = || running(cluster).is_ok_and(|count| count >= shapes::pods());
    while !all_run() {
        if begun.elapsed() > Duration::from_mins(8) {
            bail!("only {} of {} pods run", running(cluster)?, shapes::pods());
        }
        scrape(&agent, &mut seen)?;
        std::thread::sleep(SCRAPE);
    }
    println!("{} pods run after {:.0} s", shapes::pods(), begun.elapsed().as_secs_f64());
    let mut churn = Churn::new(cluster, options);
    let churning = Instant::now();
    let mut steps = Vec::new();
    while churning.elapsed() < Duration::from_secs(minutes * 60) {
        let next = Instant::now() + SCRAPE;
        let part = churning.elapsed().as_secs_f64() / (minutes * 60) as f64;
        if let Some(step) = churn.step(part)? {
            println!("{:>5.0} s  {step}", churning.elapsed().as_secs_f64());
            steps.push(step);
        }
        scrape(&agent, &mut seen)?;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let jobs = churn.finish()?;
    let ended = || short_pods_left(cluster).is_ok_and(|left| left == 0);
    process::wait_for("the short Jobs to end", Duration::from_mins(5), ended)?;
    // The kernel's last words, and the books' patience with them.
    std::thread::sleep(Duration::from_secs(15));
    scrape(&agent, &mut seen)?;
    let blind = without_bundles(&agent, &binary, &flags);
    judge(&agent, &seen, &following, jobs)?;
    blind
}

/// A second agent that can read no bundle names the containers that are there as the first one does.
fn without_bundles(agent: &Agent, binary: &Path, flags: &[String]) -> Result<()> {
    let empty = crate::places::cache("empty")?;
    let blind = Agent::start(binary, &[flags, &[format!("--path.rootfs={}", empty.display())]].concat())?;
    let mut differ = Vec::new();
    let mut same = 0;
    for _ in 0..10 {
        std::thread::sleep(Duration::from_secs(2));
        let (right, ours) = (named(agent)?, named(&blind)?);
        differ = right.difference(&ours).chain(ours.difference(&right)).cloned().collect();
        same = right.intersection(&ours).count();
        if differ.is_empty() {
            break;
        }
    }
    println!("without bundles {same} containers bear the same names and images, {} others", differ.len());
    for labels in differ.iter().take(10) {
        println!("  {labels:?}");
    }
    if !differ.is_empty() || same == 0 {
        bail!("without bundles containers are called otherwise");
    }
    Ok(())
}

/// The labels of all containers of pods on the cAdvisor view.
fn named(agent: &Agent) -> Result<BTreeSet<[String; 5]>> {
    let page = Page::parse(&agent.page("/metrics/cadvisor")?)?;
    let rows = page.series("container_memory_working_set_bytes").map(|(series, _)| {
        ["id", "namespace", "pod", "container", "image"].map(|label| series.label(label).to_owned())
    });
    Ok(rows.filter(|[_, namespace, _, container, _]| namespace == NAMESPACE && !container.is_empty()).collect())
}

fn judge(agent: &Agent, seen: &Seen, following: &Following, jobs: usize) -> Result<()> {
    let (mut wrong, pods, of_two) = following.look(|truth| (seen.wrong(truth), truth.names.len(), truth.of_two()));
    let (cgroups, containers, workloads) = seen.counts();
    println!(
        "\n{} scrapes, {} series of pods; {pods} pods there were, {} of them seen, {cgroups} cgroups, {containers} \
         containers, {workloads} workloads",
        seen.scrapes,
        seen.series,
        seen.pods().len()
    );
    println!("series whose workload was not known yet when they were read: {}", seen.late);
    let miscounted = seen.miscounted(jobs);
    println!("{jobs} Jobs that lived for milliseconds, {} counted exactly once", jobs - miscounted.len());
    let own = agent.page("/metrics")?;
    for line in own.lines().filter(|line| line.starts_with("yagura_kubernetes_")) {
        println!("{line}");
    }
    println!("containers that Kubernetes itself gave to two pods of one uid: {of_two}");
    println!("mislabelled: {}", wrong.len());
    wrong.extend(miscounted);
    for line in wrong.iter().take(30) {
        println!("  {line}");
    }
    if !wrong.is_empty() {
        bail!("{} series or counts are wrong", wrong.len());
    }
    Ok(())
}

fn scrape(agent: &Agent, seen: &mut Seen) -> Result<()> {
    let cadvisor = Page::parse(&agent.page("/metrics/cadvisor")?)?;
    let own = Page::parse(&agent.page("/metrics")?)?;
    seen.take_in(&cadvisor, &own);
    Ok(())
}

fn create(cluster: &Cluster) -> Result<()> {
    cluster.kubectl(&["create", "namespace", NAMESPACE])?;
    let account = ["-n", NAMESPACE, "get", "serviceaccount", "default"];
    process::wait_for("the service account", Duration::from_secs(30), || cluster.kubectl(&account).is_ok())?;
    cluster.create(shapes::FLEETS)?;
    let fleets = ["-n", NAMESPACE, "get", "fleets"];
    process::wait_for("the custom kind", Duration::from_secs(30), || cluster.kubectl(&fleets).is_ok())?;
    cluster.create(&shapes::fleet())?;
    let uid = cluster.kubectl(&["-n", NAMESPACE, "get", "fleet", "armada", "-o", "jsonpath={.metadata.uid}"])?;
    let manifests: Vec<String> = SHAPES.iter().filter_map(|shape| shape.manifest(&uid)).collect();
    cluster.create(&manifests.join("---\n"))?;
    for (name, text) in SHAPES.iter().filter_map(shapes::Shape::file) {
        crate::places::write(&cluster.static_pods().join(name), text)?;
    }
    Ok(())
}

fn running(cluster: &Cluster) -> Result<usize> {
    let field = "--field-selector=status.phase=Running";
    let names = cluster.kubectl(&["-n", NAMESPACE, "get", "pods", field, "-o", "name"])?;
    Ok(names.lines().count())
}

fn short_pods_left(cluster: &Cluster) -> Result<usize> {
    let jobs = cluster.kubectl(&["-n", NAMESPACE, "get", "jobs", "-o", "json"])?;
    let jobs: serde_json::Value = serde_json::from_str(&jobs).context("jobs")?;
    let is_short =
        |job: &&serde_json::Value| job["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(shapes::SHORT));
    let open = |job: &&serde_json::Value| job["status"]["succeeded"] != 1;
    Ok(jobs["items"].as_array().into_iter().flatten().filter(is_short).filter(open).count())
}
