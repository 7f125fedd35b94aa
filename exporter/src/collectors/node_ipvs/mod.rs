//! The kernel's load balancer: its traffic and its backends, from `ip_vs_stats` and `ip_vs` of the machine's network
//! namespace (networking/ipvs-sysctl.rst). Where nothing is balanced, the module is not loaded and the files are absent.

mod parse;

use std::collections::BTreeMap;

use kernfs::ReadError;
use metric::{Bytes, Count, Desc, Family, Label};

use self::parse::{Backend, Traffic};
use super::node::{counter, gauge, malformed, net_folder};
use crate::{
    config::node::BackendLabels,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

static CONNECTIONS: Family<Count, 0> =
    counter("node_ipvs_connections_total", "Connections that the load balancer took.", &[]);
static IN_PACKETS: Family<Count, 0> = counter("node_ipvs_incoming_packets_total", "Packets from clients.", &[]);
static OUT_PACKETS: Family<Count, 0> =
    counter("node_ipvs_outgoing_packets_total", "Packets to clients that went through the load balancer.", &[]);
static IN_BYTES: Family<Bytes, 0> = counter("node_ipvs_incoming_bytes_total", "Bytes from clients.", &[]);
static OUT_BYTES: Family<Bytes, 0> =
    counter("node_ipvs_outgoing_bytes_total", "Bytes to clients that went through the load balancer.", &[]);

/// Those that are not chosen stay empty, which is the same as not there.
const BACKEND: &[Label; 6] = &[
    Label::open("local_address", "virtual services of the machine"),
    Label::open("local_port", "virtual services of the machine"),
    Label::open("remote_address", "backends of the machine's virtual services"),
    Label::open("remote_port", "backends of the machine's virtual services"),
    Label::open("proto", "three words of the kernel"),
    Label::open("local_mark", "virtual services of the machine"),
];
static ACTIVE: Family<Count, 6> =
    gauge("node_ipvs_backend_connections_active", "Connections to the backend that are established.", BACKEND);
static INACTIVE: Family<Count, 6> =
    gauge("node_ipvs_backend_connections_inactive", "Connections to the backend in all other states.", BACKEND);
static WEIGHT: Family<Count, 6> =
    gauge("node_ipvs_backend_weight", "How large a share of the connections the backend gets.", BACKEND);
static ALL: &[&Desc] = &[
    CONNECTIONS.desc(),
    IN_PACKETS.desc(),
    OUT_PACKETS.desc(),
    IN_BYTES.desc(),
    OUT_BYTES.desc(),
    ACTIVE.desc(),
    INACTIVE.desc(),
    WEIGHT.desc(),
];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_ipvs",
    about: "The kernel's load balancer and its backends.",
    default_on: true,
    needs: &[Need::File("proc/1/net/ip_vs_stats"), Need::File("proc/1/net/ip_vs")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeIpvs {
    folder: &'static str,
    labels: BackendLabels,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let labels = context.config.collector.ipvs.backend_labels.clone();
    Ok(Box::new(NodeIpvs { folder: net_folder(&context.host), labels }))
}

impl Collector for NodeIpvs {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let file = format!("{}/ip_vs_stats", self.folder);
        let Some(stats) = reader.read(&host.proc, &file)? else {
            scrape.nothing_there();
            return Ok(());
        };
        let Traffic { connections, in_packets, out_packets, in_bytes, out_bytes } =
            parse::traffic(stats).ok_or_else(|| malformed(&host.proc, &file, "no line of five numbers"))?;
        out.put(&CONNECTIONS, [], connections);
        out.put(&IN_PACKETS, [], in_packets);
        out.put(&OUT_PACKETS, [], out_packets);
        out.put(&IN_BYTES, [], Bytes(in_bytes));
        out.put(&OUT_BYTES, [], Bytes(out_bytes));
        let Some(table) = reader.read(&host.proc, &format!("{}/ip_vs", self.folder))? else { return Ok(()) };
        // Backends that the chosen labels do not tell apart are added up.
        let mut sums: BTreeMap<[String; 6], [u64; 3]> = BTreeMap::new();
        for Backend { labels, active, inactive, weight } in parse::backends(table) {
            let sum = sums.entry(self.labels.of(labels)).or_default();
            for (sum, value) in sum.iter_mut().zip([active, inactive, weight]) {
                *sum = sum.saturating_add(value);
            }
        }
        for (labels, [active, inactive, weight]) in &sums {
            let labels = labels.each_ref().map(String::as_str);
            out.put(&ACTIVE, labels, *active);
            out.put(&INACTIVE, labels, *inactive);
            out.put(&WEIGHT, labels, *weight);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        collectors::golden::{check, check_with},
        config::Config,
    };

    #[test]
    fn backends_of_services_by_address_and_by_mark() {
        check(&SPEC, "node_ipvs/testdata/kernel-docs", View::Node);
    }

    #[test]
    fn backends_are_added_up_when_fewer_labels_are_chosen() {
        let mut config = Config::default();
        config.collector.ipvs.backend_labels = "proto,local_address".parse().unwrap();
        check_with(&SPEC, "node_ipvs/testdata/few-labels", View::Node, config);
    }
}
