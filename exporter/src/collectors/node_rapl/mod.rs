//! Energy that parts of the processor and the memory have used, from `/sys/class/powercap`
//! (power/powercap/powercap.rst). Since Linux 5.10 only root may read it, since it tells what others compute.
//!
//! A zone's name may end in its number: `package-0`. Zones of the same name without one are numbered in order.

use std::collections::BTreeMap;

use kernfs::ReadError;
use metric::{Count, Desc, Discovered, Family, Kind, Label};

use super::node::{NAMER, attribute_number, attribute_text, counter, folder, metric_name};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const INDEX: Label = Label::open("index", "zones of one name");
const PATH: Label = Label::open("path", "zones of the machine");

static JOULES: Family<Count, 3> = counter(
    "node_rapl_joules_total",
    "Energy that the zone has used, in joules.",
    &[INDEX, PATH, Label::open("rapl_zone", "parts of a processor that the kernel tells apart")],
);
/// A family for each zone's name, such as `node_rapl_package_joules_total`.
static BY_NAME: Discovered<Count, 2> = Discovered::new(NAMER, Kind::Counter, &[INDEX, PATH], 50);
static ALL: &[&Desc] = &[JOULES.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_rapl",
    about: "Energy that processors and memory have used.",
    default_on: true,
    needs: &[Need::File("sys/class/powercap"), Need::Capability("CAP_DAC_READ_SEARCH")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "class/powercap";

#[derive(Debug)]
struct NodeRapl {
    zone_label: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeRapl { zone_label: context.config.collector.rapl.enable_zone_label }))
}

impl Collector for NodeRapl {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(zones) = folder(reader, &host.sys, FOLDER)? else {
            scrape.nothing_there();
            return Ok(());
        };
        let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
        let mut refused = false;
        for zone in &zones {
            let name = attribute_text(reader, &host.sys, &format!("{FOLDER}/{zone}/name"));
            if name.is_empty() {
                continue;
            }
            let next = |name: &str| numbers.get(name).copied().unwrap_or(0);
            let (name, index) = match numbered(&name) {
                Some((name, index)) => (name.to_owned(), index),
                None => (name.clone(), next(&name)),
            };
            numbers.insert(name.clone(), index.saturating_add(1));
            let file = format!("{FOLDER}/{zone}/energy_uj");
            let Some(microjoules) = attribute_number(reader, &host.sys, &file) else {
                refused = true;
                continue;
            };
            let joules = Count::from(microjoules).0 / 1e6;
            let (index, path) = (index.to_string(), host.sys.join(&format!("{FOLDER}/{zone}")));
            let path = path.to_string_lossy();
            if self.zone_label {
                out.put(&JOULES, [&index, &path, &name], joules);
            } else if let Some(family) = BY_NAME.family(
                &format!("node_rapl_{}_joules_total", metric_name(&name)),
                &format!("Energy that {name} has used, in joules."),
            ) {
                out.put(family, [&index, &path], joules);
            }
        }
        if refused {
            scrape.nothing_there();
        }
        Ok(())
    }
}

/// Name and number of a zone whose name ends in its number.
fn numbered(name: &str) -> Option<(&str, u64)> {
    let (name, number) = name.split_once('-')?;
    Some((name, kernfs::text::number(number.as_bytes())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        collectors::golden::{check, check_with},
        config::Config,
    };

    #[test]
    fn zones_are_numbered_by_their_names() {
        check(&SPEC, "node_rapl/testdata/two-sockets", View::Node);
    }

    #[test]
    fn the_zone_may_be_a_label() {
        let mut config = Config::default();
        config.collector.rapl.enable_zone_label = true;
        check_with(&SPEC, "node_rapl/testdata/zone-label", View::Node, config);
    }

    #[test]
    fn only_one_number_after_one_dash_counts() {
        assert_eq!(numbered("package-1"), Some(("package", 1)));
        assert_eq!(numbered("package-1-die-0"), None);
        assert_eq!(numbered("psys"), None);
    }
}
