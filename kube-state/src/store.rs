//! Stores a kind's series between events and scrapes.
//!
//! Series are kept in columns, one a family, that have for each object the number of a text of two bytes: all that
//! stands behind the object's identity in its lines of the family. Each text is kept once, and objects in the same state
//! share most of theirs; what identifies an object is kept once an object. Objects are gathered in blocks that know
//! nothing of each other, and a snapshot is a list of blocks, so that
//!
//! - a scrape sees one state, without holding a lock while it writes: the writer copies a block that a scrape still
//!   reads, and only then;
//! - a relist is built on the side and put in place at once, and costs the memory of the blocks that changed;
//! - an update touches one block, and nothing at all when nothing changed.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use expo::{Code, Counts, Gzip};
use hashbrown::HashTable;

use crate::{family::Desc, kind::Resource, rows::Rows};

mod block;
mod runs;
mod texts;
mod told;
mod uid;

use block::{Block, Slot};
pub use block::{Change, Usage};
use runs::Runs;
use told::Told;
use uid::Key;

/// A family as it is written: its name, and the lines before its series.
#[derive(Clone, Debug)]
pub struct Head {
    name: Box<str>,
    header: Box<[u8]>,
    /// For OpenMetrics, where it differs.
    openmetrics: Option<Box<[u8]>>,
}

impl Head {
    /// The head of a family of ours.
    pub fn new(desc: &Desc) -> Self {
        let mut header = Vec::new();
        desc.push_header(&mut header);
        Self::custom(desc.name, header)
    }

    /// The head of a family that is not declared in code. `header` has the `# HELP` and `# TYPE` lines.
    pub fn custom(name: &str, header: impl Into<Box<[u8]>>) -> Self {
        Self { name: name.into(), header: header.into(), openmetrics: None }
    }

    /// The same with other lines in OpenMetrics, which knows more types.
    #[must_use]
    pub fn or_in_openmetrics(mut self, header: impl Into<Box<[u8]>>) -> Self {
        self.openmetrics = Some(header.into());
        self
    }

    /// The family's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn header(&self, format: Format) -> &[u8] {
        self.openmetrics.as_ref().filter(|_| format == Format::OpenMetrics).unwrap_or(&self.header)
    }
}

/// Format of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The classic text format, version 0.0.4.
    Text,
    /// OpenMetrics 1.0. Differs in its end mark and in the types of families that are not declared in code: counters
    /// keep `_total` in their type line, as upstream writes them.
    OpenMetrics,
}

impl Format {
    /// Text after the last kind.
    pub const fn end(self) -> &'static [u8] {
        match self {
            Self::Text => b"",
            Self::OpenMetrics => b"# EOF\n",
        }
    }
}

/// The writing end: one for each watch. Scrapes use its [`Reader`].
#[derive(Debug)]
pub struct Store {
    reader: Reader,
    /// The generation that a relist is building.
    relist: Option<Vec<Arc<Block>>>,
    index: HashTable<Place>,
    /// Blocks that may have room.
    open: Vec<u32>,
    round: u32,
    /// The object that is put; kept for its memory.
    runs: Runs,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    block: u32,
    slot: Slot,
}

/// The reading end of a [`Store`].
#[derive(Clone, Debug)]
pub struct Reader {
    heads: Arc<[Option<Head>]>,
    blocks: Arc<Mutex<Vec<Arc<Block>>>>,
}

/// The state of a kind at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    heads: Arc<[Option<Head>]>,
    blocks: Vec<Arc<Block>>,
}

impl Store {
    /// An empty store of families; those that are `None` are never written.
    pub fn new(heads: impl IntoIterator<Item = Option<Head>>) -> Self {
        let reader = Reader { heads: heads.into_iter().collect(), blocks: Arc::default() };
        Self { reader, relist: None, index: HashTable::new(), open: Vec::new(), round: 0, runs: Runs::default() }
    }

    /// An empty store of a kind's families, as far as they are wanted.
    pub fn of(resource: &dyn Resource, wanted: &[bool]) -> Self {
        let is_wanted = |index: usize| wanted.get(index).copied().unwrap_or(false);
        let heads = resource.descs().enumerate().map(|(index, desc)| is_wanted(index).then(|| Head::new(desc)));
        Self::new(heads)
    }

    /// The reading end.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Number of objects, including those of an unfinished relist.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Whether there is an object with this uid, those of an unfinished relist included.
    pub fn has(&self, uid: &str) -> bool {
        let guard;
        let blocks = if let Some(blocks) = &self.relist {
            blocks
        } else {
            guard = self.reader.lock();
            &*guard
        };
        let uid = Key::of(uid);
        self.index.find(uid.hash(), |place| place.uid(blocks) == uid).is_some()
    }

