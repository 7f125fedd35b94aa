//! Scheduler statistics of each container's processes: cAdvisor's families that a kubelet leaves out. Off by
//! default: a file for each process. The first thread of each process counts; what ended processes had when they were
//! last seen is kept, what began and ended between two scrapes is not seen.

use std::{collections::HashMap, sync::Arc};

use kernfs::ReadError;
use metric::Nanos;

use super::{
    metrics::schedstat as families,
    parse::{self, Scheduled},
};
use crate::{
    identity::Pid,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_process_schedstat",
    about: "Time that the first threads of each container's processes ran and waited for a CPU.",
    default_on: false,
    needs: &[Need::File("proc/…/schedstat")],
    shows: &[(View::Cadvisor, families::ALL)],
    build,
};

/// Sums of one cgroup, and what was last seen of each of its processes.
#[derive(Debug, Default)]
struct Account {
    sum: Scheduled,
    last: HashMap<Pid, (Scheduled, u64)>,
    round: u64,
}

impl Account {
    fn take(&mut self, pid: Pid, now: Scheduled) {
        let last = self.last.get(&pid).map_or_else(Scheduled::default, |(last, _)| *last);
        // An id that is used again starts from zero.
        let last = if now.periods < last.periods { Scheduled::default() } else { last };
        self.sum.run.0 += now.run.0.saturating_sub(last.run.0);
        self.sum.wait.0 += now.wait.0.saturating_sub(last.wait.0);
        self.sum.periods += now.periods - last.periods;
        self.last.insert(pid, (now, self.round));
    }
}

#[derive(Debug, Default)]
struct ContainerSchedstat {
    accounts: HashMap<Box<str>, Account>,
    round: u64,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::<ContainerSchedstat>::default())
}

impl Collector for ContainerSchedstat {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        let Scrape { tree, host, reader, out, problems, .. } = scrape;
        self.round += 1;
        for group in tree.groups() {
            let Some(of) = group.cadvisor else { continue };
            let path = group.path.clone();
            let pids = match group.members(&layout, reader) {
                Ok((pids, _)) => pids,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            let account = self.accounts.entry(path).or_default();
            account.round = self.round;
            for pid in pids {
                if let Ok(Some(file)) = reader.read(&host.proc, &format!("{pid}/schedstat"))
                    && let Some(now) = parse::schedstat(file)
                {
                    account.take(*pid, now);
                }
            }
            let round = account.round;
            account.last.retain(|_, (_, seen)| *seen == round);
            let Scheduled { run: Nanos(run), wait: Nanos(wait), periods } = account.sum;
            out.put_of(&families::RUN, of, [], Nanos(run));
            out.put_of(&families::WAIT, of, [], Nanos(wait));
            out.put_of(&families::PERIODS, of, [], periods);
        }
        let round = self.round;
        self.accounts.retain(|_, account| account.round == round);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_never_falls_when_processes_end_or_their_ids_are_used_again() {
        let at = |periods| Scheduled { run: Nanos(periods * 10), wait: Nanos(periods), periods };
        let mut account = Account::default();
        account.take(7, at(5));
        account.take(7, at(8));
        account.take(7, at(2));
        assert_eq!(account.sum, at(10));
    }
}
