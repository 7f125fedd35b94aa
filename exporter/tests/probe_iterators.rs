//! What passes of the kernel say of cgroups is what their files say.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

mod common;
mod machine;

use std::{
    collections::BTreeSet,
    ops::Range,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use common::unable;
use kernfs::{Budget, Reader};
use machine::{engine_of, page, series, this_host};
use testkit::{Cgroup, Child, Limits, container_id, pod_path};
use yagura_exporter::{
    collectors,
    identity::{Controller, CountedMemory, CountedPressure, CountedTasks, Layout},
    ids::CgroupId,
    probes::iterators::{self, Iterators},
    slices,
    spec::{Spec, View},
};

/// Real cgroups in every hierarchy, some with processes.
struct Groups {
    cgroups: Vec<Cgroup>,
    layout: Layout,
    _processes: Vec<Child>,
}

impl Groups {
    /// For pods of these numbers, and one more that is busy.
    fn make(top: &str, pods: Range<usize>) -> Self {
        let limits = |i: usize| Limits { memory: i.is_multiple_of(2).then_some(64 << 20), ..Limits::default() };
        let cgroups: Vec<_> = pods.clone().map(|i| Cgroup::make(&pod_path(top, i, 0), limits(i)).unwrap()).collect();
        let mut processes = Vec::new();
        for (i, cgroup) in cgroups.iter().enumerate().step_by(5) {
            for _ in 0..=(i / 5) % 3 {
                let work = "x=$(head -c 300000 /dev/urandom | od -x); exec sleep 1000";
                let process = Child::quiet(Command::new("sh").args(["-c", work])).unwrap();
                cgroup.add(process.id()).unwrap();
                processes.push(process);
            }
        }
        // Two that have to share a hundredth of a CPU: pressure.
        let busy =
            Cgroup::make(&pod_path(top, pods.end, 0), Limits { cpu_quota: Some(5000), ..Limits::default() }).unwrap();
        for _ in 0..2 {
            let loops = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec sleep 1000";
            let process = Child::quiet(Command::new("sh").args(["-c", loops])).unwrap();
            busy.add(process.id()).unwrap();
            processes.push(process);
        }
        let layout = Layout::find(&this_host(), &mut Reader::default()).unwrap();
        Self { cgroups: cgroups.into_iter().chain([busy]).collect(), layout, _processes: processes }
    }

    fn folder(&self, cgroup: &Cgroup, controller: Controller) -> Option<PathBuf> {
        let root = self.layout.roots().nth(self.layout.home(controller)?)?;
        Some(root.join(cgroup.path().trim_start_matches('/'))).filter(|folder| folder.exists())
    }

    fn id(&self, cgroup: &Cgroup, controller: Controller) -> Option<CgroupId> {
        Some(CgroupId(std::fs::metadata(self.folder(cgroup, controller)?).unwrap().ino()))
    }
}

fn number(folder: &Path, names: [&str; 2]) -> Option<u64> {
    names.iter().find_map(|name| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok())
}

fn memory(folder: &Path) -> Option<CountedMemory> {
    Some(CountedMemory {
        usage: number(folder, ["memory.current", "memory.usage_in_bytes"])?,
        peak: number(folder, ["memory.peak", "memory.max_usage_in_bytes"])?,
        swap: number(folder, ["memory.swap.current", "none"]).unwrap_or(0),
        kernel: number(folder, ["memory.kmem.usage_in_bytes", "none"]).unwrap_or(0),
    })
}

/// Microseconds, as the file has them.
fn waited(folder: &Path, name: &str) -> Option<[u64; 2]> {
    let file = std::fs::read_to_string(folder.join(name)).ok()?;
    let total = |kind: &str| {
        let line = file.lines().find(|line| line.starts_with(kind))?;
        line.split_once("total=")?.1.parse::<u64>().ok()
    };
    Some([total("some")?, total("full")?])
}

/// Reads the files, passes over them, and reads them again: if the files stood still, the pass must say the same.
#[test]
fn passes_and_files_give_the_same_numbers() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let groups = Groups::make("yagura-iterators-same", 700..760);
    let mut passes = match Iterators::start(&this_host(), &groups.layout, false) {
        Ok(passes) => passes,
        Err(reason) => return testkit::skipped(&reason.0),
    };
    let (mut same_memory, mut same_tasks, mut same_pressure, mut waiting) = (0, 0, 0, 0);
    let deadline = Instant::now() + Duration::from_mins(1) * testkit::patience();
    for cgroup in &groups.cgroups {
        let [of_memory, of_tasks, of_pressure] = [Controller::Memory, Controller::Pids, Controller::Unified]
            .map(|controller| (groups.folder(cgroup, controller), groups.id(cgroup, controller)));
        // A reading between two equal ones of the files: soon for all but the busy one.
        loop {
            let files = || {
                let memory = of_memory.0.as_deref().and_then(memory);
                let tasks = of_tasks.0.as_deref().and_then(|folder| number(folder, ["pids.current", "none"]));
                let pressure = of_pressure
                    .0
                    .as_deref()
                    .map(|folder| ["cpu.pressure", "memory.pressure", "io.pressure"].map(|name| waited(folder, name)));
                (memory, tasks, pressure)
            };
            let before = files();
            passes.run().unwrap();
            let counted = passes.of(of_memory.1, of_tasks.1, of_pressure.1);
            // Time that the kernel has not put into the totals of pressure yet is there within two seconds.
            let settled = counted.pressure.is_some() || of_pressure.1.is_none() || !passes.has_pressure();
            if before != files() || !settled {
                assert!(Instant::now() < deadline, "{} never stood still", cgroup.path());
                std::thread::sleep(Duration::from_millis(10));
                continue;
            }
            if let Some(CountedMemory { usage, peak, swap, kernel }) = counted.memory {
                let file = before.0.unwrap();
                // Version 2 has no file of its own for the kernel's memory, and may have none for swap.
                let kernel = if file.kernel == 0 { 0 } else { kernel };
                let swap = if file.swap == 0 { 0 } else { swap };
                assert_eq!(CountedMemory { usage, peak, swap, kernel }, file, "{}", cgroup.path());
                same_memory += u64::from(usage > 0);
            }
            if let Some(CountedTasks { current, .. }) = counted.tasks {
                assert_eq!(Some(current), before.1, "{}", cgroup.path());
                same_tasks += u64::from(current > 0);
            }
            if let Some(CountedPressure { cpu, memory, io }) = counted.pressure {
                let shown = [cpu, memory, io].map(|[some, full]| Some([some / 1000, full / 1000]));
                assert_eq!(Some(shown), before.2, "{}", cgroup.path());
                same_pressure += 1;
                waiting += u64::from(cpu[0] > 0);
            }
            break;
        }
    }
    let found = passes.found();
    println!(
        "equal: {same_memory} with memory, {same_tasks} with tasks, {same_pressure} of pressure, {waiting} waited"
    );
    assert!(found.iter().any(|found| *found >= 60), "{found:?}");
    if found[0] > 0 {
        assert!(same_memory >= 12, "{same_memory}");
    }
    if found[1] > 0 {
        assert!(same_tasks >= 12, "{same_tasks}");
    }
    if found[2] > 0 {
        assert!(same_pressure == 61 && waiting > 0, "{same_pressure}, {waiting}");
    }
}

