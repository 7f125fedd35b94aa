//! Finds a container's writable layer: the upper folder of its root overlay.
//!
//! Source: `/proc/<pid>/mountinfo` of one of its processes, once:
//! ```text
//! 600 500 0:55 / / rw - overlay overlay rw,lowerdir=…,upperdir=/var/lib/containerd/…/snapshots/7/fs,workdir=…
//! ```
//! The path is that of the process that mounted it, which is the runtime and so the machine's.

use crate::mounts;

/// The upper folder of the overlay at the root of a process.
pub(super) fn upper(mountinfo: &[u8]) -> Option<String> {
    // Of several mounts in one place the last is the one that is seen.
    let root = mounts::mountinfo(mountinfo).filter(|mount| mount.point == b"/").last()?;
    if root.kind != b"overlay" && root.kind != b"fuse.fuse-overlayfs" {
        return None;
    }
    let option = options(root.options).find_map(|option| option.strip_prefix(b"upperdir="))?;
    // Overlayfs escapes commas in its options, the kernel what it prints in mountinfo.
    let path = mounts::unescaped(option).replace("\\,", ",");
    (path.starts_with('/') && !path.split('/').any(|part| part == "..")).then_some(path)
}

/// Options are separated by commas without a backslash before them.
fn options(all: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut escaped = false;
    all.split(move |byte| {
        let separates = *byte == b',' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        separates
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_upper_folder_of_the_root_counts() {
        let file = b"600 500 0:55 / / rw - overlay overlay rw,lowerdir=/l/1:/l/2,upperdir=/s/7/fs,workdir=/s/7/work\n\
            601 600 0:56 / /mnt rw - overlay overlay rw,upperdir=/other\n";
        assert_eq!(upper(file).as_deref(), Some("/s/7/fs"));
    }

    #[test]
    fn blanks_and_commas_in_the_path() {
        let file = b"600 500 0:55 / / rw - overlay overlay rw,upperdir=/a\\040b\\,c,workdir=/w\n";
        assert_eq!(upper(file).as_deref(), Some("/a b,c"));
    }

    #[test]
    fn a_root_that_is_no_overlay_or_is_read_only_has_none() {
        assert_eq!(upper(b"27 1 254:0 / / rw - ext4 /dev/vda rw\n"), None);
        assert_eq!(upper(b"600 500 0:55 / / ro - overlay overlay ro,lowerdir=/a:/b\n"), None);
        assert_eq!(upper(b"600 500 0:55 / / rw - overlay overlay rw,upperdir=/a/../../etc\n"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = upper(&bytes);
        }
    }
}
