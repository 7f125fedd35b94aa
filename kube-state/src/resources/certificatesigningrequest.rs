//! CertificateSigningRequests: who should sign, what was decided, how long the certificate is. The certificate itself
//! is not kept.

use kubernetes::lax::{Base64Length, List, Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Condition, Meta, View},
};

type Family = crate::family::Family<Requests>;

pub(super) static KIND: Kind<Requests> = Kind {
    about: About {
        plural: "certificatesigningrequests",
        kind: "CertificateSigningRequest",
        group: "certificates.k8s.io",
        namespaced: false,
        ..About::CORE
    },
    identity: &["certificatesigningrequest", "signer_name"],
    identify: |r, rows| rows.identify(&[&r.metadata.name, &r.spec.signer_name]),
    families: &[
        Family::annotations("kube_certificatesigningrequest_annotations"),
        Family::labels("kube_certificatesigningrequest_labels").stable(),
        Family::created("kube_certificatesigningrequest_created").stable(),
        Family::gauge(
            "kube_certificatesigningrequest_condition",
            "How many conditions of each kind a CertificateSigningRequest has.",
            &["condition"],
            |r, rows| {
                for (kind, label) in [("Approved", "approved"), ("Denied", "denied"), ("Failed", "failed")] {
                    let conditions = r.status.conditions.iter().filter(|condition| condition.kind == kind);
                    rows.put(&[&label], conditions.count() as f64);
                }
            },
        )
        .stable(),
        Family::gauge(
            "kube_certificatesigningrequest_cert_length",
            "Length of the issued certificate in bytes, 0 before it is issued.",
            &[],
            |r, rows| rows.number(r.status.certificate),
        )
        .stable(),
    ],
};

pub(super) struct Requests;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Request<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    signer_name: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Status<'v> {
    conditions: List<Sub<Condition<'v>>>,
    certificate: Base64Length,
}

impl View for Requests {
    type Of<'v> = Request<'v>;

    fn meta<'a, 'v: 'a>(r: &'a Request<'v>) -> &'a Meta<'v> {
        &r.metadata
    }
}
