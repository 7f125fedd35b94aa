//! Entries of the ARP table by device, from `/proc/net/arp` of the machine's network namespace.
//!
//! Only the last column is needed:
//! ```text
//! IP address       HW type     Flags       HW address            Mask     Device
//! 192.168.1.1      0x1         0x2         00:0f:53:00:00:01     *        eth0
//! ```

use std::{borrow::Cow, collections::BTreeMap};

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family, Label};

use super::node::{Filter, gauge, net_folder};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static ENTRIES: Family<Count, 1> =
    gauge("node_arp_entries", "Entries of the ARP table.", &[Label::open("device", "network devices of the machine")]);
static ALL: &[&Desc] = &[ENTRIES.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_arp",
    about: "Entries of the ARP table by device.",
    default_on: true,
    needs: &[Need::File("proc/1/net/arp")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeArp {
    filter: Filter,
    file: String,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let options = &context.config.collector.arp;
    let filter = Filter::new(&options.device_include, &options.device_exclude, "");
    Ok(Box::new(NodeArp { filter, file: format!("{}/arp", net_folder(&context.host)) }))
}

impl Collector for NodeArp {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, &self.file)? else {
            scrape.nothing_there();
            return Ok(());
        };
        for (device, entries) in by_device(file) {
            if self.filter.passes(&device) {
                out.put(&ENTRIES, [&device], entries);
            }
        }
        Ok(())
    }
}

fn by_device(file: &[u8]) -> BTreeMap<Cow<'_, str>, u64> {
    let mut entries = BTreeMap::new();
    for line in text::lines(file).skip(1) {
        if let Some(device) = text::words(line).nth(5).map(text::text) {
            *entries.entry(device).or_insert(0) += 1;
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn entries_are_counted_by_device() {
        check(&SPEC, "node_arp/testdata/vm-6-18", View::Node);
    }

    #[test]
    fn a_device_that_is_not_utf8_is_counted_too() {
        let line = |device: &[u8]| [b"1.2.3.4 0x1 0x2 00:0f:53:00:00:01 * ", device, b"\n"].concat();
        let file = [line(b"Device"), line(b"e\xff"), line("e\u{3000}a".as_bytes()), line(b"e\xff")].concat();
        let found: Vec<_> = by_device(&file).into_iter().map(|(device, count)| (device.into_owned(), count)).collect();
        assert_eq!(found, [("e\u{3000}a".to_owned(), 1), ("e\u{fffd}ff".to_owned(), 2)]);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = by_device(&bytes);
        }
    }
}
