//! Free memory by the size of its blocks, from `/proc/buddyinfo` (`proc_buddyinfo(5)`):
//! ```text
//! Node 0, zone   Normal      4381   1093    185   1530    567    102      4      0      0      0      0
//! ```
//! Each number counts free blocks of twice the pages of the one before it.

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family, Label};

use super::node::{float, gauge};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static BLOCKS: Family<Count, 3> = gauge(
    "node_buddyinfo_blocks",
    "Free blocks of memory; a block of size n is 2^n pages.",
    &[
        Label::open("node", "NUMA nodes of the machine"),
        Label::open("zone", "a few words of the kernel"),
        Label::open("size", "eleven sizes of the kernel"),
    ],
);
static ALL: &[&Desc] = &[BLOCKS.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_buddyinfo",
    about: "Free memory by the size of its blocks.",
    default_on: false,
    needs: &[Need::File("proc/buddyinfo")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeBuddyinfo;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeBuddyinfo))
}

impl Collector for NodeBuddyinfo {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "buddyinfo")? else {
            scrape.nothing_there();
            return Ok(());
        };
        for line in text::lines(file) {
            let mut words = text::words(line);
            let mut name = || {
                let word = words.by_ref().nth(1)?;
                Some(text::text(word.strip_suffix(b",").unwrap_or(word)).into_owned())
            };
            let (Some(node), Some(zone)) = (name(), name()) else { continue };
            for (size, blocks) in words.map(float).enumerate() {
                if let Some(blocks) = blocks {
                    out.put(&BLOCKS, [&node, &zone, &size.to_string()], blocks);
                }
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
    fn blocks_are_told_apart_by_size() {
        check(&SPEC, "node_buddyinfo/testdata/two-nodes", View::Node);
    }
}
