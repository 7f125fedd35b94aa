//! Pods of every shape and workloads of every kind, and what each pod's series must say.

use crate::cluster::{BOX_IMAGE, NODE};

/// Where all but the static pods live; they are in it too.
pub(super) const NAMESPACE: &str = "join";

/// A workload, and how its pods are called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Its pods' names begin with this and a dash, or are this.
    pub(super) pods: &'static str,
    /// What owns them in the end.
    pub(super) workload: &'static str,
    pub(super) kind: &'static str,
    /// The object that is created, and how many pods it has.
    made_by: MadeBy,
    count: usize,
    /// A body of the pod's specification, beyond `containers`.
    spec: &'static str,
    containers: &'static [(&'static str, &'static str)],
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum MadeBy {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    ReplicationController,
    Job,
    CronJob,
    Pods,
    /// Pods that an object of the custom kind owns.
    Fleet,
    /// A Deployment that it owns.
    FleetDeployment,
    /// A file of the kubelet's.
    File,
}

const SLEEP: &str = "exec sleep 100000";
const ONE: &[(&str, &str)] = &[("main", SLEEP)];

const fn shape(pods: &'static str, kind: &'static str, made_by: MadeBy, count: usize) -> Shape {
    Shape { pods, workload: pods, kind, made_by, count, spec: "", containers: ONE }
}

/// All of them; about a hundred pods.
pub(super) const SHAPES: &[Shape] = &[
    shape("dep-a", "Deployment", MadeBy::Deployment, 7),
    shape("dep-b", "Deployment", MadeBy::Deployment, 7),
    shape("dep-c", "Deployment", MadeBy::Deployment, 7),
    Shape { containers: &[("web", SLEEP), ("proxy", SLEEP)], ..shape("dep-two", "Deployment", MadeBy::Deployment, 6) },
    Shape {
        spec: "initContainers: [{name: prepare, IMAGE, command: [/bin/true]}, \
               {name: mesh, IMAGE, restartPolicy: Always, command: [/bin/sleep, '100000']}]",
        ..shape("dep-init", "Deployment", MadeBy::Deployment, 6)
    },
    // Restarts every few seconds.
    Shape { containers: &[("main", "sleep 3")], ..shape("dep-again", "Deployment", MadeBy::Deployment, 3) },
    shape("set-a", "StatefulSet", MadeBy::StatefulSet, 5),
    Shape { containers: &[("db", SLEEP), ("backup", SLEEP)], ..shape("set-b", "StatefulSet", MadeBy::StatefulSet, 4) },
    shape("every-a", "DaemonSet", MadeBy::DaemonSet, 1),
    Shape { spec: "hostNetwork: true", ..shape("every-host", "DaemonSet", MadeBy::DaemonSet, 1) },
    shape("rs-bare", "ReplicaSet", MadeBy::ReplicaSet, 5),
    shape("rc-old", "ReplicationController", MadeBy::ReplicationController, 4),
    shape("job-long", "Job", MadeBy::Job, 6),
    Shape { containers: &[("tidy", "sleep 15")], ..shape("cron-tidy", "CronJob", MadeBy::CronJob, 1) },
    Shape { workload: "armada", kind: "Fleet", ..shape("ship", "Fleet", MadeBy::Fleet, 6) },
    Shape { workload: "armada", kind: "Fleet", ..shape("dep-fleet", "Fleet", MadeBy::FleetDeployment, 5) },
    shape("lone", "Pod", MadeBy::Pods, 10),
    Shape { spec: "hostNetwork: true", ..shape("lone-host", "Pod", MadeBy::Pods, 2) },
    Shape { workload: NODE, kind: "Node", ..shape("file-a", "Node", MadeBy::File, 1) },
    Shape { workload: NODE, kind: "Node", spec: "hostNetwork: true", ..shape("file-host", "Node", MadeBy::File, 1) },
];

/// Jobs that live for milliseconds, and the file that comes and goes with one uid under two names.
pub(super) const SHORT: &str = "short";
pub(super) const TWICE: &str = "twice";

/// How many pods the shapes have together.
pub(super) fn pods() -> usize {
    SHAPES.iter().map(|shape| shape.count).sum()
}

/// What a pod belongs to: workload and kind.
pub(super) fn owner_of(pod: &str) -> Option<(String, String)> {
    let is_of = |name: &str| pod == name || pod.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
    if let Some(job) = pod.strip_prefix("short-").and_then(|rest| rest.split('-').next()) {
        return Some((format!("{SHORT}-{job}"), "Job".to_owned()));
    }
    if is_of(TWICE) {
        return Some((NODE.to_owned(), "Node".to_owned()));
    }
    let shape = SHAPES.iter().filter(|shape| is_of(shape.pods)).max_by_key(|shape| shape.pods.len())?;
    if shape.made_by == MadeBy::Pods {
        return Some((pod.to_owned(), "Pod".to_owned()));
    }
    Some((shape.workload.to_owned(), shape.kind.to_owned()))
}

impl Shape {
    /// Whether a change of its template makes new pods.
    pub(super) fn rolls(&self) -> Option<String> {
        let kind = match self.made_by {
            MadeBy::Deployment | MadeBy::FleetDeployment => "deployment",
            MadeBy::StatefulSet => "statefulset",
            MadeBy::DaemonSet => "daemonset",
            _ => return None,
        };
        Some(format!("{kind}/{}", self.pods))
    }

