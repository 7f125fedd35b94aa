//! Where things are: the repository, the cache, the built binaries.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A variable of the environment: where things are on this machine, and what to use instead of what a recipe fetches.
#[expect(clippy::disallowed_methods, reason = "the one place where recipes read it")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The root of the repository.
pub(crate) fn repo() -> PathBuf {
    // What `cargo run` says now, for a target directory may be shared by two checkouts; else what it said at build.
    let run = variable("CARGO_MANIFEST_DIR").map(PathBuf::from).filter(|dir| dir.ends_with("xtask"));
    let here = run.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.parent().unwrap_or(&here).to_owned()
}

/// A directory of the cache that lives between runs, made when it is not there.
///
/// The cache is `$YAGURA_CACHE`, else `$XDG_CACHE_HOME/yagura`, else `~/.cache/yagura`; it may be deleted at any time
/// when no cluster runs.
pub(crate) fn cache(sub: &str) -> Result<PathBuf> {
    let set = |name: &str| variable(name).map(PathBuf::from);
    let base = set("YAGURA_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("yagura")))
        .or_else(|| Some(set("HOME")?.join(".cache/yagura")))
        .context("no cache directory: set YAGURA_CACHE or HOME")?;
    let dir = base.join(sub);
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    dir.canonicalize().with_context(|| format!("cannot resolve {}", dir.display()))
}

/// The committed list of cAdvisor's families.
pub(crate) fn families_file() -> PathBuf {
    repo().join("e2e/families/cadvisor.json")
}

/// The committed list of the names and labels that dashboards and alerts read.
pub(crate) fn consumers_file() -> PathBuf {
    repo().join("e2e/families/consumers.json")
}

/// The directory that cargo builds into.
pub(crate) fn target() -> PathBuf {
    variable("CARGO_TARGET_DIR").map_or_else(|| repo().join("target"), PathBuf::from)
}

/// Writes a file, and its directory when that is missing.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    std::fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
