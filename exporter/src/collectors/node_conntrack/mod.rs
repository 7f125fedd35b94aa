//! Tracked connections: how many, how many there may be, and what happened to lookups
//! (networking/nf_conntrack-sysctl.rst).
//!
//! The two numbers are of the network namespace that the agent is in, the only one whose settings procfs shows; give
//! the agent the machine's (`hostNetwork`) to see the machine's table. Where connections are not tracked there are no
//! series.

mod metrics;
mod parse;

use kernfs::ReadError;

use self::metrics::{ALL, DROP, EARLY_DROP, ENTRIES, FOUND, IGNORE, INSERT, INSERT_FAILED, INVALID, LIMIT, RESTART};
use super::node::{attribute_number, net_folder};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_conntrack",
    about: "Tracked connections.",
    default_on: true,
    needs: &[Need::File("proc/sys/net/netfilter/nf_conntrack_count"), Need::File("proc/1/net/stat/nf_conntrack")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeConntrack {
    file: String,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeConntrack { file: format!("{}/stat/nf_conntrack", net_folder(&context.host)) }))
}

impl Collector for NodeConntrack {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        if !reader.exists(&host.proc, "sys/net/netfilter/nf_conntrack_count") {
            scrape.nothing_there();
            return Ok(());
        }
        for (file, family) in [("nf_conntrack_count", &ENTRIES), ("nf_conntrack_max", &LIMIT)] {
            if let Some(count) = attribute_number(reader, &host.proc, &format!("sys/net/netfilter/{file}")) {
                out.put(family, [], count);
            }
        }
        let Some(file) = reader.read(&host.proc, &self.file)? else { return Ok(()) };
        let counters = parse::counters(file);
        for (family, count) in [
            (&FOUND, counters.found),
            (&INVALID, counters.invalid),
            (&IGNORE, counters.ignore),
            (&INSERT, counters.insert),
            (&INSERT_FAILED, counters.insert_failed),
            (&DROP, counters.drop),
            (&EARLY_DROP, counters.early_drop),
            (&RESTART, counters.search_restart),
        ] {
            out.put(family, [], count);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn counters_of_all_cpus_are_one() {
        check(&SPEC, "node_conntrack/testdata/vm-6-18", View::Node);
    }
}
