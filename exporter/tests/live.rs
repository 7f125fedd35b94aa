//! The agent on this machine: real cgroups, real pages, in every format, with everything that may go wrong around it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking and reports by printing"
)]

mod machine;

use std::{
    collections::BTreeSet,
    os::unix::{fs::symlink, process::CommandExt as _},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use expo::{Exposition, Format};
use kernfs::{Budget, Host, ReadError};
use machine::{Agent, Container, engine, engine_of, page, program, read, scrape, series, this_host};
use metric::{Batch, Count, Desc, Family};
use testkit::{container_id, pod_path};
use yagura_exporter::{
    report::Outcome,
    slices,
    spec::{Collector, Context, Scrape, Spec, Unavailable, View},
};

/// Collectors that show nothing on a machine without the hardware or the feature, and what that is.
const NEEDS_MORE: &[(&str, &str)] = &[
    ("container_fs", "containers with a layered root file system"),
    ("container_io", "on version 1 a scheduler or a limit that counts"),
    ("container_hugetlb", "reserved huge pages"),
    ("container_network", "pods with a network of their own"),
    ("tcp", "containers that connect"),
    ("tcp_peers", "containers that connect"),
    ("dns", "containers that ask name servers"),
    ("udp", "containers that send datagrams"),
    ("drops", "packets that the kernel drops"),
    ("node_arp", "neighbours on the network"),
    ("node_bonding", "bonded network devices"),
    ("node_conntrack", "the connection tracker, loaded"),
    ("node_cpufreq", "CPUs with a frequency to choose"),
    ("node_dmi", "firmware tables"),
    ("node_edac", "memory with error correction"),
    ("node_entropy", "a kernel with a random source that tells"),
    ("node_hwmon", "sensors"),
    ("node_kernel_hung", "Linux 6.13 with hung task detection"),
    ("node_mdadm", "software RAID"),
    ("node_nvme", "NVMe disks"),
    ("node_powersupplyclass", "batteries or power supplies that tell"),
    ("node_pressure", "pressure stall information"),
    ("container_pressure", "pressure stall information"),
    ("node_schedstat", "a kernel with CONFIG_SCHEDSTATS"),
    ("node_selinux", "SELinux"),
    ("node_textfile", "a folder of text files"),
    ("node_thermal_zone", "thermal sensors"),
    ("node_zfs", "ZFS"),
    ("node_bcache", "bcache devices"),
    ("node_bcachefs", "bcachefs file systems"),
    ("node_btrfs", "Btrfs file systems"),
    ("node_dmmultipath", "multipath devices"),
    ("node_fibrechannel", "Fibre Channel adapters"),
    ("node_infiniband", "InfiniBand devices"),
    ("node_ipvs", "IP virtual servers"),
    ("node_nfs", "a mounted NFS file system"),
    ("node_nfsd", "an NFS server"),
    ("node_rapl", "energy counters of the processor"),
    ("node_tapestats", "tape drives"),
    ("node_watchdog", "watchdog timers"),
    ("node_xfs", "XFS file systems"),
    ("workload_backends", "pods that use services"),
    ("machine_topology", "CPU topology in sysfs"),
];

/// `None` after saying so, when this process may not make cgroups.
fn root() -> Option<()> {
    if testkit::is_root() {
        return Some(());
    }
    testkit::skipped("making cgroups takes root");
    None
}

fn declared(view: View) -> impl Iterator<Item = (&'static Spec, &'static Desc)> {
    slices::all().flat_map(move |spec| {
        let shown = spec.shows.iter().filter(move |(shown, _)| *shown == view);
        shown.flat_map(|(_, families)| families.iter()).map(move |desc| (spec, *desc))
    })
}

/// Fails with the first differences, of which there may be thousands.
fn same(one: &BTreeSet<String>, other: &BTreeSet<String>, view: View) {
    let differing: Vec<_> = one.symmetric_difference(other).take(5).collect();
    assert!(differing.is_empty(), "{}: {} and {} series, {differing:#?}", view.path(), one.len(), other.len());
}

/// Series about cgroups of the folder only: those of others come and go.
fn of_folder(page: &Exposition, folder: &str, ids: &[String]) -> BTreeSet<String> {
    series(page).into_iter().filter(|text| text.contains(folder) || ids.iter().any(|id| text.contains(id))).collect()
}

#[test]
fn every_page_is_valid_in_every_format_and_shows_what_is_declared() {
    let Some(()) = root() else { return };
    let _container = Container::start(&pod_path("yagura-live-pages", 10, 0));
    let budget = Budget::new(10_000);
    let specs: Vec<&Spec> = slices::all().collect();
    let mut engine = engine_of(&specs, &this_host(), &budget);
    for view in View::ALL {
        let mut batch = Batch::default();
        // What programs count is put on the accounts of containers by a thread, which may have to wait for its turn.
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let report = scrape(&mut engine, view, &mut batch);
            assert!(report.runs.iter().all(|run| run.outcome != Outcome::Failed), "{:?}", report.runs);
            let shows = |name: &str| {
                declared(view)
                    .any(|(of, desc)| of.name == name && batch.families().any(|shown| shown.name == desc.name))
            };
            let on = engine.on().any(|spec| spec.name == "oom");
            if view != View::Own || !on || shows("oom") || Instant::now() > deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        // A histogram with fine buckets is a sample more in the one format that knows them.
        let counts =
            Format::ALL.map(|format| read(&batch, format).samples().filter(|(_, s)| s.histogram.is_none()).count());
        assert!(counts.iter().all(|count| *count == counts[0] && *count > 50), "{}: {counts:?}", view.path());

        let emitted: BTreeSet<&str> = batch.families().filter(|desc| !desc.discovered).map(|desc| desc.name).collect();
        for name in &emitted {
            assert!(declared(view).any(|(_, desc)| desc.name == *name), "{name} is not declared in {}", view.path());
        }
        println!("{}: {} series, {} families in 3 formats", view.path(), counts[0], emitted.len());
        for spec in engine.on().filter(|spec| spec.is_in(view)) {
            let all: Vec<_> =
                declared(view).filter(|(of, _)| of.name == spec.name).map(|(_, desc)| desc.name).collect();
            let absent: Vec<_> = all.iter().filter(|name| !emitted.contains(**name)).collect();
            let more = NEEDS_MORE.iter().find(|(name, _)| *name == spec.name);
            if absent.len() == all.len() && !all.is_empty() {
                let (_, why) =
                    more.unwrap_or_else(|| panic!("{} is on and shows nothing in {}", spec.name, view.path()));
                println!("  {}: nothing, it takes {why}", spec.name);
            } else if !absent.is_empty() {
                println!(
                    "  {}: no {absent:?}: not of this kernel, version of cgroups or hardware, or not asked for",
                    spec.name
                );
            }
        }
    }
    for off in engine.off().iter().filter(|off| off.spec.default_on) {
        println!("off: {}: {}", off.spec.name, off.reason);
        assert!(!off.reason.is_empty());
    }
}

#[test]
fn the_second_scrape_has_the_series_of_the_first() {
    let Some(()) = root() else { return };
    let folder = "yagura-live-second";
    let _containers: Vec<_> = (20..23).map(|pod| Container::start(&pod_path(folder, pod, 0))).collect();
    let ids: Vec<String> = (20..23).map(|pod| container_id(pod, 0)).collect();
    let budget = Budget::new(10_000);
    let mut engine = engine(&this_host(), &budget);
    for view in [View::Cadvisor, View::Own] {
        let first = of_folder(&page(&mut engine, view), folder, &ids);
        let second = of_folder(&page(&mut engine, view), folder, &ids);
        assert!(first.len() > 60, "{}: {}", view.path(), first.len());
        same(&first, &second, view);
    }
    let families = |page: Exposition| page.families.into_iter().map(|family| family.name).collect::<Vec<_>>();
    let (first, second) = (families(page(&mut engine, View::Node)), families(page(&mut engine, View::Node)));
    assert_eq!(first, second);
}

#[test]
fn cgroups_appear_and_go_without_waiting_for_a_walk() {
    let Some(()) = root() else { return };
    let folder = "yagura-live-churn";
    let budget = Budget::new(10_000);
    let mut engine = engine(&this_host(), &budget);
    let rows = |page: &Exposition, path: &str| page.samples().filter(|(_, s)| s.label("id") == Some(path)).count();
    let path = pod_path(folder, 30, 0);
    assert_eq!(rows(&page(&mut engine, View::Cadvisor), &path), 0);
    for _ in 0..3 {
        let container = Container::start(&path);
        assert!(rows(&page(&mut engine, View::Cadvisor), &path) > 20);
        let own = page(&mut engine, View::Own);
        assert!(own.samples().any(|(_, sample)| sample.label("container") == Some(&container_id(30, 0))));
        drop(container);
        assert_eq!(rows(&page(&mut engine, View::Cadvisor), &path), 0);
    }
    let mut batch = Batch::default();
    let figures = scrape(&mut engine, View::Cadvisor, &mut batch).figures;
    assert!(figures.watching && figures.walks == 1, "{figures:?}");
}

#[test]
fn what_runs_in_cgroups_inside_a_container_is_the_containers() {
    let Some(()) = root() else { return };
    let path = pod_path("yagura-live-inner", 40, 0);
    let mut container = Container::start(&path);
    let inner = format!("{path}/init.scope");
    let _inside = container.start_inside("init.scope");
    container.add();
    let budget = Budget::new(10_000);
    let mut engine = engine(&this_host(), &budget);
    let id = container_id(40, 0);
    let own = page(&mut engine, View::Own);
    let of = [("namespace", ""), ("pod", ""), ("container", id.as_str())];
    let labels = [of.as_slice(), &[("workload", ""), ("workload_kind", "")]].concat();
    assert_eq!(own.value("container_process_count", &labels), Some(3.0));
    let cadvisor = page(&mut engine, View::Cadvisor);
    let of = |path: &str| {
        let mut all = cadvisor.samples().filter(|(_, sample)| sample.name == "container_processes");
        all.find(|(_, sample)| sample.label("id") == Some(path)).map(|(_, sample)| sample.value)
    };
    assert_eq!((of(&path), of(&inner)), (Some(2.0), None));
}

#[test]
fn few_descriptors_make_it_slower_and_not_poorer() {
    let Some(()) = root() else { return };
    let folder = "yagura-live-budget";
    let _containers: Vec<_> = (50..53).map(|pod| Container::start(&pod_path(folder, pod, 0))).collect();
    let ids: Vec<String> = (50..53).map(|pod| container_id(pod, 0)).collect();
    let host = this_host();
    let (rich, poor) = (Budget::new(10_000), Budget::new(10));
    let (mut with_many, mut with_few) = (engine(&host, &rich), engine(&host, &poor));
    for view in [View::Cadvisor, View::Own] {
        for _ in 0..2 {
            let many = of_folder(&page(&mut with_many, view), folder, &ids);
            let few = of_folder(&page(&mut with_few, view), folder, &ids);
            same(&many, &few, view);
        }
    }
    println!("{} files kept of {} wanted, {} reads without keeping", poor.kept(), rich.kept(), poor.unkept_reads());
    assert!(poor.kept() <= 10 && rich.kept() > 10 && poor.unkept_reads() > 0);
}

#[test]
fn the_roots_may_be_anywhere() {
    let Some(()) = root() else { return };
    let folder = "yagura-live-moved";
    let _container = Container::start(&pod_path(folder, 60, 0));
    let ids = [container_id(60, 0)];
    let elsewhere = tempfile::tempdir().unwrap();
    for (name, target) in [("proc", "/proc"), ("sys", "/sys"), ("cgroup", "/sys/fs/cgroup"), ("rootfs", "/")] {
        symlink(target, elsewhere.path().join(name)).unwrap();
    }
    let budget = Budget::new(10_000);
    let mut here = engine(&this_host(), &budget);
    let mut moved = engine(&Arc::new(Host::below(elsewhere.path()).unwrap()), &budget);
    for view in [View::Cadvisor, View::Own] {
        let (here, moved) = (page(&mut here, view), page(&mut moved, view));
        let (here, moved) = (of_folder(&here, folder, &ids), of_folder(&moved, folder, &ids));
        assert!(here.len() > 20, "{}", here.len());
        same(&here, &moved, view);
    }
    let families = |page: Exposition| page.families.into_iter().map(|family| family.name).collect::<Vec<_>>();
    assert_eq!(families(page(&mut here, View::Node)), families(page(&mut moved, View::Node)));
}

static GOOD: Family<Count, 0> = Family::gauge("test_good", "Of the collector that works.", &[]);
static BAD: Family<Count, 0> = Family::gauge("test_bad", "Of collectors that do not.", &[]);

/// Puts a row and ends as its name says.
struct Ends(&'static str);

impl Collector for Ends {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let path = "/test".into();
        match self.0 {
            "well" => scrape.out.put(&GOOD, [], 1_u8),
            "panicking" => {
                scrape.out.put(&BAD, [], 1_u8);
                panic!("on purpose")
            }
            _ => {
                scrape.out.put(&BAD, [], 1_u8);
                return Err(ReadError { path, source: std::io::Error::other("on purpose") });
            }
        }
        Ok(())
    }
}

const fn ending(name: &'static str, build: fn(&Context) -> Result<Box<dyn Collector>, Unavailable>) -> Spec {
    const SHOWS: &[(View, &[&Desc])] = &[(View::Own, &[GOOD.desc(), BAD.desc()])];
    Spec { name, about: "A test.", default_on: true, needs: &[], shows: SHOWS, build }
}

static PANICKING: Spec = ending("panicking", |_| Ok(Box::new(Ends("panicking"))));
static FAILING: Spec = ending("failing", |_| Ok(Box::new(Ends("failing"))));
static WELL: Spec = ending("well", |_| Ok(Box::new(Ends("well"))));
static UNABLE: Spec = ending("unable", |_| Err(Unavailable("no such thing here".into())));

#[test]
fn a_collector_that_panics_or_fails_costs_its_own_rows() {
    let budget = Budget::new(100);
    let mut engine = engine_of(&[&PANICKING, &FAILING, &WELL, &UNABLE], &this_host(), &budget);
    for _ in 0..3 {
        let mut batch = Batch::default();
        let report = scrape(&mut engine, View::Own, &mut batch);
        let outcomes: Vec<_> = report.runs.iter().map(|run| (run.collector, run.outcome.clone())).collect();
        assert_eq!(
            outcomes,
            [("panicking", Outcome::Failed), ("failing", Outcome::Failed), ("well", Outcome::Complete)]
        );
        let page = read(&batch, Format::Text004);
        assert_eq!(page.value("test_good", &[]), Some(1.0));
        assert!(page.family("test_bad").is_none());
    }
    assert_eq!(engine.off().iter().map(|off| off.reason.as_str()).collect::<Vec<_>>(), ["no such thing here"]);
}

#[test]
fn after_the_deadline_everything_is_late_and_the_page_is_valid() {
    let budget = Budget::new(1000);
    let mut engine = engine(&this_host(), &budget);
    for view in View::ALL {
        let mut batch = Batch::default();
        let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let report = engine.scrape(view, past, |_| true, &mut batch);
        assert!(!report.runs.is_empty());
        assert!(report.runs.iter().all(|run| run.outcome == Outcome::Late), "{:?}", report.runs);
        for format in Format::ALL {
            assert_eq!(read(&batch, format).samples().count(), 0);
        }
    }
}

#[test]
fn an_ordinary_user_gets_what_that_user_may_read() {
    let Some(()) = root() else { return };
    let path = pod_path("yagura-live-nobody", 70, 0);
    let _container = Container::start(&path);
    // Where that user may run it.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let copy = folder.path().join("yagura-exporter");
    std::fs::copy(program().get_program(), &copy).unwrap();
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut command = std::process::Command::new(&copy);
    command.uid(65534).gid(65534).current_dir("/").stdout(Stdio::null()).stderr(log);
    let agent = Agent::start(&mut command);
    for view in View::ALL.into_iter().chain(View::ALL) {
        let count = agent.page(view).samples().count();
        println!("{}: {count} samples without privileges", view.path());
        assert!(count > 100);
    }
    let cadvisor = agent.page(View::Cadvisor);
    let row = cadvisor
        .samples()
        .find(|(_, sample)| sample.name == "container_memory_usage_bytes" && sample.label("id") == Some(path.as_str()));
    assert!(row.is_some(), "memory of a container is for all to read");
    // What is hidden is said in the log, and counted.
    let own = agent.page(View::Own);
    let errors: f64 = own
        .samples()
        .filter(|(_, sample)| sample.name == "yagura_collector_errors_total")
        .map(|(_, sample)| sample.value)
        .sum();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    println!("{errors} runs lost rows\n{log}");
    assert!(errors > 0.0, "processes of others hide their descriptors");
    assert!(!log.contains("works again"), "said once, whatever other views say: {log}");
    assert!(log.contains("CAP_SYS_PTRACE") || log.contains("Permission denied"), "{log}");
}
