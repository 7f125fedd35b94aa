//! Families of `container_pressure`.

use metric::{Desc, Family, Kind, Label, Seconds};

use crate::identity::{AsCadvisor, AsContainer};

/// cAdvisor's names, kept.
pub(super) mod cadvisor {
    use super::{AsCadvisor, Desc, Family, Kind, Seconds};

    pub(in super::super) static CPU_WAITING: Family<Seconds, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_pressure_cpu_waiting_seconds_total",
        "Time in which at least one task waited for a CPU.",
        &[],
    );
    pub(in super::super) static CPU_STALLED: Family<Seconds, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_pressure_cpu_stalled_seconds_total",
        "Time in which no task could go on because it waited for a CPU.",
        &[],
    );
    pub(in super::super) static MEMORY_WAITING: Family<Seconds, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_pressure_memory_waiting_seconds_total",
        "Time in which at least one task waited for memory.",
        &[],
    );
    pub(in super::super) static MEMORY_STALLED: Family<Seconds, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_pressure_memory_stalled_seconds_total",
        "Time in which no task could go on because it waited for memory.",
        &[],
    );
    pub(in super::super) static IO_WAITING: Family<Seconds, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_pressure_io_waiting_seconds_total",
        "Time in which at least one task waited for a disk.",
        &[],
    );
    pub(in super::super) static IO_STALLED: Family<Seconds, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_pressure_io_stalled_seconds_total",
        "Time in which no task could go on because it waited for a disk.",
        &[],
    );
    pub(in super::super) static ALL: &[&Desc] = &[
        CPU_WAITING.desc(),
        CPU_STALLED.desc(),
        MEMORY_WAITING.desc(),
        MEMORY_STALLED.desc(),
        IO_WAITING.desc(),
        IO_STALLED.desc(),
    ];
}

/// Our own.
pub(super) mod own {
    use super::{AsContainer, Desc, Family, Label, Seconds};

    pub(in super::super) static WAITING: Family<Seconds, 1, AsContainer> = Family::counter(
        "container_pressure_waiting_seconds_total",
        "Time in which at least one task of the container waited for the resource.",
        &[Label::closed("resource", &["cpu", "memory", "io"])],
    );
    pub(in super::super) static STALLED: Family<Seconds, 1, AsContainer> = Family::counter(
        "container_pressure_stalled_seconds_total",
        "Time in which all tasks of the container waited for the resource (PSI full).",
        &[Label::closed("resource", &["cpu", "memory", "io"])],
    );
    pub(in super::super) static NODE_WAITING: Family<Seconds, 1> = Family::counter(
        "node_pressure_waiting_seconds_total",
        "Time in which at least one task of the machine waited for the resource.",
        &[Label::closed("resource", &["cpu", "memory", "io"])],
    );
    pub(in super::super) static NODE_STALLED: Family<Seconds, 1> = Family::counter(
        "node_pressure_stalled_seconds_total",
        "Time in which no task of the machine could go on because all waited for the resource, or for interrupts to be handled.",
        &[Label::closed("resource", &["cpu", "memory", "io", "irq"])],
    );
    pub(in super::super) static ALL: &[&Desc] =
        &[WAITING.desc(), STALLED.desc(), NODE_WAITING.desc(), NODE_STALLED.desc()];
}
