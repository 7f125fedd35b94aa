//! Number and limit of tasks of each container, from the pids controller.
//!
//! Source: `pids.current`, `pids.peak`, `pids.events` and, about once a minute, `pids.max`; the files are the same on
//! both versions. Where no pids controller counts, the processes of the cgroup are counted instead, as cAdvisor does;
//! for the root, all tasks of the machine from `/proc/loadavg`.

mod metrics;
mod parse;

use std::sync::Arc;

use kernfs::{Host, ReadError, Reader, text};

use self::metrics::{cadvisor, own};
use crate::{
    identity::{Controller, Group, GroupKind, Layout, PerGroup},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_pids",
    about: "Tasks of each container, how many it may have, and how often it wanted more.",
    default_on: true,
    needs: &[Need::File("cgroup/…/pids.current")],
    shows: &[(View::Cadvisor, cadvisor::ALL), (View::Own, own::ALL)],
    build,
};

#[derive(Debug, Default)]
struct ContainerPids {
    refusals: Refusals,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::<ContainerPids>::default())
}

impl Collector for ContainerPids {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        let Scrape { tree, host, reader, out, problems, now, view, .. } = scrape;
        if *view == View::Own {
            self.refusals.0.begin();
        }
        for group in tree.groups() {
            if group.cadvisor.is_none() && group.own.is_none() {
                continue;
            }
            match read(group, &layout, host, reader, *now, &mut self.refusals) {
                Ok(tasks) => emit(group, tasks, out),
                Err(problem) => problems.push(problem),
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
struct Tasks {
    current: u64,
    limit: Option<u64>,
    /// Linux 6.1 and later.
    peak: Option<u64>,
    refused: Option<u64>,
}

/// What `pids.events` showed when it last changed, with the stamp that it had then.
#[derive(Debug, Default)]
struct Refusals(PerGroup<(u64, Option<u64>)>);

impl Refusals {
    fn since(
        &mut self,
        stamp: u64,
        group: &mut Group,
        layout: &Layout,
        reader: &mut Reader,
    ) -> Result<Option<u64>, ReadError> {
        if let Some((known, refused)) = self.0.of(group)
            && *known == stamp
        {
            return Ok(*refused);
        }
        let refused = group.read(layout, Controller::Pids, "pids.events", reader)?.and_then(parse::refused);
        self.0.remember(group, (stamp, refused));
        Ok(refused)
    }
}

fn read(
    group: &mut Group,
    layout: &Layout,
    host: &Host,
    reader: &mut Reader,
    now: f64,
    refusals: &mut Refusals,
) -> Result<Tasks, ReadError> {
    if let Some(counted) = group.counted.tasks {
        let limit = group.task_limit(layout, reader, now)?;
        let refused = match group.own {
            Some(_) => refusals.since(counted.events_stamp, group, layout, reader)?,
            None => None,
        };
        return Ok(Tasks { current: counted.current, limit, peak: counted.peak, refused });
    }
    let Some(current) = group.read(layout, Controller::Pids, "pids.current", reader)?.and_then(text::only_number)
    else {
        let current = uncontrolled(group, layout, host, reader)?;
        return Ok(Tasks { current, limit: None, peak: None, refused: None });
    };
    let limit = group.task_limit(layout, reader, now)?;
    let (mut peak, mut refused) = (None, None);
    if group.own.is_some() {
        peak = group.read(layout, Controller::Pids, "pids.peak", reader)?.and_then(text::only_number);
        refused = group.read(layout, Controller::Pids, "pids.events", reader)?.and_then(parse::refused);
    }
    Ok(Tasks { current, limit, peak, refused })
}

fn uncontrolled(group: &mut Group, layout: &Layout, host: &Host, reader: &mut Reader) -> Result<u64, ReadError> {
    if group.kind == GroupKind::Root {
        return Ok(reader.read(&host.proc, "loadavg")?.and_then(parse::all_tasks).unwrap_or(0));
    }
    let (members, _) = group.members(layout, reader)?;
    Ok(members.len() as u64)
}

fn emit(group: &Group, tasks: Tasks, out: &mut metric::Batch) {
    if let Some(of) = group.cadvisor {
        out.put_of(&cadvisor::THREADS, of, [], tasks.current);
        out.put_of(&cadvisor::THREADS_MAX, of, [], tasks.limit.unwrap_or(0));
    }
    if let Some(of) = group.own {
        out.put_of(&own::TASKS, of, [], tasks.current);
        for (family, value) in [(&own::PEAK, tasks.peak), (&own::LIMIT, tasks.limit), (&own::REFUSED, tasks.refused)] {
            if let Some(value) = value {
                out.put_of(family, of, [], value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn tasks_are_counted_with_and_without_the_controller() {
        for tree in ["container_pids/testdata/cgroup-v1-6-18", "container_pids/testdata/debian-12-6-12"] {
            check(&SPEC, tree, View::Cadvisor);
            check(&SPEC, tree, View::Own);
        }
    }
}
