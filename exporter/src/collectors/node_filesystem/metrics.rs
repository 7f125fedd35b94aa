//! Families of `node_filesystem`.

use metric::{Bytes, Count, Desc, Family, Label};

use crate::collectors::node::gauge;

const DEVICE: Label = Label::open("device", "devices of mounted file systems");
const MOUNT_POINT: Label = Label::open("mountpoint", "mount points that the pattern chooses");
const LABELS: &[Label; 4] = &[
    DEVICE,
    MOUNT_POINT,
    Label::open("fstype", "types of file systems"),
    Label::open("device_error", "errors of the kernel, and a timeout"),
];

pub(super) static SIZE: Family<Bytes, 4> = gauge("node_filesystem_size_bytes", "Size of the file system.", LABELS);
pub(super) static FREE: Family<Bytes, 4> =
    gauge("node_filesystem_free_bytes", "Free space of the file system.", LABELS);
pub(super) static AVAILABLE: Family<Bytes, 4> =
    gauge("node_filesystem_avail_bytes", "Free space of the file system that is not kept for root.", LABELS);
pub(super) static FILES: Family<Count, 4> =
    gauge("node_filesystem_files", "Files that the file system has room for, used or not.", LABELS);
pub(super) static FILES_FREE: Family<Count, 4> =
    gauge("node_filesystem_files_free", "Files that could still be made.", LABELS);
pub(super) static PURGEABLE: Family<Bytes, 4> =
    gauge("node_filesystem_purgeable_bytes", "Space that the system would free by itself; 0 on Linux.", LABELS);
pub(super) static READ_ONLY: Family<Count, 4> =
    gauge("node_filesystem_readonly", "Whether the file system is read-only.", LABELS);
pub(super) static ERROR: Family<Count, 4> =
    gauge("node_filesystem_device_error", "Whether the file system could not be asked, and why.", LABELS);
pub(super) static MOUNT: Family<Count, 4> = gauge(
    "node_filesystem_mount_info",
    "What is mounted where.",
    &[DEVICE, Label::open("major", "one a device"), Label::open("minor", "one a device"), MOUNT_POINT],
);

pub(super) static ALL: &[&Desc] = &[
    SIZE.desc(),
    FREE.desc(),
    AVAILABLE.desc(),
    FILES.desc(),
    FILES_FREE.desc(),
    PURGEABLE.desc(),
    READ_ONLY.desc(),
    ERROR.desc(),
    MOUNT.desc(),
];
