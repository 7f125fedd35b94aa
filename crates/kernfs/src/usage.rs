//! Disk usage: of a whole file system, or of one folder by walking it in small steps.

use std::{
    collections::HashSet,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rustix::{
    fd::OwnedFd,
    ffi::CStr,
    fs::{
        AtFlags, CWD, Dir as DirStream, FileType, Mode, OFlags, ResolveFlags, StatVfs, openat, openat2, statat, statvfs,
    },
    io::Errno,
};

use crate::read::{ReadError, is_gone};

/// A file system's size and what is left of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Bytes in all.
    pub bytes: u64,
    /// Bytes that are free, those kept for root too.
    pub bytes_free: u64,
    /// Inodes in all; 0 where the file system makes them as needed.
    pub inodes: u64,
    /// Inodes that are free.
    pub inodes_free: u64,
}

/// The space of the file system at a path; `None` when nothing is there. A file system whose server does not answer
/// makes this call wait for it.
pub fn space(path: &Path) -> Result<Option<Space>, ReadError> {
    match statvfs(path) {
        Ok(StatVfs { f_frsize, f_blocks, f_bfree, f_files, f_ffree, .. }) => Ok(Some(Space {
            bytes: f_blocks.saturating_mul(f_frsize),
            bytes_free: f_bfree.saturating_mul(f_frsize),
            inodes: f_files,
            inodes_free: f_ffree,
        })),
        Err(errno) if is_gone(errno) => Ok(None),
        Err(errno) => Err(ReadError { path: path.to_owned(), source: errno.into() }),
    }
}

/// Space and number of the files of a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on the device, in whole blocks.
    pub bytes: u64,
    /// Files, folders, links.
    pub inodes: u64,
}

/// A walk over a folder and all below it, as `du -x` does: a file with several names counts once, links are not followed,
/// other devices are left out. Folders that vanish on the way are no error.
#[derive(Debug)]
pub struct Walk {
    root: OwnedFd,
    path: PathBuf,
    device: u64,
    /// Folders that wait to be read, seen from the root.
    waiting: Vec<PathBuf>,
    reading: Option<(PathBuf, OwnedFd, DirStream)>,
    /// Inodes with more than one name that were counted.
    counted: HashSet<u64>,
    usage: Usage,
}

impl Walk {
    /// Begins a walk.
    pub fn begin(path: &Path) -> Result<Self, ReadError> {
        let failed = |errno: Errno| ReadError { path: path.to_owned(), source: errno.into() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let root = openat(CWD, path, flags, Mode::empty()).map_err(failed)?;
        let stat = statat(&root, c"", AtFlags::EMPTY_PATH).map_err(failed)?;
        Ok(Self {
            root,
            path: path.to_owned(),
            device: stat.st_dev,
            waiting: vec![PathBuf::from(".")],
            reading: None,
            counted: HashSet::new(),
            usage: Usage { bytes: blocks(&stat), inodes: 1 },
        })
    }

    /// Looks at up to so many files; the usage when the walk is done.
    pub fn step(&mut self, files: usize) -> Result<Option<Usage>, ReadError> {
        for _ in 0..files {
            let Some((folder, fd, stream)) = &mut self.reading else {
                match self.waiting.pop() {
                    Some(folder) => self.open(folder)?,
                    None => return Ok(Some(self.usage)),
                }
                continue;
            };
            let Some(Ok(entry)) = stream.next() else {
                self.reading = None;
                continue;
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(stat) = statat(&*fd, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT) else { continue };
            if stat.st_dev != self.device {
                continue;
            }
            let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if is_folder {
                self.waiting.push(below(folder, name));
            } else if stat.st_nlink > 1 && !self.counted.insert(stat.st_ino) {
                continue;
            }
            self.usage.bytes += blocks(&stat);
            self.usage.inodes += 1;
        }
        Ok(None)
    }

    /// The count so far.
    pub fn so_far(&self) -> Usage {
        self.usage
    }

    /// Opens a folder without following links that somebody put in its way meanwhile.
    fn open(&mut self, folder: PathBuf) -> Result<(), ReadError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let opened = match openat2(&self.root, &folder, flags, Mode::empty(), resolve) {
            // Linux before 5.6, or a filter of system calls that does not know it.
            Err(Errno::NOSYS | Errno::PERM) => openat(&self.root, &folder, flags, Mode::empty()),
            other => other,
        };
        let read = opened.and_then(|fd| DirStream::read_from(&fd).map(|stream| (fd, stream)));
        match read {
            Ok((fd, stream)) => self.reading = Some((folder, fd, stream)),
            Err(errno) if is_gone(errno) || matches!(errno, Errno::LOOP | Errno::XDEV) => {}
            Err(errno) => {
                return Err(ReadError { path: self.path.join(folder), source: io::Error::from(errno) });
            }
        }
        Ok(())
    }
}

fn blocks(stat: &rustix::fs::Stat) -> u64 {
    // `st_blocks` counts 512 bytes whatever the block size is.
    u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512)
}

fn below(folder: &Path, name: &CStr) -> PathBuf {
    folder.join(std::ffi::OsStr::from_bytes(name.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(path: &Path, step: usize) -> (Usage, usize) {
        let mut walk = Walk::begin(path).unwrap();
        for steps in 1.. {
            if let Some(usage) = walk.step(step).unwrap() {
                return (usage, steps);
            }
        }
        unreachable!()
    }

    #[test]
    fn a_file_with_two_names_counts_once_and_links_are_not_followed() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("a/b")).unwrap();
        std::fs::write(tree.path().join("a/b/big"), vec![1; 1 << 20]).unwrap();
        let (before, _) = usage(tree.path(), 1000);
        assert!((1 << 20..2 << 20).contains(&before.bytes), "{before:?}");
        assert_eq!(before.inodes, 4);
        std::fs::hard_link(tree.path().join("a/b/big"), tree.path().join("again")).unwrap();
        std::os::unix::fs::symlink("/usr", tree.path().join("away")).unwrap();
        let (after, _) = usage(tree.path(), 1000);
        assert!(after.bytes - before.bytes < 64 << 10, "{before:?} {after:?}");
        assert_eq!(after.inodes, 5);
    }

    #[test]
    fn a_walk_in_small_steps_finds_the_same() {
        let tree = tempfile::tempdir().unwrap();
        for n in 0..50 {
            std::fs::create_dir(tree.path().join(format!("{n}"))).unwrap();
            std::fs::write(tree.path().join(format!("{n}/f")), "x").unwrap();
        }
        let ((whole, _), (small, steps)) = (usage(tree.path(), 100_000), usage(tree.path(), 3));
        assert_eq!((whole, whole.inodes), (small, 101));
        assert!(steps > 30, "{steps}");
    }

    #[test]
    fn it_agrees_with_du() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::write(tree.path().join("f"), vec![7; 300_000]).unwrap();
        std::fs::create_dir(tree.path().join("d")).unwrap();
        let du = std::process::Command::new("du").args(["-sx", "--block-size=1"]).arg(tree.path()).output().unwrap();
        let du: u64 = String::from_utf8(du.stdout).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        assert_eq!(usage(tree.path(), 1000).0.bytes, du);
    }

    #[test]
    fn space_of_what_is_not_there_is_none() {
        assert_eq!(space(Path::new("/nowhere/at/all")).unwrap(), None);
        let root = space(Path::new("/")).unwrap().unwrap();
        assert!(root.bytes >= root.bytes_free && root.bytes > 0);
    }
}
