//! Routes, asked over route netlink in the agent's network namespace: where packets to whom go, by which device.

use std::{collections::BTreeMap, net::IpAddr};

use kernfs::ReadError;
use metric::{Count, Desc, Family, Label};

use super::{
    netlink::{self, Route},
    node::gauge,
};
use crate::spec::{Collector, Context, Scrape, Spec, Unavailable, View};

const DEVICE: Label = Label::open("device", "network devices of the machine");

static INFO: Family<Count, 7> = gauge(
    "node_network_route_info",
    "A route.",
    &[
        DEVICE,
        Label::open("src", "addresses of the machine"),
        Label::open("dest", "routes of the machine"),
        Label::open("gw", "routers that the machine knows"),
        Label::open("priority", "priorities of routes"),
        Label::open("proto", "a few words"),
        Label::open("weight", "256 numbers"),
    ],
);
static ROUTES: Family<Count, 1> = gauge("node_network_routes", "Routes that lead over the device.", &[DEVICE]);
static ALL: &[&Desc] = &[INFO.desc(), ROUTES.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_network_route",
    about: "Routes of the machine.",
    default_on: false,
    needs: &[],
    shows: &[(View::Node, ALL)],
    build,
};

/// Who made a route (`rtm_protocol` in `include/uapi/linux/rtnetlink.h`).
const PROTOCOLS: [(u8, &str); 21] = [
    (0, "unspec"),
    (1, "redirect"),
    (2, "kernel"),
    (3, "boot"),
    (4, "static"),
    (8, "gated"),
    (9, "ra"),
    (10, "mrt"),
    (11, "zebra"),
    (12, "bird"),
    (13, "dnrouted"),
    (14, "xorp"),
    (15, "ntk"),
    (16, "dhcp"),
    (17, "mrouted"),
    (42, "babel"),
    (186, "bgp"),
    (187, "isis"),
    (188, "ospf"),
    (189, "rip"),
    (192, "eigrp"),
];

#[derive(Debug)]
struct NodeNetworkRoute;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeNetworkRoute))
}

impl Collector for NodeNetworkRoute {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let links = netlink::links()?;
        // Tables may have a route in common: it is shown once and counted as often as it is there.
        let (mut shown, mut of_device) = (BTreeMap::new(), BTreeMap::new());
        for route in netlink::routes()? {
            let device = links.get(&route.device).map_or("", |link| link.name.as_str());
            *of_device.entry(device).or_insert(0_u64) += 1;
            shown.insert((device, labels(&route)), ());
        }
        for ((device, [source, to, gateway, priority, protocol, weight]), ()) in &shown {
            scrape.out.put(&INFO, [device, source, to, gateway, priority, protocol, weight], true);
        }
        for (device, routes) in of_device {
            scrape.out.put(&ROUTES, [device], routes);
        }
        Ok(())
    }
}

/// All labels but the device.
fn labels(route: &Route) -> [String; 6] {
    let text = |ip: Option<IpAddr>| ip.map_or_else(String::new, |ip| ip.to_canonical().to_string());
    let to = match route.to {
        (_, 0) => "default".to_owned(),
        (to, bits) => format!("{}/{bits}", text(to)),
    };
    let protocol = PROTOCOLS.iter().find(|(number, _)| *number == route.protocol).map_or("unknown", |(_, name)| *name);
    [
        text(route.source),
        to,
        text(route.gateway),
        route.priority.to_string(),
        protocol.to_owned(),
        route.weight.map_or_else(String::new, |weight| weight.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_to_everywhere_is_the_default() {
        let route = Route {
            device: 2,
            source: Some([10, 0, 0, 2].into()),
            to: (None, 0),
            gateway: Some([10, 0, 0, 1].into()),
            priority: 100,
            protocol: 16,
            weight: None,
        };
        assert_eq!(labels(&route), ["10.0.0.2", "default", "10.0.0.1", "100", "dhcp", ""]);
        let route = Route { to: (Some([10, 1, 0, 0].into()), 16), protocol: 99, weight: Some(3), ..route };
        assert_eq!(labels(&route), ["10.0.0.2", "10.1.0.0/16", "10.0.0.1", "100", "unknown", "3"]);
    }
}
