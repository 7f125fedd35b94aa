//! Names and mounts that nobody expects, on a real kernel: each is shown once, and costs no other row.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and reports by printing")]

mod machine;

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path, process::Command};

use expo::{Exposition, ParsedSample};
use machine::{Agent, program};
use rustix::mount::{MountFlags, mount, mount_bind, mount_remount};
use yagura_exporter::spec::View;

const TEST: &str = "odd_names_and_mounts_are_shown_once_and_cost_nobody_else";
/// Set for the run in namespaces of its own.
const INSIDE: &str = "YAGURA_TEST_NAMES_INSIDE";

#[test]
fn odd_names_and_mounts_are_shown_once_and_cost_nobody_else() {
    if testkit::given(INSIDE).is_some() {
        return check();
    }
    if !testkit::is_root() {
        return testkit::skipped("mounting takes root");
    }
    // The agent shows the mounts and network devices of process 1: here that is this test.
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"]);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", TEST, "--nocapture"]);
    let output = command.env(INSIDE, "1").output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn tmpfs(point: &Path, source: &str, megabytes: u8) {
    std::fs::create_dir_all(point).unwrap();
    let options = std::ffi::CString::new(format!("size={megabytes}m")).unwrap();
    mount(source, point, "tmpfs", MountFlags::empty(), Some(options.as_c_str())).unwrap();
}

/// Whether the kernel has such a device now.
fn add_device(name: &[u8]) -> bool {
    let mut command = Command::new("ip");
    command.args(["link", "add", "name"]).arg(OsStr::from_bytes(name)).args(["type", "bridge"]);
    command.output().is_ok_and(|output| output.status.success())
}

fn check() {
    let folder = tempfile::tempdir().unwrap();
    let point = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));

    let over = point(b"over");
    tmpfs(&over, "s", 1);
    mount_bind(&over, &over).unwrap();
    mount_remount(&over, MountFlags::BIND | MountFlags::RDONLY, c"").unwrap();
    for (name, megabytes) in [(&b"caf\xe9"[..], 2), (b"caf\xea", 3), ("caf\u{3000}".as_bytes(), 4), (b"a b\\c", 5)] {
        tmpfs(&point(name), "odd", megabytes);
    }
    tmpfs(&point(b"nameless"), "", 6);
    let is_up = Command::new("ip").args(["link", "set", "lo", "up"]).status().is_ok_and(|status| status.success());
    assert!(is_up, "the loopback device of a new network namespace is down");
    let wide = "e\u{3000}a".as_bytes();
    let has_devices = add_device(wide) && add_device(b"e\xff") && add_device(b"e\xfe");
    // sysfs shows the network devices of whoever mounted it.
    let sys = point(b"sys");
    std::fs::create_dir(&sys).unwrap();
    mount("sysfs", &sys, "sysfs", MountFlags::empty(), None).unwrap();

    let agent = Agent::start(program().arg("--probe.disable").arg(format!("--path.sysfs={}", sys.display())));
    let page = agent.page(View::Node);

    let size = |point: &Path| {
        let sizes = of_point(&page, "node_filesystem_size_bytes", point);
        let [size] = &*sizes else { panic!("{} rows of {}", sizes.len(), point.display()) };
        size.value / f64::from(1 << 20)
    };
    assert!((size(&over) - 1.0).abs() < f64::EPSILON);
    let read_only: Vec<f64> = of_point(&page, "node_filesystem_readonly", &over).iter().map(|s| s.value).collect();
    assert_eq!(read_only, [1.0], "the mount that is seen, once");
    for (shown, megabytes) in
        [("caf\u{fffd}e9", 2.0), ("caf\u{fffd}ea", 3.0), ("caf\u{3000}", 4.0), ("a b\\c", 5.0), ("nameless", 6.0)]
    {
        assert!((size(&folder.path().join(shown)) - megabytes).abs() < f64::EPSILON, "{shown}");
    }
    assert_eq!(page.value("node_scrape_collector_success", &[("collector", "filesystem")]), Some(1.0));

    let mut expected = vec!["lo".to_owned()];
    if has_devices {
        expected.extend(["e\u{3000}a", "e\u{fffd}ff", "e\u{fffd}fe"].map(str::to_owned));
    } else {
        println!("skipped: this kernel has no bridges, so no network devices with odd names");
    }
    expected.sort();
    for family in ["node_network_receive_bytes_total", "node_network_mtu_bytes", "node_network_info"] {
        let samples = page.samples().map(|(_, sample)| sample).filter(|sample| sample.name == family);
        let mut devices: Vec<_> = samples.filter_map(|sample| sample.label("device")).map(str::to_owned).collect();
        devices.sort();
        assert_eq!(devices, expected, "{family}");
    }
}

fn of_point<'p>(page: &'p Exposition, family: &str, point: &Path) -> Vec<&'p ParsedSample> {
    let is_of = |label: Option<&str>| label.is_some_and(|label| Path::new(label) == point);
    let samples = page.samples().map(|(_, sample)| sample).filter(|sample| sample.name == family);
    samples.filter(|sample| is_of(sample.label("mountpoint"))).collect()
}
