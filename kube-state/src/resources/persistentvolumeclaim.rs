//! PersistentVolumeClaims: what they ask for and which volume they got.

use kubernetes::{
    Quantity,
    lax::{Dict, List, Sub, Text},
};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Condition, Meta, View},
    rows::Whole,
};

type Family = crate::family::Family<Claims>;

pub(super) static KIND: Kind<Claims> = Kind {
    about: About { plural: "persistentvolumeclaims", kind: "PersistentVolumeClaim", ..About::CORE },
    identity: &["namespace", "persistentvolumeclaim"],
    identify: |c, rows| rows.identify(&[&c.metadata.namespace, &c.metadata.name]),
    families: &[
        Family::labels("kube_persistentvolumeclaim_labels").stable(),
        Family::annotations("kube_persistentvolumeclaim_annotations"),
        Family::gauge(
            "kube_persistentvolumeclaim_info",
            "Storage class, volume and mode of a claim; always 1. The old annotation goes before the field.",
            &["storageclass", "volumename", "volumemode"],
            |c, rows| {
                let named = c.metadata.annotations.get("volume.beta.kubernetes.io/storage-class");
                let class = named.unwrap_or(&c.spec.storage_class_name);
                rows.info(&[class, &c.spec.volume_name, &c.spec.volume_mode]);
            },
        )
        .stable(),
        Family::gauge(
            "kube_persistentvolumeclaim_status_phase",
            "Phase of a claim, 1 for the current one.",
            &["phase"],
            |c, rows| rows.states(&["Lost", "Bound", "Pending"], &c.status.phase),
        )
        .stable(),
        Family::gauge(
            "kube_persistentvolumeclaim_resource_requests_storage_bytes",
            "Storage that a claim asks for, in bytes.",
            &[],
            |c, rows| rows.number(c.spec.resources.requests.get("storage").copied().map(Whole)),
        )
        .stable(),
        Family::gauge(
            "kube_persistentvolumeclaim_access_mode",
            "Ways in which a claim wants to mount its volume.",
            &["access_mode"],
            |c, rows| {
                for mode in &c.spec.access_modes {
                    rows.info(&[mode]);
                }
            },
        )
        .stable(),
        Family::gauge(
            "kube_persistentvolumeclaim_status_condition",
            "Conditions of a claim, 1 for the status each has.",
            &["condition", "status"],
            |c, rows| {
                for condition in &c.status.conditions {
                    rows.status(&[&condition.kind], &condition.status);
                }
            },
        ),
        Family::created("kube_persistentvolumeclaim_created"),
        Family::deleted("kube_persistentvolumeclaim_deletion_timestamp"),
    ],
};

pub(super) struct Claims;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Claim<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    storage_class_name: Text<'v>,
    volume_name: Text<'v>,
    volume_mode: Text<'v>,
    access_modes: List<Text<'v>>,
    resources: Sub<Resources<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Resources<'v> {
    requests: Dict<'v, Quantity>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Status<'v> {
    phase: Text<'v>,
    conditions: List<Sub<Condition<'v>>>,
}

impl View for Claims {
    type Of<'v> = Claim<'v>;

    fn meta<'a, 'v: 'a>(c: &'a Claim<'v>) -> &'a Meta<'v> {
        &c.metadata
    }
}
