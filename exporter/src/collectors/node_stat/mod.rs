//! Interrupts, context switches, forks, boot time and tasks that run or wait, from `/proc/stat`.
//!
//! `procfs-core` reads this file too, but leaves out interrupts. The line `intr` holds the sum and then a number for
//! each interrupt, thousands on large machines; only the sum is looked at.

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family, Label, Timestamp};

use super::node::{counter, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// The columns of the line `softirq` after the sum, in order.
const VECTORS: [&str; 10] =
    ["hi", "timer", "net_tx", "net_rx", "block", "block_iopoll", "tasklet", "sched", "hrtimer", "rcu"];

static INTERRUPTS: Family<Count, 0> = counter("node_intr_total", "Interrupts.", &[]);
static SWITCHES: Family<Count, 0> =
    counter("node_context_switches_total", "How often a CPU went from one task to another.", &[]);
static FORKS: Family<Count, 0> = counter("node_forks_total", "Processes and threads made.", &[]);
static BOOT: Family<Timestamp, 0> = gauge("node_boot_time_seconds", "When the machine booted.", &[]);
static RUNNING: Family<Count, 0> = gauge("node_procs_running", "Tasks that run or could run.", &[]);
static BLOCKED: Family<Count, 0> = gauge("node_procs_blocked", "Tasks that wait for I/O.", &[]);
static SOFTIRQS: Family<Count, 1> =
    counter("node_softirqs_total", "Soft interrupts.", &[Label::closed("vector", &VECTORS)]);
static ALL: &[&Desc] =
    &[INTERRUPTS.desc(), SWITCHES.desc(), FORKS.desc(), BOOT.desc(), RUNNING.desc(), BLOCKED.desc(), SOFTIRQS.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_stat",
    about: "Interrupts, context switches, forks, boot time and tasks that run or wait.",
    default_on: true,
    needs: &[Need::File("proc/stat")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeStat {
    softirq: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeStat { softirq: context.config.collector.stat.softirq }))
}

impl Collector for NodeStat {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "stat")? else {
            scrape.nothing_there();
            return Ok(());
        };
        for (key, value) in text::pairs(file) {
            match key {
                b"intr" => out.put(&INTERRUPTS, [], value),
                b"ctxt" => out.put(&SWITCHES, [], value),
                b"processes" => out.put(&FORKS, [], value),
                b"btime" => out.put(&BOOT, [], Timestamp(value as f64)),
                b"procs_running" => out.put(&RUNNING, [], value),
                b"procs_blocked" => out.put(&BLOCKED, [], value),
                _ => {}
            }
        }
        if self.softirq {
            for (vector, count) in softirqs(file) {
                out.put(&SOFTIRQS, [vector], count);
            }
        }
        Ok(())
    }
}

fn softirqs(file: &[u8]) -> impl Iterator<Item = (&'static str, u64)> {
    let line = text::lines(file).find_map(|line| line.strip_prefix(b"softirq ")).unwrap_or_default();
    let counts = text::words(line).skip(1).map(|word| text::number(word).unwrap_or(0));
    VECTORS.into_iter().zip(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        collectors::golden::{check, check_with},
        config::Config,
    };
    use proptest::prelude::*;

    #[test]
    fn soft_interrupts_are_shown_when_asked_for() {
        check(&SPEC, "node_stat/testdata/vm-6-18", View::Node);
        let mut config = Config::default();
        config.collector.stat.softirq = true;
        check_with(&SPEC, "node_stat/testdata/softirq", View::Node, config);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = softirqs(&bytes).count();
        }
    }
}
