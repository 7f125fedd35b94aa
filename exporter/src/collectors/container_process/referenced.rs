//! Memory that each container's processes used since the kernel last cleared the marks: cAdvisor's family that a
//! kubelet leaves out. Off by default: the kernel walks all page tables of a process, about 1 ms a GiB, so a cgroup is
//! read once a minute and a scrape spends at most 50 ms. The marks are never cleared from here, which would disturb the
//! kernel's reclaim.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kernfs::{Host, ReadError, Reader};
use metric::Bytes;

use super::{metrics::referenced as families, parse};
use crate::{
    identity::Pid,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_process_referenced",
    about: "Memory of each container's processes that is marked as used.",
    default_on: false,
    needs: &[Need::File("proc/…/smaps_rollup"), Need::Capability("CAP_SYS_PTRACE")],
    shows: &[(View::Cadvisor, families::ALL)],
    build,
};

/// Seconds between two readings of a cgroup.
const EVERY: f64 = 60.0;
const A_SCRAPE: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug)]
struct Reading {
    bytes: u64,
    at: f64,
    round: u64,
}

#[derive(Debug, Default)]
struct ContainerReferenced {
    readings: HashMap<Box<str>, Reading>,
    round: u64,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::<ContainerReferenced>::default())
}

impl Collector for ContainerReferenced {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        let Scrape { tree, host, reader, out, problems, now, deadline, .. } = scrape;
        let until = (*deadline).min(Instant::now() + A_SCRAPE);
        self.round += 1;
        for group in tree.groups() {
            let Some(of) = group.cadvisor else { continue };
            let path = group.path.clone();
            let known = self.readings.get(&path).copied();
            let reading = match known {
                Some(known) if *now - known.at < EVERY || Instant::now() >= until => known,
                None if Instant::now() >= until => continue,
                _ => {
                    let read = match group.members(&layout, reader) {
                        Ok((pids, _)) => sum(pids, host, reader),
                        Err(problem) => Err(problem),
                    };
                    match read {
                        Ok(bytes) => Reading { bytes, at: *now, round: self.round },
                        Err(problem) => {
                            problems.push(problem);
                            continue;
                        }
                    }
                }
            };
            self.readings.insert(path, Reading { round: self.round, ..reading });
            out.put_of(&families::BYTES, of, [], Bytes(reading.bytes));
        }
        let round = self.round;
        self.readings.retain(|_, reading| reading.round == round);
        Ok(())
    }
}

fn sum(pids: &[Pid], host: &Host, reader: &mut Reader) -> Result<u64, ReadError> {
    let mut sum = 0;
    for pid in pids {
        if let Some(file) = reader.read(&host.proc, &format!("{pid}/smaps_rollup"))? {
            sum += parse::referenced(file).map_or(0, |bytes| bytes.0);
        }
    }
    Ok(sum)
}
