//! CPU time of each container, and what its quota did to it.
//!
//! Read are `cpu.stat` of cgroup version 2, or `cpuacct.usage`, `cpuacct.stat` and `cpu.stat` of version 1. Left out is
//! time by CPU, which version 2 does not keep and a kubelet does not show.

mod metrics;
mod parse;

use kernfs::ReadError;

use self::{
    metrics::{cadvisor, own},
    parse::{Bandwidth, Time},
};
use crate::{
    identity::{Controller, Group, GroupKind, Version},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_cpu",
    about: "CPU time of each container, and what its quota did to it.",
    default_on: true,
    needs: &[Need::File("cgroup/…/cpu.stat")],
    shows: &[(View::Cadvisor, cadvisor::ALL), (View::Own, own::ALL)],
    build,
};

#[derive(Debug)]
struct ContainerCpu;

fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(ContainerCpu))
}

impl Collector for ContainerCpu {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = std::sync::Arc::clone(scrape.tree.layout());
        let Scrape { tree, reader, out, problems, .. } = scrape;
        for group in tree.groups() {
            if group.cadvisor.is_none() && group.own.is_none() {
                continue;
            }
            let read = match layout.version(Controller::Cpu) {
                Some(Version::V2) => read_v2(group, &layout, reader),
                _ => read_v1(group, &layout, reader),
            };
            match read {
                Ok((time, bandwidth)) => emit(group, time, bandwidth, out),
                Err(problem) => problems.push(problem),
            }
        }
        Ok(())
    }
}

type Reading = (Time, Option<Bandwidth>);

fn read_v2(
    group: &mut Group,
    layout: &crate::identity::Layout,
    reader: &mut kernfs::Reader,
) -> Result<Reading, ReadError> {
    let Some(file) = group.read(layout, Controller::Cpu, "cpu.stat", reader)? else { return Ok(Reading::default()) };
    let (time, bandwidth) = parse::cpu_stat_v2(file);
    // The file counts periods, all zero, of cgroups without a quota too. They get no series: a ratio over them would
    // divide by zero.
    let limited = bandwidth.periods > 0;
    Ok((time, limited.then_some(bandwidth)))
}

fn read_v1(
    group: &mut Group,
    layout: &crate::identity::Layout,
    reader: &mut kernfs::Reader,
) -> Result<Reading, ReadError> {
    let mut time = Time::default();
    if let Some(file) = group.read(layout, Controller::Cpuacct, "cpuacct.usage", reader)? {
        time.usage = parse::cpuacct_usage(file);
    }
    if let Some(file) = group.read(layout, Controller::Cpuacct, "cpuacct.stat", reader)? {
        (time.user, time.system) = parse::cpuacct_stat(file);
    }
    let bandwidth = group.read(layout, Controller::Cpu, "cpu.stat", reader)?.map(parse::cpu_stat_v1);
    Ok((time, bandwidth.filter(|bandwidth| bandwidth.periods > 0)))
}

fn emit(group: &Group, time: Time, bandwidth: Option<Bandwidth>, out: &mut metric::Batch) {
    if let Some(of) = group.cadvisor {
        if let Some(usage) = time.usage {
            out.put_of(&cadvisor::USAGE, of, ["total"], usage);
        }
        if let Some(user) = time.user {
            out.put_of(&cadvisor::USER, of, [], user);
        }
        if let Some(system) = time.system {
            out.put_of(&cadvisor::SYSTEM, of, [], system);
        }
        if let Some(bandwidth) = bandwidth.filter(|_| group.kind != GroupKind::Root) {
            out.put_of(&cadvisor::PERIODS, of, [], bandwidth.periods);
            out.put_of(&cadvisor::THROTTLED_PERIODS, of, [], bandwidth.throttled_periods);
            out.put_of(&cadvisor::THROTTLED, of, [], bandwidth.throttled);
            let (periods, burst) = bandwidth.burst.unwrap_or_default();
            out.put_of(&cadvisor::BURST_PERIODS, of, [], periods);
            out.put_of(&cadvisor::BURST, of, [], burst);
        }
    }
    if let Some(of) = group.own {
        if let (Some(user), Some(system)) = (time.user, time.system) {
            out.put_of(&own::TIME, of, ["user"], user);
            out.put_of(&own::TIME, of, ["system"], system);
        }
        if let Some(bandwidth) = bandwidth {
            let free = bandwidth.periods.saturating_sub(bandwidth.throttled_periods);
            out.put_of(&own::QUOTA_PERIODS, of, ["true"], bandwidth.throttled_periods);
            out.put_of(&own::QUOTA_PERIODS, of, ["false"], free);
            out.put_of(&own::THROTTLED, of, [], bandwidth.throttled);
            if let Some((_, burst)) = bandwidth.burst {
                out.put_of(&own::BURST, of, [], burst);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn version_1_and_2_show_the_same_families() {
        for tree in ["container_cpu/testdata/v1", "container_cpu/testdata/v2"] {
            check(&SPEC, tree, View::Cadvisor);
            check(&SPEC, tree, View::Own);
        }
    }
}
