//! Named limits: written once, read by alerts and by whatever draws the same figure.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};

use crate::{Period, Problem, Source};

/// What a threshold counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A part of a whole, from 0 to 1.
    Ratio,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Pieces.
    Count,
    /// Pieces a second.
    PerSecond,
    /// A length of time, used as a range.
    Period,
}

/// A number or a length of time, as it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A length of time.
    Period(Period),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Self::Number(number)),
            Written::Text(text) => text.parse().map(Self::Period).map_err(de::Error::custom),
        }
    }
}

/// One limit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The limit itself.
    pub value: Value,
    /// What it counts.
    pub unit: Unit,
    /// One sentence: what it limits and why it stands there.
    pub about: String,
}

/// All limits by name.
#[derive(Debug, Clone, Default)]
pub struct Thresholds(pub BTreeMap<String, Threshold>);

impl Threshold {
    /// As `PromQL` has it.
    pub fn query(&self) -> String {
        match &self.value {
            Value::Number(number) => number.to_string(),
            Value::Period(period) => period.to_string(),
        }
    }

    /// As a sentence has it.
    pub fn words(&self) -> String {
        let Value::Number(number) = &self.value else { return self.query() };
        match self.unit {
            Unit::Ratio => format!("{}%", trimmed(number * 100.0)),
            Unit::Seconds if *number < 1.0 => format!("{} ms", trimmed(number * 1000.0)),
            Unit::Seconds if *number >= 7200.0 && number % 3600.0 == 0.0 => format!("{} h", trimmed(number / 3600.0)),
            Unit::Seconds if *number >= 120.0 && number % 60.0 == 0.0 => format!("{} min", trimmed(number / 60.0)),
            Unit::Seconds => format!("{} s", trimmed(*number)),
            Unit::Bytes => bytes(*number),
            Unit::PerSecond => format!("{}/s", trimmed(*number)),
            Unit::Count | Unit::Period => trimmed(*number),
        }
    }
}

/// Two decimals at most.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn bytes(number: f64) -> String {
    let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let fitting = units.iter().find(|(_, one)| number >= *one as f64);
    fitting.map_or_else(|| format!("{number} B"), |(unit, one)| format!("{} {unit}", trimmed(number / *one as f64)))
}

impl Thresholds {
    /// Reads a file of limits.
    pub fn read(source: &Source) -> Result<Self, Vec<Problem>> {
        let all: BTreeMap<String, Threshold> = source.read().map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        for (name, threshold) in &all {
            if threshold.about.trim().is_empty() {
                problems.push(source.problem(&format!("{name}.about"), "does not say what is limited"));
            }
            let is_period = matches!(threshold.value, Value::Period(_));
            if is_period != (threshold.unit == Unit::Period) {
                problems.push(source.problem(&format!("{name}.value"), "does not fit its unit"));
            }
            if threshold.unit == Unit::Ratio
                && !matches!(threshold.value, Value::Number(number) if (0.0..=1.0).contains(&number))
            {
                problems.push(source.problem(&format!("{name}.value"), "a ratio lies between 0 and 1"));
            }
        }
        if problems.is_empty() { Ok(Self(all)) } else { Err(problems) }
    }

    /// Puts limits in for their names, written `${name}`; gives the names, or the first one that there is not.
    pub fn filled(&self, text: &str, write: fn(&Threshold) -> String) -> Result<(String, Vec<String>), String> {
        let (mut out, mut used, mut rest) = (String::with_capacity(text.len()), Vec::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or("`${` without `}`")?;
            let threshold = self.0.get(name).ok_or_else(|| format!("there is no threshold {name:?}"))?;
            out.push_str(before);
            out.push_str(&write(threshold));
            used.push(name.to_owned());
            rest = after;
        }
        out.push_str(rest);
        Ok((out, used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
share: {value: 0.125, unit: ratio, about: A part.}
slow: {value: 0.25, unit: seconds, about: A time.}
room: {value: 1610612736, unit: bytes, about: Room.}
window: {value: 30m, unit: period, about: A window.}
";

    #[test]
    fn limits_are_written_for_queries_and_for_people() {
        let all = Thresholds::read(&Source::new("t.yaml", TEXT)).unwrap();
        let text = "x[${window}] > ${share} ${slow} ${room}";
        assert_eq!(all.filled(text, Threshold::query).unwrap().0, "x[30m] > 0.125 0.25 1610612736");
        assert_eq!(all.filled(text, Threshold::words).unwrap().0, "x[30m] > 12.5% 250 ms 1.5 GiB");
        assert!(all.filled("${none}", Threshold::query).unwrap_err().contains("none"));
    }

    #[test]
    fn a_limit_fits_its_unit() {
        for text in [
            "x: {value: 5m, unit: ratio, about: X.}",
            "x: {value: 2, unit: ratio, about: X.}",
            "x: {value: 1, unit: count, about: ''}",
        ] {
            assert_eq!(
                Thresholds::read(&Source::new("t.yaml", text)).unwrap_err().len(),
                if text.contains("5m") { 2 } else { 1 },
                "{text}"
            );
        }
    }
}
