//! A feature that this machine cannot have is off with a reason that helps; what is lost is counted; nothing is made up.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

mod common;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use common::{BpfFs, Folder, burn, burner, host, older_than, on, owner_root, total, unable};
use kernfs::{Host, Reader};
use yagura_exporter::{
    identity::Layout,
    probes::{
        exec,
        iterators::Iterators,
        lifetime::{Lifetime, Options, Sizes},
        oom,
        runqueue::Runqueue,
    },
};

#[test]
fn an_object_that_the_verifier_refuses_takes_nothing_else_with_it() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let host = host();
    let refused = Lifetime::start(&host, &Options { refuse: true, ..Options::default() }).unwrap_err();
    assert!(refused.0.contains("refused by the verifier"), "{refused}");
    let lifetime = on(Lifetime::start(&host, &Options::default()));
    // Each with the kernel that has its kind of map and its hook: an older one says so before its verifier looks.
    let reasons = [
        ((5, 8), oom::start(&host, lifetime.books(), true).map(drop).unwrap_err()),
        ((5, 8), exec::start(&host, lifetime.books(), exec::Mode::Refused).map(drop).unwrap_err()),
        ((5, 11), Runqueue::start(&host, lifetime.books(), true).map(drop).unwrap_err()),
        ((6, 1), Iterators::start(&host, &layout(&host), true).map(drop).unwrap_err()),
    ];
    for (since, reason) in reasons {
        println!("off: {reason}");
        if older_than(since).is_none() {
            assert!(reason.0.contains("refused by the verifier: "), "{reason}");
        }
    }
    let scratch = tempfile::tempdir().unwrap();
    let folder = Folder::make(&owner_root().unwrap(), "refused");
    let truth = burn(&burner(scratch.path()), &folder.0, 16, [3, 10], 2);
    let (real, doubt) = total(&truth);
    let counted = wait_for_cpu(&lifetime, &folder.name(), real - doubt);
    assert!(
        counted.abs_diff(real) < real / 100 + 2_000_000 + doubt,
        "{counted} of {real} ns, {doubt} of them in doubt"
    );
}

fn layout(host: &Host) -> Layout {
    Layout::find(host, &mut Reader::default()).unwrap()
}

/// What workloads below a folder used, once it is about what it should be.
fn wait_for_cpu(lifetime: &Lifetime, folder: &str, expected: u64) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let sum = lifetime
            .read(|ledger| {
                let all = ledger.workloads().filter(|workload| workload.key.name.starts_with(folder));
                all.map(|workload| workload.totals.cpu_ns).sum::<u64>()
            })
            .unwrap();
        if sum >= expected - expected / 500 || Instant::now() > deadline {
            return sum;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn without_btf_the_reason_names_the_file() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let empty = tempfile::tempdir().unwrap();
    let hidden = Host::open(Path::new("/proc"), empty.path(), Path::new("/sys/fs/cgroup"), Path::new("/")).unwrap();
    let reason = Lifetime::start(&hidden.into(), &Options::default()).unwrap_err();
    assert!(reason.0.contains("/sys/kernel/btf/vmlinux"), "{reason}");
}

#[test]
fn without_capabilities_the_reason_names_them_and_what_runs_goes_on() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    // Capabilities belong to threads: the other tests keep theirs.
    let (reason, still_reads) = std::thread::scope(|scope| {
        let dropped = scope.spawn(|| {
            for set in [caps::CapSet::Effective, caps::CapSet::Permitted] {
                caps::clear(None, set).unwrap();
            }
            let reason = Lifetime::start(&host(), &Options::default()).unwrap_err();
            (reason, lifetime.read(|ledger| ledger.audit().total_ns()))
        });
        dropped.join().unwrap()
    });
    assert!(reason.0.contains("CAP_BPF"), "{reason}");
    println!("off: {reason}; reading after the drop: {still_reads:?}");
    lifetime.read(|ledger| assert!(ledger.audit().total_ns() > 0)).unwrap();
}

#[test]
fn a_kernel_that_is_locked_down_is_the_reason() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let sys = tempfile::tempdir().unwrap();
    for (file, text) in [("btf/vmlinux", ""), ("security/lockdown", "none integrity [confidentiality]\n")] {
        let path = sys.path().join("kernel").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let locked = Host::open(Path::new("/proc"), sys.path(), Path::new("/sys/fs/cgroup"), Path::new("/")).unwrap();
    let reason = Lifetime::start(&locked.into(), &Options::default()).unwrap_err();
    assert!(reason.0.contains("lockdown=confidentiality"), "{reason}");
}

