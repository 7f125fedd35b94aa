//! Every file of every fixture tree, replaced by each kind of rubbish, in turn, under each collector that reads it.
//!
//! Who reads a file is what inotify reports while one collector after the other scrapes the tree. A file that identity
//! reads, or a collector when it starts, concerns all; and a collector may look at a file in a way that inotify does not report (stat(2), readlink(2)):
//! so some of the replacements, of all kinds, are under all collectors.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use caps::{CapSet, Capability};
use expo::{Format, Problem};
use inotify::{Inotify, WatchDescriptor, WatchMask};
use kernfs::{Budget, Host, Reader};
use metric::Batch;
use yagura_exporter::{
    collectors,
    config::Config,
    identity::{Layout, Tree},
    report::Outcome,
    scrape::Engine,
    spec::{Context, Need, Spec, View},
};

use crate::{machine::copy_tree, survived};

/// A scrape that takes longer hangs; debug builds on busy machines are slow.
const TOO_LONG: Duration = Duration::from_secs(10);

/// Pages up to this size are read back.
const MOST_READ: usize = 3 << 20;

/// What a file becomes.
#[derive(Clone, Copy, Debug)]
enum Rubbish {
    Empty,
    Truncated,
    Binary,
    LongLine,
    Repeated,
    HugeNumbers,
    Forbidden,
    Gone,
    Folder,
    LinkToItself,
}

impl Rubbish {
    const ALL: [Self; 10] = [
        Self::Empty,
        Self::Truncated,
        Self::Binary,
        Self::LongLine,
        Self::Repeated,
        Self::HugeNumbers,
        Self::Forbidden,
        Self::Gone,
        Self::Folder,
        Self::LinkToItself,
    ];

    fn put(self, path: &Path, good: &[u8]) {
        match self {
            Self::Empty => fs::write(path, "").unwrap(),
            Self::Truncated => fs::write(path, &good[..good.len() / 2]).unwrap(),
            // Every byte there is, in an order that looks like none.
            Self::Binary => {
                let bytes: Vec<u8> = (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
                fs::write(path, bytes).unwrap();
            }
            Self::LongLine => {
                let start = good.split(|byte| *byte == b'\n').next().unwrap_or_default();
                fs::write(path, [start, &vec![b'7'; 1 << 20]].concat()).unwrap();
            }
            Self::Repeated => fs::write(path, [good, good].concat()).unwrap(),
            Self::HugeNumbers => {
                let grown = good.iter().flat_map(|byte| {
                    if byte.is_ascii_digit() { b"99999999999999999999".to_vec() } else { vec![*byte] }
                });
                fs::write(path, grown.collect::<Vec<u8>>()).unwrap();
            }
            Self::Forbidden => fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap(),
            Self::Gone => fs::remove_file(path).unwrap(),
            Self::Folder => {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            }
            Self::LinkToItself => {
                fs::remove_file(path).unwrap();
                std::os::unix::fs::symlink(path, path).unwrap();
            }
        }
    }
}

/// Puts the file back as it was.
fn restore(path: &Path, good: &[u8]) {
    if path.is_dir() {
        fs::remove_dir(path).unwrap();
    } else if path.symlink_metadata().is_ok() {
        fs::remove_file(path).unwrap();
    }
    fs::write(path, good).unwrap();
}

/// Those that read files only; eBPF programs have no fixtures.
fn reads_files(spec: &Spec) -> bool {
    !spec.needs.iter().any(|need| matches!(need, Need::Btf | Need::Hook(_)))
}

/// Files that were opened or read and folders that were listed, below a root.
struct Reads {
    inotify: Inotify,
    folders: HashMap<WatchDescriptor, PathBuf>,
}

impl Reads {
    fn below(root: &Path) -> Self {
        let (mut reads, mut pending) =
            (Self { inotify: Inotify::init().unwrap(), folders: HashMap::new() }, vec![root.to_owned()]);
        while let Some(folder) = pending.pop() {
            let entries = fs::read_dir(&folder).unwrap().map(Result::unwrap);
            pending.extend(entries.filter(|entry| entry.file_type().unwrap().is_dir()).map(|entry| entry.path()));
            let watch = reads.inotify.watches().add(&folder, WatchMask::OPEN | WatchMask::ACCESS).unwrap();
            reads.folders.insert(watch, folder);
        }
        reads.since();
        reads
    }

