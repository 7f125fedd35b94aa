//! Memory of each NUMA node, from `/sys/devices/system/node/node*/meminfo` and `numastat` (admin-guide/numastat.rst):
//! ```text
//! Node 0 MemTotal:       134182340 kB
//! Node 0 Active(anon):      707224 kB
//! ```

use kernfs::{ReadError, text};
use metric::{Count, Discovered, Kind, Label};

use super::node::{NAMER, float, numbered, or_problem};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const NODE: &[Label; 1] = &[Label::open("node", "NUMA nodes of the machine")];

/// Current kernels have about 40 fields.
static GAUGES: Discovered<Count, 1> = Discovered::new(NAMER, Kind::Gauge, NODE, 300);
static COUNTERS: Discovered<Count, 1> = Discovered::new(NAMER, Kind::Counter, NODE, 100);

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_meminfo_numa",
    about: "Memory of each NUMA node.",
    default_on: false,
    needs: &[Need::File("sys/devices/system/node")],
    shows: &[(View::Node, &[])],
    build,
};

#[derive(Debug)]
struct NodeMeminfoNuma;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeMeminfoNuma))
}

const FOLDER: &str = "devices/system/node";

impl Collector for NodeMeminfoNuma {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, problems, .. } = scrape;
        for folder in numbered(reader, &host.sys, FOLDER, "node")? {
            if let Some(file) = or_problem(reader.read(&host.sys, &format!("{FOLDER}/{folder}/meminfo")), problems) {
                for (node, field, value) in text::lines(file).filter_map(line) {
                    let name = format!("node_memory_numa_{field}");
                    if let Some(family) = GAUGES.family(&name, &format!("The field {field} of a NUMA node's meminfo."))
                    {
                        out.put(family, [&node], value);
                    }
                }
            }
            if let Some(file) = or_problem(reader.read(&host.sys, &format!("{FOLDER}/{folder}/numastat")), problems) {
                let node = folder.trim_start_matches("node");
                for (field, value) in text::pairs(file) {
                    let field = text::text(field);
                    let name = format!("node_memory_numa_{field}_total");
                    if let Some(family) =
                        COUNTERS.family(&name, &format!("The field {field} of a NUMA node's numastat."))
                    {
                        out.put(family, [node], value);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Node, name of the field with `_` for brackets, value.
fn line(line: &[u8]) -> Option<(String, String, f64)> {
    let mut words = text::words(line).skip(1);
    let (node, field) = (text::text(words.next()?), text::text(words.next()?));
    let value = float(words.next()?)?;
    let times = if words.next() == Some(b"kB") { 1024.0 } else { 1.0 };
    let field = field.trim_end_matches(':').replace('(', "_").replace(')', "");
    Some((node.into_owned(), field, value * times))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn fields_of_two_nodes() {
        check(&SPEC, "node_meminfo_numa/testdata/two-nodes", View::Node);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = line(&bytes);
        }
    }
}
