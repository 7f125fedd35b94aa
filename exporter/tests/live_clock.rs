//! The machine's clock is set, back and forth. Only a machine of the test's own may have that done to it: the virtual
//! ones of `cargo xtask test-vm`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and reports by printing")]

mod machine;

use std::{collections::BTreeMap, time::Duration};

use expo::ParsedKind;
use machine::{Agent, Container, program};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};
use testkit::pod_path;
use yagura_exporter::spec::View;

/// What the kernel of such a machine is started with.
const OF_TEST_VM: [&str; 2] = ["TREE=", "REPO="];
/// By how many seconds the clock jumps, one after another; their sum is nothing.
const JUMPS: [i64; 5] = [-3600, 7200, -86_400, 90_000, -7200];
/// No counter of seconds rises by more between two scrapes, on the slowest machine.
const LARGEST_RISE: f64 = 600.0;

fn jump(seconds: i64) {
    let now = clock_gettime(ClockId::Realtime);
    clock_settime(ClockId::Realtime, Timespec { tv_sec: now.tv_sec + seconds, ..now }).unwrap();
}

/// Every counter of all views.
fn counters(agent: &Agent) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for view in View::ALL {
        let page = agent.page(view);
        let rise = page.samples().filter(|(family, _)| family.kind == ParsedKind::Counter);
        all.extend(rise.map(|(_, s)| (format!("{} {}{:?}", view.path(), s.name, s.labels), s.value)));
    }
    all
}

#[test]
fn the_clock_may_jump() {
    let line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    if !OF_TEST_VM.iter().all(|word| line.split(' ').any(|found| found.starts_with(word))) {
        return testkit::skipped("only a machine of the test's own may have its clock set: `make test-vm`");
    }
    let _container = Container::start(&pod_path("yagura-clock", 90, 0));
    let mut agent = Agent::start(&mut program());
    let mut before = counters(&agent);
    let mut compared = 0;
    for seconds in JUMPS {
        jump(seconds);
        let after = counters(&agent);
        for (series, old) in &before {
            let Some(new) = after.get(series) else { continue };
            compared += 1;
            assert!(new >= old, "{series} fell from {old} to {new} when the clock jumped by {seconds} s");
            let is_time = series.contains("_seconds_total");
            assert!(
                !is_time || new - old < LARGEST_RISE,
                "{series} rose from {old} to {new} when it jumped by {seconds} s"
            );
        }
        before = after;
    }
    assert!(agent.is_alive() && compared > 500, "{compared} comparisons");
    std::thread::sleep(Duration::from_millis(200));
    let now = agent.page(View::Node).value("node_time_seconds", &[]).unwrap();
    let clock = clock_gettime(ClockId::Realtime).tv_sec;
    assert!((now - clock as f64).abs() < 60.0, "it shows {now} at {clock}");
    println!("abuse: the clock jumped by {JUMPS:?} s: {compared} comparisons of counters, none fell or leapt");
}
