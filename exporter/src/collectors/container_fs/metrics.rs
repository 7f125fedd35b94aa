//! Families of `container_fs`.

use metric::{Bytes, Count, Desc, Family, Kind, Label, Seconds};

use crate::identity::{AsCadvisor, AsContainer};

const DEVICE: Label = Label::open("device", "mounted file systems of the node");

/// cAdvisor's names, kept.
pub(super) mod cadvisor {
    use super::{AsCadvisor, Bytes, Count, DEVICE, Desc, Family, Kind};
    use metric::Unit;

    const fn gauge<U: Unit>(name: &'static str, help: &'static str) -> Family<U, 1, AsCadvisor> {
        Family::as_named_by("cadvisor", Kind::Gauge, name, help, &[DEVICE])
    }

    pub(in super::super) static USAGE: Family<Bytes, 1, AsCadvisor> = gauge(
        "container_fs_usage_bytes",
        "Bytes in use on the file system; of a container, what its writable layer takes up.",
    );
    pub(in super::super) static LIMIT: Family<Bytes, 1, AsCadvisor> =
        gauge("container_fs_limit_bytes", "Size of the file system.");
    pub(in super::super) static INODES: Family<Count, 1, AsCadvisor> =
        gauge("container_fs_inodes_total", "Inodes that the file system has.");
    pub(in super::super) static INODES_FREE: Family<Count, 1, AsCadvisor> =
        gauge("container_fs_inodes_free", "Inodes of the file system that are free.");
    pub(in super::super) static ALL: &[&Desc] = &[USAGE.desc(), LIMIT.desc(), INODES.desc(), INODES_FREE.desc()];
}

/// Our own.
pub(super) mod own {
    use super::{AsContainer, Bytes, Count, DEVICE, Desc, Family, Seconds};

    pub(in super::super) static USAGE: Family<Bytes, 1, AsContainer> = Family::gauge(
        "container_filesystem_usage_bytes",
        "What the container's writable layer takes up on its device.",
        &[DEVICE],
    );
    pub(in super::super) static INODES: Family<Count, 1, AsContainer> = Family::gauge(
        "container_filesystem_inodes",
        "Files, folders and links in the container's writable layer.",
        &[DEVICE],
    );
    pub(in super::super) static AGE: Family<Seconds, 1, AsContainer> = Family::gauge(
        "container_filesystem_usage_age_seconds",
        "How long ago the container's writable layer was measured.",
        &[DEVICE],
    );
    pub(in super::super) static ALL: &[&Desc] = &[USAGE.desc(), INODES.desc(), AGE.desc()];
}
