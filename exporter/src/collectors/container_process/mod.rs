//! Processes of each container: count, open descriptors, limits, thread states.
//!
//! Source: `cgroup.procs` and, for each process, `/proc/<pid>/{fd,stat,limits}`; [`processes`] says what is read anew
//! in each scrape and what takes turns, [`load`] how averages are made. Processes of cgroups inside a container count
//! as the container's, but `container_processes` is the cgroup's own as cAdvisor's is.
//!
//! A kubelet prints 0 for what threads do and for the load averages; these figures are real. Looking into processes of
//! other users takes `CAP_SYS_PTRACE`; without it sockets have no series, and before Linux 6.2 descriptors neither.
//!
//! Not included: `container_threads` and `container_threads_max`, which the pids controller counts.

mod load;
mod metrics;
mod parse;
mod processes;
mod referenced;
mod schedstat;

use std::{collections::HashMap, sync::Arc};

use kernfs::{Host, ReadError, Reader};
use metric::{Batch, Seconds};

use self::{
    load::Load,
    metrics::{cadvisor, own},
    processes::{Processes, Threads},
};
pub use self::{referenced::SPEC as REFERENCED, schedstat::SPEC as SCHEDSTAT};
use crate::{
    identity::{Group, GroupKind, Layout, Pid},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_process",
    about: "Processes of each container, what they have open, and what their threads do.",
    default_on: true,
    needs: &[
        Need::File("cgroup/…/cgroup.procs"),
        Need::File("proc/…/fd"),
        Need::Capability("CAP_SYS_PTRACE"),
        Need::Capability("CAP_DAC_READ_SEARCH"),
    ],
    shows: &[(View::Cadvisor, cadvisor::ALL), (View::Own, own::ALL)],
    build,
};

/// Limits are read once a minute.
const LIMITS_EVERY: f64 = 60.0;
/// Seconds after which a cgroup that was not asked for is forgotten.
const FORGET_AFTER: f64 = 90.0;

/// What is kept of a cgroup from scrape to scrape.
#[derive(Clone, Copy, Debug, Default)]
struct Past {
    load: Load,
    limit: Option<i64>,
    limit_of: Pid,
    limit_at: f64,
    asked: f64,
}

/// Figures of one cgroup.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    own: u64,
    all: u64,
    /// `None` when some process hides it.
    descriptors: Option<u64>,
    sockets: Option<u64>,
    threads: Threads,
    limit: Option<i64>,
    load: Load,
}

#[derive(Debug)]
struct ContainerProcess {
    processes: Processes,
    past: HashMap<Box<str>, Past>,
    swept: f64,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let processes = Processes::new(&context.host);
    Ok(Box::new(ContainerProcess { processes, past: HashMap::new(), swept: 0.0 }))
}

