//! The families: one an attribute, and what the supply is.

use metric::{Count, Desc, Family, Label};

use crate::collectors::node::gauge;

const SUPPLY: Label = Label::open("power_supply", "power supplies and batteries of the machine");

/// What one of an attribute is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scale {
    One,
    Tenth,
    Micro,
}

impl Scale {
    pub(super) fn apply(self, number: i64) -> f64 {
        let number = number as f64;
        match self {
            Self::One => number,
            Self::Tenth => number / 10.0,
            Self::Micro => number / 1e6,
        }
    }
}

/// An attribute that is a number.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) file: &'static str,
    pub(super) scale: Scale,
    pub(super) family: Family<Count, 1>,
}

const fn attribute(file: &'static str, scale: Scale, name: &'static str, help: &'static str) -> Attribute {
    Attribute { file, scale, family: gauge(name, help, &[SUPPLY]) }
}

pub(super) static ATTRIBUTES: [Attribute; 49] = [
    attribute(
        "authentic",
        Scale::One,
        "node_power_supply_authentic",
        "Whether the battery is known to be the maker's.",
    ),
    attribute("calibrate", Scale::One, "node_power_supply_calibrate", "Whether the battery is being calibrated."),
    attribute("capacity", Scale::One, "node_power_supply_capacity", "Charge that is left, in percent."),
    attribute(
        "capacity_alert_max",
        Scale::One,
        "node_power_supply_capacity_alert_max",
        "Charge in percent above which the battery raises an alarm.",
    ),
    attribute(
        "capacity_alert_min",
        Scale::One,
        "node_power_supply_capacity_alert_min",
        "Charge in percent below which the battery raises an alarm.",
    ),
    attribute(
        "cycle_count",
        Scale::One,
        "node_power_supply_cyclecount",
        "Full cycles of charging that the battery went through.",
    ),
    attribute(
        "online",
        Scale::One,
        "node_power_supply_online",
        "Whether the supply is plugged in: 0 for no, 1 for a fixed voltage, 2 for a programmable one.",
    ),
    attribute("present", Scale::One, "node_power_supply_present", "Whether the battery is there."),
    attribute(
        "time_to_empty_now",
        Scale::One,
        "node_power_supply_time_to_empty_seconds",
        "Seconds until the battery is empty at the load of now.",
    ),
    attribute(
        "time_to_full_now",
        Scale::One,
        "node_power_supply_time_to_full_seconds",
        "Seconds until the battery is full at the rate of now.",
    ),
    attribute(
        "current_boot",
        Scale::Micro,
        "node_power_supply_current_boot",
        "Current at the start of the machine, in amperes.",
    ),
    attribute(
        "current_max",
        Scale::Micro,
        "node_power_supply_current_max",
        "Most current that the supply gives, in amperes.",
    ),
    attribute("current_now", Scale::Micro, "node_power_supply_current_ampere", "Current, in amperes."),
    attribute(
        "energy_empty",
        Scale::Micro,
        "node_power_supply_energy_empty",
        "Energy at which the battery counts as empty, in watt hours.",
    ),
    attribute(
        "energy_empty_design",
        Scale::Micro,
        "node_power_supply_energy_empty_design",
        "Energy at which the battery was made to count as empty, in watt hours.",
    ),
    attribute(
        "energy_full",
        Scale::Micro,
        "node_power_supply_energy_full",
        "Energy at which the battery counts as full, in watt hours.",
    ),
    attribute(
        "energy_full_design",
        Scale::Micro,
        "node_power_supply_energy_full_design",
        "Energy that the battery was made to hold, in watt hours.",
    ),
    attribute("energy_now", Scale::Micro, "node_power_supply_energy_watthour", "Energy that is left, in watt hours."),
    attribute(
        "voltage_boot",
        Scale::Micro,
        "node_power_supply_voltage_boot",
        "Voltage at the start of the machine, in volts.",
    ),
    attribute("voltage_max", Scale::Micro, "node_power_supply_voltage_max", "Highest voltage that was seen, in volts."),
    attribute(
        "voltage_max_design",
        Scale::Micro,
        "node_power_supply_voltage_max_design",
        "Highest voltage that the supply was made for, in volts.",
    ),
    attribute("voltage_min", Scale::Micro, "node_power_supply_voltage_min", "Lowest voltage that was seen, in volts."),
    attribute(
        "voltage_min_design",
        Scale::Micro,
        "node_power_supply_voltage_min_design",
        "Lowest voltage that the supply was made for, in volts.",
    ),
    attribute("voltage_now", Scale::Micro, "node_power_supply_voltage_volt", "Voltage, in volts."),
    attribute("voltage_ocv", Scale::Micro, "node_power_supply_voltage_ocv", "Voltage without a load, in volts."),
    attribute(
        "charge_control_limit",
        Scale::Micro,
        "node_power_supply_charge_control_limit",
        "Limit that is set on the current of charging, in amperes.",
    ),
    attribute(
        "charge_control_limit_max",
        Scale::Micro,
        "node_power_supply_charge_control_limit_max",
        "Highest limit on the current of charging, in amperes.",
    ),
    attribute(
        "charge_counter",
        Scale::Micro,
        "node_power_supply_charge_counter",
        "Charge that was counted, in ampere hours.",
    ),
    attribute(
        "charge_empty",
        Scale::Micro,
        "node_power_supply_charge_empty",
        "Charge at which the battery counts as empty, in ampere hours.",
    ),
    attribute(
        "charge_empty_design",
        Scale::Micro,
        "node_power_supply_charge_empty_design",
        "Charge at which the battery was made to count as empty, in ampere hours.",
    ),
    attribute(
        "charge_full",
        Scale::Micro,
        "node_power_supply_charge_full",
        "Charge at which the battery counts as full, in ampere hours.",
    ),
    attribute(
        "charge_full_design",
        Scale::Micro,
        "node_power_supply_charge_full_design",
        "Charge that the battery was made to hold, in ampere hours.",
    ),
    attribute("charge_now", Scale::Micro, "node_power_supply_charge_ampere", "Charge that is left, in ampere hours."),
    attribute(
        "charge_term_current",
        Scale::Micro,
        "node_power_supply_charge_term_current",
        "Current at which charging ends, in amperes.",
    ),
    attribute(
        "constant_charge_current",
        Scale::Micro,
        "node_power_supply_constant_charge_current",
        "Current that charging starts with, in amperes.",
    ),
    attribute(
        "constant_charge_current_max",
        Scale::Micro,
        "node_power_supply_constant_charge_current_max",
        "Most current that charging may start with, in amperes.",
    ),
    attribute(
        "constant_charge_voltage",
        Scale::Micro,
        "node_power_supply_constant_charge_voltage",
        "Voltage that charging ends with, in volts.",
    ),
    attribute(
        "constant_charge_voltage_max",
        Scale::Micro,
        "node_power_supply_constant_charge_voltage_max",
        "Highest voltage that charging may end with, in volts.",
    ),
    attribute(
        "precharge_current",
        Scale::Micro,
        "node_power_supply_precharge_current",
        "Current that an empty battery is charged with at first, in amperes.",
    ),
    attribute(
        "input_current_limit",
        Scale::Micro,
        "node_power_supply_input_current_limit",
        "Limit that is set on the current from outside, in amperes.",
    ),
    attribute("power_now", Scale::Micro, "node_power_supply_power_watt", "Power, in watts."),
    attribute("temp", Scale::Tenth, "node_power_supply_temp_celsius", "Temperature of the battery."),
    attribute(
        "temp_alert_max",
        Scale::Tenth,
        "node_power_supply_temp_alert_max_celsius",
        "Temperature above which the battery raises an alarm.",
    ),
    attribute(
        "temp_alert_min",
        Scale::Tenth,
        "node_power_supply_temp_alert_min_celsius",
        "Temperature below which the battery raises an alarm.",
    ),
    attribute(
        "temp_ambient",
        Scale::Tenth,
        "node_power_supply_temp_ambient_celsius",
        "Temperature around the battery.",
    ),
    attribute(
        "temp_ambient_max",
        Scale::Tenth,
        "node_power_supply_temp_ambient_max_celsius",
        "Highest temperature around the battery that it is made for.",
    ),
    attribute(
        "temp_ambient_min",
        Scale::Tenth,
        "node_power_supply_temp_ambient_min_celsius",
        "Lowest temperature around the battery that it is made for.",
    ),
    attribute(
        "temp_max",
        Scale::Tenth,
        "node_power_supply_temp_max_celsius",
        "Highest temperature that the battery is made for.",
    ),
    attribute(
        "temp_min",
        Scale::Tenth,
        "node_power_supply_temp_min_celsius",
        "Lowest temperature that the battery is made for.",
    ),
];