    /// Starts to build a new generation: readers see the old one until [`Store::finish_relist`]. What is not put again
    /// until then goes.
    pub fn start_relist(&mut self) {
        self.abandon_relist();
        self.round = self.round.wrapping_add(1);
        self.relist = Some(self.reader.lock().clone());
    }

    /// Puts the new generation in place. Returns how many objects are gone with the old one.
    pub fn finish_relist(&mut self) -> usize {
        let Some(mut blocks) = self.relist.take() else { return 0 };
        let before = self.index.len();
        for (number, block) in (0_u32..).zip(&mut blocks) {
            for slot in block.stale(self.round) {
                forget(&mut self.index, block, number, slot);
                Arc::make_mut(block).clear(slot);
                self.open.push(number);
            }
        }
        *self.reader.lock() = blocks;
        before - self.index.len()
    }

    /// Gives up a relist that cannot be finished; the old generation stays.
    pub fn abandon_relist(&mut self) {
        if self.relist.take().is_none() {
            return;
        }
        self.index.clear();
        self.open.clear();
        let blocks = self.reader.lock();
        for (number, block) in (0_u32..).zip(blocks.iter()) {
            for slot in block.slots() {
                self.index
                    .insert_unique(block.uid(slot).hash(), Place { block: number, slot }, |place| place.hash(&blocks));
            }
            self.open.push(number);
        }
    }

    /// Puts an object's series in place of those it had, and says what that changed.
    pub fn put(&mut self, rows: &Rows) -> Change {
        let uid = Key::of(rows.uid());
        let families = self.reader.heads.len();
        let runs = &mut self.runs;
        runs.take(rows, families);
        let mut guard;
        let blocks = if let Some(blocks) = &mut self.relist {
            blocks
        } else {
            guard = self.reader.lock();
            &mut *guard
        };
        if let Some(place) = self.index.find(uid.hash(), |place| place.uid(blocks) == uid).copied() {
            let Some(block) = blocks.get_mut(place.block as usize) else { return Change::NONE };
            block.mark(place.slot, self.round);
            let is_same = block.has(place.slot, rows.identity(), runs);
            return if is_same {
                Change::NONE
            } else {
                Arc::make_mut(block).replace(place.slot, rows.identity(), runs)
            };
        }
        let (number, block) = block_with_room(blocks, &mut self.open, families);
        let (slot, change) = Arc::make_mut(block).insert(rows, runs, self.round);
        let place = Place { block: number, slot };
        self.index.insert_unique(uid.hash(), place, |place| place.hash(blocks));
        change
    }

    /// Removes an object. False when there was none.
    pub fn remove(&mut self, uid: &str) -> bool {
        let mut guard;
        let blocks = if let Some(blocks) = &mut self.relist {
            blocks
        } else {
            guard = self.reader.lock();
            &mut *guard
        };
        let uid = Key::of(uid);
        let found = self.index.find_entry(uid.hash(), |place| place.uid(blocks) == uid);
        let Ok(entry) = found else { return false };
        let (place, _) = entry.remove();
        if let Some(block) = blocks.get_mut(place.block as usize) {
            Arc::make_mut(block).clear(place.slot);
            self.open.push(place.block);
        }
        true
    }

    /// Removes all objects that are not in a share, and returns how many they were: for when the shares change and
    /// what stays need not be listed again.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) -> usize {
        let snapshot = self.reader.snapshot();
        let uids = snapshot.blocks.iter().flat_map(|block| block.slots().map(|slot| block.uid(slot)));
        let gone: Vec<String> = uids.map(Key::text).filter(|uid| !keep(uid)).collect();
        drop(snapshot);
        gone.iter().filter(|uid| self.remove(uid)).count()
    }
}

impl Place {
    fn uid(self, blocks: &[Arc<Block>]) -> Key<'_> {
        blocks.get(self.block as usize).map_or(Key::Other(&[]), |block| block.uid(self.slot))
    }

    fn hash(self, blocks: &[Arc<Block>]) -> u64 {
        self.uid(blocks).hash()
    }
}

fn forget(index: &mut HashTable<Place>, block: &Block, number: u32, slot: Slot) {
    let is_it = |place: &Place| place.block == number && place.slot == slot;
    if let Ok(entry) = index.find_entry(block.uid(slot).hash(), is_it) {
        entry.remove();
    }
}

fn block_with_room<'b>(
    blocks: &'b mut Vec<Arc<Block>>,
    open: &mut Vec<u32>,
    families: usize,
) -> (u32, &'b mut Arc<Block>) {
    while let Some(number) = open.last().copied() {
        if blocks.get(number as usize).is_some_and(|block| block.has_room()) {
            break;
        }
        open.pop();
    }
    let number = open.last().copied().unwrap_or_else(|| {
        let number = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
        blocks.push(Arc::new(Block::new(families)));
        open.push(number);
        number
    });
    let block = blocks.get_mut(number as usize).expect("invariant: only numbers of blocks are open");
    (number, block)
}

