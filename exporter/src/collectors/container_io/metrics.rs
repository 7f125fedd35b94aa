//! Families of `container_io`.

use metric::{Bytes, Count, Desc, Family, Kind, Label, Seconds};

use crate::identity::{AsCadvisor, AsContainer};

const DEVICE: Label = Label::open("device", "block devices and file systems of the node");

/// cAdvisor's names, kept.
pub(super) mod cadvisor {
    use super::{AsCadvisor, Bytes, Count, DEVICE, Desc, Family, Kind, Label, Seconds};
    use metric::Unit;

    const fn counter<U: Unit>(name: &'static str, help: &'static str) -> Family<U, 1, AsCadvisor> {
        Family::as_named_by("cadvisor", Kind::Counter, name, help, &[DEVICE])
    }

    pub(in super::super) static USAGE: Family<Count, 4, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Counter,
        "container_blkio_device_usage_total",
        "Bytes moved to and from a block device, by operation.",
        &[
            DEVICE,
            Label::open("major", "block devices of the node"),
            Label::open("minor", "block devices of the node"),
            Label::open("operation", "operations of the kernel: Read, Write, Sync, Async, Discard, Total"),
        ],
    );
    pub(in super::super) static READ_BYTES: Family<Bytes, 1, AsCadvisor> =
        counter("container_fs_reads_bytes_total", "Bytes read from a block device.");
    pub(in super::super) static WRITE_BYTES: Family<Bytes, 1, AsCadvisor> =
        counter("container_fs_writes_bytes_total", "Bytes written to a block device.");
    pub(in super::super) static READS: Family<Count, 1, AsCadvisor> =
        counter("container_fs_reads_total", "Reads from a block device.");
    pub(in super::super) static WRITES: Family<Count, 1, AsCadvisor> =
        counter("container_fs_writes_total", "Writes to a block device.");
    pub(in super::super) static SECTORS_READ: Family<Count, 1, AsCadvisor> =
        counter("container_fs_sector_reads_total", "Sectors of 512 bytes read from a block device.");
    pub(in super::super) static SECTORS_WRITTEN: Family<Count, 1, AsCadvisor> =
        counter("container_fs_sector_writes_total", "Sectors of 512 bytes written to a block device.");
    pub(in super::super) static READS_MERGED: Family<Count, 1, AsCadvisor> =
        counter("container_fs_reads_merged_total", "Reads that were joined to a neighbouring one.");
    pub(in super::super) static WRITES_MERGED: Family<Count, 1, AsCadvisor> =
        counter("container_fs_writes_merged_total", "Writes that were joined to a neighbouring one.");
    pub(in super::super) static READ_TIME: Family<Seconds, 1, AsCadvisor> =
        counter("container_fs_read_seconds_total", "Time that reads took, each for itself.");
    pub(in super::super) static WRITE_TIME: Family<Seconds, 1, AsCadvisor> =
        counter("container_fs_write_seconds_total", "Time that writes took, each for itself.");
    pub(in super::super) static IN_FLIGHT: Family<Count, 1, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_fs_io_current",
        "Reads and writes that a block device is at.",
        &[DEVICE],
    );
    pub(in super::super) static IO_TIME: Family<Seconds, 1, AsCadvisor> =
        counter("container_fs_io_time_seconds_total", "Time in which a block device was busy.");
    pub(in super::super) static WEIGHTED_TIME: Family<Seconds, 1, AsCadvisor> = counter(
        "container_fs_io_time_weighted_seconds_total",
        "Time in which a block device was busy, times the requests that it was busy with.",
    );
    pub(in super::super) static COST_USAGE: Family<Seconds, 1, AsCadvisor> =
        counter("container_fs_io_cost_usage_seconds_total", "Device time charged by the kernel's cost model.");
    pub(in super::super) static COST_WAIT: Family<Seconds, 1, AsCadvisor> =
        counter("container_fs_io_cost_wait_seconds_total", "Time that requests waited for the cost model's leave.");
    pub(in super::super) static COST_INDEBT: Family<Seconds, 1, AsCadvisor> =
        counter("container_fs_io_cost_indebt_seconds_total", "Time in which device time was owed to the cost model.");
    pub(in super::super) static COST_INDELAY: Family<Seconds, 1, AsCadvisor> = counter(
        "container_fs_io_cost_indelay_seconds_total",
        "Time that threads were held back to pay what was owed to the cost model.",
    );
    pub(in super::super) static ALL: &[&Desc] = &[
        USAGE.desc(),
        READ_BYTES.desc(),
        WRITE_BYTES.desc(),
        READS.desc(),
        WRITES.desc(),
        SECTORS_READ.desc(),
        SECTORS_WRITTEN.desc(),
        READS_MERGED.desc(),
        WRITES_MERGED.desc(),
        READ_TIME.desc(),
        WRITE_TIME.desc(),
        IN_FLIGHT.desc(),
        IO_TIME.desc(),
        WEIGHTED_TIME.desc(),
        COST_USAGE.desc(),
        COST_WAIT.desc(),
        COST_INDEBT.desc(),
        COST_INDELAY.desc(),
    ];
}

/// Our own.
pub(super) mod own {
    use super::{AsContainer, Bytes, Count, DEVICE, Desc, Family, Label};

    const LABELS: &[Label; 2] = &[DEVICE, Label::closed("operation", &["read", "write", "discard"])];

    pub(in super::super) static BYTES: Family<Bytes, 2, AsContainer> =
        Family::counter("container_io_bytes_total", "Bytes that the container moved, by device.", LABELS);
    pub(in super::super) static OPERATIONS: Family<Count, 2, AsContainer> = Family::counter(
        "container_io_operations_total",
        "Reads, writes and discards of the container, by device.",
        LABELS,
    );
    pub(in super::super) static ALL: &[&Desc] = &[BYTES.desc(), OPERATIONS.desc()];
}
