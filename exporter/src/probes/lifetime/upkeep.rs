//! Brings the books up to date with what the kernel says.
//!
//! Three locks, each held for as long as it must. Whose *turn* it is reads the kernel's maps and removes rows from them:
//! the pump and scrapes take turns, and a turn reads cgroupfs and maps, never a disk. The ledger's own lock comes last
//! (see [`crate::books::Books`]). What a disk has is read by the pump without a lock, bundles, and written by the
//! [`Writer`], the books.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use kernfs::{Host, Reader};
use parking_lot::Mutex;

use super::{
    archive::{Left, Note, Page},
    hierarchy::Hierarchy,
    wire::{self, EVENT_LOSSES, LOSSES, Record, Usage},
    writer::Writer,
};
use crate::{
    books::{
        Books,
        ledger::{Ledger, Limits},
        moment::Moment,
        usage::Row,
    },
    events::{
        Feeds, Producer,
        life::{self, Life},
    },
    identity::{Places, Pods, Record as NameRecord},
    ids::{CgroupId, ContainerId},
    probes::{
        health::{Feature, Vitals},
        object::{Entries, Iterator, Object, Table},
        pump::{Next, Turn as PumpTurn, Waker},
    },
};

/// How often the pump looks although no record woke it, while something is unfinished. Shorter than the ledger's wait for
/// a container's last records.
pub(super) const PERIOD: Duration = Duration::from_secs(1);
/// How often it settles what is gone.
const SETTLE_EVERY: Duration = Duration::from_secs(2);
/// For how long after its cgroup was made a container is asked for its bundle each period.
const BUNDLE_WAIT: Duration = Duration::from_secs(10);
/// How often the hierarchy is walked although nothing was lost.
const WALK_EVERY: Duration = Duration::from_mins(1);

/// What the programs count in.
#[derive(Debug)]
pub(super) struct Maps {
    /// A row a cgroup.
    pub(super) usage: Table,
    /// What was lost, by kind.
    pub(super) losses: Table,
    /// The switch of records of cgroups that empty.
    pub(super) streaming: Table,
    /// Has what living tasks used put in their rows.
    pub(super) living: Iterator,
}

/// The books and what brings them up to date.
pub(super) struct Upkeep {
    host: Arc<Host>,
    places: Places,
    hierarchy: Hierarchy,
    object: Object,
    maps: Maps,
    books: Books,
    feeds: Feeds,
    boot: String,
    /// CPU time by the kernel's own total when counting began.
    kernel_start: Option<u64>,
    writer: Option<Writer>,
    pump: OnceLock<Waker>,
    /// Whether the pump shall ask all containers for their bundles that have no name.
    ask_all: AtomicBool,
    /// Whether some container's names may change.
    has_records: AtomicBool,
    resyncs: AtomicU64,
    turn: Mutex<Turn>,
}

/// What whose turn it is works with.
struct Turn {
    rows: Entries<CgroupId, Usage>,
    reader: Reader,
    lost: [u64; LOSSES.len()],
    updated: Instant,
    walked: Instant,
    unwritten: Unwritten,
}

/// What the pump needs to learn names.
#[derive(Default)]
pub(super) struct Naming {
    reader: Reader,
    /// When containers were last asked for their bundles.
    asked: Option<Instant>,
    /// Where names stand that may change.
    records: HashMap<CgroupId, NameRecord>,
}

impl std::fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upkeep").field("object", &self.object).finish_non_exhaustive()
    }
}

impl Upkeep {
    /// Of empty books.
    pub(super) fn new(
        (host, places): (&Arc<Host>, &Places),
        hierarchy: Hierarchy,
        object: Object,
        maps: Maps,
        books: Books,
    ) -> Self {
        let mut turn = Turn {
            rows: Entries::default(),
            reader: Reader::default(),
            lost: [0; LOSSES.len()],
            updated: Instant::now(),
            walked: Instant::now(),
            unwritten: Unwritten::default(),
        };
        let kernel_start = hierarchy.kernel_total(&mut turn.reader);
        Self {
            host: Arc::clone(host),
            places: places.clone(),
            hierarchy,
            object,
            maps,
            books,
            feeds: Feeds::default(),
            boot: String::new(),
            kernel_start,
            writer: None,
            pump: OnceLock::new(),
            ask_all: AtomicBool::new(false),
            has_records: AtomicBool::new(false),
            resyncs: AtomicU64::new(0),
            turn: Mutex::new(turn),
        }
    }

