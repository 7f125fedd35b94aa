//! `cargo xtask structure`: import circles between files, and imports from a higher layer.
//!
//! An import is whatever makes a file need another: a `use`, a path in code, in a macro's text or in its call. A re-export
//! counts as the file that defines the name. That a module declares its children is no import, and code for tests does
//! not count. What is not seen: a method that another file gives a type, since its call names no file. The layers are in
//! `layers.rs`.

mod circles;
mod graph;
mod imports;
mod includes;
mod layers;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use self::graph::Graph;
use self::layers::Layers;
use crate::args::{Args, Takes};
use crate::places;
use crate::source::modules::Program;
use crate::source::packages::{self, Package};

pub(crate) const TAKES: Takes = Takes::Options(&[("--root", "DIR"), ("--imports", "")], "");

/// `cargo xtask structure [--root DIR] [--imports]`: fails when there is a circle, an import from a higher layer, or a file
/// without a layer. `--root` looks at another checkout, `--imports` lists every import.
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let root = args.option("--root")?.map_or_else(places::repo, PathBuf::from);
    let list = if args.flag("--imports") { Imports::Listed } else { Imports::Counted };
    args.finish()?;
    check(&root, list)
}

/// What is said of imports that are as they should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Imports {
    Counted,
    Listed,
}

/// Fails when files of this checkout import in circles or from above.
pub(crate) fn check(root: &Path, imports: Imports) -> Result<()> {
    let (graph, packages) = graph_of(root)?;
    if imports == Imports::Listed {
        print!("{}", graph.listed());
    }
    let report = Report::of(&graph, layers::ALL);
    print!("{}", report.text(&graph));
    let taken = taken(&packages);
    if !taken.is_empty() {
        bail!("{}; {} says why", taken.join(", "), layers::FILE);
    }
    if !report.is_clean() {
        bail!("files import in circles or from above; {} says what is above what", layers::FILE);
    }
    Ok(())
}

/// Dependencies on crates that another package has for itself.
fn taken(packages: &[Package]) -> Vec<String> {
    let of = |package: &Package| {
        let alone =
            layers::ALONE.iter().filter(|(name, owner)| *owner != package.name && package.crates.contains(*name));
        let text =
            |(name, owner): &(&str, &str)| format!("{} depends on {name}, which {owner} has for itself", package.name);
        alone.map(text).collect::<Vec<_>>()
    };
    packages.iter().flat_map(of).collect()
}

fn graph_of(root: &Path) -> Result<(Graph, Vec<Package>)> {
    let root = root.canonicalize().with_context(|| format!("no checkout at {}", root.display()))?;
    let program = Program::read(&root, packages::of(&root)?)?;
    let mut graph = Graph::default();
    graph.add_program(&root, &program);
    for package in &program.packages {
        includes::add(&mut graph, &root, package)?;
    }
    Ok((graph, program.packages))
}

/// What is wrong.
#[derive(Debug, Default)]
struct Report {
    circles: Vec<Vec<PathBuf>>,
    /// Imports from a higher floor of the same package, or of a package that this one may not use.
    upward: Vec<(PathBuf, PathBuf)>,
    /// Imports between two folders that are to stand apart.
    between: Vec<(PathBuf, PathBuf)>,
    /// Files that no floor names.
    homeless: Vec<PathBuf>,
}

impl Report {
    fn of(graph: &Graph, layers: &[Layers]) -> Self {
        let of_package = |name: &str| layers.iter().find(|layers| layers.package == name);
        let edges: BTreeSet<(&Path, &Path)> =
            graph.imports.keys().map(|(from, to)| (from.as_path(), to.as_path())).collect();
        let circles = circles::of(&edges);
        let mut report = Self {
            circles: circles.into_iter().map(|files| files.into_iter().map(Path::to_owned).collect()).collect(),
            ..Self::default()
        };
        for (file, (package, path)) in &graph.files {
            let is_placed = of_package(package).is_some_and(|l| l.floors.is_empty() || l.floor(path).is_some());
            if !is_placed {
                report.homeless.push(file.clone());
            }
        }
        for tie in graph.imports.keys() {
            let ((package, from), (other, to)) = (graph.place(&tie.0), graph.place(&tie.1));
            let Some(layers) = of_package(package) else { continue };
            if package != other {
                if !layers.uses.contains(&other) {
                    report.upward.push(tie.clone());
                }
            } else if layers.floor(from) < layers.floor(to) {
                report.upward.push(tie.clone());
            } else if layers.are_apart(graph.folder(&tie.0), graph.folder(&tie.1)) {
                report.between.push(tie.clone());
            }
        }
        report
    }

    fn is_clean(&self) -> bool {
        self.circles.is_empty() && self.upward.is_empty() && self.between.is_empty() && self.homeless.is_empty()
    }

    fn text(&self, graph: &Graph) -> String {
        let mut text = String::new();
        for circle in &self.circles {
            writeln!(text, "circle of {} files:", circle.len()).ok();
            let inside = |tie: &&(PathBuf, PathBuf)| circle.contains(&tie.0) && circle.contains(&tie.1);
            for tie in graph.imports.keys().filter(inside) {
                text += &graph.line("  circle", tie);
            }
        }
        for tie in &self.upward {
            text += &graph.line("upward", tie);
        }
        for tie in &self.between {
            text += &graph.line("between slices", tie);
        }
        for file in &self.homeless {
            writeln!(text, "no layer: {}: name it in {}", file.display(), layers::FILE).ok();
        }
        let sizes: Vec<String> = self.circles.iter().map(|circle| circle.len().to_string()).collect();
        let sizes = if sizes.is_empty() { String::new() } else { format!(" (of {} files)", sizes.join(", ")) };
        writeln!(
            text,
            "{} files, {} imports; circles: {}{sizes}, upward imports: {}, imports between slices: {}",
            graph.files.len(),
            graph.imports.len(),
            self.circles.len(),
            self.upward.len(),
            self.between.len(),
        )
        .ok();
        text
    }
}
