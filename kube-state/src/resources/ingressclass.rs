//! IngressClasses: who serves the Ingresses of a class.

use kubernetes::lax::{Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<IngressClasses>;

pub(super) static KIND: Kind<IngressClasses> = Kind {
    about: About {
        plural: "ingressclasses",
        kind: "IngressClass",
        group: "networking.k8s.io",
        namespaced: false,
        default_on: false,
        ..About::CORE
    },
    identity: &["ingressclass"],
    identify: |c, rows| rows.identify(&[&c.metadata.name]),
    families: &[
        Family::gauge(
            "kube_ingressclass_info",
            "Controller that serves an IngressClass; always 1.",
            &["controller"],
            |c, rows| rows.info(&[&c.spec.controller]),
        ),
        Family::created("kube_ingressclass_created"),
        Family::annotations("kube_ingressclass_annotations"),
        Family::labels("kube_ingressclass_labels"),
    ],
};

pub(super) struct IngressClasses;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct IngressClass<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Spec<'v> {
    controller: Text<'v>,
}

impl View for IngressClasses {
    type Of<'v> = IngressClass<'v>;

    fn meta<'a, 'v: 'a>(c: &'a IngressClass<'v>) -> &'a Meta<'v> {
        &c.metadata
    }
}