    /// Goes on with what the agent before left.
    pub(super) fn go_on(&mut self, left: Left, boot: String, limits: Limits, pods: &Pods) {
        self.boot = boot;
        let Left { page, notes } = left;
        if let Some(page) = page.filter(|page| page.ledger.root() == self.hierarchy.root) {
            self.take_over(page, limits, pods);
        } else if self.object.is_reused() {
            tracing::warn!("pinned programs were found without books: counters start from zero; check probe.books");
        }
        let now = Moment::now();
        for note in notes {
            self.books.change(|ledger| self.apply(ledger, &note, now));
        }
    }

    fn take_over(&mut self, page: Page, limits: Limits, pods: &Pods) {
        let Page { ledger, kernel_start, kernel_seen, lost, resyncs, .. } = page;
        let mut ledger = ledger.continued(limits, pods);
        *self.resyncs.get_mut() = resyncs;
        if self.object.is_reused() {
            self.kernel_start = kernel_start;
            self.turn.get_mut().lost = lost;
        } else {
            ledger.rows_are_new();
            // What nobody counted since then is left out on both sides.
            self.kernel_start = match (self.kernel_start, kernel_start, kernel_seen) {
                (Some(now), Some(start), Some(seen)) => Some(now.saturating_sub(seen.saturating_sub(start))),
                (now, ..) => now,
            };
        }
        self.books.change(|ours| *ours = ledger);
    }

    /// Has the books written down from now on.
    pub(super) fn written_by(&mut self, writer: Option<Writer>) {
        self.writer = writer;
    }

    /// Has those who follow told of cgroups that come, empty and go.
    pub(super) fn tells(&mut self, feeds: &Feeds) {
        self.feeds = feeds.clone();
    }

    /// Who learns names between scrapes.
    pub(super) fn is_pumped_by(&self, waker: Waker) {
        // There is one.
        let _ = self.pump.set(waker);
    }

    /// The books.
    pub(super) fn books(&self) -> &Books {
        &self.books
    }

    /// Whether programs of an agent before this one go on counting.
    pub(super) fn is_reused(&self) -> bool {
        self.object.is_reused()
    }

    /// Takes in what is there, before anybody else can ask.
    pub(super) fn first_reading(&self) {
        let mut turn = self.turn.lock();
        self.walk(&mut turn);
        self.name_the_unnamed(&mut Naming::default());
        if let Err(error) = self.update(&mut turn) {
            tracing::warn!(%error, "cannot read the usage map; container usage is missing from this scrape");
        }
    }

    /// Counts what living tasks used, and brings the books up to date. Gives the CPU time of everything since counting
    /// began by the kernel's own total, in ns.
    pub(super) fn bring_up_to_date(&self) -> std::io::Result<Option<u64>> {
        self.maps.living.run()?;
        let kernel = {
            let mut turn = self.turn.lock();
            self.update(&mut turn)?;
            self.hierarchy.kernel_total(&mut turn.reader)
        };
        match self.pump.get() {
            // Names that have changed are read beside this scrape, and shown by the next: nobody must wait for a disk.
            Some(pump) if self.has_records.load(Relaxed) => pump.wake(),
            Some(_) => {}
            None => drop(self.name_the_unnamed(&mut Naming::default())),
        }
        Ok(kernel.zip(self.kernel_start).map(|(total, start)| total.saturating_sub(start)))
    }

