//! `/proc/<pid>/mountinfo` (`proc_pid_mountinfo(5)`), read by `procfs-core`:
//! ```text
//! 36 35 98:0 / /mnt\040a rw,noatime shared:1 - ext3 /dev/root rw,errors=continue
//! ```

use std::path::Path;

use kernfs::text;
use procfs_core::process::MountInfo;

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
/// Lines that make no sense are left out.
pub(super) fn mounts(file: &[u8], rootfs: &Path) -> impl Iterator<Item = Mount> {
    text::lines(file).filter_map(move |line| {
        let info = MountInfo::from_line(&text::text(line)).ok()?;
        let (major, minor) = info.majmin.split_once(':')?;
        let is_set = |option: &str| info.mount_options.contains_key(option) || info.super_options.contains_key(option);
        let path = unescaped(&info.mount_point.to_string_lossy());
        Some(Mount {
            // procfs-core takes the word "none" for nothing.
            device: info.mount_source.as_deref().map_or_else(|| "none".to_owned(), unescaped),
            point: below(&path, rootfs),
            fs_type: info.fs_type.clone(),
            major: major.to_owned(),
            minor: minor.to_owned(),
            read_only: is_set("ro") || info.super_options.contains_key("emergency_ro"),
        })
    })
}

fn below(path: &str, rootfs: &Path) -> String {
    match Path::new(path).strip_prefix(rootfs) {
        Ok(rest) if rootfs != Path::new("/") => format!("/{}", rest.display()),
        _ => path.to_owned(),
    }
}

/// The kernel writes blank, tab, newline, backslash and `#` as a backslash and three octal digits.
fn unescaped(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(u8::is_ascii);
        plain.push(code.map_or('\\', char::from));
        rest = if code.is_some() { after.get(3..).unwrap_or("") } else { after };
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_undone_and_the_root_is_taken_off() {
        let file = b"36 35 98:0 / /host/mnt\\040a\\134b rw,noatime shared:1 - ext3 /dev/root rw,errors=continue\n\
                     37 35 0:21 / /host ro - tmpfs none rw\nbroken\n";
        let found: Vec<_> = mounts(file, Path::new("/host")).map(|m| (m.device, m.point, m.read_only)).collect();
        let expected = [("/dev/root", "/mnt a\\b", false), ("none", "/", true)];
        assert_eq!(found, expected.map(|(device, path, ro)| (device.to_owned(), path.to_owned(), ro)));
        let whole: Vec<_> = mounts(file, Path::new("/")).map(|m| m.point).collect();
        assert_eq!(whole, ["/host/mnt a\\b", "/host"]);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = mounts(&bytes, Path::new("/host")).count();
        }

        #[test]
        fn no_mount_panics(line in "[0-9]{1,3} [0-9] [0-9]:?[0-9] / /[a-z\\\\0-9é]{0,9} (rw,?|ro){0,2} (shared:[0-9x]{1,2} )?(- )?[a-z]{1,4} \\S{0,5} r[wo]") {
            let _ = mounts(line.as_bytes(), Path::new("/")).count();
        }
    }
}
