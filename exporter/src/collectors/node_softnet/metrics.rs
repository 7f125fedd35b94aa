//! Families of `node_softnet`.

use metric::{Count, Desc, Family, Label};

use crate::collectors::node::{counter, gauge};

const CPU: &[Label; 1] = &[Label::open("cpu", "CPUs of the machine")];

pub(super) static PROCESSED: Family<Count, 1> =
    counter("node_softnet_processed_total", "Packets that the CPU took from devices.", CPU);
pub(super) static DROPPED: Family<Count, 1> =
    counter("node_softnet_dropped_total", "Packets dropped because the CPU's backlog was full.", CPU);
pub(super) static SQUEEZED: Family<Count, 1> = counter(
    "node_softnet_times_squeezed_total",
    "How often the CPU stopped with packets left, because its budget or time was used up.",
    CPU,
);
pub(super) static COLLISIONS: Family<Count, 1> = counter(
    "node_softnet_cpu_collision_total",
    "How often the CPU found a device's transmit lock taken; always 0 on newer kernels.",
    CPU,
);
pub(super) static RPS: Family<Count, 1> =
    counter("node_softnet_received_rps_total", "How often another CPU gave this one packets to process.", CPU);
pub(super) static FLOW_LIMIT: Family<Count, 1> =
    counter("node_softnet_flow_limit_count_total", "Packets dropped because their flow had its share.", CPU);
pub(super) static BACKLOG: Family<Count, 1> = gauge("node_softnet_backlog_len", "Packets in the CPU's backlog.", CPU);

pub(super) static ALL: &[&Desc] = &[
    PROCESSED.desc(),
    DROPPED.desc(),
    SQUEEZED.desc(),
    COLLISIONS.desc(),
    RPS.desc(),
    FLOW_LIMIT.desc(),
    BACKLOG.desc(),
];