    /// One turn of the pump.
    pub(super) fn turn(&self, turn: &PumpTurn<'_>, naming: &mut Naming) -> Next {
        match turn {
            PumpTurn::Record(bytes) => {
                if let Some(record) = wire::decode(bytes) {
                    self.take_in(record, naming);
                }
                Next::Period
            }
            PumpTurn::Idle => {
                self.follow_records(naming);
                let unnamed = self.name_the_unnamed(naming);
                let pending = self.books.look(Ledger::pending);
                let mut turn = self.turn.lock();
                let waited = turn.updated.elapsed();
                let crowded = pending > self.maps.usage.max_entries() / 4 && waited > PERIOD / 4;
                if (pending > 0 && waited >= SETTLE_EVERY || crowded)
                    && let Err(error) = self.update(&mut turn)
                {
                    tracing::debug!(%error, "cannot read the usage map; container usage is missing from this scrape");
                }
                Next::soon_if(unnamed || pending > 0)
            }
        }
    }

    /// The last page, when the pump has ended.
    pub(super) fn end(&self) {
        if self.writer.is_some()
            && let Err(error) = self.update(&mut self.turn.lock())
        {
            tracing::debug!(%error, "cannot read the usage map; container usage is missing from this scrape");
        }
    }

    fn take_in(&self, record: Record, naming: &mut Naming) {
        if self.feeds.is_wanted::<Life>() {
            self.tell(&record);
        }
        if matches!(record, Record::Emptied { .. }) {
            return;
        }
        let note = Note::Seen(record);
        let container = self.note(note);
        // The bundle is read without a lock: nobody must wait for a disk.
        if let Some((id, container)) = container {
            self.look_up(id, container.borrowed(), naming);
        }
    }

    /// Tells those who follow, before anything else: what is told of may be gone soon.
    fn tell(&self, record: &Record) {
        let (turn, id, path) = match record {
            Record::Made { id, path } => (life::Turn::Made, id, path),
            Record::Emptied { id, path } => (life::Turn::Emptied, id, path),
            Record::Removed { hierarchy, id, path, .. } if *hierarchy == self.hierarchy.number => {
                (life::Turn::Removed, id, path)
            }
            Record::Removed { .. } => return,
        };
        self.feeds.tell(Life { turn, id: *id, path: path.clone() });
    }

    /// Looks for the names of a container, and tells whether they were found.
    fn look_up(&self, id: CgroupId, container: ContainerId<&str>, naming: &mut Naming) -> bool {
        let path = self.books.look(|ledger| ledger.path(id).map(str::to_owned));
        let member = |reader: &mut Reader| self.hierarchy.member(&path?, reader);
        let Some(found) = self.places.find(&self.host, &mut naming.reader, container, member) else { return false };
        naming.records.extend(found.record.map(|record| (id, record)));
        self.has_records.store(!naming.records.is_empty(), Relaxed);
        self.note(Note::Named(id, found.named));
        true
    }

    /// Takes in names that have changed, as by `docker rename`.
    fn follow_records(&self, naming: &mut Naming) {
        let Naming { reader, records, .. } = naming;
        if records.is_empty() {
            return;
        }
        self.books.look(|ledger| records.retain(|id, _| ledger.path(*id).is_some()));
        for (id, record) in records {
            if let Some(named) = record.changed(&self.host, reader) {
                self.note(Note::Named(*id, named));
            }
        }
    }

    /// Puts what was learnt in the ledger, and has it written down. Gives the container that should be looked up now, if
    /// it is one: the id of its cgroup, and its own.
    fn note(&self, note: Note) -> Option<(CgroupId, ContainerId)> {
        let now = Moment::now();
        self.books.change(|ledger| {
            let container = self.apply(ledger, &note, now);
            if let Some(writer) = &self.writer {
                writer.note(note);
            }
            container
        })
    }

