//! Which C file includes which: `#include "…"` beside it, or in the package's `bpf/include`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::graph::{Graph, module_path};
use crate::source::c_files;
use crate::source::packages::Package;

/// Adds the C files of a package and what they include.
pub(super) fn add(graph: &mut Graph, root: &Path, package: &Package) -> Result<()> {
    let shared = package.dir.join(c_files::SHARED);
    for file in c_files::of(package) {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let here = shown(root, &file);
        let path = file.strip_prefix(package.dir.join("src")).map(module_path);
        graph.files.insert(here.clone(), (package.name.clone(), path.unwrap_or_else(|_| "bpf".to_owned())));
        for name in text.lines().filter_map(included) {
            let beside = file.parent().unwrap_or(root).join(name);
            let found = [beside, shared.join(name)].into_iter().find(|path| path.is_file());
            let found = found.with_context(|| format!("{}: no file for #include \"{name}\"", file.display()))?;
            let found = found.canonicalize().with_context(|| format!("cannot resolve {}", found.display()))?;
            graph.tie(&here, &shown(root, &found), [format!("\"{name}\"")]);
        }
    }
    Ok(())
}

fn shown(root: &Path, file: &Path) -> PathBuf {
    file.strip_prefix(root).unwrap_or(file).to_owned()
}

fn included(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("#include")?.trim_start().strip_prefix('"')?.split('"').next()
}
