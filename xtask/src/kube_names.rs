//! `cargo xtask conformance consumers`: every `kube_*` name that dashboards and alerts read is served, with the labels
//! that they read.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::args::{Args, usage};
use crate::parity::consumers::{Wanted, list_of, take};
use crate::{cargo, places, process};

const SOURCE: &str = "kube-state-metrics";

/// What consumers read and kube-state-metrics does not serve either: name, label or nothing for the whole name, why.
const OF_NOBODY: &[(&str, &str, &str)] = &[
    ("kube_deployment_status_replicas_unavailable", "pod", "the text of an alert says it where `deployment` is meant"),
    ("kube_hpa_labels", "", "the name that kube_horizontalpodautoscaler_labels had before version 2"),
    ("kube_job_status_start_time", "cronjob", "the text of an alert says it where `job_name` is meant"),
    ("kube_pod_info", "container", "the text of an alert says it of a pod as a whole"),
    ("kube_pod_info", "pod_template_hash", "an alert drops it from series that may have got it by relabelling"),
    ("kube_pod_status_scheduled", "container", "the text of an alert says it of a pod as a whole"),
    ("kube_pod_status_scheduled", "reason", "the text of an alert says it where `condition` is meant"),
];

/// The committed list of names and labels.
fn list() -> PathBuf {
    places::repo().join("e2e/families/kube-consumers.json")
}

/// `cargo xtask conformance consumers [FILE.json]… [--write FILE]`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let write = args.option("--write")?;
    let mut files: Vec<PathBuf> = std::iter::from_fn(|| args.positional()).map(PathBuf::from).collect();
    if let Some(option) = files.iter().find(|file| file.to_string_lossy().starts_with('-')) {
        return Err(usage(format!("unexpected argument {:?}", option.display().to_string())));
    }
    if files.is_empty() {
        files.push(list());
    }
    let wanted = read(&files)?;
    if let Some(write) = write {
        return places::write(write.as_ref(), list_of(&wanted, &[SOURCE]));
    }
    report(wanted, &declared()?)
}

/// The check of continuous integration.
pub(crate) fn check() -> Result<()> {
    report(read(&[list()])?, &declared()?)
}

fn read(files: &[PathBuf]) -> Result<Wanted> {
    let mut wanted = Wanted::new();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let list: Value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))?;
        take(&list, &[SOURCE], &mut wanted);
    }
    Ok(wanted)
}

/// The labels of each family that kube-state declares.
fn declared() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut command =
        cargo::command(&["run", "--quiet", "--package", "yagura-kube-state", "--bin", "yagura-kube-state"]);
    let text = process::output(command.args(["--", "--print-catalog"]))?;
    let catalog: Value = serde_json::from_str(&text).context("the catalogue is not JSON")?;
    let sections = catalog["sections"].as_array().cloned().unwrap_or_default();
    let families = sections.iter().filter_map(|section| section["families"].as_array()).flatten();
    let texts = |list: &Value| -> BTreeSet<String> {
        list.as_array().into_iter().flatten().filter_map(|label| label["name"].as_str().map(str::to_owned)).collect()
    };
    Ok(families.filter_map(|family| Some((family["name"].as_str()?.to_owned(), texts(&family["labels"])))).collect())
}

fn report(mut wanted: Wanted, declared: &BTreeMap<String, BTreeSet<String>>) -> Result<()> {
    for (name, label, why) in OF_NOBODY {
        let key = (SOURCE.to_owned(), (*name).to_owned());
        let left_out = match wanted.get_mut(&key) {
            Some(labels) if !label.is_empty() => labels.remove(*label),
            Some(_) => wanted.remove(&key).is_some(),
            None => false,
        };
        if left_out {
            println!("left out: {name} {label}: {why}");
        }
    }
    let labels: usize = wanted.values().map(BTreeSet::len).sum();
    let missing: Vec<String> = wanted.iter().filter_map(|((_, name), labels)| lacks(name, labels, declared)).collect();
    for line in &missing {
        println!("MISSING  {line}");
    }
    println!("names that consumers read: {} with {labels} labels, {} missing", wanted.len(), missing.len());
    if wanted.is_empty() || !missing.is_empty() {
        bail!("{} of {} names are missing", missing.len(), wanted.len());
    }
    Ok(())
}

/// What is missing of a name.
fn lacks(name: &str, labels: &BTreeSet<String>, declared: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    let Some(there) = declared.get(name) else { return Some(format!("{name}: not declared")) };
    // Labels that copy an object's own are called as the object calls them.
    let copied = [("_labels", "label_"), ("_annotations", "annotation_")];
    let is_copy = |label: &str| copied.iter().any(|(end, start)| name.ends_with(end) && label.starts_with(start));
    let unknown: Vec<&String> = labels.iter().filter(|label| !there.contains(*label) && !is_copy(label)).collect();
    (!unknown.is_empty()).then(|| format!("{name}: declared without the labels {unknown:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_served_when_it_has_all_labels_or_may_copy_them() {
        let set = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect::<BTreeSet<String>>();
        let declared =
            BTreeMap::from([("kube_x_labels".to_owned(), set(&["namespace"])), ("kube_y".to_owned(), set(&["y"]))]);
        assert!(lacks("kube_x_labels", &set(&["namespace", "label_team"]), &declared).is_none());
        assert!(lacks("kube_y", &set(&["y"]), &declared).is_none());
        assert!(lacks("kube_y", &set(&["label_team"]), &declared).unwrap().contains("label_team"));
        assert!(lacks("kube_z", &set(&[]), &declared).unwrap().contains("not declared"));
    }
}
