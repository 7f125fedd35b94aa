//! The command line: one flag per option, one per collector, and the flags that print something and exit.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use daemon::{Cli, Loaded};

use crate::{cadvisor, catalog, check, config::Config, node_exporter, program::PROGRAM, rbac, slices};

/// The configuration of this process. Ends the process when it is asked to print something, or when something is wrong.
pub fn parse() -> Loaded<Config> {
    let args = cadvisor::translated(std::env::args_os());
    let args = args.and_then(|args| node_exporter::translated(args.into_iter())).unwrap_or_else(|refusal| {
        let _ = writeln!(std::io::stderr(), "{}: {refusal}", PROGRAM.name);
        std::process::exit(2);
    });
    let print = |name: &'static str, help: &'static str| {
        clap::Arg::new(name).long(name).action(clap::ArgAction::SetTrue).help(help).help_heading("Configuration")
    };
    let loaded = Cli::<Config>::new(&PROGRAM)
        .arg(print("print-catalog", "Print every family that can be served, as JSON, and exit"))
        .arg(print(
            "print-rbac",
            "Print the rights that the configuration needs in a cluster, as a ClusterRole, and exit",
        ))
        .arg(docs("docs.write"))
        .arg(docs("docs.check"))
        .after_help(after_help())
        .renamed(&[("security.keep_capabilities", "privilege.keep_capabilities")])
        .switches(slices::all().flat_map(|spec| {
            let short = spec.name.strip_prefix("node_").unwrap_or(spec.name);
            [format!("collector.{}", spec.name), format!("collector.{short}")]
        }))
        .check(check::check)
        .parse_args(args);
    if loaded.matches.get_flag("print-catalog") {
        let text = serde_json::to_string_pretty(&catalog::catalog(&PROGRAM)).unwrap_or_default() + "\n";
        let written = std::io::stdout().write_all(text.as_bytes());
        std::process::exit(i32::from(written.is_err()));
    }
    if loaded.matches.get_flag("print-rbac") {
        let written = std::io::stdout().write_all(rbac::cluster_role(&loaded.config).as_bytes());
        std::process::exit(i32::from(written.is_err()));
    }
    for (flag, action) in [("docs.write", write as fn(&Path, &str) -> Result<()>), ("docs.check", check)] {
        if let Some(folder) = loaded.matches.get_one::<PathBuf>(flag) {
            let done = pages().iter().try_for_each(|(name, text)| action(&folder.join(name), text));
            if let Err(error) = &done {
                let _ = writeln!(std::io::stderr(), "{}: {}", PROGRAM.name, daemon::chain(&**error));
            }
            std::process::exit(i32::from(done.is_err()));
        }
    }
    loaded
}

/// A hidden flag for those who build the agent, not for those who run it.
fn docs(name: &'static str) -> clap::Arg {
    clap::Arg::new(name).long(name).value_name("FOLDER").value_parser(clap::value_parser!(PathBuf)).hide(true)
}

/// The pages of the documentation that are made from the code, by their path below the folder `docs`.
fn pages() -> [(&'static str, String); 2] {
    [
        ("metrics/exporter.md", catalog::reference(&catalog::catalog(&PROGRAM))),
        ("config/exporter.md", daemon::options_reference::<Config>(&PROGRAM)),
    ]
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn check(path: &Path, text: &str) -> Result<()> {
    let there = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(there == text, "{} is not what the code says: run `make docs`", path.display());
    Ok(())
}

fn after_help() -> String {
    use std::fmt::Write as _;

    let mut text = "Collectors (--collector.NAME switches one on, --no-collector.NAME off):\n".to_owned();
    for spec in slices::all() {
        let state = if spec.default_on { "on " } else { "off" };
        let _ = writeln!(text, "  {state} {:<24} {}", spec.name, spec.about);
    }
    text
}
