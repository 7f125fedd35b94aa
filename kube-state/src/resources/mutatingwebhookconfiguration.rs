//! MutatingWebhookConfigurations: which services the API server asks. They belong to the cluster, but their series
//! carry an empty `namespace` label all the same.

use kubernetes::lax::{List, Sub, Text};
use serde::Deserialize;

use super::{About, Kind, View};
use crate::meta::Meta;

type Family = crate::family::Family<MutatingWebhookConfigurations>;

pub(super) static KIND: Kind<MutatingWebhookConfigurations> = Kind {
    about: About {
        plural: "mutatingwebhookconfigurations",
        kind: "MutatingWebhookConfiguration",
        group: "admissionregistration.k8s.io",
        namespaced: false,
        ..About::CORE
    },
    identity: &["namespace", "mutatingwebhookconfiguration"],
    identify: |c, rows| rows.identify(&[&c.metadata.namespace, &c.metadata.name]),
    families: &[
        Family::gauge(
            "kube_mutatingwebhookconfiguration_info",
            "A MutatingWebhookConfiguration that exists; always 1.",
            &[],
            |_, rows| rows.info(&[]),
        ),
        Family::created("kube_mutatingwebhookconfiguration_created"),
        Family::resource_version("kube_mutatingwebhookconfiguration_metadata_resource_version"),
        Family::gauge(
            "kube_mutatingwebhookconfiguration_webhook_clientconfig_service",
            "The service behind a webhook; empty labels when the webhook is called by URL.",
            &["webhook_name", "service_name", "service_namespace"],
            |c, rows| {
                for webhook in &c.webhooks {
                    let service = &webhook.client_config.service;
                    rows.info(&[&webhook.name, &service.name, &service.namespace]);
                }
            },
        ),
    ],
};

pub(super) struct MutatingWebhookConfigurations;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct MutatingWebhookConfiguration<'v> {
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

impl View for MutatingWebhookConfigurations {
    type Of<'v> = MutatingWebhookConfiguration<'v>;

    fn meta<'a, 'v: 'a>(c: &'a MutatingWebhookConfiguration<'v>) -> &'a Meta<'v> {
        &c.metadata
    }
}
