//! ReplicationControllers, the older form of ReplicaSets.

use kubernetes::lax::{Int, Sub};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<Controllers>;

pub(super) static KIND: Kind<Controllers> = Kind {
    about: About { plural: "replicationcontrollers", kind: "ReplicationController", ..About::CORE },
    identity: &["namespace", "replicationcontroller"],
    identify: |c, rows| rows.identify(&[&c.metadata.namespace, &c.metadata.name]),
    families: &[
        Family::created("kube_replicationcontroller_created").stable(),
        Family::gauge(
            "kube_replicationcontroller_status_replicas",
            "Pods of the ReplicationController.",
            &[],
            |c, rows| rows.number(c.status.replicas),
        )
        .stable(),
        Family::gauge(
            "kube_replicationcontroller_status_fully_labeled_replicas",
            "Pods of the ReplicationController that have all labels of its template.",
            &[],
            |c, rows| rows.number(c.status.fully_labeled_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_replicationcontroller_status_ready_replicas",
            "Pods of the ReplicationController that are ready.",
            &[],
            |c, rows| rows.number(c.status.ready_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_replicationcontroller_status_available_replicas",
            "Pods of the ReplicationController that have been ready for long enough.",
            &[],
            |c, rows| rows.number(c.status.available_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_replicationcontroller_status_observed_generation",
            "Generation of the ReplicationController that its controller has seen.",
            &[],
            |c, rows| rows.number(c.status.observed_generation),
        )
        .stable(),
        Family::gauge("kube_replicationcontroller_spec_replicas", "Pods that are asked for.", &[], |c, rows| {
            rows.number(c.spec.replicas);
        })
        .stable(),
        Family::generation("kube_replicationcontroller_metadata_generation").stable(),
        Family::owner("kube_replicationcontroller_owner"),
    ],
};

pub(super) struct Controllers;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Controller<'v> {
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
    available_replicas: Int,
    observed_generation: Int,
}

impl View for Controllers {
    type Of<'v> = Controller<'v>;

    fn meta<'a, 'v: 'a>(c: &'a Controller<'v>) -> &'a Meta<'v> {
        &c.metadata
    }
}
