//! `cargo xtask proof alerts`: makes the fault of each alert on a real system, and waits until the alert has come all the
//! way to a webhook, and has gone again when the fault has.
//!
//! The node is real (`cluster`), so are agent, kube-state, Prometheus and Alertmanager. Faults stand in the alerts' own
//! sources; `step` knows how to make them. Times of the rules are divided by a factor that is printed, in `PromQL`'s
//! syntax tree (`mixin::query::scaled`), so that half an hour is a minute. Faults that do not disturb each other live at
//! the same time. Another set's rules can run beside ours with the same factor.

mod fault;
mod filesystem;
mod healthy;
mod instance;
mod lab;
mod machine;
mod network;
mod objects;
mod place;
mod receiver;
mod rules;
mod step;
mod table;
mod undo;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use mixin::{Provable, Set};

use self::fault::Outcome;
use self::lab::{Clock, Lab, load};
use crate::args::{Args, usage};
use crate::cluster::{self, Cluster};
use crate::{alerts, cargo, places, process};

/// By how much times are divided unless it is said.
const DIVISOR: f64 = 30.0;
/// Alerts that are proven by the real clock with `--unscaled`: those that come and go within a quarter of an hour.
const UNSCALED: &[&str] = &[
    "ConfigurationRefused",
    "FilesystemFull",
    "FilesystemTurnedReadonly",
    "JobFailed",
    "VolumeFailed",
    "WorkloadDown",
];
/// Faults at the same time unless it is said: more than that would be one fault, a busy machine.
const TOGETHER: usize = 12;

/// `cargo xtask proof alerts`
pub(super) fn run(args: &mut Args) -> Result<()> {
    let number = |text: Option<String>, name: &str| match text {
        None => Ok(None),
        Some(text) => text.parse::<f64>().map(Some).map_err(|_| usage(format!("{name}: {text:?} is no number"))),
    };
    let only = args.options("--only")?;
    let divisor = number(args.option("--factor")?, "--factor")?;
    let is_unscaled = args.flag("--unscaled");
    let others = args.option("--mixin")?.map(PathBuf::from);
    let healthy = number(args.option("--healthy")?, "--healthy")?;
    let markdown = args.option("--markdown")?.map(PathBuf::from);
    let binaries = args.option("--binaries")?.map(PathBuf::from);
    let at_once = number(args.option("--together")?, "--together")?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number, and at least one")]
    let at_once = at_once.map_or(TOGETHER, |number| number.max(1.0) as usize);
    args.finish()?;
    if is_unscaled && divisor.is_some() {
        return Err(usage("--unscaled is --factor 1 for some alerts: give one of both"));
    }
    let options = cluster::Options::default();
    if let Some(missing) = cluster::missing(&options) {
        return Err(missing.into());
    }
    let default = if healthy.is_some() || is_unscaled { 1.0 } else { DIVISOR };
    let clock = Clock { divisor: divisor.unwrap_or(default) };
    match binaries {
        Some(folder) => lab::take_binaries_from(folder),
        None => build()?,
    }
    let set = alerts::set(&catalogs()?)?;
    let chosen = chosen(&set, &only, is_unscaled)?;
    let dir = places::cache("proof-alerts")?;
    let names = rules::write(&set, &dir.join("rules"), clock.factor(), others.as_deref())?;
    let machine = Cluster::of_this_machine()?;
    let ran = machine.answers(&options);
    cluster::up(&machine, &options)?;
    let outcome = (|| {
        println!("times are divided by {}; {}", clock.divisor, load());
        if !names.is_empty() {
            println!("beside the set: {} alerts of another one, with the same factor", names.len());
        }
        let lab = Lab::start(machine.clone(), &dir, clock)?;
        match healthy {
            Some(minutes) => healthy::prove(&lab, Duration::from_secs_f64(minutes * 60.0), markdown.as_deref()),
            None => prove(&lab, &groups(&chosen, at_once), !names.is_empty(), markdown.as_deref()),
        }
    })();
    if !ran {
        cluster::down(&machine)?;
    }
    outcome
}

fn build() -> Result<()> {
    let packages = ["--package", "yagura-exporter", "--package", "yagura-kube-state"];
    process::run(cargo::command(&["build", "--release"]).args(packages))
}

/// What the binaries print of themselves.
fn catalogs() -> Result<Vec<metric::Catalog>> {
    let print = |name: &str| {
        let text = process::output(std::process::Command::new(lab::binary(name)).arg("--print-catalog"))?;
        serde_json::from_str(&text).with_context(|| format!("{name} printed no catalogue"))
    };
    ["yagura-exporter", "yagura-kube-state"].into_iter().map(print).collect()
}

