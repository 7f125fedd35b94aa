//! `cargo xtask ci`: all that a change must pass, the same for a developer and for continuous integration.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::args::Args;
use crate::checks;
use crate::counts::Counts;
use crate::skip::Skip;
use crate::structure::{self, Imports};
use crate::{alerts, cargo, parity, places, process, setup, tasks, vm};

/// What all steps came to.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: usize,
    failed: usize,
    skips: Vec<String>,
    failures: Vec<String>,
}

/// The steps so far and how long each took.
#[derive(Default)]
struct Run {
    tally: Tally,
    times: Vec<(String, Duration)>,
}

/// What takes minutes of an emulated machine begins before this much time is gone, or is skipped: a slow machine comes to
/// an end all the same.
const LAST_START: Duration = Duration::from_mins(45);

/// `cargo xtask ci [--only NAME] [--nightly]`: merged pages of memory, and every fuzz target for a minute, only with the
/// latter.
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let only = args.option("--only")?;
    let nightly = args.flag("--nightly");
    args.finish()?;
    let mut run = Run::default();
    let last_start = Instant::now() + LAST_START;
    let wanted = |name: &str| only.as_deref().is_none_or(|only| name.contains(only));
    let mut step = |name: &str, work: &dyn Fn(&mut Tally)| {
        if wanted(name) {
            run.step(name, work);
        }
    };
    step("setup", &|tally| tally.need("setup", setup::run(&mut Args::default())));
    step("format", &|tally| tally.one("format", process::run(&mut tasks::format_check())));
    step("structure", &|tally| tally.one("structure", structure::check(&places::repo(), Imports::Counted)));
    step("clippy", &|tally| tally.one("clippy", process::run(&mut tasks::clippy())));
    step("cargo test", &|tally| {
        let ran = cargo_test(tally);
        tally.need("cargo test", ran);
    });
    step("build", &|tally| tally.need("build", tasks::build(&mut Args::default())));
    step("docs", &|tally| tally.one("docs", tasks::write_or_check_docs(true)));
    step("alerts", &|tally| tally.one("alerts", alerts::check()));
    for check in checks::all() {
        step(&check.name, &|tally| tally.one(&check.name, (check.run)()));
    }
    step("kernels", &|tally| {
        for (name, outcome) in vm::check(last_start) {
            tally.tests_of(&name, outcome);
        }
    });
    if nightly {
        step("parity ksm", &|tally| tally.one("parity ksm", parity::ksm::compare(None)));
        step("fuzz", &|tally| tally.one("fuzz", tasks::fuzz(&mut Args::default())));
    }
    run.finish();
    Ok(())
}

impl Run {
    /// One step; when it fails, the next one runs all the same.
    fn step(&mut self, name: &str, work: impl Fn(&mut Tally)) {
        println!("\n== {name}");
        let begin = Instant::now();
        work(&mut self.tally);
        self.times.push((name.to_owned(), begin.elapsed()));
    }

    fn finish(self) {
        println!("\n== time");
        for (name, time) in &self.times {
            println!("{:>8.1} s  {name}", time.as_secs_f64());
        }
        let total: Duration = self.times.iter().map(|(_, time)| *time).sum();
        println!("{:>8.1} s  in all", total.as_secs_f64());
        let Tally { passed, failed, skips, failures } = self.tally;
        for skip in &skips {
            println!("skipped: {skip}");
        }
        for failure in &failures {
            println!("failed: {failure}");
        }
        println!("\n{passed} passed, {failed} failed, {} skipped", skips.len());
        if failed > 0 {
            std::process::exit(1); // the line above stays the last one
        }
    }
}

impl Tally {
    /// What one machine did; tests are counted one by one.
    fn tests_of(&mut self, name: &str, outcome: Result<Counts>) {
        match outcome {
            Ok(counts) => {
                self.passed += counts.passed();
                self.failed += counts.failed;
                self.skips.extend(counts.skips.iter().map(|skip| format!("{name}: {skip}")));
                self.failures.extend(counts.failures.iter().map(|failure| format!("{name}: {failure}")));
            }
            Err(error) => self.one(name, Err(error)),
        }
    }

    /// What is no check itself, but must not fail.
    fn need(&mut self, name: &str, outcome: Result<()>) {
        if let Err(error) = outcome {
            println!("{}", self.fail(name, &error));
        }
    }

    /// One check.
    fn one(&mut self, name: &str, outcome: Result<()>) {
        println!("{}", self.count(name, outcome));
    }

    /// One check; gives the line that says what came of it.
    fn count(&mut self, name: &str, outcome: Result<()>) -> String {
        let Err(error) = outcome else {
            self.passed += 1;
            return format!("passed: {name}");
        };
        if let Some(skip) = error.downcast_ref::<Skip>() {
            self.skips.push(format!("{name}: {skip}"));
            return format!("skipped: {name}: {skip}");
        }
        self.fail(name, &error)
    }

    fn fail(&mut self, name: &str, error: &anyhow::Error) -> String {
        self.failed += 1;
        self.failures.push(format!("{name}: {}", format!("{error:#}").lines().next().unwrap_or_default()));
        format!("failed: {name}: {error:#}")
    }
}

/// Every test of the workspace, with what passing ones print, since that tells which of them skipped.
fn cargo_test(tally: &mut Tally) -> Result<()> {
    let mut command = cargo::command(&["test", "--workspace", "--no-fail-fast", "--", "--show-output"]);
    let mut counts = Counts::default();
    let ok = each_line(&mut command, |line| {
        if counts.line(line) {
            println!("{line}");
        }
    })?;
    let failed_before = tally.failed;
    tally.passed += counts.passed();
    tally.failed += counts.failed;
    tally.skips.append(&mut counts.skips);
    tally.failures.append(&mut counts.failures);
    if !ok && tally.failed == failed_before {
        bail!("cargo test failed before its tests ran");
    }
    Ok(())
}

fn each_line(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let out = child.stdout.take().context("no output of cargo")?;
    for bytes in BufReader::new(out).split(b'\n') {
        line(&String::from_utf8_lossy(&bytes?));
    }
    Ok(child.wait()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_neither_passed_nor_failed() {
        let mut tally = Tally::default();
        tally.count("x", Err(Skip("no go".to_owned()).into()));
        tally.count("y", Ok(()));
        tally.count("z", Err(anyhow::anyhow!("broken")));
        assert_eq!((tally.passed, tally.failed, tally.skips), (1, 1, vec!["x: no go".to_owned()]));
    }
}
