//! `/proc/<pid>/mountinfo` (`proc_pid_mountinfo(5)`):
//! ```text
//! 36 35 98:0 / /mnt\040a rw,noatime shared:1 - ext3 /dev/root rw,errors=continue
//! ```

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use kernfs::text;

use crate::mounts::{below, mountinfo, unescaped};

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) device: String,
    /// Below the machine's root.
    pub(super) point: String,
    pub(super) fs_type: String,
    pub(super) major: String,
    pub(super) minor: String,
    pub(super) read_only: bool,
}

/// The mounts of the file. `rootfs` is where the machine's root is for who wrote it: mount points below it lose it.
/// Lines that make no sense are left out. Of several mounts of one device in one place, as a bind mount over itself
/// makes them, only the one that is seen is there.
pub(super) fn mounts(file: &[u8], rootfs: &Path) -> Vec<Mount> {
    let points: HashMap<u64, &[u8]> = mountinfo(file).map(|mount| (mount.id, mount.point)).collect();
    let covering = mountinfo(file).filter(|mount| points.get(&mount.parent) == Some(&mount.point));
    // The root may be said to be mounted in itself.
    let covered: HashSet<u64> = covering.filter(|mount| mount.id != mount.parent).map(|mount| mount.parent).collect();
    let mut found: Vec<(Mount, bool)> = Vec::new();
    let mut places: HashMap<(String, String, String), usize> = HashMap::new();
    for mount in mountinfo(file) {
        let is_seen = !covered.contains(&mount.id);
        let new = Mount {
            device: unescaped(mount.source),
            point: below(&unescaped(mount.point), rootfs),
            fs_type: text::text(mount.kind).into_owned(),
            major: mount.number.0.to_string(),
            minor: mount.number.1.to_string(),
            read_only: mount.has_option(b"ro") || mount.has_option(b"emergency_ro"),
        };
        let place = places.entry((new.device.clone(), new.point.clone(), new.fs_type.clone())).or_insert(found.len());
        match found.get_mut(*place) {
            Some(known) if is_seen || !known.1 => *known = (new, is_seen),
            Some(_) => {}
            None => found.push((new, is_seen)),
        }
    }
    found.into_iter().map(|(mount, _)| mount).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_undone_and_the_root_is_taken_off() {
        let file = b"36 35 98:0 / /host/mnt\\040a\\134b rw,noatime shared:1 - ext3 /dev/root rw,errors=continue\n\
                     37 35 0:21 / /host ro - tmpfs none rw\nbroken\n";
        let found: Vec<_> =
            mounts(file, Path::new("/host")).into_iter().map(|m| (m.device, m.point, m.read_only)).collect();
        let expected = [("/dev/root", "/mnt a\\b", false), ("none", "/", true)];
        assert_eq!(found, expected.map(|(device, path, ro)| (device.to_owned(), path.to_owned(), ro)));
        let whole: Vec<_> = mounts(file, Path::new("/")).into_iter().map(|m| m.point).collect();
        assert_eq!(whole, ["/host/mnt a\\b", "/host"]);
    }

    #[test]
    fn of_mounts_over_one_another_the_one_that_is_seen_is_told() {
        // A tmpfs, then itself once more, read-only.
        let file = b"21 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 21 0:40 / /mnt/x rw - tmpfs s rw\n\
            31 30 0:40 / /mnt/x ro - tmpfs s rw\n";
        let told = |file: &[u8]| -> Vec<_> {
            mounts(file, Path::new("/")).into_iter().map(|m| (m.device, m.point, m.minor, m.read_only)).collect()
        };
        let row = |device: &str, minor: &str, ro| (device.to_owned(), "/mnt/x".to_owned(), minor.to_owned(), ro);
        assert_eq!(told(file)[1..], [row("s", "40", true)]);
        // What covers may stand before what it covers, and another tmpfs of the same name is another device.
        let file = b"31 30 0:41 / /mnt/x ro - tmpfs s rw\n30 21 0:40 / /mnt/x rw - tmpfs s rw\n";
        assert_eq!(told(file), [row("s", "41", true)]);
        // Others over it keep their own rows, as in node_exporter.
        let file = b"30 21 0:40 / /mnt/x rw - tmpfs s rw\n31 30 0:41 / /mnt/x rw - tmpfs t rw\n\
            32 31 0:42 / /mnt/x rw - tmpfs s rw\n";
        assert_eq!(told(file), [row("s", "42", false), row("t", "41", false)]);
    }

    #[test]
    fn mount_points_that_are_not_utf8_are_told_apart() {
        let file = b"1 0 0:1 / /mnt/\xff rw - tmpfs s rw\n2 0 0:2 / /mnt/\xfe rw - tmpfs s rw\n";
        let points: Vec<_> = mounts(file, Path::new("/")).into_iter().map(|m| m.point).collect();
        assert_eq!(points, ["/mnt/\u{fffd}ff", "/mnt/\u{fffd}fe"]);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = mounts(&bytes, Path::new("/host")).len();
        }

        #[test]
        fn no_mount_panics(line in "[0-9]{1,3} [0-9] [0-9]:?[0-9] / /[a-z\\\\0-9é]{0,9} (rw,?|ro){0,2} (shared:[0-9x]{1,2} )?(- )?[a-z]{1,4} \\S{0,5} r[wo]") {
            let _ = mounts(line.as_bytes(), Path::new("/")).len();
        }
    }
}