    fn pod_spec(&self) -> String {
        let container =
            |(name, script): &(&str, &str)| format!("{{name: {name}, IMAGE, command: [/bin/sh, -c, \"{script}\"]}}");
        let containers: Vec<String> = self.containers.iter().map(container).collect();
        let more = if self.spec.is_empty() { String::new() } else { format!("{}, ", self.spec) };
        let never = matches!(self.made_by, MadeBy::Job | MadeBy::CronJob);
        let restart = if never { "restartPolicy: Never, " } else { "" };
        format!("{{terminationGracePeriodSeconds: 0, {restart}{more}containers: [{}]}}", containers.join(", "))
            .replace("IMAGE", &format!("image: '{BOX_IMAGE}', imagePullPolicy: Never"))
    }

    /// Its manifest; `fleet` is the uid of the object that owns some. None for files.
    pub(super) fn manifest(&self, fleet: &str) -> Option<String> {
        let Self { pods: name, count, .. } = self;
        let spec = self.pod_spec();
        let meta = |more: &str| format!("metadata: {{name: {name}, namespace: {NAMESPACE}{more}}}");
        let template = format!("template: {{metadata: {{labels: {{app: {name}}}}}, spec: {spec}}}");
        let selector = format!("selector: {{matchLabels: {{app: {name}}}}}");
        let owner = format!(
            ", ownerReferences: [{{apiVersion: test.example/v1, kind: Fleet, name: armada, uid: '{fleet}', controller: true}}]"
        );
        let apps = |kind: &str, more: &str, with: &str| {
            format!("apiVersion: apps/v1\nkind: {kind}\n{}\nspec: {{{with}{selector}, {template}}}\n", meta(more))
        };
        let replicas = format!("replicas: {count}, ");
        Some(match self.made_by {
            MadeBy::Deployment => apps("Deployment", "", &replicas),
            MadeBy::FleetDeployment => apps("Deployment", &owner, &replicas),
            MadeBy::StatefulSet => apps("StatefulSet", "", &format!("{replicas}podManagementPolicy: Parallel, ")),
            MadeBy::DaemonSet => apps("DaemonSet", "", ""),
            MadeBy::ReplicaSet => apps("ReplicaSet", "", &replicas),
            MadeBy::ReplicationController => format!(
                "apiVersion: v1\nkind: ReplicationController\n{}\nspec: {{{replicas}selector: {{app: {name}}}, {template}}}\n",
                meta("")
            ),
            MadeBy::Job => {
                format!("apiVersion: batch/v1\nkind: Job\n{}\nspec: {{parallelism: {count}, {template}}}\n", meta(""))
            }
            MadeBy::CronJob => format!(
                "apiVersion: batch/v1\nkind: CronJob\n{}\nspec: {{schedule: '* * * * *', jobTemplate: {{spec: {{{template}}}}}}}\n",
                meta("")
            ),
            MadeBy::Pods | MadeBy::Fleet => {
                let more = if self.made_by == MadeBy::Fleet { owner.as_str() } else { "" };
                let pod = |number: usize| {
                    format!(
                        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}-{number}, namespace: {NAMESPACE}{more}}}\n\
                         spec: {spec}\n"
                    )
                };
                (0..*count).map(pod).collect::<Vec<_>>().join("---\n")
            }
            MadeBy::File => return None,
        })
    }

    /// The file that makes it, if it is one.
    pub(super) fn file(&self) -> Option<(String, String)> {
        let name = self.pods;
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\nspec: {}\n",
            self.pod_spec()
        );
        (self.made_by == MadeBy::File).then(|| (format!("{name}.yaml"), text))
    }
}

/// A file with this uid and one of two names. The container's stays: a kubelet of 1.36 panics over one that an update takes
/// away.
pub(super) fn twice(second: bool) -> String {
    let name = if second { "twice-b" } else { "twice-a" };
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {NAMESPACE}, uid: 0123456789abcdef0123456789abcdef}}\n\
         spec: {{terminationGracePeriodSeconds: 0, containers: [{{name: only, image: '{BOX_IMAGE}', \
         imagePullPolicy: Never, command: [/bin/sleep, '100000']}}]}}\n"
    )
}

/// A Job that has ended before anybody looks.
pub(super) fn short(number: usize) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {SHORT}-{number}, namespace: {NAMESPACE}}}\n\
         spec: {{backoffLimit: 0, template: {{spec: {{restartPolicy: Never, containers: [{{name: blink, image: '{BOX_IMAGE}', \
         imagePullPolicy: Never, command: [/bin/true]}}]}}}}}}\n"
    )
}

/// The custom kind.
pub(super) const FLEETS: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: fleets.test.example}
spec:
  group: test.example
  scope: Namespaced
  names: {plural: fleets, singular: fleet, kind: Fleet}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
";

/// The one object of it.
pub(super) fn fleet() -> String {
    format!("apiVersion: test.example/v1\nkind: Fleet\nmetadata: {{name: armada, namespace: {NAMESPACE}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_told_by_its_name() {
        let is = |pod: &str, workload: &str, kind: &str| {
            assert_eq!(owner_of(pod), Some((workload.to_owned(), kind.to_owned())), "{pod}");
        };
        is("dep-a-5d8c-x2x", "dep-a", "Deployment");
        is("dep-fleet-5d8c-x2x", "armada", "Fleet");
        is("ship-3", "armada", "Fleet");
        is("lone-3", "lone-3", "Pod");
        is("lone-host-1", "lone-host-1", "Pod");
        is("cron-tidy-29700000-abc", "cron-tidy", "CronJob");
        is("short-17-abcde", "short-17", "Job");
        is("file-a-node-1", NODE, "Node");
        is("twice-b-node-1", NODE, "Node");
        assert_eq!(owner_of("coredns-1"), None);
    }

    #[test]
    fn there_are_a_hundred_pods_less_a_few() {
        assert!((85..=110).contains(&pods()), "{}", pods());
    }
}
