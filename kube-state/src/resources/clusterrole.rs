//! ClusterRoles, by their metadata only.

use kubernetes::lax::Sub;
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<ClusterRoles>;

pub(super) static KIND: Kind<ClusterRoles> = Kind {
    about: About {
        plural: "clusterroles",
        kind: "ClusterRole",
        group: "rbac.authorization.k8s.io",
        namespaced: false,
        metadata_only: true,
        default_on: false,
        ..About::CORE
    },
    identity: &["clusterrole"],
    identify: |r, rows| rows.identify(&[&r.metadata.name]),
    families: &[
        Family::annotations("kube_clusterrole_annotations"),
        Family::labels("kube_clusterrole_labels"),
        Family::gauge("kube_clusterrole_info", "A ClusterRole that exists; always 1.", &[], |_, rows| rows.info(&[])),
        Family::created("kube_clusterrole_created"),
        Family::resource_version("kube_clusterrole_metadata_resource_version"),
    ],
};

pub(super) struct ClusterRoles;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct ClusterRole<'v> {
    metadata: Sub<Meta<'v>>,
}

impl View for ClusterRoles {
    type Of<'v> = ClusterRole<'v>;

    fn meta<'a, 'v: 'a>(r: &'a ClusterRole<'v>) -> &'a Meta<'v> {
        &r.metadata
    }
}
