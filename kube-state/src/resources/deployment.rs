//! Deployments: replicas asked for, made, ready and out of date; how a rollout goes.

use kubernetes::lax::{Flag, Int, IntOrPercent, List, Rounding, Sub};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Condition, Meta, View},
    rows::Rows,
};

/// Reasons that are shown as they are. Any other becomes `unknown`, so that the label stays closed.
const REASONS: [&str; 11] = [
    "",
    "ReplicaSetUpdated",
    "ReplicaSetCreateError",
    "NewReplicaSetCreated",
    "FoundNewReplicaSet",
    "NewReplicaSetAvailable",
    "ProgressDeadlineExceeded",
    "DeploymentPaused",
    "DeploymentResumed",
    "MinimumReplicasAvailable",
    "MinimumReplicasUnavailable",
];

type Family = crate::family::Family<Deployments>;

pub(super) static KIND: Kind<Deployments> = Kind {
    about: About { plural: "deployments", kind: "Deployment", group: "apps", ..About::CORE },
    identity: &["namespace", "deployment"],
    identify: |d, rows| rows.identify(&[&d.metadata.namespace, &d.metadata.name]),
    families: &[
        Family::gauge(
            "kube_deployment_owner",
            "What the Deployment belongs to, one row an owner; one row with empty labels when there is none.",
            &["owner_kind", "owner_name"],
            |d, rows| {
                if d.metadata.owner_references.is_empty() {
                    rows.info(&[&"", &""]);
                }
                for owner in &d.metadata.owner_references {
                    rows.info(&[&owner.kind, &owner.name]);
                }
            },
        ),
        Family::created("kube_deployment_created").stable(),
        Family::gauge("kube_deployment_status_replicas", "Pods of the Deployment.", &[], |d, rows| {
            rows.number(d.status.replicas);
        })
        .stable(),
        Family::gauge(
            "kube_deployment_status_replicas_ready",
            "Pods of the Deployment that are ready.",
            &[],
            |d, rows| {
                rows.number(d.status.ready_replicas);
            },
        )
        .stable(),
        Family::gauge(
            "kube_deployment_status_replicas_available",
            "Pods of the Deployment that have been ready for long enough.",
            &[],
            |d, rows| rows.number(d.status.available_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_deployment_status_replicas_unavailable",
            "Pods that the Deployment still lacks to be fully available.",
            &[],
            |d, rows| rows.number(d.status.unavailable_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_deployment_status_replicas_updated",
            "Pods made from the Deployment's newest template.",
            &[],
            |d, rows| rows.number(d.status.updated_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_deployment_status_terminating_replicas",
            "Pods of the Deployment that are going, where the server counts them.",
            &[],
            |d, rows| rows.number(d.status.terminating_replicas),
        ),
        Family::gauge(
            "kube_deployment_status_observed_generation",
            "Generation of the Deployment that its controller has seen.",
            &[],
            |d, rows| rows.number(d.status.observed_generation),
        )
        .stable(),
        Family::gauge(
            "kube_deployment_status_condition",
            "Conditions of the Deployment, 1 for the status each has. Uncommon reasons are shown as unknown.",
            &["reason", "condition", "status"],
            |d, rows| {
                for condition in &d.status.conditions {
                    let reason = REASONS.iter().find(|reason| condition.reason == **reason).unwrap_or(&"unknown");
                    rows.status(&[reason, &condition.kind], &condition.status);
                }
            },
        )
        .stable(),
        Family::gauge("kube_deployment_spec_replicas", "Pods that are asked for.", &[], |d, rows| {
            rows.number(d.spec.replicas);
        })
        .stable(),
        Family::gauge("kube_deployment_spec_paused", "Whether the rollout is paused.", &[], |d, rows| {
            rows.number(d.spec.paused);
        })
        .stable(),
        Family::gauge(
            "kube_deployment_spec_strategy_rollingupdate_max_unavailable",
            "Pods that may be missing during a rolling update; a percentage is taken of the pods asked for and \
             rounded down.",
            &[],
            |d, rows| rolling(d, rows, |update| update.max_unavailable.as_ref(), Rounding::Down),
        )
        .stable(),
        Family::gauge(
            "kube_deployment_spec_strategy_rollingupdate_max_surge",
            "Pods that may be too many during a rolling update; a percentage is taken of the pods asked for and \
             rounded up.",
            &[],
            |d, rows| rolling(d, rows, |update| update.max_surge.as_ref(), Rounding::Up),
        )
        .stable(),
        Family::generation("kube_deployment_metadata_generation").stable(),
        Family::deleted("kube_deployment_deletion_timestamp"),
        Family::annotations("kube_deployment_annotations"),
        Family::labels("kube_deployment_labels").stable(),
    ],
};

fn rolling<'a, 'v>(
    deployment: &'a Deployment<'v>,
    rows: &mut Rows,
    limit: fn(&'a RollingUpdate<'v>) -> Option<&'a IntOrPercent<'v>>,
    rounding: Rounding,
) {
    let update = deployment.spec.strategy.rolling_update.as_deref();
    if let (Some(limit), Some(Int::Is(replicas))) = (update.and_then(limit), deployment.spec.replicas) {
        rows.number(limit.of(replicas, rounding));
    }
}

pub(super) struct Deployments;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Deployment<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Spec<'v> {
    replicas: Option<Int>,
    paused: Flag,
    strategy: Sub<Strategy<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Strategy<'v> {
    rolling_update: Option<Sub<RollingUpdate<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct RollingUpdate<'v> {
    max_unavailable: Option<IntOrPercent<'v>>,
    max_surge: Option<IntOrPercent<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Status<'v> {
    replicas: Int,
    ready_replicas: Int,
    available_replicas: Int,
    unavailable_replicas: Int,
    updated_replicas: Int,
    terminating_replicas: Option<Int>,
    observed_generation: Int,
    conditions: List<Sub<Condition<'v>>>,
}

impl View for Deployments {
    type Of<'v> = Deployment<'v>;

    fn meta<'a, 'v: 'a>(d: &'a Deployment<'v>) -> &'a Meta<'v> {
        &d.metadata
    }
}
