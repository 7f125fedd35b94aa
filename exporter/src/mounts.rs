//! Mounted file systems of the host, under the device names of cAdvisor.
//!
//! Source: `/proc/1/mountinfo` (filesystems/proc.rst, 3.5), or `self` where process 1 may not be looked into:
//! ```text
//! 27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
//! ```
//! cAdvisor lists the mounts once, when it starts; the list here follows the machine. So that it does not grow with
//! every container, the mounts that runtimes and kubelets make for containers and volumes are left out.

use kernfs::{Host, ReadError, Reader, text};

/// One mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// As cAdvisor names it: the source (`/dev/vda`), the mount point of a tmpfs, `overlay_0-42` of an overlay.
    pub device: String,
    /// Major and minor number.
    pub number: (u32, u32),
    /// Where it is mounted, seen from the machine's root.
    pub point: String,
    /// Type of the file system.
    pub kind: String,
}

/// A line of mountinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount<'f> {
    /// Major and minor number.
    pub number: (u32, u32),
    /// The folder of the file system that is mounted.
    pub root: &'f [u8],
    /// Where it is mounted, still escaped.
    pub point: &'f [u8],
    /// Type of the file system.
    pub kind: &'f [u8],
    /// What is mounted, still escaped.
    pub source: &'f [u8],
    /// Options of the file system.
    pub options: &'f [u8],
}

/// The lines of a mountinfo file; those of another shape are left out.
pub fn mountinfo(file: &[u8]) -> impl Iterator<Item = Mount<'_>> {
    text::lines(file).filter_map(|line| {
        let mut words = text::words(line).skip(2);
        let number = number(words.next()?)?;
        let (root, point) = (words.next()?, words.next()?);
        let mut words = words.skip_while(|word| *word != b"-").skip(1);
        let (kind, source) = (words.next()?, words.next()?);
        Some(Mount { number, root, point, kind, source, options: words.next().unwrap_or_default() })
    })
}

/// `254:0`.
pub fn number(word: &[u8]) -> Option<(u32, u32)> {
    let colon = word.iter().position(|byte| *byte == b':')?;
    let (major, minor) = word.split_at(colon);
    let part = |digits| text::number(digits).and_then(|n| u32::try_from(n).ok());
    Some((part(major)?, part(minor.get(1..)?)?))
}

/// The text of a word in which blanks and backslashes stand as `\040`.
pub fn unescaped(word: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { tail.get(3..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Below these, runtimes and kubelets mount what comes and goes with containers.
const OF_CONTAINERS: &[&str] = &[
    "/run/containerd/",
    "/run/k3s/containerd/",
    "/run/docker/",
    "/run/netns/",
    "/var/lib/containerd/",
    "/var/lib/containers/",
    "/var/lib/docker/",
    "/var/lib/kubelet/",
    "/var/lib/rancher/",
];

/// Types of file systems that cAdvisor measures, besides `ext…` and `nfs…`.
const MEASURED: &[&str] = &[
    "btrfs", "exfat", "f2fs", "fat", "hfs", "hfsplus", "iso9660", "jfs", "msdos", "ntfs", "overlay", "reiserfs",
    "squashfs", "tmpfs", "udf", "vfat", "xfs", "zfs",
];

/// The file systems of the machine, each device once, in the order of mounting.
pub fn mounted(host: &Host, reader: &mut Reader) -> Result<Vec<Mounted>, ReadError> {
    for process in ["1", "self"] {
        match reader.read(&host.proc, &format!("{process}/mountinfo")) {
            Ok(Some(file)) if !file.is_empty() => return Ok(devices(file)),
            Err(problem) if process == "self" => return Err(problem),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(Vec::new())
}

fn devices(file: &[u8]) -> Vec<Mounted> {
    let mut devices: Vec<Mounted> = Vec::new();
    for mount in mountinfo(file) {
        let kind = text::text(mount.kind);
        let point = unescaped(mount.point);
        let measured = MEASURED.contains(&&*kind) || kind.starts_with("ext") || kind.starts_with("nfs");
        if point == "/" {
            // Whatever is mounted there: the machine's root is always told.
            add(&mut devices, unescaped(mount.source), &mount, point.clone());
        }
        if !measured || OF_CONTAINERS.iter().any(|folder| point.starts_with(folder)) {
            continue;
        }
        let device = match &*kind {
            "tmpfs" => point.clone(),
            "overlay" => format!("{}_{}-{}", unescaped(mount.source), mount.number.0, mount.number.1),
            _ => unescaped(mount.source),
        };
        add(&mut devices, device, &mount, point);
    }
    devices
}

/// Of several mounts of one device the first counts; of several in one place, as only a tmpfs is named by, the last.
fn add(devices: &mut Vec<Mounted>, device: String, mount: &Mount<'_>, point: String) {
    let new = Mounted { device, number: mount.number, point, kind: text::text(mount.kind).into_owned() };
    match devices.iter_mut().find(|known| known.device == new.device) {
        Some(known) if new.kind == "tmpfs" => *known = new,
        Some(_) => {}
        None => devices.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"22 27 0:21 / /proc rw,relatime - proc proc rw\n\
        27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard\n\
        25 24 0:23 / /dev/shm rw - tmpfs tmpfs rw,size=24684084k\n\
        30 25 0:27 / /dev/shm rw - tmpfs tmpfs rw,size=24684084k\n\
        40 27 8:1 /sub /data\\040one rw shared:2 master:1 - xfs /dev/sda1 rw\n\
        41 27 254:0 /x /bind rw - ext4 /dev/vda rw\n\
        42 27 0:40 / /merged rw - overlay overlay rw,lowerdir=/a,upperdir=/b,workdir=/c\n\
        43 27 0:41 / /run/containerd/io.containerd.runtime.v2.task/k8s.io/x/rootfs rw - overlay overlay rw\n\
        44 27 0:42 / /var/lib/kubelet/pods/x/volumes/y rw - tmpfs tmpfs rw\n";

    #[test]
    fn each_device_is_told_once_under_cadvisors_name() {
        let found: Vec<_> = devices(FILE).into_iter().map(|m| (m.device, m.number, m.point)).collect();
        let expected = [
            ("/dev/vda", (254, 0), "/"),
            ("/dev/shm", (0, 27), "/dev/shm"),
            ("/dev/sda1", (8, 1), "/data one"),
            ("overlay_0-40", (0, 40), "/merged"),
        ];
        assert_eq!(found, expected.map(|(device, number, point)| (device.to_owned(), number, point.to_owned())));
    }

    #[test]
    fn an_overlay_at_the_root_has_both_names() {
        let found: Vec<_> = devices(b"1 0 0:9 / / rw - overlay overlay rw\n").into_iter().map(|m| m.device).collect();
        assert_eq!(found, ["overlay", "overlay_0-9"]);
    }
}
