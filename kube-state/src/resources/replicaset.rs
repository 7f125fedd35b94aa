//! ReplicaSets: replicas asked for, made and ready.

use kubernetes::lax::{Int, Sub};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<ReplicaSets>;

pub(super) static KIND: Kind<ReplicaSets> = Kind {
    about: About { plural: "replicasets", kind: "ReplicaSet", group: "apps", ..About::CORE },
    identity: &["namespace", "replicaset"],
    identify: |r, rows| rows.identify(&[&r.metadata.namespace, &r.metadata.name]),
    families: &[
        Family::created("kube_replicaset_created").stable(),
        Family::gauge("kube_replicaset_status_replicas", "Pods of the ReplicaSet.", &[], |r, rows| {
            rows.number(r.status.replicas);
        })
        .stable(),
        Family::gauge(
            "kube_replicaset_status_fully_labeled_replicas",
            "Pods of the ReplicaSet that have all labels of its template.",
            &[],
            |r, rows| rows.number(r.status.fully_labeled_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_replicaset_status_ready_replicas",
            "Pods of the ReplicaSet that are ready.",
            &[],
            |r, rows| {
                rows.number(r.status.ready_replicas);
            },
        )
        .stable(),
        Family::gauge(
            "kube_replicaset_status_terminating_replicas",
            "Pods of the ReplicaSet that are going, where the server counts them.",
            &[],
            |r, rows| rows.number(r.status.terminating_replicas),
        ),
        Family::gauge(
            "kube_replicaset_status_observed_generation",
            "Generation of the ReplicaSet that its controller has seen.",
            &[],
            |r, rows| rows.number(r.status.observed_generation),
        )
        .stable(),
        Family::gauge("kube_replicaset_spec_replicas", "Pods that are asked for.", &[], |r, rows| {
            rows.number(r.spec.replicas);
        })
        .stable(),
        Family::generation("kube_replicaset_metadata_generation").stable(),
        Family::owner("kube_replicaset_owner").stable(),
        Family::annotations("kube_replicaset_annotations"),
        Family::labels("kube_replicaset_labels").stable(),
    ],
};

pub(super) struct ReplicaSets;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct ReplicaSet<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec>,
    status: Sub<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    replicas: Option<Int>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    replicas: Int,
    fully_labeled_replicas: Int,
    ready_replicas: Int,
    terminating_replicas: Option<Int>,
    observed_generation: Int,
}

impl View for ReplicaSets {
    type Of<'v> = ReplicaSet<'v>;

    fn meta<'a, 'v: 'a>(r: &'a ReplicaSet<'v>) -> &'a Meta<'v> {
        &r.metadata
    }
}
