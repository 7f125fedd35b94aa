//! Caches of the network by CPU, from `stat` of the machine's network namespace (`/proc/net/stat/arp_cache`,
//! `nf_conntrack`, `rt_cache`, …), as `lnstat(8)` shows them:
//! ```text
//! entries  allocs   destroys hash_grows lookups  hits
//! 00000014 00000001 00000002 00000003   00000004 00000005
//! 00000014 0000000d 0000000e 0000000f   00000010 00000011
//! ```
//! The first line has the names; then there is a line for each CPU, in hexadecimal.

use kernfs::{ReadError, text};
use metric::{Count, Discovered, Kind, Label};

use super::node::{NAMER, entries, hex, net_folder, or_problem};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// Current kernels have about 40 names.
static COUNTERS: Discovered<Count, 2> = Discovered::new(
    NAMER,
    Kind::Counter,
    &[Label::open("subsystem", "files of the kernel"), Label::open("cpu", "CPUs of the machine")],
    300,
);

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_lnstat",
    about: "Caches of the network, by CPU.",
    default_on: false,
    needs: &[Need::File("proc/1/net/stat")],
    shows: &[(View::Node, &[])],
    build,
};

#[derive(Debug)]
struct NodeLnstat {
    folder: String,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeLnstat { folder: format!("{}/stat", net_folder(&context.host)) }))
}

impl Collector for NodeLnstat {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, problems, .. } = scrape;
        for subsystem in entries(reader, &host.proc, &self.folder)? {
            let Some(file) = or_problem(reader.read(&host.proc, &format!("{}/{subsystem}", self.folder)), problems)
            else {
                continue;
            };
            let mut lines = text::lines(file);
            let Some(names) = lines.next() else { continue };
            for (cpu, line) in lines.enumerate() {
                for (name, value) in text::words(names).zip(text::words(line).map(hex)) {
                    let name = format!("node_lnstat_{}_total", text::text(name));
                    let family = COUNTERS.family(&name, "A statistic of a cache of the network.");
                    if let (Some(family), Some(value)) = (family, value) {
                        out.put(family, [&subsystem, &cpu.to_string()], value);
                    }
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
    fn each_cpu_has_a_line() {
        check(&SPEC, "node_lnstat/testdata/two-cpus", View::Node);
    }
}
