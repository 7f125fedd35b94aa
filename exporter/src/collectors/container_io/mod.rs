//! What each container reads from and writes to block devices.
//!
//! Read are `io.stat` of cgroup version 2, or the `blkio.*` files of version 1 ([`files`] says which); for the machine
//! also `/proc/diskstats`, for each device that is mounted. A device that has no series did nothing. On version 1 the
//! kernel counts only while a scheduler or a limit asks it to; on many machines nothing does.
//!
//! Times of the machine's row are seconds. A kubelet divides the kernel's milliseconds by 10⁹ there, so that its figures
//! are a million times too small. Left out are sectors of version 1's cgroups, which the kernel does not split into
//! reads and writes (a kubelet prints 0).

mod devices;
mod files;
mod metrics;
mod parse;

use std::sync::Arc;

use kernfs::{Host, ReadError, Reader, text};
use metric::{Batch, Bytes, Count, Family, Micros, Millis, Nanos, Of, Seconds};

use self::{
    devices::Devices,
    files::{Candidates, Files},
    metrics::{cadvisor, own},
    parse::{Disk, Entry, Number, Stat},
};
use crate::{
    identity::{AsCadvisor, Controller, Group, GroupKind, Layout, Version},
    mounts::{self, Mounted},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_io",
    about: "What each container reads from and writes to block devices.",
    default_on: true,
    needs: &[Need::File("cgroup/…/io.stat"), Need::File("sys/dev/block"), Need::File("proc/diskstats")],
    shows: &[(View::Cadvisor, cadvisor::ALL), (View::Own, own::ALL)],
    build,
};

/// Mounts are looked at once a minute.
const MOUNTS_EVERY: f64 = 60.0;

#[derive(Debug, Default)]
struct ContainerIo {
    devices: Devices,
    mounted: Vec<Mounted>,
    mounted_at: f64,
    /// Devices that the machine's cgroup told of in this scrape, with operations and with times.
    counted: Vec<Number>,
    timed: Vec<Number>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::<ContainerIo>::default())
}

impl Collector for ContainerIo {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        let Scrape { tree, host, reader, out, problems, now, .. } = scrape;
        self.devices.begin(*now);
        let mut candidates = Candidates::ALL;
        for group in tree.groups() {
            let is_root = group.kind == GroupKind::Root;
            if is_root {
                self.counted.clear();
                self.timed.clear();
            }
            let read = match layout.version(Controller::Io) {
                _ if !is_root && group.cadvisor.is_none() && group.own.is_none() => continue,
                Some(Version::V2) => self.version_2(group, &layout, host, reader, out),
                Some(Version::V1) if is_root => match Candidates::of_root(group, &layout, reader) {
                    Ok(found) => {
                        candidates = found;
                        self.version_1(group, candidates, &layout, host, reader, out)
                    }
                    Err(problem) => Err(problem),
                },
                Some(Version::V1) => self.version_1(group, candidates, &layout, host, reader, out),
                None => Ok(()),
            };
            problems.extend(read.err());
            if is_root && let Some(of) = group.cadvisor {
                problems.extend(self.machine(of, *now, host, reader, out).err());
            }
        }
        Ok(())
    }
}

impl ContainerIo {
    fn version_2(
        &mut self,
        group: &mut Group,
        layout: &Layout,
        host: &Host,
        reader: &mut Reader,
        out: &mut Batch,
    ) -> Result<(), ReadError> {
        let Some(file) = group.read(layout, Controller::Io, "io.stat", reader)? else { return Ok(()) };
        let stats: Vec<(Number, Stat)> = parse::io_stat(file).collect();
        self.devices.learn(stats.iter().map(|(number, _)| *number), host, reader);
        for (number, stat) in stats {
            let Some(device) = self.devices.of(number) else { continue };
            if let Some(of) = group.cadvisor {
                emit_stat(of, device, stat, out);
                if stat.reads.is_some() && group.kind == GroupKind::Root {
                    self.counted.push(number);
                }
            }
            if let Some(of) = group.own {
                let rows = [
                    ("read", stat.read_bytes, stat.reads),
                    ("write", stat.write_bytes, stat.writes),
                    ("discard", stat.discard_bytes, stat.discards),
                ];
                for (operation, bytes, operations) in rows {
                    if let (Some(bytes), Some(operations)) = (bytes, operations) {
                        out.put_of(&own::BYTES, of, [&device.name, operation], Bytes(bytes));
                        out.put_of(&own::OPERATIONS, of, [&device.name, operation], operations);
                    }
                }
            }
        }
        Ok(())
    }

