//! Families of `node_bcachefs`.

use metric::{Bytes, Count, Desc, Discovered, Family, Kind, Label};

use crate::collectors::node::{NAMER, counter, gauge};

const SYSTEM: Label = Label::open("uuid", "bcachefs file systems of the machine");
const DEVICE: Label = Label::open("device", "devices of the file system");
const ALGORITHM: Label = Label::open("algorithm", "a few words of the kernel");
const WRITE: Label = Label::open("type", "a few words of the kernel");

pub(super) static INFO: Family<Count, 1> = gauge("node_bcachefs_info", "A file system that is mounted.", &[SYSTEM]);
pub(super) static BTREE_CACHE: Family<Bytes, 1> =
    gauge("node_bcachefs_btree_cache_size_bytes", "Memory that holds parts of the trees.", &[SYSTEM]);
pub(super) static COMPRESSED: Family<Bytes, 2> = gauge(
    "node_bcachefs_compression_compressed_bytes",
    "What data of this algorithm takes on the devices.",
    &[SYSTEM, ALGORITHM],
);
pub(super) static UNCOMPRESSED: Family<Bytes, 2> = gauge(
    "node_bcachefs_compression_uncompressed_bytes",
    "What data of this algorithm is in full.",
    &[SYSTEM, ALGORITHM],
);
pub(super) static ERRORS: Family<Count, 2> = counter(
    "node_bcachefs_errors_total",
    "Errors that were found in the file system.",
    &[SYSTEM, Label::open("error_type", "words of the kernel")],
);
pub(super) static BTREE_WRITES: Family<Count, 2> =
    counter("node_bcachefs_btree_writes_total", "Writes of nodes of the trees, by what made them.", &[SYSTEM, WRITE]);
pub(super) static BTREE_WRITE_SIZE: Family<Bytes, 2> =
    gauge("node_bcachefs_btree_write_average_size_bytes", "Size of such a write, on average.", &[SYSTEM, WRITE]);
pub(super) static DEVICE_INFO: Family<Count, 4> = gauge(
    "node_bcachefs_device_info",
    "What the device is.",
    &[SYSTEM, DEVICE, Label::open("label", "one a device"), Label::open("state", "a few words of the kernel")],
);
pub(super) static BUCKET_SIZE: Family<Bytes, 2> =
    gauge("node_bcachefs_device_bucket_size_bytes", "Size of a bucket of the device.", &[SYSTEM, DEVICE]);
pub(super) static BUCKETS: Family<Count, 2> =
    gauge("node_bcachefs_device_buckets", "Buckets of the device.", &[SYSTEM, DEVICE]);
pub(super) static DURABILITY: Family<Count, 2> =
    gauge("node_bcachefs_device_durability", "How many copies one on this device counts for.", &[SYSTEM, DEVICE]);
pub(super) static IO_DONE: Family<Bytes, 4> = counter(
    "node_bcachefs_device_io_done_bytes_total",
    "Bytes read from the device and written to it, by what they are.",
    &[
        SYSTEM,
        DEVICE,
        Label::closed("operation", &["read", "write"]),
        Label::open("data_type", "a few words of the kernel"),
    ],
);
pub(super) static IO_ERRORS: Family<Count, 3> = counter(
    "node_bcachefs_device_io_errors_total",
    "Errors of the device since the file system was made.",
    &[SYSTEM, DEVICE, Label::open("type", "a few words of the kernel")],
);

/// Linux 6.16 has about 80.
pub(super) static COUNTERS: Discovered<Count, 1> = Discovered::new(NAMER, Kind::Counter, &[SYSTEM], 400);

pub(super) static ALL: &[&Desc] = &[
    INFO.desc(),
    BTREE_CACHE.desc(),
    COMPRESSED.desc(),
    UNCOMPRESSED.desc(),
    ERRORS.desc(),
    BTREE_WRITES.desc(),
    BTREE_WRITE_SIZE.desc(),
    DEVICE_INFO.desc(),
    BUCKET_SIZE.desc(),
    BUCKETS.desc(),
    DURABILITY.desc(),
    IO_DONE.desc(),
    IO_ERRORS.desc(),
];
