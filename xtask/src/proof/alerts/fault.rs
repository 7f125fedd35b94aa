//! The life of one fault: what is well before it, the fault, the notification, the cure, the end of the alert.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use mixin::Provable;

use super::lab::Lab;
use super::place::{Place, filled};
use super::receiver::{Labels, Notice};
use super::step;
use super::undo::Undo;
use crate::process::patience;

/// How an alert did.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) alert: String,
    pub(super) about: String,
    pub(super) proof: Result<Proof>,
}

/// An alert that came and went.
#[derive(Debug)]
pub(super) struct Proof {
    /// From the fault to the webhook.
    pub(super) fired: Duration,
    /// From the cure to the webhook.
    pub(super) resolved: Duration,
    /// The team that it names.
    pub(super) owner: Option<String>,
    /// Alerts of the other set meanwhile: name, labels, and when.
    pub(super) others: Vec<Other>,
}

/// An alert of the other set.
#[derive(Debug, Clone)]
pub(super) struct Other {
    pub(super) alert: String,
    pub(super) after: Duration,
    pub(super) labels: String,
}

/// Patience beyond what the rules wait: pods start, kubelets report, and the machine may be busy.
const GRACE: Duration = Duration::from_mins(4);

/// Lets a fault live. With `hold` it is kept for so long even if the alert came, to see what others say.
pub(super) fn live(lab: &Lab, provable: &Provable, hold: Duration) -> Outcome {
    let place = Place::of(&provable.alert);
    let mut undos = Vec::new();
    let proof = try_live(lab, provable, &place, hold, &mut undos);
    // Whatever happened, nothing is left for the faults that follow.
    let undone = undo(&mut undos, 0);
    let words = ["delete", "namespace", &place.namespace, "--ignore-not-found", "--wait=false"];
    let deleted = lab.machine.kubectl(&words).map(drop);
    let proof = proof.and_then(|proof| undone.and(deleted).map(|()| proof));
    let outcome = Outcome { alert: provable.alert.clone(), about: provable.fault.about.clone(), proof };
    match &outcome.proof {
        Ok(proof) => println!(
            "  {:<30} fired after {:>5.1} s, resolved after {:>5.1} s{}",
            outcome.alert,
            proof.fired.as_secs_f64(),
            proof.resolved.as_secs_f64(),
            proof.owner.as_ref().map(|owner| format!(", owner {owner}")).unwrap_or_default()
        ),
        Err(error) => println!("  {:<30} FAILED: {error:#}", outcome.alert),
    }
    outcome
}

fn try_live<'l>(
    lab: &'l Lab,
    provable: &Provable,
    place: &Place,
    hold: Duration,
    undos: &mut Vec<Undo<'l>>,
) -> Result<Proof> {
    make_namespace(lab, place)?;
    let fault = &provable.fault;
    for written in &fault.before {
        step::take(lab, place, written, undos)?;
    }
    let preparations = undos.len();
    let began = Instant::now();
    for written in &fault.steps {
        step::take(lab, place, written, undos)?;
    }
    let row = expected(provable, place);
    let is_it = |notice: &Notice| {
        let fits = |(name, value): (&String, &String)| notice.label(name) == value;
        notice.is_ours() && notice.label("alertname") == provable.alert && row.iter().all(fits)
    };
    let limit = lab.clock.period(provable.waits) * 2 + Duration::from_millis(fault.takes.millis()) + patience(GRACE);
    let fired = lab.receiver.first(began, began + limit, |notice| notice.is_firing && is_it(notice));
    let fired = fired.with_context(|| format!("no notification within {} s", limit.as_secs()))?;
    let owner = sound(provable, place, &fired)?;
    if let Some(left) = (began + hold).checked_duration_since(Instant::now()) {
        std::thread::sleep(left);
    }
    let cured = Instant::now();
    undo(undos, preparations)?;
    let limit = lab.clock.period(provable.keeps) * 2 + lab.clock.period(mixin::Period::minutes(45)) + patience(GRACE);
    let same = |notice: &Notice| notice.labels == fired.labels;
    let resolved = lab.receiver.first(cured, Instant::now() + limit, |notice| !notice.is_firing && same(notice));
    let resolved = resolved.with_context(|| format!("did not resolve within {} s", limit.as_secs()))?;
    let others = others(lab, place, provable, began, cured);
    Ok(Proof { fired: fired.at - began, resolved: resolved.at - cured, owner, others })
}

