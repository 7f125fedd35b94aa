//! The slice at work. Sizes are those of the disk that the test runs on, so there is no golden file.

use std::{fs, path::Path, time::Duration};

use kernfs::Budget;

use super::*;
use crate::{
    config::Config,
    identity::{Layout, Tree},
};

const CONTAINER: &str = "docker/4b1f0c9e8d7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c";

/// A machine with one disk and one container, whose layer has a file of 1 MiB.
fn machine(root: &Path) {
    for folder in ["sys", "proc/1", "proc/7", "rootfs/var/lib/snapshots/7/fs/data", "rootfs/dev/shm"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::create_dir_all(root.join("cgroup").join(CONTAINER)).unwrap();
    fs::write(root.join("cgroup/cgroup.controllers"), "memory\n").unwrap();
    fs::write(root.join("cgroup").join(CONTAINER).join("cgroup.procs"), "7\n").unwrap();
    fs::write(root.join("proc/stat"), "btime 1700000000\n").unwrap();
    fs::write(root.join("rootfs/var/lib/snapshots/7/fs/data/file"), vec![1; 1 << 20]).unwrap();
    let mounts = "27 1 254:0 / / rw - ext4 /dev/vda rw\n25 24 0:23 / /dev/shm rw - tmpfs tmpfs rw\n";
    fs::write(root.join("proc/1/mountinfo"), mounts).unwrap();
    let mounts = "9 8 0:50 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/var/lib/snapshots/7/fs,workdir=/w\n";
    fs::write(root.join("proc/7/mountinfo"), mounts).unwrap();
}

/// One scrape: `name{labels' values} number` of each sample, and the problems.
fn scrape(collector: &mut dyn Collector, tree: &mut Tree, host: &Host, view: View) -> (Vec<String>, Vec<String>) {
    let (mut reader, mut out, mut problems) = (Reader::default(), Batch::default(), Vec::new());
    tree.refresh(&mut reader, Instant::now());
    match view {
        View::Cadvisor => tree.as_cadvisor(&mut out),
        _ => tree.as_containers(&mut out),
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    let (reader, problems_of) = (&mut reader, &mut problems);
    collector
        .collect(&mut Scrape {
            view,
            out: &mut out,
            tree,
            host,
            reader,
            now: 1.75e9,
            deadline,
            problems: problems_of,
            others: &mut expo::Exposition::default(),
            absent: false,
        })
        .unwrap();
    let mut lines = Vec::new();
    for desc in out.families() {
        for sample in out.samples(desc) {
            let labels: Vec<_> = sample.labels().all().map(|(_, value)| value.to_owned()).collect();
            lines.push(format!("{}{{{}}} {}", desc.name, labels.join(","), sample.number()));
        }
    }
    (lines, problems.iter().map(ToString::to_string).collect())
}

fn number(lines: &[String], start: &str) -> Option<f64> {
    lines.iter().find(|line| line.starts_with(start)).and_then(|line| line.rsplit(' ').next()?.parse().ok())
}

#[test]
fn the_machine_has_a_row_a_device_and_a_container_its_layer_once_it_was_walked() {
    let root = tempfile::tempdir().unwrap();
    machine(root.path());
    let host = Arc::new(Host::below(root.path()).unwrap());
    let layout = Arc::new(Layout::find(&host, &mut Reader::default()).unwrap());
    let mut tree = Tree::new(Arc::clone(&host), layout, Budget::new(100)).unwrap();
    let context = Context::alone(Arc::clone(&host), Config::default());
    let mut collector = (SPEC.build)(&context).unwrap();

    let disk = kernfs::space(root.path()).unwrap().unwrap();
    let (lines, problems) = scrape(&mut *collector, &mut tree, &host, View::Cadvisor);
    assert_eq!(problems, Vec::<String>::new());
    for device in ["/dev/vda", "/dev/shm"] {
        let limit = number(&lines, &format!("container_fs_limit_bytes{{,/,,,,,{device}}}"));
        assert_eq!(limit, Some(disk.bytes as f64), "{lines:#?}");
        assert!(number(&lines, &format!("container_fs_usage_bytes{{,/,,,,,{device}}}")).is_some_and(|n| n > 0.0));
    }
    let id = CONTAINER.rsplit('/').next().unwrap();
    let row = |family: &str| format!("{family}{{,/{CONTAINER},,{id},,,/dev/vda}}");
    assert_eq!(number(&lines, &row("container_fs_limit_bytes")), Some(disk.bytes as f64), "{lines:#?}");
    assert_eq!(number(&lines, &row("container_fs_usage_bytes")), None, "not in the scrape itself");

    let deadline = Instant::now() + Duration::from_secs(20);
    let usage = loop {
        let (lines, _) = scrape(&mut *collector, &mut tree, &host, View::Cadvisor);
        if let Some(usage) = number(&lines, &row("container_fs_usage_bytes")) {
            break usage;
        }
        assert!(Instant::now() < deadline, "the layer was not walked");
        std::thread::yield_now();
    };
    assert!((1_048_576.0..1.2e6).contains(&usage), "{usage}");

    let (lines, problems) = scrape(&mut *collector, &mut tree, &host, View::Own);
    assert_eq!(problems, Vec::<String>::new());
    let own = |family: &str| number(&lines, &format!("{family}{{,,{id},/docker,cgroup,/dev/vda}}"));
    assert_eq!(own("container_filesystem_usage_bytes"), Some(usage), "{lines:#?}");
    assert_eq!(own("container_filesystem_inodes"), Some(3.0));
    assert!(own("container_filesystem_usage_age_seconds").is_some_and(|age| (0.0..20.0).contains(&age)));
}

#[test]
fn a_quota_is_told_from_the_size_of_the_folder() {
    let space = Space { bytes: 100, bytes_free: 60, inodes: 10, inodes_free: 3 };
    assert_eq!(by_quota(space), Usage { bytes: 40, inodes: 7 });
}

/// A container of a runtime that is in a container itself: its overlay is mounted in the mount namespace of its shim, and
/// the machine has other files at the path of its layer.
#[test]
fn a_layer_of_another_mount_namespace_is_measured_there_or_not_at_all() {
    for is_seen in [true, false] {
        let root = tempfile::tempdir().unwrap();
        machine(root.path());
        let path = |below: &str| root.path().join(below);
        for (pid, parent) in [(7, 6), (6, 1)] {
            fs::create_dir_all(path(&format!("proc/{pid}"))).unwrap();
            fs::write(path(&format!("proc/{pid}/stat")), format!("{pid} (a b) S {parent} 1 1\n")).unwrap();
        }
        let inner = "40 1 0:44 / / rw - overlay overlay rw,upperdir=/outer\n\
            41 40 0:50 / /run/task/rootfs rw - overlay overlay rw,lowerdir=/l,upperdir=/var/lib/snapshots/7/fs\n";
        fs::write(path("proc/6/mountinfo"), if is_seen { inner } else { "" }).unwrap();
        fs::create_dir_all(path("proc/6/root/var/lib/snapshots/7/fs")).unwrap();
        fs::write(path("proc/6/root/var/lib/snapshots/7/fs/file"), vec![1; 3 << 20]).unwrap();
        // The device of the folder of this test, under the number that mountinfo gives the machine's disk.
        let device = std::os::unix::fs::MetadataExt::dev(&fs::metadata(root.path()).unwrap());
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let mounts = format!("27 1 {major}:{minor} / / rw - ext4 /dev/vda rw\n");
        fs::write(path("proc/1/mountinfo"), mounts).unwrap();

        let host = Arc::new(Host::below(root.path()).unwrap());
        let layout = Arc::new(Layout::find(&host, &mut Reader::default()).unwrap());
        let mut tree = Tree::new(Arc::clone(&host), layout, Budget::new(100)).unwrap();
        let mut collector = (SPEC.build)(&Context::alone(Arc::clone(&host), Config::default())).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let usage = loop {
            let (lines, problems) = scrape(&mut *collector, &mut tree, &host, View::Own);
            assert_eq!(problems, Vec::<String>::new());
            let usage = lines.iter().find(|line| line.starts_with("container_filesystem_usage_bytes")).cloned();
            if usage.is_some() || !is_seen {
                break usage;
            }
            assert!(Instant::now() < deadline, "the layer was not walked");
            std::thread::yield_now();
        };
        let usage = usage.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
        match usage {
            Some(usage) => assert!(is_seen && (3_145_728.0..3.4e6).contains(&usage), "{usage}"),
            None => assert!(!is_seen),
        }
    }
}
