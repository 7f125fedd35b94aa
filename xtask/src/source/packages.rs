//! The packages of a checkout, as cargo names them.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{places, process};

/// A package of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// Its name in `Cargo.toml`.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// The root file of its library, when it has one.
    pub(crate) library: Option<PathBuf>,
    /// The root files of its programs.
    pub(crate) programs: Vec<PathBuf>,
    /// Packages of the workspace that its code can name: the name in code, and the package's.
    pub(crate) uses: BTreeMap<String, String>,
    /// Crates from elsewhere that its product code depends on.
    pub(crate) crates: BTreeSet<String>,
}

/// Every package of the workspace at `root`, in the order of their names.
pub(crate) fn of(root: &Path) -> Result<Vec<Package>> {
    let mut command = Command::new(places::variable("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let text = process::output(&mut command)?;
    let metadata: Value = serde_json::from_str(&text).context("cannot read what cargo metadata printed")?;
    let mut packages = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata names no packages")? {
        packages.push(read(package)?);
    }
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

fn read(package: &Value) -> Result<Package> {
    let name = package["name"].as_str().context("a package without a name")?.to_owned();
    let manifest = package["manifest_path"].as_str().map(PathBuf::from);
    let dir = manifest.as_deref().and_then(Path::parent).with_context(|| format!("{name} has no folder"))?.to_owned();
    let (uses, crates) = (BTreeMap::new(), BTreeSet::new());
    let mut read = Package { name, dir, library: None, programs: Vec::new(), uses, crates };
    for target in package["targets"].as_array().into_iter().flatten() {
        let source = PathBuf::from(target["src_path"].as_str().unwrap_or_default());
        let is = |kind: &str| target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == kind));
        if is("lib") {
            read.uses.insert(target["name"].as_str().unwrap_or_default().replace('-', "_"), read.name.clone());
            read.library = Some(source);
        } else if is("bin") {
            read.programs.push(source);
        }
    }
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let name = dependency["name"].as_str().unwrap_or_default();
        if dependency["path"].is_string() {
            let in_code = dependency["rename"].as_str().unwrap_or(name).replace('-', "_");
            read.uses.insert(in_code, name.to_owned());
        } else if dependency["kind"] != "dev" {
            read.crates.insert(name.to_owned());
        }
    }
    Ok(read)
}
