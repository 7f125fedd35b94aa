//! Endpoints, the older form of EndpointSlices.

use kubernetes::lax::{Int, List, Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<Endpoints>;

pub(super) static KIND: Kind<Endpoints> = Kind {
    about: About { plural: "endpoints", kind: "Endpoints", default_on: false, ..About::CORE },
    identity: &["namespace", "endpoint"],
    identify: |e, rows| rows.identify(&[&e.metadata.namespace, &e.metadata.name]),
    families: &[
        Family::gauge("kube_endpoint_info", "Endpoints that exist; always 1.", &[], |_, rows| rows.info(&[])).stable(),
        Family::created("kube_endpoint_created").stable(),
        Family::annotations("kube_endpoint_annotations"),
        Family::labels("kube_endpoint_labels").stable(),
        Family::gauge(
            "kube_endpoint_address",
            "Addresses behind a service, once for each port, and whether they are ready.",
            &["port_protocol", "port_number", "port_name", "ip", "ready"],
            |e, rows| {
                for subset in &e.subsets {
                    for port in &subset.ports {
                        for (addresses, ready) in [(&subset.addresses, true), (&subset.not_ready_addresses, false)] {
                            for address in addresses {
                                rows.info(&[&port.protocol, &port.port, &port.name, &address.ip, &ready]);
                            }
                        }
                    }
                }
            },
        )
        .stable(),
        Family::gauge(
            "kube_endpoint_ports",
            "Ports behind a service.",
            &["port_name", "port_protocol", "port_number"],
            |e, rows| {
                for port in e.subsets.iter().flat_map(|subset| &subset.ports) {
                    rows.info(&[&port.name, &port.protocol, &port.port]);
                }
            },
        )
        .stable()
        .deprecated_since("v2.14.0"),
    ],
};

pub(super) struct Endpoints;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Endpoint<'v> {
    metadata: Sub<Meta<'v>>,
    subsets: List<Sub<Subset<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Subset<'v> {
    addresses: List<Sub<Address<'v>>>,
    not_ready_addresses: List<Sub<Address<'v>>>,
    ports: List<Sub<Port<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Address<'v> {
    ip: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Port<'v> {
    name: Text<'v>,
    port: Int,
    protocol: Text<'v>,
}

impl View for Endpoints {
    type Of<'v> = Endpoint<'v>;

    fn meta<'a, 'v: 'a>(e: &'a Endpoint<'v>) -> &'a Meta<'v> {
        &e.metadata
    }
}
