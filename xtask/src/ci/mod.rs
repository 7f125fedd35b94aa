//! `cargo xtask ci`: all that a change must pass, the same for a developer and for continuous integration.

mod budget;
mod rotation;
mod skips;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use self::rotation::Rotation;
use crate::args::{Args, Takes};
use crate::checks;
use crate::counts::Counts;
use crate::skip::Skip;
use crate::structure::{self, Imports};
use crate::{alerts, cargo, chart, dashboards, debian, parity, places, process, setup, tasks, vm};

/// What all steps came to.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: usize,
    failed: usize,
    skips: Vec<String>,
    failures: Vec<String>,
    /// The parts of the rotation that ran, and how much failed there.
    parts: Vec<(String, usize)>,
}

/// The steps so far and how long each took.
#[derive(Default)]
struct Run {
    tally: Tally,
    times: Vec<(String, Duration)>,
}

/// A step and what it does.
struct Step {
    name: String,
    work: Box<dyn Fn(&mut Tally)>,
}

pub(crate) const TAKES: Takes = Takes::Options(&[("--only", "NAME"), ("--part", "NAME"), ("--nightly", "")], "");

/// `cargo xtask ci [--only NAME] [--part NAME | --nightly]`: of the machines that are emulated, and the comparison with
/// kube-state-metrics, one a run: the one that `--part` or `YAGURA_CI_PART` names, else the one whose turn it is; all of
/// them, merged pages of memory and every fuzz target with `--nightly`.
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let only = args.option("--only")?;
    let part = args.option("--part")?.or_else(|| places::variable("YAGURA_CI_PART")?.into_string().ok());
    let nightly = args.flag("--nightly");
    args.finish()?;
    let rotation = Rotation::of_this_machine(parts())?;
    let chosen = if nightly { parts() } else { vec![rotation.choose(part.as_deref())?] };
    let mut run = Run::default();
    let begin = budget::now();
    for step in steps(&chosen, nightly) {
        if only.as_deref().is_none_or(|only| step.name.contains(only)) {
            run.step(&step);
        }
    }
    for (part, failed) in &run.tally.parts {
        rotation.note(part, begin, if *failed > 0 { "failed" } else { "passed" })?;
    }
    println!("\n== rotation");
    print!("{}", rotation.report(&chosen, budget::now()));
    run.finish(&skips::Expected::read()?, only.is_none());
    Ok(())
}

/// The step that boots machines, or compares with kube-state-metrics.
const ROTATING: &str = "kernels";

/// Takes minutes, since kube-state-metrics is built from its Go module.
const KSM: &str = "parity ksm";

/// What is too dear for each run.
fn parts() -> Vec<String> {
    vm::parts().into_iter().chain([KSM.to_owned()]).collect()
}

/// Every step, those first that fail soonest.
fn steps(parts: &[String], nightly: bool) -> Vec<Step> {
    fn step(name: &str, work: impl Fn(&mut Tally) + 'static) -> Step {
        Step { name: name.to_owned(), work: Box::new(work) }
    }
    fn one(name: &'static str, check: fn() -> Result<()>) -> Step {
        step(name, move |tally| tally.one(name, check()))
    }
    let mut steps = vec![
        step("setup", |tally| tally.need("setup", setup::run(&mut Args::default()))),
        one("format", || process::run(&mut tasks::format_check())),
        one("C format", tasks::c_format_check),
        one("structure", || structure::check(&places::repo(), Imports::Counted)),
        one("clippy", || process::run(&mut tasks::clippy())),
        one("rustdoc", || process::run(&mut tasks::rustdoc())),
        step("cargo test", |tally| {
            let ran = cargo_test(tally);
            tally.need("cargo test", ran);
        }),
        step("build", |tally| tally.need("build", tasks::build(&mut Args::default()))),
        one("docs", || tasks::write_or_check_docs(true)),
        one("alerts", alerts::check),
        one("dashboards", dashboards::check),
        one("chart", chart::check),
    ];
    for check in checks::all() {
        let (name, work) = (check.name.clone(), check.run);
        steps.push(step(&check.name, move |tally| tally.one(&name, work())));
    }
    let (ksm, machines): (Vec<String>, Vec<String>) = parts.iter().cloned().partition(|part| part == KSM);
    steps.push(step(ROTATING, move |tally| {
        if !machines.is_empty() {
            for (name, outcome) in vm::check(&machines) {
                tally.tests_of(&name, outcome);
            }
        }
        for name in &ksm {
            let failed = tally.failed;
            tally.one(name, parity::ksm::compare(None));
            tally.parts.push((name.clone(), tally.failed - failed));
        }
    }));
    if nightly {
        steps.push(one("deny", || tasks::deny(&mut Args::default())));
        steps.push(one("fuzz", || tasks::fuzz(&mut Args::default())));
    }
    steps
}

impl Run {
    /// One step; when it fails, the next one runs all the same.
    fn step(&mut self, step: &Step) {
        println!("\n== {}", step.name);
        let begin = Instant::now();
        (step.work)(&mut self.tally);
        self.times.push((step.name.clone(), begin.elapsed()));
    }

    fn finish(mut self, expected: &skips::Expected, is_whole: bool) {
        println!("\n== time");
        for (name, time) in &self.times {
            println!("{:>8.1} s  {name}{}", time.as_secs_f64(), budget::remark(name, *time));
        }
        let total: Duration = self.times.iter().map(|(_, time)| *time).sum();
        println!(
            "{:>8.1} s  in all, of {} min that are planned",
            total.as_secs_f64(),
            budget::each_run().as_secs() / 60
        );
        for skip in &self.tally.skips {
            println!("skipped: {skip}");
        }
        let compared = expected.compare(&self.tally.skips);
        for line in compared.unused.iter().filter(|_| is_whole) {
            println!("note: {line:?} of {} was not needed", skips::FILE);
        }
        // A machine where some checks cannot be done at all says so above, and is not at fault.
        if process::is_root() && debian::is_here() {
            for skip in compared.unexpected {
                self.tally.failed += 1;
                self.tally.failures.push(format!("a skip that {} does not expect: {skip}", skips::FILE));
            }
        }
        let Tally { passed, failed, skips, failures, .. } = self.tally;
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
                self.parts.push((name.to_owned(), counts.failed));
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
    fn every_step_has_its_minutes_and_the_other_way_round() {
        let steps: Vec<String> = steps(&parts(), true).into_iter().map(|step| step.name).collect();
        let planned: Vec<&str> = budget::names().collect();
        assert_eq!(steps, planned);
    }

    #[test]
    fn a_skip_is_neither_passed_nor_failed() {
        let mut tally = Tally::default();
        tally.count("x", Err(Skip("no go".to_owned()).into()));
        tally.count("y", Ok(()));
        tally.count("z", Err(anyhow::anyhow!("broken")));
        assert_eq!((tally.passed, tally.failed, tally.skips), (1, 1, vec!["x: no go".to_owned()]));
    }
}
