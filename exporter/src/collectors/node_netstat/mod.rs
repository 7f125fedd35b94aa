//! Counters of network protocols, from `/proc/net/{netstat,snmp,snmp6}` of the machine's network namespace.
//!
//! A pattern chooses the fields; all have type unknown, since the files mix counters, gauges and settings.

mod metrics;
mod parse;

use kernfs::ReadError;
use metric::Batch;

use self::metrics::{ALL, DECLARED, OTHERS};
use super::node::{Fields, net_folder, or_problem};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_netstat",
    about: "Counters of network protocols.",
    default_on: true,
    needs: &[Need::File("proc/1/net/netstat"), Need::File("proc/1/net/snmp"), Need::File("proc/1/net/snmp6")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeNetstat {
    fields: Fields,
    folder: &'static str,
    name: String,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let pattern = &context.config.collector.netstat.fields;
    let fields = Fields::new(pattern, "node_netstat_", "/proc/net/netstat, snmp or snmp6", &DECLARED, &OTHERS);
    Ok(Box::new(NodeNetstat { fields, folder: net_folder(&context.host), name: String::new() }))
}

impl Collector for NodeNetstat {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, problems, .. } = scrape;
        let mut is_there = false;
        for file in ["netstat", "snmp"] {
            if let Some(file) = or_problem(reader.read(&host.proc, &format!("{}/{file}", self.folder)), problems) {
                is_there = true;
                parse::pairs_of_lines(file, |protocol, field, value| self.emit(protocol, field, value, out));
            }
        }
        // Without IPv6 the file is not there.
        if let Some(file) = or_problem(reader.read(&host.proc, &format!("{}/snmp6", self.folder)), problems) {
            parse::snmp6(file, |protocol, field, value| self.emit(protocol, field, value, out));
        }
        if !is_there {
            scrape.nothing_there();
        }
        Ok(())
    }
}

impl NodeNetstat {
    fn emit(&mut self, protocol: &str, field: &str, value: f64, out: &mut Batch) {
        self.name.clear();
        for part in [protocol, "_", field] {
            self.name.push_str(part);
        }
        if let Some(family) = self.fields.family(&self.name) {
            out.put(family, [], value);
        }
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
    fn the_pattern_chooses_fields() {
        check(&SPEC, "node_netstat/testdata/vm-6-18", View::Node);
        let mut config = Config::default();
        config.collector.netstat.fields = "^Tcp_(MaxConn|Rto.*)$".parse().unwrap();
        check_with(&SPEC, "node_netstat/testdata/pattern", View::Node, config);
    }
}
