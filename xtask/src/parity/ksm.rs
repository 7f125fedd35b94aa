//! Side by side with kube-state-metrics: every line that it and ours write of the same objects.
//!
//! The objects and the comparison are a test of kube-state, `tests/differential`. Here the reference is built for it: from
//! its Go module, by a module that requires it, and kept in the cache. `KSM` names another binary.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::args::Args;
use crate::{cargo, peers, places, process};

/// `cargo xtask parity ksm [OBJECTS.jsonl]`
pub(super) fn run(args: &mut Args) -> Result<()> {
    let objects = args.positional();
    args.finish()?;
    compare(objects.as_deref())
}

/// Compares with one of this version. Further plain objects come from a file.
pub(crate) fn compare(objects: Option<&str>) -> Result<()> {
    let mut command = cargo::command(&["test", "--quiet", "--package", "yagura-kube-state", "--test", "differential"]);
    command.args(["--", "--nocapture"]).env("KSM", binary()?);
    if let Some(file) = objects {
        command.env("KSM_OBJECTS", std::path::absolute(file).with_context(|| format!("cannot find {file}"))?);
    }
    process::run(&mut command)
}

/// The reference's binary: what `KSM` names, or what Go builds.
pub(crate) fn binary() -> Result<PathBuf> {
    if let Some(named) = places::variable("KSM") {
        let named = PathBuf::from(named);
        return std::path::absolute(&named).with_context(|| format!("cannot find {}", named.display()));
    }
    peers::KUBE_STATE_METRICS.binary()
}