    fn apply(&self, ledger: &mut Ledger, note: &Note, now: Moment) -> Option<(CgroupId, ContainerId)> {
        match note {
            Note::Seen(Record::Made { id, path }) => {
                return ledger.made(*id, path, now.wall).map(|container| (*id, container.boxed()));
            }
            Note::Seen(Record::Removed { hierarchy, id, path, memory }) => {
                if *hierarchy == self.hierarchy.number {
                    ledger.removed(*id, now.mono_ns);
                }
                if let Some(memory) = memory {
                    ledger.memory_at_end(path, *memory, now.wall);
                }
            }
            Note::Seen(Record::Emptied { .. }) => {}
            Note::Named(id, named) => ledger.named(*id, named),
        }
        None
    }

    /// Asks young containers again for bundles that were not there when their cgroup was made, and all after a walk;
    /// tells whether some are to be asked once more.
    fn name_the_unnamed(&self, naming: &mut Naming) -> bool {
        let all = self.ask_all.swap(false, Relaxed);
        if !all && naming.asked.is_some_and(|asked| asked.elapsed() < PERIOD / 2) {
            return true;
        }
        naming.asked = Some(Instant::now());
        let young = Moment::now().wall - BUNDLE_WAIT.as_secs_f64();
        let unnamed = self.books.look(|ledger| ledger.unnamed(if all { 0.0 } else { young }));
        let mut silent = all;
        for (id, container) in unnamed {
            silent |= !self.look_up(id, container.borrowed(), naming);
        }
        if all {
            // The agent before this one named some, and did not tell where their names stand.
            let mut lone = self.books.look(Ledger::named_alone);
            lone.retain(|(id, _)| !naming.records.contains_key(id));
            for (id, container) in lone {
                let path = self.books.look(|ledger| ledger.path(id).map(str::to_owned));
                let member = |reader: &mut Reader| self.hierarchy.member(&path?, reader);
                let found = self.places.find(&self.host, &mut naming.reader, container.borrowed(), member);
                if let Some((named, record)) = found.and_then(|found| Some((found.named, found.record?))) {
                    naming.records.insert(id, record);
                    self.note(Note::Named(id, named));
                }
            }
            self.has_records.store(!naming.records.is_empty(), Relaxed);
        }
        silent
    }

    /// Puts what the kernel's rows say on the accounts.
    fn update(&self, turn: &mut Turn) -> std::io::Result<()> {
        if self.lost_events(turn)? || turn.walked.elapsed() >= WALK_EVERY {
            self.walk(turn);
        }
        let now = Moment::now();
        self.maps.usage.read_all(self.maps.usage.max_entries(), &mut turn.rows)?;
        let rows = turn.rows.iter().map(|(id, usage)| (*id, Row::from(usage)));
        let pending = self.books.change(|ledger| {
            ledger.measured(rows, now);
            ledger.pending()
        });
        if pending > 0 {
            self.books.catch_up(now);
        }
        let mut gone = self.write_down(turn, pending, now);
        // What came to a row since it was read goes with it.
        let mut last = Vec::new();
        let mut taken = Ok(());
        gone.retain(|id| match self.maps.usage.take::<CgroupId, Usage>(id) {
            Ok(usage) => {
                last.extend(usage.map(|usage| (*id, Row::from(&usage))));
                true
            }
            Err(error) => {
                taken = Err(error);
                false
            }
        });
        self.books.change(|ledger| {
            if !last.is_empty() {
                ledger.measured(last.iter().copied(), now);
            }
            ledger.settle(&gone, now);
        });
        if !gone.is_empty() {
            self.books.forget(&gone);
        }
        turn.updated = Instant::now();
        taken
    }

