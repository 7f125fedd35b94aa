//! Image, start time, shares, quota and limits of each container.
//!
//! Limits come from [`crate::identity`], which reads them about once a minute. The root has the machine's memory and
//! swap, of `/proc/meminfo`, as limits. Two things are as in cAdvisor beside a kubelet: that no limit is shown as 0,
//! and that nothing is known of health checks, which is -1. Our own view leaves out what is not limited.

mod metrics;
mod parse;

use std::sync::Arc;

use kernfs::{ReadError, Reader};
use metric::{Batch, Bytes, Of, Timestamp};

use self::{
    metrics::{cadvisor, own},
    parse::Machine,
};
use crate::{
    identity::{AsCadvisor, AsContainer, Controller, CpuLimits, Group, GroupKind, Layout, MemoryLimits, Version},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_spec",
    about: "What each container is and may use: image, start, CPU shares, quota and memory limits.",
    default_on: true,
    needs: &[Need::File("cgroup/…/memory.max"), Need::File("cgroup/…/cpu.max")],
    shows: &[(View::Cadvisor, cadvisor::ALL), (View::Own, own::ALL)],
    build,
};

/// How long the size of the machine is believed, in seconds; memory can be plugged.
const MACHINE_HOLDS: f64 = 60.0;

#[derive(Debug, Default)]
struct ContainerSpec {
    machine: Option<Machine>,
    read_at: f64,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(ContainerSpec::default()))
}

impl Collector for ContainerSpec {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        if self.machine.is_none() || (scrape.now - self.read_at).abs() >= MACHINE_HOLDS {
            self.machine = scrape.reader.read(&scrape.host.proc, "meminfo")?.map(parse::machine);
            self.read_at = scrape.now;
        }
        let Scrape { tree, reader, out, problems, now, .. } = scrape;
        for group in tree.groups() {
            if group.cadvisor.is_none() && group.own.is_none() {
                continue;
            }
            match read(group, &layout, reader, *now, self.machine) {
                Ok((cpu, memory)) => {
                    if let Some(of) = group.cadvisor {
                        emit_cadvisor(group, of, cpu, memory, *now, out);
                    }
                    if let Some(of) = group.own {
                        emit_own(group, of, cpu, memory, &layout, out);
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
        Ok(())
    }
}

fn read(
    group: &mut Group,
    layout: &Layout,
    reader: &mut Reader,
    now: f64,
    machine: Option<Machine>,
) -> Result<(CpuLimits, Option<MemoryLimits>), ReadError> {
    let cpu = group.cpu_limits(layout, reader, now)?;
    let mut memory = group.memory_limits(layout, reader, now)?;
    if group.kind == GroupKind::Root
        && let Some(Machine { memory: limit, swap }) = machine
    {
        let reservation = memory.and_then(|memory| memory.reservation);
        memory = Some(MemoryLimits { limit: Some(limit), reservation, swap: Some(swap) });
    }
    Ok((cpu, memory))
}

fn emit_cadvisor(
    group: &Group,
    of: Of<AsCadvisor>,
    cpu: CpuLimits,
    memory: Option<MemoryLimits>,
    now: f64,
    out: &mut Batch,
) {
    // cAdvisor counts whole seconds.
    let created = Timestamp(group.created.floor());
    out.put_of(&cadvisor::CREATED, of, [], created);
    out.put_of(&cadvisor::STARTED, of, [], created);
    out.put_of(&cadvisor::LAST_SEEN, of, [], Timestamp(now.floor()));
    out.put_of(&cadvisor::HEALTH, of, [], -1);
    out.put_of(&cadvisor::PERIOD, of, [], cpu.period.map_or(0, |period| period.0));
    if let Some(quota) = cpu.quota {
        out.put_of(&cadvisor::QUOTA, of, [], quota.0);
    }
    out.put_of(&cadvisor::SHARES, of, [], cpu.shares.unwrap_or(0));
    let Some(MemoryLimits { limit, reservation, swap }) = memory else { return };
    out.put_of(&cadvisor::LIMIT, of, [], limit.unwrap_or_default());
    out.put_of(&cadvisor::RESERVATION, of, [], reservation.unwrap_or_default());
    out.put_of(&cadvisor::SWAP_LIMIT, of, [], swap.unwrap_or_default());
}

fn emit_own(
    group: &Group,
    of: Of<AsContainer>,
    cpu: CpuLimits,
    memory: Option<MemoryLimits>,
    layout: &Layout,
    out: &mut Batch,
) {
    out.put_of(&own::INFO, of, [&group.labels.image, &group.path], 1);
    out.put_of(&own::STARTED, of, [], Timestamp(group.created));
    if let Some(cores) = cpu.cores() {
        out.put_of(&own::CPU_LIMIT, of, [], cores);
    }
    if let Some(shares) = cpu.shares {
        out.put_of(&own::SHARES, of, [], shares);
    }
    let Some(MemoryLimits { limit, reservation, swap }) = memory else { return };
    if let Some(limit) = limit {
        out.put_of(&own::MEMORY_LIMIT, of, [], limit);
    }
    if let Some(reservation) = reservation.filter(|reservation| reservation.0 > 0) {
        out.put_of(&own::RESERVATION, of, [], reservation);
    }
    if let Some(swap) = swap_alone(limit, swap, layout.version(Controller::Memory)) {
        out.put_of(&own::SWAP_LIMIT, of, [], swap);
    }
}

/// Version 1 limits memory and swap together.
fn swap_alone(memory: Option<Bytes>, swap: Option<Bytes>, version: Option<Version>) -> Option<Bytes> {
    match version {
        Some(Version::V1) => Some(Bytes(swap?.0.saturating_sub(memory?.0))),
        _ => swap,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::run;

    /// Times are those of the moment in which the tree was copied, so they are looked at and left out.
    #[test]
    fn limits_are_shown_and_no_limit_is_zero_or_absent() {
        for tree in ["cgroup-v1-6-18", "debian-12-6-12"] {
            for (view, name) in [(View::Cadvisor, "cadvisor"), (View::Own, "own")] {
                let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("src/collectors/container_spec/testdata")
                    .join(tree);
                let text = run(&SPEC, &folder, view);
                let (times, rest): (Vec<_>, Vec<_>) = text
                    .lines()
                    .partition(|line| line.contains("_time_seconds{") || line.contains("_timestamp_seconds{"));
                let since_2020 = |line: &&str| {
                    line.rsplit_once(' ').and_then(|(_, at)| at.parse::<f64>().ok()).is_some_and(|at| at > 1.577e9)
                };
                assert!(!times.is_empty() && times.iter().all(since_2020), "{times:#?}");
                let golden = folder.with_file_name(format!("{tree}.{name}.prom"));
                let rest = rest.join("\n") + "\n";
                if testkit::given("UPDATE_GOLDEN").is_some() {
                    std::fs::write(&golden, &rest).unwrap();
                }
                assert_eq!(rest, std::fs::read_to_string(&golden).unwrap(), "{}", golden.display());
            }
        }
    }

    #[test]
    fn swap_is_what_version_1_allows_beyond_memory() {
        let (memory, both) = (Some(Bytes(100)), Some(Bytes(150)));
        assert_eq!(swap_alone(memory, both, Some(Version::V1)), Some(Bytes(50)));
        assert_eq!(swap_alone(memory, both, Some(Version::V2)), Some(Bytes(150)));
        assert_eq!(swap_alone(None, both, Some(Version::V1)), None);
    }
}
