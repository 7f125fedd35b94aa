//! The struct that `drops.bpf.c` shares with us (`drops.h`).

use std::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::ids::CgroupId;

/// Where packets were dropped, and why (`struct drop_key`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Key {
    /// The cgroup; 0 where it is not known.
    pub(super) cgroup: CgroupId,
    device: [u8; 16],
    host: u32,
    /// Number of the reason.
    pub(super) reason: u32,
}

const _: () = {
    assert!(size_of::<Key>() == 32);
    assert!(offset_of!(Key, host) == 24);
};

/// A network device.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Device {
    /// Whether it is the machine's own.
    pub(super) is_host: bool,
    /// Its name; empty where there is none.
    pub(super) name: String,
}

impl Key {
    /// The device, where that is what is known.
    pub(super) fn device(&self) -> Option<Device> {
        if self.cgroup != CgroupId::NO_ROOM {
            return None;
        }
        let name = self.device.split(|byte| *byte == 0).next().unwrap_or_default();
        // The kernel uses the place for something else in packets that wait at a socket.
        let can_be_in_it = |byte: &u8| *byte > b' ' && !matches!(byte, b'/' | b':' | 0x7f);
        let is_name = !name.is_empty() && name.len() < 16 && name.iter().all(can_be_in_it);
        let is_name = is_name && std::str::from_utf8(name).is_ok();
        let name = if is_name { kernfs::text::text(name).into_owned() } else { String::new() };
        Some(Device { is_host: is_name && self.host != 0, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_name_is_one() {
        let key = |device: &[u8; 16]| Key { device: *device, host: 1, ..Key::default() };
        let device = |is_host, name: &str| Some(Device { is_host, name: name.into() });
        assert_eq!(key(b"eth0\0\xff\0\0\0\0\0\0\0\0\0\0").device(), device(true, "eth0"));
        assert_eq!(key(b"\x10\x81\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0").device(), device(false, ""));
        assert_eq!(key(b"0123456789abcdef").device(), device(false, ""));
        assert_eq!(key(b"e\xe3\x80\x80a\0\0\0\0\0\0\0\0\0\0\0").device(), device(true, "e\u{3000}a"));
        assert_eq!(Key { cgroup: CgroupId(7), ..key(b"eth0\0\0\0\0\0\0\0\0\0\0\0\0") }.device(), None);
    }
}
