//! Soft interrupts by CPU, from `/proc/softirqs`:
//! ```text
//!                     CPU0       CPU1
//!           HI:          3          0
//!        TIMER:     424191     108342
//! ```

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family, Label};

use super::node::counter;
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static CALLS: Family<Count, 2> = counter(
    "node_softirqs_functions_total",
    "Soft interrupts that the CPU served.",
    &[Label::open("cpu", "CPUs of the machine"), Label::open("type", "ten words of the kernel")],
);
static ALL: &[&Desc] = &[CALLS.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_softirqs",
    about: "Soft interrupts by CPU.",
    default_on: false,
    needs: &[Need::File("proc/softirqs")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeSoftirqs;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeSoftirqs))
}

impl Collector for NodeSoftirqs {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "softirqs")? else {
            scrape.nothing_there();
            return Ok(());
        };
        let mut lines = text::lines(file);
        let cpus = lines.next().unwrap_or_default();
        for line in lines {
            let mut words = text::words(line);
            let Some(kind) = words.next().and_then(|word| word.strip_suffix(b":")).map(text::text) else { continue };
            for (cpu, calls) in text::words(cpus).zip(words.map(text::number)) {
                let cpu = text::text(cpu.strip_prefix(b"CPU").unwrap_or(cpu));
                if let Some(calls) = calls {
                    out.put(&CALLS, [&cpu, &kind], calls);
                }
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
    fn calls_are_told_apart_by_cpu_and_kind() {
        check(&SPEC, "node_softirqs/testdata/two-cpus", View::Node);
    }
}
