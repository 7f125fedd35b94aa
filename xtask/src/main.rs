//! The project's recipes: `cargo xtask <recipe>`.
//!
//! Plain programs instead of shell scripts: what a developer runs, what the Makefile calls and what continuous
//! integration does is the same code. `cargo xtask help` lists the recipes.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a recipe talks to the person who called it")]

mod account;
mod agent;
mod alerts;
mod args;
mod cargo;
mod chart;
mod checks;
mod ci;
mod cluster;
mod connection;
mod counterparts;
mod counts;
mod dashboards;
mod debian;
mod demo;
mod e2e;
mod exposition;
mod go;
mod http;
mod kube_names;
mod lines;
mod new;
mod oci;
mod package;
mod pager;
mod parity;
mod peers;
mod places;
mod process;
mod prometheus;
mod proof;
mod query_cost;
mod setup;
mod shop;
mod skip;
mod source;
mod structure;
mod tasks;
mod vm;

use std::process::ExitCode;

use args::{Args, Takes};
use clap::Command;

/// One recipe of the command line.
struct Recipe {
    name: &'static str,
    takes: Takes,
    about: &'static str,
    run: fn(&mut Args) -> anyhow::Result<()>,
}

const RECIPES: &[Recipe] = &[
    Recipe { name: "setup", takes: Takes::Nothing, about: "install what building and testing need", run: setup::run },
    Recipe { name: "build", takes: Takes::Nothing, about: "release binaries in target/release", run: tasks::build },
    Recipe { name: "image", takes: package::TAKES, about: "OCI images in target/package/image", run: package::run },
    Recipe {
        name: "run",
        takes: Takes::Anything("flags of the agent"),
        about: "build and start the agent",
        run: tasks::run,
    },
    Recipe {
        name: "demo",
        takes: Takes::Options(&[("--once", "")], ""),
        about: "a shop on a real node, the agent, kube-state, Prometheus, Alertmanager, and a fault that fires",
        run: demo::run,
    },
    Recipe {
        name: "test",
        takes: Takes::Anything("arguments of cargo test"),
        about: "cargo test --workspace",
        run: tasks::test,
    },
    Recipe {
        name: "lint",
        takes: Takes::Nothing,
        about: "formatting, structure, clippy and rustdoc, warnings are errors",
        run: tasks::lint,
    },
    Recipe { name: "new", takes: new::TAKES, about: "a collector that compiles, to start from", run: new::run },
    Recipe {
        name: "deny",
        takes: Takes::Nothing,
        about: "licences, second versions and advisories of dependencies",
        run: tasks::deny,
    },
    Recipe {
        name: "lines",
        takes: lines::TAKES,
        about: "how much code there is, and how much of it stands in two places",
        run: lines::run,
    },
    Recipe {
        name: "structure",
        takes: structure::TAKES,
        about: "import circles and imports from a higher layer: there are none",
        run: structure::run,
    },
    Recipe {
        name: "docs",
        takes: Takes::Options(&[("--check", "")], ""),
        about: "write the generated pages, or check them",
        run: tasks::docs,
    },
    Recipe { name: "alerts", takes: alerts::TAKES, about: "compile the alerts and test their rules", run: alerts::run },
    Recipe {
        name: "dashboards",
        takes: dashboards::TAKES,
        about: "make the boards for Grafana of their sources, and check them",
        run: dashboards::run,
    },
    Recipe {
        name: "chart",
        takes: chart::TAKES,
        about: "make what is generated of the Helm chart, and have two Helms render its examples",
        run: chart::run,
    },
    Recipe {
        name: "bench",
        takes: Takes::Anything("[growth | network | join | kube-state | queries] [--peers] [--real] [ARGS]"),
        about: "what a scrape costs, how that grows, what it costs the peers, and what queries cost",
        run: tasks::bench,
    },
    Recipe { name: "proof", takes: proof::TAKES, about: "prove what the eBPF programs count", run: proof::run },
    Recipe {
        name: "fuzz",
        takes: Takes::Options(&[], "SECONDS, TARGETS"),
        about: "run every fuzz target",
        run: tasks::fuzz,
    },
    Recipe {
        name: "ci",
        takes: ci::TAKES,
        about: "everything: lint, tests, generated files, live checks",
        run: ci::run,
    },
    Recipe { name: "cluster", takes: cluster::TAKES, about: "a real one-node Kubernetes", run: cluster::run },
    Recipe {
        name: "e2e-cluster",
        takes: e2e::TAKES,
        about: "kube-state before a real control plane: every kind, every state, every trouble",
        run: e2e::run,
    },
    Recipe {
        name: "peers",
        takes: Takes::Nothing,
        about: "fetch Prometheus, Alertmanager, node_exporter and cAdvisor into the cache",
        run: peers::run,
    },
    Recipe { name: "parity", takes: parity::TAKES, about: "compare the agent with what it replaces", run: parity::run },
    Recipe {
        name: "conformance",
        takes: Takes::Options(&[("--write", "FILE")], "ksm FILE.jsonl | sharding FILE.json | consumers FILE.json…"),
        about: "compare kube-state with recorded lines, or with what dashboards read",
        run: tasks::conformance,
    },
    Recipe { name: "test-vm", takes: vm::TAKES, about: "the live checks on other kernels", run: vm::run },
];

/// The whole command line.
fn command() -> Command {
    let recipes = RECIPES.iter().map(|recipe| recipe.takes.command(recipe.name, recipe.about));
    Command::new("cargo xtask")
        .about("The project's recipes")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(recipes)
}

fn main() -> ExitCode {
    let matches = command().get_matches_from(std::env::args_os());
    let Some((name, matches)) = matches.subcommand() else { return ExitCode::from(2) };
    let Some(recipe) = RECIPES.iter().find(|recipe| recipe.name == name) else { return ExitCode::from(2) };
    match (recipe.run)(&mut Args::of(matches)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<args::BadUsage>() { 2 } else { 1 })
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_recipe_is_well_declared() {
        super::command().debug_assert();
    }
}
