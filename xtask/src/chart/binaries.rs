//! The programs of the suite, whose word the chart takes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{cargo, places, process};

/// Programs of the suite, as cargo built them: the agent, kube-state.
#[derive(Debug)]
pub(super) struct Binaries([PathBuf; 2]);

impl Binaries {
    /// Those in a folder, else those that cargo builds now.
    pub(super) fn of(folder: Option<&str>) -> Result<Self> {
        if let Some(folder) = folder {
            return Ok(Self(["yagura-exporter", "yagura-kube-state"].map(|program| Path::new(folder).join(program))));
        }
        let built = |program: &str| {
            process::run(&mut cargo::command(&["build", "--quiet", "--package", program, "--bin", program]))?;
            Ok::<_, anyhow::Error>(places::target().join("debug").join(program))
        };
        Ok(Self([built("yagura-exporter")?, built("yagura-kube-state")?]))
    }

    /// A call of one of them, on a node.
    pub(super) fn command(&self, which: usize) -> Result<Command> {
        let mut command = Command::new(self.0.get(which).context("there are two programs")?);
        command.env("NODE_NAME", "node");
        Ok(command)
    }
}