/// Whoever scrapes cannot tell the difference.
#[test]
fn views_have_the_same_series_with_passes_and_without() {
    if let Some(reason) = unable() {
        return testkit::skipped(&reason);
    }
    let (top, pods) = ("yagura-iterators-views", 770..790);
    let ids: Vec<String> = pods.clone().map(|pod| container_id(pod, 0)).collect();
    let _groups = Groups::make(top, pods.clone());
    let budget = Budget::new(10_000);
    let with: Vec<&Spec> = [&iterators::SPEC].into_iter().chain(collectors::ALL.iter().copied()).collect();
    assert_eq!(slices::all().next().unwrap().name, iterators::SPEC.name, "it must run before the others");
    let mut by_passes = engine_of(&with, &this_host(), &budget);
    if let Some(off) = by_passes.off().iter().find(|off| off.spec.name == iterators::SPEC.name) {
        return testkit::skipped(&off.reason);
    }
    let mut by_files = engine_of(collectors::ALL, &this_host(), &budget);
    for view in [View::Cadvisor, View::Own] {
        let mut both = [&mut by_passes, &mut by_files].map(|engine| {
            let all = series(&page(engine, view));
            all.into_iter().filter(|text| ids.iter().any(|id| text.contains(id))).collect::<BTreeSet<_>>()
        });
        let [passes, files] = &mut both;
        assert!(passes.len() > 20 * 5, "{}: {}", view.path(), passes.len());
        let differing: Vec<_> = passes.symmetric_difference(files).take(5).collect();
        assert!(differing.is_empty(), "{}: {differing:#?}", view.path());
    }
}
