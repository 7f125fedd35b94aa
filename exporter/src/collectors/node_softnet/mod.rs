//! Processing of received packets by each CPU, from `/proc/net/softnet_stat`.

mod metrics;
mod parse;

use kernfs::ReadError;

use self::metrics::{ALL, BACKLOG, COLLISIONS, DROPPED, FLOW_LIMIT, PROCESSED, RPS, SQUEEZED};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_softnet",
    about: "What each CPU does with packets that arrive.",
    default_on: true,
    needs: &[Need::File("proc/net/softnet_stat")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeSoftnet;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeSoftnet))
}

impl Collector for NodeSoftnet {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        // The same in every network namespace.
        let Some(file) = reader.read(&host.proc, "net/softnet_stat")? else {
            scrape.nothing_there();
            return Ok(());
        };
        for softnet in parse::softnet(file) {
            let cpu = softnet.cpu.to_string();
            for (family, value) in [
                (&PROCESSED, softnet.processed),
                (&DROPPED, softnet.dropped),
                (&SQUEEZED, softnet.squeezed),
                (&COLLISIONS, softnet.collisions),
                (&RPS, softnet.rps),
                (&FLOW_LIMIT, softnet.flow_limit),
                (&BACKLOG, softnet.backlog),
            ] {
                out.put(family, [&cpu], value);
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
    fn each_cpu_has_all_counters() {
        check(&SPEC, "node_softnet/testdata/vm-6-18", View::Node);
    }
}
