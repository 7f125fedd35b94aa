//! RoleBindings: which role they give. To whom is not read.

use kubernetes::lax::{Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<RoleBindings>;

pub(super) static KIND: Kind<RoleBindings> = Kind {
    about: About {
        plural: "rolebindings",
        kind: "RoleBinding",
        group: "rbac.authorization.k8s.io",
        namespaced: true,
        default_on: false,
        ..About::CORE
    },
    identity: &["namespace", "rolebinding"],
    identify: |b, rows| rows.identify(&[&b.metadata.namespace, &b.metadata.name]),
    families: &[
        Family::annotations("kube_rolebinding_annotations"),
        Family::labels("kube_rolebinding_labels"),
        Family::gauge(
            "kube_rolebinding_info",
            "Which role a RoleBinding gives; always 1.",
            &["roleref_kind", "roleref_name"],
            |b, rows| rows.info(&[&b.role_ref.kind, &b.role_ref.name]),
        ),
        Family::created("kube_rolebinding_created"),
        Family::resource_version("kube_rolebinding_metadata_resource_version"),
    ],
};

pub(super) struct RoleBindings;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub(super) struct RoleBinding<'v> {
    metadata: Sub<Meta<'v>>,
    role_ref: Sub<RoleRef<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct RoleRef<'v> {
    kind: Text<'v>,
    name: Text<'v>,
}

impl View for RoleBindings {
    type Of<'v> = RoleBinding<'v>;

    fn meta<'a, 'v: 'a>(b: &'a RoleBinding<'v>) -> &'a Meta<'v> {
        &b.metadata
    }
}
