//! The program itself, short of everything.

use std::{
    collections::BTreeSet,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use testkit::{Cgroup, Limits};
use yagura_exporter::spec::View;

use crate::{
    machine::{Agent, copy_tree, program},
    survived,
};

/// This machine, but for its cgroups, of which others may make thousands at any time.
fn few_cgroups() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/collectors/container_memory/testdata/debian-12-6-12");
    copy_tree(&fixture.join("cgroup"), &root.path().join("cgroup"));
    symlink("/proc", root.path().join("proc")).unwrap();
    root
}

/// The program behind a line of shell.
fn behind(shell: &str, root: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{shell}; exec \"$0\" \"$@\"")]).arg(program().get_program());
    command.arg(format!("--path.cgroupfs={}", root.join("cgroup").display()));
    command.arg("--cadvisor.cgroups=all");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Scrapes all views so often; samples of the last round, but for those of our own view, which shows what the kernel
/// counted of the containers of other tests too.
fn serve(agent: &Agent, times: usize) -> usize {
    let mut samples = 0;
    for _ in 0..times {
        let counts = View::ALL.map(|view| (view, agent.page(view).samples().count()));
        assert!(counts.iter().all(|(_, count)| *count > 0), "{counts:?}");
        samples = counts.iter().filter(|(view, _)| *view != View::Own).map(|(_, count)| count).sum();
    }
    samples
}

/// Warnings and errors in a log, each of which is said but once.
fn said_once(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap();
    let said: Vec<String> = text
        .lines()
        .filter(|line| ["level=warn", "level=error"].iter().any(|level| line.contains(level)))
        .filter_map(|line| line.split_once("level=").map(|(_, rest)| rest.to_owned()))
        .collect();
    let distinct: BTreeSet<&String> = said.iter().collect();
    assert_eq!(distinct.len(), said.len(), "said more than once: {said:#?}");
    said
}

#[test]
fn sixty_four_descriptors_are_enough() {
    let root = few_cgroups();
    let plenty = serve(&Agent::start(&mut behind("true", root.path())), 2);
    let log = root.path().join("log");
    let mut command = behind("ulimit -n 64", root.path());
    let mut agent = Agent::start(command.stderr(std::fs::File::create(&log).unwrap()));
    let samples = serve(&agent, 5);
    assert!(agent.is_alive() && samples * 10 > plenty * 9, "{samples} of {plenty}");
    let own = agent.page(View::Own);
    let counted = own.value("yagura_unkept_reads_total", &[]).unwrap();
    let kept = own.value("yagura_kept_files", &[]).unwrap();
    assert!(counted > 0.0 && kept < 64.0, "{counted} reads of files that were not kept, {kept} kept");
    // A feature that takes descriptors of its own says that it is off for want of them, where those who look will see it.
    let off = own.samples().filter(|(_, sample)| {
        sample.name == "yagura_feature_enabled"
            && sample.value == 0.0
            && sample.label("reason").is_some_and(|reason| reason.contains("descriptors"))
    });
    let off = off.count();
    let said = said_once(&log);
    survived(
        "RLIMIT_NOFILE of 64",
        &format!(
            "{samples} samples in 2 views, {plenty} without the limit; {counted} reads counted that opened their file, \
             {off} features off for want of descriptors, {} warnings, each once",
            said.len()
        ),
    );
}

#[test]
fn twenty_four_mebibytes_are_enough() {
    if !testkit::is_root() {
        return testkit::skipped("limiting memory takes root");
    }
    let limits = Limits { memory: Some(24 << 20), ..Limits::default() };
    let Ok(cgroup) = Cgroup::make("/yagura-abuse-memory", limits) else {
        return testkit::skipped("no memory controller can be used here");
    };
    let root = few_cgroups();
    // It waits for its limit before it starts.
    let ready = root.path().join("ready");
    let mut command = behind(&format!("until [ -e {} ]; do sleep 0.01; done", ready.display()), root.path());
    let mut agent = Agent::launch(&mut command);
    cgroup.add(agent.id()).unwrap();
    std::fs::write(&ready, "").unwrap();
    testkit::wait_for(Duration::from_mins(1), || agent.get("/-/ready").ok()).expect("no answer under the limit");
    let samples = serve(&agent, 20);
    assert!(agent.is_alive());
    survived("memory limit of 24 MiB", &format!("20 scrapes of 3 views, {samples} samples in 2 of them"));
}

#[test]
fn a_full_disk_under_its_log_is_no_trouble() {
    let root = few_cgroups();
    let mut command = behind("true", root.path());
    command.stderr(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let mut agent = Agent::start(command.arg("--log.level=debug"));
    let samples = serve(&agent, 3);
    assert!(agent.is_alive());
    survived("a full disk under its log", &format!("{samples} samples in 2 views"));
}

#[test]
fn it_goes_on_after_it_was_stopped() {
    let root = few_cgroups();
    let mut agent = Agent::start(&mut behind("true", root.path()));
    let before = serve(&agent, 1);
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &agent.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{name}");
    };
    signal("-STOP");
    let stopped = Instant::now();
    std::thread::sleep(Duration::from_mins(1));
    signal("-CONT");
    let after = serve(&agent, 2);
    assert!(agent.is_alive() && after * 10 > before * 9, "{after} of {before}");
    survived("SIGSTOP", &format!("{after} samples after {:?} of standing still", stopped.elapsed()));
}
