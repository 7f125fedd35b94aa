//! Services: their type and addresses.

use kubernetes::lax::{List, Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<Services>;

pub(super) static KIND: Kind<Services> = Kind {
    about: About { plural: "services", kind: "Service", ..About::CORE },
    identity: &["namespace", "service", "uid"],
    identify: |s, rows| rows.identify(&[&s.metadata.namespace, &s.metadata.name, &s.metadata.uid]),
    families: &[
        Family::gauge(
            "kube_service_info",
            "Addresses of a Service, and how it takes traffic from outside; always 1.",
            &["cluster_ip", "external_name", "load_balancer_ip", "external_traffic_policy"],
            |s, rows| {
                let spec = &s.spec;
                let policy = &spec.external_traffic_policy;
                rows.info(&[&spec.cluster_ip, &spec.external_name, &spec.load_balancer_ip, policy]);
            },
        )
        .stable(),
        Family::created("kube_service_created").stable(),
        Family::gauge("kube_service_spec_type", "Type of a Service; always 1.", &["type"], |s, rows| {
            rows.info(&[&s.spec.kind]);
        })
        .stable(),
        Family::annotations("kube_service_annotations"),
        Family::labels("kube_service_labels").stable(),
        Family::gauge(
            "kube_service_spec_external_ip",
            "Addresses outside of the cluster that lead to a Service.",
            &["external_ip"],
            |s, rows| {
                for ip in &s.spec.external_ips {
                    rows.info(&[ip]);
                }
            },
        )
        .stable(),
        Family::gauge(
            "kube_service_status_load_balancer_ingress",
            "Addresses of a Service's load balancer.",
            &["ip", "hostname"],
            |s, rows| {
                for point in &s.status.load_balancer.ingress {
                    rows.info(&[&point.ip, &point.hostname]);
                }
            },
        )
        .stable(),
        Family::deleted("kube_service_deletion_timestamp"),
    ],
};

pub(super) struct Services;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Service<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    #[serde(rename = "type")]
    kind: Text<'v>,
    #[serde(rename = "clusterIP")]
    cluster_ip: Text<'v>,
    external_name: Text<'v>,
    #[serde(rename = "loadBalancerIP")]
    load_balancer_ip: Text<'v>,
    external_traffic_policy: Text<'v>,
    #[serde(rename = "externalIPs")]
    external_ips: List<Text<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Status<'v> {
    load_balancer: Sub<LoadBalancer<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct LoadBalancer<'v> {
    ingress: List<Sub<Point<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Point<'v> {
    ip: Text<'v>,
    hostname: Text<'v>,
}

impl View for Services {
    type Of<'v> = Service<'v>;

    fn meta<'a, 'v: 'a>(s: &'a Service<'v>) -> &'a Meta<'v> {
        &s.metadata
    }
}
