//! Families of `container_process`, `container_schedstat` and `container_referenced`.

use metric::{Bytes, Count, Desc, Family, Kind, Label, Seconds};

use crate::identity::{AsCadvisor, AsContainer};

const STATES: Label = Label::closed("state", &["sleeping", "running", "stopped", "uninterruptible", "iowaiting"]);

/// cAdvisor's names, kept.
pub(super) mod cadvisor {
    use super::{AsCadvisor, Count, Desc, Family, Kind, Label, STATES};

    const fn gauge<const N: usize>(
        name: &'static str,
        help: &'static str,
        labels: &'static [Label; N],
    ) -> Family<Count, N, AsCadvisor> {
        Family::as_named_by("cadvisor", Kind::Gauge, name, help, labels)
    }

    pub(in super::super) static PROCESSES: Family<Count, 0, AsCadvisor> =
        gauge("container_processes", "Processes in the cgroup itself, without those of cgroups below it.", &[]);
    pub(in super::super) static DESCRIPTORS: Family<Count, 0, AsCadvisor> =
        gauge("container_file_descriptors", "File descriptors that the container's processes have open.", &[]);
    pub(in super::super) static SOCKETS: Family<Count, 0, AsCadvisor> =
        gauge("container_sockets", "Sockets that the container's processes have open.", &[]);
    pub(in super::super) static ULIMITS: Family<Count, 1, AsCadvisor> = gauge(
        "container_ulimits_soft",
        "Soft limit of the container's first process; -1 is unlimited.",
        &[Label::closed("ulimit", &["max_open_files"])],
    );
    pub(in super::super) static TASKS: Family<Count, 1, AsCadvisor> =
        gauge("container_tasks_state", "Threads by what they are doing; iowaiting are uninterruptible too.", &[STATES]);
    pub(in super::super) static LOAD: Family<Count, 0, AsCadvisor> = gauge(
        "container_cpu_load_average_10s",
        "Running threads times 1000, as a moving average in which the last 10 seconds weigh most.",
        &[],
    );
    pub(in super::super) static LOAD_D: Family<Count, 0, AsCadvisor> = gauge(
        "container_cpu_load_d_average_10s",
        "Uninterruptible threads times 1000, as a moving average in which the last 10 seconds weigh most.",
        &[],
    );
    pub(in super::super) static ALL: &[&Desc] = &[
        PROCESSES.desc(),
        DESCRIPTORS.desc(),
        SOCKETS.desc(),
        ULIMITS.desc(),
        TASKS.desc(),
        LOAD.desc(),
        LOAD_D.desc(),
    ];
}

/// Our own.
pub(super) mod own {
    use super::{AsContainer, Count, Desc, Family, Label, STATES, Seconds};

    pub(in super::super) static PROCESSES: Family<Count, 0, AsContainer> =
        Family::gauge("container_process_count", "Processes of the container, those of cgroups inside it too.", &[]);
    pub(in super::super) static DESCRIPTORS: Family<Count, 0, AsContainer> = Family::gauge(
        "container_open_file_descriptors",
        "File descriptors that the container's processes have open.",
        &[],
    );
    pub(in super::super) static SOCKETS: Family<Count, 0, AsContainer> =
        Family::gauge("container_open_sockets", "Sockets that the container's processes have open.", &[]);
    pub(in super::super) static LIMIT: Family<Count, 0, AsContainer> = Family::gauge(
        "container_open_file_descriptors_limit",
        "File descriptors that the container's first process may have open. Absent when it is unlimited.",
        &[],
    );
    pub(in super::super) static THREADS: Family<Count, 1, AsContainer> = Family::gauge(
        "container_thread_states",
        "Threads of the container by what they are doing; iowaiting are uninterruptible too.",
        &[STATES],
    );
    pub(in super::super) static AGE: Family<Seconds, 1> = Family::gauge(
        "container_process_details_age_seconds",
        "Age of the oldest figure among those that are not read anew in each scrape.",
        &[Label::closed("detail", &["sockets", "states"])],
    );
    pub(in super::super) static ALL: &[&Desc] =
        &[PROCESSES.desc(), DESCRIPTORS.desc(), SOCKETS.desc(), LIMIT.desc(), THREADS.desc(), AGE.desc()];
}

/// cAdvisor's names for what the scheduler did; a kubelet does not ask for them.
pub(super) mod schedstat {
    use super::{AsCadvisor, Count, Desc, Family, Kind, Seconds};

    pub(in super::super) static RUN: Family<Seconds, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_cpu_schedstat_run_seconds_total",
        "Time that the first threads of the container's processes spent on a CPU.",
        &[],
    );
    pub(in super::super) static WAIT: Family<Seconds, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_cpu_schedstat_runqueue_seconds_total",
        "Time that the first threads of the container's processes were ready to run and waited for a CPU.",
        &[],
    );
    pub(in super::super) static PERIODS: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_cpu_schedstat_run_periods_total",
        "How often the first threads of the container's processes were put on a CPU.",
        &[],
    );
    pub(in super::super) static ALL: &[&Desc] = &[RUN.desc(), WAIT.desc(), PERIODS.desc()];
}

/// cAdvisor's name for memory that was used lately; a kubelet does not ask for it.
pub(super) mod referenced {
    use super::{AsCadvisor, Bytes, Desc, Family, Kind};

    pub(in super::super) static BYTES: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_referenced_bytes",
        "Memory of the container's processes that is marked as used since the kernel last cleared the marks.",
        &[],
    );
    pub(in super::super) static ALL: &[&Desc] = &[BYTES.desc()];
}
