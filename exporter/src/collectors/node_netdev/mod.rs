//! Traffic of network devices, from `/proc/net/dev` of the machine's network namespace.
//!
//! Some columns there are sums, as `net/core/net-procfs.c` makes them: dropped packets include missed ones, frame
//! errors those of length and checksum. `node_exporter` makes the same sums of what netlink tells. The one counter that
//! the file lacks, and the single counters that `enable_detailed_metrics` asks for, are in
//! `/sys/class/net/<device>/statistics`.

mod metrics;

use std::net::IpAddr;

use kernfs::{Host, ReadError, Reader, text};
use metric::{Batch, Count, Family};

use self::metrics::{ADDRESS, ALL, COLUMNS, DETAILS, NOHANDLER, SINGLE, aliased};
use super::{
    netlink::{self, Address},
    node::{Filter, attribute_number, attribute_text, net_folder},
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
        let mut devices: Vec<Device> = devices(file).filter(|device| self.filter.passes(&device.name)).collect();
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

/// A line of `/proc/net/dev`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Device {
    name: String,
    /// `None` where the kernel tells nothing, or what is no number of 64 bits.
    columns: [Option<u64>; COLUMNS.len()],
}

/// The devices in the file. A name may hold all but white space of ASCII, a slash and, by itself, a colon; numbers hold
/// none, so the last colon ends the name.
fn devices(file: &[u8]) -> impl Iterator<Item = Device> {
    text::lines(file).filter_map(|line| {
        let colon = line.iter().rposition(|byte| *byte == b':')?;
        let (name, numbers) = line.split_at(colon);
        let mut columns = [None; COLUMNS.len()];
        for (column, word) in columns.iter_mut().zip(text::words(numbers.get(1..)?)) {
            *column = text::number(word);
        }
        Some(Device { name: text::text(name.trim_ascii()).into_owned(), columns })
    })
}

impl NodeNetdev {
    fn emit(&self, device: &Device, host: &Host, reader: &mut Reader, out: &mut Batch) {
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
        for (column, value) in COLUMNS.iter().zip(device.columns) {
            if let Some(value) = value.filter(|_| !self.detailed || SINGLE.contains(&column.family.desc().name)) {
                put(&column.family, value);
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

    #[test]
    fn an_odd_name_or_number_costs_nobody_else() {
        let numbers = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
        let mut file =
            format!("Inter-| x\n face |bytes packets\n e\u{3000}a: {numbers}\n  lo:{numbers} 17\n").into_bytes();
        file.extend_from_slice(b" e\xff: 1 99999999999999999999 3\nbroken\n");
        let found: Vec<_> = devices(&file).collect();
        let names: Vec<_> = found.iter().map(|device| device.name.as_str()).collect();
        assert_eq!(names, ["e\u{3000}a", "lo", "e\u{fffd}ff"]);
        assert_eq!(found[0].columns, found[1].columns);
        assert_eq!(found[1].columns[15], Some(16));
        assert_eq!(found[2].columns[..4], [Some(1), None, Some(3), None]);
    }

    proptest! {
        #[test]
        fn nothing_panics(file in "h\\nh\\n([a-z0-9:]{0,8}( [0-9]{0,21}){0,18}\\n){0,4}") {
            let _ = devices(file.as_bytes()).count();
        }
    }
}
