//! Traffic of network devices, from `/proc/net/dev` of the machine's network namespace.
//!
//! Some columns there are sums, as `net/core/net-procfs.c` makes them: dropped packets include missed ones, frame
//! errors those of length and checksum. `node_exporter` makes the same sums of what netlink tells. The one counter that
//! the file lacks, and the single counters that `enable_detailed_metrics` asks for, are in
//! `/sys/class/net/<device>/statistics`.

mod metrics;

use std::net::IpAddr;

use kernfs::{Host, ReadError, Reader};
use metric::{Batch, Count, Family};
use procfs_core::{
    FromBufRead,
    net::{DeviceStatus, InterfaceDeviceStatus},
};

use self::metrics::{ADDRESS, ALL, COLUMNS, DETAILS, NOHANDLER, SINGLE, aliased};
use super::{
    netlink::{self, Address},
    node::{Filter, attribute_number, attribute_text, malformed, net_folder},
};
use crate::{
    config::node::Pattern,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_netdev",
    about: "Traffic of network devices.",
    default_on: true,
    needs: &[Need::File("proc/1/net/dev"), Need::File("sys/class/net")],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of node_exporter's")]
struct NodeNetdev {
    filter: Filter,
    detailed: bool,
    aliases: bool,
    addresses: bool,
    nohandler: bool,
    file: String,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let collector = &context.config.collector;
    let options = &collector.netdev;
    let filter = if collector.links_with_stats() {
        Filter::new(&Pattern::default(), &collector.netclass.ignored_devices, "")
    } else {
        Filter::new(&options.device_include, &options.device_exclude, "")
    };
    Ok(Box::new(NodeNetdev {
        filter,
        detailed: options.enable_detailed_metrics || collector.links_with_stats(),
        aliases: options.label_ifalias,
        addresses: options.address_info && collector.asks_for(SPEC.name, SPEC.default_on),
        nohandler: options.netlink || options.enable_detailed_metrics || collector.links_with_stats(),
        file: format!("{}/dev", net_folder(&context.host)),
    }))
}

impl Collector for NodeNetdev {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, &self.file)? else {
            scrape.nothing_there();
            return Ok(());
        };
        let devices = InterfaceDeviceStatus::from_buf_read(file)
            .map_err(|error| malformed(&host.proc, &self.file, error.to_string()))?;
        let mut devices: Vec<DeviceStatus> = devices.0.into_values().collect();
        devices.retain(|device| self.filter.passes(&device.name));
        devices.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        for device in &devices {
            self.emit(device, host, reader, out);
        }
        if self.addresses {
            for Address { device, ip, prefix } in netlink::addresses()? {
                if self.filter.passes(&device) {
                    out.put(&ADDRESS, [&*ip.to_string(), &device, &prefix.to_string(), scope(ip)], true);
                }
            }
        }
        Ok(())
    }
}

impl NodeNetdev {
    fn emit(&self, device: &DeviceStatus, host: &Host, reader: &mut Reader, out: &mut Batch) {
        let name = device.name.as_str();
        let alias = self.aliases.then(|| attribute_text(reader, &host.sys, &format!("class/net/{name}/ifalias")));
        let mut put = |family: &'static Family<Count, 1>, value: u64| match &alias {
            None => out.put(family, [name], value),
            Some(alias) => {
                if let Some(family) = aliased(family.desc()) {
                    out.put(family, [name, alias], value);
                }
            }
        };
        for column in &COLUMNS {
            if !self.detailed || SINGLE.contains(&column.family.desc().name) {
                put(&column.family, (column.of)(device));
            }
        }
        let details = if self.detailed { DETAILS.iter() } else { [].iter() };
        for field in details.chain(self.nohandler.then_some(&NOHANDLER)) {
            let file = format!("class/net/{name}/statistics/{}", field.of);
            if let Some(count) = attribute_number(reader, &host.sys, &file) {
                put(&field.family, count);
            }
        }
    }
}

/// How far an address reaches, in `node_exporter`'s words.
fn scope(ip: IpAddr) -> &'static str {
    let (link_local, interface_local, broadcast) = match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            (ip.is_link_local() || (a, b, c) == (224, 0, 0), false, ip.is_broadcast())
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            (ip.is_unicast_link_local() || first & 0xff0f == 0xff02, first & 0xff0f == 0xff01, false)
        }
    };
    if ip.is_loopback() || link_local {
        "link-local"
    } else if interface_local {
        "interface-local"
    } else if ip.is_unspecified() || ip.is_multicast() || broadcast {
        ""
    } else {
        "global"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        collectors::golden::{check, check_with},
        config::Config,
    };
    use proptest::prelude::*;

    #[test]
    fn sums_by_default_and_single_counters_when_asked_for() {
        check(&SPEC, "node_netdev/testdata/vm-6-18", View::Node);
        let mut config = Config::default();
        config.collector.netdev.enable_detailed_metrics = true;
        config.collector.netdev.device_exclude = "^lo$".parse().unwrap();
        check_with(&SPEC, "node_netdev/testdata/detailed", View::Node, config);
    }

    #[test]
    fn every_series_has_the_alias_when_asked_for() {
        let mut config = Config::default();
        config.collector.netdev.netlink = false;
        config.collector.netdev.label_ifalias = true;
        check_with(&SPEC, "node_netdev/testdata/aliased", View::Node, config);
    }

    #[test]
    fn the_stand_in_for_netclass_shows_single_counters_of_its_devices() {
        let mut config = Config::default();
        config.collector.disable = vec!["netdev".into()];
        config.collector.netclass_rtnl.with_stats = true;
        config.collector.netclass.netlink = true;
        config.collector.netclass.ignored_devices = "^lo$".parse().unwrap();
        check_with(&SPEC, "node_netdev/testdata/detailed", View::Node, config);
    }

    #[test]
    fn scopes_are_those_of_the_go_library() {
        for (ip, expected) in [
            ("127.0.0.1", "link-local"),
            ("169.254.1.1", "link-local"),
            ("224.0.0.1", "link-local"),
            ("10.0.0.1", "global"),
            ("239.0.0.1", ""),
            ("255.255.255.255", ""),
            ("::1", "link-local"),
            ("fe80::1", "link-local"),
            ("ff02::1", "link-local"),
            ("ff01::1", "interface-local"),
            ("fd00::1", "global"),
            ("::", ""),
        ] {
            assert_eq!(scope(ip.parse().unwrap()), expected, "{ip}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(file in "h\\nh\\n([a-z0-9:]{0,8}( [0-9]{0,21}){0,18}\\n){0,4}") {
            let _ = InterfaceDeviceStatus::from_buf_read(file.as_bytes());
        }
    }
}
