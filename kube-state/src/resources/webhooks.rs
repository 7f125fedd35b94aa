//! Shared by the two kinds of webhook configuration, which differ only in their names. They are
//! cluster-scoped, but their series have an empty `namespace` label all the same.

use kubernetes::lax::{List, Sub, Text};
use serde::Deserialize;

use crate::{
    meta::{Meta, View},
    rows::Rows,
};

type Family = crate::family::Family<Configurations>;

/// The families, by these names.
pub(super) const fn families(
    info: &'static str,
    about_info: &'static str,
    created: &'static str,
    resource_version: &'static str,
    service: &'static str,
) -> [Family; 4] {
    [
        Family::gauge(info, about_info, &[], |_, rows| rows.info(&[])),
        Family::created(created),
        Family::resource_version(resource_version),
        Family::gauge(
            service,
            "The service behind a webhook; empty labels when the webhook is called by URL.",
            &["webhook_name", "service_name", "service_namespace"],
            |c, rows| {
                for webhook in &c.webhooks {
                    let service = &webhook.client_config.service;
                    rows.info(&[&webhook.name, &service.name, &service.namespace]);
                }
            },
        ),
    ]
}

/// Says which configuration it is.
pub(super) fn identify(c: &Configuration<'_>, rows: &mut Rows) {
    rows.identify(&[&c.metadata.namespace, &c.metadata.name]);
}

pub(super) struct Configurations;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Configuration<'v> {
    metadata: Sub<Meta<'v>>,
    webhooks: List<Sub<Webhook<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Webhook<'v> {
    name: Text<'v>,
    client_config: Sub<ClientConfig<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct ClientConfig<'v> {
    service: Sub<Service<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Service<'v> {
    name: Text<'v>,
    namespace: Text<'v>,
}

impl View for Configurations {
    type Of<'v> = Configuration<'v>;

    fn meta<'a, 'v: 'a>(c: &'a Configuration<'v>) -> &'a Meta<'v> {
        &c.metadata
    }
}
