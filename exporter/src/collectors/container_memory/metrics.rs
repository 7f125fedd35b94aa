//! Families of `container_memory`.

use metric::{Bytes, Count, Desc, Family, Kind, Label};

use crate::identity::{AsCadvisor, AsContainer};

/// cAdvisor's names, kept.
pub(super) mod cadvisor {
    use super::{AsCadvisor, Bytes, Count, Desc, Family, Kind, Label};

    pub(in super::super) static USAGE: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_memory_usage_bytes",
        "Memory in use, with page cache and kernel memory.",
        &[],
    );
    pub(in super::super) static WORKING_SET: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_memory_working_set_bytes",
        "Memory in use without page cache that was not used lately.",
        &[],
    );
    pub(in super::super) static RSS: Family<Bytes, 0, AsCadvisor> =
        Family::as_named_by("cadvisor", Kind::Gauge, "container_memory_rss", "Anonymous memory, in bytes.", &[]);
    pub(in super::super) static CACHE: Family<Bytes, 0, AsCadvisor> =
        Family::as_named_by("cadvisor", Kind::Gauge, "container_memory_cache", "Page cache, in bytes.", &[]);
    pub(in super::super) static SWAP: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_memory_swap",
        "Memory that is swapped out, in bytes.",
        &[],
    );
    pub(in super::super) static MAPPED_FILE: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_memory_mapped_file",
        "Page cache that processes have mapped, in bytes.",
        &[],
    );
    pub(in super::super) static KERNEL: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_memory_kernel_usage",
        "Memory that the kernel uses for the container, in bytes.",
        &[],
    );
    pub(in super::super) static MAX_USAGE: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_memory_max_usage_bytes",
        "Most memory that was ever in use at once; 0 where the kernel does not record it.",
        &[],
    );
    pub(in super::super) static FAILCNT: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_memory_failcnt",
        "How often memory use ran into its limit.",
        &[],
    );
    pub(in super::super) static FAILURES: Family<Count, 2, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_memory_failures_total",
        "Page faults; both scopes show the same number.",
        &[
            Label::closed("failure_type", &["pgfault", "pgmajfault"]),
            Label::closed("scope", &["container", "hierarchy"]),
        ],
    );
    pub(in super::super) static ACTIVE_FILE: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_memory_total_active_file_bytes",
        "Page cache that was used lately.",
        &[],
    );
    pub(in super::super) static INACTIVE_FILE: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_memory_total_inactive_file_bytes",
        "Page cache that was not used lately, and goes first.",
        &[],
    );
    pub(in super::super) static DIRTY: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_memory_file_dirty_bytes",
        "Page cache that waits to be written.",
        &[],
    );
    pub(in super::super) static WRITEBACK: Family<Bytes, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_memory_file_writeback_bytes",
        "Page cache that is being written.",
        &[],
    );
    pub(in super::super) static SCANNED: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_memory_pgscan_total",
        "Pages looked at to reclaim memory; 0 on cgroup version 1, which does not count them.",
        &[],
    );
    pub(in super::super) static STOLEN: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_memory_pgsteal_total",
        "Pages reclaimed; 0 on cgroup version 1, which does not count them.",
        &[],
    );
    pub(in super::super) static REFAULT_ANON: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_memory_workingset_refault_anon_total",
        "Anonymous pages that were needed again soon after they had been reclaimed.",
        &[],
    );
    pub(in super::super) static REFAULT_FILE: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_memory_workingset_refault_file_total",
        "Page cache pages that were needed again soon after they had been reclaimed.",
        &[],
    );
    pub(in super::super) static EVENTS_HIGH: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_memory_events_high_total",
        "How often the container was slowed down because it used more than its soft upper limit.",
        &[],
    );
    pub(in super::super) static EVENTS_MAX: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_memory_events_max_total",
        "How often memory use was about to exceed its limit.",
        &[],
    );
    pub(in super::super) static OOM: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_oom_events_total",
        "Processes killed because memory was short.",
        &[],
    );
    pub(in super::super) static ALL: &[&Desc] = &[
        USAGE.desc(),
        WORKING_SET.desc(),
        RSS.desc(),
        CACHE.desc(),
        SWAP.desc(),
        MAPPED_FILE.desc(),
        KERNEL.desc(),
        MAX_USAGE.desc(),
        FAILCNT.desc(),
        FAILURES.desc(),
        ACTIVE_FILE.desc(),
        INACTIVE_FILE.desc(),
        DIRTY.desc(),
        WRITEBACK.desc(),
        SCANNED.desc(),
        STOLEN.desc(),
        REFAULT_ANON.desc(),
        REFAULT_FILE.desc(),
        EVENTS_HIGH.desc(),
        EVENTS_MAX.desc(),
        OOM.desc(),
    ];
}

