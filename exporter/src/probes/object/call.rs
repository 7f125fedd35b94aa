//! bpf(2) itself, for the commands that aya does not have, and what else the C library offers no safe way to. The only
//! module with `unsafe`.

#![expect(unsafe_code, reason = "bpf(2) takes pointers inside its argument, and libc declares its functions unsafe")]

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use zerocopy::IntoBytes as _;

/// Has the kernel count runs of all programs and their time until the result is dropped. Costs two clock readings a
/// run, some 50 ns.
pub fn count_runs() -> io::Result<OwnedFd> {
    let mut attr = Attr::default();
    attr.u32(0, 0);
    attr.new_fd(command::ENABLE_STATS)
}

/// Whether a program of this id is in the kernel. Takes `CAP_SYS_ADMIN`.
pub fn is_loaded(program: u32) -> io::Result<bool> {
    let mut attr = Attr::default();
    attr.u32(0, program);
    match attr.new_fd(command::PROG_GET_FD_BY_ID) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// ioctl(2) of an open file. Only for requests that say how large their argument is, as those that are made by `_IOR`,
/// `_IOW` and `_IOWR` do; the argument may be larger. It may hold no pointers.
pub fn ioctl(file: BorrowedFd<'_>, request: u32, argument: &mut [u8]) -> io::Result<()> {
    const SIZE_SHIFT: u32 = 16;
    const SIZE_MASK: u32 = 0x3fff;
    let size = usize::try_from((request >> SIZE_SHIFT) & SIZE_MASK).map_err(io::Error::other)?;
    if size == 0 || size > argument.len() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: the kernel reads and writes as many bytes of the argument as the request says, and there are so many.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::Ioctl::from(request), argument.as_mut_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Has the allocator return what is free to the kernel, which it otherwise keeps for as long as the process runs.
pub(super) fn give_memory_back() {
    // SAFETY: takes no pointer and may be called at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Has the allocator keep one heap for all threads, from the next thread on. By itself it makes one for each of the first
/// threads, eight a processor, and what is free in one is of no use to another: 3 MiB with 300 containers.
pub fn keep_one_heap() {
    // SAFETY: takes no pointer and may be called at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Unmaps the pages of a part of this process's memory that is a file's and was never written to. They are read from the
/// file again when they are touched.
pub(super) fn unmap_unwritten(mapping: &procfs_core::process::MemoryMap) {
    let (start, end) = mapping.address;
    let (Ok(at), Ok(length)) = (usize::try_from(start), usize::try_from(end - start)) else { return };
    // SAFETY: what is there afterwards is what was there before, as nobody wrote to it.
    unsafe {
        libc::madvise(std::ptr::with_exposed_provenance_mut(at), length, libc::MADV_DONTNEED);
    }
}

/// Of tracepoints and of functions.
pub(super) fn attach_tracepoint(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = Attr::default();
    attr.fd(8, program);
    attr.new_fd(command::RAW_TRACEPOINT_OPEN)
}

/// What an iterator walks.
#[derive(Clone, Copy)]
pub(super) enum Over<'a> {
    Everything,
    Cgroups(BorrowedFd<'a>),
    Map(BorrowedFd<'a>),
}

pub(super) fn attach_iterator(program: BorrowedFd<'_>, over: Over<'_>) -> io::Result<OwnedFd> {
    const TRACE_ITER: u32 = 28;
    const PARENTS_FIRST: u32 = 2;
    // `union bpf_iter_link_info`: `struct { u32 order; u32 cgroup_fd; u64 cgroup_id; }` or `struct { u32 map_fd; }`.
    let info = match over {
        Over::Everything => None,
        Over::Cgroups(folder) => Some([PARENTS_FIRST, folder.as_raw_fd().unsigned_abs(), 0, 0]),
        Over::Map(map) => Some([map.as_raw_fd().unsigned_abs(), 0, 0, 0]),
    };
    let mut attr = Attr::default();
    attr.fd(0, program);
    attr.u32(8, TRACE_ITER);
    if let Some(info) = &info {
        attr.pointer(16, info.as_ptr().cast());
        attr.u32(24, 16);
    }
    let link = attr.new_fd(command::LINK_CREATE);
    // `info` must live until here: the kernel reads it in the call above.
    let _ = info;
    link
}

/// Links go beside those of others (`BPF_F_ALLOW_MULTI` is implied).
pub(super) fn attach_packets(program: BorrowedFd<'_>, folder: BorrowedFd<'_>, leaves: bool) -> io::Result<OwnedFd> {
    const INGRESS: u32 = 0;
    const EGRESS: u32 = 1;
    let mut attr = Attr::default();
    attr.fd(0, program);
    attr.fd(4, folder);
    attr.u32(8, if leaves { EGRESS } else { INGRESS });
    attr.new_fd(command::LINK_CREATE)
}

pub(super) fn obj_pin(fd: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = Attr::default();
    attr.pointer(0, path.as_ptr().cast());
    attr.fd(8, fd);
    attr.call(command::OBJ_PIN).map(drop)
}

pub(super) fn obj_get(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = Attr::default();
    attr.pointer(0, path.as_ptr().cast());
    attr.new_fd(command::OBJ_GET)
}

/// Numbers of `enum bpf_cmd`.
pub(super) mod command {
    pub(in super::super) const MAP_LOOKUP_ELEM: u32 = 1;
    pub(in super::super) const MAP_UPDATE_ELEM: u32 = 2;
    pub(in super::super) const MAP_DELETE_ELEM: u32 = 3;
    pub(in super::super) const OBJ_PIN: u32 = 6;
    pub(in super::super) const OBJ_GET: u32 = 7;
    pub(in super::super) const MAP_LOOKUP_AND_DELETE_ELEM: u32 = 21;
    pub(in super::super) const PROG_GET_FD_BY_ID: u32 = 13;
    pub(in super::super) const RAW_TRACEPOINT_OPEN: u32 = 17;
    pub(in super::super) const MAP_LOOKUP_BATCH: u32 = 24;
    pub(in super::super) const LINK_CREATE: u32 = 28;
    pub(in super::super) const ENABLE_STATS: u32 = 32;
    pub(in super::super) const ITER_CREATE: u32 = 33;
}

/// `union bpf_attr`, filled by offset. The parts that we use have not moved since they were added.
#[derive(Default)]
pub(super) struct Attr([u64; 18]);

impl Attr {
    pub(super) fn u32(&mut self, at: usize, value: u32) {
        if let Some(room) = self.0.as_mut_bytes().get_mut(at..at + 4) {
            room.copy_from_slice(&value.to_ne_bytes());
        }
    }

    pub(super) fn fd(&mut self, at: usize, fd: BorrowedFd<'_>) {
        self.u32(at, fd.as_raw_fd().unsigned_abs());
    }

    pub(super) fn pointer(&mut self, at: usize, pointer: *const u8) {
        if let Some(word) = self.0.get_mut(at / 8) {
            *word = pointer.expose_provenance() as u64;
        }
    }

    pub(super) fn read_u32(&self, at: usize) -> u32 {
        let bytes = self.0.as_bytes().get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_ne_bytes)
    }

    pub(super) fn call(&mut self, command: u32) -> io::Result<libc::c_long> {
        // SAFETY: the kernel reads and writes `size_of::<Self>()` bytes of `self`, which is ours and initialised. The
        // pointers in it come from the callers above, which keep what they point to alive and, where the kernel
        // writes, exclusively borrowed and as large as the map's key and value sizes demand (`Table::checks`).
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_mut_ptr(), size_of::<Self>()) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
    }

    pub(super) fn new_fd(&mut self, command: u32) -> io::Result<OwnedFd> {
        let fd = i32::try_from(self.call(command)?).map_err(io::Error::other)?;
        // SAFETY: the commands that this is used with return a descriptor that is new and nobody else's.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}
