//! The short recipes: one or two calls of cargo.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::args::{Args, usage};
use crate::cargo::{self, command as cargo};
use crate::skip::Skip;
use crate::structure::{self, Imports};
use crate::{e2e, kube_names, parity, peers, places, process, query_cost, setup};

/// `cargo xtask build`
pub(crate) fn build(args: &mut Args) -> Result<()> {
    args.finish()?;
    setup::for_building()?;
    cargo::release()
}

/// `cargo xtask run [FLAGS]`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let flags = args.rest();
    setup::for_building()?;
    let mut command = cargo(&["run", "--release", "--package", "yagura-exporter", "--bin", "yagura-exporter", "--"]);
    process::run(command.args(flags))
}

/// `cargo xtask test [ARGS]`
pub(crate) fn test(args: &mut Args) -> Result<()> {
    setup::for_building()?;
    process::run(cargo(&["test", "--workspace"]).args(args.rest()))
}

/// `cargo xtask lint`
pub(crate) fn lint(args: &mut Args) -> Result<()> {
    args.finish()?;
    setup::for_building()?;
    process::run(&mut format_check())?;
    if let Err(error) = c_format_check() {
        match error.downcast_ref::<Skip>() {
            Some(skip) => println!("skipped: C format: {skip}"),
            None => return Err(error),
        }
    }
    structure::check(&places::repo(), Imports::Counted)?;
    process::run(&mut clippy())?;
    process::run(&mut rustdoc())
}

/// Formatting, without changing a file.
pub(crate) fn format_check() -> Command {
    cargo(&["fmt", "--all", "--check"])
}

/// Formatting of the C files, without changing one. Each version formats in its own way, so it is the one that Debian 12
/// has, or none.
pub(crate) fn c_format_check() -> Result<()> {
    let program =
        process::find("clang-format-14").ok_or_else(|| Skip("clang-format 14 is not installed".to_owned()))?;
    let listed = process::output(Command::new("git").current_dir(places::repo()).args(["ls-files", "*.c", "*.h"]))?;
    let mut command = Command::new(program);
    command.current_dir(places::repo()).args(["--dry-run", "--Werror", "--style=file"]).args(listed.lines());
    process::run(&mut command)
}

/// The documentation of every item, private ones too; a link that leads nowhere fails. Public items may link to private
/// ones: nobody reads the one without the other.
pub(crate) fn rustdoc() -> Command {
    let mut command = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"]);
    command.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
    command
}

/// The version of cargo-deny that `deny.toml` is written for.
const DENY: &str = "0.20.2";

/// `cargo xtask deny`: licences, second versions and sources of dependencies, and advisories where their database can be
/// had. cargo-deny is the installed one, else one that is built into the cache, which takes minutes.
pub(crate) fn deny(args: &mut Args) -> Result<()> {
    args.finish()?;
    let program = match process::find("cargo-deny") {
        Some(program) => program,
        None => built_deny()?,
    };
    let check = |what: &[&str]| {
        let mut command = Command::new(&program);
        command.current_dir(places::repo()).args(["--locked", "check"]).args(what);
        command
    };
    process::run(&mut check(&["licenses", "bans", "sources"]))?;
    match process::output(&mut check(&["advisories"])) {
        Err(error) if error.to_string().contains("failed to fetch advisory database") => {
            println!("advisories were not checked: their database cannot be fetched");
            Ok(())
        }
        outcome => outcome.map(drop),
    }
}

fn built_deny() -> Result<PathBuf> {
    let root = places::cache("bin")?.join(format!("cargo-deny-{DENY}"));
    let program = root.join("bin/cargo-deny");
    if !program.is_file() {
        let mut command = cargo(&["install", "--locked", "--version", DENY, "cargo-deny", "--root"]);
        // Not one of the workspace's dependencies, so not beside its artifacts.
        command.arg(&root).current_dir(root.parent().unwrap_or(&root)).env_remove("CARGO_TARGET_DIR");
        let built = process::run(&mut command);
        built.map_err(|error| Skip(format!("cargo-deny cannot be built: {error:#}")))?;
    }
    Ok(program)
}

/// Every lint of every target; a warning fails.
pub(crate) fn clippy() -> Command {
    cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
}

/// `cargo xtask docs [--check]`: the generated pages come from the programs themselves.
pub(crate) fn docs(args: &mut Args) -> Result<()> {
    let check = args.flag("--check");
    args.finish()?;
    setup::for_building()?;
    write_or_check_docs(check)
}

/// Writes the generated pages, or compares them with what is committed.
pub(crate) fn write_or_check_docs(check: bool) -> Result<()> {
    for program in ["yagura-exporter", "yagura-kube-state"] {
        let mut command = cargo(&["run", "--quiet", "--package", program, "--bin", program, "--"]);
        command.arg(if check { "--docs.check" } else { "--docs.write" }).arg(places::repo().join("docs"));
        process::run(&mut command)?;
    }
    Ok(())
}