/// Files of the labels of [`INFO`] but the first, in their order.
pub(super) const WORDS: [&str; 11] = [
    "capacity_level",
    "charge_type",
    "health",
    "manufacturer",
    "model_name",
    "scope",
    "serial_number",
    "status",
    "technology",
    "type",
    "usb_type",
];

pub(super) static INFO: Family<Count, 12> = gauge(
    "node_power_supply_info",
    "What the power supply is, and how it does.",
    &[
        SUPPLY,
        Label::open("capacity_level", "a few words of the kernel"),
        Label::open("charge_type", "a few words of the kernel"),
        Label::open("health", "a few words of the kernel"),
        Label::open("manufacturer", "one a supply"),
        Label::open("model_name", "one a supply"),
        Label::open("scope", "a few words of the kernel"),
        Label::open("serial_number", "one a supply"),
        Label::open("status", "a few words of the kernel"),
        Label::open("technology", "a few words of the kernel"),
        Label::open("type", "a few words of the kernel"),
        Label::open("usb_type", "a few words of the kernel"),
    ],
);

const FAMILIES: usize = 1 + ATTRIBUTES.len();
static DESCS: [&Desc; FAMILIES] = descs();

pub(super) static ALL: &[&Desc] = &DESCS;

#[expect(clippy::indexing_slicing, reason = "const fns have no checked indexing; this runs at compile time")]
const fn descs() -> [&'static Desc; FAMILIES] {
    let mut all = [INFO.desc(); FAMILIES];
    let mut i = 0;
    while i < ATTRIBUTES.len() {
        all[1 + i] = ATTRIBUTES[i].family.desc();
        i += 1;
    }
    all
}
