//! PodDisruptionBudgets: how many pods are healthy, and how many may be disturbed.

use kubernetes::lax::{Int, Sub};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<Budgets>;

pub(super) static KIND: Kind<Budgets> = Kind {
    about: About { plural: "poddisruptionbudgets", kind: "PodDisruptionBudget", group: "policy", ..About::CORE },
    identity: &["namespace", "poddisruptionbudget"],
    identify: |b, rows| rows.identify(&[&b.metadata.namespace, &b.metadata.name]),
    families: &[
        Family::annotations("kube_poddisruptionbudget_annotations"),
        Family::labels("kube_poddisruptionbudget_labels"),
        Family::created("kube_poddisruptionbudget_created").stable(),
        Family::gauge(
            "kube_poddisruptionbudget_status_current_healthy",
            "Pods of the budget that are healthy.",
            &[],
            |b, rows| rows.number(b.status.current_healthy),
        )
        .stable(),
        Family::gauge(
            "kube_poddisruptionbudget_status_desired_healthy",
            "Pods of the budget that must stay healthy.",
            &[],
            |b, rows| rows.number(b.status.desired_healthy),
        )
        .stable(),
        Family::gauge(
            "kube_poddisruptionbudget_status_pod_disruptions_allowed",
            "Pods of the budget that may be disturbed now.",
            &[],
            |b, rows| rows.number(b.status.disruptions_allowed),
        )
        .stable(),
        Family::gauge(
            "kube_poddisruptionbudget_status_expected_pods",
            "Pods that the budget counts.",
            &[],
            |b, rows| rows.number(b.status.expected_pods),
        )
        .stable(),
        Family::gauge(
            "kube_poddisruptionbudget_status_observed_generation",
            "Generation of the budget that its controller has seen.",
            &[],
            |b, rows| rows.number(b.status.observed_generation),
        )
        .stable(),
        Family::deleted("kube_poddisruptionbudget_deletion_timestamp"),
    ],
};

pub(super) struct Budgets;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Budget<'v> {
    metadata: Sub<Meta<'v>>,
    status: Sub<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    current_healthy: Int,
    desired_healthy: Int,
    disruptions_allowed: Int,
    expected_pods: Int,
    observed_generation: Int,
}

impl View for Budgets {
    type Of<'v> = Budget<'v>;

    fn meta<'a, 'v: 'a>(b: &'a Budget<'v>) -> &'a Meta<'v> {
        &b.metadata
    }
}
