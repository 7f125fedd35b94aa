//! Reads and writes of each container on block devices.
//!
//! Source: `io.stat` of cgroup version 2, or the `blkio.*` files of version 1 ([`files`] says which); for the machine
//! also `/proc/diskstats`, for each device that is mounted. A device that has no series did nothing. On version 1 the
//! kernel counts only while a scheduler or a limit asks it to; on many machines nothing does.
//!
//! Times of the machine's row are seconds. A kubelet divides the kernel's milliseconds by 10⁹ there, so that its figures
//! are a million times too small. cAdvisor does not name loop devices, memory disks and CDs; in its view they have the
//! empty name, and where nothing else tells devices apart only the first of them has a series.
//! Not included: sectors of version 1's cgroups, which the kernel does not split into reads and writes (a kubelet
//! prints 0).

mod devices;
mod files;
mod metrics;
mod parse;

use std::sync::Arc;

use kernfs::{Host, ReadError, Reader};
use metric::{Batch, Bytes, Count, Family, Micros, Millis, Nanos, Of, Seconds};

use self::{
    devices::Devices,
    files::Candidates,
    metrics::{cadvisor, own},
    parse::{Disk, Entry, Number, Operation, Stat},
};
use crate::{
    identity::{AsCadvisor, AsContainer, Controller, Group, GroupKind, Layout, Version},
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
    /// What is being looked at; kept for its memory.
    entries: Vec<Entry>,
    stats: Vec<(Number, Stat)>,
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
        if self.mounted.is_empty() || *now - self.mounted_at >= MOUNTS_EVERY {
            self.mounted = mounts::mounted(host, reader)?;
            self.mounted_at = *now;
        }
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
                problems.extend(self.machine(of, host, reader, out).err());
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
        self.stats.clear();
        self.stats.extend(parse::io_stat(file));
        let numbers = self.stats.iter().map(|(number, _)| *number);
        self.devices.learn(numbers, &self.mounted, host, reader);
        for (number, stat) in &self.stats {
            let Some(device) = self.devices.of(*number) else { continue };
            if let Some(of) = group.cadvisor {
                let is_apart = self.devices.is_apart(*number, self.stats.iter().map(|(number, _)| *number));
                emit_stat(of, device, *stat, is_apart, out);
                if stat.reads.is_some() && group.kind == GroupKind::Root {
                    self.counted.push(*number);
                }
            }
            if let Some(of) = group.own {
                emit_own(of, &device.name, *stat, out);
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
        let Some(files) = candidates.pick(group, layout, reader, &mut self.entries)? else { return Ok(()) };
        let numbers = self.entries.iter().map(|entry| entry.device);
        self.devices.learn(numbers, &self.mounted, host, reader);
        if files.first != files.operations {
            self.read(group, Some(files.operations), layout, reader)?;
        }
        // Both counts of a device are put together, so that a device that did nothing has none in our own view.
        let operations = std::mem::take(&mut self.entries);
        self.read(group, Some(files.bytes), layout, reader)?;
        let bytes = std::mem::replace(&mut self.entries, operations);
        if let Some(of) = group.cadvisor {
            self.put(of, &cadvisor::READS, &cadvisor::WRITES, Count::from, out);
            self.noted(group, true);
        }
        if let Some(of) = group.own {
            for (number, stat) in merged(&self.entries, &bytes) {
                if let Some(device) = self.devices.of(number).filter(|_| stat != Stat::default()) {
                    emit_own(of, &device.name, stat, out);
                }
            }
        }
        let Some(of) = group.cadvisor else { return Ok(()) };
        self.entries = bytes;
        self.put(of, &cadvisor::READ_BYTES, &cadvisor::WRITE_BYTES, Bytes, out);
        for entry in &self.entries {
            if let (Some(device), Some(operation)) = (self.devices.of(entry.device), entry.operation) {
                let labels = [&*device.shown, &device.major, &device.minor, operation.name()];
                out.put_of(&cadvisor::USAGE, of, labels, entry.value);
            }
        }
        let seconds = |nanos| Seconds::from(Nanos(nanos));
        self.read(group, files.time, layout, reader)?;
        self.put(of, &cadvisor::READ_TIME, &cadvisor::WRITE_TIME, seconds, out);
        self.put_total(of, &cadvisor::IO_TIME, seconds, out);
        self.noted(group, false);
        self.read(group, files.merged, layout, reader)?;
        self.put(of, &cadvisor::READS_MERGED, &cadvisor::WRITES_MERGED, Count::from, out);
        self.read(group, files.queued, layout, reader)?;
        self.put_total(of, &cadvisor::IN_FLIGHT, Count::from, out);
        Ok(())
    }

    /// Reads a file of version 1 into `entries`; a file that is not there leaves none.
    fn read(
        &mut self,
        group: &mut Group,
        name: Option<&'static str>,
        layout: &Layout,
        reader: &mut Reader,
    ) -> Result<(), ReadError> {
        self.entries.clear();
        if let Some(name) = name
            && let Some(file) = group.read(layout, Controller::Io, name, reader)?
        {
            self.entries.extend(parse::entries(file));
        }
        Ok(())
    }

    /// Remembers which devices the machine's cgroup told of, with operations or with times.
    fn noted(&mut self, group: &Group, operations: bool) {
        if group.kind == GroupKind::Root {
            let into = if operations { &mut self.counted } else { &mut self.timed };
            into.extend(self.entries.iter().map(|entry| entry.device));
        }
    }

    /// Puts the numbers of reads and writes; other operations have no family.
    fn put<U: metric::Unit>(
        &self,
        of: Of<AsCadvisor>,
        reads: &'static Family<U, 1, AsCadvisor>,
        writes: &'static Family<U, 1, AsCadvisor>,
        unit: impl Fn(u64) -> U,
        out: &mut Batch,
    ) {
        for (operation, family) in [(Operation::Read, reads), (Operation::Write, writes)] {
            self.put_each(of, operation, family, &unit, out);
        }
    }

    fn put_total<U: metric::Unit>(
        &self,
        of: Of<AsCadvisor>,
        family: &'static Family<U, 1, AsCadvisor>,
        unit: impl Fn(u64) -> U,
        out: &mut Batch,
    ) {
        self.put_each(of, Operation::Total, family, &unit, out);
    }

    fn put_each<U: metric::Unit>(
        &self,
        of: Of<AsCadvisor>,
        operation: Operation,
        family: &'static Family<U, 1, AsCadvisor>,
        unit: &impl Fn(u64) -> U,
        out: &mut Batch,
    ) {
        for entry in self.entries.iter().filter(|entry| entry.operation == Some(operation)) {
            let Some(device) = self.devices.of(entry.device) else { continue };
            if self.devices.is_apart(entry.device, self.entries.iter().map(|entry| entry.device)) {
                out.put_of(family, of, [&device.shown], unit(entry.value));
            }
        }
    }

    /// What the machine did, for each device that is mounted. A file system that has no disk has zeros, as in a kubelet.
    fn machine(
        &mut self,
        of: Of<AsCadvisor>,
        host: &Host,
        reader: &mut Reader,
        out: &mut Batch,
    ) -> Result<(), ReadError> {
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
                told.contains(&number) && self.devices.of(number).is_some_and(|known| known.shown == mounted.device)
            };
            let (counted, timed) = (is_told(&self.counted), is_told(&self.timed));
            emit_disk(of, &mounted.device, disk.unwrap_or(&none), counted, timed, out);
        }
        Ok(())
    }
}

