//! Nodes: what they are, what they have, and how they are.

use kubernetes::{
    Quantity,
    lax::{Dict, Flag, List, Sub, Text},
};
use serde::Deserialize;

use super::amounts::{self, Unit};
use crate::{
    kind::{About, Kind},
    meta::{Condition, Meta, View},
    rows::{Amount, Rows},
};

const ROLE: &str = "node-role.kubernetes.io/";

type Family = crate::family::Family<Nodes>;

pub(super) static KIND: Kind<Nodes> = Kind {
    about: About { plural: "nodes", kind: "Node", namespaced: false, ..About::CORE },
    identity: &["node"],
    identify: |n, rows| rows.identify(&[&n.metadata.name]),
    families: &[
        Family::annotations("kube_node_annotations"),
        Family::created("kube_node_created").stable(),
        Family::deleted("kube_node_deletion_timestamp"),
        Family::gauge(
            "kube_node_info",
            "Versions, identifiers and address of a node; always 1. The last internal address is shown.",
            &[
                "kernel_version",
                "os_image",
                "container_runtime_version",
                "kubelet_version",
                "kubeproxy_version",
                "provider_id",
                "pod_cidr",
                "system_uuid",
                "internal_ip",
            ],
            |n, rows| {
                let info = &n.status.node_info;
                let internal = n.status.addresses.iter().rfind(|address| address.kind == "InternalIP");
                rows.info(&[
                    &info.kernel_version,
                    &info.os_image,
                    &info.container_runtime_version,
                    &info.kubelet_version,
                    &"deprecated",
                    &n.spec.provider_id,
                    &n.spec.pod_cidr,
                    &info.system_uuid,
                    &internal.map(|address| &address.address),
                ]);
            },
        )
        .stable(),
        Family::labels("kube_node_labels").stable(),
        Family::gauge("kube_node_role", "Roles of a node, as its labels name them.", &["role"], |n, rows| {
            for (label, _) in n.metadata.labels.iter() {
                if let Some(role) = label.strip_prefix(ROLE) {
                    rows.info(&[&role]);
                }
            }
        }),
        Family::gauge(
            "kube_node_spec_pod_cidrs",
            "Address ranges for the pods of a node.",
            &["pod_cidr"],
            |n, rows| {
                for range in &n.spec.pod_cidrs {
                    rows.info(&[range]);
                }
            },
        ),
        Family::gauge("kube_node_spec_taint", "Taints of a node.", &["key", "value", "effect"], |n, rows| {
            for taint in &n.spec.taints {
                rows.info(&[&taint.key, &taint.value, &taint.effect]);
            }
        })
        .stable(),
        Family::gauge("kube_node_spec_unschedulable", "Whether new pods are kept away from a node.", &[], |n, rows| {
            rows.number(n.spec.unschedulable);
        })
        .stable(),
        Family::gauge(
            "kube_node_status_allocatable",
            "What pods can have of a node, in cores, bytes or pieces.",
            &["resource", "unit"],
            |n, rows| put_amounts(rows, &n.status.allocatable),
        )
        .stable(),
        Family::gauge(
            "kube_node_status_capacity",
            "What a node has, in cores, bytes or pieces.",
            &["resource", "unit"],
            |n, rows| put_amounts(rows, &n.status.capacity),
        )
        .stable(),
        Family::gauge(
            "kube_node_status_condition",
            "Conditions of a node, 1 for the status each has.",
            &["condition", "status"],
            |n, rows| {
                for condition in &n.status.conditions {
                    rows.status(&[&condition.kind], &condition.status);
                }
            },
        )
        .stable(),
        Family::gauge("kube_node_status_addresses", "Addresses of a node.", &["type", "address"], |n, rows| {
            for address in &n.status.addresses {
                rows.info(&[&address.kind, &address.address]);
            }
        }),
    ],
};

fn put_amounts(rows: &mut Rows, amounts: &Dict<'_, Quantity>) {
    amounts::each(amounts, |resource, unit, amount| rows.put(&[&resource, &unit.name()], Amount(*amount)));
    rows.put(&[&"pods", &Unit::Integer.name()], amounts.get("pods").copied().map(Amount));
}

pub(super) struct Nodes;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Node<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Spec<'v> {
    #[serde(rename = "providerID")]
    provider_id: Text<'v>,
    #[serde(rename = "podCIDR")]
    pod_cidr: Text<'v>,
    #[serde(rename = "podCIDRs")]
    pod_cidrs: List<Text<'v>>,
    taints: List<Sub<Taint<'v>>>,
    unschedulable: Flag,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Taint<'v> {
    key: Text<'v>,
    value: Text<'v>,
    effect: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Status<'v> {
    node_info: Sub<NodeInfo<'v>>,
    addresses: List<Sub<Address<'v>>>,
    allocatable: Dict<'v, Quantity>,
    capacity: Dict<'v, Quantity>,
    conditions: List<Sub<Condition<'v>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct NodeInfo<'v> {
    kernel_version: Text<'v>,
    os_image: Text<'v>,
    container_runtime_version: Text<'v>,
    kubelet_version: Text<'v>,
    #[serde(rename = "systemUUID")]
    system_uuid: Text<'v>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
struct Address<'v> {
    #[serde(rename = "type")]
    kind: Text<'v>,
    address: Text<'v>,
}

impl View for Nodes {
    type Of<'v> = Node<'v>;

    fn meta<'a, 'v: 'a>(n: &'a Node<'v>) -> &'a Meta<'v> {
        &n.metadata
    }
}
