//! Sockets by protocol, from `/proc/net/{sockstat,sockstat6}` of the machine's network namespace.
//!
//! Memory is counted in pages there; it is shown in bytes too.

mod metrics;
mod parse;

use kernfs::ReadError;
use metric::Batch;

use self::metrics::{ALL, DECLARED, OTHERS};
use super::node::{Fields, net_folder, or_problem};
use crate::{
    config::node::Pattern,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_sockstat",
    about: "Sockets by protocol.",
    default_on: true,
    needs: &[Need::File("proc/1/net/sockstat"), Need::File("proc/1/net/sockstat6")],
    shows: &[(View::Node, ALL)],
    build,
};

/// Keys that have a family; a later kernel's others are left out, as in `node_exporter`.
const KEYS: [&str; 6] = ["inuse", "orphan", "tw", "alloc", "mem", "memory"];

#[derive(Debug)]
struct NodeSockstat {
    fields: Fields,
    folder: &'static str,
    page_bytes: i64,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeSockstat {
        fields: Fields::new(&Pattern::default(), "node_sockstat_", "/proc/net/sockstat", &DECLARED, &OTHERS),
        folder: net_folder(&context.host),
        page_bytes: i64::try_from(rustix::param::page_size()).unwrap_or(4096),
    }))
}

impl Collector for NodeSockstat {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, problems, .. } = scrape;
        for file in ["sockstat", "sockstat6"] {
            let Some(file) = or_problem(reader.read(&host.proc, &format!("{}/{file}", self.folder)), problems) else {
                continue;
            };
            parse::sockstat(file, |protocol, key, value| self.emit(protocol, key, value, out));
        }
        Ok(())
    }
}

impl NodeSockstat {
    fn emit(&mut self, protocol: &str, key: &str, value: i64, out: &mut Batch) {
        if protocol != "sockets" && !KEYS.contains(&key) {
            return;
        }
        if let Some(family) = self.fields.family(&format!("{protocol}_{key}")) {
            out.put(family, [], value);
        }
        if key == "mem"
            && let Some(family) = self.fields.family(&format!("{protocol}_mem_bytes"))
        {
            out.put(family, [], value.saturating_mul(self.page_bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn sockets_of_both_families() {
        check(&SPEC, "node_sockstat/testdata/vm-6-18", View::Node);
    }
}
