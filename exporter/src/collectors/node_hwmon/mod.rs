//! Sensors: temperatures, fans, voltages, currents, power, from `/sys/class/hwmon` (hwmon/sysfs-interface.rst).
//!
//! Names and units follow `node_exporter`, quirks included: an alarm of a limit (`temp1_crit_alarm`) is treated as a
//! temperature. A sensor that gives no answer has no series.

mod metrics;
mod parse;

use std::collections::BTreeMap;

use kernfs::{Host, ReadError, Reader, text};
use metric::{Batch, Count, Family};

use self::{
    metrics::{ALL, CHIP_NAMES, COUNTERS, DECLARED, GAUGES, SENSOR_LABEL},
    parse::{clean, resolve, sensor_file},
};
use super::node::{Filter, attribute, attribute_text, entries, float};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_hwmon",
    about: "Sensors: temperatures, fans, voltages, currents, power.",
    default_on: true,
    needs: &[Need::File("sys/class/hwmon")],
    shows: &[(View::Node, ALL)],
    build,
};

const FOLDER: &str = "class/hwmon";

#[derive(Debug)]
struct NodeHwmon {
    chips: Filter,
    sensors: Filter,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let options = &context.config.collector.hwmon;
    Ok(Box::new(NodeHwmon {
        chips: Filter::new(&options.chip_include, &options.chip_exclude, ""),
        sensors: Filter::new(&options.sensor_include, &options.sensor_exclude, ""),
    }))
}

#[derive(Debug)]
struct Chip {
    folder: String,
    /// What the chip calls itself.
    name: String,
    /// A name that stays the same from boot to boot.
    stable: String,
}

