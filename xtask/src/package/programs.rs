//! The programs as they are shipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{cargo, places, process, setup};

/// A program that is shipped.
pub(super) struct Program {
    /// Its name, and that of its image and package.
    pub(super) name: &'static str,
    /// What it is, in a line.
    pub(super) about: &'static str,
    /// Most bytes of its image, compressed.
    pub(super) image_bytes: u64,
    /// The port that it listens on by default.
    pub(super) port: u16,
}

pub(super) const ALL: [Program; 2] = [
    Program {
        name: "yagura-exporter",
        about: "node agent: what every container does, for Prometheus",
        image_bytes: 10_000_000,
        port: 9100,
    },
    Program {
        name: "yagura-kube-state",
        about: "the state of a cluster's objects, for Prometheus",
        image_bytes: 8_000_000,
        port: 8080,
    },
];

/// The version of all that is shipped: that of the workspace.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Release binaries without debug information, in a folder; functions keep their names, for backtraces.
pub(super) fn build() -> Result<PathBuf> {
    setup::for_building()?;
    cargo::release()?;
    let folder = places::target().join("package/bin");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for program in &ALL {
        let built = places::target().join("release").join(program.name);
        let mut strip = Command::new("strip");
        process::run(strip.arg("--strip-debug").arg("-o").arg(folder.join(program.name)).arg(built))?;
    }
    Ok(folder)
}

/// Shared libraries that a program is loaded with, and the loader, by the paths that it asks for.
pub(super) fn libraries(program: &Path) -> Result<Vec<String>> {
    let printed = process::output(Command::new("ldd").arg(program))?;
    let paths = printed.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    let mut paths: Vec<String> = paths.map(str::to_owned).collect();
    paths.sort();
    Ok(paths)
}

/// The time of the last change, which is that of all that is made of it, as RFC 3339 has it.
pub(super) fn stamp() -> Result<String> {
    let seconds = if let Some(given) = places::variable("SOURCE_DATE_EPOCH") {
        given.to_string_lossy().into_owned()
    } else {
        let mut git = Command::new("git");
        process::output(git.current_dir(places::repo()).args(["log", "-1", "--format=%ct"]))?.trim().to_owned()
    };
    let printed = process::output(Command::new("date").args(["--utc", "+%FT%TZ", "--date"]).arg(format!("@{seconds}")))
        .context("SOURCE_DATE_EPOCH is seconds since 1970")?;
    Ok(printed.trim().to_owned())
}
