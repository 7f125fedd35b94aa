//! Interrupts by CPU and by what they are for, from `/proc/interrupts` (filesystems/proc.rst):
//! ```text
//!            CPU0       CPU1
//!   4:         16          0  IR-IO-APIC   4-edge      ttyS0
//! LOC:      42014      51133   Local timer interrupts
//! ERR:          0
//! ```
//! A line is as long as the machine has CPUs, so this is off by default. The columns are named, since a CPU that is
//! offline has none; `node_exporter` numbers them through. Lines that are not by CPU (`ERR`, `MIS`) are left out.

mod parse;

use kernfs::ReadError;
use metric::{Count, Desc, Family, Label};

use self::parse::Table;
use super::node::{Filter, counter};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static INTERRUPTS: Family<Count, 4> = counter(
    "node_interrupts_total",
    "Interrupts that the CPU served.",
    &[
        Label::open("cpu", "CPUs of the machine"),
        Label::open("type", "kinds of interrupts of the machine"),
        Label::open("info", "kinds of interrupts of the machine"),
        Label::open("devices", "drivers of the machine"),
    ],
);
static ALL: &[&Desc] = &[INTERRUPTS.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_interrupts",
    about: "Interrupts by CPU and by what they are for.",
    default_on: false,
    needs: &[Need::File("proc/interrupts")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeInterrupts {
    filter: Filter,
    include_zeros: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let options = &context.config.collector.interrupts;
    let filter = Filter::new(&options.name_include, &options.name_exclude, "");
    Ok(Box::new(NodeInterrupts { filter, include_zeros: options.include_zeros }))
}

impl Collector for NodeInterrupts {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "interrupts")? else {
            scrape.nothing_there();
            return Ok(());
        };
        let table = Table::parse(file);
        for line in table.lines() {
            if !self.filter.passes(&format!("{};{};{}", line.name, line.info, line.devices)) {
                continue;
            }
            for (cpu, count) in table.cpus.iter().zip(line.counts) {
                if self.include_zeros || count > 0 {
                    out.put(&INTERRUPTS, [cpu, line.name, &line.info, &line.devices], count);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        collectors::golden::{check, check_with},
        config::Config,
    };

    #[test]
    fn every_interrupt_of_every_cpu() {
        check(&SPEC, "node_interrupts/testdata/vm-6-18", View::Node);
    }

    #[test]
    fn chosen_ones_that_happened_of_the_cpus_that_are_on() {
        let mut config = Config::default();
        config.collector.interrupts.name_include = "^(LOC|9;.*acpi$)".parse().unwrap();
        config.collector.interrupts.include_zeros = false;
        check_with(&SPEC, "node_interrupts/testdata/cpu-1-offline", View::Node, config);
    }
}
