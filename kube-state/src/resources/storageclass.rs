//! StorageClasses: who makes their volumes, and when.

use kubernetes::lax::{Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
    rows::LabelValue,
};

type Family = crate::family::Family<StorageClasses>;

pub(super) static KIND: Kind<StorageClasses> = Kind {
    about: About {
        plural: "storageclasses",
        kind: "StorageClass",
        group: "storage.k8s.io",
        namespaced: false,
        ..About::CORE
    },
    identity: &["storageclass"],
    identify: |c, rows| rows.identify(&[&c.metadata.name]),
    families: &[
        Family::gauge(
            "kube_storageclass_info",
            "Who makes the volumes of a class, when, and what becomes of them; always 1.",
            &["provisioner", "reclaim_policy", "volume_binding_mode"],
            |c, rows| {
                let reclaim: &dyn LabelValue = c.reclaim_policy.as_ref().map_or(&"Delete", |policy| policy);
                let binding: &dyn LabelValue = c.volume_binding_mode.as_ref().map_or(&"Immediate", |mode| mode);
                rows.info(&[&c.provisioner, reclaim, binding]);
            },
        )
        .stable(),
        Family::created("kube_storageclass_created").stable(),
        Family::annotations("kube_storageclass_annotations"),
        Family::labels("kube_storageclass_labels").stable(),
    ],
};

pub(super) struct StorageClasses;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub(super) struct StorageClass<'v> {
    metadata: Sub<Meta<'v>>,
    provisioner: Text<'v>,
    reclaim_policy: Option<Text<'v>>,
    volume_binding_mode: Option<Text<'v>>,
}

impl View for StorageClasses {
    type Of<'v> = StorageClass<'v>;

    fn meta<'a, 'v: 'a>(c: &'a StorageClass<'v>) -> &'a Meta<'v> {
        &c.metadata
    }
}