/// `cargo xtask conformance ksm|sharding FILE`: our lines and our shards beside those recorded from kube-state-metrics.
pub(crate) fn conformance(args: &mut Args) -> Result<()> {
    let whose = args.positional().unwrap_or_default();
    if whose == "consumers" {
        return kube_names::run(args);
    }
    let file = args.positional();
    args.finish()?;
    let Some(file) = file.filter(|_| ["ksm", "sharding"].contains(&whose.as_str())) else {
        return Err(usage("conformance: say what with: ksm FILE.jsonl, sharding FILE.json, or consumers"));
    };
    let file = std::path::absolute(&file).with_context(|| format!("cannot find {file}"))?;
    let mut command = cargo(&["run", "--quiet", "--package", "yagura-kube-state", "--bin", "conformance", "--"]);
    process::run(command.arg(whose).arg(file))
}

/// Pods of `bench kube-state --real`.
const REAL_PODS: usize = 10_000;

/// `cargo xtask bench [growth | network | join | kube-state | queries] [--peers] [--real] [ARGS]`: with `--peers`, the programs that
/// ours replace are built with Go and measured in the same run, unless `CADVISOR`, `NODE_EXPORTER` and `KSM` name them;
/// with `--real`, kube-state is measured before a real control plane.
pub(crate) fn bench(args: &mut Args) -> Result<()> {
    if args.word("queries") {
        return query_cost::run(args);
    }
    let mut words = args.rest();
    let named =
        words.first().filter(|word| ["growth", "network", "join", "kube-state"].contains(&word.as_str())).cloned();
    words.drain(..usize::from(named.is_some()));
    let (package, bench) = match named.as_deref() {
        Some("kube-state") => ("yagura-kube-state", "cost"),
        Some(bench) => ("yagura-exporter", bench),
        None => ("yagura-exporter", "cost"),
    };
    let mut flag = |name: &str| {
        let before = words.len();
        words.retain(|word| word != name);
        words.len() < before
    };
    let (with_peers, is_real) = (flag("--peers"), flag("--real"));
    if is_real && package != "yagura-kube-state" {
        return Err(usage("bench: --real is for kube-state"));
    }
    setup::for_building()?;
    let mut command = cargo(&["bench", "--package", package, "--bench", bench, "--"]);
    if with_peers && package == "yagura-exporter" {
        for (name, binary) in
            [("CADVISOR", peers::CADVISOR.binary("-s -w")), ("NODE_EXPORTER", peers::NODE_EXPORTER.binary())]
        {
            if places::variable(name).is_none() {
                command.env(name, binary?);
            }
        }
    }
    if with_peers && package == "yagura-kube-state" {
        command.env("KSM", parity::ksm::binary()?);
    }
    command.args(words);
    if !is_real {
        return process::run(&mut command);
    }
    // Built before the pods are there: who measures should not have to wait for a compiler beside them.
    process::run(&mut cargo(&["bench", "--package", package, "--bench", bench, "--no-run"]))?;
    e2e::with_pods(REAL_PODS, |kubeconfig| process::run(command.arg("--kubeconfig").arg(kubeconfig)))
}

/// `cargo xtask fuzz [SECONDS] [TARGET]…`: each target, or those that are named, for so long. The flags that libFuzzer
/// needs are in the workspace of the targets; the stable compiler will do. New inputs are kept outside the committed
/// corpus, and what breaks a target is left in `fuzz/artifacts`.
pub(crate) fn fuzz(args: &mut Args) -> Result<()> {
    let seconds = args.positional().unwrap_or_else(|| "60".to_owned());
    let named: Vec<String> = std::iter::from_fn(|| args.positional()).collect();
    args.finish()?;
    seconds.parse::<u32>().map_err(|_| usage(format!("fuzz: {seconds:?} is not a number of seconds")))?;
    let dir = places::repo().join("fuzz");
    let fuzz_cargo = |words: &[&str]| {
        let mut command = cargo(words);
        command.current_dir(&dir);
        command
    };
    process::run(&mut fuzz_cargo(&["build", "--release", "--quiet"]))?;
    let mut targets: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(dir.join("corpus")).context("no fuzz/corpus")? {
        targets.push(entry?.file_name().to_string_lossy().into_owned());
    }
    targets.sort();
    if let Some(unknown) = named.iter().find(|name| !targets.contains(name)) {
        return Err(usage(format!("fuzz: no target is called {unknown:?}; there are {}", targets.join(", "))));
    }
    targets.retain(|target| named.is_empty() || named.contains(target));
    for target in &targets {
        let found = dir.join("target/found").join(target);
        let artifacts = dir.join("artifacts").join(target);
        std::fs::create_dir_all(&found)?;
        std::fs::create_dir_all(&artifacts)?;
        let mut command = fuzz_cargo(&["run", "--release", "--quiet", "--bin", target, "--"]);
        command.args([&found, &dir.join("corpus").join(target)]).args([
            format!("-max_total_time={seconds}"),
            format!("-artifact_prefix={}/", artifacts.display()),
            "-timeout=20".to_owned(),
            "-rss_limit_mb=1024".to_owned(),
            "-verbosity=0".to_owned(),
            "-print_final_stats=1".to_owned(),
        ]);
        println!("fuzz: {target}");
        process::run(&mut command)?;
    }
    Ok(())
}
