//! I/O of block devices, from `/proc/diskstats` (admin-guide/iostats.rst), and what they are, from udev's data and
//! `/sys/block`. Sectors there are always of 512 bytes, times in milliseconds.
//!
//! Columns that an older kernel lacks (discards before 4.18, flushes before 5.5) have no series. Without udev's data
//! (a container without `/run/udev`) the labels of `node_disk_info` that come from it are empty.

mod metrics;
mod parse;

use std::path::PathBuf;

use kernfs::{Dir, Host, ReadError, Reader, text};
use metric::{Batch, Bytes, Count, Family, Millis, Seconds};

use self::{
    metrics::{
        ALL, ATA_CACHE, ATA_CACHE_ON, ATA_ROTATION, BUSY, DISCARD_TIME, DISCARDED, DISCARDS, DISCARDS_MERGED,
        FILESYSTEM, FLUSH_TIME, FLUSHES, INFO, MAPPER, NOW, READ_BYTES, READ_TIME, READS, READS_MERGED, WEIGHTED,
        WRITE_TIME, WRITES, WRITES_MERGED, WRITTEN_BYTES,
    },
    parse::{COLUMNS, Disk, Properties},
};
use super::node::{Filter, attribute, malformed, or_problem};
use crate::{
    config::node::DISKSTATS_DEVICE_EXCLUDE,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_diskstats",
    about: "I/O of block devices, and what they are.",
    default_on: true,
    needs: &[Need::File("proc/diskstats"), Need::File("rootfs/run/udev/data")],
    shows: &[(View::Node, ALL)],
    build,
};

const SECTOR: u64 = 512;

/// Where udev keeps its data, below the machine's root.
const UDEV: &str = "run/udev/data";

#[derive(Debug)]
struct NodeDiskstats {
    filter: Filter,
    udev: PathBuf,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let options = &context.config.collector.diskstats;
    let filter = Filter::new(&options.device_include, &options.device_exclude, DISKSTATS_DEVICE_EXCLUDE);
    let path = &context.config.path.udev_data;
    let udev = if path.as_os_str().is_empty() { context.host.rootfs.join(UDEV) } else { path.clone() };
    Ok(Box::new(NodeDiskstats { filter, udev }))
}

impl Collector for NodeDiskstats {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, problems, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "diskstats")? else {
            scrape.nothing_there();
            return Ok(());
        };
        let mut disks = Vec::new();
        for line in text::lines(file) {
            match parse::disk(line) {
                Some(disk) if self.filter.passes(&disk.name) => disks.push(disk),
                Some(_) => {}
                None => problems.push(malformed(&host.proc, "diskstats", "a line that names no disk")),
            }
        }
        // It may have been started, or started anew, since the last scrape.
        let udev = Dir::open(&self.udev).ok();
        for disk in &disks {
            emit(disk, out);
            emit_info(disk, udev.as_ref(), host, reader, out, problems);
        }
        Ok(())
    }
}

/// How a column becomes a sample.
enum Column {
    Number(&'static Family<Count, 1>),
    Sectors(&'static Family<Bytes, 1>),
    Millis(&'static Family<Seconds, 1>),
}

/// Where each family's value stands.
static OF_COLUMN: [(usize, Column); COLUMNS] = [
    (0, Column::Number(&READS)),
    (1, Column::Number(&READS_MERGED)),
    (2, Column::Sectors(&READ_BYTES)),
    (3, Column::Millis(&READ_TIME)),
    (4, Column::Number(&WRITES)),
    (5, Column::Number(&WRITES_MERGED)),
    (6, Column::Sectors(&WRITTEN_BYTES)),
    (7, Column::Millis(&WRITE_TIME)),
    (8, Column::Number(&NOW)),
    (9, Column::Millis(&BUSY)),
    (10, Column::Millis(&WEIGHTED)),
    (11, Column::Number(&DISCARDS)),
    (12, Column::Number(&DISCARDS_MERGED)),
    (13, Column::Number(&DISCARDED)),
    (15, Column::Number(&FLUSHES)),
    (14, Column::Millis(&DISCARD_TIME)),
    (16, Column::Millis(&FLUSH_TIME)),
];

fn emit(disk: &Disk, out: &mut Batch) {
    let device = [disk.name.as_str()];
    for (at, column) in &OF_COLUMN {
        let Some(value) = disk.columns.get(*at).copied().flatten() else { continue };
        match column {
            Column::Number(family) => out.put(family, device, value),
            Column::Sectors(family) => out.put(family, device, Bytes(value.saturating_mul(SECTOR))),
            Column::Millis(family) => out.put(family, device, Millis(value)),
        }
    }
}

fn emit_info(
    disk: &Disk,
    udev: Option<&Dir>,
    host: &Host,
    reader: &mut Reader,
    out: &mut Batch,
    problems: &mut Vec<ReadError>,
) {
    let (major, minor) = (disk.major.to_string(), disk.minor.to_string());
    let udev = udev.and_then(|udev| or_problem(reader.read(udev, &format!("b{major}:{minor}")), problems));
    let udev = udev.map_or_else(Properties::default, parse::properties);
    let device = disk.name.as_str();
    let rotational = attribute(reader, &host.sys, &format!("block/{}/queue/rotational", device.replace('/', "!")));
    let rotational = if rotational == Some(b"1") { "1" } else { "0" };
    let (path, wwn, model) = (udev.of("ID_PATH"), udev.of("ID_WWN"), udev.of("ID_MODEL"));
    let revision = udev.of("ID_REVISION");
    out.put(&INFO, [device, &major, &minor, path, wwn, model, udev.serial(), revision, rotational], true);
    if !udev.of("ID_FS_TYPE").is_empty() {
        let [kind, usage] = ["ID_FS_TYPE", "ID_FS_USAGE"].map(|name| udev.of(name));
        let [uuid, version] = ["ID_FS_UUID", "ID_FS_VERSION"].map(|name| udev.of(name));
        out.put(&FILESYSTEM, [device, kind, usage, uuid, version], true);
    }
    if !udev.of("DM_NAME").is_empty() {
        let [name, uuid] = ["DM_NAME", "DM_UUID"].map(|name| udev.of(name));
        let [group, volume, layer] = ["DM_VG_NAME", "DM_LV_NAME", "DM_LV_LAYER"].map(|name| udev.of(name));
        out.put(&MAPPER, [device, name, uuid, group, volume, layer], true);
    }
    if !udev.of("ID_ATA").is_empty() {
        for (property, family) in [
            ("ID_ATA_WRITE_CACHE", &ATA_CACHE),
            ("ID_ATA_WRITE_CACHE_ENABLED", &ATA_CACHE_ON),
            ("ID_ATA_ROTATION_RATE_RPM", &ATA_ROTATION),
        ] {
            if let Ok(value) = udev.of(property).parse::<f64>() {
                out.put(family, [device], value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn disks_without_and_with_udev_and_of_kernels_with_fewer_columns() {
        check(&SPEC, "node_diskstats/testdata/vm-6-18", View::Node);
        check(&SPEC, "node_diskstats/testdata/kernel-docs", View::Node);
    }
}