/// A hierarchy of version 1 as if there were no other; unmounted at the end.
struct VersionOne(tempfile::TempDir);

impl VersionOne {
    fn mount() -> Result<Self, String> {
        let known = ["cpuacct", "cpu,cpuacct"].map(|name| Path::new("/sys/fs/cgroup").join(name));
        let known = known.into_iter().find(|path| path.join("cpuacct.usage").exists());
        let known = known.ok_or("no hierarchy of version 1 with cpuacct is mounted")?;
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("cpuacct");
        std::fs::create_dir(&at).unwrap();
        rustix::mount::mount_bind(known, at).map_err(|error| format!("no bind mount: {error}"))?;
        Ok(Self(folder))
    }
}

impl Drop for VersionOne {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0.path().join("cpuacct"), rustix::mount::UnmountFlags::DETACH);
    }
}

#[test]
fn with_version_1_only_the_cgroups_of_cpuacct_own_what_is_used() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let only = match VersionOne::mount() {
        Ok(only) => only,
        Err(reason) => return testkit::skipped(&reason),
    };
    let host = Host::open(Path::new("/proc"), Path::new("/sys"), only.0.path(), Path::new("/")).unwrap();
    assert_eq!(layout(&host).mode().name(), "v1");
    let lifetime = on(Lifetime::start(&host.into(), &Options::default()));
    let scratch = tempfile::tempdir().unwrap();
    let folder = Folder::make(&only.0.path().join("cpuacct"), "one");
    let truth = burn(&burner(scratch.path()), &folder.0, 40, [3, 10], 2);
    let (real, doubt) = total(&truth);
    let counted = wait_for_cpu(&lifetime, &folder.name(), real - doubt);
    println!("{counted} of {real} ns counted by cpuacct's cgroups, {doubt} in doubt");
    assert!(
        counted.abs_diff(real) < real / 500 + 1_000_000 + doubt,
        "{counted} of {real} ns, {doubt} of them in doubt"
    );
    let (started, lost) = lifetime
        .read(|ledger| {
            let ours = ledger.workloads().filter(|workload| workload.key.name.starts_with(&folder.name()));
            ours.map(|workload| workload.started).sum::<u64>()
        })
        .map(|started| (started, lifetime.lost()))
        .unwrap();
    assert_eq!(started, truth.len() as u64, "{lost:?}");
}

#[test]
fn pinned_programs_go_on_counting_while_no_agent_runs() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let scratch = tempfile::tempdir().unwrap();
    let bpffs = match BpfFs::mount(scratch.path()) {
        Ok(bpffs) => bpffs,
        Err(error) => return testkit::skipped(&format!("no BPF file system can be mounted: {error}")),
    };
    let books = scratch.path().join("books");
    let pin = Some(yagura_exporter::probes::lifetime::Pin { bpffs: bpffs.0.clone(), books });
    let options = Options { pin, ..Options::default() };
    let first = on(Lifetime::start(&host(), &options));
    assert!(!first.is_reused());
    drop(first);
    let folder = Folder::make(&owner_root().unwrap(), "pinned");
    let truth = burn(&burner(scratch.path()), &folder.0, 16, [3, 10], 2);
    let (real, doubt) = total(&truth);
    let second = on(Lifetime::start(&host(), &options));
    assert!(second.is_reused());
    let counted = wait_for_cpu(&second, &folder.name(), real - doubt);
    println!("{counted} of {real} ns counted while no agent ran");
    assert!(
        counted.abs_diff(real) < real / 100 + 2_000_000 + doubt,
        "{counted} of {real} ns, {doubt} of them in doubt"
    );
    // Programs that differ in any way are not taken over: the old ones end.
    let sizes = Sizes { tasks: 20_000, ..options.sizes };
    drop(second);
    let third = on(Lifetime::start(&host(), &Options { sizes, ..options }));
    assert!(!third.is_reused());
    let ours = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("lifetime-");
    assert_eq!(std::fs::read_dir(&bpffs.0).unwrap().flatten().filter(ours).count(), 1);
}
