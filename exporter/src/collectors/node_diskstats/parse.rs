//! `/run/udev/data/b<major>:<minor>`: what udev knows of a block device. Lines that start with `E:` are properties:
//! ```text
//! S:disk/by-id/nvme-SAMSUNG_EHFTF55LURSY-000Y9
//! I:3186500
//! E:ID_MODEL=SAMSUNG EHFTF55LURSY-000Y9
//! E:ID_SERIAL_SHORT=S252B6CU1HG3M1
//! ```

use std::collections::BTreeMap;

use kernfs::text;

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
    use procfs_core::DiskStat;
    use proptest::prelude::*;

    #[test]
    fn the_serial_number_is_the_one_on_the_label_if_udev_has_it() {
        let mut file = b"E:ID_SERIAL=virtio-1\nS:x\nE:broken\n".to_vec();
        assert_eq!(properties(&file).serial(), "virtio-1");
        file.extend_from_slice(b"E:ID_SERIAL_SHORT=S252\nE:SCSI_IDENT_SERIAL=\n");
        assert_eq!(properties(&file).serial(), "S252");
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (properties(&bytes), DiskStat::from_line(&text::text(&bytes)));
        }
    }
}
