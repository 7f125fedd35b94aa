//! The record that `exec.bpf.c` sends (`exec.h`), with the same size and offsets.

use std::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::ids::CgroupId;

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Started {
    cgroup: CgroupId,
    time_ns: u64,
    pid: u32,
    parent: u32,
    uid: u32,
    file_len: u32,
    command: [u8; 16],
    file: [u8; 208],
}

const _: () = {
    assert!(size_of::<Started>() == 256);
    assert!(offset_of!(Started, file) == 48);
};

/// A program was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Cgroup of the process.
    pub cgroup: CgroupId,
    /// When, in ns of the monotonic clock.
    pub time_ns: u64,
    /// Process id in the kernel's numbering.
    pub pid: u32,
    /// The process that made it.
    pub parent: u32,
    /// User id in the kernel's numbering.
    pub uid: u32,
    /// The task's name, at most 15 bytes.
    pub command: String,
    /// The file, as it was named to the kernel; at most 207 bytes.
    pub file: String,
}

/// Reads a record; `None` when it is none of ours.
pub fn decode(bytes: &[u8]) -> Option<Start> {
    let (started, _) = Started::read_from_prefix(bytes).ok()?;
    let file = started.file.get(..started.file_len as usize)?;
    let command = started.command.split(|byte| *byte == 0).next().unwrap_or_default();
    Some(Start {
        cgroup: started.cgroup,
        time_ns: started.time_ns,
        pid: started.pid,
        parent: started.parent,
        uid: started.uid,
        command: kernfs::text::text(command).into_owned(),
        file: kernfs::text::text(file).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            decode(&bytes);
        }
    }
}
