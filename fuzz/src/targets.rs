use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use daemon::{WebArgs, foreign, parse_yaml};
use expo::{Encoding, Format, Problem};
use kernfs::{Budget, Host, Reader, text};
use metric::Batch;
use yagura_exporter::{
    collectors,
    config::Config,
    identity::{Layout, Tree, bundle, path},
    ids::ContainerId,
    mounts,
    report::Outcome,
    scrape::Engine,
    spec::{Context, Need, Spec, View},
};

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by the name of their program and of their corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("accept", accept),
    ("bundle", bundle),
    ("cgroup_files", cgroup_files),
    ("cgroup_path", cgroup_path),
    ("client", client),
    ("config", config),
    ("kernel_text", kernel_text),
    ("openmetrics", openmetrics),
    ("proc_files", proc_files),
    ("protobuf", protobuf),
    ("rootfs_files", rootfs_files),
    ("sys_files", sys_files),
    ("text004", text004),
    ("web_config", web_config),
];

/// The rule that tells what a cgroup is by its path.
pub fn cgroup_path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let whole = format!("/{}", text.trim_matches('/'));
    match path::place(&whole) {
        path::Place::Inner { container } => assert!(whole.starts_with(container) && container.len() < whole.len()),
        // Static pods are called by a hash of 32 digits.
        path::Place::Pod(uid) => assert!([32, 36].contains(&uid.canonical().as_str().len())),
        path::Place::Container(container) => assert!(!container.id.0.is_empty() && whole.contains(container.id.0)),
        _ => {}
    }
    let _ = path::unescape(text);
}

/// Bundles of containers, which whoever may start containers writes.
pub fn bundle(data: &[u8]) {
    if let Some(named) = bundle::parse(data, ContainerId("0123abcd")) {
        assert!(!named.name.is_empty());
    }
}

/// What all parsers of kernel files are made of.
pub fn kernel_text(data: &[u8]) {
    let _ = (text::only_number(data), text::signed(data), text::pairs(data).count());
    for line in text::lines(data) {
        let _ = text::words(line).map(|word| text::text(word).len()).sum::<usize>();
    }
    for mount in mounts::mountinfo(data) {
        let _ = (mounts::unescaped(mount.point), mounts::unescaped(mount.source), mount.options.len());
    }
    let _ = mounts::number(data);
}

/// Headers of clients.
pub fn accept(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let format = expo::negotiate(Some(text));
    assert_eq!(Format::of_content_type(format.content_type()), Some(format));
    let _ = Format::of_content_type(text);
    assert!(matches!(expo::negotiate_encoding(Some(text)), Encoding::Identity | Encoding::Gzip | Encoding::Zstd));
}

/// What else clients send: query strings, timeouts, users, certificates.
pub fn client(data: &[u8]) {
    let said = foreign::read(data);
    assert!(said.parameters.len() <= data.len());
    assert!(said.time < Duration::from_mins(5), "{:?}", said.time);
    assert!(said.names.iter().all(|name| name.len() <= 3 * data.len()));
}

/// Pages in the Prometheus text format.
pub fn text004(data: &[u8]) {
    page(data, Format::Text004);
}

/// Pages in OpenMetrics.
pub fn openmetrics(data: &[u8]) {
    page(data, Format::OpenMetrics1);
}

/// Pages in protobuf.
pub fn protobuf(data: &[u8]) {
    page(data, Format::Protobuf);
}

/// A page that can be read strictly can be read leniently, and what was read can be written in every format.
fn page(data: &[u8], format: Format) {
    let lenient = expo::parse_lenient(data, format);
    let Ok(page) = expo::parse(data, format) else { return };
    assert!(lenient.is_ok(), "strictly but not leniently: {lenient:?}");
    for format in Format::ALL {
        expo::encode_exposition(&page, format, &mut Vec::new()).expect("memory takes everything");
    }
}

/// The configuration. What is wrong with it is said in one line that names the file.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = parse_yaml::<Config>(text, Path::new("yagura.yaml")) {
        assert!(error.to_string().starts_with("yagura.yaml:"), "{error}");
    }
}

/// The web configuration, which may hold certificates.
pub fn web_config(data: &[u8]) {
    // It names files, which must not be any of this machine.
    if data.windows(5).any(|five| five == b"_file") {
        return;
    }
    thread_local! {
        static FOLDER: tempfile::TempDir = memory();
    }
    FOLDER.with(|folder| {
        let file = folder.path().join("web.yaml");
        std::fs::write(&file, data).expect("a file in memory");
        let mut args = WebArgs::on_port(1);
        args.config.file = Some(file);
        let _ = args.check();
    });
}

/// Files of cgroups, under the collectors that read them.
pub fn cgroup_files(data: &[u8]) {
    thread_local!(static LABS: RefCell<Labs> = RefCell::new(Labs::of("cgroup")));
    LABS.with(|labs| labs.borrow_mut().run(data));
}

/// Files of procfs, under the collectors that read them.
pub fn proc_files(data: &[u8]) {
    thread_local!(static LABS: RefCell<Labs> = RefCell::new(Labs::of("proc")));
    LABS.with(|labs| labs.borrow_mut().run(data));
}

/// Files of sysfs, under the collectors that read them.
pub fn sys_files(data: &[u8]) {
    thread_local!(static LABS: RefCell<Labs> = RefCell::new(Labs::of("sys")));
    LABS.with(|labs| labs.borrow_mut().run(data));
}

/// Files of the host's root, under the collectors that read them: bundles, text files, udev's data.
pub fn rootfs_files(data: &[u8]) {
    thread_local!(static LABS: RefCell<Labs> = RefCell::new(Labs::of("rootfs")));
    LABS.with(|labs| labs.borrow_mut().run(data));
}

