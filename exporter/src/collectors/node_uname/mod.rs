//! Name and version of the kernel, from `uname(2)`. Name and domain are those of the agent's UTS namespace.

use kernfs::ReadError;
use metric::{Batch, Count, Desc, Family, Label};

use super::node::gauge;
use crate::spec::{Collector, Context, Scrape, Spec, Unavailable, View};

const ONE: &str = "one a machine";

static INFO: Family<Count, 6> = gauge(
    "node_uname_info",
    "What the kernel says of itself.",
    &[
        Label::open("sysname", ONE),
        Label::open("release", ONE),
        Label::open("version", ONE),
        Label::open("machine", ONE),
        Label::open("nodename", ONE),
        Label::open("domainname", ONE),
    ],
);
static ALL: &[&Desc] = &[INFO.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_uname",
    about: "What the kernel says of itself.",
    default_on: true,
    needs: &[],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeUname;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeUname))
}

impl Collector for NodeUname {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        emit(scrape.out);
        Ok(())
    }
}

fn emit(out: &mut Batch) {
    let uname = rustix::system::uname();
    let words =
        [uname.sysname(), uname.release(), uname.version(), uname.machine(), uname.nodename(), uname.domainname()]
            .map(|word| word.to_string_lossy());
    out.put(&INFO, words.each_ref().map(|word| &**word), true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_the_one_that_procfs_tells() {
        let mut out = Batch::default();
        emit(&mut out);
        let sample = out.samples(INFO.desc()).next().unwrap();
        let release = sample.labels().all().find(|(name, _)| *name == "release").unwrap().1;
        assert_eq!(release, std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim());
    }
}
