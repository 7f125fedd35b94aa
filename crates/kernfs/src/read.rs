//! Reading a whole file into a reused buffer.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, Dir as DirStream, Mode, OFlags, Stat, openat, readlinkat, readlinkat_raw, statat},
    io::{Errno, pread},
};
use thiserror::Error;

use crate::{host::Dir, text};

/// A file that is there and cannot be read.
#[derive(Debug, Error)]
#[error("cannot read {}", path.display())]
pub struct ReadError {
    /// Which file.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// Whether the error says that the file, its process, its cgroup or the feature behind it is not there.
pub fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::SRCH | Errno::NODEV | Errno::NOTDIR | Errno::OPNOTSUPP | Errno::NXIO)
}

/// Most that one file is read of. A larger one is cut there: no kernel file that is read whole comes near.
const LARGEST_FILE: usize = 16 << 20;
const START: usize = 16 << 10;

/// Reads files, one at a time, into its buffer. What a read returns is valid until the next.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    /// Reads the file `name` below `dir`. `None` when it is gone.
    pub fn read(&mut self, dir: &Dir, name: &str) -> Result<Option<&[u8]>, ReadError> {
        let name = name.trim_start_matches('/');
        match open_file(dir, &text::path(name)).and_then(|fd| self.fill(&fd)) {
            Ok(len) => Ok(self.buffer.get(..len)),
            Err(errno) if is_gone(errno) => Ok(None),
            Err(errno) => Err(ReadError { path: dir.join(name), source: errno.into() }),
        }
    }

    /// Reads an open file from its start.
    pub(crate) fn fill(&mut self, fd: &OwnedFd) -> Result<usize, Errno> {
        if self.buffer.is_empty() {
            self.buffer.resize(START, 0);
        }
        let mut len = 0;
        loop {
            if len == self.buffer.len() {
                if len >= LARGEST_FILE {
                    return Ok(len);
                }
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            let room = self.buffer.get_mut(len..).unwrap_or_default();
            let read = match pread(fd, room, len as u64) {
                Ok(read) => read,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno),
            };
            len += read;
            // The kernel hands out a file of many records about a page at a time and stops before the record that
            // does not fit; records are far shorter than 512 bytes. So a shorter first part is the whole.
            if read == 0 || len < 4096 - 512 {
                return Ok(len);
            }
        }
    }

    /// The bytes that the last [`Reader::fill`] read.
    pub(crate) fn filled(&self, len: usize) -> Option<&[u8]> {
        self.buffer.get(..len)
    }

    /// Whether something of that name is below `dir`.
    pub fn exists(&self, dir: &Dir, name: &str) -> bool {
        self.stat(dir, name).is_some()
    }

    /// Its metadata; `None` when it is gone or may not be looked at.
    pub fn stat(&self, dir: &Dir, name: &str) -> Option<Stat> {
        statat(dir, &*text::path(name.trim_start_matches('/')), AtFlags::empty()).ok()
    }

    /// Where a symbolic link points; `None` when it is gone, not a link, or may not be read.
    pub fn link(&self, dir: &Dir, name: &str) -> Option<String> {
        let target = readlinkat(dir, &*text::path(name.trim_start_matches('/')), Vec::new()).ok()?;
        Some(text::text(target.as_bytes()).into_owned())
    }

    /// Calls `each` with the start, at most 64 bytes, of where each symbolic link of the folder `name` below `dir`
    /// points, in no order; `false` when the folder is gone. One system call a link, and nothing is followed: a link to a
    /// file on a dead server costs no more.
    pub fn links(&self, dir: &Dir, name: &str, mut each: impl FnMut(&[u8])) -> Result<bool, ReadError> {
        let name = name.trim_start_matches('/');
        let path = text::path(if name.is_empty() { "." } else { name });
        let failed = |errno: Errno| ReadError { path: dir.join(name), source: errno.into() };
        let fd = match openat(dir, &*path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => fd,
            Err(errno) if is_gone(errno) => return Ok(false),
            Err(errno) => return Err(failed(errno)),
        };
        for entry in DirStream::read_from(&fd).map_err(failed)? {
            let Ok(entry) = entry else { break };
            let mut target = [0; 64];
            if let Ok(len) = readlinkat_raw(&fd, entry.file_name(), &mut target[..]) {
                each(target.get(..len).unwrap_or_default());
            }
        }
        Ok(true)
    }

    /// Calls `each` with the name of every entry of the folder `name` below `dir`, in no order; `false` when it is
    /// gone. Names come as [`text::text`] spells them, which is how the functions of this type take them.
    pub fn list(&self, dir: &Dir, name: &str, mut each: impl FnMut(&str, bool)) -> Result<bool, ReadError> {
        let name = name.trim_start_matches('/');
        let path = text::path(if name.is_empty() { "." } else { name });
        let failed = |errno: Errno| ReadError { path: dir.join(name), source: errno.into() };
        let fd = match openat(dir, &*path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => fd,
            Err(errno) if is_gone(errno) => return Ok(false),
            Err(errno) => return Err(failed(errno)),
        };
        for entry in DirStream::new(fd).map_err(failed)? {
            let entry = match entry {
                Ok(entry) => entry,
                Err(errno) if is_gone(errno) => break,
                Err(errno) => return Err(failed(errno)),
            };
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                each(&text::text(name), entry.file_type().is_dir());
            }
        }
        Ok(true)
    }
}

