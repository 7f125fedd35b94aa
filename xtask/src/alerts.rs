//! `cargo xtask alerts`: compiles `alerts/` to rules, tests and runbooks, and has promtool and amtool try them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use metric::Catalog;
use mixin::{Compiled, Counts, Set, Source};

use crate::args::{Args, Takes, usage};
use crate::peers::{AMTOOL, PROMTOOL_2, PROMTOOL_NEW};
use crate::skip::Skip;
use crate::{cargo, debian, places, process};

/// The command line.
pub(crate) const TAKES: Takes = Takes::Options(
    &[("--check", ""), ("--only", "NAME"), ("--catalog", "FILE"), ("--factor", "F"), ("--out", "DIR")],
    "",
);

/// Folders that hold generated files and nothing else.
const GENERATED: [&str; 2] = ["alerts/generated", "docs/runbooks"];
/// Programs whose families alerts read.
const PROGRAMS: [&str; 2] = ["yagura-exporter", "yagura-kube-state"];
/// The example of a configuration of Alertmanager, and what must come of alerts by it.
const ALERTMANAGER: [&str; 2] = ["alerts/alertmanager/alertmanager.yaml", "alerts/alertmanager/routes.txt"];

/// `cargo xtask alerts [--check]`: writes the generated files, or compares them; then runs promtool and amtool, with
/// `--only` the tests of alerts whose name contains that. With
/// `--factor` rules whose times are so much longer are written to a folder, for proofs, and nothing is tested.
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let is_check = args.flag("--check");
    let only = args.option("--only")?.unwrap_or_default();
    let catalogs = args.options("--catalog")?;
    let (factor, out) = (args.option("--factor")?, args.option("--out")?);
    args.finish()?;
    let catalogs = if catalogs.is_empty() { printed()? } else { read(&catalogs)? };
    let set = set(&catalogs)?;
    match (factor, out) {
        (Some(factor), Some(out)) => {
            let factor = factor.parse().map_err(|_| usage(format!("alerts: {factor:?} is no factor")))?;
            scaled(&set, factor, Path::new(&out))?;
            println!("rules with times × {factor} are in {out}");
            Ok(())
        }
        (None, None) => finish(&set.compile(), is_check, &only),
        _ => Err(usage("alerts: --factor and --out go together")),
    }
}

/// Writes rules whose times are so much longer or shorter to a folder.
pub(crate) fn scaled(set: &Set, factor: f64, out: &Path) -> Result<()> {
    for (name, text) in set.scaled(factor).map_err(anyhow::Error::msg)? {
        places::write(&out.join(name), text)?;
    }
    Ok(())
}

/// What `ci` runs.
pub(crate) fn check() -> Result<()> {
    finish(&set(&printed()?)?.compile(), true, "")
}

fn finish(compiled: &Compiled, is_check: bool, only: &str) -> Result<()> {
    if is_check {
        compare(compiled)?;
    } else {
        write(compiled)?;
    }
    let Counts { alerts, records, inputs, tests, looks, native } = compiled.counts;
    println!(
        "{alerts} alerts, {records} records, {inputs} inputs; {tests} tests that look {looks} times, {native} of them native"
    );
    promtools(compiled, only)?;
    amtool()
}

/// What the programs print of themselves.
pub(crate) fn printed() -> Result<Vec<Catalog>> {
    let print = |program: &&str| {
        let mut command =
            cargo::command(&["run", "--quiet", "--package", program, "--bin", program, "--", "--print-catalog"]);
        let json = process::output(&mut command)?;
        serde_json::from_str(&json).with_context(|| format!("{program} printed no catalogue"))
    };
    PROGRAMS.iter().map(print).collect()
}

/// What built programs print of themselves.
pub(crate) fn printed_by(programs: &[PathBuf]) -> Result<Vec<Catalog>> {
    let print = |program: &PathBuf| {
        let json = process::output(Command::new(program).arg("--print-catalog"))?;
        serde_json::from_str(&json).with_context(|| format!("{} printed no catalogue", program.display()))
    };
    programs.iter().map(print).collect()
}

/// Catalogues that a file each has.
pub(crate) fn read(files: &[String]) -> Result<Vec<Catalog>> {
    let read = |file: &String| {
        let json = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        serde_json::from_str(&json).with_context(|| format!("{file} is no catalogue"))
    };
    files.iter().map(read).collect()
}

/// The set of alerts, checked.
pub(crate) fn set(catalogs: &[Catalog]) -> Result<Set> {
    let root = places::repo().join("alerts");
    let mut sources = Vec::new();
    for path in files(&root)? {
        let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml");
        let is_source = is_yaml && !name.starts_with("generated/") && !name.starts_with("alertmanager/");
        if is_source {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            sources.push(Source::new(name, text));
        }
    }
    Set::read(&sources, catalogs).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|problem| format!("  alerts/{problem}")).collect();
        anyhow::anyhow!("{} problems:\n{}", lines.len(), lines.join("\n"))
    })
}

