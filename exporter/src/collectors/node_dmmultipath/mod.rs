//! Multipath devices of the device mapper, and the paths to each, from `/sys/block/dm-*` (ABI/testing/sysfs-block-dm).
//! A multipath device is told by its UUID, which begins with `mpath-`; its paths are what it stands on.

use kernfs::ReadError;
use metric::{Bytes, Count, Desc, Family, Label};

use super::node::{attribute_number, attribute_text, entries, folder, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const DEVICE: Label = Label::open("device", "multipath devices of the machine");
const SYSFS_NAME: Label = Label::open("sysfs_name", "one a device");

static INFO: Family<Count, 3> = gauge(
    "node_dmmultipath_device_info",
    "What the multipath device is.",
    &[DEVICE, SYSFS_NAME, Label::open("uuid", "one a device")],
);
static ACTIVE: Family<Count, 2> =
    gauge("node_dmmultipath_device_active", "Whether the device is in use and not suspended.", &[DEVICE, SYSFS_NAME]);
static SIZE: Family<Bytes, 2> =
    gauge("node_dmmultipath_device_size_bytes", "Size of the device.", &[DEVICE, SYSFS_NAME]);
static PATHS: Family<Count, 2> = gauge("node_dmmultipath_device_paths", "Paths to the device.", &[DEVICE, SYSFS_NAME]);
static PATHS_ACTIVE: Family<Count, 2> = gauge(
    "node_dmmultipath_device_paths_active",
    "Paths that work: SCSI says running, NVMe says live.",
    &[DEVICE, SYSFS_NAME],
);
static PATHS_FAILED: Family<Count, 2> =
    gauge("node_dmmultipath_device_paths_failed", "Paths that do not work.", &[DEVICE, SYSFS_NAME]);
static PATH_STATE: Family<Count, 3> = gauge(
    "node_dmmultipath_path_state",
    "State of the block device that the path leads over.",
    &[DEVICE, Label::open("path", "paths of the device"), Label::open("state", "a few words of the kernel")],
);
static ALL: &[&Desc] = &[
    INFO.desc(),
    ACTIVE.desc(),
    SIZE.desc(),
    PATHS.desc(),
    PATHS_ACTIVE.desc(),
    PATHS_FAILED.desc(),
    PATH_STATE.desc(),
];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_dmmultipath",
    about: "Multipath devices and their paths.",
    default_on: true,
    needs: &[Need::File("sys/block")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "block";
/// What `size` counts in, whatever the device's own blocks are.
const SECTOR: u64 = 512;

#[derive(Debug)]
struct NodeDmmultipath;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeDmmultipath))
}

impl Collector for NodeDmmultipath {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(devices) = folder(reader, &host.sys, FOLDER)? else {
            scrape.nothing_there();
            return Ok(());
        };
        for sysfs_name in devices.iter().filter(|name| name.starts_with("dm-")) {
            let path = |file: &str| format!("{FOLDER}/{sysfs_name}/{file}");
            let uuid = attribute_text(reader, &host.sys, &path("dm/uuid"));
            if !uuid.starts_with("mpath-") {
                continue;
            }
            let device = attribute_text(reader, &host.sys, &path("dm/name"));
            let labels = [device.as_str(), sysfs_name];
            out.put(&INFO, [&device, sysfs_name, &uuid], true);
            if let Some(suspended) = attribute_number(reader, &host.sys, &path("dm/suspended")) {
                out.put(&ACTIVE, labels, suspended != 1);
            }
            if let Some(sectors) = attribute_number(reader, &host.sys, &path("size")) {
                out.put(&SIZE, labels, Bytes(sectors.saturating_mul(SECTOR)));
            }
            let (mut paths, mut active) = (0_u64, 0_u64);
            for below in entries(reader, &host.sys, &path("slaves"))? {
                let state = attribute_text(reader, &host.sys, &format!("{FOLDER}/{below}/device/state"));
                paths += 1;
                active += u64::from(matches!(state.as_str(), "running" | "live"));
                out.put(&PATH_STATE, [&device, &below, &state], true);
            }
            out.put(&PATHS, labels, paths);
            out.put(&PATHS_ACTIVE, labels, active);
            out.put(&PATHS_FAILED, labels, paths - active);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn a_path_that_is_offline_has_failed_and_other_mapped_devices_are_left_out() {
        check(&SPEC, "node_dmmultipath/testdata/san", View::Node);
    }
}
