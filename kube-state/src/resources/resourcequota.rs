//! ResourceQuotas: what a namespace may use, and what it uses.

use kubernetes::{
    Quantity,
    lax::{Dict, Sub},
};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
    rows::Amount,
};

type Family = crate::family::Family<Quotas>;

pub(super) static KIND: Kind<Quotas> = Kind {
    about: About { plural: "resourcequotas", kind: "ResourceQuota", ..About::CORE },
    identity: &["namespace", "resourcequota"],
    identify: |q, rows| rows.identify(&[&q.metadata.namespace, &q.metadata.name]),
    families: &[
        Family::created("kube_resourcequota_created").stable(),
        Family::gauge(
            "kube_resourcequota",
            "What may be used of a resource (hard) and what is (used), in cores, bytes or pieces.",
            &["resource", "type"],
            |q, rows| {
                for (amounts, kind) in [(&q.status.hard, "hard"), (&q.status.used, "used")] {
                    for (resource, amount) in amounts.iter() {
                        rows.put(&[&resource, &kind], Amount(*amount));
                    }
                }
            },
        )
        .stable(),
        Family::annotations("kube_resourcequota_annotations"),
        Family::labels("kube_resourcequota_labels").stable(),
    ],
};

pub(super) struct Quotas;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Quota<'v> {
    metadata: Sub<Meta<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Status<'v> {
    hard: Dict<'v, Quantity>,
    used: Dict<'v, Quantity>,
}

impl View for Quotas {
    type Of<'v> = Quota<'v>;

    fn meta<'a, 'v: 'a>(q: &'a Quota<'v>) -> &'a Meta<'v> {
        &q.metadata
    }
}
