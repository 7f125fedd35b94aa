//! Processes and threads of the machine by state, and how many there may be. Off by default: each scrape reads a file
//! of every thread. Processes that end meanwhile are left out.

mod parse;

use std::collections::BTreeMap;

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family, Label};

use super::node::{attribute_number, entries, folder, gauge, or_problem};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static THREADS: Family<Count, 0> = gauge("node_processes_threads", "Threads of the machine.", &[]);
static MOST_THREADS: Family<Count, 0> = gauge("node_processes_max_threads", "Most threads that there can be.", &[]);
static THREADS_BY_STATE: Family<Count, 1> = gauge(
    "node_processes_threads_state",
    "Threads of the machine by state, as ps(1) spells it.",
    &[Label::open("thread_state", "letters of the kernel")],
);
static BY_STATE: Family<Count, 1> = gauge(
    "node_processes_state",
    "Processes of the machine by state, as ps(1) spells it.",
    &[Label::open("state", "letters of the kernel")],
);
static PROCESSES: Family<Count, 0> = gauge("node_processes_pids", "Processes of the machine.", &[]);
static MOST_PROCESSES: Family<Count, 0> =
    gauge("node_processes_max_processes", "Most processes and threads that can have a number.", &[]);
static ALL: &[&Desc] = &[
    THREADS.desc(),
    MOST_THREADS.desc(),
    THREADS_BY_STATE.desc(),
    BY_STATE.desc(),
    PROCESSES.desc(),
    MOST_PROCESSES.desc(),
];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_processes",
    about: "Processes and threads of the machine by state.",
    default_on: false,
    needs: &[Need::File("proc/1/stat")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeProcesses;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeProcesses))
}

impl Collector for NodeProcesses {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, problems, .. } = scrape;
        let (mut processes, mut threads) = (0_u64, 0_u64);
        let mut by_state: BTreeMap<char, u64> = BTreeMap::new();
        let mut threads_by_state: BTreeMap<char, u64> = BTreeMap::new();
        for pid in entries(reader, &host.proc, "")?.iter().filter(|name| text::number(name.as_bytes()).is_some()) {
            let Some((state, count)) =
                or_problem(reader.read(&host.proc, &format!("{pid}/stat")), problems).and_then(parse::stat)
            else {
                continue;
            };
            processes += 1;
            threads += count;
            *by_state.entry(state).or_default() += 1;
            for tid in or_problem(folder(reader, &host.proc, &format!("{pid}/task")), problems).unwrap_or_default() {
                let state = if tid == *pid {
                    Some(state)
                } else {
                    let file = or_problem(reader.read(&host.proc, &format!("{pid}/task/{tid}/stat")), problems);
                    file.and_then(parse::stat).map(|(state, _)| state)
                };
                if let Some(state) = state {
                    *threads_by_state.entry(state).or_default() += 1;
                }
            }
        }
        out.put(&THREADS, [], threads);
        out.put(&PROCESSES, [], processes);
        for (states, family) in [(&by_state, &BY_STATE), (&threads_by_state, &THREADS_BY_STATE)] {
            for (state, count) in states {
                out.put(family, [state.encode_utf8(&mut [0; 4])], *count);
            }
        }
        for (file, family) in [("threads-max", &MOST_THREADS), ("pid_max", &MOST_PROCESSES)] {
            if let Some(most) = attribute_number(reader, &host.proc, &format!("sys/kernel/{file}")) {
                out.put(family, [], most);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn threads_count_by_their_own_state() {
        check(&SPEC, "node_processes/testdata/kernel-docs", View::Node);
    }
}
