//! Finds a container's writable layer: the upper folder of its root overlay.
//!
//! Source: `/proc/<pid>/mountinfo` of one of its processes, once:
//! ```text
//! 600 500 0:55 / / rw - overlay overlay rw,lowerdir=…,upperdir=/var/lib/containerd/…/snapshots/7/fs,workdir=…
//! ```
//! The path is that of the process that mounted it. For most containers that is the machine's runtime, but one that runs
//! in a container itself (Docker in Docker, a cluster in containers) has a mount namespace of its own, and the machine
//! may have other files at that path. So the overlay is looked for by its number, in the mount namespaces of the machine
//! and of the ancestors of the process: the path is resolved where it is mounted.

use kernfs::{Host, Reader};

use crate::{
    identity::Pid,
    mounts::{self, Root},
};

/// A container's writable layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upper {
    /// Number of the overlay.
    pub(super) number: (u32, u32),
    /// Where the one who mounted it sees the folder.
    pub(super) path: String,
}

/// The root at which the upper folder of a process's overlay is to be looked for; `None` when no mount namespace that can
/// be seen has the overlay.
pub(super) fn root_of(upper: &Upper, pid: Pid, host: &Host, reader: &mut Reader) -> Option<Root> {
    if mounts::is_mounted_at(host, reader, Root::Machine, upper.number) == Some(true) {
        return Some(Root::Machine);
    }
    if !reader.exists(&host.proc, &format!("{pid}/stat")) {
        // It has ended, or this is no procfs: nothing says that the path is another's.
        return Some(Root::Machine);
    }
    let ancestors = mounts::ancestors(host, reader, pid);
    // A process of the same container sees the overlay as its root, and not the folder under it.
    let mut sees = |root: Root| mounts::is_mounted_at(host, reader, root, upper.number) == Some(true);
    let found: Vec<u32> = ancestors.into_iter().filter(|pid| sees(Root::Process(*pid))).collect();
    found.into_iter().map(Root::Process).find(|root| {
        let Root::Process(pid) = root else { return false };
        let mountinfo = reader.read(&host.proc, &format!("{pid}/mountinfo")).ok().flatten();
        mountinfo.is_some_and(|file| self::upper(file).is_none_or(|own| own.number != upper.number))
    })
}

/// The upper folder of the overlay at the root of a process.
pub(super) fn upper(mountinfo: &[u8]) -> Option<Upper> {
    // Of several mounts in one place the last is the one that is seen.
    let root = mounts::mountinfo(mountinfo).filter(|mount| mount.point == b"/").last()?;
    if root.kind != b"overlay" && root.kind != b"fuse.fuse-overlayfs" {
        return None;
    }
    let option = options(root.options).find_map(|option| option.strip_prefix(b"upperdir="))?;
    // Overlayfs escapes commas in its options, the kernel what it prints in mountinfo.
    let path = mounts::unescaped(option).replace("\\,", ",");
    let is_sound = path.starts_with('/') && !path.split('/').any(|part| part == "..");
    is_sound.then_some(Upper { number: root.number, path })
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
        assert_eq!(upper(file).map(|upper| upper.path).as_deref(), Some("/s/7/fs"));
    }

    #[test]
    fn blanks_and_commas_in_the_path() {
        let file = b"600 500 0:55 / / rw - overlay overlay rw,upperdir=/a\\040b\\,c,workdir=/w\n";
        assert_eq!(upper(file).map(|upper| upper.path).as_deref(), Some("/a b,c"));
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
