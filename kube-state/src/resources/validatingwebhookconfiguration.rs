//! ValidatingWebhookConfigurations: which services the API server asks.

use super::webhooks::{Configurations, families, identify};
use crate::kind::{About, Kind};

pub(super) static KIND: Kind<Configurations> = Kind {
    about: About {
        plural: "validatingwebhookconfigurations",
        kind: "ValidatingWebhookConfiguration",
        group: "admissionregistration.k8s.io",
        namespaced: false,
        ..About::CORE
    },
    identity: &["namespace", "validatingwebhookconfiguration"],
    identify,
    families: &families(
        "kube_validatingwebhookconfiguration_info",
        "A ValidatingWebhookConfiguration that exists; always 1.",
        "kube_validatingwebhookconfiguration_created",
        "kube_validatingwebhookconfiguration_metadata_resource_version",
        "kube_validatingwebhookconfiguration_webhook_clientconfig_service",
    ),
};
