//! ConfigMaps, by their metadata only: what they hold is never fetched.

use kubernetes::lax::Sub;
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<ConfigMaps>;

pub(super) static KIND: Kind<ConfigMaps> = Kind {
    about: About { plural: "configmaps", kind: "ConfigMap", metadata_only: true, ..About::CORE },
    identity: &["namespace", "configmap"],
    identify: |c, rows| rows.identify(&[&c.metadata.namespace, &c.metadata.name]),
    families: &[
        Family::annotations("kube_configmap_annotations"),
        Family::labels("kube_configmap_labels").stable(),
        Family::gauge("kube_configmap_info", "A ConfigMap that exists; always 1.", &[], |_, rows| rows.info(&[]))
            .stable(),
        Family::created("kube_configmap_created").stable(),
        Family::resource_version("kube_configmap_metadata_resource_version"),
    ],
};

pub(super) struct ConfigMaps;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct ConfigMap<'v> {
    metadata: Sub<Meta<'v>>,
}

impl View for ConfigMaps {
    type Of<'v> = ConfigMap<'v>;

    fn meta<'a, 'v: 'a>(c: &'a ConfigMap<'v>) -> &'a Meta<'v> {
        &c.metadata
    }
}