/// A folder in memory where there is one.
fn memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// The files of one root in all fixture trees. The first two bytes of an input choose one, the others replace it. A file
/// is found by a hash of its path, so that inputs keep their meaning when fixtures are added.
struct Labs {
    /// Hash, tree, file; sorted.
    files: Vec<(u16, PathBuf, PathBuf)>,
    copies: BTreeMap<PathBuf, Lab>,
    root: &'static str,
}

/// A copy of a fixture tree.
struct Lab {
    folder: tempfile::TempDir,
    specs: Vec<&'static Spec>,
    host: Arc<Host>,
    config: Arc<Config>,
}

impl Labs {
    fn of(root: &'static str) -> Self {
        let collectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../exporter/src/collectors");
        let mut files = Vec::new();
        for collector in entries(&collectors) {
            for tree in entries(&collector.join("testdata")) {
                let mut found = Vec::new();
                files_below(&tree.join(root), &mut found);
                files.extend(found.into_iter().map(|file| (hash(&collectors, &file), tree.clone(), file)));
            }
        }
        files.sort();
        Self { files, copies: BTreeMap::new(), root }
    }

    fn run(&mut self, data: &[u8]) {
        let Some((choice, content)) = data.split_first_chunk::<2>() else { return };
        let choice = u16::from_le_bytes(*choice);
        let at = self.files.partition_point(|(hash, ..)| *hash < choice);
        let Some((_, tree, file)) = self.files.get(at).or(self.files.first()) else { return };
        let lab = self.copies.entry(tree.clone()).or_insert_with(|| Lab::of(tree));
        let below = file.strip_prefix(tree).expect("it was found there");
        debug_assert!(below.starts_with(self.root));
        let path = lab.folder.path().join(below);
        let good = std::fs::read(file).expect("a fixture");
        std::fs::write(&path, content).expect("a file in memory");
        lab.scrape();
        std::fs::write(&path, good).expect("a file in memory");
    }
}

impl Lab {
    fn of(tree: &Path) -> Self {
        let folder = memory();
        for root in ["cgroup", "proc", "sys", "rootfs"] {
            std::fs::create_dir(folder.path().join(root)).expect("a folder in memory");
            copy(&tree.join(root), &folder.path().join(root));
        }
        let host = Arc::new(Host::below(folder.path()).expect("the folders are there"));
        if Layout::find(&host, &mut Reader::default()).is_err() {
            std::fs::write(folder.path().join("cgroup/cgroup.controllers"), "").expect("a file in memory");
        }
        let collector = tree.ancestors().nth(2).and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("");
        let is_its = |spec: &&&'static Spec| {
            let reads_files = !spec.needs.iter().any(|need| matches!(need, Need::Btf | Need::Hook(_)));
            reads_files && spec.name.starts_with(collector)
        };
        let specs = collectors::ALL.iter().filter(is_its).copied().collect();
        Self { folder, specs, host, config: Arc::new(Config::default()) }
    }

    /// A fresh agent, so that an input does the same whatever came before.
    fn scrape(&self) {
        let Ok(layout) = Layout::find(&self.host, &mut Reader::default()) else { return };
        let tree = Tree::new(Arc::clone(&self.host), Arc::new(layout), Budget::new(100)).expect("hierarchies");
        let context = Context::alone(Arc::clone(&self.host), Arc::clone(&self.config));
        let mut engine = Engine::new(&self.specs, |_| true, &context, tree);
        for view in View::ALL {
            if !self.specs.iter().any(|spec| spec.is_in(view)) {
                continue;
            }
            let mut batch = Batch::default();
            let report = engine.scrape(view, Instant::now() + Duration::from_secs(20), |_| true, &mut batch);
            // A collector's panic is caught by the engine; libFuzzer's hook ends the program before that.
            assert!(report.runs.iter().all(|run| run.outcome != Outcome::Late), "{:?}", report.runs);
            let mut page = Vec::new();
            expo::encode(&[&batch], Format::OpenMetrics1, &mut page).expect("memory takes everything");
            // A file that says a thing twice is shown twice, of which a scraper takes the first.
            match expo::parse(&page, Format::OpenMetrics1) {
                Ok(_) => {}
                Err(error) if matches!(error.problem, Problem::DuplicateSeries(_)) => {
                    let lenient = expo::parse_lenient(&page, Format::OpenMetrics1);
                    assert!(lenient.is_ok(), "{}: {lenient:?}", view.path());
                }
                Err(error) => panic!("{}: {error}", view.path()),
            }
        }
    }
}

/// FNV-1a of the path below the collectors, folded to 16 bits.
fn hash(collectors: &Path, file: &Path) -> u16 {
    let below = file.strip_prefix(collectors).unwrap_or(file).as_os_str().as_encoded_bytes();
    let hash = below.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let [a, b, c, d] = hash.to_le_bytes();
    u16::from_le_bytes([a ^ c, b ^ d])
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found.retain(|path| path.is_dir());
    found
}

fn files_below(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut found: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
    found.sort_by_key(std::fs::DirEntry::file_name);
    for entry in found {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_below(&entry.path(), into),
            Ok(kind) if kind.is_file() => into.push(entry.path()),
            _ => {}
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                std::fs::create_dir_all(&target).expect("a folder in memory");
                copy(&entry.path(), &target);
            }
            Ok(kind) if kind.is_symlink() => {
                let link = std::fs::read_link(entry.path()).expect("a link");
                std::os::unix::fs::symlink(link, target).expect("a link in memory");
            }
            _ => {
                std::fs::copy(entry.path(), target).expect("a file in memory");
            }
        }
    }
}
