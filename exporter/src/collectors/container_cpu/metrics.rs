//! Families of `container_cpu`.

use metric::{Count, Desc, Family, Kind, Label, Seconds};

use crate::identity::{AsCadvisor, AsContainer};

/// cAdvisor's names, kept.
pub(super) mod cadvisor {
    use super::{AsCadvisor, Count, Desc, Family, Kind, Label, Seconds};

    /// A kubelet shows one series per container, and calls it "total".
    pub(in super::super) static USAGE: Family<Seconds, 1, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_cpu_usage_seconds_total",
        "CPU time consumed.",
        &[Label::closed("cpu", &["total"])],
    );
    pub(in super::super) static USER: Family<Seconds, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_cpu_user_seconds_total",
        "CPU time consumed in user mode.",
        &[],
    );
    pub(in super::super) static SYSTEM: Family<Seconds, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_cpu_system_seconds_total",
        "CPU time consumed in the kernel.",
        &[],
    );
    pub(in super::super) static PERIODS: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_cpu_cfs_periods_total",
        "Periods of the CPU quota that have passed.",
        &[],
    );
    pub(in super::super) static THROTTLED_PERIODS: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_cpu_cfs_throttled_periods_total",
        "Periods in which the CPU quota was used up.",
        &[],
    );
    pub(in super::super) static THROTTLED: Family<Seconds, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_cpu_cfs_throttled_seconds_total",
        "Time that run queues stood still because the CPU quota was used up.",
        &[],
    );
    pub(in super::super) static BURST_PERIODS: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_cpu_cfs_burst_periods_total",
        "Periods in which saved-up CPU quota was used.",
        &[],
    );
    pub(in super::super) static BURST: Family<Seconds, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_cpu_cfs_burst_seconds_total",
        "CPU time used beyond the quota of a period, from what was saved up.",
        &[],
    );
    pub(in super::super) static ALL: &[&Desc] = &[
        USAGE.desc(),
        USER.desc(),
        SYSTEM.desc(),
        PERIODS.desc(),
        THROTTLED_PERIODS.desc(),
        THROTTLED.desc(),
        BURST_PERIODS.desc(),
        BURST.desc(),
    ];
}

/// Our own.
pub(super) mod own {
    use super::{AsContainer, Count, Desc, Family, Label, Seconds};

    pub(in super::super) static TIME: Family<Seconds, 1, AsContainer> = Family::counter(
        "container_cpu_time_seconds_total",
        "CPU time consumed by the container, in user mode and in the kernel.",
        &[Label::closed("mode", &["user", "system"])],
    );
    pub(in super::super) static QUOTA_PERIODS: Family<Count, 1, AsContainer> = Family::counter(
        "container_cpu_quota_periods_total",
        "Periods of the container's CPU quota, by whether it was used up in them.",
        &[Label::closed("throttled", &["true", "false"])],
    );
    pub(in super::super) static THROTTLED: Family<Seconds, 0, AsContainer> = Family::counter(
        "container_cpu_quota_throttled_seconds_total",
        "Time that the container's run queues stood still because its CPU quota was used up.",
        &[],
    );
    pub(in super::super) static BURST: Family<Seconds, 0, AsContainer> = Family::counter(
        "container_cpu_quota_burst_seconds_total",
        "CPU time that the container used beyond the quota of a period, from what it had saved up.",
        &[],
    );
    pub(in super::super) static ALL: &[&Desc] = &[TIME.desc(), QUOTA_PERIODS.desc(), THROTTLED.desc(), BURST.desc()];
}
