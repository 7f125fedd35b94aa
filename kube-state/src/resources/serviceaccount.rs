//! ServiceAccounts: which secrets they name, and whether pods get their token.

use kubernetes::lax::{Flag, List, Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<Accounts>;

pub(super) static KIND: Kind<Accounts> = Kind {
    about: About { plural: "serviceaccounts", kind: "ServiceAccount", default_on: false, ..About::CORE },
    identity: &["namespace", "serviceaccount", "uid"],
    identify: |a, rows| rows.identify(&[&a.metadata.namespace, &a.metadata.name, &a.metadata.uid]),
    families: &[
        Family::gauge(
            "kube_serviceaccount_info",
            "Whether pods get the account's token by default, empty when not said; always 1.",
            &["automount_token"],
            |a, rows| rows.info(&[&a.automount_service_account_token]),
        ),
        Family::created("kube_serviceaccount_created"),
        Family::deleted("kube_serviceaccount_deleted"),
        Family::gauge("kube_serviceaccount_secret", "Secrets that the account names.", &["name"], |a, rows| {
            for secret in &a.secrets {
                rows.info(&[&secret.name]);
            }
        }),
        Family::gauge(
            "kube_serviceaccount_image_pull_secret",
            "Secrets that the account names for pulling images.",
            &["name"],
            |a, rows| {
                for secret in &a.image_pull_secrets {
                    rows.info(&[&secret.name]);
                }
            },
        ),
        Family::annotations("kube_serviceaccount_annotations"),
        Family::labels("kube_serviceaccount_labels"),
    ],
};

pub(super) struct Accounts;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub(super) struct Account<'v> {
    metadata: Sub<Meta<'v>>,
    automount_service_account_token: Option<Flag>,
    secrets: List<Sub<Reference<'v>>>,
    image_pull_secrets: List<Sub<Reference<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Reference<'v> {
    name: Text<'v>,
}

impl View for Accounts {
    type Of<'v> = Account<'v>;

    fn meta<'a, 'v: 'a>(a: &'a Account<'v>) -> &'a Meta<'v> {
        &a.metadata
    }
}