    /// Those since the last call.
    fn since(&mut self) -> HashSet<PathBuf> {
        let (mut seen, mut buffer) = (HashSet::new(), vec![0; 64 << 10]);
        while let Ok(events) = self.inotify.read_events(&mut buffer) {
            for event in events {
                assert!(!event.mask.contains(inotify::EventMask::Q_OVERFLOW), "events were lost");
                let folder = &self.folders[&event.wd];
                seen.insert(event.name.map_or_else(|| folder.clone(), |name| folder.join(name)));
            }
        }
        seen
    }
}

/// Who reads what of a tree.
struct Readers {
    by_path: HashMap<PathBuf, Vec<&'static Spec>>,
    /// What identity reads, or a collector when it starts.
    of_all: HashSet<PathBuf>,
}

impl Readers {
    /// Starts all collectors, and has one after the other scrape.
    fn of(lab: &mut Lab) -> Self {
        let mut reads = Reads::below(lab.root.path());
        lab.start(collectors::ALL);
        for view in View::ALL {
            lab.page(view, |_| false);
        }
        let of_all = reads.since();
        let mut by_path: HashMap<PathBuf, Vec<&'static Spec>> = HashMap::new();
        for spec in collectors::ALL.iter().copied().filter(|spec| reads_files(spec)) {
            for view in View::ALL.into_iter().filter(|view| spec.is_in(*view)) {
                lab.page(view, |other| other.name == spec.name);
            }
            for path in reads.since().into_iter().filter(|path| !of_all.contains(path)) {
                by_path.entry(path).or_default().push(spec);
            }
        }
        Self { by_path, of_all }
    }

    /// The collectors that read a file or list its folder.
    fn of_file(&self, path: &Path) -> impl Iterator<Item = &'static Spec> {
        [Some(path), path.parent()].into_iter().flatten().filter_map(|path| self.by_path.get(path)).flatten().copied()
    }
}

/// A tree under test.
struct Lab {
    root: tempfile::TempDir,
    host: Arc<Host>,
    config: Arc<Config>,
    engine: Option<Engine>,
    /// The collectors that the tree was made for.
    its: Vec<&'static Spec>,
    outcomes: BTreeMap<&'static str, usize>,
}

/// Series by collector.
type Shown = BTreeMap<&'static str, BTreeSet<String>>;

impl Lab {
    fn of(fixture: &Path, config: &Arc<Config>) -> Self {
        let root = tempfile::tempdir().unwrap();
        for name in ["cgroup", "proc", "sys", "rootfs"] {
            fs::create_dir(root.path().join(name)).unwrap();
            copy_tree(&fixture.join(name), &root.path().join(name));
        }
        let host = Arc::new(Host::below(root.path()).unwrap());
        if Layout::find(&host, &mut Reader::default()).is_err() {
            fs::write(root.path().join("cgroup/cgroup.controllers"), "").unwrap();
        }
        let folder = fixture.ancestors().nth(2).and_then(Path::file_name).unwrap().to_str().unwrap();
        let is_its = |spec: &&&'static Spec| spec.name.starts_with(folder);
        let its = collectors::ALL.iter().filter(is_its).copied().collect();
        Self { root, host, config: Arc::clone(config), engine: None, its, outcomes: BTreeMap::new() }
    }

