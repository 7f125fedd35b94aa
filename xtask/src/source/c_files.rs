//! A package's C: eBPF programs and their headers.

use std::fs;
use std::path::{Path, PathBuf};

use super::packages::Package;

/// The folder of the headers that several programs include.
pub(crate) const SHARED: &str = "bpf/include";

/// Every C file of a package's product.
pub(crate) fn of(package: &Package) -> Vec<PathBuf> {
    ["src", SHARED].iter().flat_map(|dir| below(&package.dir.join(dir))).collect()
}

/// The C files below a folder; none when it is not there.
fn below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(below(&path));
        } else if path.extension().is_some_and(|ending| ending == "c" || ending == "h") {
            files.push(path);
        }
    }
    files.sort();
    files
}