    fn version_1(
        &mut self,
        group: &mut Group,
        candidates: Candidates,
        layout: &Layout,
        host: &Host,
        reader: &mut Reader,
        out: &mut Batch,
    ) -> Result<(), ReadError> {
        let Some(files) = candidates.pick(group, layout, reader)? else { return Ok(()) };
        let Files { operations, bytes, time, merged, queued, .. } = *files;
        if let Some(file) = group.read(layout, Controller::Io, operations, reader)? {
            let numbers: Vec<Number> = parse::entries(file).map(|entry| entry.device).collect();
            self.devices.learn(numbers.into_iter(), host, reader);
        }
        let (cadvisor, own, is_root) = (group.cadvisor, group.own, group.kind == GroupKind::Root);
        let devices = &self.devices;
        if let Some(file) = group.read(layout, Controller::Io, operations, reader)? {
            for entry in parse::entries(file) {
                let Some(device) = devices.of(entry.device) else { continue };
                put_split(cadvisor, &cadvisor::READS, &cadvisor::WRITES, &device.name, entry, Count::from, out);
                if let (Some(of), Some(operation)) = (own, own_operation(entry.operation)) {
                    out.put_of(&own::OPERATIONS, of, [&device.name, operation], entry.value);
                }
                if is_root && entry.operation == b"Read" {
                    self.counted.push(entry.device);
                }
            }
        }
        if let Some(file) = group.read(layout, Controller::Io, bytes, reader)? {
            for entry in parse::entries(file) {
                let Some(device) = devices.of(entry.device) else { continue };
                put_split(cadvisor, &cadvisor::READ_BYTES, &cadvisor::WRITE_BYTES, &device.name, entry, Bytes, out);
                if let Some(of) = cadvisor {
                    let operation = text::text(entry.operation);
                    let labels = [&*device.name, &device.major, &device.minor, &operation];
                    out.put_of(&cadvisor::USAGE, of, labels, entry.value);
                }
                if let (Some(of), Some(operation)) = (own, own_operation(entry.operation)) {
                    out.put_of(&own::BYTES, of, [&device.name, operation], Bytes(entry.value));
                }
            }
        }
        let Some(of) = cadvisor else { return Ok(()) };
        if let Some(name) = time
            && let Some(file) = group.read(layout, Controller::Io, name, reader)?
        {
            let seconds = |nanos| Seconds::from(Nanos(nanos));
            for entry in parse::entries(file) {
                let Some(device) = devices.of(entry.device) else { continue };
                put_split(cadvisor, &cadvisor::READ_TIME, &cadvisor::WRITE_TIME, &device.name, entry, seconds, out);
                if entry.operation == b"Total" {
                    out.put_of(&cadvisor::IO_TIME, of, [&device.name], seconds(entry.value));
                }
                if is_root && entry.operation == b"Read" {
                    self.timed.push(entry.device);
                }
            }
        }
        if let Some(name) = merged
            && let Some(file) = group.read(layout, Controller::Io, name, reader)?
        {
            for entry in parse::entries(file) {
                let Some(device) = devices.of(entry.device) else { continue };
                let (reads, writes) = (&cadvisor::READS_MERGED, &cadvisor::WRITES_MERGED);
                put_split(cadvisor, reads, writes, &device.name, entry, Count::from, out);
            }
        }
        if let Some(name) = queued
            && let Some(file) = group.read(layout, Controller::Io, name, reader)?
        {
            for entry in parse::entries(file).filter(|entry| entry.operation == b"Total") {
                let Some(device) = devices.of(entry.device) else { continue };
                out.put_of(&cadvisor::IN_FLIGHT, of, [&device.name], entry.value);
            }
        }
        Ok(())
    }

