//! The live checks of `ci`: each says what it saw, or why it could not look.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::agent::{self, Agent};
use crate::exposition::Page;
use crate::peers::{PROMETHEUS_2, PROMETHEUS_3, PROMTOOL_2, PROMTOOL_3, Peer};
use crate::prometheus::{Prometheus, promtool_check};
use crate::skip::Skip;
use crate::{cluster, debian, kube_names, parity, places, process, proof};

/// The views of the agent.
const VIEWS: &[&str] = &["/metrics", "/metrics/cadvisor", "/metrics/node"];

/// A check and its name.
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) run: Box<dyn Fn() -> Result<()>>,
}

/// Every check, cheap ones first.
pub(crate) fn all() -> Vec<Check> {
    vec![
        check("views have no duplicate series", views_are_unique),
        check("promtool 2 reads every view", || promtool(PROMTOOL_2)),
        check("promtool 3 reads every view", || promtool(PROMTOOL_3)),
        check("Prometheus 2 scrapes every view", || prometheus(PROMETHEUS_2, "2")),
        check("Prometheus 3 scrapes every view", || prometheus(PROMETHEUS_3, "3")),
        check("Prometheus adds up short-lived containers", proof::check),
        check("kube names of consumers", kube_names::check),
        check("parity cadvisor", parity_cadvisor),
        check("parity node", parity_node),
        check("parity node on fixtures", parity::fixtures::check),
        check("parity consumers", parity_consumers),
        check("parity kubelet", parity_kubelet),
    ]
}

fn check(name: &str, run: fn() -> Result<()>) -> Check {
    Check { name: name.to_owned(), run: Box::new(run) }
}

fn views_are_unique() -> Result<()> {
    let agent = Agent::start(&agent::binary()?, &[])?;
    for view in VIEWS {
        let page = Page::parse(&agent.page(view)?).with_context(|| format!("{view} is no page of metrics"))?;
        if page.samples.is_empty() {
            bail!("{view} is empty");
        }
        println!("  {view}: {} series, {} families", page.samples.len(), page.families().len());
    }
    Ok(())
}

fn promtool(peer: Peer) -> Result<()> {
    let promtool = fetched(peer)?;
    let agent = Agent::start(&agent::binary()?, &[])?;
    let exempt = exempt()?;
    let mut bad = Vec::new();
    for view in VIEWS {
        let file = places::cache("scratch")?.join("page");
        places::write(&file, agent.page(view)?)?;
        let text = promtool_check(&promtool, &file)?;
        let (known, new): (Vec<&str>, Vec<&str>) = text
            .lines()
            .partition(|line| line.split_whitespace().next().is_some_and(|name| exempt.iter().any(|e| e == name)));
        println!("  {view}: {} remarks about names that are kept from other exporters", known.len());
        for line in known {
            println!("    {line}");
        }
        bad.extend(new.into_iter().filter(|line| !line.is_empty()).map(str::to_owned));
    }
    if !bad.is_empty() {
        bail!("promtool says: {}", bad.join("; "));
    }
    Ok(())
}

/// Families whose name is another exporter's, so that promtool's remarks about it are no news.
fn exempt() -> Result<Vec<String>> {
    let catalog = agent::catalog()?;
    let sections = catalog["sections"].as_array().cloned().unwrap_or_default();
    let families = sections.iter().filter_map(|section| section["families"].as_array()).flatten();
    let kept = families.filter(|family| family["named_by"].is_string());
    Ok(kept.filter_map(|family| family["name"].as_str().map(str::to_owned)).collect())
}

fn prometheus(peer: Peer, name: &str) -> Result<()> {
    let program = fetched(peer)?;
    let agent = Agent::start(&agent::binary()?, &[])?;
    let prometheus = Prometheus::start(&program, agent.url(), &format!("check-{name}"))?;
    for (job, samples) in prometheus.scraped()? {
        println!("  job {job}: {samples} samples");
    }
    Ok(())
}

fn fetched(peer: Peer) -> Result<PathBuf> {
    if !debian::is_here() {
        return Err(Skip("Debian's package tools are not installed".to_owned()).into());
    }
    peer.path()
}

fn parity_cadvisor() -> Result<()> {
    if !process::is_root() {
        return Err(Skip("making cgroups needs root".to_owned()).into());
    }
    parity::cadvisor::check(&places::families_file(), &Agent::start(&agent::binary()?, &[])?)
}

fn parity_node() -> Result<()> {
    parity::node::check()
}

fn parity_consumers() -> Result<()> {
    if let Some(skip) = cluster::missing(&cluster::Options::default()) {
        return Err(skip.into());
    }
    fetched(PROMETHEUS_3)?;
    parity::consumers::check(&[places::consumers_file()])
}

fn parity_kubelet() -> Result<()> {
    if let Some(skip) = cluster::missing(&cluster::Options::default()) {
        return Err(skip.into());
    }
    parity::kubelet::check()
}
