//! Secrets: that they exist, their type and owner. What they hold is not read.

use kubernetes::lax::{Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<Secrets>;

pub(super) static KIND: Kind<Secrets> = Kind {
    about: About { plural: "secrets", kind: "Secret", ..About::CORE },
    identity: &["namespace", "secret"],
    identify: |s, rows| rows.identify(&[&s.metadata.namespace, &s.metadata.name]),
    families: &[
        Family::gauge("kube_secret_info", "A Secret that exists; always 1.", &[], |_, rows| rows.info(&[])).stable(),
        Family::gauge("kube_secret_type", "Type of a Secret; always 1.", &["type"], |s, rows| rows.info(&[&s.kind]))
            .stable(),
        Family::annotations("kube_secret_annotations"),
        Family::labels("kube_secret_labels").stable(),
        Family::created("kube_secret_created").stable(),
        Family::resource_version("kube_secret_metadata_resource_version"),
        Family::owner("kube_secret_owner"),
    ],
};

pub(super) struct Secrets;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Secret<'v> {
    metadata: Sub<Meta<'v>>,
    #[serde(rename = "type")]
    kind: Text<'v>,
}

impl View for Secrets {
    type Of<'v> = Secret<'v>;

    fn meta<'a, 'v: 'a>(s: &'a Secret<'v>) -> &'a Meta<'v> {
        &s.metadata
    }
}
