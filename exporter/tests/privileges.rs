//! Least privilege: which capabilities the agent keeps, that nothing is lost by giving up the others, and what it says
//! to a user who has none.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking and reports by printing")]

mod machine;

use std::{
    collections::BTreeSet,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use caps::{CapSet, Capability, CapsHashSet};
use expo::Exposition;
use kernfs::Host;
use machine::{Agent, Container, program};
use testkit::{Child, pod_path, wait_for};
use yagura_exporter::{
    config::Config,
    probes::{
        lifetime::{Lifetime, Options},
        tcp::{self, Tcp},
    },
    slices,
    spec::View,
};

/// Anyone.
const NOBODY: u32 = 65534;

fn unit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/yagura-exporter.service")
}

fn mask(set: &CapsHashSet) -> u64 {
    set.iter().map(Capability::bitmask).fold(0, |all, one| all | one)
}

/// A field of each thread's status.
fn of_threads(process: u32, field: &str) -> BTreeSet<String> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let value = |path: PathBuf| {
        let status = std::fs::read_to_string(path.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        Some(line.trim().to_owned())
    };
    threads.filter_map(|thread| value(thread.unwrap().path())).collect()
}

fn capabilities(process: u32, field: &str) -> BTreeSet<u64> {
    of_threads(process, field).iter().map(|hex| u64::from_str_radix(hex, 16).unwrap()).collect()
}

/// The program where anyone may run it.
fn for_all(folder: &Path) -> PathBuf {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = folder.join("yagura-exporter");
    std::fs::copy(program().get_program(), &copy).unwrap();
    copy
}

