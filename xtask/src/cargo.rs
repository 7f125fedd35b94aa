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
pub(crate) fn release() -> Result<()> {
    process::run(&mut command(&["build", "--release", "--workspace", "--exclude", "xtask"]))
}
