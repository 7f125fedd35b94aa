//! Families of `container_spec`.

use metric::{Bytes, Count, Desc, Family, Kind, Label, Timestamp};

use crate::identity::{AsCadvisor, AsContainer, CGROUPS};

/// cAdvisor's names, kept.
pub(super) mod cadvisor {
    use super::{AsCadvisor, Bytes, Count, Desc, Family, Kind, Timestamp};

    pub(in super::super) static CREATED: Family<Timestamp, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_creation_time_seconds",
        "When the container was made, in seconds since the Unix epoch.",
        &[],
    );
    pub(in super::super) static STARTED: Family<Timestamp, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_start_time_seconds",
        "When the container started, in seconds since the Unix epoch.",
        &[],
    );
    pub(in super::super) static LAST_SEEN: Family<Timestamp, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_last_seen",
        "When the container was last there, in seconds since the Unix epoch.",
        &[],
    );
    pub(in super::super) static HEALTH: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_health_state",
        "Health check of the container; -1 when it has none that the node knows of.",
        &[],
    );
    pub(in super::super) static PERIOD: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_spec_cpu_period",
        "Length of a period of the CPU quota, in microseconds.",
        &[],
    );
    pub(in super::super) static QUOTA: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_spec_cpu_quota",
        "CPU time per period, in microseconds; absent without a quota.",
        &[],
    );
    pub(in super::super) static SHARES: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_spec_cpu_shares",
        "Weight against siblings when CPU is short.",
        &[],
    );
    pub(in super::super) static LIMIT: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_spec_memory_limit_bytes",
        "Memory that may be used at most; 0 is no limit.",
        &[],
    );
    pub(in super::super) static RESERVATION: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_spec_memory_reservation_limit_bytes",
        "Memory that is left to the container when memory is short; 0 is none.",
        &[],
    );
    pub(in super::super) static SWAP_LIMIT: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_spec_memory_swap_limit_bytes",
        "Swap that may be used at most, on cgroup version 1 with memory; 0 is no limit.",
        &[],
    );
    pub(in super::super) static ALL: &[&Desc] = &[
        CREATED.desc(),
        STARTED.desc(),
        LAST_SEEN.desc(),
        HEALTH.desc(),
        PERIOD.desc(),
        QUOTA.desc(),
        SHARES.desc(),
        LIMIT.desc(),
        RESERVATION.desc(),
        SWAP_LIMIT.desc(),
    ];
}

/// Our own.
pub(super) mod own {
    use super::{AsContainer, Bytes, CGROUPS, Count, Desc, Family, Label, Timestamp};

    pub(in super::super) static INFO: Family<Count, 2, AsContainer> = Family::info(
        "container_info",
        "What the container was made from, and its cgroup.",
        &[Label::open("image", CGROUPS), Label::open("cgroup", CGROUPS)],
    );
    pub(in super::super) static STARTED: Family<Timestamp, 0, AsContainer> = Family::gauge(
        "container_start_timestamp_seconds",
        "When the container started, in seconds since the Unix epoch.",
        &[],
    );
    pub(in super::super) static CPU_LIMIT: Family<Count, 0, AsContainer> = Family::gauge(
        "container_cpu_limit_cores",
        "CPUs that the quota of the container is worth; absent without a quota.",
        &[],
    );
    pub(in super::super) static SHARES: Family<Count, 0, AsContainer> = Family::gauge(
        "container_cpu_shares",
        "Weight of the container against its siblings when CPU is short; 1024 stands for one CPU asked for.",
        &[],
    );
    pub(in super::super) static MEMORY_LIMIT: Family<Bytes, 0, AsContainer> = Family::gauge(
        "container_memory_limit_bytes",
        "Memory that the container may use at most; absent without a limit.",
        &[],
    );
    pub(in super::super) static RESERVATION: Family<Bytes, 0, AsContainer> = Family::gauge(
        "container_memory_reservation_bytes",
        "Memory that is left to the container when memory is short; absent when nothing is promised.",
        &[],
    );
    pub(in super::super) static SWAP_LIMIT: Family<Bytes, 0, AsContainer> = Family::gauge(
        "container_swap_limit_bytes",
        "Swap that the container may use at most; absent without a limit.",
        &[],
    );
    pub(in super::super) static ALL: &[&Desc] = &[
        INFO.desc(),
        STARTED.desc(),
        CPU_LIMIT.desc(),
        SHARES.desc(),
        MEMORY_LIMIT.desc(),
        RESERVATION.desc(),
        SWAP_LIMIT.desc(),
    ];
}
