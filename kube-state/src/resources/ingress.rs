//! Ingresses: which hosts and paths lead where, and under which certificate.

use kubernetes::lax::{Int, List, Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
    rows::Rows,
};

type Family = crate::family::Family<Ingresses>;

pub(super) static KIND: Kind<Ingresses> = Kind {
    about: About { plural: "ingresses", kind: "Ingress", group: "networking.k8s.io", ..About::CORE },
    identity: &["namespace", "ingress"],
    identify: |i, rows| rows.identify(&[&i.metadata.namespace, &i.metadata.name]),
    families: &[
        Family::gauge(
            "kube_ingress_info",
            "Class of an Ingress, _default when it names none; always 1. The old annotation goes before the field.",
            &["ingressclass"],
            |i, rows| {
                let named = i.metadata.annotations.get("kubernetes.io/ingress.class");
                match named.or(i.spec.ingress_class_name.as_ref()) {
                    Some(class) => rows.info(&[class]),
                    None => rows.info(&[&"_default"]),
                }
            },
        )
        .stable(),
        Family::annotations("kube_ingress_annotations"),
        Family::labels("kube_ingress_labels").stable(),
        Family::created("kube_ingress_created").stable(),
        Family::resource_version("kube_ingress_metadata_resource_version"),
        Family::gauge(
            "kube_ingress_path",
            "Where a host and path lead. To another kind than a service: resource_api_group, resource_kind and \
             resource_name instead of service_name and service_port.",
            &["host", "path", "path_type", "service_name", "service_port"],
            |i, rows| {
                for rule in &i.spec.rules {
                    for path in &rule.http.paths {
                        put_path(rows, &rule.host, path);
                    }
                }
            },
        )
        .or_with(&["resource_api_group", "resource_kind", "resource_name"])
        .stable(),
        Family::gauge(
            "kube_ingress_tls",
            "Secret with the certificate of a host.",
            &["tls_host", "secret"],
            |i, rows| {
                for tls in &i.spec.tls {
                    for host in &tls.hosts {
                        rows.info(&[host, &tls.secret_name]);
                    }
                }
            },
        )
        .stable(),
    ],
};

fn put_path(rows: &mut Rows, host: &Text<'_>, path: &Path<'_>) {
    let backend = &path.backend;
    if let Some(service) = &backend.service {
        rows.info(&[host, &path.path, &path.path_type, &service.name, &service.port.number]);
    } else if let Some(resource) = &backend.resource {
        let names = ["host", "path", "path_type", "resource_api_group", "resource_kind", "resource_name"];
        let target = (&resource.api_group, &resource.kind, &resource.name);
        rows.put_with(&names, &[host, &path.path, &path.path_type, target.0, target.1, target.2], 1.0);
    }
}

pub(super) struct Ingresses;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Ingress<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    ingress_class_name: Option<Text<'v>>,
    rules: List<Sub<Rule<'v>>>,
    tls: List<Sub<Tls<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Rule<'v> {
    host: Text<'v>,
    http: Sub<Http<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Http<'v> {
    paths: List<Sub<Path<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Path<'v> {
    path: Text<'v>,
    path_type: Text<'v>,
    backend: Sub<Backend<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Backend<'v> {
    service: Option<Sub<Service<'v>>>,
    resource: Option<Sub<Target<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Service<'v> {
    name: Text<'v>,
    port: Sub<Port>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Port {
    number: Int,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Target<'v> {
    #[serde(rename = "apiGroup")]
    api_group: Text<'v>,
    kind: Text<'v>,
    name: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Tls<'v> {
    hosts: List<Text<'v>>,
    secret_name: Text<'v>,
}

impl View for Ingresses {
    type Of<'v> = Ingress<'v>;

    fn meta<'a, 'v: 'a>(i: &'a Ingress<'v>) -> &'a Meta<'v> {
        &i.metadata
    }
}