pub(crate) fn open_file(dir: impl AsFd, name: &Path) -> Result<OwnedFd, Errno> {
    openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_whatever_its_size() {
        let tree = tempfile::tempdir().unwrap();
        let dir = Dir::open(tree.path()).unwrap();
        let mut reader = Reader::default();
        for size in [0_usize, 1, 3583, 3584, 4096, 16 << 10, 100_000] {
            std::fs::write(tree.path().join("f"), vec![b'x'; size]).unwrap();
            assert_eq!(reader.read(&dir, "f").unwrap().map(<[u8]>::len), Some(size));
        }
    }

    #[test]
    fn what_is_not_there_is_none_and_what_may_not_be_read_names_its_path() {
        let tree = tempfile::tempdir().unwrap();
        let dir = Dir::open(tree.path()).unwrap();
        let mut reader = Reader::default();
        assert!(reader.read(&dir, "absent").unwrap().is_none());
        let error = reader.read(&dir, ".").unwrap_err();
        assert!(error.to_string().contains(tree.path().to_str().unwrap()), "{error}");
    }

    #[test]
    fn a_name_that_is_not_utf8_leads_to_its_file() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
        let tree = tempfile::tempdir().unwrap();
        for (name, text) in [(&b"a\xff"[..], "one"), (b"a\xfe", "two"), ("a\u{fffd}".as_bytes(), "three")] {
            let folder = tree.path().join(OsStr::from_bytes(name));
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("f"), text).unwrap();
            std::os::unix::fs::symlink(OsStr::from_bytes(name), folder.join("l")).unwrap();
        }
        let dir = Dir::open(tree.path()).unwrap();
        let mut reader = Reader::default();
        let mut names = Vec::new();
        assert!(reader.list(&dir, "", |name, _| names.push(name.to_owned())).unwrap());
        names.sort_unstable();
        let mut found = Vec::new();
        for name in &names {
            let file = format!("{name}/f");
            found.push(text::text(reader.read(&dir, &file).unwrap().unwrap()).into_owned());
            assert_eq!(reader.link(&dir, &format!("{name}/l")).as_ref(), Some(name));
            assert!(reader.exists(&dir, &file) && dir.join(&file).exists());
            assert!(reader.list(&dir, name, |_, _| {}).unwrap() && reader.links(&dir, name, |_| {}).unwrap());
            let mut kept = crate::Kept::new(dir.join(name), crate::Budget::new(1));
            assert!(kept.read("f", &mut reader).unwrap().is_some());
        }
        assert_eq!(found, ["three", "two", "one"]);
    }

    #[test]
    fn links_are_told_by_where_they_point() {
        let tree = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("socket:[1]", tree.path().join("3")).unwrap();
        std::os::unix::fs::symlink(format!("/{}", "x".repeat(100)), tree.path().join("4")).unwrap();
        std::fs::write(tree.path().join("5"), "").unwrap();
        let dir = Dir::open(tree.path()).unwrap();
        let mut found = Vec::new();
        assert!(Reader::default().links(&dir, "", |target| found.push(target.len())).unwrap());
        found.sort_unstable();
        assert_eq!(found, [10, 64]);
        assert!(!Reader::default().links(&dir, "absent", |_| {}).unwrap());
    }

    #[test]
    fn a_real_procfs_file_of_many_records_is_whole() {
        let dir = Dir::open("/proc".as_ref()).unwrap();
        let mut reader = Reader::default();
        let ours = reader.read(&dir, "self/smaps").unwrap().unwrap().split(|b| *b == b'\n').count();
        assert!(ours > 200, "{ours} lines");
    }
}
