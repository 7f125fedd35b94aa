//! A disk for the books that takes its time costs scrapes nothing: two agents side by side, one of which writes its
//! books to a file system whose every write takes 200 ms.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are test code")]

mod common;
mod machine;
mod slow_disk;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use common::{BpfFs, Burning, Folder, alone, burner, owner_root, unable};
use machine::{Agent, off, program};
use rustix::process::{Pid, Signal, kill_process};
use slow_disk::SlowDisk;
use yagura_exporter::spec::View;

/// How long a write takes.
const WRITE: Duration = Duration::from_millis(200);
/// Scrapes of each agent.
const SCRAPES: usize = 150;

fn start(bpffs: &Path, books: &Path) -> Agent {
    let mut command = program();
    command.args([format!("--probe.pin={}", bpffs.display()), format!("--probe.books={}", books.display())]);
    Agent::start(command.arg("--log.level=warn"))
}

fn scraped(agent: &Agent, into: &mut Vec<Duration>) {
    let started = Instant::now();
    let reply = agent.get(View::Own.path()).unwrap();
    assert_eq!(reply.status, 200);
    into.push(started.elapsed());
}

/// The duration that so many percent of them do not exceed.
fn percentile(durations: &[Duration], percent: usize) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort();
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

/// Containers below the folder that ended, by a page.
fn ended(agent: &Agent, folder: &Folder) -> u64 {
    let page = agent.page(View::Own);
    let is_ours = |workload: Option<&str>| workload.is_some_and(|name| name.starts_with(&folder.name()));
    let samples = page.samples().filter(|(_, sample)| sample.name == "workload_containers_exited_total");
    let ended: f64 = samples.filter(|(_, s)| is_ours(s.label("workload"))).map(|(_, sample)| sample.value).sum();
    ended.to_string().parse().unwrap()
}

/// The same by the books on disk.
fn ended_by_books(books: &Path, folder: &Folder) -> u64 {
    let page: serde_json::Value = serde_json::from_slice(&std::fs::read(books.join("books.json")).unwrap()).unwrap();
    let workloads = page["ledger"]["workloads"]["places"].as_array().unwrap();
    let is_ours = |name: Option<&str>| name.is_some_and(|name| name.starts_with(&folder.name()));
    let ours = workloads.iter().filter(|workload| is_ours(workload["key"]["workload"].as_str()));
    ours.flat_map(|workload| workload["exited"].as_array().unwrap()).map(|count| count.as_u64().unwrap()).sum()
}

#[test]
fn scrapes_do_not_wait_for_the_disk_of_the_books() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let _alone = alone();
    let scratch = tempfile::tempdir().unwrap();
    let bpffs = match BpfFs::mount(scratch.path()) {
        Ok(bpffs) => bpffs,
        Err(error) => return testkit::skipped(&format!("no BPF file system can be mounted: {error}")),
    };
    let disk = match SlowDisk::mount(&scratch.path().join("slow"), WRITE) {
        Ok(disk) => disk,
        Err(reason) => return testkit::skipped(&reason),
    };
    let slow = start(&bpffs.0.join("slow"), &disk.at.join("books"));
    let fast = start(&bpffs.0.join("fast"), &scratch.path().join("books"));
    if let Some(reason) = off(&fast.page(View::Own), "lifetime") {
        return testkit::skipped(&format!("lifetime is off: {reason}"));
    }
    assert_eq!(off(&slow.page(View::Own), "lifetime"), None);

    let folder = Folder::make(&owner_root().unwrap(), "slow-disk");
    // Containers come and go meanwhile, so that there are notes to write and rows to remove: some ten a second.
    let count = 200 / testkit::patience() as usize;
    let arguments = [count, 3, 10, 1, 90_000].map(|number: usize| number.to_string());
    let mut burning = Burning::start(&burner(scratch.path()), &folder.0, &arguments);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    while with.len() < SCRAPES || !burning.is_done() {
        scraped(&slow, &mut with);
        scraped(&fast, &mut without);
    }
    let truth = burning.truth();
    let (p50, p99) =
        ([percentile(&with, 50), percentile(&without, 50)], [percentile(&with, 99), percentile(&without, 99)]);
    println!(
        "{} scrapes of each, {} writes of {WRITE:?}: with the slow disk and without, p50 {:.1?} {:.1?}, p99 {:.1?} {:.1?}",
        with.len(),
        disk.writes(),
        p50[0],
        p50[1],
        p99[0],
        p99[1]
    );
    assert!(disk.writes() > 0);
    let noise = WRITE / 2 * testkit::patience();
    assert!(p99[0] < p99[1] + noise, "p99 {:?} with the slow disk, {:?} without", p99[0], p99[1]);

    // Nothing is lost on the way: all are counted, and the last page has them when the agent ends.
    let expected = truth.len() as u64;
    for agent in [&slow, &fast] {
        let all = testkit::wait_for(Duration::from_secs(30), || (ended(agent, &folder) >= expected).then_some(()));
        assert!(all.is_some(), "{} of {expected} ended", ended(agent, &folder));
    }
    let mut slow = slow;
    kill_process(Pid::from_raw(i32::try_from(slow.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    let ends = testkit::wait_for(Duration::from_secs(30), || (!slow.is_alive()).then_some(()));
    assert!(ends.is_some(), "the agent does not end");
    assert_eq!(ended_by_books(&disk.at.join("books"), &folder), expected);
}