/// A container whose process is nobody's, with a network namespace of its own.
fn container(name: &str, pod: usize) -> (Container, Child) {
    let container = Container::start(&pod_path(name, pod, 0));
    let mut command = Command::new("unshare");
    command.args(["--net", "setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "sleep", "1000"]);
    let process = Child::quiet(&mut command).unwrap();
    container.cgroup.add(process.id()).unwrap();
    (container, process)
}

/// Families by view, without those of the agent's own process.
fn families(agent: &Agent) -> BTreeSet<String> {
    let of = |view: View| {
        let page = agent.page(view);
        page.samples().map(|(family, _)| format!("{} {}", view.path(), family.name)).collect::<BTreeSet<_>>()
    };
    View::ALL.into_iter().flat_map(of).collect()
}

/// Series of the container's own rows.
fn series_of(agent: &Agent, path: &str) -> BTreeSet<String> {
    let id = path.rsplit('/').next().unwrap();
    let mut series = BTreeSet::new();
    for view in [View::Own, View::Cadvisor] {
        let page = agent.page(view);
        let mine = page.samples().filter(|(_, sample)| sample.labels.iter().any(|(_, value)| value.contains(id)));
        series.extend(mine.map(|(_, sample)| format!("{}{:?}", sample.name, sample.labels)));
    }
    series
}

/// What is said of features: name, whether it is on, and the reason.
fn features(page: &Exposition) -> Vec<(String, bool, String)> {
    let said = page.samples().filter(|(_, sample)| sample.name == "yagura_feature_enabled");
    let text = |label: Option<&str>| label.unwrap_or_default().to_owned();
    said.map(|(_, s)| (text(s.label("feature")), s.value > 0.0, text(s.label("reason")))).collect()
}

/// Features that are on by default and off here, with the reason; and what those that are on lack.
fn lacking(page: &Exposition) -> Vec<(String, String)> {
    let by_default = |name: &str| slices::all().any(|spec| spec.name == name && spec.default_on);
    let wanting = features(page).into_iter().filter(|(name, _, reason)| by_default(name) && !reason.is_empty());
    wanting.map(|(name, _, reason)| (name, reason)).collect()
}

/// Whether living connections are counted by network namespace on this kernel.
fn goes_by_space() -> bool {
    let host = Host::open(Path::new("/proc"), Path::new("/sys"), Path::new("/sys/fs/cgroup"), Path::new("/"));
    let host = Arc::new(host.unwrap());
    let Ok(lifetime) = Lifetime::start(&host, &Options::default()) else { return false };
    Tcp::start(&host, lifetime.books(), &tcp::Options::default()).is_ok_and(|tcp| tcp.goes_by_space())
}

#[test]
fn every_thread_has_the_declared_capabilities_and_no_other() {
    if !testkit::is_root() {
        return testkit::skipped("only root has capabilities to give up");
    }
    let agent = Agent::start(&mut program());
    for view in View::ALL {
        agent.page(view);
    }
    let needed = slices::needed(&Config::default());
    let mine = mask(&caps::read(None, CapSet::Permitted).unwrap());
    let kept = mask(&needed.kept) & mine;
    // Where the kernel refuses iterators over maps, threads that are made after the start enter network namespaces.
    let entering = if goes_by_space() { Capability::CAP_SYS_ADMIN.bitmask() } else { 0 } & mine;
    for field in ["CapPrm", "CapEff"] {
        let all: BTreeSet<u64> = capabilities(agent.id(), field).into_iter().map(|set| set & !entering).collect();
        assert_eq!(all, BTreeSet::from([kept]), "{field}");
    }
    for field in ["CapInh", "CapAmb"] {
        assert_eq!(capabilities(agent.id(), field), BTreeSet::from([0]), "{field}");
    }
    let beyond = capabilities(agent.id(), "CapBnd").into_iter().map(|set| set & !mask(&needed.start));
    assert_eq!(beyond.collect::<BTreeSet<_>>(), BTreeSet::from([0]), "CapBnd");
    assert_eq!(of_threads(agent.id(), "NoNewPrivs"), BTreeSet::from(["1".to_owned()]));
    let mut names: Vec<String> = needed.kept.iter().map(ToString::to_string).collect();
    names.sort();
    println!("{} of {} capabilities kept: {}", kept.count_ones(), mine.count_ones(), names.join(" "));
}

#[test]
fn nothing_is_lost_by_giving_up_the_rest() {
    if !testkit::is_root() {
        return testkit::skipped("only root has capabilities to give up");
    }
    let (kept, _process) = container("yagura-privileges", 80);
    let path = kept.cgroup.path().to_owned();
    let all = Agent::start(program().arg("--privilege.keep-capabilities"));
    let few = Agent::start(&mut program());
    // Both see the same machine, on which others come and go; programs need a moment to see the container. Some
    // families are of what is gone, so both see one go.
    drop(container("yagura-privileges-gone", 83));
    let mut differ = BTreeSet::new();
    let same = wait_for(Duration::from_secs(30), || {
        let (kept, gave_up) = (families(&all), families(&few));
        let (rows, rows_left) = (series_of(&all, &path), series_of(&few, &path));
        differ = kept.difference(&gave_up).chain(rows.difference(&rows_left)).cloned().collect();
        (differ.is_empty() && !rows.is_empty()).then_some((kept.len(), rows.len()))
    });
    let (families, rows) = same.unwrap_or_else(|| panic!("only with all capabilities: {differ:#?}"));
    println!(
        "least privilege: {families} families, {rows} series of a container of another user, with and without all \
         capabilities"
    );
    let network = series_of(&few, &path).iter().any(|series| series.starts_with("container_network_"));
    assert!(network || few.page(View::Own).family("pod_network_bytes_total").is_some(), "no network of the container");
    let sorted = |agent: &Agent| BTreeSet::from_iter(lacking(&agent.page(View::Own)));
    assert_eq!(sorted(&few), sorted(&all));
}

#[test]
fn one_who_may_nothing_is_told_what_would_help() {
    if !testkit::is_root() {
        return testkit::skipped("becoming another user takes root");
    }
    let (_container, _process) = container("yagura-privileges-nobody", 81);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = Command::new(for_all(folder.path()));
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
    let agent = Agent::start(&mut command);
    let counts = View::ALL.into_iter().chain(View::ALL).map(|view| agent.page(view).samples().count());
    assert!(counts.min().unwrap() > 100);
    let said = lacking(&agent.page(View::Own));
    let reason = |name: &str| said.iter().find(|(feature, _)| feature == name).map(|(_, reason)| reason.as_str());
    let process = reason("container_process").unwrap_or_default();
    assert!(process.contains("CAP_SYS_PTRACE"), "{said:#?}");
    assert!(reason("lifetime").unwrap_or_default().contains("CAP_BPF"), "{said:#?}");
    let on = features(&agent.page(View::Own)).into_iter().filter(|(_, on, _)| *on).count();
    let landing = String::from_utf8(agent.get("/").unwrap().body).unwrap();
    let log = std::fs::read_to_string(&log).unwrap();
    for (feature, reason) in &said {
        assert!(landing.contains(reason.as_str()), "{feature}: {reason} is not on the landing page");
        assert!(log.contains(reason.as_str()), "{feature}: {reason} is not in the log");
    }
    let fails: Vec<&str> = log.lines().filter(|line| line.contains("collector failed")).collect();
    let distinct = fails.iter().collect::<BTreeSet<_>>().len();
    assert_eq!(distinct, fails.len(), "said once: {fails:#?}");
    println!("least privilege: as nobody, {on} features are on, {} say what they lack", said.len());
}

#[test]
fn a_feature_that_was_given_up_says_that_it_takes_a_new_start() {
    if !testkit::is_root() {
        return testkit::skipped("only root has capabilities to give up");
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return testkit::skipped("the kernel has no BTF, so it loads no program in any case");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, "probe: {disable: true}\n").unwrap();
    let agent = Agent::start(program().arg(format!("--config.file={}", file.display())));
    let bpf = Capability::CAP_BPF.bitmask();
    assert!(capabilities(agent.id(), "CapPrm").iter().all(|set| set & bpf == 0), "it has no use for CAP_BPF");
    std::fs::write(&file, "probe: {disable: false}\n").unwrap();
    assert!(Command::new("kill").args(["-HUP", &agent.id().to_string()]).status().unwrap().success());
    let told = wait_for(Duration::from_secs(20), || {
        let said = lacking(&agent.page(View::Own));
        said.into_iter().find(|(feature, reason)| feature == "lifetime" && reason.contains("a new start"))
    });
    println!("{}", told.expect("no reason").1);
}

/// Settings of the unit by key; several of one key are one after another.
fn setting(key: &str) -> String {
    let text = std::fs::read_to_string(unit()).unwrap();
    let values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_unit_is_hardly_exposed() {
    let mut command = Command::new("systemd-analyze");
    let Ok(output) = command.args(["security", "--offline=true", "--no-pager"]).arg(unit()).output() else {
        return testkit::skipped("systemd-analyze is not installed");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(verdict) = text.lines().find(|line| line.contains("Overall exposure level")) else {
        return testkit::skipped("this systemd-analyze cannot look at a file (systemd 250 can)");
    };
    let level: f64 = verdict.rsplit(": ").next().and_then(|words| words.split(' ').next()).unwrap().parse().unwrap();
    println!("least privilege: systemd-analyze security: {}", verdict.trim_start_matches(['→', ' ']).trim());
    assert!(level <= 2.0, "{text}");
}

#[test]
fn what_the_unit_grants_is_enough() {
    if !testkit::is_root() {
        return testkit::skipped("granting capabilities takes root");
    }
    let granted = setting("AmbientCapabilities");
    assert_eq!(granted, setting("CapabilityBoundingSet"));
    let names: Vec<Capability> = granted.split(' ').map(|name| name.parse().unwrap()).collect();
    let mine = caps::read(None, CapSet::Permitted).unwrap();
    if let Some(missing) = names.iter().find(|name| !mine.contains(*name)) {
        return testkit::skipped(&format!("{missing} is not to be had here"));
    }
    let (container, _process) = container("yagura-privileges-unit", 82);
    let folder = tempfile::tempdir().unwrap();
    let list = granted.to_lowercase().replace("cap_", "+").replace(' ', ",");
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]);
    command.args([format!("--inh-caps={list}"), format!("--ambient-caps={list}")]).arg(for_all(folder.path()));
    let as_unit = Agent::start(command.current_dir("/").stdout(Stdio::null()));
    let as_root = Agent::start(&mut program());
    let path = container.cgroup.path().to_owned();
    let mut differ = BTreeSet::new();
    let same = wait_for(Duration::from_secs(30), || {
        let (of_root, of_unit) = (series_of(&as_root, &path), series_of(&as_unit, &path));
        differ = of_root
            .difference(&of_unit)
            .filter(|series| !series.contains("_udp_") && !series.contains("_dns_"))
            .cloned()
            .collect();
        (differ.is_empty() && !of_root.is_empty()).then_some(of_root.len())
    });
    println!(
        "least privilege: {} series of a container, as root and as the unit runs it",
        same.unwrap_or_else(|| panic!("{differ:#?}"))
    );
    let off_for_root = lacking(&as_root.page(View::Own));
    let more: Vec<_> = lacking(&as_unit.page(View::Own)).into_iter().filter(|it| !off_for_root.contains(it)).collect();
    println!("beside what root lacks: {more:?}");
    let packets = |feature: &str| ["udp", "dns"].contains(&feature);
    assert!(more.iter().all(|(feature, reason)| packets(feature) && reason.contains("CAP_NET_ADMIN")), "{more:?}");
}
