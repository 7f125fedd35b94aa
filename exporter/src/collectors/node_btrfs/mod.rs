//! Btrfs file systems, from `/sys/fs/btrfs/<uuid>` (`fs/btrfs/sysfs.c`), and their devices, which the file system itself
//! tells where it is mounted ([`ask`]). Of one that cannot be asked, sysfs tells the sizes of its devices.
//!
//! Absent values are shown as 0.

mod ask;

use kernfs::{Dir, ReadError, Reader};
use metric::{Batch, Bytes, Count, Desc, Family, Label, Millis, Ratio, Seconds};

use self::ask::{Asked, Device};
use super::node::{attribute_number, attribute_text, counter, entries, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const SYSTEM: Label = Label::open("uuid", "Btrfs file systems of the machine");
const KIND: Label = Label::closed("block_group_type", &["data", "metadata", "system"]);
const MODE: Label = Label::open("mode", "profiles of the kernel: single, dup, raid1 and the like");
const DEVICE: Label = Label::open("device", "devices of the file system");
const DEVICE_UUID: Label = Label::open("btrfs_dev_uuid", "one a device");

static INFO: Family<Count, 2> =
    gauge("node_btrfs_info", "A file system that is mounted.", &[SYSTEM, Label::open("label", "one a file system")]);
static RESERVE: Family<Bytes, 1> =
    gauge("node_btrfs_global_rsv_size_bytes", "Space that is kept for the file system's own work.", &[SYSTEM]);
static COMMITS: Family<Count, 1> = counter("node_btrfs_commits_total", "Commits to the devices.", &[SYSTEM]);
static LAST_COMMIT: Family<Seconds, 1> =
    gauge("node_btrfs_last_commit_seconds", "How long the last commit took.", &[SYSTEM]);
static LONGEST_COMMIT: Family<Seconds, 1> =
    gauge("node_btrfs_max_commit_seconds", "How long the longest commit took.", &[SYSTEM]);
static COMMIT_TIME: Family<Seconds, 1> =
    counter("node_btrfs_commit_seconds_total", "How long all commits took.", &[SYSTEM]);
static RESERVED: Family<Bytes, 2> =
    gauge("node_btrfs_reserved_bytes", "Space that is promised and not used yet.", &[SYSTEM, KIND]);
static USED: Family<Bytes, 3> = gauge("node_btrfs_used_bytes", "Space that is used.", &[SYSTEM, KIND, MODE]);
static SIZE: Family<Bytes, 3> = gauge("node_btrfs_size_bytes", "Space that is set aside.", &[SYSTEM, KIND, MODE]);
static COPIES: Family<Ratio, 3> =
    gauge("node_btrfs_allocation_ratio", "Bytes that a byte of data takes on the devices.", &[SYSTEM, KIND, MODE]);
static DEVICE_SIZE: Family<Bytes, 3> =
    gauge("node_btrfs_device_size_bytes", "Size of the device.", &[SYSTEM, DEVICE, DEVICE_UUID]);
static DEVICE_UNUSED: Family<Bytes, 3> = gauge(
    "node_btrfs_device_unused_bytes",
    "Space of the device that is set aside for nothing.",
    &[SYSTEM, DEVICE, DEVICE_UUID],
);
static DEVICE_ERRORS: Family<Count, 4> = counter(
    "node_btrfs_device_errors_total",
    "Errors of the device since they were last set to zero.",
    &[SYSTEM, DEVICE, DEVICE_UUID, Label::closed("type", &["write", "read", "flush", "corruption", "generation"])],
);
static ALL: &[&Desc] = &[
    INFO.desc(),
    RESERVE.desc(),
    COMMITS.desc(),
    LAST_COMMIT.desc(),
    LONGEST_COMMIT.desc(),
    COMMIT_TIME.desc(),
    RESERVED.desc(),
    USED.desc(),
    SIZE.desc(),
    COPIES.desc(),
    DEVICE_SIZE.desc(),
    DEVICE_UNUSED.desc(),
    DEVICE_ERRORS.desc(),
];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_btrfs",
    about: "Btrfs file systems and their devices.",
    default_on: true,
    needs: &[Need::File("sys/fs/btrfs"), Need::File("proc/1/mountinfo")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "fs/btrfs";
/// What `size` of a block device counts in.
const SECTOR: u64 = 512;

#[derive(Debug)]
struct NodeBtrfs;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeBtrfs))
}

