//! Time lost to waiting for CPU, memory, I/O and interrupts, from `/proc/pressure` (accounting/psi.rst):
//! ```text
//! some avg10=0.00 avg60=0.00 avg300=0.00 total=14036781
//! full avg10=0.00 avg60=0.00 avg300=0.00 total=0
//! ```
//! Times are in microseconds. Kernels before 4.20, and those booted without `psi=1` where that is needed, have none;
//! interrupts have only the line `full`, since Linux 6.1.

use kernfs::{ReadError, text};
use metric::{Desc, Family, Micros, Seconds};

use super::node::{counter, or_problem};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static CPU: Family<Seconds, 0> =
    counter("node_pressure_cpu_waiting_seconds_total", "Time in which some task waited for a CPU.", &[]);
static IO: Family<Seconds, 0> =
    counter("node_pressure_io_waiting_seconds_total", "Time in which some task waited for I/O.", &[]);
static IO_FULL: Family<Seconds, 0> =
    counter("node_pressure_io_stalled_seconds_total", "Time in which all tasks that had work waited for I/O.", &[]);
static MEMORY: Family<Seconds, 0> =
    counter("node_pressure_memory_waiting_seconds_total", "Time in which some task waited for memory.", &[]);
static MEMORY_FULL: Family<Seconds, 0> = counter(
    "node_pressure_memory_stalled_seconds_total",
    "Time in which all tasks that had work waited for memory.",
    &[],
);
static IRQ_FULL: Family<Seconds, 0> = counter(
    "node_pressure_irq_stalled_seconds_total",
    "Time in which interrupts kept all tasks that had work from running.",
    &[],
);
static ALL: &[&Desc] = &[CPU.desc(), IO.desc(), IO_FULL.desc(), MEMORY.desc(), MEMORY_FULL.desc(), IRQ_FULL.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_pressure",
    about: "Time lost to waiting for CPU, memory, I/O and interrupts.",
    default_on: true,
    needs: &[Need::File("proc/pressure"), Need::Kernel(4, 20)],
    shows: &[(View::Node, ALL)],
    build,
};

/// File, and the families of its lines `some` and `full`. Of the machine, "full" makes no sense for CPUs.
type Resource = (&'static str, Option<&'static Family<Seconds, 0>>, Option<&'static Family<Seconds, 0>>);

static RESOURCES: [Resource; 4] = [
    ("pressure/cpu", Some(&CPU), None),
    ("pressure/io", Some(&IO), Some(&IO_FULL)),
    ("pressure/memory", Some(&MEMORY), Some(&MEMORY_FULL)),
    ("pressure/irq", None, Some(&IRQ_FULL)),
];

#[derive(Debug)]
struct NodePressure;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodePressure))
}

impl Collector for NodePressure {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, problems, .. } = scrape;
        let mut is_there = false;
        for (file, some, full) in &RESOURCES {
            let Some(file) = or_problem(reader.read(&host.proc, file), problems) else { continue };
            is_there = true;
            for line in text::lines(file) {
                let family = if line.starts_with(b"some ") { some } else { full };
                if let (Some(family), Some(total)) = (family, total(line)) {
                    out.put(family, [], total);
                }
            }
        }
        if !is_there {
            scrape.nothing_there();
        }
        Ok(())
    }
}

/// The total of a line.
fn total(line: &[u8]) -> Option<Micros> {
    let mut words = text::words(line);
    matches!(words.next()?, b"some" | b"full").then_some(())?;
    words.find_map(|word| word.strip_prefix(b"total=")).and_then(text::number).map(Micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn interrupts_have_no_some_and_cpus_no_full() {
        check(&SPEC, "node_pressure/testdata/vm-6-18", View::Node);
        check(&SPEC, "node_pressure/testdata/kernel-docs", View::Node);
    }

    #[test]
    fn a_line_needs_no_averages() {
        assert_eq!(total(b"some avg10=0.00 new=1 total=7 more=2"), Some(Micros(7)));
        assert_eq!(total(b"full total=0"), Some(Micros(0)));
        assert_eq!(total(b"half total=1").or(total(b"some")).or(total(b"some total=x")), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(line in "(some|full|x)?( ?[a-z0-9]{0,6}=?[0-9.]{0,22}){0,5}") {
            let _ = total(line.as_bytes());
        }
    }
}
