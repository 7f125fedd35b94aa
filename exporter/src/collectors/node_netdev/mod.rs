//! Traffic of network devices, from `/proc/net/dev` of the machine's network namespace.
//!
//! Some columns there are sums, as `net/core/net-procfs.c` makes them: dropped packets include missed ones, frame
//! errors those of length and checksum. `node_exporter` makes the same sums of what netlink tells. The one counter that
//! the file lacks, and the single counters that `enable_detailed_metrics` asks for, are in
//! `/sys/class/net/<device>/statistics`.

mod metrics;

use kernfs::{Host, ReadError, Reader};
use metric::Batch;
use procfs_core::{
    FromBufRead,
    net::{DeviceStatus, InterfaceDeviceStatus},
};

use self::metrics::{ALL, COLUMNS, DETAILS, NOHANDLER, SINGLE};
use super::node::{Filter, attribute_number, malformed, net_folder};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

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
struct NodeNetdev {
    filter: Filter,
    detailed: bool,
    file: String,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let options = &context.config.collector.netdev;
    Ok(Box::new(NodeNetdev {
        filter: Filter::new(&options.device_include, &options.device_exclude, ""),
        detailed: options.enable_detailed_metrics,
        file: format!("{}/dev", net_folder(&context.host)),
    }))
}

impl Collector for NodeNetdev {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, &self.file)? else { return Ok(()) };
        let devices = InterfaceDeviceStatus::from_buf_read(file)
            .map_err(|error| malformed(&host.proc, &self.file, error.to_string()))?;
        let mut devices: Vec<DeviceStatus> = devices.0.into_values().collect();
        devices.retain(|device| self.filter.passes(&device.name));
        devices.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        for device in &devices {
            emit(device, self.detailed, host, reader, out);
        }
        Ok(())
    }
}

fn emit(device: &DeviceStatus, detailed: bool, host: &Host, reader: &mut Reader, out: &mut Batch) {
    for column in &COLUMNS {
        if !detailed || SINGLE.contains(&column.family.desc().name) {
            out.put(&column.family, [&device.name], (column.of)(device));
        }
    }
    let details = if detailed { DETAILS.iter() } else { [].iter() };
    for field in details.chain([&NOHANDLER]) {
        let file = format!("class/net/{}/statistics/{}", device.name, field.of);
        if let Some(count) = attribute_number(reader, &host.sys, &file) {
            out.put(&field.family, [&device.name], count);
        }
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

    proptest! {
        #[test]
        fn nothing_panics(file in "h\\nh\\n([a-z0-9:]{0,8}( [0-9]{0,21}){0,18}\\n){0,4}") {
            let _ = InterfaceDeviceStatus::from_buf_read(file.as_bytes());
        }
    }
}
