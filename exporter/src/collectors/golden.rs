//! Slice tests: a fixture tree in, exposition lines out, compared with a golden file beside the tree.
//!
//! A fixture is a folder with `cgroup`, `proc`, `sys` and `rootfs` as a real kernel shows them (those that are missing
//! are made empty). `UPDATE_GOLDEN=1` writes the golden files anew; review them line by line.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use kernfs::{Budget, Host, Reader};
use metric::{Batch, Desc};

use crate::{
    config::Config,
    identity::{Layout, Tree},
    spec::{Collector, Context, Scrape, Spec, Unavailable, View},
};

/// Runs the collector over `src/collectors/<folder>` and compares with `<folder>.<view>.prom`.
pub(crate) fn check(spec: &'static Spec, folder: &str, view: View) {
    check_with(spec, folder, view, Config::default());
}

/// The same with options.
pub(crate) fn check_with(spec: &'static Spec, folder: &str, view: View, config: Config) {
    check_built(spec, spec.build, folder, view, config);
}

/// How a collector is built.
pub(crate) type Build = fn(&Context) -> Result<Box<dyn Collector>, Unavailable>;

/// The same with a collector that is built in another way: one that asks a stand-in instead of the kernel.
pub(crate) fn check_built(spec: &'static Spec, build: Build, folder: &str, view: View, config: Config) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/collectors").join(folder);
    let name = match view {
        View::Own => "own",
        View::Cadvisor => "cadvisor",
        View::Node => "node",
    };
    let golden = folder.with_extension(format!("{name}.prom"));
    let text = run_built(spec, build, &folder, view, config);
    if testkit::given("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_else(|e| panic!("{}: {e}", golden.display()));
    if text != expected {
        let (ours, theirs): (Vec<_>, Vec<_>) = (text.lines().collect(), expected.lines().collect());
        let surplus: Vec<_> = ours.iter().filter(|line| !theirs.contains(line)).collect();
        let missing: Vec<_> = theirs.iter().filter(|line| !ours.contains(line)).collect();
        panic!("{}\nnot expected: {surplus:#?}\nmissing: {missing:#?}", golden.display());
    }
}

/// The lines a collector gives for a fixture tree: families in order, samples sorted.
pub(crate) fn run(spec: &'static Spec, folder: &Path, view: View) -> String {
    run_built(spec, spec.build, folder, view, Config::default())
}

fn run_built(spec: &'static Spec, build: Build, folder: &Path, view: View, config: Config) -> String {
    // The tree is copied so that missing roots can be made and folders have no surprising times.
    let copy = tempfile::tempdir().unwrap();
    for root in ["cgroup", "proc", "sys", "rootfs"] {
        std::fs::create_dir(copy.path().join(root)).unwrap();
        copy_tree(&folder.join(root), &copy.path().join(root));
    }
    run_at(spec, build, copy.path(), view, config)
}

/// The lines a collector gives for the tree itself, where a fixture cannot hold what it needs, such as a socket.
pub(crate) fn run_at(spec: &'static Spec, build: Build, root: &Path, view: View, config: Config) -> String {
    let host = Arc::new(Host::below(root).unwrap());
    let mut reader = Reader::default();
    let mut out = Batch::default();
    let layout = Layout::find(&host, &mut reader).unwrap_or_else(|_| {
        std::fs::write(root.join("cgroup/cgroup.controllers"), "").unwrap();
        Layout::find(&host, &mut reader).unwrap()
    });
    let mut tree = Tree::new(Arc::clone(&host), Arc::new(layout), Budget::new(1000)).unwrap();
    tree.refresh(&mut reader, Instant::now());
    match view {
        View::Own => tree.as_containers(&mut out),
        View::Cadvisor => tree.as_cadvisor(&mut out),
        View::Node => {}
    }
    let context = Context::alone(Arc::clone(&host), config);
    let mut collector = build(&context).unwrap();
    let mut problems = Vec::new();
    let mut others = expo::Exposition::default();
    let mut scrape = Scrape {
        view,
        out: &mut out,
        tree: &mut tree,
        host: &host,
        reader: &mut reader,
        now: 1_750_000_000.0,
        deadline: Instant::now() + Duration::from_mins(1),
        problems: &mut problems,
        others: &mut others,
        absent: false,
    };
    collector.collect(&mut scrape).unwrap();
    let declared: Vec<&Desc> =
        spec.shows.iter().filter(|(v, _)| *v == view).flat_map(|(_, f)| f.iter().copied()).collect();
    let mut text = String::new();
    for desc in out.families() {
        let is_declared = desc.discovered || declared.iter().any(|d| d.name == desc.name);
        assert!(is_declared, "{} is not declared for {view:?}", desc.name);
        let mut lines: Vec<String> = out
            .samples(desc)
            .map(|sample| {
                let labels: Vec<_> = sample.labels().all().map(|(name, value)| format!("{name}={value:?}")).collect();
                format!("{}{{{}}} {}\n", desc.name, labels.join(","), sample.number())
            })
            .collect();
        lines.sort();
        let before = lines.len();
        lines.dedup_by(|a, b| a.rsplit_once(' ').map(|x| x.0) == b.rsplit_once(' ').map(|x| x.0));
        assert_eq!(before, lines.len(), "{} has a series twice", desc.name);
        text.extend(lines);
    }
    for problem in problems {
        text.extend(["# ", &problem.to_string(), "\n"]);
    }
    // Some labels and all problems name files of the copy.
    text.replace(&root.display().to_string(), "")
}

fn copy_tree(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        // What keeps an empty folder in the repository.
        if entry.file_name() == ".keep" {
            continue;
        }
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_tree(&entry.path(), &target);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