    /// What the machine did, for each device that is mounted. A file system that has no disk has zeros, as in a kubelet.
    fn machine(
        &mut self,
        of: Of<AsCadvisor>,
        now: f64,
        host: &Host,
        reader: &mut Reader,
        out: &mut Batch,
    ) -> Result<(), ReadError> {
        if self.mounted.is_empty() || now - self.mounted_at >= MOUNTS_EVERY {
            self.mounted = mounts::mounted(host, reader)?;
            self.mounted_at = now;
        }
        let disks: Vec<Disk> = match reader.read(&host.proc, "diskstats")? {
            Some(file) => parse::disks(file).collect(),
            None => return Ok(()),
        };
        let none = Disk::default();
        for mounted in &self.mounted {
            let named = disks.iter().find(|disk| disk.name == mounted.device);
            let disk = named.or_else(|| disks.iter().find(|disk| disk.device == mounted.number));
            let number = disk.map_or(mounted.number, |disk| disk.device);
            // What the machine's cgroup told of already is not told again under the same name.
            let is_told = |told: &[Number]| {
                told.contains(&number) && self.devices.of(number).is_some_and(|known| known.name == mounted.device)
            };
            let (counted, timed) = (is_told(&self.counted), is_told(&self.timed));
            emit_disk(of, &mounted.device, disk.unwrap_or(&none), counted, timed, out);
        }
        Ok(())
    }
}

/// Puts the value in the family of reads or of writes; other operations have none.
fn put_split<U: metric::Unit>(
    of: Option<Of<AsCadvisor>>,
    reads: &'static Family<U, 1, AsCadvisor>,
    writes: &'static Family<U, 1, AsCadvisor>,
    device: &str,
    entry: Entry<'_>,
    unit: impl Fn(u64) -> U,
    out: &mut Batch,
) {
    let Some(of) = of else { return };
    match entry.operation {
        b"Read" => out.put_of(reads, of, [device], unit(entry.value)),
        b"Write" => out.put_of(writes, of, [device], unit(entry.value)),
        _ => {}
    }
}

fn own_operation(operation: &[u8]) -> Option<&'static str> {
    match operation {
        b"Read" => Some("read"),
        b"Write" => Some("write"),
        b"Discard" => Some("discard"),
        _ => None,
    }
}

fn emit_stat(of: Of<AsCadvisor>, device: &devices::Device, stat: Stat, out: &mut Batch) {
    let bytes = [("Read", &cadvisor::READ_BYTES, stat.read_bytes), ("Write", &cadvisor::WRITE_BYTES, stat.write_bytes)];
    for (operation, family, bytes) in bytes {
        if let Some(bytes) = bytes {
            out.put_of(&cadvisor::USAGE, of, [&device.name, &device.major, &device.minor, operation], bytes);
            out.put_of(family, of, [&device.name], Bytes(bytes));
        }
    }
    for (family, count) in [(&cadvisor::READS, stat.reads), (&cadvisor::WRITES, stat.writes)] {
        if let Some(count) = count {
            out.put_of(family, of, [&device.name], count);
        }
    }
    let costs = [
        (&cadvisor::COST_USAGE, stat.cost_usage),
        (&cadvisor::COST_WAIT, stat.cost_wait),
        (&cadvisor::COST_INDEBT, stat.cost_indebt),
        (&cadvisor::COST_INDELAY, stat.cost_indelay),
    ];
    for (family, cost) in costs {
        if let Some(cost) = cost {
            out.put_of(family, of, [&device.name], Micros(cost));
        }
    }
}

fn emit_disk(of: Of<AsCadvisor>, device: &str, disk: &Disk, counted: bool, timed: bool, out: &mut Batch) {
    if !counted {
        out.put_of(&cadvisor::READS, of, [device], disk.reads);
        out.put_of(&cadvisor::WRITES, of, [device], disk.writes);
    }
    if !timed {
        out.put_of(&cadvisor::READS_MERGED, of, [device], disk.reads_merged);
        out.put_of(&cadvisor::WRITES_MERGED, of, [device], disk.writes_merged);
        out.put_of(&cadvisor::READ_TIME, of, [device], Millis(disk.read_ms));
        out.put_of(&cadvisor::WRITE_TIME, of, [device], Millis(disk.write_ms));
        out.put_of(&cadvisor::IN_FLIGHT, of, [device], disk.in_flight);
        out.put_of(&cadvisor::IO_TIME, of, [device], Millis(disk.busy_ms));
    }
    out.put_of(&cadvisor::SECTORS_READ, of, [device], disk.sectors_read);
    out.put_of(&cadvisor::SECTORS_WRITTEN, of, [device], disk.sectors_written);
    out.put_of(&cadvisor::WEIGHTED_TIME, of, [device], Millis(disk.weighted_ms));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn version_2_throttling_bfq_and_cfq_show_the_same_families() {
        for tree in ["v2", "v1-throttle", "v1-bfq", "v1-cfq"] {
            let tree = format!("container_io/testdata/{tree}");
            check(&SPEC, &tree, View::Cadvisor);
            check(&SPEC, &tree, View::Own);
        }
    }
}
