//! Queues of network devices, asked over route netlink in the agent's network namespace: what each device's own queue
//! (`tc qdisc show … root`) has sent, thrown away and holds.

use std::collections::BTreeSet;

use kernfs::ReadError;
use metric::{Count, Desc, Family, Label};

use super::{
    netlink,
    node::{Filter, counter, gauge},
};
use crate::spec::{Collector, Context, Scrape, Spec, Unavailable, View};

const QUEUE: &[Label; 2] =
    &[Label::open("device", "network devices of the machine"), Label::open("kind", "a few words of the kernel")];

static BYTES: Family<Count, 2> = counter("node_qdisc_bytes_total", "Bytes that the queue has sent.", QUEUE);
static PACKETS: Family<Count, 2> = counter("node_qdisc_packets_total", "Packets that the queue has sent.", QUEUE);
static DROPS: Family<Count, 2> = counter("node_qdisc_drops_total", "Packets that the queue has thrown away.", QUEUE);
static REQUEUES: Family<Count, 2> =
    counter("node_qdisc_requeues_total", "Packets that the device did not take and that were put back.", QUEUE);
static OVERLIMITS: Family<Count, 2> =
    counter("node_qdisc_overlimits_total", "How often the queue held packets back for its limits.", QUEUE);
static LENGTH: Family<Count, 2> = gauge("node_qdisc_current_queue_length", "Packets in the queue.", QUEUE);
static BACKLOG: Family<Count, 2> = gauge("node_qdisc_backlog", "Bytes in the queue.", QUEUE);
static ALL: &[&Desc] =
    &[BYTES.desc(), PACKETS.desc(), DROPS.desc(), REQUEUES.desc(), OVERLIMITS.desc(), LENGTH.desc(), BACKLOG.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_qdisc",
    about: "Queues of network devices.",
    default_on: false,
    needs: &[],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeQdisc {
    filter: Filter,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let options = &context.config.collector.qdisc;
    Ok(Box::new(NodeQdisc { filter: Filter::new(&options.device_include, &options.device_exclude, "") }))
}

impl Collector for NodeQdisc {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let links = netlink::links()?;
        let mut shown = BTreeSet::new();
        for queue in netlink::queues()?.into_iter().filter(|queue| queue.is_root) {
            let device = links.get(&queue.device).map_or("", |link| link.name.as_str());
            if !self.filter.passes(device) || !shown.insert((queue.device, queue.kind.clone())) {
                continue;
            }
            let labels = [device, &queue.kind];
            let [length, backlog, drops, requeues, overlimits] = queue.now;
            scrape.out.put(&BYTES, labels, queue.bytes);
            scrape.out.put(&PACKETS, labels, queue.packets);
            scrape.out.put(&DROPS, labels, drops);
            scrape.out.put(&REQUEUES, labels, requeues);
            scrape.out.put(&OVERLIMITS, labels, overlimits);
            scrape.out.put(&LENGTH, labels, length);
            scrape.out.put(&BACKLOG, labels, backlog);
        }
        Ok(())
    }
}
