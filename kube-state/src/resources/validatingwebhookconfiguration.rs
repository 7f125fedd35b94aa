//! ValidatingWebhookConfigurations: which services the API server asks. They belong to the cluster, but their series
//! carry an empty `namespace` label all the same.

use kubernetes::lax::{List, Sub, Text};
use serde::Deserialize;

use super::{About, Kind, View};
use crate::meta::Meta;

type Family = crate::family::Family<ValidatingWebhookConfigurations>;

pub(super) static KIND: Kind<ValidatingWebhookConfigurations> = Kind {
    about: About {
        plural: "validatingwebhookconfigurations",
        kind: "ValidatingWebhookConfiguration",
        group: "admissionregistration.k8s.io",
        namespaced: false,
        ..About::CORE
    },
    identity: &["namespace", "validatingwebhookconfiguration"],
    identify: |c, rows| rows.identify(&[&c.metadata.namespace, &c.metadata.name]),
    families: &[
        Family::gauge(
            "kube_validatingwebhookconfiguration_info",
            "A ValidatingWebhookConfiguration that exists; always 1.",
            &[],
            |_, rows| rows.info(&[]),
        ),
        Family::created("kube_validatingwebhookconfiguration_created"),
        Family::resource_version("kube_validatingwebhookconfiguration_metadata_resource_version"),
        Family::gauge(
            "kube_validatingwebhookconfiguration_webhook_clientconfig_service",
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

pub(super) struct ValidatingWebhookConfigurations;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct ValidatingWebhookConfiguration<'v> {
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

impl View for ValidatingWebhookConfigurations {
    type Of<'v> = ValidatingWebhookConfiguration<'v>;

    fn meta<'a, 'v: 'a>(c: &'a ValidatingWebhookConfiguration<'v>) -> &'a Meta<'v> {
        &c.metadata
    }
}
