//! StatefulSets: replicas asked for, made, ready and out of date; revisions; what becomes of their claims.

use kubernetes::lax::{Int, Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<StatefulSets>;

pub(super) static KIND: Kind<StatefulSets> = Kind {
    about: About { plural: "statefulsets", kind: "StatefulSet", group: "apps", ..About::CORE },
    identity: &["namespace", "statefulset"],
    identify: |s, rows| rows.identify(&[&s.metadata.namespace, &s.metadata.name]),
    families: &[
        Family::created("kube_statefulset_created").stable(),
        Family::gauge("kube_statefulset_status_replicas", "Pods of the StatefulSet.", &[], |s, rows| {
            rows.number(s.status.replicas);
        })
        .stable(),
        Family::gauge(
            "kube_statefulset_status_replicas_available",
            "Pods of the StatefulSet that have been ready for long enough.",
            &[],
            |s, rows| rows.number(s.status.available_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_statefulset_status_replicas_current",
            "Pods made from the StatefulSet's current revision.",
            &[],
            |s, rows| rows.number(s.status.current_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_statefulset_status_replicas_ready",
            "Pods of the StatefulSet that are ready.",
            &[],
            |s, rows| rows.number(s.status.ready_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_statefulset_status_replicas_updated",
            "Pods made from the StatefulSet's newest revision.",
            &[],
            |s, rows| rows.number(s.status.updated_replicas),
        )
        .stable(),
        Family::gauge(
            "kube_statefulset_status_observed_generation",
            "Generation of the StatefulSet that its controller has seen.",
            &[],
            |s, rows| rows.number(s.status.observed_generation),
        )
        .stable(),
        Family::gauge("kube_statefulset_replicas", "Pods that are asked for.", &[], |s, rows| {
            rows.number(s.spec.replicas);
        })
        .stable(),
        Family::gauge("kube_statefulset_ordinals_start", "Number of the first pod.", &[], |s, rows| {
            rows.number(s.spec.ordinals.as_ref().map(|ordinals| ordinals.start));
        })
        .stable(),
        Family::generation("kube_statefulset_metadata_generation").stable(),
        Family::gauge(
            "kube_statefulset_persistentvolumeclaim_retention_policy",
            "What becomes of claims when the StatefulSet is deleted or made smaller; always 1.",
            &["when_deleted", "when_scaled"],
            |s, rows| {
                let policy = &s.spec.persistent_volume_claim_retention_policy;
                if !policy.when_deleted.is_empty() || !policy.when_scaled.is_empty() {
                    rows.info(&[&policy.when_deleted, &policy.when_scaled]);
                }
            },
        )
        .stable(),
        Family::annotations("kube_statefulset_annotations").stable(),
        Family::labels("kube_statefulset_labels").stable(),
        Family::gauge(
            "kube_statefulset_status_current_revision",
            "Revision that pods not yet updated are made from; always 1.",
            &["revision"],
            |s, rows| rows.info(&[&s.status.current_revision]),
        )
        .stable(),
        Family::gauge(
            "kube_statefulset_status_update_revision",
            "Revision that updated pods are made from; always 1.",
            &["revision"],
            |s, rows| rows.info(&[&s.status.update_revision]),
        )
        .stable(),
        Family::deleted("kube_statefulset_deletion_timestamp").stable(),
    ],
};

pub(super) struct StatefulSets;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct StatefulSet<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    replicas: Option<Int>,
    ordinals: Option<Sub<Ordinals>>,
    persistent_volume_claim_retention_policy: Sub<RetentionPolicy<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Ordinals {
    start: Int,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct RetentionPolicy<'v> {
    when_deleted: Text<'v>,
    when_scaled: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Status<'v> {
    replicas: Int,
    available_replicas: Int,
    current_replicas: Int,
    ready_replicas: Int,
    updated_replicas: Int,
    observed_generation: Int,
    current_revision: Text<'v>,
    update_revision: Text<'v>,
}

impl View for StatefulSets {
    type Of<'v> = StatefulSet<'v>;

    fn meta<'a, 'v: 'a>(s: &'a StatefulSet<'v>) -> &'a Meta<'v> {
        &s.metadata
    }
}
