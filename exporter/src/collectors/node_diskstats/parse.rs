//! `/proc/diskstats` (admin-guide/iostats.rst). Kernels add columns at the end: discards in 4.18, flushes in 5.5.
//! ```text
//!  254       0 vda 314705 66786 31047866 309653 73390 141842 24081464 70857 0 55388 384099 12 0 8192 3 100 7
//! ```
//! `/run/udev/data/b<major>:<minor>`: what udev knows of a block device. Lines that start with `E:` are properties:
//! ```text
//! S:disk/by-id/nvme-SAMSUNG_EHFTF55LURSY-000Y9
//! I:3186500
//! E:ID_MODEL=SAMSUNG EHFTF55LURSY-000Y9
//! E:ID_SERIAL_SHORT=S252B6CU1HG3M1
//! ```

use std::collections::BTreeMap;

use kernfs::text;

/// Columns of a disk's line: after its number and its name.
pub(super) const COLUMNS: usize = 17;

/// A line of `/proc/diskstats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) major: u64,
    pub(super) minor: u64,
    pub(super) name: String,
    /// `None` where the kernel tells nothing, or what is no number of 64 bits.
    pub(super) columns: [Option<u64>; COLUMNS],
}

/// A line; `None` when it names no disk.
pub(super) fn disk(line: &[u8]) -> Option<Disk> {
    let mut words = text::words(line);
    let (major, minor) = (text::number(words.next()?)?, text::number(words.next()?)?);
    let name = text::text(words.next()?).into_owned();
    let mut columns = [None; COLUMNS];
    for (column, word) in columns.iter_mut().zip(words) {
        *column = text::number(word);
    }
    Some(Disk { major, minor, name, columns })
}

/// Properties of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Properties(BTreeMap<String, String>);

impl Properties {
    /// A property; empty when it is not there.
    pub(super) fn of(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The serial number as it is printed on the disk, or the nearest to it that udev has.
    pub(super) fn serial(&self) -> &str {
        ["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"]
            .into_iter()
            .map(|name| self.of(name))
            .find(|serial| !serial.is_empty())
            .unwrap_or("")
    }
}

/// Properties in a file of udev's.
pub(super) fn properties(file: &[u8]) -> Properties {
    let mut all = BTreeMap::new();
    for line in text::lines(file).filter_map(|line| line.strip_prefix(b"E:")) {
        let line = text::text(line);
        if let Some((name, value)) = line.split_once('=') {
            all.insert(name.to_owned(), value.to_owned());
        }
    }
    Properties(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_serial_number_is_the_one_on_the_label_if_udev_has_it() {
        let mut file = b"E:ID_SERIAL=virtio-1\nS:x\nE:broken\n".to_vec();
        assert_eq!(properties(&file).serial(), "virtio-1");
        file.extend_from_slice(b"E:ID_SERIAL_SHORT=S252\nE:SCSI_IDENT_SERIAL=\n");
        assert_eq!(properties(&file).serial(), "S252");
    }

    #[test]
    fn a_column_that_is_missing_or_odd_costs_itself() {
        let found = disk(b"  8  0 sd\xff 1 2 99999999999999999999 4").unwrap();
        assert_eq!((found.major, found.minor, found.name.as_str()), (8, 0, "sd\u{fffd}ff"));
        assert_eq!(found.columns[..5], [Some(1), Some(2), None, Some(4), None]);
        assert_eq!(disk(b"8 x sda 1"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (properties(&bytes), disk(&bytes));
        }
    }
}