/// Operations and bytes of each device, from two files of version 1.
fn merged(operations: &[Entry], bytes: &[Entry]) -> impl Iterator<Item = (Number, Stat)> {
    let value = |entries: &[Entry], device: Number, operation: Operation| {
        let found = entries.iter().find(|entry| entry.device == device && entry.operation == Some(operation));
        found.map(|entry| entry.value)
    };
    operations.iter().filter(|entry| entry.operation == Some(Operation::Total) && entry.value > 0).map(move |entry| {
        let device = entry.device;
        let stat = Stat {
            read_bytes: value(bytes, device, Operation::Read),
            write_bytes: value(bytes, device, Operation::Write),
            discard_bytes: value(bytes, device, Operation::Discard),
            reads: value(operations, device, Operation::Read),
            writes: value(operations, device, Operation::Write),
            discards: value(operations, device, Operation::Discard),
            ..Stat::default()
        };
        (device, stat)
    })
}

fn emit_own(of: Of<AsContainer>, device: &str, stat: Stat, out: &mut Batch) {
    let rows = [
        ("read", stat.read_bytes, stat.reads),
        ("write", stat.write_bytes, stat.writes),
        ("discard", stat.discard_bytes, stat.discards),
    ];
    for (operation, bytes, operations) in rows {
        if let (Some(bytes), Some(operations)) = (bytes, operations) {
            out.put_of(&own::BYTES, of, [device, operation], Bytes(bytes));
            out.put_of(&own::OPERATIONS, of, [device, operation], operations);
        }
    }
}

fn emit_stat(of: Of<AsCadvisor>, device: &devices::Device, stat: Stat, is_apart: bool, out: &mut Batch) {
    let bytes = [("Read", &cadvisor::READ_BYTES, stat.read_bytes), ("Write", &cadvisor::WRITE_BYTES, stat.write_bytes)];
    for (operation, family, bytes) in bytes {
        let Some(bytes) = bytes else { continue };
        out.put_of(&cadvisor::USAGE, of, [&device.shown, &device.major, &device.minor, operation], bytes);
        if is_apart {
            out.put_of(family, of, [&device.shown], Bytes(bytes));
        }
    }
    if !is_apart {
        return;
    }
    for (family, count) in [(&cadvisor::READS, stat.reads), (&cadvisor::WRITES, stat.writes)] {
        if let Some(count) = count {
            out.put_of(family, of, [&device.shown], count);
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
            out.put_of(family, of, [&device.shown], Micros(cost));
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
