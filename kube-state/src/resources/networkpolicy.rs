//! NetworkPolicies: how many rules they have.

use kubernetes::lax::{List, Sub};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<NetworkPolicies>;

pub(super) static KIND: Kind<NetworkPolicies> = Kind {
    about: About { plural: "networkpolicies", kind: "NetworkPolicy", group: "networking.k8s.io", ..About::CORE },
    identity: &["namespace", "networkpolicy"],
    identify: |n, rows| rows.identify(&[&n.metadata.namespace, &n.metadata.name]),
    families: &[
        // Unlike other kinds', this has a row even when the time is not known.
        Family::gauge(
            "kube_networkpolicy_created",
            "When the NetworkPolicy was created, in seconds since the Unix epoch.",
            &[],
            |n, rows| rows.number(n.metadata.creation_timestamp),
        ),
        Family::annotations("kube_networkpolicy_annotations"),
        Family::labels("kube_networkpolicy_labels"),
        Family::gauge("kube_networkpolicy_spec_ingress_rules", "Rules for incoming traffic.", &[], |n, rows| {
            rows.number(n.spec.ingress.count());
        }),
        Family::gauge("kube_networkpolicy_spec_egress_rules", "Rules for outgoing traffic.", &[], |n, rows| {
            rows.number(n.spec.egress.count());
        }),
    ],
};

pub(super) struct NetworkPolicies;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct NetworkPolicy<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    ingress: List<IgnoredAny>,
    egress: List<IgnoredAny>,
}

impl View for NetworkPolicies {
    type Of<'v> = NetworkPolicy<'v>;

    fn meta<'a, 'v: 'a>(n: &'a NetworkPolicy<'v>) -> &'a Meta<'v> {
        &n.metadata
    }
}
