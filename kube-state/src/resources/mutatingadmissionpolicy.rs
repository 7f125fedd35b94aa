//! MutatingAdmissionPolicy objects: what they take as parameters and what happens when they fail. They belong to
//! the cluster, but their series carry an empty `namespace` label all the same.

use kubernetes::lax::{Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<Policies>;

pub(super) static KIND: Kind<Policies> = Kind {
    about: About {
        plural: "mutatingadmissionpolicies",
        kind: "MutatingAdmissionPolicy",
        group: "admissionregistration.k8s.io",
        namespaced: false,
        ..About::CORE
    },
    identity: &["namespace", "mutatingadmissionpolicy"],
    identify: |p, rows| rows.identify(&[&p.metadata.namespace, &p.metadata.name]),
    families: &[
        Family::gauge(
            "kube_mutatingadmissionpolicy_info",
            "What a MutatingAdmissionPolicy takes as parameters, and what it does on failure; always 1.",
            &["param_api_version", "param_kind", "failure_policy", "reinvocation_policy"],
            |p, rows| {
                let kind = &p.spec.param_kind;
                rows.info(&[&kind.api_version, &kind.kind, &p.spec.failure_policy, &p.spec.reinvocation_policy]);
            },
        ),
        Family::created("kube_mutatingadmissionpolicy_created"),
    ],
};

pub(super) struct Policies;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Policy<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    param_kind: Sub<ParamKind<'v>>,
    failure_policy: Text<'v>,
    reinvocation_policy: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct ParamKind<'v> {
    api_version: Text<'v>,
    kind: Text<'v>,
}

impl View for Policies {
    type Of<'v> = Policy<'v>;

    fn meta<'a, 'v: 'a>(p: &'a Policy<'v>) -> &'a Meta<'v> {
        &p.metadata
    }
}
