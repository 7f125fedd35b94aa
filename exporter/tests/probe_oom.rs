//! Processes killed because memory ran out in containers that live for a moment: each is counted where it was.

mod common;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use common::{Burning, Folder, burner, host, on, owner_root, unable};
use yagura_exporter::{
    books::usage::MEMORY_EVENTS,
    probes::{
        lifetime::{Lifetime, Options},
        oom,
    },
};

const KILLS: usize = 20;

#[test]
fn each_kill_is_counted_on_its_container_and_workload() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let version1 = Path::new("/sys/fs/cgroup/memory");
    let is_version1 = version1.join("memory.limit_in_bytes").exists();
    let root = owner_root().unwrap();
    let controllers = std::fs::read_to_string(root.join("cgroup.subtree_control")).unwrap();
    if !is_version1 && !controllers.split_whitespace().any(|name| name == "memory") {
        return testkit::skipped("no memory controller is at work");
    }
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let feature = on(oom::start(&host(), lifetime.books(), false));
    let scratch = tempfile::tempdir().unwrap();
    let folder = Folder::make(&root, "oom");
    let beside = is_version1.then(|| Folder::make(version1, "oom"));
    if !is_version1 {
        std::fs::write(folder.0.join("cgroup.subtree_control"), "+memory").unwrap();
    }
    let limited = beside.as_ref().unwrap_or(&folder);
    let arguments = [KILLS.to_string(), "1".into(), "2".into(), "2".into(), "0".into()];
    let memory_arguments = [limited.0.to_str().unwrap().to_owned(), (8 << 20).to_string(), (32 << 20).to_string()];
    let arguments: Vec<String> = arguments.into_iter().chain(memory_arguments).collect();
    let truth = Burning::start(&burner(scratch.path()), &folder.0, &arguments).truth();
    let killed = truth.values().filter(|truth| truth.status & 0x7f == 9).count();
    assert_eq!(killed, KILLS, "the burner was not killed each time");

    let deadline = Instant::now() + Duration::from_secs(20);
    let (units, workload) = loop {
        let found = lifetime
            .read(|ledger| {
                let units = ledger.units().filter(|unit| unit.path.starts_with(&folder.name()));
                let workload = ledger.workloads().find(|workload| *workload.key.name == folder.name());
                (units.cloned().collect::<Vec<_>>(), workload.cloned())
            })
            .unwrap();
        let ended = found.1.as_ref().map_or(0, |workload| workload.exited.iter().sum::<u64>());
        if ended >= KILLS as u64 || Instant::now() > deadline {
            break found;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    for name in truth.keys() {
        let path = format!("{}/{name}", folder.name());
        let unit = units
            .iter()
            .find(|unit| unit.path == path)
            .unwrap_or_else(|| panic!("{path} was missed: {units:#?} {:?}", lifetime.lost()));
        assert_eq!(unit.tallies.oom_kills, 1, "{path}");
        assert_eq!(unit.reason().name(), "oom", "{path}");
        // A limit in the version 1 hierarchy is joined by path.
        let peak = unit.memory.peak_pages * rustix::param::page_size() as u64;
        assert!(((4 << 20)..=(8 << 20)).contains(&peak), "{path} had {peak} bytes at most");
        let kills = MEMORY_EVENTS.iter().position(|event| *event == "oom_kill").unwrap();
        assert_eq!(unit.memory.events[kills], 1, "{path}");
    }
    let workload = workload.unwrap();
    assert_eq!(workload.tallies.oom_kills, KILLS as u64);
    let oom = yagura_exporter::books::ledger::Reason::NAMES.iter().position(|name| *name == "oom").unwrap();
    assert_eq!(workload.exited[oom], KILLS as u64, "{:?}", workload.exited);
    println!("{KILLS} kills, {} counted on containers, {} on the workload", units.len(), workload.tallies.oom_kills);
    drop(feature);
}
