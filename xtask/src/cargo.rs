//! Cargo, called in the repository.

use std::process::Command;

use anyhow::Result;

use crate::{places, process};

/// Cargo in the repository.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new(places::variable("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(places::repo()).args(words);
    command
}

/// Release binaries of the whole suite in one go: built one by one, each would have its libraries with other features.
/// Named one by one, since a crate of the recipes alone (a parser of `PromQL` with its lexer) is not to be built twice.
pub(crate) fn release() -> Result<()> {
    let programs = ["--package", "yagura-exporter", "--package", "yagura-kube-state"];
    process::run(command(&["build", "--release"]).args(programs))
}
