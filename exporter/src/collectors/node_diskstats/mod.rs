//! I/O of block devices, from `/proc/diskstats` (admin-guide/iostats.rst), and what they are, from udev's data and
//! `/sys/block`. Sectors there are always of 512 bytes, times in milliseconds.
//!
//! Columns that an older kernel lacks (discards before 4.18, flushes before 5.5) have no series. Without udev's data
//! (a container without `/run/udev`) the labels of `node_disk_info` that come from it are empty.

mod metrics;
mod parse;

use kernfs::{Dir, Host, ReadError, Reader, text};
use metric::{Batch, Bytes, Count, Family, Millis, Seconds};
use procfs_core::DiskStat;

use self::{
    metrics::{
        ALL, ATA_CACHE, ATA_CACHE_ON, ATA_ROTATION, BUSY, DISCARD_TIME, DISCARDED, DISCARDS, DISCARDS_MERGED,
        FILESYSTEM, FLUSH_TIME, FLUSHES, INFO, MAPPER, NOW, READ_BYTES, READ_TIME, READS, READS_MERGED, WEIGHTED,
        WRITE_TIME, WRITES, WRITES_MERGED, WRITTEN_BYTES,
    },
    parse::Properties,
};
use super::node::{Filter, attribute, malformed};
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
    udev: Option<Dir>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let options = &context.config.collector.diskstats;
    let filter = Filter::new(&options.device_include, &options.device_exclude, DISKSTATS_DEVICE_EXCLUDE);
    let path = &context.config.path.udev_data;
    let udev = if path.as_os_str().is_empty() { context.host.rootfs.join(UDEV) } else { path.clone() };
    Ok(Box::new(NodeDiskstats { filter, udev: Dir::open(&udev).ok() }))
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
            match DiskStat::from_line(&text::text(line)) {
                Ok(disk) if self.filter.passes(&disk.name) => disks.push(disk),
                Ok(_) => {}
                Err(error) => problems.push(malformed(&host.proc, "diskstats", error.to_string())),
            }
        }
        for disk in &disks {
            emit(disk, out);
            emit_info(disk, self.udev.as_ref(), host, reader, out)?;
        }
        Ok(())
    }
}

fn emit(disk: &DiskStat, out: &mut Batch) {
    let device = [disk.name.as_str()];
    let bytes = |sectors: u64| Bytes(sectors.saturating_mul(SECTOR));
    out.put(&READS, device, disk.reads);
    out.put(&READS_MERGED, device, disk.merged);
    out.put(&READ_BYTES, device, bytes(disk.sectors_read));
    out.put(&READ_TIME, device, Millis(disk.time_reading));
    out.put(&WRITES, device, disk.writes);
    out.put(&WRITES_MERGED, device, disk.writes_merged);
    out.put(&WRITTEN_BYTES, device, bytes(disk.sectors_written));
    out.put(&WRITE_TIME, device, Millis(disk.time_writing));
    out.put(&NOW, device, disk.in_progress);
    out.put(&BUSY, device, Millis(disk.time_in_progress));
    out.put(&WEIGHTED, device, Millis(disk.weighted_time_in_progress));
    let counts: [(&'static Family<Count, 1>, Option<u64>); 4] = [
        (&DISCARDS, disk.discards),
        (&DISCARDS_MERGED, disk.discards_merged),
        (&DISCARDED, disk.sectors_discarded),
        (&FLUSHES, disk.flushes),
    ];
    for (family, count) in counts {
        if let Some(count) = count {
            out.put(family, device, count);
        }
    }
    let times: [(&'static Family<Seconds, 1>, Option<u64>); 2] =
        [(&DISCARD_TIME, disk.time_discarding), (&FLUSH_TIME, disk.time_flushing)];
    for (family, millis) in times {
        if let Some(millis) = millis {
            out.put(family, device, Millis(millis));
        }
    }
}

fn emit_info(
    disk: &DiskStat,
    udev: Option<&Dir>,
    host: &Host,
    reader: &mut Reader,
    out: &mut Batch,
) -> Result<(), ReadError> {
    let (major, minor) = (disk.major.to_string(), disk.minor.to_string());
    let udev = match udev {
        Some(udev) => reader.read(udev, &format!("b{major}:{minor}"))?,
        None => None,
    };
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
    Ok(())
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
