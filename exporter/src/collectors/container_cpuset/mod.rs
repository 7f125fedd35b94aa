//! CPUs and memory nodes that each container may use.
//!
//! Source: `cpuset.cpus.effective` and `cpuset.mems.effective` of version 2, or `cpuset.effective_cpus`,
//! `cpuset.effective_mems` and `cpuset.memory_migrate` of version 1, about once a minute. Version 2 always moves memory
//! along, so it shows 1 there, where cAdvisor shows 0. Cgroups that no cpuset controller governs have no rows.

mod metrics;

use std::sync::Arc;

use kernfs::ReadError;

use self::metrics::{cadvisor, own};
use crate::{
    identity::{CpusetLimits, Group},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_cpuset",
    about: "How many CPUs and memory nodes each container may use.",
    default_on: true,
    needs: &[Need::File("cgroup/…/cpuset.cpus.effective")],
    shows: &[(View::Cadvisor, cadvisor::ALL), (View::Own, own::ALL)],
    build,
};

#[derive(Debug)]
struct ContainerCpuset;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(ContainerCpuset))
}

impl Collector for ContainerCpuset {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        let Scrape { tree, reader, out, problems, now, .. } = scrape;
        for group in tree.groups() {
            if group.cadvisor.is_none() && group.own.is_none() {
                continue;
            }
            match group.cpuset_limits(&layout, reader, *now) {
                Ok(Some(limits)) => emit(group, limits, out),
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        Ok(())
    }
}

fn emit(group: &Group, limits: CpusetLimits, out: &mut metric::Batch) {
    if let Some(of) = group.cadvisor {
        out.put_of(&cadvisor::MIGRATE, of, [], limits.migrates_memory);
    }
    if let Some(of) = group.own {
        out.put_of(&own::CPUS, of, [], limits.cpus);
        out.put_of(&own::MEMORY_NODES, of, [], limits.memory_nodes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn both_versions_tell_how_much_of_the_machine_there_is() {
        for tree in ["container_cpuset/testdata/cgroup-v1-6-18", "container_cpuset/testdata/debian-12-6-12"] {
            check(&SPEC, tree, View::Cadvisor);
            check(&SPEC, tree, View::Own);
        }
    }
}
