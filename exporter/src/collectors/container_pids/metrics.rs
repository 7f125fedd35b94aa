//! Families of `container_pids`.

use metric::{Count, Desc, Family, Kind};

use crate::identity::{AsCadvisor, AsContainer};

/// cAdvisor's names, kept.
pub(super) mod cadvisor {
    use super::{AsCadvisor, Count, Desc, Family, Kind};

    pub(in super::super) static THREADS: Family<Count, 0, AsCadvisor> =
        Family::as_named_by("cadvisor", Kind::Gauge, "container_threads", "Threads that there are.", &[]);
    pub(in super::super) static THREADS_MAX: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_threads_max",
        "Threads that there may be; 0 is no limit.",
        &[],
    );
    pub(in super::super) static ALL: &[&Desc] = &[THREADS.desc(), THREADS_MAX.desc()];
}

/// Our own.
pub(super) mod own {
    use super::{AsContainer, Count, Desc, Family};

    pub(in super::super) static TASKS: Family<Count, 0, AsContainer> =
        Family::gauge("container_tasks", "Tasks of the container: its threads, and its processes that have one.", &[]);
    pub(in super::super) static PEAK: Family<Count, 0, AsContainer> =
        Family::gauge("container_tasks_peak", "Most tasks that the container ever had at once.", &[]);
    pub(in super::super) static LIMIT: Family<Count, 0, AsContainer> =
        Family::gauge("container_tasks_limit", "Tasks that the container may have; absent without a limit.", &[]);
    pub(in super::super) static REFUSED: Family<Count, 0, AsContainer> = Family::counter(
        "container_tasks_refused_total",
        "How often the container could not start a task because it had as many as it may.",
        &[],
    );
    pub(in super::super) static ALL: &[&Desc] = &[TASKS.desc(), PEAK.desc(), LIMIT.desc(), REFUSED.desc()];
}
