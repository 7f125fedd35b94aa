//! CPU time of each container, and throttling by its quota.
//!
//! Source: `cpu.stat` of cgroup version 2, or `cpuacct.usage`, `cpuacct.stat` and `cpu.stat` of version 1. Not
//! included: time by CPU, which version 2 does not keep and a kubelet does not show.
//!
//! Throttling is shown for cgroups with a quota, even if it is 0, as a kubelet does; bursts on version 1 too, where a
//! kubelet shows 0. A quota given to a running container is noticed within a minute.

mod metrics;
mod parse;

use std::sync::Arc;

use kernfs::{ReadError, Reader};
use metric::{Batch, Of, Seconds};

use self::{
    metrics::{cadvisor, own},
    parse::{Bandwidth, Time},
};
use crate::{
    identity::{AsCadvisor, AsContainer, Controller, Group, Layout, PerGroup, Version},
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

/// Of version 1: time in all, and its division into user and system when it was last read.
#[derive(Clone, Copy, Debug)]
struct Divided {
    usage: Option<Seconds>,
    parts: (Option<Seconds>, Option<Seconds>),
}

#[derive(Debug, Default)]
struct ContainerCpu {
    divided: PerGroup<Divided>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::<ContainerCpu>::default())
}

impl Collector for ContainerCpu {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        let Scrape { tree, reader, out, problems, now, .. } = scrape;
        self.divided.begin();
        for group in tree.groups() {
            if group.cadvisor.is_none() && group.own.is_none() {
                continue;
            }
            match self.read(group, &layout, reader, *now) {
                Ok((time, bandwidth)) => emit(group, time, bandwidth, out),
                Err(problem) => problems.push(problem),
            }
        }
        Ok(())
    }
}

/// Time, and bandwidth when there is a quota. The kernel counts periods, all zero, of cgroups without a quota too.
/// They get no series: a ratio over them would divide by zero.
type Reading = (Time, Option<Bandwidth>);

impl ContainerCpu {
    fn read(
        &mut self,
        group: &mut Group,
        layout: &Layout,
        reader: &mut Reader,
        now: f64,
    ) -> Result<Reading, ReadError> {
        let limited = group.cpu_limits(layout, reader, now)?.quota.is_some();
        if layout.version(Controller::Cpu) == Some(Version::V2) {
            let file = group.read(layout, Controller::Cpu, "cpu.stat", reader)?;
            let (time, bandwidth) = file.map(parse::cpu_stat_v2).unwrap_or_default();
            group.known.cpu = time.usage.map(|usage| usage.0);
            group.known.throttled = Some(bandwidth.throttled_periods);
            return Ok((time, limited.then_some(bandwidth)));
        }
        let time = self.time_v1(group, layout, reader)?;
        let mut bandwidth = None;
        if limited {
            bandwidth = group.read(layout, Controller::Cpu, "cpu.stat", reader)?.map(parse::cpu_stat_v1);
        }
        group.known.cpu = time.usage.map(|usage| usage.0);
        group.known.throttled = bandwidth.map(|bandwidth| bandwidth.throttled_periods);
        Ok((time, bandwidth))
    }

    /// While the time in all stands still nothing ran, and its division, which costs more to read, is the same.
    fn time_v1(&mut self, group: &mut Group, layout: &Layout, reader: &mut Reader) -> Result<Time, ReadError> {
        let usage = group.read(layout, Controller::Cpuacct, "cpuacct.usage", reader)?.and_then(parse::cpuacct_usage);
        let known = self.divided.of(group).copied().filter(|known| known.usage == usage);
        let parts = if let Some(known) = known {
            known.parts
        } else {
            let file = group.read(layout, Controller::Cpuacct, "cpuacct.stat", reader)?;
            let parts = file.map(parse::cpuacct_stat).unwrap_or_default();
            self.divided.remember(group, Divided { usage, parts });
            parts
        };
        Ok(Time { usage, user: parts.0, system: parts.1 })
    }
}

fn emit(group: &Group, time: Time, bandwidth: Option<Bandwidth>, out: &mut Batch) {
    if let Some(of) = group.cadvisor {
        emit_cadvisor(of, time, bandwidth, out);
    }
    if let Some(of) = group.own {
        emit_own(of, time, bandwidth, out);
    }
}

fn emit_cadvisor(of: Of<AsCadvisor>, time: Time, bandwidth: Option<Bandwidth>, out: &mut Batch) {
    if let Some(usage) = time.usage.filter(|usage| *usage > Seconds(0.0)) {
        out.put_of(&cadvisor::USAGE, of, ["total"], usage);
    }
    if let Some(user) = time.user {
        out.put_of(&cadvisor::USER, of, [], user);
    }
    if let Some(system) = time.system {
        out.put_of(&cadvisor::SYSTEM, of, [], system);
    }
    let Some(bandwidth) = bandwidth else { return };
    out.put_of(&cadvisor::PERIODS, of, [], bandwidth.periods);
    out.put_of(&cadvisor::THROTTLED_PERIODS, of, [], bandwidth.throttled_periods);
    out.put_of(&cadvisor::THROTTLED, of, [], bandwidth.throttled);
    // A kernel before 5.15 knows no bursts: there were none.
    let (periods, burst) = bandwidth.burst.unwrap_or_default();
    out.put_of(&cadvisor::BURST_PERIODS, of, [], periods);
    out.put_of(&cadvisor::BURST, of, [], burst);
}

fn emit_own(of: Of<AsContainer>, time: Time, bandwidth: Option<Bandwidth>, out: &mut Batch) {
    if let (Some(user), Some(system)) = (time.user, time.system) {
        out.put_of(&own::TIME, of, ["user"], user);
        out.put_of(&own::TIME, of, ["system"], system);
    }
    let Some(bandwidth) = bandwidth else { return };
    let free = bandwidth.periods.saturating_sub(bandwidth.throttled_periods);
    out.put_of(&own::QUOTA_PERIODS, of, ["true"], bandwidth.throttled_periods);
    out.put_of(&own::QUOTA_PERIODS, of, ["false"], free);
    out.put_of(&own::THROTTLED, of, [], bandwidth.throttled);
    if let Some((_, burst)) = bandwidth.burst {
        out.put_of(&own::BURST, of, [], burst);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::collectors::golden::{check, run};

    #[test]
    fn version_1_and_2_show_the_same_families() {
        for tree in ["container_cpu/testdata/v1", "container_cpu/testdata/v2"] {
            check(&SPEC, tree, View::Cadvisor);
            check(&SPEC, tree, View::Own);
        }
    }

    /// The second container of each tree has none.
    #[test]
    fn a_container_without_a_quota_has_no_series_of_its_quota() {
        for tree in ["v1", "v2"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/collectors/container_cpu/testdata").join(tree);
            let text = run(&SPEC, &folder, View::Cadvisor);
            let of = |id: &str, name: &str| {
                text.lines()
                    .filter(|line| line.contains(id) && line.starts_with(&format!("container_cpu_{name}")))
                    .count()
            };
            assert_eq!((of("2b1c\"", "cfs_"), of("2b1c\"", "u")), (5, 2), "with a quota, in {tree}:\n{text}");
            assert_eq!((of("2b1d\"", "cfs_"), of("2b1d\"", "u")), (0, 1), "without, and idle, in {tree}:\n{text}");
        }
    }
}
