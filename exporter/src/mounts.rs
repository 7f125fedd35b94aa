//! Mounted file systems of the host, under the device names of cAdvisor.
//!
//! Source: `/proc/1/mountinfo` (filesystems/proc.rst, 3.5), or `self` where process 1 may not be looked into:
//! ```text
//! 27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
//! ```
//! cAdvisor lists the mounts once, when it starts; the list here follows the machine. So that it does not grow with
//! every container, the mounts that runtimes and kubelets make for containers and volumes are left out.

use std::path::Path;

use kernfs::{Dir, Host, ReadError, Reader, text};

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
    /// Number of the mount, and of the one that it is mounted in.
    pub id: u64,
    /// Number of the mount that it is mounted in.
    pub parent: u64,
    /// Major and minor number.
    pub number: (u32, u32),
    /// The folder of the file system that is mounted, still escaped.
    pub root: &'f [u8],
    /// Where it is mounted, still escaped.
    pub point: &'f [u8],
    /// Options of the mount.
    pub flags: &'f [u8],
    /// Type of the file system.
    pub kind: &'f [u8],
    /// What is mounted, still escaped.
    pub source: &'f [u8],
    /// Options of the file system.
    pub options: &'f [u8],
}

/// The lines of a mountinfo file; those of another shape are left out. One blank separates words, and a source may be
/// empty.
pub fn mountinfo(file: &[u8]) -> impl Iterator<Item = Mount<'_>> {
    text::lines(file).filter_map(|line| {
        let mut words = line.split(|byte| *byte == b' ');
        let (id, parent) = (text::number(words.next()?)?, text::number(words.next()?)?);
        let number = number(words.next()?)?;
        let (root, point, flags) = (words.next()?, words.next()?, words.next()?);
        // Any number of optional fields.
        let mut words = words.skip_while(|word| *word != b"-").skip(1);
        let (kind, source) = (words.next()?, words.next()?);
        let options = words.next().unwrap_or_default();
        Some(Mount { id, parent, number, root, point, flags, kind, source, options })
    })
}

impl Mount<'_> {
    /// Whether the mount or its file system has an option without a value.
    pub fn has_option(&self, option: &[u8]) -> bool {
        [self.flags, self.options].iter().any(|all| all.split(|byte| *byte == b',').any(|one| one == option))
    }
}

/// A path of the machine as its root sees it. `rootfs` is where the machine's root is for who wrote the file.
pub fn below(path: &str, rootfs: &Path) -> String {
    let rootfs = text::of_path(rootfs);
    match path.strip_prefix(rootfs.trim_end_matches('/')) {
        Some("") => "/".to_owned(),
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        _ => path.to_owned(),
    }
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
        let octal = tail.get(..3).filter(|_| *first == b'\\').and_then(octal);
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { tail.get(3..).unwrap_or_default() } else { tail };
    }
    kernfs::text::text(&bytes).into_owned()
}

/// Whose root a path is resolved at: a path means something only in the mount namespace in which it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// The machine's.
    Machine,
    /// That of a process, in the mount namespace of the process.
    Process(u32),
}

impl Root {
    /// The folder, and the name below it, by which this process reaches a path.
    pub fn resolve<'h>(self, host: &'h Host, path: &str) -> (&'h Dir, String) {
        match self {
            Self::Machine => (&host.rootfs, path.to_owned()),
            Self::Process(pid) => (&host.proc, format!("{pid}/root/{}", path.trim_start_matches('/'))),
        }
    }

    fn mountinfo(self) -> String {
        match self {
            Self::Machine => "1/mountinfo".to_owned(),
            Self::Process(pid) => format!("{pid}/mountinfo"),
        }
    }
}

/// Where paths of this process are resolved: at the machine's root if it shares its mount namespace.
pub fn root_of(host: &Host, reader: &Reader, pid: u32) -> Root {
    let namespace = |pid: u32| reader.link(&host.proc, &format!("{pid}/ns/mnt"));
    match (namespace(pid), namespace(1)) {
        (Some(own), Some(machines)) if own != machines => Root::Process(pid),
        _ => Root::Machine,
    }
}

/// How many ancestors of a process are looked at.
const MOST_ANCESTORS: usize = 16;

/// The ancestors of a process, the nearest first, without the init process.
pub fn ancestors(host: &Host, reader: &mut Reader, pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut pid = pid;
    while found.len() < MOST_ANCESTORS {
        let stat = reader.read(&host.proc, &format!("{pid}/stat"));
        let Some(parent) = stat.ok().flatten().and_then(parent).filter(|parent| *parent > 1) else { break };
        found.push(parent);
        pid = parent;
    }
    found
}

