//! Families of `node_vmstat`.

use metric::{Count, Desc, Discovered, Family, Kind};

use crate::collectors::node::{NAMER, descs, untyped};

/// What the default pattern chooses.
pub(super) static DECLARED: [Family<Count, 0>; 7] = [
    untyped("node_vmstat_oom_kill", "Processes killed for want of memory.", &[]),
    untyped("node_vmstat_pgfault", "Page faults.", &[]),
    untyped("node_vmstat_pgmajfault", "Page faults that had to read from disk.", &[]),
    untyped("node_vmstat_pgpgin", "Kibibytes read from disks into memory.", &[]),
    untyped("node_vmstat_pgpgout", "Kibibytes written from memory to disks.", &[]),
    untyped("node_vmstat_pswpin", "Pages read from swap.", &[]),
    untyped("node_vmstat_pswpout", "Pages written to swap.", &[]),
];

/// What another pattern may choose; kernels have about 200 fields.
pub(super) static OTHERS: Discovered<Count, 0> = Discovered::new(NAMER, Kind::Unknown, &[], 1000);

static DESCS: [&Desc; DECLARED.len()] = descs(&DECLARED);

pub(super) static ALL: &[&Desc] = &DESCS;
