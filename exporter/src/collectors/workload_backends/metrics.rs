//! Families of `workload_backends`.

use metric::{Count, Desc, Family, Label};

use crate::identity::{AsWorkload, KINDS};

const SERVICES: &str = "services that the workload uses, and whoever answers for them, as many as peers.per_workload";

pub(super) static CONNECTIONS: Family<Count, 6, AsWorkload> = Family::gauge(
    "workload_service_backend_connections",
    "TCP connections of the workload to a service that the node's connection tracker holds, those that closed a moment \
     ago included, by the workload that answers for the service; peer and port as in workload_connections_peer_*.",
    &[
        Label::open("peer_namespace", SERVICES),
        Label::open("peer_workload", SERVICES),
        Label::open("port", SERVICES),
        Label::open("backend_namespace", SERVICES),
        Label::open("backend_workload", SERVICES),
        Label::open("backend_kind", KINDS),
    ],
);

/// All of them.
pub(super) static FAMILIES: &[&Desc] = &[CONNECTIONS.desc()];
