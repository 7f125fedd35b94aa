//! `cargo xtask lines`: how much code there is, and how much of it stands in two places.
//!
//! Counted are the Rust and C files that libraries and programs are made of; code for tests is left out, item by item.

mod copies;
mod text;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use self::copies::Copy;
use self::text::Text;
use crate::args::{Args, Takes};
use crate::places;
use crate::source::modules::Program;
use crate::source::{c_files, packages};

pub(crate) const TAKES: Takes = Takes::Options(&[("--root", "DIR"), ("--list", "")], "");

/// Packages that are no product: they run in this repository only.
const TOOLS: &[&str] = &["testkit", "xtask"];

/// `cargo xtask lines [--root DIR] [--list]`: `--root` looks at another checkout, `--list` lists every equal run.
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let root = args.option("--root")?.map_or_else(places::repo, PathBuf::from);
    let list = args.flag("--list");
    args.finish()?;
    let texts = read(&root)?;
    let (tools, product): (Vec<&Text>, Vec<&Text>) =
        texts.iter().partition(|text| TOOLS.contains(&text.package.as_str()));
    for (name, texts) in [("tools", tools), ("product", product)] {
        let copies = copies::of(&texts);
        if list {
            for copy in &copies {
                println!("{}", shown(&texts, copy));
            }
        }
        let mut packages: BTreeMap<&str, usize> = BTreeMap::new();
        for text in &texts {
            *packages.entry(&text.package).or_default() += text.code;
        }
        for (package, code) in &packages {
            println!("{code:>7}  {package}");
        }
        let code: usize = packages.values().sum();
        let written: usize = texts.iter().map(|text| text.written).sum();
        let lines: usize = copies.iter().map(|copy| copy.length).sum();
        println!(
            "{name}: {code} lines of code in {} files ({written} with comments and blank lines); equal runs of {} or more \
             lines: {}, of {lines} lines",
            texts.len(),
            copies::SHORTEST,
            copies.len(),
        );
    }
    Ok(())
}

/// Every file that counts.
fn read(root: &Path) -> Result<Vec<Text>> {
    let root = root.canonicalize().with_context(|| format!("no checkout at {}", root.display()))?;
    let program = Program::read(&root, packages::of(&root)?)?;
    let load = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let mut texts: BTreeMap<PathBuf, Text> = BTreeMap::new();
    for file in &program.files {
        let package = program.modules.get(file.module).and_then(|module| program.packages.get(module.package));
        let package = package.context("invariant: each module has a package")?;
        let text = Text::of_rust(&package.name, &file.path, &load(&root.join(&file.path))?, &file.syntax);
        texts.insert(file.path.clone(), text);
    }
    for package in &program.packages {
        for path in c_files::of(package) {
            let shown = path.strip_prefix(&root).unwrap_or(&path);
            texts.insert(shown.to_owned(), Text::of_c(&package.name, shown, &load(&path)?));
        }
    }
    Ok(texts.into_values().collect())
}

fn shown(texts: &[&Text], copy: &Copy) -> String {
    let place = |(file, line): (usize, usize)| {
        let text = texts.get(file);
        let first = text.and_then(|text| text.compared.get(line)).map_or(0, |(number, _)| *number);
        format!("{}:{first}", text.map_or_else(String::new, |text| text.path.display().to_string()))
    };
    format!("{:>4} lines: {} as {}", copy.length, place(copy.here), place(copy.before))
}
