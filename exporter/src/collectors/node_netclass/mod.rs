//! Properties of network devices, from `/sys/class/net` (ABI/testing/sysfs-class-net).
//!
//! A device that is down refuses to tell its carrier or speed; such attributes have no series.

mod metrics;

use kernfs::{Host, ReadError, Reader};
use metric::Batch;

use self::metrics::{ALL, ALTNAMES, ATTRIBUTES, INFO, SPEED, UP};
use super::{
    netlink,
    node::{attribute, attribute_text, folder, integer},
};
use crate::{
    config::node,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_netclass",
    about: "Properties of network devices.",
    default_on: true,
    needs: &[Need::File("sys/class/net")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "class/net";
const IFF_UP: i64 = 1;

#[derive(Debug)]
struct NodeNetclass {
    options: node::Netclass,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeNetclass { options: context.config.collector.netclass.clone() }))
}

impl Collector for NodeNetclass {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let ignored = &self.options.ignored_devices;
        let Some(devices) = folder(reader, &host.sys, FOLDER)? else {
            scrape.nothing_there();
            return Ok(());
        };
        for device in devices {
            // Beside the devices there is a file, `bonding_masters`.
            if (ignored.is_empty() || !ignored.matches(&device))
                && reader.exists(&host.sys, &format!("{FOLDER}/{device}/"))
            {
                self.emit(&device, host, reader, out);
            }
        }
        if self.options.netlink {
            for link in netlink::links()?.values() {
                if ignored.is_empty() || !ignored.matches(&link.name) {
                    link.others.iter().for_each(|other| out.put(&ALTNAMES, [other, &link.name], true));
                }
            }
        }
        Ok(())
    }
}

impl NodeNetclass {
    fn emit(&self, device: &str, host: &Host, reader: &mut Reader, out: &mut Batch) {
        let path = |file: &str| format!("{FOLDER}/{device}/{file}");
        let mut flags = None;
        for known in &ATTRIBUTES {
            if let Some(value) = attribute(reader, &host.sys, &path(known.file)).and_then(integer) {
                out.put(&known.family, [device], value);
                if known.file == "flags" {
                    flags = Some(value);
                }
            }
        }
        if let Some(megabits) = attribute(reader, &host.sys, &path("speed")).and_then(integer)
            && (megabits >= 0 || !self.options.ignore_invalid_speed)
        {
            out.put(&SPEED, [device], megabits.saturating_mul(1_000_000) / 8);
        }
        let names = ["address", "broadcast", "duplex", "operstate", "ifalias"];
        let [address, broadcast, duplex, state, alias] =
            names.map(|name| attribute_text(reader, &host.sys, &path(name)));
        let wanted = match flags {
            None => "unknown",
            Some(flags) if flags & IFF_UP != 0 => "up",
            Some(_) => "down",
        };
        out.put(&UP, [device], state == "up");
        out.put(&INFO, [device, &address, &broadcast, &duplex, &state, wanted, &alias], true);
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
    fn a_device_that_is_down_tells_less() {
        check(&SPEC, "node_netclass/testdata/vm-6-18", View::Node);
        let mut config = Config::default();
        config.collector.netclass.ignore_invalid_speed = true;
        check_with(&SPEC, "node_netclass/testdata/bond", View::Node, config);
    }
}
