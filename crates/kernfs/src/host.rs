//! Where the host's file systems are mounted in this process's view.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{CWD, Mode, OFlags, openat},
};
use thiserror::Error;

use crate::text;

/// An open directory that files are named below.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
    fd: OwnedFd,
}

impl Dir {
    /// Opens a directory. Fails when it is not there or not one.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fd = openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { path: path.to_owned(), fd })
    }

    /// Opens a directory so that the file system that it is on can be asked by `ioctl`.
    pub fn open_to_ask(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Ok(Self { path: path.to_owned(), fd: openat(CWD, path, flags, Mode::empty())? })
    }

    /// Its path, as it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of something below it; a leading slash of `below` does not lead out of it.
    pub fn join(&self, below: &str) -> PathBuf {
        self.path.join(text::path(below.trim_start_matches('/')))
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A root that cannot be used.
#[derive(Debug, Error)]
#[error("cannot open {what} at {}", path.display())]
pub struct HostError {
    /// Which root: "procfs", "sysfs", "cgroupfs", "rootfs".
    pub what: &'static str,
    /// The path that was tried.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// The machine that is observed.
#[derive(Debug)]
pub struct Host {
    /// procfs, usually `/proc`.
    pub proc: Dir,
    /// sysfs, usually `/sys`.
    pub sys: Dir,
    /// The cgroup hierarchies, usually `/sys/fs/cgroup`.
    pub cgroup: Dir,
    /// The root file system, usually `/`.
    pub rootfs: Dir,
}

impl Host {
    /// Opens the four roots.
    pub fn open(proc: &Path, sys: &Path, cgroup: &Path, rootfs: &Path) -> Result<Self, HostError> {
        let open =
            |what, path: &Path| Dir::open(path).map_err(|source| HostError { what, path: path.to_owned(), source });
        Ok(Self {
            proc: open("procfs", proc)?,
            sys: open("sysfs", sys)?,
            cgroup: open("cgroupfs", cgroup)?,
            rootfs: open("rootfs", rootfs)?,
        })
    }

    /// All four below one folder, as test fixtures lie: `proc`, `sys`, `cgroup`, `rootfs`.
    pub fn below(root: &Path) -> Result<Self, HostError> {
        Self::open(&root.join("proc"), &root.join("sys"), &root.join("cgroup"), &root.join("rootfs"))
    }
}