impl Collector for NodeHwmon {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        if !reader.exists(&host.sys, "class/hwmon") {
            scrape.nothing_there();
            return Ok(());
        }
        for chip in chips(host, reader)? {
            if self.chips.passes(&chip.stable) {
                let name = clean(&chip.name);
                if !name.is_empty() {
                    out.put(&CHIP_NAMES, [&chip.stable, &name], true);
                }
                let sensors = sensors(&chip.folder, host, reader)?;
                for (sensor, (kind, properties)) in &sensors {
                    if self.sensors.passes(&format!("{};{sensor}", chip.stable)) {
                        emit(&chip.stable, sensor, kind, properties, out);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The chips, with names that no two share: chips of one device get their own name or number added.
fn chips(host: &Host, reader: &mut Reader) -> Result<Vec<Chip>, ReadError> {
    let mut chips = Vec::new();
    for folder in entries(reader, &host.sys, FOLDER)? {
        let name = attribute_text(reader, &host.sys, &format!("{FOLDER}/{folder}/name"));
        let stable = stable_name(&folder, &name, host, reader);
        chips.push(Chip { folder: format!("{FOLDER}/{folder}"), name, stable });
    }
    let names: Vec<(String, String)> = chips.iter().map(|chip| (chip.stable.clone(), chip.name.clone())).collect();
    for chip in &mut chips {
        let twins = names.iter().filter(|(stable, _)| *stable == chip.stable);
        let equal = twins.clone().filter(|(_, name)| *name == chip.name).count();
        if twins.count() > 1 {
            let own = clean(&chip.name);
            let number = chip.folder.rsplit('/').next().unwrap_or_default();
            let suffix = if own.is_empty() || equal > 1 { clean(number) } else { own };
            chip.stable = format!("{}_{suffix}", chip.stable);
        }
    }
    Ok(chips)
}

/// Bus and device, else the chip's name for itself, else its number.
fn stable_name(folder: &str, name: &str, host: &Host, reader: &mut Reader) -> String {
    let at = match reader.link(&host.sys, &format!("{FOLDER}/{folder}")) {
        Some(target) => resolve(FOLDER, &target),
        None => format!("{FOLDER}/{folder}"),
    };
    let device = format!("{at}/device");
    let device = match reader.link(&host.sys, &device) {
        Some(target) => Some(resolve(&at, &target)),
        None => reader.exists(&host.sys, &device).then_some(device),
    };
    let mut parts = device.as_deref().unwrap_or("").rsplit('/').map(clean);
    let (device, bus) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match (bus.is_empty(), device.is_empty(), clean(name)) {
        (false, false, _) => format!("{bus}_{device}"),
        (true, false, _) => device,
        (_, true, name) if !name.is_empty() => name,
        _ => clean(folder),
    }
}

type Properties = BTreeMap<String, String>;

/// Sensors of a chip, with kind and properties. Older drivers have them in the folder of the device.
fn sensors(
    folder: &str,
    host: &Host,
    reader: &mut Reader,
) -> Result<BTreeMap<String, (&'static str, Properties)>, ReadError> {
    let mut sensors: BTreeMap<String, (&'static str, Properties)> = BTreeMap::new();
    for folder in [folder.to_owned(), format!("{folder}/device")] {
        for name in entries(reader, &host.sys, &folder)? {
            let Some(file) = sensor_file(&name) else { continue };
            let Some(value) = attribute(reader, &host.sys, &format!("{folder}/{name}")) else { continue };
            let sensor = sensors.entry(format!("{}{}", file.kind, file.number)).or_default();
            sensor.0 = file.kind;
            sensor.1.insert(file.property.to_owned(), text::text(value).into_owned());
        }
    }
    Ok(sensors)
}

fn emit(chip: &str, sensor: &str, kind: &str, properties: &Properties, out: &mut Batch) {
    let own = properties.get("").map(String::as_str);
    let label = properties.get("label").map(String::as_str);
    if let Some(label) = label {
        out.put(&SENSOR_LABEL, [chip, sensor, label], true);
    }
    match kind {
        "beep_enable" => put("node_hwmon_beep_enabled", chip, sensor, f64::from(u8::from(own == Some("1"))), out),
        "vrm" => {
            if let Some(version) = own.and_then(|own| float(own.as_bytes())) {
                put("node_hwmon_voltage_regulator_version", chip, sensor, version, out);
            }
        }
        "update_interval" => {
            if let Some(millis) = own.and_then(|own| float(own.as_bytes())) {
                put("node_hwmon_update_interval_seconds", chip, sensor, millis / 1e3, out);
            }
        }
        _ => {
            for (property, value) in properties {
                let Some(value) = float(value.as_bytes()).filter(|_| property != "label") else { continue };
                if kind == "freq" && property == "input" {
                    if let Some(label) = label {
                        put("node_hwmon_freq_freq_mhz", chip, &clean(label), value / 1e6, out);
                    }
                    continue;
                }
                let (name, value) = named(kind, property, value, own.is_some());
                put(&name, chip, sensor, value, out);
            }
        }
    }
}

/// Name and value, in base units where the kind and property have one.
fn named(kind: &str, property: &str, value: f64, has_own_value: bool) -> (String, f64) {
    let mut name = format!("node_hwmon_{kind}");
    match property {
        // A value without a property has the short name.
        "input" if has_own_value => name.push_str("_input"),
        "input" | "" => {}
        other => {
            name.push('_');
            name.push_str(&clean(other));
        }
    }
    let (suffix, scale) = match (kind, property) {
        (_, "fault" | "alarm") => ("", 1.0),
        (_, "beep") => ("_enabled", 1.0),
        ("in" | "cpu", _) => ("_volts", 1e3),
        ("temp", property) if property != "type" => ("_celsius", 1e3),
        ("curr", _) => ("_amps", 1e3),
        ("energy", _) => ("_joule_total", 1e6),
        ("power", "accuracy") | ("humidity", _) => ("", 1e6),
        ("power", "average_interval" | "average_interval_min" | "average_interval_max") => ("_seconds", 1e3),
        ("power", _) => ("_watt", 1e6),
        ("fan", "input" | "min" | "max" | "target") => ("_rpm", 1.0),
        _ => ("", 1.0),
    };
    name.push_str(suffix);
    (name, value / scale)
}

fn put(name: &str, chip: &str, sensor: &str, value: f64, out: &mut Batch) {
    let declared = DECLARED.iter().find(|family| family.desc().name == name);
    let others = if name.ends_with("_total") { &COUNTERS } else { &GAUGES };
    let family: Option<&'static Family<Count, 2>> =
        declared.or_else(|| others.family(name, "A property of a sensor, named after its file in /sys/class/hwmon."));
    if let Some(family) = family {
        out.put(family, [chip, sensor], value);
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
    fn chips_with_and_without_a_device_and_two_of_one_device() {
        check(&SPEC, "node_hwmon/testdata/kernel-docs", View::Node);
        let mut config = Config::default();
        config.collector.hwmon.chip_exclude = "^nct".parse().unwrap();
        config.collector.hwmon.sensor_include = "^platform_coretemp_0;temp[12]$".parse().unwrap();
        check_with(&SPEC, "node_hwmon/testdata/filtered", View::Node, config);
    }
}
