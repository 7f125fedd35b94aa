//! `cargo xtask e2e-cluster`: kube-state before a real control plane with simulated nodes.
//!
//! etcd, the API server, the controllers and the scheduler are the real ones; only kubelets are played, by kwok. What is
//! shown is compared with the API server's own lists while thousands of pods come and go, connections break, the API
//! server dies and the token changes. Each thing that is proved prints a line that begins with `proved:`.

mod kwok;
mod outage;
mod roll;
mod size;
mod states;
mod subject;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};

use self::size::{Size, options};
use self::subject::Subject;
use crate::args::{Args, Takes, usage};
use crate::cluster::{self, Cluster};
use crate::debian;
use crate::skip::Skip;

pub(crate) const TAKES: Takes =
    Takes::Options(&[("--reduced", ""), ("--pods", "NUMBER"), ("--scrapes", "NUMBER"), ("--keep", "")], "");

/// Simulated nodes that run pods.
const NODES: usize = 40;

/// `cargo xtask e2e-cluster`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let number = |text: Option<String>, or: usize| match text {
        None => Ok(or),
        Some(text) => text.parse().map_err(|_| usage(format!("{text:?} is not a number"))),
    };
    let size = if args.flag("--reduced") { Size::REDUCED } else { Size::FULL };
    let size = Size {
        pods: number(args.option("--pods")?, size.pods)?.max(20),
        scrapes: number(args.option("--scrapes")?, size.scrapes)?,
    };
    let keep = args.flag("--keep");
    args.finish()?;
    if let Some(skip) = missing() {
        return Err(skip.into());
    }
    measure(size, keep)
}

/// What the machine lacks for it, if anything.
pub(crate) fn missing() -> Option<Skip> {
    if !debian::is_here() {
        return Some(Skip("Debian's package tools are not installed".to_owned()));
    }
    cluster::missing(&options()).or_else(kwok::missing)
}

fn measure(size: Size, keep: bool) -> Result<()> {
    let begin = Instant::now();
    let machine = Cluster::of_this_machine()?;
    cluster::up(&machine, &options())?;
    let outcome = prove(&machine, size);
    if !keep {
        cluster::down(&machine)?;
    }
    outcome?;
    println!("all of it took {:.0} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Simulated pods on one node at most, as on most real ones.
const PODS_PER_NODE: usize = 110;

/// Does something with a real control plane that has so many simulated pods; it gets the kubeconfig.
pub(crate) fn with_pods(pods: usize, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if let Some(skip) = missing() {
        return Err(skip.into());
    }
    let machine = Cluster::of_this_machine()?;
    cluster::up(&machine, &options())?;
    let outcome = (|| {
        let _nodes = kwok::start(&machine)?;
        kwok::create_nodes(&machine, pods.div_ceil(PODS_PER_NODE) + 1)?;
        roll::create(&machine, pods)?;
        work(&machine.kubeconfig())
    })();
    cluster::down(&machine)?;
    outcome
}

fn prove(machine: &Cluster, size: Size) -> Result<()> {
    let _nodes = kwok::start(machine)?;
    kwok::create_nodes(machine, NODES)?;
    states::create(machine).context("cannot make the objects of every state")?;
    roll::create(machine, size.pods)?;
    let mut subject = Subject::start(machine)?;
    println!("proved: kube-state lists and watches with the rights that it prints itself ({} rules)", subject.rules());
    states::prove(machine, &subject)?;
    let token = subject.rotate_token(machine)?;
    roll::prove(machine, &subject, size)?;
    outage::prove(machine, &mut subject, token)
}
