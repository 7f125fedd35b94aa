//! `io.stat`, the `blkio.*` files and `/proc/diskstats`.
//!
//! Version 2 (admin-guide/cgroup-v2.rst, "io.stat"); the `cost.` keys, microseconds, are there with the iocost controller:
//! ```text
//! 254:0 rbytes=459776 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0 cost.usage=12 cost.wait=3
//! ```
//! Version 1 (admin-guide/cgroup-v1/blkio-controller.rst), one line a device and operation:
//! ```text
//! 254:0 Read 459776
//! 254:0 Total 459776
//! Total 459776
//! ```
//! `/proc/diskstats` (admin-guide/iostats.rst), sectors of 512 bytes, milliseconds:
//! ```text
//!  254       0 vda 314705 66786 31047866 309653 73390 141842 24081464 70857 0 55388 384099
//! ```

use kernfs::text;

use crate::mounts;

/// Major and minor number of a block device.
pub(super) type Number = (u32, u32);

/// What a number of a version 1 file counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Read,
    Write,
    Sync,
    Async,
    Discard,
    Total,
}

impl Operation {
    /// As the kernel writes it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Sync => "Sync",
            Self::Async => "Async",
            Self::Discard => "Discard",
            Self::Total => "Total",
        }
    }

    fn of(word: &[u8]) -> Option<Self> {
        let all = [Self::Read, Self::Write, Self::Sync, Self::Async, Self::Discard, Self::Total];
        all.into_iter().find(|operation| operation.name().as_bytes() == word)
    }
}

/// One number of a version 1 file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) device: Number,
    /// `None` in files that know no operations.
    pub(super) operation: Option<Operation>,
    pub(super) value: u64,
}

/// The numbers of a version 1 file, without the total over devices.
pub(super) fn entries(file: &[u8]) -> impl Iterator<Item = Entry> {
    text::lines(file).filter_map(|line| {
        let mut words = text::words(line);
        let device = mounts::number(words.next()?)?;
        let second = words.next()?;
        Some(match words.next() {
            Some(value) => Entry { device, operation: Some(Operation::of(second)?), value: text::number(value)? },
            None => Entry { device, operation: None, value: text::number(second)? },
        })
    })
}

/// What a cgroup did with one device, on version 2. Each is `None` when the kernel does not tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) read_bytes: Option<u64>,
    pub(super) write_bytes: Option<u64>,
    pub(super) discard_bytes: Option<u64>,
    pub(super) reads: Option<u64>,
    pub(super) writes: Option<u64>,
    pub(super) discards: Option<u64>,
    /// Microseconds, as the other costs.
    pub(super) cost_usage: Option<u64>,
    pub(super) cost_wait: Option<u64>,
    pub(super) cost_indebt: Option<u64>,
    pub(super) cost_indelay: Option<u64>,
}

/// The devices of `io.stat`.
pub(super) fn io_stat(file: &[u8]) -> impl Iterator<Item = (Number, Stat)> {
    text::lines(file).filter_map(|line| {
        let mut words = text::words(line);
        let device = mounts::number(words.next()?)?;
        let mut stat = Stat::default();
        for word in words {
            let Some(equals) = word.iter().position(|byte| *byte == b'=') else { continue };
            let (key, value) = word.split_at(equals);
            let value = value.get(1..).and_then(text::number);
            match key {
                b"rbytes" => stat.read_bytes = value,
                b"wbytes" => stat.write_bytes = value,
                b"dbytes" => stat.discard_bytes = value,
                b"rios" => stat.reads = value,
                b"wios" => stat.writes = value,
                b"dios" => stat.discards = value,
                b"cost.usage" => stat.cost_usage = value,
                b"cost.wait" => stat.cost_wait = value,
                b"cost.indebt" => stat.cost_indebt = value,
                b"cost.indelay" => stat.cost_indelay = value,
                _ => {}
            }
        }
        Some((device, stat))
    })
}

