//! DaemonSets: on how many nodes they should run, and on how many they do.

use kubernetes::lax::{Int, Sub};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<DaemonSets>;

pub(super) static KIND: Kind<DaemonSets> = Kind {
    about: About { plural: "daemonsets", kind: "DaemonSet", group: "apps", ..About::CORE },
    identity: &["namespace", "daemonset"],
    identify: |d, rows| rows.identify(&[&d.metadata.namespace, &d.metadata.name]),
    families: &[
        Family::created("kube_daemonset_created").stable(),
        Family::gauge(
            "kube_daemonset_status_current_number_scheduled",
            "Nodes that run a pod of the DaemonSet and should.",
            &[],
            |d, rows| rows.number(d.status.current_number_scheduled),
        )
        .stable(),
        Family::gauge(
            "kube_daemonset_status_desired_number_scheduled",
            "Nodes that should run a pod of the DaemonSet.",
            &[],
            |d, rows| rows.number(d.status.desired_number_scheduled),
        )
        .stable(),
        Family::gauge(
            "kube_daemonset_status_number_available",
            "Nodes that should run a pod of the DaemonSet and have one that is available.",
            &[],
            |d, rows| rows.number(d.status.number_available),
        )
        .stable(),
        Family::gauge(
            "kube_daemonset_status_number_misscheduled",
            "Nodes that run a pod of the DaemonSet and should not.",
            &[],
            |d, rows| rows.number(d.status.number_misscheduled),
        )
        .stable(),
        Family::gauge(
            "kube_daemonset_status_number_ready",
            "Nodes that should run a pod of the DaemonSet and have one that is ready.",
            &[],
            |d, rows| rows.number(d.status.number_ready),
        )
        .stable(),
        Family::gauge(
            "kube_daemonset_status_number_unavailable",
            "Nodes that should run a pod of the DaemonSet and have none that is available.",
            &[],
            |d, rows| rows.number(d.status.number_unavailable),
        )
        .stable(),
        Family::gauge(
            "kube_daemonset_status_observed_generation",
            "Generation of the DaemonSet that its controller has seen.",
            &[],
            |d, rows| rows.number(d.status.observed_generation),
        )
        .stable(),
        Family::gauge(
            "kube_daemonset_status_updated_number_scheduled",
            "Nodes that run a pod made from the newest template of the DaemonSet.",
            &[],
            |d, rows| rows.number(d.status.updated_number_scheduled),
        )
        .stable(),
        Family::generation("kube_daemonset_metadata_generation").stable(),
        Family::deleted("kube_daemonset_deletion_timestamp"),
        Family::annotations("kube_daemonset_annotations"),
        Family::labels("kube_daemonset_labels").stable(),
    ],
};

pub(super) struct DaemonSets;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct DaemonSet<'v> {
    metadata: Sub<Meta<'v>>,
    status: Sub<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    current_number_scheduled: Int,
    desired_number_scheduled: Int,
    number_available: Int,
    number_misscheduled: Int,
    number_ready: Int,
    number_unavailable: Int,
    observed_generation: Int,
    updated_number_scheduled: Int,
}

impl View for DaemonSets {
    type Of<'v> = DaemonSet<'v>;

    fn meta<'a, 'v: 'a>(d: &'a DaemonSet<'v>) -> &'a Meta<'v> {
        &d.metadata
    }
}
