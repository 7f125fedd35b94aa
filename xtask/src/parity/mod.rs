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

use crate::args::{Args, Takes, usage};

pub(crate) const TAKES: Takes = Takes::Options(
    &[
        ("--agent", "URL"),
        ("--keep", ""),
        ("--verbose", ""),
        ("--standalone", ""),
        ("--vm", ""),
        ("--fixtures", ""),
        ("--write", "FILE"),
    ],
    "kubelet | cadvisor FILE.json | node | ksm OBJECTS.jsonl | consumers FILE.json…",
);

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
