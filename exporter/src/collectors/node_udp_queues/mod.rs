//! Bytes that wait in UDP sockets, from `/proc/net/{udp,udp6}` of the machine's network namespace:
//! ```text
//!    sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
//!   395: 0100007F:0035 00000000:0000 07 00000000:00000A80 00:00000000 00000000   101        0 17893 2 0000 0
//! ```
//! `procfs-core` reads this file too, into an entry a socket; only two sums are needed.

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family, Label};

use super::node::{gauge, hex, net_folder, or_problem};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static QUEUES: Family<Count, 2> = gauge(
    "node_udp_queues",
    "Bytes that wait in UDP sockets.",
    &[Label::closed("queue", &["tx", "rx"]), Label::closed("ip", &["v4", "v6"])],
);
static ALL: &[&Desc] = &[QUEUES.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_udp_queues",
    about: "Bytes that wait in UDP sockets.",
    default_on: true,
    needs: &[Need::File("proc/1/net/udp"), Need::File("proc/1/net/udp6")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeUdpQueues {
    folder: &'static str,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeUdpQueues { folder: net_folder(&context.host) }))
}

impl Collector for NodeUdpQueues {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, problems, .. } = scrape;
        let mut is_there = false;
        for (file, ip) in [("udp", "v4"), ("udp6", "v6")] {
            let Some(file) = or_problem(reader.read(&host.proc, &format!("{}/{file}", self.folder)), problems) else {
                continue;
            };
            is_there = true;
            let (tx, rx) = queued(file);
            out.put(&QUEUES, ["tx", ip], tx);
            out.put(&QUEUES, ["rx", ip], rx);
        }
        if !is_there {
            scrape.nothing_there();
        }
        Ok(())
    }
}

/// Bytes to send and received, of all sockets.
fn queued(file: &[u8]) -> (u64, u64) {
    let (mut tx, mut rx) = (0_u64, 0_u64);
    for line in text::lines(file).skip(1) {
        let Some(queues) = text::words(line).nth(4) else { continue };
        let mut queues = queues.split(|byte| *byte == b':').map(hex);
        if let (Some(Some(to_send)), Some(Some(received))) = (queues.next(), queues.next()) {
            tx = tx.saturating_add(to_send);
            rx = rx.saturating_add(received);
        }
    }
    (tx, rx)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;
    use proptest::prelude::*;

    #[test]
    fn queues_of_all_sockets_are_added_up() {
        check(&SPEC, "node_udp_queues/testdata/kernel-docs", View::Node);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = queued(&bytes);
        }
    }
}
