//! Families of `node_sockstat`.

use metric::{Count, Desc, Discovered, Family, Kind};

use crate::collectors::node::{NAMER, descs, gauge};

/// What kernels are known to tell.
pub(super) static DECLARED: [Family<Count, 0>; 20] = [
    gauge("node_sockstat_sockets_used", "Sockets of all kinds in use.", &[]),
    gauge("node_sockstat_TCP_inuse", "TCP sockets in use.", &[]),
    gauge("node_sockstat_TCP_orphan", "TCP sockets that no process holds any more.", &[]),
    gauge("node_sockstat_TCP_tw", "TCP sockets that wait for late segments.", &[]),
    gauge("node_sockstat_TCP_alloc", "TCP sockets in all.", &[]),
    gauge("node_sockstat_TCP_mem", "Pages of memory that TCP sockets take.", &[]),
    gauge("node_sockstat_TCP_mem_bytes", "Bytes of memory that TCP sockets take.", &[]),
    gauge("node_sockstat_UDP_inuse", "UDP sockets in use.", &[]),
    gauge("node_sockstat_UDP_mem", "Pages of memory that UDP sockets take.", &[]),
    gauge("node_sockstat_UDP_mem_bytes", "Bytes of memory that UDP sockets take.", &[]),
    gauge("node_sockstat_UDPLITE_inuse", "UDPLITE sockets in use.", &[]),
    gauge("node_sockstat_RAW_inuse", "RAW sockets in use.", &[]),
    gauge("node_sockstat_FRAG_inuse", "Packets that are being put together from fragments.", &[]),
    gauge("node_sockstat_FRAG_memory", "Bytes of memory of fragments.", &[]),
    gauge("node_sockstat_TCP6_inuse", "TCP6 sockets in use.", &[]),
    gauge("node_sockstat_UDP6_inuse", "UDP6 sockets in use.", &[]),
    gauge("node_sockstat_UDPLITE6_inuse", "UDPLITE6 sockets in use.", &[]),
    gauge("node_sockstat_RAW6_inuse", "RAW6 sockets in use.", &[]),
    gauge("node_sockstat_FRAG6_inuse", "IPv6 packets that are being put together from fragments.", &[]),
    gauge("node_sockstat_FRAG6_memory", "Bytes of memory of IPv6 fragments.", &[]),
];

/// Protocols that a later kernel may have.
pub(super) static OTHERS: Discovered<Count, 0> = Discovered::new(NAMER, Kind::Gauge, &[], 100);

static DESCS: [&Desc; DECLARED.len()] = descs(&DECLARED);

pub(super) static ALL: &[&Desc] = &DESCS;
