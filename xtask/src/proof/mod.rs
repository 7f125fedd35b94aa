//! `cargo xtask proof NAME`: does something to the machine, compares what was counted with what was done, prints both and
//! fails when they differ.
//!
//! `alerts` makes the fault of each alert and waits for what Alertmanager sends; `dashboards` asks all queries of all boards
//! on a real node. `lifetimes` and `newborn` are made here, from outside, with real Prometheus between. `oom`, `pressure` and `restart` are long
//! versions of the live tests `probe_NAME` of the agent, told so by `YAGURA_PROOF`. The others are the agent's examples
//! `proof_NAME`.

mod alerts;
mod burning;
mod cadvisor;
mod dashboards;
mod join;
mod lifetimes;
mod newborn;
mod polling;

use anyhow::Result;

pub(crate) use self::lifetimes::check;
use crate::args::{Args, Takes, usage};
use crate::{cargo, counterparts, process, setup};

pub(crate) const TAKES: Takes = Takes::Anything(
    "alerts [--only NAME] [--factor N] [--unscaled] [--mixin FOLDER] [--healthy MINUTES] [--together N] [--markdown FILE] [--binaries FOLDER]\ndashboards [--minutes=N] [--out=DIR] [--no-pictures] [--built] [--keep]\nlifetimes [--count=N] [--seconds=N]\nnewborn [--count=N] [--seconds=N] [--most=SECONDS] [--built]\noom\npressure\nrestart\nNAME [ARGS]",
);

/// Live tests that have a long version.
const TESTS: &[&str] = &["oom", "pressure", "restart"];

/// `cargo xtask proof NAME [ARGS]`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let which = "proof: say which: alerts, dashboards, dns, drops, join, lifetimes, newborn, oom, overhead, peers, pressure, restart, tcp";
    let name = args.positional().ok_or_else(|| usage(which))?;
    if name == "dashboards" {
        setup::for_building()?;
        return dashboards::run(args);
    }
    if name == "join" {
        return join::run(args);
    }
    setup::for_building()?;
    if name == "alerts" {
        return alerts::run(args);
    }
    if name == "lifetimes" {
        return lifetimes::run(args);
    }
    if name == "newborn" {
        return newborn::run(args);
    }
    if TESTS.contains(&name.as_str()) {
        args.finish()?;
        let test = format!("probe_{name}");
        let words = ["test", "--release", "--quiet", "--package", "yagura-exporter", "--test", &test, "--"];
        let mut command = cargo::command(&words);
        return process::run(command.args(["--nocapture", "--test-threads=1"]).env("YAGURA_PROOF", "1"));
    }
    let mut command = cargo::command(&["run", "--release", "--quiet", "--package", "yagura-exporter", "--example"]);
    counterparts::provide(&name, &mut command)?;
    process::run(command.arg(format!("proof_{name}")).arg("--").args(args.rest()))
}
