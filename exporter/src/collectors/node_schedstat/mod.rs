//! Time that tasks ran on and waited for each CPU, from `/proc/schedstat` (scheduler/sched-stats.rst):
//! ```text
//! version 17
//! timestamp 4295010132
//! cpu0 0 0 0 0 0 0 15041423093 2178253716 112316
//! domain0 MC 3 …
//! ```
//! The last three numbers of a line `cpu…` are nanoseconds of running, nanoseconds of waiting, and time slices. The
//! file is there when the kernel has `CONFIG_SCHEDSTATS`.

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family, Label, Nanos, Seconds};

use super::node::counter;
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const CPU: &[Label; 1] = &[Label::open("cpu", "CPUs of the machine")];

static RUNNING: Family<Seconds, 1> =
    counter("node_schedstat_running_seconds_total", "Time that tasks ran on the CPU.", CPU);
static WAITING: Family<Seconds, 1> =
    counter("node_schedstat_waiting_seconds_total", "Time that tasks waited for the CPU.", CPU);
static SLICES: Family<Count, 1> =
    counter("node_schedstat_timeslices_total", "Slices of time that the CPU gave to tasks.", CPU);
static ALL: &[&Desc] = &[RUNNING.desc(), WAITING.desc(), SLICES.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_schedstat",
    about: "Time that tasks ran on and waited for each CPU.",
    default_on: true,
    needs: &[Need::File("proc/schedstat")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeSchedstat;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeSchedstat))
}

impl Collector for NodeSchedstat {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "schedstat")? else {
            scrape.nothing_there();
            return Ok(());
        };
        for (cpu, [running, waiting, slices]) in cpus(file) {
            out.put(&RUNNING, [cpu], Nanos(running));
            out.put(&WAITING, [cpu], Nanos(waiting));
            out.put(&SLICES, [cpu], slices);
        }
        Ok(())
    }
}

/// The number of each CPU; running, waiting, slices.
fn cpus(file: &[u8]) -> impl Iterator<Item = (&str, [u64; 3])> {
    text::lines(file).filter_map(|line| {
        let mut words = text::words(line);
        let cpu = words.next()?.strip_prefix(b"cpu")?;
        text::number(cpu)?;
        let mut times = words.skip(6).map(text::number);
        let times = [times.next()??, times.next()??, times.next()??];
        Some((std::str::from_utf8(cpu).ok()?, times))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn the_last_three_numbers_of_a_line_count() {
        check(&SPEC, "node_schedstat/testdata/kernel-docs", View::Node);
        assert_eq!(cpus(b"cpu0 1 2 3\ncpu1 0 0 0 0 0 0 7 8 9\n").collect::<Vec<_>>(), [("1", [7, 8, 9])]);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = cpus(&bytes).count();
        }
    }
}