/// Undoes all but the first steps, the last one first.
fn undo(undos: &mut Vec<Undo<'_>>, but: usize) -> Result<()> {
    let mut outcome = Ok(());
    while undos.len() > but {
        let Some(step) = undos.pop() else { break };
        // All are undone, and the first that could not be is told.
        outcome = outcome.and(step());
    }
    outcome
}

fn make_namespace(lab: &Lab, place: &Place) -> Result<()> {
    let Place { namespace, team } = place;
    let object =
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}, labels: {{team: {team}}}}}\n");
    lab.apply(namespace, &object)?;
    let account = ["-n", namespace, "get", "serviceaccount", "default"];
    crate::process::wait_for("the namespace's account", Duration::from_mins(2), || {
        lab.machine.kubectl(&account).is_ok()
    })
}

/// Labels by which the row is known.
fn expected(provable: &Provable, place: &Place) -> Labels {
    let mut row = BTreeMap::from([("cluster".to_owned(), String::new())]);
    if provable.by.iter().any(|label| label == "namespace") {
        row.insert("namespace".to_owned(), place.namespace.clone());
    }
    for (name, value) in &provable.fault.row {
        row.insert(name.clone(), filled(value, place));
    }
    row
}

/// Whether the notification says what people need; gives the owner.
fn sound(provable: &Provable, place: &Place, notice: &Notice) -> Result<Option<String>> {
    for name in ["summary", "description", "runbook_url", "dashboard_url"] {
        let text = notice.annotations.get(name).map_or("", String::as_str);
        ensure!(!text.is_empty(), "came without the annotation {name}");
        if text.contains("<no value>") || text.contains("<error") || text.contains("{{") {
            bail!("came with the annotation {name}: {text}");
        }
    }
    let owner = notice.label("team");
    if provable.has_owner {
        ensure!(owner == place.team, "came with the owner {owner:?} in place of {:?}: {:?}", place.team, notice.labels);
    }
    Ok((!owner.is_empty()).then(|| owner.to_owned()))
}

/// What the other set said of it: alerts on its namespace, and, for faults of the machine, those that share a label of the
/// row or have no namespace at all.
fn others(lab: &Lab, place: &Place, provable: &Provable, from: Instant, until: Instant) -> Vec<Other> {
    let is_of_namespace = provable.by.iter().any(|label| label == "namespace");
    let concerns = |notice: &Notice| {
        let values = || notice.labels.values();
        if is_of_namespace {
            return values().any(|value| value == &place.namespace);
        }
        let names = provable.fault.row.values().map(|value| filled(value, place));
        let named = names.into_iter().any(|value| value.len() > 3 && values().any(|other| *other == value));
        named || (provable.fault.alone && notice.label("namespace").is_empty())
    };
    let mut seen: Vec<Other> = Vec::new();
    for notice in lab.receiver.since(from) {
        if notice.at > until + Duration::from_secs(5) || !notice.is_firing || notice.is_ours() || !concerns(&notice) {
            continue;
        }
        let alert = notice.label("alertname").to_owned();
        if seen.iter().any(|other| other.alert == alert) {
            continue;
        }
        let hidden = ["alertname", "job", "instance", "endpoint", "metrics_path"];
        let labels = notice.labels.iter().filter(|(name, value)| !hidden.contains(&name.as_str()) && !value.is_empty());
        let labels = labels.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        seen.push(Other { alert, after: notice.at - from, labels });
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_names_of_its_own() {
        let place = Place::of("JobFailed");
        assert_eq!((place.namespace.as_str(), place.team.as_str()), ("fault-job-failed", "crew-job-failed"));
    }
}
