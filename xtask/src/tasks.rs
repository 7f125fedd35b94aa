//! The short recipes: one or two calls of cargo.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::args::{Args, usage};
use crate::{places, process};

/// Cargo in the repository.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(places::repo()).args(words);
    command
}

/// `cargo xtask build`
pub(crate) fn build(args: &mut Args) -> Result<()> {
    args.finish()?;
    process::run(&mut cargo(&["build", "--release", "--workspace", "--exclude", "xtask"]))
}

/// `cargo xtask run [FLAGS]`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let flags = args.rest();
    let mut command = cargo(&["run", "--release", "--package", "yagura-exporter", "--bin", "yagura-exporter", "--"]);
    process::run(command.args(flags))
}

/// `cargo xtask test [ARGS]`
pub(crate) fn test(args: &mut Args) -> Result<()> {
    process::run(cargo(&["test", "--workspace"]).args(args.rest()))
}

/// `cargo xtask lint`
pub(crate) fn lint(args: &mut Args) -> Result<()> {
    args.finish()?;
    process::run(&mut format_check())?;
    process::run(&mut clippy())
}

/// Formatting, without changing a file.
pub(crate) fn format_check() -> Command {
    cargo(&["fmt", "--all", "--check"])
}

/// Every lint of every target; a warning fails.
pub(crate) fn clippy() -> Command {
    cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
}

/// `cargo xtask docs [--check]`: the generated pages come from the programs themselves.
pub(crate) fn docs(args: &mut Args) -> Result<()> {
    let check = args.flag("--check");
    args.finish()?;
    process::run(&mut docs_command(check))
}

/// What writes the generated pages, or compares them with what is committed.
pub(crate) fn docs_command(check: bool) -> Command {
    let mut command = cargo(&["run", "--quiet", "--package", "yagura-exporter", "--bin", "yagura-exporter", "--"]);
    command.arg(if check { "--docs.check" } else { "--docs.write" }).arg(places::repo().join("docs"));
    command
}

/// `cargo xtask bench [ARGS]`
pub(crate) fn bench(args: &mut Args) -> Result<()> {
    let mut command = cargo(&["bench", "--package", "yagura-exporter"]);
    process::run(command.arg("--").args(args.rest()))
}

/// `cargo xtask fuzz [SECONDS]`: each target for so long.
pub(crate) fn fuzz(args: &mut Args) -> Result<()> {
    let seconds = args.positional().unwrap_or_else(|| "60".to_owned());
    args.finish()?;
    seconds.parse::<u32>().map_err(|_| usage(format!("fuzz: {seconds:?} is not a number of seconds")))?;
    let dir = places::repo().join("fuzz");
    let targets = process::output(Command::new("cargo").current_dir(&dir).args(["fuzz", "list"]))
        .context("fuzzing needs cargo-fuzz and a nightly compiler")?;
    for target in targets.lines() {
        let limit = format!("-max_total_time={seconds}");
        process::run(Command::new("cargo").current_dir(&dir).args(["fuzz", "run", target, "--", &limit]))?;
    }
    Ok(())
}