/// The parent's number in `/proc/<pid>/stat`; the command in brackets may hold anything.
fn parent(stat: &[u8]) -> Option<u32> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let word = text::words(stat.get(end + 1..)?).nth(1)?;
    text::number(word).and_then(|pid| u32::try_from(pid).ok())
}

/// The path, in the mount namespace of `root`, of a folder that is `inside` the file system with this number.
pub fn seen_at(host: &Host, reader: &mut Reader, root: Root, number: (u32, u32), inside: &str) -> Option<String> {
    let file = reader.read(&host.proc, &root.mountinfo()).ok()??;
    let paths = mountinfo(file).filter(|mount| mount.number == number).filter_map(|mount| {
        let rest = match unescaped(mount.root) {
            whole if whole == "/" => inside,
            part => inside.strip_prefix(part.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'))?,
        };
        Some(format!("{}{rest}", unescaped(mount.point).trim_end_matches('/')))
    });
    // Of several ways to it the shortest is the least likely to be a mount of one container.
    paths.min_by_key(String::len)
}

/// Whether the mount namespace of `root` has the file system with this number mounted; `None` when that cannot be told.
pub fn is_mounted_at(host: &Host, reader: &mut Reader, root: Root, number: (u32, u32)) -> Option<bool> {
    let file = reader.read(&host.proc, &root.mountinfo()).ok()??;
    Some(mountinfo(file).any(|mount| mount.number == number))
}

/// `040`.
fn octal(digits: &[u8]) -> Option<u8> {
    let value = digits.iter().try_fold(0_u32, |value, digit| match digit {
        b'0'..=b'7' => Some(value * 8 + u32::from(digit - b'0')),
        _ => None,
    });
    value.and_then(|value| u8::try_from(value).ok())
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
            Ok(Some(file)) if !file.is_empty() => return Ok(devices(file, host.rootfs.path())),
            Err(problem) if process == "self" => return Err(problem),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(Vec::new())
}

fn devices(file: &[u8], rootfs: &Path) -> Vec<Mounted> {
    let mut devices: Vec<Mounted> = Vec::new();
    for mount in mountinfo(file) {
        let kind = text::text(mount.kind);
        let point = below(&unescaped(mount.point), rootfs);
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
        let found: Vec<_> = devices(FILE, Path::new("/")).into_iter().map(|m| (m.device, m.number, m.point)).collect();
        let expected = [
            ("/dev/vda", (254, 0), "/"),
            ("/dev/shm", (0, 27), "/dev/shm"),
            ("/dev/sda1", (8, 1), "/data one"),
            ("overlay_0-40", (0, 40), "/merged"),
        ];
        assert_eq!(found, expected.map(|(device, number, point)| (device.to_owned(), number, point.to_owned())));
    }

    #[test]
    fn names_are_bytes_and_a_source_may_be_empty() {
        let file = b"9 1 0:31 / /mnt/\xff\\040x rw,noatime shared:1 future:2 - tmpfs  ro,size=1k\nbroken\n9 x 0:1 / / rw - a b c\n";
        let found: Vec<_> = mountinfo(file).collect();
        assert_eq!(found.len(), 1);
        assert_eq!((unescaped(found[0].point).as_str(), found[0].source), ("/mnt/\u{fffd}ff x", &b""[..]));
        assert!(found[0].has_option(b"ro") && found[0].has_option(b"noatime") && !found[0].has_option(b"size"));
        assert_eq!(unescaped(b"a\\134b\\+12\\"), "a\\b\\+12\\");
    }

    #[test]
    fn who_sees_the_root_elsewhere_has_its_prefix_taken_off() {
        for (path, rootfs, seen) in [
            ("/host/mnt", "/host", "/mnt"),
            ("/host", "/host", "/"),
            ("/host", "/host/", "/"),
            ("/hostile", "/host", "/hostile"),
            ("/mnt", "/host", "/mnt"),
            ("/mnt", "/", "/mnt"),
            ("/", "/", "/"),
        ] {
            assert_eq!(below(path, Path::new(rootfs)), seen, "{path} seen from {rootfs}");
        }
    }

    #[test]
    fn an_overlay_at_the_root_has_both_names() {
        let found: Vec<_> =
            devices(b"1 0 0:9 / / rw - overlay overlay rw\n", Path::new("/")).into_iter().map(|m| m.device).collect();
        assert_eq!(found, ["overlay", "overlay_0-9"]);
    }
}
