//! The books on disk, for the next agent.
//!
//! Two files in a folder. `books.json` is replaced as a whole after each update. `notes.jsonl` has one line for each
//! thing that only kernel records contain and that came after the last write: paths, names, final memory. Sums are not
//! in the notes, since the kernel's map has them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use kernfs::{Host, Reader};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::wire::{LOSSES, Record};
use crate::{books::ledger::Ledger, identity::bundle::Named, ids::CgroupId};

/// Both files, held by one agent at a time.
#[derive(Debug)]
pub(super) struct Archive {
    books: PathBuf,
    notes: File,
    failing: bool,
}

/// The books and what belongs to them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Page {
    /// Of which boot of the machine.
    pub(super) boot: String,
    /// CPU time by the kernel's own total when counting began.
    pub(super) kernel_start: Option<u64>,
    /// The same when this was written.
    pub(super) kernel_seen: Option<u64>,
    pub(super) lost: [u64; LOSSES.len()],
    pub(super) resyncs: u64,
    pub(super) ledger: Ledger,
}

/// A note about something that came after the last write of the books.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Note {
    /// A record of the kernel.
    Seen(Record),
    /// Names from the bundle of the container with this cgroup.
    Named(CgroupId, Named),
}

/// Files of an earlier agent since the machine was started.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) page: Option<Page>,
    pub(super) notes: Vec<Note>,
}

impl Archive {
    /// Opens the folder, which is made if need be, and gives what an agent left there in this boot of the machine.
    pub(super) fn open(folder: &Path, boot: &str) -> io::Result<(Self, Left)> {
        fs::create_dir_all(folder)?;
        let mut notes = OpenOptions::new().read(true).append(true).create(true).open(folder.join("notes.jsonl"))?;
        flock(&notes, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| io::Error::other(format!("{} is another agent's ({error})", folder.display())))?;
        let books = folder.join("books.json");
        let page = read(&books).filter(|page| page.boot == boot);
        let mut found = Vec::new();
        if page.is_some() {
            let mut text = Vec::new();
            notes.rewind()?;
            notes.read_to_end(&mut text)?;
            // The last line may have been cut off.
            found.extend(text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()));
        }
        Ok((Self { books, notes, failing: false }, Left { page, notes: found }))
    }

    /// Writes the books; the notes are in them now.
    pub(super) fn write(&mut self, page: &Page) {
        let aside = self.books.with_extension("new");
        let written = File::create(&aside).and_then(|file| {
            let mut file = BufWriter::with_capacity(64 << 10, file);
            serde_json::to_writer(&mut file, page)?;
            file.flush()
        });
        let written = written.and_then(|()| fs::rename(&aside, &self.books)).and_then(|()| self.notes.set_len(0));
        self.tell(written);
    }

    /// Adds notes.
    pub(super) fn note(&mut self, notes: &[Note]) {
        if notes.is_empty() {
            return;
        }
        let mut lines = Vec::new();
        let written = notes.iter().try_for_each(|note| {
            serde_json::to_writer(&mut lines, note)?;
            lines.push(b'\n');
            Ok(())
        });
        let written = written.and_then(|()| self.notes.write_all(&lines));
        self.tell(written);
    }

    /// Says so once when the books cannot be written, and once when they can again.
    fn tell(&mut self, written: io::Result<()>) {
        match written {
            Ok(()) if self.failing => tracing::info!("writing the books works again"),
            Err(error) if !self.failing => {
                let books = self.books.display();
                tracing::error!(%error, %books, "cannot write the books: an agent that starts now would count from zero");
                self.failing = true;
                return;
            }
            _ => return,
        }
        self.failing = false;
    }
}

fn read(books: &Path) -> Option<Page> {
    let text = fs::read(books).ok()?;
    let read = serde_json::from_slice(&text);
    read.inspect_err(|error| tracing::warn!(%error, books = %books.display(), "cannot read the books of the previous agent; counters start from zero")).ok()
}

/// Id of this boot of the machine.
pub(super) fn boot(host: &Host) -> io::Result<String> {
    let mut reader = Reader::default();
    let file = reader.read(&host.proc, "sys/kernel/random/boot_id").map_err(io::Error::other)?;
    let text = file.ok_or_else(|| io::Error::other("no sys/kernel/random/boot_id"))?;
    Ok(String::from_utf8_lossy(text).trim().to_owned())
}
