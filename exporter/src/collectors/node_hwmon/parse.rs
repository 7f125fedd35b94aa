//! Names of files in a folder of `/sys/class/hwmon` (hwmon/sysfs-interface.rst): kind, number and property of a sensor,
//! as `temp1_crit_alarm`. Some kinds, as `pwm1`, have a value without a property; others have no number.

/// Kinds of sensors.
const KINDS: [&str; 14] = [
    "vrm",
    "beep_enable",
    "update_interval",
    "in",
    "cpu",
    "fan",
    "pwm",
    "temp",
    "curr",
    "power",
    "energy",
    "humidity",
    "intrusion",
    "freq",
];

/// What a file of a sensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SensorFile<'a> {
    pub(super) kind: &'static str,
    pub(super) number: u32,
    pub(super) property: &'a str,
}

/// `None` for files that are not of a sensor.
pub(super) fn sensor_file(name: &str) -> Option<SensorFile<'_>> {
    let first_digit = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    let (kind, rest) = name.split_at_checked(first_digit)?;
    let kind = KINDS.into_iter().find(|known| *known == kind)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, property) = rest.split_at_checked(end)?;
    let number = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let property = if property.is_empty() { "" } else { property.strip_prefix('_').filter(|rest| !rest.is_empty())? };
    Some(SensorFile { kind, number, property })
}

/// The text as part of a metric's name or a stable label: lower case, other signs as underscores, none at the ends.
pub(super) fn clean(text: &str) -> String {
    let lower = text.to_lowercase();
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == ':' || c == '_';
    let replaced: String = lower.chars().map(|c| if word(c) { c } else { '_' }).collect();
    replaced.trim_matches('_').to_owned()
}

/// Where a link that stands in the folder `at` points, without looking at further links. Folders of sysfs have none on
/// the way.
pub(super) fn resolve(at: &str, target: &str) -> String {
    let mut parts: Vec<&str> = at.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_kind_number_and_property() {
        let parts = |name| sensor_file(name).map(|file| (file.kind, file.number, file.property));
        assert_eq!(parts("temp12_crit_alarm"), Some(("temp", 12, "crit_alarm")));
        assert_eq!(parts("pwm1"), Some(("pwm", 1, "")));
        assert_eq!(parts("update_interval"), Some(("update_interval", 0, "")));
        for other in ["name", "temperature1_input", "temp1input", "uevent", "temp1_", ""] {
            assert_eq!(parts(other), None, "{other}");
        }
    }

    #[test]
    fn a_link_is_followed_by_name() {
        let folder = resolve("class/hwmon", "../../devices/platform/coretemp.0/hwmon/hwmon0");
        assert_eq!(folder, "devices/platform/coretemp.0/hwmon/hwmon0");
        assert_eq!(resolve(&folder, "../../../coretemp.0"), "devices/platform/coretemp.0");
        assert_eq!(clean("Coretemp.0 "), "coretemp_0");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,40}", other in "\\PC{0,40}") {
            let _ = (sensor_file(&text), clean(&text), resolve(&text, &other));
        }
    }
}
