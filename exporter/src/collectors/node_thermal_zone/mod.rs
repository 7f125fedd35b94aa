//! Temperature of thermal zones and state of cooling devices, from `/sys/class/thermal`
//! (driver-api/thermal/sysfs-api.rst).
//!
//! A zone whose sensor gives no answer has no series; `node_exporter` shows 0 degrees then.

use kernfs::{ReadError, text};
use metric::{Count, Desc, Family, Label};

use super::node::{attribute, attribute_text, gauge, numbered};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

const TYPE: Label = Label::open("type", "kinds of thermal drivers");
const NAME: Label = Label::open("name", "cooling devices of the machine");

static TEMPERATURE: Family<Count, 2> = gauge(
    "node_thermal_zone_temp",
    "Temperature of the zone in degrees Celsius.",
    &[Label::open("zone", "thermal zones of the machine"), TYPE],
);
static STATE: Family<Count, 2> =
    gauge("node_cooling_device_cur_state", "How hard the device cools, 0 for not at all.", &[NAME, TYPE]);
static MAX_STATE: Family<Count, 2> =
    gauge("node_cooling_device_max_state", "How hard the device can cool at most.", &[NAME, TYPE]);
static ALL: &[&Desc] = &[TEMPERATURE.desc(), STATE.desc(), MAX_STATE.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_thermal_zone",
    about: "Temperature of thermal zones and state of cooling devices.",
    default_on: true,
    needs: &[Need::File("sys/class/thermal")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "class/thermal";

#[derive(Debug)]
struct NodeThermalZone;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeThermalZone))
}

impl Collector for NodeThermalZone {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        for folder in numbered(reader, &host.sys, FOLDER, "thermal_zone")? {
            let zone = folder.trim_start_matches("thermal_zone");
            let kind = attribute_text(reader, &host.sys, &format!("{FOLDER}/{folder}/type"));
            let millis = attribute(reader, &host.sys, &format!("{FOLDER}/{folder}/temp")).and_then(text::signed);
            if let Some(millis) = millis {
                out.put(&TEMPERATURE, [zone, &kind], millis as f64 / 1000.0);
            }
        }
        for folder in numbered(reader, &host.sys, FOLDER, "cooling_device")? {
            let name = folder.trim_start_matches("cooling_device");
            let kind = attribute_text(reader, &host.sys, &format!("{FOLDER}/{folder}/type"));
            for (file, family) in [("cur_state", &STATE), ("max_state", &MAX_STATE)] {
                let state = attribute(reader, &host.sys, &format!("{FOLDER}/{folder}/{file}")).and_then(text::signed);
                if let Some(state) = state {
                    out.put(family, [name, &kind], state);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn zones_and_cooling_devices() {
        check(&SPEC, "node_thermal_zone/testdata/kernel-docs", View::Node);
    }
}
