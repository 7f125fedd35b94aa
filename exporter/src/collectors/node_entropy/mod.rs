//! The kernel's pool of randomness, from `/proc/sys/kernel/random` (admin-guide/sysctl/kernel.rst, "random"). Since
//! Linux 5.18 both numbers are always 256.

use kernfs::ReadError;
use metric::{Count, Desc, Family};

use super::node::{attribute_number, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static AVAILABLE: Family<Count, 0> = gauge("node_entropy_available_bits", "Bits of randomness in the pool.", &[]);
static SIZE: Family<Count, 0> = gauge("node_entropy_pool_size_bits", "Bits of randomness that the pool holds.", &[]);
static ALL: &[&Desc] = &[AVAILABLE.desc(), SIZE.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_entropy",
    about: "The kernel's pool of randomness.",
    default_on: true,
    needs: &[Need::File("proc/sys/kernel/random")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeEntropy;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeEntropy))
}

impl Collector for NodeEntropy {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        if !reader.exists(&host.proc, "sys/kernel/random") {
            scrape.nothing_there();
            return Ok(());
        }
        for (file, family) in [("entropy_avail", &AVAILABLE), ("poolsize", &SIZE)] {
            if let Some(bits) = attribute_number(reader, &host.proc, &format!("sys/kernel/random/{file}")) {
                out.put(family, [], bits);
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
    fn what_there_is_and_what_there_may_be() {
        check(&SPEC, "node_entropy/testdata/vm-6-18", View::Node);
    }
}
