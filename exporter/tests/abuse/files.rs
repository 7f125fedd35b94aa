//! Every file of every fixture tree, replaced by each kind of rubbish, in turn, under all collectors.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use caps::{CapSet, Capability};
use expo::{Format, Problem};
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

/// A tree under test.
struct Lab {
    root: tempfile::TempDir,
    host: Arc<Host>,
    config: Arc<Config>,
    engine: Option<Engine>,
    /// Whether all collectors run, and not only those that the tree was made for.
    all: bool,
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
        Self { root, host, config: Arc::clone(config), engine: None, all: false, its, outcomes: BTreeMap::new() }
    }

    /// An agent that starts now; `None` when it refuses to, as it does without a cgroup hierarchy.
    fn start(&mut self, all: bool) {
        self.all = all;
        let specs = if all { collectors::ALL } else { &self.its };
        self.engine = Layout::find(&self.host, &mut Reader::default()).ok().map(|layout| {
            let tree = Tree::new(Arc::clone(&self.host), Arc::new(layout), Budget::new(1000)).unwrap();
            let context = Context::alone(Arc::clone(&self.host), Arc::clone(&self.config));
            Engine::new(specs, reads_files, &context, tree)
        });
    }

    /// All views, each a valid page.
    fn scrape(&mut self) -> Shown {
        let mut shown = Shown::new();
        let all = self.all;
        let Some(engine) = &mut self.engine else { return shown };
        for view in View::ALL {
            if !engine.on().any(|spec| spec.is_in(view)) {
                continue;
            }
            let mut batch = Batch::default();
            let report = engine.scrape(view, Instant::now() + TOO_LONG, |_| true, &mut batch);
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
            for desc in batch.families().filter(|_| all) {
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
    found
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

/// Counts panics, which the engine catches.
static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn no_file_can_be_broken_so_that_more_than_its_own_rows_are_lost() {
    // Root reads what is forbidden unless it gives this up; only this thread does.
    for capability in [Capability::CAP_DAC_OVERRIDE, Capability::CAP_DAC_READ_SEARCH] {
        let _ = caps::drop(None, CapSet::Effective, capability);
    }
    let thread = std::thread::current().id();
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == thread {
            PANICS.fetch_add(1, SeqCst);
        }
        usual(info);
    }));
    let config = Arc::new(Config::default());
    let (mut runs, mut replaced, mut slowest) = (0, 0, (Duration::ZERO, String::new()));
    let mut outcomes: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut widest: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    let trees = fixtures();
    for tree in &trees {
        let mut lab = Lab::of(tree, &config);
        lab.start(true);
        let good = lab.scrape();
        let mut paths = Vec::new();
        files(lab.root.path(), &mut paths);
        for path in paths {
            let content = fs::read(&path).unwrap();
            replaced += 1;
            for (nth, rubbish) in Rubbish::ALL.into_iter().enumerate() {
                // All collectors together take turns over the kinds of rubbish.
                let all = (replaced + nth) % Rubbish::ALL.len() == 0;
                let what = format!("{} {rubbish:?}", path.strip_prefix(lab.root.path()).unwrap().display());
                let before = (PANICS.load(SeqCst), Instant::now());
                // Once under an agent that knows the file, once under one that starts on it.
                rubbish.put(&path, &content);
                lab.scrape();
                lab.start(all);
                let shown = lab.scrape();
                restore(&path, &content);
                runs += 2;
                let took = before.1.elapsed();
                assert_eq!(PANICS.load(SeqCst), before.0, "a collector panics over {}/{what}", tree.display());
                assert!(took < TOO_LONG, "{what} takes {took:?}");
                slowest = slowest.max((took, what.clone()));
                if !all {
                    continue;
                }
                let touched = good.iter().filter(|(name, series)| shown.get(*name) != Some(series)).count();
                widest.entry(touched).or_default().insert(what);
            }
        }
        for (outcome, count) in lab.outcomes {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    let (most, files) = widest.last_key_value().unwrap();
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