/// A line of `/proc/diskstats`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) device: Number,
    /// `/dev/vda`.
    pub(super) name: String,
    pub(super) reads: u64,
    pub(super) reads_merged: u64,
    pub(super) sectors_read: u64,
    pub(super) read_ms: u64,
    pub(super) writes: u64,
    pub(super) writes_merged: u64,
    pub(super) sectors_written: u64,
    pub(super) write_ms: u64,
    pub(super) in_flight: u64,
    pub(super) busy_ms: u64,
    pub(super) weighted_ms: u64,
}

/// The disks and partitions that cAdvisor tells: `sd…`, `vd…`, `xvd…`, `dm-…`, and `nvme…` and `mmcblk…`, which it does
/// not.
pub(super) fn disks(file: &[u8]) -> impl Iterator<Item = Disk> {
    text::lines(file).filter_map(|line| {
        let mut words = text::words(line);
        let part = |word| text::number(word).and_then(|n| u32::try_from(n).ok());
        let device = (part(words.next()?)?, part(words.next()?)?);
        let name = words.next()?;
        let told = [&b"sd"[..], b"vd", b"xvd", b"dm-", b"nvme", b"mmcblk"].iter().any(|start| name.starts_with(start));
        let mut next = || words.next().and_then(text::number);
        told.then_some(())?;
        Some(Disk {
            device,
            name: format!("/dev/{}", text::text(name)),
            reads: next()?,
            reads_merged: next()?,
            sectors_read: next()?,
            read_ms: next()?,
            writes: next()?,
            writes_merged: next()?,
            sectors_written: next()?,
            write_ms: next()?,
            in_flight: next()?,
            busy_ms: next()?,
            weighted_ms: next()?,
        })
    })
}

/// Whether cAdvisor does not name a device: disks in memory, files as disks, CDs.
pub(super) fn is_unnamed(name: &str) -> bool {
    ["/dev/loop", "/dev/ram", "/dev/sr"].iter().any(|start| name.starts_with(start))
}

/// `DEVNAME=vda` of a device's `uevent`.
pub(super) fn device_name(uevent: &[u8]) -> Option<String> {
    let line = text::lines(uevent).find_map(|line| line.strip_prefix(b"DEVNAME="))?;
    Some(format!("/dev/{}", text::text(line)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn version_1_files_have_operations_or_none() {
        let found: Vec<_> = entries(b"254:0 Read 4096\n254:0 Total 4096\nTotal 4096\n8:1 77\n").collect();
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], Entry { device: (254, 0), operation: Some(Operation::Read), value: 4096 });
        assert_eq!(found[2], Entry { device: (8, 1), operation: None, value: 77 });
    }

    #[test]
    fn a_device_without_numbers_has_none() {
        let file = b"253:0 \n254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=7 cost.wait=8\n";
        let found: Vec<_> = io_stat(file).collect();
        assert_eq!(found[0], ((253, 0), Stat::default()));
        assert_eq!((found[1].1.read_bytes, found[1].1.cost_wait, found[1].1.cost_indebt), (Some(1), Some(8), None));
    }

    #[test]
    fn loop_and_memory_disks_are_left_out() {
        let file = b"   7       0 loop0 1 0 0 0 0 0 0 0 0 0 0\n 254       0 vda 1 2 3 4 5 6 7 8 9 10 11 0 0 0 0\n";
        let found: Vec<_> = disks(file).collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].device, found[0].in_flight, found[0].weighted_ms), ((254, 0), 9, 11));
        assert_eq!(found[0].name, "/dev/vda");
    }

    #[test]
    fn names_come_from_uevent() {
        assert_eq!(device_name(b"MAJOR=254\nMINOR=0\nDEVNAME=vda\n").as_deref(), Some("/dev/vda"));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (entries(&bytes).count(), io_stat(&bytes).count(), disks(&bytes).count(), device_name(&bytes));
        }
    }
}
