//! `memory.stat`, `memory.events`, `memory.oom_control`.
//!
//! Version 2 (admin-guide/cgroup-v2.rst, "memory.stat") counts bytes and events of the cgroup and all below it:
//! ```text
//! anon 1396736
//! file 20971520
//! kernel 1003520
//! kernel_stack 49152
//! …
//! inactive_file 1024
//! active_file 2048
//! workingset_refault_anon 0
//! workingset_refault_file 12
//! pgscan 5000
//! pgsteal 4200
//! pgfault 12345
//! pgmajfault 3
//! ```
//! Version 1 (admin-guide/cgroup-v1/memory.rst, "memory.stat") has each line twice: `rss` of the cgroup itself,
//! `total_rss` with all below it. Of faults a kubelet shows the former; all else is taken with all below it.

use kernfs::text;

/// Of `memory.stat`: what both versions tell, in bytes or events. Fields are 0 where the kernel has no such line and
/// nothing depends on the difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) anon: u64,
    pub(super) file: u64,
    pub(super) shmem: u64,
    pub(super) mapped: u64,
    pub(super) dirty: u64,
    pub(super) writeback: u64,
    pub(super) active_file: u64,
    pub(super) inactive_file: u64,
    pub(super) unevictable: u64,
    /// With all below it.
    pub(super) faults: u64,
    /// With all below it.
    pub(super) major_faults: u64,
    /// As a kubelet shows them: on version 1 of the cgroup itself.
    pub(super) shown_faults: u64,
    /// As a kubelet shows them: on version 1 of the cgroup itself.
    pub(super) shown_major_faults: u64,
    pub(super) refault_anon: u64,
    pub(super) refault_file: u64,
    /// Version 1 only; version 2 has a file of its own.
    pub(super) swap: u64,
    /// Version 2, Linux 5.18 and later. Before that, the parts that the kernel names.
    pub(super) kernel: Option<u64>,
    pub(super) kernel_parts: u64,
    pub(super) sockets: Option<u64>,
    /// Version 2 only.
    pub(super) scanned: Option<u64>,
    /// Version 2 only.
    pub(super) stolen: Option<u64>,
}

/// `memory.stat` of version 2.
pub(super) fn stat_v2(file: &[u8]) -> Stat {
    let mut stat = Stat::default();
    for (key, value) in text::pairs(file) {
        match key {
            b"anon" => stat.anon = value,
            b"file" => stat.file = value,
            b"kernel" => stat.kernel = Some(value),
            b"kernel_stack" | b"slab" | b"percpu" | b"pagetables" => {
                stat.kernel_parts = stat.kernel_parts.saturating_add(value);
            }
            b"sock" => stat.sockets = Some(value),
            b"shmem" => stat.shmem = value,
            b"file_mapped" => stat.mapped = value,
            b"file_dirty" => stat.dirty = value,
            b"file_writeback" => stat.writeback = value,
            b"active_file" => stat.active_file = value,
            b"inactive_file" => stat.inactive_file = value,
            b"unevictable" => stat.unevictable = value,
            b"workingset_refault_anon" => stat.refault_anon = value,
            // Linux 5.8 and before count file pages only, under a shorter name.
            b"workingset_refault_file" | b"workingset_refault" => stat.refault_file = value,
            b"pgscan" => stat.scanned = Some(value),
            b"pgsteal" => stat.stolen = Some(value),
            b"pgfault" => (stat.faults, stat.shown_faults) = (value, value),
            b"pgmajfault" => (stat.major_faults, stat.shown_major_faults) = (value, value),
            _ => {}
        }
    }
    stat
}

