//! What the machines are booted for: the agent's live tests on each kernel, and a kubelet whose page is compared.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};

use super::kernel::{KERNELS, Kernel, possible};
use crate::counts::Counts;
use crate::skip::Skip;
use crate::{agent, cargo, cluster, places, process};

/// Where the kubelet runs: what most nodes will have for long.
const OF_PARITY: &Kernel = match KERNELS {
    [_, _, third, ..] => third,
    _ => panic!("the list has at least three kernels"),
};

/// What the kubelet's page is compared by.
const PARITY: &str = "parity kubelet --vm";

/// All that machines are booted for: the tests on each kernel, and the kubelet's parity.
pub(crate) fn parts() -> Vec<String> {
    let kernels = KERNELS.iter().map(Kernel::part);
    kernels.chain([PARITY.to_owned()]).collect()
}

/// Boots machines for these parts; a line for each.
pub(super) fn test(parts: &[String]) -> Result<()> {
    let mut failed = Vec::new();
    let mut lines = Vec::new();
    for (name, outcome) in check(parts) {
        let line = match outcome {
            Ok(counts) => {
                if counts.failed > 0 {
                    failed.push(name.clone());
                }
                counts.to_string()
            }
            Err(error) if error.is::<Skip>() => format!("skipped: {error:#}"),
            Err(error) => {
                failed.push(name.clone());
                format!("failed: {error:#}")
            }
        };
        lines.push(format!("{name}: {line}"));
    }
    println!("\n{}", lines.join("\n"));
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Boots machines for these parts; gives what came of each.
pub(crate) fn check(parts: &[String]) -> Vec<(String, Result<Counts>)> {
    let kernels: Vec<&Kernel> = KERNELS.iter().filter(|kernel| parts.contains(&kernel.part())).collect();
    let mut jobs = if kernels.is_empty() { Vec::new() } else { tests_on(&kernels) };
    if parts.iter().any(|part| part == PARITY) {
        jobs.push(Job { name: PARITY.to_owned(), work: Box::new(|| parity().map(|()| Counts::of_one_check())) });
    }
    run_jobs(jobs)
}

/// What one machine is for.
struct Job {
    name: String,
    work: Box<dyn FnOnce() -> Result<Counts> + Send>,
}

/// The live tests of the agent's package, as they were built for this machine, on each kernel.
fn tests_on(kernels: &[&'static Kernel]) -> Vec<Job> {
    let script = Arc::new(possible().and_then(|()| test_script()));
    let job = |kernel: &&'static Kernel| {
        let (kernel, script) = (*kernel, Arc::clone(&script));
        let work = move || match script.as_ref() {
            Ok(script) => test_one(kernel, script),
            Err(error) => Err(again(error)), // said of each, so that each is counted
        };
        Job { name: kernel.part(), work: Box::new(work) }
    };
    kernels.iter().map(job).collect()
}

/// Two machines run at a time, since one takes one processor.
fn run_jobs(jobs: Vec<Job>) -> Vec<(String, Result<Counts>)> {
    let queue = Mutex::new(jobs.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((number, job)) = next() {
            let outcome = (job.work)();
            done.lock().unwrap_or_else(PoisonError::into_inner).push((number, job.name, outcome));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, ..)| *number);
    done.into_iter().map(|(_, name, outcome)| (name, outcome)).collect()
}

/// The same, once more: errors cannot be cloned.
fn again(error: &anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Skip>() {
        Some(Skip(reason)) => Skip(reason.clone()).into(),
        None => anyhow::anyhow!("{error:#}"),
    }
}

fn test_one(kernel: &Kernel, script: &str) -> Result<Counts> {
    let outcome = kernel.boot(2, script, Duration::from_mins(25))?;
    let counts = Counts::of(&outcome.output);
    let shown = |line: &&str| {
        ["test result:", "  /metrics", "abuse: ", "second try passed: "].iter().any(|begin| line.starts_with(begin))
            || [" comparisons over ", " families served", " accounted "].iter().any(|part| line.contains(part))
    };
    for line in outcome.output.lines().filter(|line| outcome.status != 0 || shown(line)) {
        println!("  {line}");
    }
    for skip in &counts.skips {
        println!("  skipped: {skip}");
    }
    println!("kernel {}: {counts}", kernel.name);
    if outcome.status != 0 && counts.failed == 0 {
        bail!("on kernel {}, the script ended with {}", kernel.name, outcome.status);
    }
    Ok(counts)
}

/// Runs a test program, for so long at most. An emulated machine beside others is slow by fits and starts, and some tests
/// look at how long things take: those that fail run once more, alone, and are told apart in the end.
const RUN: &str = r#"         run() {
             timeout -k 5 300 "$@" >/run/tests 2>&1 && status=0 || status=$?
             cat /run/tests
             echo "$SECONDS s"
             [ $status = 0 ] && return
             names=$(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' /run/tests)
             [ -n "$names" ] || { echo "$1 ended with $status"; failed=1; }
             for name in $names; do
                 if timeout -k 5 300 "$1" --exact "$name" --test-threads=1 >/run/again 2>&1; then
                     echo "second try passed: $name"
                 else
                     sed 's/^/again: /' /run/again
                     failed=1
                 fi
             done
         }"#;

/// Runs every test program; the status tells whether one failed.
fn test_script() -> Result<String> {
    let target = places::target();
    let burner = places::cache("bin")?.join("burner");
    let source = places::repo().join("exporter/tests/burner/burner.c");
    process::output(Command::new("cc").args(["-O2", "-pthread", "-static", "-o"]).arg(&burner).arg(source))?;
    let mut script = format!(
        "export BURNER={} BURNER_QUIET_MS=20 DIFFERENTIAL_SECONDS=10 TMPDIR=/var/lib/yagura/tmp
         mkdir -p $TMPDIR {target}/tmp && mount --bind $TMPDIR {target}/tmp
         failed=0
{RUN}\n",
        burner.display(),
        target = target.display()
    );
    for (name, binary) in test_binaries()? {
        // Emulated processors are slow: tests that race against a deadline get the machine to themselves.
        let threads = if name.starts_with("probe_") { 1 } else { 2 };
        writeln!(script, "run {} --show-output --test-threads={threads}", binary.display())?;
    }
    writeln!(script, "run {} parity cadvisor\nexit $failed", std::env::current_exe()?.display())?;
    Ok(script)
}

/// `cargo xtask parity kubelet --vm`: a real kubelet with real pods on pure cgroup v2. The control plane would only cost
/// time there, so the kubelet has its pods from files; a second processor too, since both are emulated by one thread.
pub(crate) fn parity() -> Result<()> {
    possible()?;
    if let Some(skip) = cluster::missing(&cluster::Options::standalone()) {
        return Err(skip.into());
    }
    agent::binary()?;
    cluster::build::binary()?;
    let script = format!("{} parity kubelet --standalone", std::env::current_exe()?.display());
    let outcome = OF_PARITY.boot(1, &script, Duration::from_mins(20))?;
    outcome.output.lines().for_each(|line| println!("  {line}"));
    if outcome.status != 0 {
        bail!("on kernel {}, the comparison ended with {}", OF_PARITY.name, outcome.status);
    }
    Ok(())
}

/// The built integration tests of the agent that look at the live machine, by name.
fn test_binaries() -> Result<Vec<(String, PathBuf)>> {
    let words = ["test", "--package", "yagura-exporter", "--tests", "--no-run", "--message-format=json"];
    let text = process::output(&mut cargo::command(&words))?;
    let mut binaries = Vec::new();
    for line in text.lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let name = message["target"]["name"].as_str().unwrap_or_default();
        let kind = message["target"]["kind"][0].as_str().unwrap_or_default();
        let wanted = ["differential", "live", "probe_"].iter().any(|begin| name.starts_with(begin));
        if let Some(path) = message["executable"].as_str().filter(|_| kind == "test" && wanted) {
            binaries.push((name.to_owned(), PathBuf::from(path)));
        }
    }
    binaries.sort();
    Ok(binaries)
}