    /// An agent that starts now; `None` when it refuses to, as it does without a cgroup hierarchy.
    fn start(&mut self, specs: &[&'static Spec]) {
        self.engine = Layout::find(&self.host, &mut Reader::default()).ok().map(|layout| {
            let tree = Tree::new(Arc::clone(&self.host), Arc::new(layout), Budget::new(1000)).unwrap();
            let context = Context::alone(Arc::clone(&self.host), Arc::clone(&self.config));
            Engine::new(specs, reads_files, &context, tree)
        });
    }

    /// All views, each a valid page.
    fn scrape(&mut self) -> Shown {
        let mut shown = Shown::new();
        for view in View::ALL {
            if !self.engine.as_ref().is_some_and(|engine| engine.on().any(|spec| spec.is_in(view))) {
                continue;
            }
            let batch = self.page(view, |_| true);
            for desc in batch.families() {
                let Some(spec) = owner(view, desc.name) else { continue };
                let series = batch.samples(desc).map(|sample| {
                    let labels: Vec<_> = sample.labels().all().map(|(_, value)| value.to_owned()).collect();
                    format!("{}{labels:?}", desc.name)
                });
                shown.entry(spec).or_default().extend(series);
            }
        }
        shown
    }

    fn page(&mut self, view: View, asked: impl Fn(&Spec) -> bool) -> Batch {
        let mut batch = Batch::default();
        let Some(engine) = &mut self.engine else { return batch };
        let report = engine.scrape(view, Instant::now() + TOO_LONG, asked, &mut batch);
        for run in report.runs {
            let outcome = match run.outcome {
                Outcome::Complete => "complete",
                Outcome::Absent => "absent",
                Outcome::Partial(_) => "partial",
                Outcome::Failed => "failed",
                Outcome::Late => "late",
            };
            *self.outcomes.entry(outcome).or_default() += 1;
        }
        let mut page = Vec::new();
        expo::encode(&[&batch], Format::OpenMetrics1, &mut page).unwrap();
        check(view, &page);
        batch
    }
}

/// Valid; but a file that says a thing twice is shown twice, of which a scraper takes the first.
/// A page of many megabytes, as a long line makes it where it is a label, is not read back: that takes a second each.
fn check(view: View, page: &[u8]) {
    if page.len() > MOST_READ {
        return;
    }
    match expo::parse(page, Format::OpenMetrics1) {
        Ok(_) => {}
        Err(error) if matches!(error.problem, Problem::DuplicateSeries(_)) => {
            expo::parse_lenient(page, Format::OpenMetrics1).unwrap_or_else(|error| panic!("{}: {error}", view.path()));
        }
        Err(error) => panic!("{}: {error}", view.path()),
    }
}

fn owner(view: View, family: &str) -> Option<&'static str> {
    let shows = |spec: &&&Spec| {
        spec.shows.iter().any(|(of, families)| *of == view && families.iter().any(|desc| desc.name == family))
    };
    collectors::ALL.iter().find(shows).map(|spec| spec.name)
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/collectors");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .flat_map(|collector| fs::read_dir(collector.unwrap().path().join("testdata")).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    // Some trees are there twice, for other options; the options are the same here.
    let mut known = HashSet::new();
    found.retain(|tree| {
        let mut content = BTreeMap::new();
        read_all(tree, Path::new(""), &mut content);
        known.insert(content)
    });
    found
}

/// What a tree consists of: files with their content, links with what they point to, folders.
fn read_all(root: &Path, below: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let (entry, mut content) = (entry.unwrap(), b"folder".to_vec());
        let path = below.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => read_all(root, &path, into),
            kind if kind.is_symlink() => {
                content = fs::read_link(entry.path()).unwrap().into_os_string().into_encoded_bytes();
            }
            _ => content = fs::read(entry.path()).unwrap(),
        }
        into.insert(path, content);
    }
}

fn files(root: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files(&entry.path(), into),
            kind if kind.is_file() => into.push(entry.path()),
            _ => {}
        }
    }
}

