//! Counters of virtual memory, from `/proc/vmstat`.
//!
//! A pattern chooses the fields; all have type unknown, since the file mixes counters and gauges.

mod metrics;

use std::borrow::Cow;

use kernfs::{ReadError, text};

use self::metrics::{ALL, DECLARED, OTHERS};
use super::node::{Fields, wide};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_vmstat",
    about: "Counters of virtual memory: page faults, paging, swapping, kills for want of memory.",
    default_on: true,
    needs: &[Need::File("proc/vmstat")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeVmstat {
    fields: Fields,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let pattern = &context.config.collector.vmstat.fields;
    Ok(Box::new(NodeVmstat { fields: Fields::new(pattern, "node_vmstat_", "/proc/vmstat", &DECLARED, &OTHERS) }))
}

impl Collector for NodeVmstat {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "vmstat")? else {
            scrape.nothing_there();
            return Ok(());
        };
        let chosen = fields(file).filter_map(|(name, value)| Some((self.fields.family(&name)?, value)));
        let mut chosen: Vec<_> = chosen.collect();
        // Kernels add fields in the middle of the file.
        chosen.sort_by_key(|(family, _)| family.desc().name);
        for (family, value) in chosen {
            out.put(family, [], value);
        }
        Ok(())
    }
}

/// Names and values. A line whose second word is no number is left out.
fn fields(file: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, f64)> {
    text::lines(file).filter_map(|line| {
        let mut words = text::words(line);
        Some((text::text(words.next()?), wide(words.next()?)?))
    })
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
    fn the_pattern_chooses_fields() {
        check(&SPEC, "node_vmstat/testdata/vm-6-18", View::Node);
        let mut config = Config::default();
        config.collector.vmstat.fields = "^(nr_dirty|thp_fault_alloc)$".parse().unwrap();
        check_with(&SPEC, "node_vmstat/testdata/pattern", View::Node, config);
    }

    #[test]
    fn an_odd_line_costs_itself() {
        let file = b"pgfault 7\nfuture 99999999999999999999\nalone\nodd x\npgpgin -1\noom_kill 3 more\n";
        let found: Vec<_> = fields(file).collect();
        let expected = [("pgfault", 7.0), ("future", 1e20), ("pgpgin", -1.0), ("oom_kill", 3.0)];
        assert_eq!(found, expected.map(|(name, value)| (Cow::Borrowed(name), value)));
    }

    proptest! {
        #[test]
        fn nothing_panics(file in "([a-z_]{0,8}( -?[0-9]{0,21}){0,2}\\n){0,4}") {
            let _ = fields(file.as_bytes()).count();
        }
    }
}
