//! EndpointSlices: addresses behind a service, their state, and the zones they are meant for.

use kubernetes::lax::{Flag, Int, List, Sub, Text};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Meta, View},
};

type Family = crate::family::Family<Slices>;

pub(super) static KIND: Kind<Slices> = Kind {
    about: About { plural: "endpointslices", kind: "EndpointSlice", group: "discovery.k8s.io", ..About::CORE },
    identity: &["endpointslice", "namespace"],
    identify: |s, rows| rows.identify(&[&s.metadata.name, &s.metadata.namespace]),
    families: &[
        Family::gauge(
            "kube_endpointslice_info",
            "What sort of addresses an EndpointSlice has; always 1.",
            &["addresstype"],
            |s, rows| rows.info(&[&s.address_type]),
        ),
        Family::created("kube_endpointslice_created"),
        Family::gauge(
            "kube_endpointslice_endpoints_hints",
            "Zones whose clients should use an endpoint; shown with its first address.",
            &["address", "for_zone"],
            |s, rows| {
                for endpoint in &s.endpoints {
                    if let Some(address) = endpoint.addresses.first() {
                        for zone in &endpoint.hints.for_zones {
                            rows.info(&[address, &zone.name]);
                        }
                    }
                }
            },
        ),
        Family::gauge(
            "kube_endpointslice_endpoints",
            "Addresses of an EndpointSlice with their state, target and place.",
            &[
                "ready",
                "serving",
                "hostname",
                "terminating",
                "targetref_kind",
                "targetref_name",
                "targetref_namespace",
                "endpoint_nodename",
                "endpoint_zone",
                "address",
            ],
            |s, rows| {
                for endpoint in &s.endpoints {
                    let (state, target) = (&endpoint.conditions, &endpoint.target_ref);
                    for address in &endpoint.addresses {
                        rows.info(&[
                            &state.ready,
                            &state.serving,
                            &endpoint.hostname,
                            &state.terminating,
                            &target.kind,
                            &target.name,
                            &target.namespace,
                            &endpoint.node_name,
                            &endpoint.zone,
                            address,
                        ]);
                    }
                }
            },
        ),
        Family::gauge(
            "kube_endpointslice_ports",
            "Ports of an EndpointSlice.",
            &["port_name", "port_protocol", "port_number"],
            |s, rows| {
                for port in &s.ports {
                    rows.info(&[&port.name, &port.protocol, &port.port]);
                }
            },
        ),
        Family::annotations("kube_endpointslice_annotations"),
        Family::labels("kube_endpointslice_labels"),
    ],
};

pub(super) struct Slices;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub(super) struct Slice<'v> {
    metadata: Sub<Meta<'v>>,
    address_type: Text<'v>,
    endpoints: List<Sub<Endpoint<'v>>>,
    ports: List<Sub<Port<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Endpoint<'v> {
    addresses: List<Text<'v>>,
    conditions: Sub<Conditions>,
    hostname: Text<'v>,
    target_ref: Sub<Target<'v>>,
    node_name: Text<'v>,
    zone: Text<'v>,
    hints: Sub<Hints<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Conditions {
    ready: Option<Flag>,
    serving: Option<Flag>,
    terminating: Option<Flag>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Target<'v> {
    kind: Text<'v>,
    name: Text<'v>,
    namespace: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Hints<'v> {
    for_zones: List<Sub<Zone<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Zone<'v> {
    name: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Port<'v> {
    name: Text<'v>,
    protocol: Text<'v>,
    port: Option<Int>,
}

impl View for Slices {
    type Of<'v> = Slice<'v>;

    fn meta<'a, 'v: 'a>(s: &'a Slice<'v>) -> &'a Meta<'v> {
        &s.metadata
    }
}