/// Alerts whose fault is made.
fn chosen(set: &Set, only: &[String], is_unscaled: bool) -> Result<Vec<Provable>> {
    let mut faults = set.faults();
    let all = faults.len();
    faults.retain(|fault| fault.fault.unproven.is_none());
    let made = faults.len();
    faults.retain(|fault| !is_unscaled || UNSCALED.contains(&fault.alert.as_str()));
    faults.retain(|fault| only.is_empty() || only.iter().any(|only| fault.alert.contains(only)));
    ensure!(!faults.is_empty(), "no alert that a fault is made for is called so");
    println!("{all} alerts, {made} with a fault that this machine can make; {} of them now", faults.len());
    Ok(faults)
}

/// Faults that live at the same time.
fn groups(faults: &[Provable], at_once: usize) -> Vec<(String, Vec<&Provable>)> {
    let mut groups: Vec<(String, Vec<&Provable>)> = Vec::new();
    let area = |fault: &Provable| match fault.area.as_str() {
        "capacity" | "storage" | "workloads" => "objects".to_owned(),
        area => area.to_owned(),
    };
    for fault in faults.iter().filter(|fault| !fault.fault.alone) {
        let name = area(fault);
        match groups.iter_mut().find(|(known, group)| *known == name && group.len() < at_once) {
            Some((_, group)) => group.push(fault),
            None => groups.push((name, vec![fault])),
        }
    }
    groups.extend(faults.iter().filter(|fault| fault.fault.alone).map(|fault| (fault.alert.clone(), vec![fault])));
    groups
}

fn prove(
    lab: &Lab,
    groups: &[(String, Vec<&Provable>)],
    beside: bool,
    markdown: Option<&std::path::Path>,
) -> Result<()> {
    let (begin, mut outcomes) = (Instant::now(), Vec::new());
    let alive = path_is_alive(lab)?;
    // Further instances of ours disturb nobody, and some of what they show takes its time.
    let (apart, others): (Vec<_>, Vec<_>) = groups.iter().partition(|(name, _)| name == "blindness");
    let live = |groups: Vec<&(String, Vec<&Provable>)>| {
        let lived = groups.into_iter().flat_map(|(name, group)| together(lab, name, group, beside));
        lived.collect::<Vec<Outcome>>()
    };
    std::thread::scope(|scope| {
        let apart = scope.spawn(|| live(apart));
        outcomes.extend(live(others));
        outcomes.extend(apart.join().unwrap_or_default());
    });
    let faults: usize = groups.iter().map(|(_, group)| group.len()).sum();
    ensure!(outcomes.len() == faults, "{} of {faults} faults have an outcome", outcomes.len());
    outcomes.sort_by(|a, b| a.alert.cmp(&b.alert));
    let proven = outcomes.iter().filter(|outcome| outcome.proof.is_ok()).count();
    let report = table::of(lab.clock, &outcomes, beside, begin.elapsed(), &load());
    println!("\n{report}");
    println!("AlertPathAlive came {alive:.1} s after the start");
    if let Some(path) = markdown {
        places::write(path, &report)?;
    }
    println!("{proven} of {} alerts came for their fault and went with it", outcomes.len());
    if proven < outcomes.len() {
        bail!("{} alerts did not do what they should", outcomes.len() - proven);
    }
    Ok(())
}

/// Lets faults live at the same time.
fn together(lab: &Lab, name: &str, group: &[&Provable], beside: bool) -> Vec<Outcome> {
    println!("{name}: {} faults at the same time; {}", group.len(), load());
    // Other sets wait up to an hour for some of it.
    let minutes = match (beside, group.iter().any(|fault| fault.fault.alone)) {
        (false, _) => 0,
        (true, true) => 20,
        (true, false) => 65,
    };
    let hold = lab.clock.period(mixin::Period::minutes(minutes));
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            group.iter().map(|fault| (fault, scope.spawn(move || fault::live(lab, fault, hold)))).collect();
        let lived = threads.into_iter().map(|(fault, thread)| {
            thread.join().unwrap_or_else(|_| Outcome {
                alert: fault.alert.clone(),
                about: fault.fault.about.clone(),
                proof: Err(anyhow::anyhow!("the proof itself panicked")),
            })
        });
        lived.collect()
    })
}

/// The dead man's switch comes without any fault; seconds until it came.
fn path_is_alive(lab: &Lab) -> Result<f64> {
    let begin = Instant::now();
    let limit = begin + process::patience(Duration::from_mins(3));
    let alive = lab.receiver.first(begin, limit, |notice| notice.label("alertname") == "AlertPathAlive");
    let alive = alive.context("AlertPathAlive does not come: the way to the receiver is broken")?;
    Ok((alive.at - begin).as_secs_f64())
}
