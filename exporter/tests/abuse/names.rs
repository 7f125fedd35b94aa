//! Cgroups with hostile names, and a tree that does not stand still.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use expo::Format;
use kernfs::{Budget, Host};
use metric::Batch;
use testkit::{Cgroup, Limits, pod_path};
use yagura_exporter::spec::View;

use crate::{
    machine::{copy_tree, engine, read, scrape, this_host},
    survived,
};

/// Names that a kernel accepts; a newline is only possible in a copied tree.
fn hostile() -> Vec<Vec<u8>> {
    let long = [&[b'n'; 247][..], b".service"].concat();
    let mut names: Vec<Vec<u8>> = [
        &b"quo\"te.service"[..],
        b"back\\slash.service",
        b"back\\x5cslash.service",
        b"new\nline.service",
        b"{brace=\"1\"} 5.service",
        b"invalid\xff\xfeutf8.service",
        b"invalid\xfd\xfeutf8.service",
        b"tab\tand space.service",
        b"\x01control.service",
        b"docker-\".scope",
        b"-.service",
        b".service",
        "\u{202e}\u{0}".trim_end_matches('\0').as_bytes(),
    ]
    .map(<[u8]>::to_vec)
    .into();
    names.push(long);
    names
}

/// A page of each view in each format; how many series have an id that starts so.
fn pages(host: &Arc<Host>, start: &str) -> usize {
    let mut engine = engine(host, &Budget::new(1000));
    let mut found = 0;
    for view in View::ALL {
        let mut batch = Batch::default();
        scrape(&mut engine, view, &mut batch);
        for format in Format::ALL {
            let page = read(&batch, format);
            found += page.samples().filter(|(_, s)| s.label("id").is_some_and(|id| id.starts_with(start))).count();
        }
    }
    found
}

#[test]
fn hostile_names_of_cgroups_make_no_broken_page() {
    let root = tempfile::tempdir().unwrap();
    for name in ["cgroup", "proc", "sys", "rootfs"] {
        fs::create_dir(root.path().join(name)).unwrap();
    }
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/collectors/container_cpu/testdata/v2");
    copy_tree(&fixture.join("cgroup"), &root.path().join("cgroup"));
    fs::write(root.path().join("cgroup/cgroup.controllers"), "cpu memory io pids\n").unwrap();
    let names = hostile();
    for name in &names {
        let folder = root.path().join("cgroup/system.slice").join(OsStr::from_bytes(name));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("cpu.stat"), "usage_usec 5\nuser_usec 3\nsystem_usec 2\n").unwrap();
        fs::write(folder.join("cgroup.procs"), "1\n").unwrap();
    }
    let found = pages(&Arc::new(Host::below(root.path()).unwrap()), "/system.slice/");
    assert!(found > names.len(), "{found} series");
    survived("names of cgroups", &format!("{} in a copied tree, {found} lines in 9 valid pages", names.len()));
}

#[test]
fn the_kernel_may_have_cgroups_of_hostile_names() {
    if !testkit::is_root() {
        return testkit::skipped("making cgroups takes root");
    }
    let top = "/yagura-abuse-names";
    let parent = Cgroup::make(&format!("{top}/x.slice"), Limits::default()).unwrap();
    let below = Path::new(parent.path()).strip_prefix("/").unwrap().to_owned();
    let mut made: Vec<PathBuf> = Vec::new();
    let mut refused = 0;
    for hierarchy in hierarchies() {
        for name in hostile() {
            let folder = hierarchy.join(&below).join(OsStr::from_bytes(&name));
            match fs::create_dir(&folder) {
                Ok(()) => made.push(folder),
                Err(_) => refused += 1,
            }
        }
    }
    let found = pages(&this_host(), &format!("{top}/"));
    for folder in made.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
    assert!(found > made.len(), "{found} lines");
    survived("names of cgroups", &format!("{} real ones, {refused} refused by the kernel, {found} lines", made.len()));
}

fn hierarchies() -> Vec<PathBuf> {
    let top = Path::new("/sys/fs/cgroup");
    if top.join("cgroup.controllers").exists() {
        return vec![top.to_owned()];
    }
    ["cpu", "memory", "unified"].map(|name| top.join(name)).into_iter().filter(|path| path.exists()).collect()
}

#[test]
fn the_tree_may_change_while_it_is_read() {
    if !testkit::is_root() {
        return testkit::skipped("making cgroups takes root");
    }
    let host = this_host();
    let mut engine = engine(&host, &Budget::new(1000));
    let (stop, changes) = (AtomicBool::new(false), AtomicUsize::new(0));
    let scrapes = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(SeqCst) {
                let made: Vec<_> = (0..10)
                    .map(|pod| Cgroup::make(&pod_path("yagura-abuse-churn", pod, 0), Limits::default()).unwrap())
                    .collect();
                changes.fetch_add(2 * made.len(), SeqCst);
            }
        });
        let mut scrapes = 0;
        while changes.load(SeqCst) < 400 || scrapes < 40 {
            for view in [View::Cadvisor, View::Own] {
                let mut batch = Batch::default();
                scrape(&mut engine, view, &mut batch);
                read(&batch, Format::Text004);
                scrapes += 1;
            }
        }
        stop.store(true, SeqCst);
        scrapes
    });
    let mut batch = Batch::default();
    scrape(&mut engine, View::Cadvisor, &mut batch);
    let page = read(&batch, Format::Text004);
    let left =
        page.samples().filter(|(_, s)| s.label("id").is_some_and(|id| id.starts_with("/yagura-abuse-churn/"))).count();
    assert_eq!(left, 0, "rows of cgroups that are gone");
    survived(
        "a changing tree",
        &format!("{} cgroups came and went during {scrapes} valid pages", changes.load(SeqCst)),
    );
}