thread_local! {
    /// Panics of this thread, which the engine catches.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// What became of the files of some trees.
#[derive(Default)]
struct Survived {
    replaced: usize,
    runs: usize,
    slowest: (Duration, String),
    outcomes: BTreeMap<&'static str, usize>,
    /// Files by the number of collectors whose series they changed.
    touched: BTreeMap<usize, BTreeSet<String>>,
}

impl Survived {
    fn and(mut self, more: Self) -> Self {
        self.replaced += more.replaced;
        self.runs += more.runs;
        self.slowest = self.slowest.max(more.slowest);
        for (outcome, count) in more.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        for (count, files) in more.touched {
            self.touched.entry(count).or_default().extend(files);
        }
        self
    }

    /// Replaces each file of a tree in each way. `number` is the tree's: it says when all collectors have their turn.
    fn tree(&mut self, tree: &Path, number: usize, config: &Arc<Config>) {
        let mut lab = Lab::of(tree, config);
        let readers = Readers::of(&mut lab);
        let good = lab.scrape();
        let mut paths = Vec::new();
        files(lab.root.path(), &mut paths);
        for (at, path) in paths.iter().enumerate() {
            let content = fs::read(path).unwrap();
            let mut specs: Vec<_> = lab.its.iter().copied().chain(readers.of_file(path)).collect();
            specs.sort_by_key(|spec| spec.name);
            specs.dedup_by_key(|spec| spec.name);
            let turns = if readers.of_all.contains(path) { 10 } else { 100 };
            // One that knows the file as it was.
            lab.start(&specs);
            lab.scrape();
            for (nth, rubbish) in Rubbish::ALL.into_iter().enumerate() {
                let what = format!("{} {rubbish:?}", path.strip_prefix(lab.root.path()).unwrap().display());
                let (panics, started) = (PANICS.get(), Instant::now());
                // Once under an agent that knows the file, once under one that starts on it.
                rubbish.put(path, &content);
                lab.scrape();
                let specs = if (number + at + nth).is_multiple_of(turns) { collectors::ALL } else { specs.as_slice() };
                lab.start(specs);
                let shown = lab.scrape();
                restore(path, &content);
                let took = started.elapsed();
                assert_eq!(PANICS.get(), panics, "a collector panics over {}/{what}", tree.display());
                assert!(took < TOO_LONG, "{what} takes {took:?}");
                let its = |name| specs.iter().any(|spec| spec.name == name);
                let touched =
                    good.iter().filter(|(name, series)| its(**name) && shown.get(*name) != Some(series)).count();
                self.runs += 2;
                self.slowest = std::mem::take(&mut self.slowest).max((took, what.clone()));
                self.touched.entry(touched).or_default().insert(what);
            }
        }
        self.replaced += paths.len();
        for (outcome, count) in lab.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
    }
}

#[test]
fn no_file_can_be_broken_so_that_more_than_its_own_rows_are_lost() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.set(PANICS.get() + 1);
        usual(info);
    }));
    let config = Arc::new(Config::default());
    let (trees, next) = (fixtures(), AtomicUsize::new(0));
    let work = || {
        // Root reads what is forbidden unless it gives this up; only this thread does.
        for capability in [Capability::CAP_DAC_OVERRIDE, Capability::CAP_DAC_READ_SEARCH] {
            let _ = caps::drop(None, CapSet::Effective, capability);
        }
        let mut survived = Survived::default();
        loop {
            let number = next.fetch_add(1, SeqCst);
            let Some(tree) = trees.get(number) else { return survived };
            survived.tree(tree, number, &config);
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let all = thread::scope(|scope| {
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).fold(Survived::default(), Survived::and)
    });
    let Survived { replaced, runs, slowest, outcomes, touched } = all;
    let (most, files) = touched.last_key_value().unwrap();
    survived(
        "broken files",
        &format!(
            "{replaced} files of {} trees, each replaced in {} ways, {runs} scrapes, no panic; collectors {outcomes:?}; \
             a file touched at most {most} collectors ({}); slowest {slowest:?}",
            trees.len(),
            Rubbish::ALL.len(),
            files.first().unwrap(),
        ),
    );
    assert!(outcomes.get("complete").is_some_and(|count| *count > runs), "{outcomes:?}");
    assert!(!outcomes.contains_key("late"), "{outcomes:?}");
}