impl Collector for ContainerProcess {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        let Scrape { view, tree, host, reader, out, problems, now, .. } = scrape;
        self.processes.begin(*now);
        for group in tree.groups() {
            if group.cadvisor.is_none() && group.own.is_none() {
                continue;
            }
            match self.read(group, &layout, *now, *view, host, reader) {
                Ok(figures) => emit(group, &figures, out),
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(self.processes.hidden.take());
        if *view == View::Own {
            let ages = [("sockets", self.processes.oldest_sockets), ("states", self.processes.oldest_threads)];
            for (detail, since) in ages.into_iter().filter(|(_, since)| *since < f64::MAX) {
                out.put(&own::AGE, [detail], Seconds((*now - since).max(0.0)));
            }
        }
        if *now - self.swept > FORGET_AFTER {
            self.past.retain(|_, past| *now - past.asked <= FORGET_AFTER);
            self.swept = *now;
        }
        Ok(())
    }
}

impl ContainerProcess {
    fn read(
        &mut self,
        group: &mut Group,
        layout: &Layout,
        now: f64,
        view: View,
        host: &Host,
        reader: &mut Reader,
    ) -> Result<Figures, ReadError> {
        if !self.past.contains_key(&group.path) {
            self.past.insert(group.path.clone(), Past::default());
        }
        let leads = match group.kind {
            GroupKind::Root => Some(1),
            GroupKind::Sandbox | GroupKind::Container => Some(0),
            _ => None,
        };
        let Some(past) = self.past.get_mut(&group.path) else { return Ok(Figures::default()) };
        past.asked = now;
        let (pids, own) = group.members(layout, reader)?;
        let mut figures = Figures { own: own as u64, descriptors: Some(0), sockets: Some(0), ..Figures::default() };
        for pid in pids {
            let Some(seen) = self.processes.look(*pid, now, host, reader) else { continue };
            figures.all += 1;
            figures.descriptors = figures.descriptors.zip(seen.descriptors).map(|(sum, n)| sum + n);
            figures.sockets = figures.sockets.zip(seen.sockets).map(|(sum, n)| sum + n);
            figures.threads.add(seen.threads.unwrap_or_default());
        }
        // The machine's first process is the first of all. A container's is the one asked before, else any: they
        // inherit the limit from each other, and process ids that started anew tell nothing about who came first.
        match leads {
            Some(0) if pids.contains(&past.limit_of) => past.refresh_limit(&[past.limit_of], now, host, reader),
            Some(0) => past.refresh_limit(pids, now, host, reader),
            Some(first) => past.refresh_limit(&[first], now, host, reader),
            None => {}
        }
        figures.limit = leads.and(past.limit);
        if view == View::Cadvisor {
            past.load.take(figures.threads.running, figures.threads.uninterruptible, now);
        }
        figures.load = past.load;
        Ok(figures)
    }
}

impl Past {
    /// Asks the first of these processes that still runs.
    fn refresh_limit(&mut self, pids: &[Pid], now: f64, host: &Host, reader: &mut Reader) {
        for pid in pids.iter().copied() {
            // Containers that started together are not all due at once.
            let every = LIMITS_EVERY - f64::from(pid % 16);
            if pid == self.limit_of && now - self.limit_at < every {
                return;
            }
            let file = reader.read(&host.proc, &format!("{pid}/limits"));
            let Some(limit) = file.ok().flatten().and_then(parse::open_files_limit) else { continue };
            self.limit = Some(limit);
            (self.limit_of, self.limit_at) = (pid, now);
            return;
        }
    }
}

fn emit(group: &Group, figures: &Figures, out: &mut Batch) {
    let Threads { sleeping, running, stopped, uninterruptible, iowaiting } = figures.threads;
    let threads = [
        ("sleeping", sleeping),
        ("running", running),
        ("stopped", stopped),
        ("uninterruptible", uninterruptible),
        ("iowaiting", iowaiting),
    ];
    if let Some(of) = group.cadvisor {
        out.put_of(&cadvisor::PROCESSES, of, [], figures.own);
        if let Some(descriptors) = figures.descriptors {
            out.put_of(&cadvisor::DESCRIPTORS, of, [], descriptors);
        }
        if let Some(sockets) = figures.sockets {
            out.put_of(&cadvisor::SOCKETS, of, [], sockets);
        }
        if let Some(limit) = figures.limit {
            out.put_of(&cadvisor::ULIMITS, of, ["max_open_files"], limit);
        }
        for (state, count) in threads {
            out.put_of(&cadvisor::TASKS, of, [state], count);
        }
        out.put_of(&cadvisor::LOAD, of, [], figures.load.running.round());
        out.put_of(&cadvisor::LOAD_D, of, [], figures.load.uninterruptible.round());
    }
    if let Some(of) = group.own {
        out.put_of(&own::PROCESSES, of, [], figures.all);
        if let Some(descriptors) = figures.descriptors {
            out.put_of(&own::DESCRIPTORS, of, [], descriptors);
        }
        if let Some(sockets) = figures.sockets {
            out.put_of(&own::SOCKETS, of, [], sockets);
        }
        if let Some(limit) = figures.limit.filter(|limit| *limit >= 0) {
            out.put_of(&own::LIMIT, of, [], limit);
        }
        for (state, count) in threads {
            out.put_of(&own::THREADS, of, [state], count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn processes_of_inner_cgroups_count_for_all_but_container_processes() {
        check(&SPEC, "container_process/testdata/v2", View::Cadvisor);
        check(&SPEC, "container_process/testdata/v2", View::Own);
    }

    #[test]
    fn schedstat_and_referenced_memory_are_summed_over_processes() {
        check(&SCHEDSTAT, "container_process/testdata/schedstat", View::Cadvisor);
        check(&REFERENCED, "container_process/testdata/referenced", View::Cadvisor);
    }
}