    /// Has the books written down, and gives the cgroups whose rows the kernel can forget: they are gone for long enough,
    /// and a page that has their last numbers is on disk. Whatever becomes of this process, the next one finds each
    /// number in the rows, in the file or in both.
    fn write_down(&self, turn: &mut Turn, pending: usize, now: Moment) -> Vec<CgroupId> {
        let Some(writer) = &self.writer else { return self.books.look(|ledger| ledger.leaving(now.mono_ns)) };
        let kernel_seen = self.hierarchy.kernel_total(&mut turn.reader);
        let (leaving, page) = self.books.look(|ledger| {
            let page = writer.write(Page {
                boot: self.boot.clone(),
                kernel_start: self.kernel_start,
                kernel_seen,
                lost: turn.lost,
                resyncs: self.resyncs.load(Relaxed),
                ledger: ledger.clone(),
            });
            (ledger.leaving(now.mono_ns), page)
        });
        // With a disk that does not answer, new containers need the rows more than the next agent does.
        let crowded = pending > self.maps.usage.max_entries() / 2;
        let written = if crowded { page } else { writer.done() };
        turn.unwritten.without(leaving, page, written)
    }

    /// Whether events were lost since the last call.
    fn lost_events(&self, turn: &mut Turn) -> std::io::Result<bool> {
        let mut lost = [0; LOSSES.len()];
        for (index, count) in (0_u32..).zip(&mut lost) {
            *count = self.maps.losses.get(&index)?.unwrap_or(0);
        }
        let events = |counts: &[u64]| counts.iter().take(EVENT_LOSSES).sum::<u64>();
        let more = events(&lost) > events(&turn.lost);
        self.resyncs.fetch_add(u64::from(more), Relaxed);
        turn.lost = lost;
        Ok(more)
    }

    /// Compares the ledger with the cgroups that are there. Names are left to the pump, for they may lie on a disk.
    fn walk(&self, turn: &mut Turn) {
        let now = Moment::now();
        let live = self.hierarchy.walk(&mut turn.reader);
        self.books.change(|ledger| ledger.walked(&live, now.mono_ns, now.wall));
        turn.walked = Instant::now();
        self.ask_all.store(true, Relaxed);
        if let Some(pump) = self.pump.get() {
            pump.wake();
        }
    }
}

impl Producer for Upkeep {
    fn switch(&self, wanted: bool) {
        if let Err(error) = self.maps.streaming.set(&0_u32, &u32::from(wanted)) {
            tracing::warn!(%error, wanted, "cannot switch a stream of events; restart the agent");
        }
    }
}

impl Feature for Upkeep {
    fn vitals(&self) -> Vitals {
        let lost = (0_u32..)
            .zip(LOSSES)
            .map(|(index, what)| (what, self.maps.losses.get::<u32, u64>(&index).ok().flatten().unwrap_or(0)));
        let lost = lost.collect();
        Vitals { feature: "lifetime", costs: self.object.costs(), lost, resyncs: self.resyncs.load(Relaxed) }
    }
}

/// Cgroups that are gone for long enough and whose last numbers are on no disk yet: the first page that has them.
#[derive(Debug, Default)]
struct Unwritten(HashMap<CgroupId, u64>);

impl Unwritten {
    /// Those of the leaving that are on disk. The page handed in now has all of them; pages up to `written` are done.
    fn without(&mut self, leaving: Vec<CgroupId>, page: u64, written: u64) -> Vec<CgroupId> {
        let mut before = std::mem::take(&mut self.0);
        let mut free = Vec::new();
        for cgroup in leaving {
            let first = before.remove(&cgroup).unwrap_or(page);
            if first <= written {
                free.push(cgroup);
            } else {
                self.0.insert(cgroup, first);
            }
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cgroups<const N: usize>(ids: [u64; N]) -> Vec<CgroupId> {
        ids.map(CgroupId).to_vec()
    }

    #[test]
    fn a_row_stays_until_the_first_page_that_has_it_is_written() {
        let mut unwritten = Unwritten::default();
        assert_eq!(unwritten.without(cgroups([7, 8]), 3, 2), []);
        assert_eq!(unwritten.without(cgroups([7, 8, 9]), 5, 2), [], "the disk is slow");
        assert_eq!(unwritten.without(cgroups([7, 8, 9]), 6, 3), cgroups([7, 8]));
        assert_eq!(unwritten.without(cgroups([9]), 7, 6), cgroups([9]));
        assert!(unwritten.0.is_empty());
    }
}
