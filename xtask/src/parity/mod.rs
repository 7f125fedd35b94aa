//! `cargo xtask parity`: does the agent say what the programs say that it replaces?

pub(crate) mod cadvisor;
mod cgroups;
pub(crate) mod compare;
pub(crate) mod consumers;
pub(crate) mod differences;
pub(crate) mod fixtures;
pub(crate) mod ksm;
pub(crate) mod kubelet;
pub(crate) mod node;
mod workload;

use anyhow::Result;

use crate::args::{Args, usage};

pub(crate) const USAGE: &str = "kubelet [--agent URL] [--keep] [--verbose] [--standalone | --vm]\n\
    cadvisor [FILE.json] [--agent URL]\n\
    node [--agent URL] [--verbose] | node --fixtures [--verbose]\n\
    ksm [OBJECTS.jsonl]\n\
    consumers [FILE.json]… [--write FILE]";

/// `cargo xtask parity …`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let verb = args.positional().unwrap_or_default();
    match verb.as_str() {
        "kubelet" => kubelet::run(args),
        "cadvisor" => cadvisor::run(args),
        "node" if args.flag("--fixtures") => fixtures::run(args),
        "node" => node::run(args),
        "ksm" => ksm::run(args),
        "consumers" => consumers::run(args),
        other => Err(usage(format!("parity: {other:?} is none of kubelet, cadvisor, node, ksm, consumers"))),
    }
}
