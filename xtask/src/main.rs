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
mod checks;
mod ci;
mod cluster;
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
mod parity;
mod peers;
mod places;
mod process;
mod prometheus;
mod proof;
mod setup;
mod shop;
mod skip;
mod source;
mod structure;
mod tasks;
mod vm;

use std::process::ExitCode;

use args::Args;

/// One recipe of the command line.
struct Recipe {
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    run: fn(&mut Args) -> anyhow::Result<()>,
}

const RECIPES: &[Recipe] = &[
    Recipe { name: "setup", usage: "", about: "install what building and testing need", run: setup::run },
    Recipe { name: "build", usage: "", about: "release binaries in target/release", run: tasks::build },
    Recipe { name: "run", usage: "[FLAGS]", about: "build and start the agent", run: tasks::run },
    Recipe {
        name: "demo",
        usage: "[--once]",
        about: "a shop on a real node, the agent, kube-state, Prometheus; without a node the agent alone",
        run: demo::run,
    },
    Recipe { name: "test", usage: "[ARGS]", about: "cargo test --workspace", run: tasks::test },
    Recipe {
        name: "lint",
        usage: "",
        about: "formatting, structure, clippy and rustdoc, warnings are errors",
        run: tasks::lint,
    },
    Recipe { name: "new", usage: new::USAGE, about: "a collector that compiles, to start from", run: new::run },
    Recipe {
        name: "deny",
        usage: "",
        about: "licences, second versions and advisories of dependencies",
        run: tasks::deny,
    },
    Recipe {
        name: "lines",
        usage: lines::USAGE,
        about: "how much code there is, and how much of it stands in two places",
        run: lines::run,
    },
    Recipe {
        name: "structure",
        usage: structure::USAGE,
        about: "import circles and imports from a higher layer: there are none",
        run: structure::run,
    },
    Recipe { name: "docs", usage: "[--check]", about: "write the generated pages, or check them", run: tasks::docs },
    Recipe { name: "alerts", usage: alerts::USAGE, about: "compile the alerts and test their rules", run: alerts::run },
    Recipe {
        name: "dashboards",
        usage: dashboards::USAGE,
        about: "make the boards for Grafana of their sources, and check them",
        run: dashboards::run,
    },
    Recipe {
        name: "bench",
        usage: "[growth | network | join | kube-state] [--peers] [--real] [ARGS]",
        about: "what a scrape costs, how that grows, and what it costs the peers",
        run: tasks::bench,
    },
    Recipe { name: "proof", usage: proof::USAGE, about: "prove what the eBPF programs count", run: proof::run },
    Recipe { name: "fuzz", usage: "[SECONDS] [TARGET]…", about: "run every fuzz target", run: tasks::fuzz },
    Recipe {
        name: "ci",
        usage: ci::USAGE,
        about: "everything: lint, tests, generated files, live checks",
        run: ci::run,
    },
    Recipe { name: "cluster", usage: cluster::USAGE, about: "a real one-node Kubernetes", run: cluster::run },
    Recipe {
        name: "e2e-cluster",
        usage: e2e::USAGE,
        about: "kube-state before a real control plane: every kind, every state, every trouble",
        run: e2e::run,
    },
    Recipe {
        name: "peers",
        usage: "",
        about: "fetch Prometheus, Alertmanager, node_exporter and cAdvisor into the cache",
        run: peers::run,
    },
    Recipe { name: "parity", usage: parity::USAGE, about: "compare the agent with what it replaces", run: parity::run },
    Recipe {
        name: "conformance",
        usage: "ksm FILE.jsonl\nsharding FILE.json\nconsumers [FILE.json]… [--write FILE]",
        about: "compare kube-state with recorded lines, or with what dashboards read",
        run: tasks::conformance,
    },
    Recipe { name: "test-vm", usage: vm::USAGE, about: "the live checks on other kernels", run: vm::run },
];

fn main() -> ExitCode {
    let mut args = Args::from_env();
    let name = args.positional().unwrap_or_else(|| "help".to_owned());
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        return help();
    }
    let Some(recipe) = RECIPES.iter().find(|recipe| recipe.name == name) else {
        let near = RECIPES.iter().map(|recipe| recipe.name).find(|known| strsim::damerau_levenshtein(known, &name) < 3);
        let hint = near.map_or_else(String::new, |near| format!(", did you mean {near:?}?"));
        eprintln!("error: unknown recipe {name:?}{hint}; `cargo xtask help` lists them");
        return ExitCode::from(2);
    };
    match (recipe.run)(&mut args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<args::BadUsage>() { 2 } else { 1 })
        }
    }
}

fn help() -> ExitCode {
    println!("cargo xtask <recipe>\n");
    for recipe in RECIPES {
        println!("  {:<8} {}", recipe.name, recipe.about);
        for line in recipe.usage.lines() {
            println!("  {:<8}   {} {line}", "", recipe.name);
        }
    }
    ExitCode::SUCCESS
}
