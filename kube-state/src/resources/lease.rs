//! Leases: who holds them, and since when not renewed.

use kubernetes::lax::{Sub, Text, Time};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<Leases>;

pub(super) static KIND: Kind<Leases> = Kind {
    about: About { plural: "leases", kind: "Lease", group: "coordination.k8s.io", ..About::CORE },
    identity: &["lease"],
    identify: |l, rows| rows.identify(&[&l.metadata.name]),
    families: &[
        Family::gauge(
            "kube_lease_owner",
            "Who holds a Lease and what it belongs to, one row an owner; empty owner labels when there is none.",
            &["owner_kind", "owner_name", "namespace", "lease_holder"],
            |l, rows| {
                let (namespace, holder) = (&l.metadata.namespace, &l.spec.holder_identity);
                if l.metadata.owner_references.is_empty() {
                    rows.info(&[&"", &"", namespace, holder]);
                }
                for owner in &l.metadata.owner_references {
                    rows.info(&[&owner.kind, &owner.name, namespace, holder]);
                }
            },
        ),
        Family::gauge(
            "kube_lease_renew_time",
            "When the holder last renewed the Lease, in seconds since the Unix epoch.",
            &["namespace"],
            |l, rows| rows.put(&[&l.metadata.namespace], l.spec.renew_time.unless_zero()),
        ),
    ],
};

pub(super) struct Leases;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Lease<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    holder_identity: Text<'v>,
    renew_time: Time,
}

impl View for Leases {
    type Of<'v> = Lease<'v>;

    fn meta<'a, 'v: 'a>(l: &'a Lease<'v>) -> &'a Meta<'v> {
        &l.metadata
    }
}
