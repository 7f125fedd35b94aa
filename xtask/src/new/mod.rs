//! `cargo xtask new collector NAME`: a collector that compiles, with a fixture, a golden file and its two lines in
//! `collectors/mod.rs`. What is left to do is printed.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::args::{Args, Takes, usage};
use crate::places;

pub(crate) const TAKES: Takes = Takes::Options(&[], "collector NAME");

const COLLECTOR: &str = include_str!("collector.rs.txt");

/// `cargo xtask new collector NAME`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let (kind, name) = (args.positional(), args.positional());
    args.finish()?;
    let Some(name) = name.filter(|_| kind.as_deref() == Some("collector")) else {
        return Err(usage(
            "new: say `new collector NAME`; CONTRIBUTING.md says how a probe, kind, flag or alert is added",
        ));
    };
    if !name.starts_with(|first: char| first.is_ascii_lowercase())
        || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    {
        return Err(usage(format!("new: {name:?} is no name of a module: lower-case letters, digits and _")));
    }
    collector(&places::repo().join("exporter/src/collectors"), &name)?;
    println!(
        "made exporter/src/collectors/{name}, off by default. Now:\n\
         1. say in mod.rs what it reads, its families, and their labels' bounds; move parsing to parse.rs\n\
         2. put files of a real machine in testdata, in a folder named after it, and point the test there\n\
         3. UPDATE_GOLDEN=1 cargo test -p yagura-exporter {name}, and read the golden lines\n\
         4. switch it on in its SPEC if that is the default, make docs, and a line in CHANGELOG.md"
    );
    Ok(())
}

/// Makes the collector in that folder.
fn collector(collectors: &Path, name: &str) -> Result<()> {
    let folder = collectors.join(name);
    if folder.exists() {
        bail!("{} is there already", folder.display());
    }
    let list = collectors.join("mod.rs");
    let text = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let text = inserted(&text, "pub mod ", &format!("pub mod {name};"))
        .and_then(|text| inserted(&text, "    &", &format!("    &{name}::SPEC,")))
        .with_context(|| format!("{} has no list of modules or of collectors", list.display()))?;
    let source = COLLECTOR.replace("@name@", name).replace("@Name@", &camel(name));
    places::write(&folder.join("mod.rs"), source)?;
    places::write(&folder.join("testdata/example/proc").join(name), "1\n")?;
    places::write(&folder.join("testdata/example.node.prom"), format!("{name}_value{{}} 1\n"))?;
    places::write(&list, text)
}

/// A text with one line more, before the first of those that begin so and are greater, else behind the last.
fn inserted(text: &str, begin: &str, line: &str) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let of_list: Vec<(usize, &str)> = lines.iter().copied().enumerate().filter(|(_, l)| l.starts_with(begin)).collect();
    let last = of_list.last().map(|(at, _)| at + 1)?;
    let at = of_list.iter().find(|(_, other)| *other > line).map_or(last, |(at, _)| *at);
    lines.insert(at, line);
    Some(lines.join("\n") + "\n")
}

fn camel(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    name.split('_').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_made_once_and_listed_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let list =
            "pub mod a;\npub mod node_z;\n\npub static ALL: &[&Spec] = &[\n    &a::SPEC,\n    &node_z::SPEC,\n];\n";
        places::write(&dir.path().join("mod.rs"), list).unwrap();
        collector(dir.path(), "node_x").unwrap();
        let text = fs::read_to_string(dir.path().join("mod.rs")).unwrap();
        assert!(text.contains("pub mod a;\npub mod node_x;\npub mod node_z;\n"), "{text}");
        assert!(text.contains("    &a::SPEC,\n    &node_x::SPEC,\n    &node_z::SPEC,\n"), "{text}");
        let made = fs::read_to_string(dir.path().join("node_x/mod.rs")).unwrap();
        assert!(made.contains("struct NodeX;") && !made.contains('@'));
        syn::parse_file(&made).unwrap();
        assert!(collector(dir.path(), "node_x").unwrap_err().to_string().contains("there already"));
    }
}