/// All files below a folder, in order; none when it is not there.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut entries = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

fn write(compiled: &Compiled) -> Result<()> {
    for folder in GENERATED {
        let folder = places::repo().join(folder);
        if folder.is_dir() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
    }
    for (path, text) in &compiled.files {
        places::write(&places::repo().join(path), text)?;
    }
    Ok(())
}

/// Whether what is committed is what is made now.
fn compare(compiled: &Compiled) -> Result<()> {
    let mut stale: Vec<String> = Vec::new();
    let mut there: BTreeMap<String, PathBuf> = BTreeMap::new();
    for folder in GENERATED {
        for path in files(&places::repo().join(folder))? {
            there.insert(path.strip_prefix(places::repo()).unwrap_or(&path).to_string_lossy().into_owned(), path);
        }
    }
    for (path, text) in &compiled.files {
        match there.remove(path) {
            None => stale.push(format!("{path} is missing")),
            Some(file) => {
                let committed = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
                if committed != *text {
                    stale.push(format!("{path} is stale"));
                }
            }
        }
    }
    stale.extend(there.into_keys().map(|path| format!("{path} belongs to nothing")));
    if stale.is_empty() {
        return Ok(());
    }
    bail!("{}; `cargo xtask alerts` writes them", stale.join(", "))
}

/// Checks and tests the rules with an old and a new promtool; one that cannot be had is a skip, which is said.
fn promtools(compiled: &Compiled, only: &str) -> Result<()> {
    let old = if debian::is_here() {
        PROMTOOL_2.path()
    } else {
        Err(Skip("Debian's package tools are not installed".to_owned()).into())
    };
    for (name, program, is_new) in [("2.42", old, false), ("3", PROMTOOL_NEW.binary(), true)] {
        match program {
            Ok(program) => promtool(name, &program, is_new, compiled, only)?,
            Err(error) => match error.downcast_ref::<Skip>() {
                Some(skip) => println!("skipped: promtool {name}: {skip}"),
                None => return Err(error),
            },
        }
    }
    Ok(())
}

fn promtool(name: &str, program: &Path, is_new: bool, compiled: &Compiled, only: &str) -> Result<()> {
    let paths = |folder: &'static str| compiled.files.keys().filter(move |path| path.starts_with(folder)).cloned();
    let call = |verb: &str, paths: &[String]| {
        let mut command = Command::new(program);
        process::output(command.current_dir(places::repo()).args([verb, "rules"]).args(paths))
            .with_context(|| format!("promtool {name} {verb} rules"))
    };
    let rules: Vec<String> = paths("alerts/generated/rules/").collect();
    call("check", &rules)?;
    let tests: Vec<String> = paths("alerts/generated/tests/")
        .filter(|path| !path.ends_with(".rules.yaml") && (is_new || !path.ends_with("-native.yaml")))
        .filter(|path| path.contains(only))
        .collect();
    if tests.is_empty() {
        println!("promtool {name}: {} rule files checked, no test is of {only:?}", rules.len());
        return Ok(());
    }
    call("test", &tests)?;
    // Every test stands in the files with a name, which nothing else has.
    let named = |path: &String| {
        let text = compiled.files.get(path).map(String::as_str).unwrap_or_default();
        text.lines().filter(|line| line.starts_with("- name: ")).count()
    };
    let ran: usize = tests.iter().map(named).sum();
    println!(
        "promtool {name}: {} rule files checked, {ran} tests in {} files passed, 0 failed",
        rules.len(),
        tests.len()
    );
    Ok(())
}

/// Checks the example of Alertmanager, and where alerts go by it: lines of `label=value … -> receiver[,receiver]`.
fn amtool() -> Result<()> {
    let program = match AMTOOL.binary() {
        Ok(program) => program,
        Err(error) => match error.downcast_ref::<Skip>() {
            Some(skip) => {
                println!("skipped: amtool: {skip}");
                return Ok(());
            }
            None => return Err(error),
        },
    };
    let [configuration, routes] = ALERTMANAGER.map(|path| places::repo().join(path));
    process::output(Command::new(&program).arg("check-config").arg(&configuration))?;
    let text = fs::read_to_string(&routes).with_context(|| format!("cannot read {}", routes.display()))?;
    let mut count = 0;
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty() && !line.starts_with('#')) {
        let at = || format!("{}:{number}", ALERTMANAGER[1]);
        let (labels, receivers) = line.split_once("->").with_context(|| format!("{} has no `->`", at()))?;
        let mut command = Command::new(&program);
        command.args(["config", "routes", "test", "--verify.receivers", receivers.trim()]);
        command.arg("--config.file").arg(&configuration).args(labels.split_whitespace());
        process::output(&mut command).with_context(at)?;
        count += 1;
    }
    println!("amtool: the example is valid, {count} routes lead where they should");
    Ok(())
}
