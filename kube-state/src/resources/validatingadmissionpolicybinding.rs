//! ValidatingAdmissionPolicyBinding objects: which policy they bind, with which parameters. They belong to the cluster,
//! but their series carry an empty `namespace` label all the same.

use kubernetes::lax::{List, Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<Bindings>;

pub(super) static KIND: Kind<Bindings> = Kind {
    about: About {
        plural: "validatingadmissionpolicybindings",
        kind: "ValidatingAdmissionPolicyBinding",
        group: "admissionregistration.k8s.io",
        namespaced: false,
        ..About::CORE
    },
    identity: &["namespace", "validatingadmissionpolicybinding"],
    identify: |b, rows| rows.identify(&[&b.metadata.namespace, &b.metadata.name]),
    families: &[
        Family::gauge(
            "kube_validatingadmissionpolicybinding_info",
            "Which policy a ValidatingAdmissionPolicyBinding binds, and to which parameters; always 1.",
            &["policy_name", "param_name", "param_namespace", "param_not_found_action"],
            |b, rows| {
                let param = &b.spec.param_ref;
                let not_found = &param.parameter_not_found_action;
                rows.info(&[&b.spec.policy_name, &param.name, &param.namespace, not_found]);
            },
        ),
        Family::created("kube_validatingadmissionpolicybinding_created"),
        Family::gauge(
            "kube_validatingadmissionpolicybinding_validation_action",
            "What happens when validation fails, one row an action.",
            &["action"],
            |b, rows| {
                for action in &b.spec.validation_actions {
                    rows.info(&[action]);
                }
            },
        ),
    ],
};

pub(super) struct Bindings;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Binding<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    policy_name: Text<'v>,
    param_ref: Sub<ParamRef<'v>>,
    validation_actions: List<Text<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct ParamRef<'v> {
    name: Text<'v>,
    namespace: Text<'v>,
    parameter_not_found_action: Text<'v>,
}

impl View for Bindings {
    type Of<'v> = Binding<'v>;

    fn meta<'a, 'v: 'a>(b: &'a Binding<'v>) -> &'a Meta<'v> {
        &b.metadata
    }
}
