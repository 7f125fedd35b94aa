//! Writes the books down in a thread of its own, so that neither a scrape nor an event waits for a disk.
//!
//! Pages and notes are handed in with the ledger locked, in the order in which the ledger changed. A page has all that
//! was noted before it, and takes the place of a page that still waits: on a slow disk the newest is written, not each.

use std::{
    io,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use super::archive::{Archive, Note, Page};

/// How long the end of the agent waits for the last page.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// The thread. Dropping it writes what waits.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    page: Option<Box<Page>>,
    /// What was noted before that page. It is in the page, and written all the same: writing a page takes its time, and
    /// the agent may be killed meanwhile.
    covered: Vec<Note>,
    /// What was noted since.
    notes: Vec<Note>,
    /// How many pages were handed in.
    pages: u64,
    /// How many of those are done with: written, replaced by a newer one that is, or failed.
    done: u64,
    shall_end: bool,
    has_ended: bool,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(archive: Archive) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let thread = daemon::task::thread("yagura-books", move || {
            let _ending = Ending(&for_thread);
            crate::privilege::settle();
            for_thread.write_all(archive);
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Has a page written, and gives its number.
    pub(super) fn write(&self, page: Page) -> u64 {
        let page = Box::new(page);
        let mut queue = self.shared.queue.lock();
        let Queue { notes, covered, .. } = &mut *queue;
        covered.append(notes);
        queue.page = Some(page);
        queue.pages += 1;
        self.shared.changed.notify_all();
        queue.pages
    }

    /// Has a note added.
    pub(super) fn note(&self, note: Note) {
        self.shared.queue.lock().notes.push(note);
        self.shared.changed.notify_all();
    }

    /// The last page that is done with: no page up to this number will be written any more.
    pub(super) fn done(&self) -> u64 {
        self.shared.queue.lock().done
    }
}

impl Shared {
    fn write_all(&self, mut archive: Archive) {
        loop {
            let mut queue = self.queue.lock();
            while queue.page.is_none() && queue.notes.is_empty() && !queue.shall_end {
                self.changed.wait(&mut queue);
            }
            let (page, notes) = (queue.page.take(), std::mem::take(&mut queue.notes));
            let covered = std::mem::take(&mut queue.covered);
            if page.is_none() && notes.is_empty() {
                return;
            }
            let number = queue.pages;
            drop(queue);
            if let Some(page) = &page {
                archive.note(&covered);
                archive.write(page);
            }
            archive.note(&notes);
            if page.is_some() {
                self.queue.lock().done = number;
            }
        }
    }
}

/// Tells, when it is dropped, that the thread ends.
struct Ending<'s>(&'s Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.queue.lock().has_ended = true;
        self.0.changed.notify_all();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let until = Instant::now() + END_TIMEOUT;
        let mut queue = self.shared.queue.lock();
        queue.shall_end = true;
        self.shared.changed.notify_all();
        while !queue.has_ended {
            if self.shared.changed.wait_until(&mut queue, until).timed_out() {
                let waited = END_TIMEOUT.as_secs();
                tracing::error!(waited, "the disk of probe.books does not answer: the last books are not written");
                return;
            }
        }
        drop(queue);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        books::ledger::{Ledger, Limits},
        ids::CgroupId,
        probes::lifetime::wire::Record,
    };

    fn page(resyncs: u64) -> Page {
        let ledger = Ledger::new(Limits::default(), CgroupId(1));
        Page { boot: "b".into(), kernel_start: None, kernel_seen: None, lost: [0; 5], resyncs, ledger }
    }

    fn made(id: u64) -> Note {
        Note::Seen(Record::Made { id: CgroupId(id), path: format!("/{id}") })
    }

    #[test]
    fn the_newest_page_and_what_was_noted_after_it_are_there_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (archive, left) = Archive::open(folder.path(), "b").unwrap();
        assert!(left.page.is_none() && left.notes.is_empty());
        let writer = Writer::start(archive).unwrap();
        writer.note(made(7));
        let numbers = [writer.write(page(1)), writer.write(page(2))];
        writer.note(made(8));
        writer.note(made(9));
        assert_eq!(numbers, [1, 2]);
        assert!(testkit::wait_for(Duration::from_secs(20), || (writer.done() == 2).then_some(())).is_some());
        drop(writer);
        let (_archive, left) = Archive::open(folder.path(), "b").unwrap();
        let ids = left.notes.iter().map(|note| match note {
            Note::Seen(Record::Made { id, .. }) => id.0,
            other => panic!("{other:?}"),
        });
        assert_eq!((left.page.unwrap().resyncs, ids.collect::<Vec<_>>()), (2, vec![8, 9]));
        let other_boot = tempfile::tempdir().unwrap();
        Writer::start(Archive::open(other_boot.path(), "b").unwrap().0).unwrap().write(page(3));
        assert!(Archive::open(other_boot.path(), "c").unwrap().1.page.is_none());
    }

    #[test]
    fn a_folder_that_cannot_be_written_ends_each_page_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (archive, _) = Archive::open(folder.path(), "b").unwrap();
        std::fs::create_dir(folder.path().join("books.new")).unwrap();
        let writer = Writer::start(archive).unwrap();
        let number = writer.write(page(1));
        assert!(testkit::wait_for(Duration::from_secs(20), || (writer.done() == number).then_some(())).is_some());
    }
}
