//! Number of cgroups per controller, from `/proc/cgroups` (`cgroups(7)`):
//! ```text
//! #subsys_name  hierarchy  num_cgroups  enabled
//! cpuset        5          47           1
//! ```

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family, Label};

use super::node::gauge;
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const CONTROLLER: &[Label; 1] = &[Label::open("subsys_name", "controllers of the kernel")];

static CGROUPS: Family<Count, 1> = gauge("node_cgroups_cgroups", "Cgroups of the controller's hierarchy.", CONTROLLER);
static ENABLED: Family<Count, 1> = gauge("node_cgroups_enabled", "Whether the controller is there.", CONTROLLER);
static ALL: &[&Desc] = &[CGROUPS.desc(), ENABLED.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_cgroups",
    about: "How many cgroups each controller has.",
    default_on: false,
    needs: &[Need::File("proc/cgroups")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeCgroups;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeCgroups))
}

impl Collector for NodeCgroups {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "cgroups")? else {
            scrape.nothing_there();
            return Ok(());
        };
        for line in text::lines(file).filter(|line| !line.starts_with(b"#")) {
            let mut words = text::words(line);
            let Some(name) = words.next().map(text::text) else { continue };
            let mut numbers = words.skip(1).map(text::number);
            if let (Some(Some(cgroups)), Some(Some(enabled))) = (numbers.next(), numbers.next()) {
                out.put(&CGROUPS, [&name], cgroups);
                out.put(&ENABLED, [&name], enabled);
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
    fn controllers_on_and_off() {
        check(&SPEC, "node_cgroups/testdata/vm-6-18", View::Node);
    }
}
