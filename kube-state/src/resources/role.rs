//! Roles, by their metadata only.

use kubernetes::lax::Sub;
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<Roles>;

pub(super) static KIND: Kind<Roles> = Kind {
    about: About {
        plural: "roles",
        kind: "Role",
        group: "rbac.authorization.k8s.io",
        namespaced: true,
        metadata_only: true,
        default_on: false,
        ..About::CORE
    },
    identity: &["namespace", "role"],
    identify: |r, rows| rows.identify(&[&r.metadata.namespace, &r.metadata.name]),
    families: &[
        Family::annotations("kube_role_annotations"),
        Family::labels("kube_role_labels"),
        Family::gauge("kube_role_info", "A Role that exists; always 1.", &[], |_, rows| rows.info(&[])),
        Family::created("kube_role_created"),
        Family::resource_version("kube_role_metadata_resource_version"),
    ],
};

pub(super) struct Roles;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Role<'v> {
    metadata: Sub<Meta<'v>>,
}

impl View for Roles {
    type Of<'v> = Role<'v>;

    fn meta<'a, 'v: 'a>(r: &'a Role<'v>) -> &'a Meta<'v> {
        &r.metadata
    }
}
