//! File descriptors that are kept open between scrapes.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use rustix::{fd::OwnedFd, fs::CWD, io::Errno};

use crate::read::{ReadError, Reader, is_gone, open_file};

/// The budget of kept descriptors. Shared by all [`Kept`] folders of a process.
#[derive(Debug)]
pub struct Budget {
    most: AtomicUsize,
    kept: AtomicUsize,
    evicted: AtomicU64,
    unkept_reads: AtomicU64,
}

impl Budget {
    /// At most so many.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most: AtomicUsize::new(most),
            kept: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
            unkept_reads: AtomicU64::new(0),
        })
    }

    /// The number that may be kept now.
    pub fn most(&self) -> usize {
        self.most.load(Relaxed)
    }

    /// The number that is kept now.
    pub fn kept(&self) -> usize {
        self.kept.load(Relaxed)
    }

    /// The number that was closed to stay within the budget.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// The number of reads that opened and closed their file because nothing more could be kept.
    pub fn unkept_reads(&self) -> u64 {
        self.unkept_reads.load(Relaxed)
    }

    /// Sets a new limit. Folders close what is over at their next read.
    pub fn set_most(&self, most: usize) {
        self.most.store(most, Relaxed);
    }

    /// The process ran out of descriptors: what is kept now, less a quarter, is what may be kept from here on, so that
    /// sockets and other files find room.
    fn out_of_descriptors(&self) {
        let kept = self.kept();
        self.set_most((kept - kept / 4).min(self.most()));
    }

    fn take(&self) -> bool {
        self.kept.fetch_update(Relaxed, Relaxed, |kept| (kept < self.most()).then_some(kept + 1)).is_ok()
    }

    fn give_back(&self, count: usize) {
        self.kept.fetch_sub(count, Relaxed);
    }

    fn is_over(&self) -> bool {
        self.kept() > self.most()
    }
}

#[derive(Debug)]
enum Slot {
    Open(OwnedFd),
    /// Not there when last looked for; [`Kept::forget_absent`] asks for another look.
    Absent,
}

/// One folder whose files are read again and again.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    budget: Arc<Budget>,
    files: Vec<(&'static str, Slot)>,
}

impl Kept {
    /// A folder. It need not be there.
    pub fn new(path: PathBuf, budget: Arc<Budget>) -> Self {
        Self { path, budget, files: Vec::new() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a file of the folder. `None` when it is gone.
    pub fn read<'r>(&mut self, name: &'static str, reader: &'r mut Reader) -> Result<Option<&'r [u8]>, ReadError> {
        if self.budget.is_over() {
            self.evict_one();
        }
        let found = self.files.iter().position(|(known, _)| std::ptr::eq(*known, name) || *known == name);
        let read = match found.and_then(|at| self.files.get(at)) {
            Some((_, Slot::Absent)) => return Ok(None),
            Some((_, Slot::Open(fd))) => reader.fill(fd),
            None => self.open_and_read(name, reader),
        };
        match read {
            Ok(len) => Ok(reader.filled(len)),
            Err(errno) if is_gone(errno) => {
                if let Some(at) = found {
                    self.close(at);
                }
                self.files.push((name, Slot::Absent));
                Ok(None)
            }
            Err(errno) => Err(ReadError { path: self.path.join(name), source: io::Error::from(errno) }),
        }
    }

    fn open_and_read(&mut self, name: &'static str, reader: &mut Reader) -> Result<usize, Errno> {
        let path = self.path.join(name);
        let open = |path: &Path| open_file(CWD, path);
        let fd = match open(&path) {
            Err(Errno::MFILE | Errno::NFILE) => {
                self.budget.out_of_descriptors();
                self.evict_one();
                open(&path)?
            }
            other => other?,
        };
        let len = reader.fill(&fd)?;
        if self.budget.take() {
            self.files.push((name, Slot::Open(fd)));
        } else {
            self.budget.unkept_reads.fetch_add(1, Relaxed);
        }
        Ok(len)
    }

    /// Looks again for files that were not there: a controller may have been switched on for this cgroup.
    pub fn forget_absent(&mut self) {
        self.files.retain(|(_, slot)| matches!(slot, Slot::Open(_)));
    }

    /// Opens a file anew at its next read: of `cgroup.procs` version 1 gives what is open the list of a moment ago, as long
    /// as it is read again within a second.
    pub fn reopen(&mut self, name: &str) {
        if let Some(at) = self.files.iter().position(|(known, _)| *known == name) {
            self.close(at);
        }
    }

    fn evict_one(&mut self) {
        if let Some(at) = self.files.iter().position(|(_, slot)| matches!(slot, Slot::Open(_))) {
            self.close(at);
            self.budget.evicted.fetch_add(1, Relaxed);
        }
    }

    fn close(&mut self, at: usize) {
        if matches!(self.files.swap_remove(at), (_, Slot::Open(_))) {
            self.budget.give_back(1);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.budget.give_back(self.files.iter().filter(|(_, slot)| matches!(slot, Slot::Open(_))).count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_file_shows_its_new_content_and_the_budget_counts_it() {
        let tree = tempfile::tempdir().unwrap();
        let budget = Budget::new(1);
        let mut kept = Kept::new(tree.path().to_owned(), Arc::clone(&budget));
        let mut reader = Reader::default();
        for content in ["1\n", "22\n"] {
            std::fs::write(tree.path().join("a"), content).unwrap();
            assert_eq!(kept.read("a", &mut reader).unwrap(), Some(content.as_bytes()));
        }
        std::fs::write(tree.path().join("b"), "b").unwrap();
        assert_eq!(kept.read("b", &mut reader).unwrap(), Some(&b"b"[..]));
        assert_eq!((budget.kept(), budget.unkept_reads()), (1, 1));
        budget.set_most(0);
        assert_eq!(kept.read("b", &mut reader).unwrap(), Some(&b"b"[..]));
        assert_eq!((budget.kept(), budget.evicted()), (0, 1));
    }

    #[test]
    fn an_absent_file_is_looked_for_once_until_forgotten() {
        let tree = tempfile::tempdir().unwrap();
        let mut kept = Kept::new(tree.path().to_owned(), Budget::new(9));
        let mut reader = Reader::default();
        assert!(kept.read("late", &mut reader).unwrap().is_none());
        std::fs::write(tree.path().join("late"), "x").unwrap();
        assert!(kept.read("late", &mut reader).unwrap().is_none());
        kept.forget_absent();
        assert_eq!(kept.read("late", &mut reader).unwrap(), Some(&b"x"[..]));
    }
}