impl Reader {
    /// The current data. The writer waits while one pointer per 128 objects is copied.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { heads: Arc::clone(&self.heads), blocks: self.lock().clone() }
    }

    /// A writer that panicked has left each block whole.
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Block>>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much is gathered before it is handed on.
const CHUNK: usize = 64 * 1024;

/// Objects for which a code of their own is worth its 170 bytes; fewer are compressed better in the general way.
const WORTH_TELLING: usize = 64;

impl Snapshot {
    /// Writes the series, family by family. Families without series still have their header lines, unless there is no
    /// object at all: then nothing is written. `is_first` says whether a family's name comes for the first time in
    /// this answer; if not, its header is left out.
    pub fn write(&self, out: &mut dyn Write, is_first: impl FnMut(&str) -> bool) -> io::Result<()> {
        self.write_as(Format::Text, out, is_first)
    }

    /// The same in either format. Its end mark is not written, since other kinds follow.
    pub fn write_as(&self, format: Format, out: &mut dyn Write, is_first: impl FnMut(&str) -> bool) -> io::Result<()> {
        Self::write_together_as(format, std::slice::from_ref(self), out, is_first)
    }

    /// Writes the series of several stores of the same families as if they were one, see [`Snapshot::write`].
    pub fn write_together(
        together: &[Self],
        out: &mut dyn Write,
        is_first: impl FnMut(&str) -> bool,
    ) -> io::Result<()> {
        Self::write_together_as(Format::Text, together, out, is_first)
    }

    /// The same in either format, see [`Snapshot::write_as`].
    pub fn write_together_as(
        format: Format,
        together: &[Self],
        out: &mut dyn Write,
        mut is_first: impl FnMut(&str) -> bool,
    ) -> io::Result<()> {
        let blocks: Vec<&Block> = together.iter().flat_map(|snapshot| &snapshot.blocks).map(AsRef::as_ref).collect();
        let Some(first) = together.first() else { return Ok(()) };
        if blocks.iter().all(|block| block.is_empty()) {
            return Ok(());
        }
        let mut text = Vec::with_capacity(CHUNK + CHUNK / 4);
        let mut name = Vec::new();
        for (family, head) in first.heads.iter().enumerate() {
            let Some(head) = head else { continue };
            if is_first(&head.name) {
                text.extend_from_slice(head.header(format));
            }
            name.clear();
            name.extend_from_slice(head.name.as_bytes());
            name.push(b'{');
            for block in &blocks {
                block.push_family(family, &name, &mut text);
                if text.len() >= CHUNK {
                    out.write_all(&text)?;
                    text.clear();
                }
            }
        }
        out.write_all(&text)
    }

    /// The same as [`Snapshot::write_together_as`] into a gzip stream, for which nothing is looked for that is known.
    pub fn write_gzip<W: Write>(
        format: Format,
        together: &[Self],
        out: &mut Gzip<W>,
        mut is_first: impl FnMut(&str) -> bool,
    ) -> io::Result<()> {
        let blocks: Vec<&Block> = together.iter().flat_map(|snapshot| &snapshot.blocks).map(AsRef::as_ref).collect();
        let Some(first) = together.first() else { return Ok(()) };
        if blocks.iter().map(|block| block.len()).sum::<usize>() < WORTH_TELLING {
            return Self::write_together_as(format, together, out, is_first);
        }
        let heads = || first.heads.iter().enumerate().filter_map(|(family, head)| Some((family, head.as_ref()?)));
        let (mut counts, mut told) = (Counts::default(), Told::default());
        for (family, head) in heads() {
            told.family(&head.header, &head.name, &mut counts);
            let sample = blocks.iter().find(|block| !block.is_empty());
            sample.iter().flat_map(|block| block.runs(family)).for_each(|(identity, run)| {
                told.object(identity, run, &mut counts);
            });
            told.take();
        }
        out.tell(Code::of(&counts))?;
        let mut told = Told::default();
        for (family, head) in heads() {
            let header = if is_first(&head.name) { head.header(format) } else { &[] };
            told.family(header, &head.name, out);
            for block in &blocks {
                for (identity, run) in block.runs(family) {
                    told.object(identity, run, out);
                }
                if told.text().len() >= CHUNK {
                    out.told(told.text())?;
                    told.take();
                }
            }
        }
        out.told(told.text())
    }

    /// Size of the stored data.
    pub fn usage(&self) -> Usage {
        self.blocks.iter().fold(Usage::default(), |sum, block| sum + block.usage())
    }
}

#[cfg(test)]
mod tests;
