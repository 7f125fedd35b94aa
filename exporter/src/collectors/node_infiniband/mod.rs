//! InfiniBand and RoCE ports, from `/sys/class/infiniband` (ABI/stable/sysfs-class-infiniband):
//! ```text
//! mlx5_0/ports/1/state             4: ACTIVE
//! mlx5_0/ports/1/rate              100 Gb/sec (4X EDR)
//! mlx5_0/ports/1/counters/port_rcv_data  123456
//! ```
//! A counter that a port does not have, or that says `N/A (no PMA)`, has no series.

mod metrics;

use kernfs::{ReadError, text};

use self::metrics::{ALL, COUNTERS, INFO, LIFESPAN, PHYSICAL_STATE, RATE, STATE};
use super::node::{Filter, attribute, attribute_number, attribute_text, entries, float, folder};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_infiniband",
    about: "InfiniBand and RoCE ports.",
    default_on: true,
    needs: &[Need::File("sys/class/infiniband")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "class/infiniband";
const BYTES_PER_GIGABIT: f64 = 125_000_000.0;

#[derive(Debug)]
struct NodeInfiniband {
    filter: Filter,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let options = &context.config.collector.infiniband;
    Ok(Box::new(NodeInfiniband { filter: Filter::new(&options.device_include, &options.device_exclude, "") }))
}

impl Collector for NodeInfiniband {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(devices) = folder(reader, &host.sys, FOLDER)? else {
            scrape.nothing_there();
            return Ok(());
        };
        for device in devices.iter().filter(|device| self.filter.passes(device)) {
            let [board, firmware, kind] = ["board_id", "fw_ver", "hca_type"]
                .map(|file| attribute_text(reader, &host.sys, &format!("{FOLDER}/{device}/{file}")));
            out.put(&INFO, [device, &board, &firmware, &kind], true);
            for port in entries(reader, &host.sys, &format!("{FOLDER}/{device}/ports"))? {
                let path = |file: &str| format!("{FOLDER}/{device}/ports/{port}/{file}");
                for (file, family) in [("state", &STATE), ("phys_state", &PHYSICAL_STATE)] {
                    if let Some(state) = attribute(reader, &host.sys, &path(file)).and_then(state) {
                        out.put(family, [device, &port], state);
                    }
                }
                if let Some(rate) = attribute(reader, &host.sys, &path("rate")).and_then(rate) {
                    out.put(&RATE, [device, &port], rate);
                }
                for known in &COUNTERS {
                    if let Some(count) = attribute_number(reader, &host.sys, &path(known.file)) {
                        out.put(&known.family, [device, &port], count.wrapping_mul(known.times));
                    }
                }
                // In milliseconds; node_exporter leaves out what is less than a second.
                if let Some(millis) = attribute_number(reader, &host.sys, &path("hw_counters/lifespan")) {
                    out.put(&LIFESPAN, [device, &port], millis / 1000);
                }
            }
        }
        Ok(())
    }
}

/// The number in `4: ACTIVE`.
fn state(file: &[u8]) -> Option<u64> {
    text::number(file.split(|byte| *byte == b':').next()?.trim_ascii())
}

/// Bytes per second of `2.5 Gb/sec (1X SDR)`.
fn rate(file: &[u8]) -> Option<f64> {
    let gigabits = float(text::words(file).next()?)?;
    Some((gigabits * BYTES_PER_GIGABIT).floor())
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
    fn ports_of_old_and_new_kernels() {
        check(&SPEC, "node_infiniband/testdata/three-cards", View::Node);
    }

    #[test]
    fn a_device_may_be_left_out() {
        let mut config = Config::default();
        config.collector.infiniband.device_exclude = "^(mlx|hfi)".parse().unwrap();
        check_with(&SPEC, "node_infiniband/testdata/excluded", View::Node, config);
    }

    #[test]
    fn a_rate_may_have_a_fraction() {
        assert_eq!(rate(b"2.5 Gb/sec (1X SDR)"), Some(312_500_000.0));
        assert_eq!(state(b"4: ACTIVE"), Some(4));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = (state(&bytes), rate(&bytes));
        }
    }
}
