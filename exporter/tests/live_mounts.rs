//! File systems whose server is gone, for real: mounts of FUSE that nobody serves. The agent must lose their space and
//! nothing else.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and reports by printing")]

mod machine;

use std::{
    fs::File,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use expo::Exposition;
use machine::{Agent, program};
use rustix::mount::{MountFlags, mount};
use testkit::{patience, wait_for};
use yagura_exporter::spec::View;

const TEST: &str = "mounts_that_hang_cost_their_own_rows_only";
/// Set for the run in namespaces of its own.
const INSIDE: &str = "YAGURA_TEST_MOUNTS_INSIDE";
/// How many hang. One after another they would take longer than any scrape may.
const HUNG: usize = 8;

#[test]
fn mounts_that_hang_cost_their_own_rows_only() {
    if testkit::given(INSIDE).is_some() {
        return check();
    }
    if !testkit::is_root() {
        return testkit::skipped("mounting takes root");
    }
    if !fuse().is_ok_and(|file| file.metadata().is_ok()) {
        return testkit::skipped("this kernel has no FUSE");
    }
    // The agent shows the mounts of process 1: here that is this test.
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]).arg(std::env::current_exe().unwrap());
    let output = command.args(["--exact", TEST, "--nocapture"]).env(INSIDE, "1").output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn fuse() -> std::io::Result<File> {
    File::options().read(true).write(true).open("/dev/fuse")
}

/// A mount whose server never says a word. It is told that its server is gone when the file is closed.
fn hung(point: &Path) -> File {
    std::fs::create_dir(point).unwrap();
    let server = fuse().unwrap();
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", server.as_raw_fd());
    let options = std::ffi::CString::new(options).unwrap();
    mount("server:/export", point, "fuse", MountFlags::empty(), Some(options.as_c_str())).unwrap();
    server
}

fn healthy(point: &Path) {
    std::fs::create_dir(point).unwrap();
    mount("healthy", point, "tmpfs", MountFlags::empty(), Some(c"size=1m")).unwrap();
}

fn check() {
    let folder = tempfile::tempdir().unwrap();
    let point = |name: &str| folder.path().join(name);
    healthy(&point("before"));
    let points: Vec<PathBuf> = (0..HUNG).map(|number| point(&format!("hung-{number}"))).collect();
    let first_hung = points.first().unwrap();
    let servers: Vec<File> = points.iter().map(|point| hung(point)).collect();
    healthy(&point("after"));
    let timeout = patience();
    let agent = Agent::start(program().arg(format!("--collector.filesystem.mount-timeout={timeout}s")));

    let begin = Instant::now();
    let first = agent.page(View::Node);
    let took = begin.elapsed();
    for name in ["before", "after"] {
        assert_eq!(value(&first, "node_filesystem_size_bytes", &point(name)), Some(1_048_576.0), "{name}");
        assert_eq!(value(&first, "node_filesystem_device_error", &point(name)), Some(0.0), "{name}");
    }
    for point in &points {
        assert_eq!(value(&first, "node_filesystem_size_bytes", point), None, "{}", point.display());
        assert_eq!(value(&first, "node_filesystem_device_error", point), Some(1.0), "{}", point.display());
        assert_eq!(error(&first, point).as_deref(), Some("mountpoint timeout"), "{}", point.display());
    }
    assert_eq!(first.value("node_scrape_collector_success", &[("collector", "filesystem")]), Some(1.0));
    for family in ["node_cpu_seconds_total", "node_memory_MemTotal_bytes", "node_time_seconds", "node_uname_info"] {
        assert!(first.family(family).is_some(), "{family} is another collector's");
    }

    let begin = Instant::now();
    let again = agent.page(View::Node);
    println!("{HUNG} hung mounts: the first scrape took {took:?}, the second {:?}", begin.elapsed());
    assert!(took < Duration::from_secs(HUNG as u64 / 2) * timeout, "they were waited for one after another: {took:?}");
    assert!(
        begin.elapsed() < Duration::from_millis(900) * timeout,
        "they were waited for again: {:?}",
        begin.elapsed()
    );
    assert_eq!(error(&again, first_hung).as_deref(), Some("mountpoint timeout"));

    // The server is gone for good: now the kernel says so, and that is shown in its words.
    drop(servers);
    let gone = || error(&agent.page(View::Node), first_hung).filter(|error| error != "mountpoint timeout");
    let error = wait_for(Duration::from_secs(10), gone);
    // Linux 7 has another word for it.
    let words = ["transport endpoint is not connected", "connection refused"];
    assert!(error.as_deref().is_some_and(|error| words.contains(&error)), "{error:?}");
}

fn value(page: &Exposition, family: &str, point: &Path) -> Option<f64> {
    let is_of = |label: Option<&str>| label.is_some_and(|label| Path::new(label) == point);
    let mut samples = page.samples().filter(|(_, sample)| sample.name == family && is_of(sample.label("mountpoint")));
    samples.next().map(|(_, sample)| sample.value)
}

/// What is said of a mount that has an error.
fn error(page: &Exposition, point: &Path) -> Option<String> {
    let is_of = |label: Option<&str>| label.is_some_and(|label| Path::new(label) == point);
    let mut samples = page.samples().filter(|(_, sample)| sample.name == "node_filesystem_device_error");
    let (_, sample) = samples.find(|(_, sample)| is_of(sample.label("mountpoint")))?;
    sample.label("device_error").map(str::to_owned)
}
