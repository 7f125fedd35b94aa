//! What the agent's pages said, and whether it was right.

use std::collections::{BTreeMap, BTreeSet};

use super::shapes::{self, NAMESPACE, SHORT};
use super::truth::Truth;
use crate::exposition::Page;

/// Everything that was ever said, each once.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Cgroup path, pod, container.
    cadvisor: BTreeSet<[String; 3]>,
    /// Pod, container, workload, kind.
    own: BTreeSet<[String; 4]>,
    /// Workload, kind.
    workloads: BTreeSet<[String; 2]>,
    /// Workloads of short Jobs → containers started, on the last page.
    started: BTreeMap<String, f64>,
    pub(super) series: usize,
    /// Series of containers whose workload was not known yet.
    pub(super) late: usize,
    pub(super) scrapes: usize,
}

impl Seen {
    /// Takes in the two pages of one moment.
    pub(super) fn take_in(&mut self, cadvisor: &Page, own: &Page) {
        self.scrapes += 1;
        for series in cadvisor.samples.keys().filter(|series| series.label("namespace") == NAMESPACE) {
            self.series += 1;
            self.cadvisor.insert(["id", "pod", "container"].map(|label| series.label(label).to_owned()));
        }
        for series in own.samples.keys().filter(|series| series.label("namespace") == NAMESPACE) {
            self.series += 1;
            let [pod, container, workload, kind] =
                ["pod", "container", "workload", "workload_kind"].map(|label| series.label(label).to_owned());
            if pod.is_empty() {
                if !workload.is_empty() {
                    self.workloads.insert([workload, kind]);
                }
            } else if series.label_names().contains(&"workload") {
                if workload.is_empty() {
                    self.late += 1;
                } else {
                    self.own.insert([pod, container, workload, kind]);
                }
            }
        }
        self.started.clear();
        for (series, sample) in own.series("workload_containers_started_total") {
            let workload = series.label("workload");
            if workload.starts_with(SHORT) && series.label("workload_kind") == "Job" {
                self.started.insert(workload.to_owned(), sample.value);
            }
        }
    }

    /// What differs from the truth, in words.
    pub(super) fn wrong(&self, truth: &Truth) -> Vec<String> {
        let mut wrong = Vec::new();
        for [id, pod, container] in &self.cadvisor {
            let parts: Vec<&str> = id.split('/').collect();
            let at = parts.iter().position(|part| part.starts_with("pod") && part.len() > 20);
            let uid = at.and_then(|at| parts.get(at)).map(|part| part.trim_start_matches("pod").replace('_', "-"));
            let id_of_container = at.and_then(|at| parts.get(at + 1));
            let names = uid.as_ref().and_then(|uid| truth.pods.get(uid));
            if names.is_none_or(|names| !names.contains(pod)) {
                wrong.push(format!("{id} is shown as pod {pod}; that uid is {names:?}"));
                continue;
            }
            let told = id_of_container.and_then(|id| truth.containers.get(*id));
            match told {
                Some(of) if !of.contains(&(pod.clone(), container.clone())) => {
                    wrong.push(format!("{id} is shown as {pod}/{container} and is one of {of:?}"));
                }
                None if !container.is_empty() && !truth.has(pod, container) => {
                    wrong.push(format!("{id} is shown as {pod}/{container}, which is not in the pod"));
                }
                _ => {}
            }
        }
        for [pod, container, workload, kind] in &self.own {
            let right = shapes::owner_of(pod);
            if right.as_ref() != Some(&(workload.clone(), kind.clone())) {
                wrong.push(format!("{pod}/{container} is shown as of {kind}/{workload}, and is of {right:?}"));
            }
            // A container without a name of its own goes by its id.
            let is_id = container.len() == 64
                && truth.containers.get(container).is_none_or(|of| of.iter().any(|(of, _)| of == pod));
            if !container.is_empty() && !is_id && !truth.has(pod, container) {
                wrong.push(format!("{pod}/{container} is shown, and is not in the pod"));
            }
        }
        let right: BTreeSet<[String; 2]> = truth
            .names
            .keys()
            .filter_map(|pod| shapes::owner_of(pod))
            .map(|(workload, kind)| [workload, kind])
            .collect();
        wrong.extend(self.workloads.difference(&right).map(|[name, kind]| format!("there is no {kind}/{name}")));
        wrong
    }

    /// Short Jobs whose container was not counted exactly once.
    pub(super) fn miscounted(&self, jobs: usize) -> Vec<String> {
        let count = |number: usize| {
            let name = format!("{SHORT}-{number}");
            let started = self.started.get(&name).copied().unwrap_or(0.0);
            (started - 1.0).abs().gt(&f64::EPSILON).then(|| format!("{name}: {started} containers were counted"))
        };
        (0..jobs).filter_map(count).collect()
    }

    /// How much was seen: cgroups of pods, containers, workloads.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (self.cadvisor.len(), self.own.len(), self.workloads.len())
    }

    /// Pods whose containers were shown under their workload.
    pub(super) fn pods(&self) -> BTreeSet<&str> {
        self.own.iter().map(|[pod, ..]| pod.as_str()).collect()
    }
}

impl Truth {
    fn has(&self, pod: &str, container: &str) -> bool {
        self.names.get(pod).is_some_and(|names| names.contains(container))
    }
}