impl Collector for NodeBtrfs {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        // Beside the file systems there is a folder of features that the kernel knows.
        let mut systems = entries(reader, &host.sys, FOLDER)?;
        systems.retain(|name| name.contains('-'));
        if systems.is_empty() {
            return Ok(());
        }
        let asked = ask::all(host, reader)?;
        for system in &systems {
            of_system(&host.sys, reader, system, &asked, out)?;
        }
        Ok(())
    }
}

fn of_system(sys: &Dir, reader: &mut Reader, folder: &str, asked: &[Asked], out: &mut Batch) -> Result<(), ReadError> {
    let path = format!("{FOLDER}/{folder}");
    let uuid = match attribute_text(reader, sys, &format!("{path}/metadata_uuid")) {
        uuid if uuid.is_empty() => folder.to_owned(),
        uuid => uuid,
    };
    let uuid = uuid.as_str();
    let devices = entries(reader, sys, &format!("{path}/devices"))?;
    out.put(&INFO, [uuid, &attribute_text(reader, sys, &format!("{path}/label"))], true);
    let number =
        |reader: &mut Reader, file: &str| attribute_number(reader, sys, &format!("{path}/{file}")).unwrap_or(0);
    out.put(&RESERVE, [uuid], Bytes(number(reader, "allocation/global_rsv_size")));
    let commits = reader.read(sys, &format!("{path}/commit_stats"))?.unwrap_or_default();
    let of_commits = |name: &[u8]| kernfs::text::pairs(commits).find(|(known, _)| *known == name).map_or(0, |(_, n)| n);
    out.put(&COMMITS, [uuid], of_commits(b"commits"));
    out.put(&LAST_COMMIT, [uuid], Millis(of_commits(b"last_commit_ms")));
    out.put(&LONGEST_COMMIT, [uuid], Millis(of_commits(b"max_commit_ms")));
    out.put(&COMMIT_TIME, [uuid], Millis(of_commits(b"total_commit_ms")));
    for kind in ["data", "metadata", "system"] {
        out.put(&RESERVED, [uuid, kind], Bytes(number(reader, &format!("allocation/{kind}/bytes_reserved"))));
        let mut modes = Vec::new();
        let allocation = format!("{path}/allocation/{kind}");
        reader.list(sys, &allocation, |name, is_dir| modes.extend(is_dir.then(|| name.to_owned())))?;
        modes.sort_unstable();
        for mode in &modes {
            let labels = [uuid, kind, mode];
            out.put(&USED, labels, Bytes(number(reader, &format!("allocation/{kind}/{mode}/used_bytes"))));
            out.put(&SIZE, labels, Bytes(number(reader, &format!("allocation/{kind}/{mode}/total_bytes"))));
            out.put(&COPIES, labels, Ratio(copies(mode, devices.len())));
        }
    }
    if let Some(asked) = asked.iter().find(|asked| asked.uuid == uuid) {
        asked.devices.iter().for_each(|device| emit_device(uuid, device, out));
    } else {
        for device in &devices {
            let sectors = number(reader, &format!("devices/{device}/size"));
            out.put(&DEVICE_SIZE, [uuid, device, ""], Bytes(sectors.saturating_mul(SECTOR)));
        }
    }
    Ok(())
}

fn emit_device(system: &str, device: &Device, out: &mut Batch) {
    let labels = [system, device.name.as_str(), &device.uuid];
    out.put(&DEVICE_SIZE, labels, Bytes(device.size));
    out.put(&DEVICE_UNUSED, labels, Bytes(device.size.saturating_sub(device.used)));
    for (error, count) in ["write", "read", "flush", "corruption", "generation"].into_iter().zip(device.errors) {
        out.put(&DEVICE_ERRORS, [system, &device.name, &device.uuid, error], count);
    }
}

/// Bytes on the devices for a byte of data; 0 for a profile that we do not know.
#[expect(clippy::cast_precision_loss, reason = "a file system has few devices")]
fn copies(mode: &str, devices: usize) -> f64 {
    let devices = devices as f64;
    match mode {
        "single" | "raid0" => 1.0,
        "dup" | "raid1" | "raid10" => 2.0,
        "raid1c3" => 3.0,
        "raid1c4" => 4.0,
        "raid5" => devices / (devices - 1.0),
        "raid6" => devices / (devices - 2.0),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn file_systems_of_one_device_and_of_several() {
        check(&SPEC, "node_btrfs/testdata/two-systems", View::Node);
    }

    #[test]
    fn parity_takes_a_device_or_two() {
        assert_eq!(["raid1c3", "raid5", "raid6", "new"].map(|mode| copies(mode, 4)), [3.0, 4.0 / 3.0, 2.0, 0.0]);
    }
}
