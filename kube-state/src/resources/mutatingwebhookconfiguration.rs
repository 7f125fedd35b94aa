//! MutatingWebhookConfigurations: which services the API server asks.

use super::webhooks::{Configurations, families, identify};
use crate::kind::{About, Kind};

pub(super) static KIND: Kind<Configurations> = Kind {
    about: About {
        plural: "mutatingwebhookconfigurations",
        kind: "MutatingWebhookConfiguration",
        group: "admissionregistration.k8s.io",
        namespaced: false,
        ..About::CORE
    },
    identity: &["namespace", "mutatingwebhookconfiguration"],
    identify,
    families: &families(
        "kube_mutatingwebhookconfiguration_info",
        "A MutatingWebhookConfiguration that exists; always 1.",
        "kube_mutatingwebhookconfiguration_created",
        "kube_mutatingwebhookconfiguration_metadata_resource_version",
        "kube_mutatingwebhookconfiguration_webhook_clientconfig_service",
    ),
};
