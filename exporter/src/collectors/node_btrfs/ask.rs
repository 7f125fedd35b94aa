//! Devices of a mounted file system, from `ioctl_btrfs`(2): `include/uapi/linux/btrfs.h`.
//! sysfs has neither the devices' UUIDs nor how much of them is in use.

use std::fmt::Write as _;

use kernfs::{Dir, Host, ReadError, Reader};
use rustix::fd::AsFd as _;

use crate::{
    mounts::{mountinfo, unescaped},
    probes::object::ioctl,
};

/// `BTRFS_IOC_FS_INFO`, `BTRFS_IOC_DEV_INFO`, `BTRFS_IOC_GET_DEV_STATS`.
const FS_INFO: u32 = 0x8400_941f;
const DEV_INFO: u32 = 0xd000_941e;
const GET_DEV_STATS: u32 = 0xc408_9434;
/// Sizes of `btrfs_ioctl_fs_info_args`, `btrfs_ioctl_dev_info_args`, `btrfs_ioctl_get_dev_stats`.
const FS_INFO_SIZE: usize = 1024;
const DEV_INFO_SIZE: usize = 4096;
const DEV_STATS_SIZE: usize = 1032;
/// Where the path is in `btrfs_ioctl_dev_info_args`.
const PATH_AT: usize = 3072;
/// Numbers of errors in `btrfs_ioctl_get_dev_stats`.
const ERRORS: usize = 5;
/// Numbers of devices grow with each that is added; one that was taken away leaves a gap.
const HIGHEST_DEVICE: u64 = 4096;

/// A file system that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) uuid: String,
    pub(super) devices: Vec<Device>,
}

/// A device of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// The last part of its path: `sda1`.
    pub(super) name: String,
    pub(super) uuid: String,
    pub(super) size: u64,
    pub(super) used: u64,
    /// Errors of writing, reading, flushing, of checksums and of generations.
    pub(super) errors: [u64; ERRORS],
}

/// All Btrfs file systems that are mounted, each once. One that cannot be opened or does not answer is left out: the
/// agent may not be allowed to, or it was unmounted meanwhile.
pub(super) fn all(host: &Host, reader: &mut Reader) -> Result<Vec<Asked>, ReadError> {
    let mut file = reader.read(&host.proc, "1/mountinfo").ok().flatten().map(<[u8]>::to_vec);
    if file.is_none() {
        file = reader.read(&host.proc, "self/mountinfo")?.map(<[u8]>::to_vec);
    }
    let (mut asked, mut sources) = (Vec::<Asked>::new(), Vec::new());
    for mount in mountinfo(&file.unwrap_or_default()).filter(|mount| mount.kind == b"btrfs") {
        if sources.contains(&mount.source) {
            continue;
        }
        let Some(found) = ask(&host.rootfs.join(&unescaped(mount.point))) else { continue };
        sources.push(mount.source);
        if asked.iter().all(|known| known.uuid != found.uuid) {
            asked.push(found);
        }
    }
    Ok(asked)
}

fn ask(point: &std::path::Path) -> Option<Asked> {
    let folder = Dir::open_to_ask(point).ok()?;
    let mut info = [0; FS_INFO_SIZE];
    ioctl(folder.as_fd(), FS_INFO, &mut info).ok()?;
    let (highest, count) = (number(&info, 0)?, number(&info, 8)?);
    let mut asked = Asked { uuid: uuid(info.get(16..32)?), devices: Vec::new() };
    for id in 0..=highest.min(HIGHEST_DEVICE) {
        let mut info = [0; DEV_INFO_SIZE];
        info.get_mut(..8)?.copy_from_slice(&id.to_ne_bytes());
        match ioctl(folder.as_fd(), DEV_INFO, &mut info) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => continue,
            Err(_) => return None,
        }
        let mut stats = [0; DEV_STATS_SIZE];
        stats.get_mut(..8)?.copy_from_slice(&id.to_ne_bytes());
        stats.get_mut(8..16)?.copy_from_slice(&(ERRORS as u64).to_ne_bytes());
        ioctl(folder.as_fd(), GET_DEV_STATS, &mut stats).ok()?;
        asked.devices.push(device(&info, &stats)?);
        if asked.devices.len() as u64 == count {
            break;
        }
    }
    Some(asked)
}

fn device(info: &[u8], stats: &[u8]) -> Option<Device> {
    let path = info.get(PATH_AT..)?.split(|byte| *byte == 0).next()?;
    let name = path.rsplit(|byte| *byte == b'/').next()?;
    let mut errors = [0; ERRORS];
    for (at, error) in errors.iter_mut().enumerate() {
        *error = number(stats, 24 + 8 * at)?;
    }
    Some(Device {
        name: kernfs::text::text(name).into_owned(),
        uuid: uuid(info.get(8..24)?),
        used: number(info, 24)?,
        size: number(info, 32)?,
        errors,
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// A UUID as sysfs writes it.
fn uuid(bytes: &[u8]) -> String {
    bytes.iter().enumerate().fold(String::new(), |mut text, (at, byte)| {
        let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
        let _ = write!(text, "{dash}{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart() {
        let (mut info, mut stats) = ([0; DEV_INFO_SIZE], [0; DEV_STATS_SIZE]);
        info[8..24].copy_from_slice(&[0xab; 16]);
        info[24..32].copy_from_slice(&7_u64.to_ne_bytes());
        info[32..40].copy_from_slice(&9_u64.to_ne_bytes());
        info[PATH_AT..PATH_AT + 9].copy_from_slice(b"/dev/sda1");
        stats[32..40].copy_from_slice(&3_u64.to_ne_bytes());
        let device = device(&info, &stats).unwrap();
        assert_eq!((device.name.as_str(), device.used, device.size, device.errors), ("sda1", 7, 9, [0, 3, 0, 0, 0]));
        assert_eq!(device.uuid, uuid(&[0xab; 16]));
        assert_eq!(uuid(&[0x12; 16]), "12121212-1212-1212-1212-121212121212");
    }

    #[test]
    fn what_is_no_btrfs_does_not_answer() {
        assert_eq!(ask(std::path::Path::new("/proc")), None);
        assert_eq!(ask(std::path::Path::new("/nowhere")), None);
    }
}
