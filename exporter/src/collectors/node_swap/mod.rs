//! Swap devices, from `/proc/swaps` (`proc_swaps(5)`), in KiB:
//! ```text
//! Filename        Type        Size      Used     Priority
//! /dev/zram0      partition   8388604   76548    100
//! ```

use kernfs::{ReadError, text};
use metric::{Bytes, Count, Desc, Family, Label};

use super::node::gauge;
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const DEVICE: &[Label; 2] =
    &[Label::open("device", "swap devices of the machine"), Label::open("swap_type", "two words of the kernel")];

static SIZE: Family<Bytes, 2> = gauge("node_swap_size_bytes", "Size of the swap device.", DEVICE);
static USED: Family<Bytes, 2> = gauge("node_swap_used_bytes", "How much of the swap device is used.", DEVICE);
static PRIORITY: Family<Count, 2> =
    gauge("node_swap_priority", "Priority of the swap device; the highest is used first.", DEVICE);
static ALL: &[&Desc] = &[SIZE.desc(), USED.desc(), PRIORITY.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_swap",
    about: "Swap devices.",
    default_on: false,
    needs: &[Need::File("proc/swaps")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeSwap;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeSwap))
}

impl Collector for NodeSwap {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "swaps")? else {
            scrape.nothing_there();
            return Ok(());
        };
        for line in text::lines(file).skip(1) {
            let mut words = text::words(line);
            let (Some(device), Some(kind)) = (words.next().map(text::text), words.next().map(text::text)) else {
                continue;
            };
            let mut next = || words.next().and_then(text::signed);
            let (Some(size), Some(used), Some(priority)) = (next(), next(), next()) else { continue };
            let bytes = |kib: i64| Bytes(u64::try_from(kib).unwrap_or(0).saturating_mul(1024));
            out.put(&SIZE, [&device, &kind], bytes(size));
            out.put(&USED, [&device, &kind], bytes(used));
            out.put(&PRIORITY, [&device, &kind], priority);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn devices_and_files() {
        check(&SPEC, "node_swap/testdata/zram-and-file", View::Node);
    }
}