/// Our own.
pub(super) mod own {
    use super::{AsContainer, Bytes, Count, Desc, Family, Label};

    pub(in super::super) static USED: Family<Bytes, 0, AsContainer> =
        Family::gauge("container_memory_used_bytes", "Memory that is charged to the container, of whatever kind.", &[]);
    pub(in super::super) static PEAK: Family<Bytes, 0, AsContainer> = Family::gauge(
        "container_memory_peak_bytes",
        "Most memory that was ever charged to the container at once.",
        &[],
    );
    pub(in super::super) static KIND: Family<Bytes, 1, AsContainer> = Family::gauge(
        "container_memory_bytes",
        "Memory of the container by kind; shm is shared memory and tmpfs, and the kinds do not overlap.",
        &[Label::closed("kind", &["anon", "file", "shm", "kernel", "socket"])],
    );
    pub(in super::super) static CACHE: Family<Bytes, 1, AsContainer> = Family::gauge(
        "container_page_cache_bytes",
        "Page cache of the container by state; the states overlap.",
        &[Label::closed("state", &["active", "inactive", "mapped", "dirty", "writeback"])],
    );
    pub(in super::super) static UNEVICTABLE: Family<Bytes, 0, AsContainer> = Family::gauge(
        "container_memory_unevictable_bytes",
        "Memory of the container that cannot be reclaimed, as locked pages.",
        &[],
    );
    pub(in super::super) static SWAPPED: Family<Bytes, 0, AsContainer> =
        Family::gauge("container_memory_swapped_bytes", "Memory of the container that is swapped out.", &[]);
    pub(in super::super) static EVENTS: Family<Count, 1, AsContainer> = Family::counter(
        "container_memory_events_total",
        "How often the container or what is inside it met a boundary of its memory: it was reclaimed below its protection (low), slowed down (high), about to exceed its limit (max), out of memory (oom), or had a process (oom_kill) or all its processes (oom_group_kill) killed.",
        &[Label::closed("event", &["low", "high", "max", "oom", "oom_kill", "oom_group_kill"])],
    );
    pub(in super::super) static FAULTS: Family<Count, 1, AsContainer> = Family::counter(
        "container_memory_page_faults_total",
        "Page faults of the container; a major one had to wait for a disk.",
        &[Label::closed("severity", &["minor", "major"])],
    );
    pub(in super::super) static REFAULTS: Family<Count, 1, AsContainer> = Family::counter(
        "container_memory_refaults_total",
        "Pages of the container that were needed again soon after they had been reclaimed: its memory is too small for what it works on.",
        &[Label::closed("kind", &["anon", "file"])],
    );
    pub(in super::super) static SCANNED: Family<Count, 0, AsContainer> = Family::counter(
        "container_memory_reclaim_scanned_pages_total",
        "Pages of the container that were looked at to reclaim memory.",
        &[],
    );
    pub(in super::super) static RECLAIMED: Family<Count, 0, AsContainer> =
        Family::counter("container_memory_reclaimed_pages_total", "Pages of the container that were reclaimed.", &[]);
    pub(in super::super) static ALL: &[&Desc] = &[
        USED.desc(),
        PEAK.desc(),
        KIND.desc(),
        CACHE.desc(),
        UNEVICTABLE.desc(),
        SWAPPED.desc(),
        EVENTS.desc(),
        FAULTS.desc(),
        REFAULTS.desc(),
        SCANNED.desc(),
        RECLAIMED.desc(),
    ];
}
