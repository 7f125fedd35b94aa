//! Files and the names that tie them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::imports;
use crate::source::modules::Program;

/// The files of a checkout and the names that tie them, by paths below its root.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Each file, its package, and its path below the package's `src`, without an ending.
    pub(super) files: BTreeMap<PathBuf, (String, String)>,
    pub(super) imports: BTreeMap<(PathBuf, PathBuf), BTreeSet<String>>,
}

impl Graph {
    pub(super) fn add_program(&mut self, root: &Path, program: &Program) {
        for file in &program.files {
            let package = program.modules.get(file.module).and_then(|module| program.packages.get(module.package));
            if let Some(package) = package {
                let below = root.join(&file.path);
                let below = below.strip_prefix(package.dir.join("src")).unwrap_or(&file.path);
                self.files.insert(file.path.clone(), (package.name.clone(), module_path(below)));
            }
        }
        for ((from, to), names) in imports::of(program) {
            if let (Some(from), Some(to)) = (program.files.get(from), program.files.get(to)) {
                self.tie(&from.path, &to.path, names);
            }
        }
    }

    pub(super) fn tie(&mut self, from: &Path, to: &Path, names: impl IntoIterator<Item = String>) {
        if from != to {
            self.imports.entry((from.to_owned(), to.to_owned())).or_default().extend(names);
        }
    }

    pub(super) fn place(&self, file: &Path) -> (&str, &str) {
        self.files.get(file).map_or(("", ""), |(package, path)| (package, path))
    }

    /// The folder that a file is in, below `src`.
    pub(super) fn folder<'a>(&'a self, file: &Path) -> &'a str {
        let (_, path) = self.place(file);
        if file.ends_with("mod.rs") { path } else { path.rsplit_once('/').map_or("", |(folder, _)| folder) }
    }

    pub(super) fn listed(&self) -> String {
        self.imports.keys().fold(String::new(), |text, tie| text + &self.line("import", tie))
    }

    pub(super) fn line(&self, what: &str, tie: &(PathBuf, PathBuf)) -> String {
        let names: Vec<&str> = self.imports.get(tie).into_iter().flatten().map(String::as_str).collect();
        format!("{what}: {} imports {}: {}\n", tie.0.display(), tie.1.display(), names.join(", "))
    }
}

/// `collectors/golden` for `collectors/golden.rs`, `collectors` for `collectors/mod.rs`.
pub(super) fn module_path(file: &Path) -> String {
    let path = file.with_extension("");
    let path = if path.ends_with("mod") { path.parent().unwrap_or(&path) } else { &path };
    path.to_string_lossy().into_owned()
}
