//! ClusterRoleBindings: which role they give. To whom is not read.

use kubernetes::lax::{Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<ClusterRoleBindings>;

pub(super) static KIND: Kind<ClusterRoleBindings> = Kind {
    about: About {
        plural: "clusterrolebindings",
        kind: "ClusterRoleBinding",
        group: "rbac.authorization.k8s.io",
        namespaced: false,
        default_on: false,
        ..About::CORE
    },
    identity: &["clusterrolebinding"],
    identify: |b, rows| rows.identify(&[&b.metadata.name]),
    families: &[
        Family::annotations("kube_clusterrolebinding_annotations"),
        Family::labels("kube_clusterrolebinding_labels"),
        Family::gauge(
            "kube_clusterrolebinding_info",
            "Which role a ClusterRoleBinding gives; always 1.",
            &["roleref_kind", "roleref_name"],
            |b, rows| rows.info(&[&b.role_ref.kind, &b.role_ref.name]),
        ),
        Family::created("kube_clusterrolebinding_created"),
        Family::resource_version("kube_clusterrolebinding_metadata_resource_version"),
    ],
};

pub(super) struct ClusterRoleBindings;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub(super) struct ClusterRoleBinding<'v> {
    metadata: Sub<Meta<'v>>,
    role_ref: Sub<RoleRef<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct RoleRef<'v> {
    kind: Text<'v>,
    name: Text<'v>,
}

impl View for ClusterRoleBindings {
    type Of<'v> = ClusterRoleBinding<'v>;

    fn meta<'a, 'v: 'a>(b: &'a ClusterRoleBinding<'v>) -> &'a Meta<'v> {
        &b.metadata
    }
}
