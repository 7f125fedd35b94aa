//! Families of `node_diskstats`.

use metric::{Bytes, Count, Desc, Family, Label, Seconds};

use crate::collectors::node::{counter, gauge};

const DEVICE: Label = Label::open("device", "block devices of the machine");

pub(super) static INFO: Family<Count, 9> = gauge(
    "node_disk_info",
    "What the disk is, from udev and /sys/block.",
    &[
        DEVICE,
        Label::open("major", "one a device"),
        Label::open("minor", "one a device"),
        Label::open("path", "one a device"),
        Label::open("wwn", "one a device"),
        Label::open("model", "one a device"),
        Label::open("serial", "one a device"),
        Label::open("revision", "one a device"),
        Label::closed("rotational", &["0", "1"]),
    ],
);
pub(super) static READS: Family<Count, 1> =
    counter("node_disk_reads_completed_total", "Reads that succeeded.", &[DEVICE]);
pub(super) static READS_MERGED: Family<Count, 1> =
    counter("node_disk_reads_merged_total", "Reads that were done together with a neighbour.", &[DEVICE]);
pub(super) static READ_BYTES: Family<Bytes, 1> =
    counter("node_disk_read_bytes_total", "Bytes read from the disk.", &[DEVICE]);
pub(super) static READ_TIME: Family<Seconds, 1> =
    counter("node_disk_read_time_seconds_total", "Time that all reads took together.", &[DEVICE]);
pub(super) static WRITES: Family<Count, 1> =
    counter("node_disk_writes_completed_total", "Writes that succeeded.", &[DEVICE]);
pub(super) static WRITES_MERGED: Family<Count, 1> =
    counter("node_disk_writes_merged_total", "Writes that were done together with a neighbour.", &[DEVICE]);
pub(super) static WRITTEN_BYTES: Family<Bytes, 1> =
    counter("node_disk_written_bytes_total", "Bytes written to the disk.", &[DEVICE]);
pub(super) static WRITE_TIME: Family<Seconds, 1> =
    counter("node_disk_write_time_seconds_total", "Time that all writes took together.", &[DEVICE]);
pub(super) static NOW: Family<Count, 1> = gauge("node_disk_io_now", "Requests that are at the disk now.", &[DEVICE]);
pub(super) static BUSY: Family<Seconds, 1> =
    counter("node_disk_io_time_seconds_total", "Time with at least one request at the disk.", &[DEVICE]);
pub(super) static WEIGHTED: Family<Seconds, 1> = counter(
    "node_disk_io_time_weighted_seconds_total",
    "Time of requests at the disk, each moment counted as often as there were requests.",
    &[DEVICE],
);
pub(super) static DISCARDS: Family<Count, 1> =
    counter("node_disk_discards_completed_total", "Discards that succeeded.", &[DEVICE]);
pub(super) static DISCARDS_MERGED: Family<Count, 1> =
    counter("node_disk_discards_merged_total", "Discards that were done together with a neighbour.", &[DEVICE]);
pub(super) static DISCARDED: Family<Count, 1> =
    counter("node_disk_discarded_sectors_total", "Sectors of 512 bytes discarded.", &[DEVICE]);
pub(super) static DISCARD_TIME: Family<Seconds, 1> =
    counter("node_disk_discard_time_seconds_total", "Time that all discards took together.", &[DEVICE]);
pub(super) static FLUSHES: Family<Count, 1> =
    counter("node_disk_flush_requests_total", "Flushes that succeeded.", &[DEVICE]);
pub(super) static FLUSH_TIME: Family<Seconds, 1> =
    counter("node_disk_flush_requests_time_seconds_total", "Time that all flushes took together.", &[DEVICE]);
pub(super) static FILESYSTEM: Family<Count, 5> = gauge(
    "node_disk_filesystem_info",
    "The file system on the disk.",
    &[
        DEVICE,
        Label::open("type", "types of file systems"),
        Label::open("usage", "a few words of udev"),
        Label::open("uuid", "one a device"),
        Label::open("version", "versions of file systems"),
    ],
);
pub(super) static MAPPER: Family<Count, 6> = gauge(
    "node_disk_device_mapper_info",
    "What the device mapper calls the disk.",
    &[
        DEVICE,
        Label::open("name", "one a device"),
        Label::open("uuid", "one a device"),
        Label::open("vg_name", "volume groups of the machine"),
        Label::open("lv_name", "logical volumes of the machine"),
        Label::open("lv_layer", "layers of a logical volume"),
    ],
);
pub(super) static ATA_CACHE: Family<Count, 1> =
    gauge("node_disk_ata_write_cache", "Whether the ATA disk has a write cache.", &[DEVICE]);
pub(super) static ATA_CACHE_ON: Family<Count, 1> =
    gauge("node_disk_ata_write_cache_enabled", "Whether the ATA disk's write cache is on.", &[DEVICE]);
pub(super) static ATA_ROTATION: Family<Count, 1> =
    gauge("node_disk_ata_rotation_rate_rpm", "Rotations per minute of the ATA disk; 0 when it has none.", &[DEVICE]);

pub(super) static ALL: &[&Desc] = &[
    INFO.desc(),
    READS.desc(),
    READS_MERGED.desc(),
    READ_BYTES.desc(),
    READ_TIME.desc(),
    WRITES.desc(),
    WRITES_MERGED.desc(),
    WRITTEN_BYTES.desc(),
    WRITE_TIME.desc(),
    NOW.desc(),
    BUSY.desc(),
    WEIGHTED.desc(),
    DISCARDS.desc(),
    DISCARDS_MERGED.desc(),
    DISCARDED.desc(),
    DISCARD_TIME.desc(),
    FLUSHES.desc(),
    FLUSH_TIME.desc(),
    FILESYSTEM.desc(),
    MAPPER.desc(),
    ATA_CACHE.desc(),
    ATA_CACHE_ON.desc(),
    ATA_ROTATION.desc(),
];