/// `memory.stat` of version 1.
pub(super) fn stat_v1(file: &[u8]) -> Stat {
    let mut stat = Stat::default();
    for (key, value) in text::pairs(file) {
        match key {
            b"total_rss" => stat.anon = value,
            b"total_cache" => stat.file = value,
            b"total_shmem" => stat.shmem = value,
            b"total_mapped_file" => stat.mapped = value,
            b"total_dirty" => stat.dirty = value,
            b"total_writeback" => stat.writeback = value,
            b"total_active_file" => stat.active_file = value,
            b"total_inactive_file" => stat.inactive_file = value,
            b"total_unevictable" => stat.unevictable = value,
            b"total_workingset_refault_anon" => stat.refault_anon = value,
            b"total_workingset_refault_file" => stat.refault_file = value,
            b"total_swap" => stat.swap = value,
            b"total_pgfault" => stat.faults = value,
            b"total_pgmajfault" => stat.major_faults = value,
            b"pgfault" => stat.shown_faults = value,
            b"pgmajfault" => stat.shown_major_faults = value,
            _ => {}
        }
    }
    stat
}

/// `memory.events`: how often each boundary was met. Each field is `None` on kernels that do not count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Events {
    pub(super) low: Option<u64>,
    pub(super) high: Option<u64>,
    pub(super) max: Option<u64>,
    pub(super) oom: Option<u64>,
    pub(super) oom_kill: Option<u64>,
    /// Linux 5.17 and later.
    pub(super) oom_group_kill: Option<u64>,
}

/// `memory.events` and `memory.events.local` of version 2; of `memory.oom_control` of version 1, the line `oom_kill`.
pub(super) fn events(file: &[u8]) -> Events {
    let mut events = Events::default();
    for (key, value) in text::pairs(file) {
        let field = match key {
            b"low" => &mut events.low,
            b"high" => &mut events.high,
            b"max" => &mut events.max,
            b"oom" => &mut events.oom,
            b"oom_kill" => &mut events.oom_kill,
            b"oom_group_kill" => &mut events.oom_group_kill,
            _ => continue,
        };
        *field = Some(value);
    }
    events
}

/// The machine's swap, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Swap {
    pub(super) total: u64,
    pub(super) used: u64,
}

/// `SwapTotal` and `SwapFree` of `/proc/meminfo`.
pub(super) fn swap(meminfo: &[u8]) -> Swap {
    let (mut total, mut free): (u64, u64) = (0, 0);
    for (key, kib) in text::pairs(meminfo) {
        match key {
            b"SwapTotal:" => total = kib.saturating_mul(1024),
            b"SwapFree:" => free = kib.saturating_mul(1024),
            _ => {}
        }
    }
    Swap { total, used: total.saturating_sub(free) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn version_1_is_read_with_all_below_but_for_faults_as_a_kubelet_shows_them() {
        let stat = stat_v1(b"rss 1\npgfault 2\npgmajfault 3\ntotal_rss 10\ntotal_pgfault 20\ntotal_swap 4096\n");
        assert_eq!((stat.anon, stat.shown_faults, stat.shown_major_faults, stat.faults), (10, 2, 3, 20));
        assert_eq!(stat.swap, 4096);
        assert_eq!((stat.scanned, stat.kernel), (None, None));
    }

    #[test]
    fn kernels_before_5_18_name_parts_of_kernel_memory_only() {
        let stat = stat_v2(b"kernel_stack 16384\nslab 1000\npercpu 24\npagetables 4096\nworkingset_refault 7\n");
        assert_eq!((stat.kernel, stat.kernel_parts, stat.refault_file), (None, 21_504, 7));
    }

    #[test]
    fn version_1_tells_kills_and_nothing_else() {
        let seen = events(b"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
        assert_eq!(seen, Events { oom_kill: Some(3), ..Events::default() });
    }

    #[test]
    fn swap_in_use_is_what_is_not_free() {
        let swap = swap(b"MemTotal: 9 kB\nSwapTotal:  2048 kB\nSwapFree:  1024 kB\n");
        assert_eq!(swap, Swap { total: 2 << 20, used: 1 << 20 });
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (stat_v1(&bytes), stat_v2(&bytes), events(&bytes), swap(&bytes));
        }
    }
}
