//! Families of `node_hwmon`.

use metric::{Count, Desc, Discovered, Family, Kind, Label};

use crate::collectors::node::{NAMER, gauge};

const CHIP: Label = Label::open("chip", "sensor chips of the machine");
const SENSOR: Label = Label::open("sensor", "sensors of a chip");

pub(super) static CHIP_NAMES: Family<Count, 2> =
    gauge("node_hwmon_chip_names", "What the chip calls itself.", &[CHIP, Label::open("chip_name", "one a chip")]);
pub(super) static SENSOR_LABEL: Family<Count, 3> =
    gauge("node_hwmon_sensor_label", "What the sensor is for.", &[CHIP, SENSOR, Label::open("label", "one a sensor")]);

const fn value(name: &'static str, help: &'static str) -> Family<Count, 2> {
    gauge(name, help, &[CHIP, SENSOR])
}

/// What most chips have.
pub(super) static DECLARED: [Family<Count, 2>; 30] = [
    value("node_hwmon_temp_celsius", "Temperature."),
    value("node_hwmon_temp_max_celsius", "Temperature from which on it is too warm."),
    value("node_hwmon_temp_min_celsius", "Temperature up to which it is too cold."),
    value("node_hwmon_temp_crit_celsius", "Temperature from which on it is critical."),
    value("node_hwmon_temp_crit_alarm_celsius", "Whether the temperature is critical, in thousandths."),
    value("node_hwmon_temp_crit_hyst_celsius", "Temperature at which it is no longer critical."),
    value("node_hwmon_temp_max_hyst_celsius", "Temperature at which it is no longer too warm."),
    value("node_hwmon_temp_emergency_celsius", "Temperature at which the hardware protects itself."),
    value("node_hwmon_temp_alarm", "Whether the sensor raises an alarm."),
    value("node_hwmon_temp_fault", "Whether the sensor is broken."),
    value("node_hwmon_in_volts", "Voltage."),
    value("node_hwmon_in_min_volts", "Lowest voltage."),
    value("node_hwmon_in_max_volts", "Highest voltage."),
    value("node_hwmon_in_alarm", "Whether the sensor raises an alarm."),
    value("node_hwmon_fan_rpm", "Rotations per minute."),
    value("node_hwmon_fan_min_rpm", "Lowest rotations per minute."),
    value("node_hwmon_fan_max_rpm", "Highest rotations per minute."),
    value("node_hwmon_fan_target_rpm", "Rotations per minute that are wanted."),
    value("node_hwmon_fan_alarm", "Whether the sensor raises an alarm."),
    value("node_hwmon_fan_fault", "Whether the fan is broken."),
    value("node_hwmon_curr_amps", "Current."),
    value("node_hwmon_power_watt", "Power."),
    value("node_hwmon_power_average_watt", "Power on average."),
    value("node_hwmon_power_cap_watt", "Power limit."),
    value("node_hwmon_pwm", "How hard the fan is driven, 0 to 255."),
    value("node_hwmon_humidity", "Humidity, as a ratio by the driver's scale."),
    value("node_hwmon_intrusion_alarm", "Whether the case was opened."),
    value("node_hwmon_beep_enabled", "Whether the chip may beep."),
    value("node_hwmon_voltage_regulator_version", "Version of the voltage regulator."),
    value("node_hwmon_update_interval_seconds", "How often the chip measures."),
];

/// Properties that fewer chips have, named after their files.
pub(super) static GAUGES: Discovered<Count, 2> = Discovered::new(NAMER, Kind::Gauge, &[CHIP, SENSOR], 500);
pub(super) static COUNTERS: Discovered<Count, 2> = Discovered::new(NAMER, Kind::Counter, &[CHIP, SENSOR], 100);

const FAMILIES: usize = 2 + DECLARED.len();
static DESCS: [&Desc; FAMILIES] = descs();

pub(super) static ALL: &[&Desc] = &DESCS;

#[expect(clippy::indexing_slicing, reason = "const fns have no checked indexing; this runs at compile time")]
const fn descs() -> [&'static Desc; FAMILIES] {
    let mut all = [CHIP_NAMES.desc(); FAMILIES];
    all[1] = SENSOR_LABEL.desc();
    let mut i = 0;
    while i < DECLARED.len() {
        all[2 + i] = DECLARED[i].desc();
        i += 1;
    }
    all
}
