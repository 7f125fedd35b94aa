//! Namespaces: whether they live, and what keeps them from going.

use kubernetes::lax::{List, Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Condition, Meta, View},
};

type Family = crate::family::Family<Namespaces>;

pub(super) static KIND: Kind<Namespaces> = Kind {
    about: About { plural: "namespaces", kind: "Namespace", namespaced: false, ..About::CORE },
    identity: &["namespace"],
    identify: |n, rows| rows.identify(&[&n.metadata.name]),
    families: &[
        Family::created("kube_namespace_created").stable(),
        Family::annotations("kube_namespace_annotations"),
        Family::labels("kube_namespace_labels").stable(),
        Family::gauge(
            "kube_namespace_status_phase",
            "Phase of the namespace, 1 for the current one.",
            &["phase"],
            |n, rows| {
                rows.all_states(&["Active", "Terminating"], &n.status.phase);
            },
        )
        .stable(),
        Family::gauge(
            "kube_namespace_status_condition",
            "Conditions of the namespace, 1 for the status each has.",
            &["condition", "status"],
            |n, rows| {
                for condition in &n.status.conditions {
                    rows.status(&[&condition.kind], &condition.status);
                }
            },
        ),
    ],
};

pub(super) struct Namespaces;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Namespace<'v> {
    metadata: Sub<Meta<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Status<'v> {
    phase: Text<'v>,
    conditions: List<Sub<Condition<'v>>>,
}

impl View for Namespaces {
    type Of<'v> = Namespace<'v>;

    fn meta<'a, 'v: 'a>(n: &'a Namespace<'v>) -> &'a Meta<'v> {
        &n.metadata
    }
}
