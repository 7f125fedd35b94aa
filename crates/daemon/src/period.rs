//! Durations in configuration: 15s, 5m, 1h30m.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A length of time, written `1h30m`, `15s`, `250ms`, as Prometheus does. Units are `d`, `h`, `m`, `s`, `ms`, from large
/// to small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub Duration);

/// An error in the text of a [`Period`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a length of time is written like 1h30m, 15s or 250ms")]
pub struct NoPeriod;

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Period {
    /// More than anybody waits.
    pub const LONGEST: Self = Self::seconds(365 * 86_400);

    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl FromStr for Period {
    type Err = NoPeriod;

    fn from_str(text: &str) -> Result<Self, NoPeriod> {
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let (mut rest, mut units, mut total_ms) = (text, UNITS.as_slice(), 0_u64);
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, tail) = tail.split_at(letters);
            let place = units.iter().position(|(name, _)| *name == unit).ok_or(NoPeriod)?;
            let (_, ms) = units.get(place).ok_or(NoPeriod)?;
            let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*ms)).ok_or(NoPeriod)?;
            total_ms = total_ms.checked_add(part).ok_or(NoPeriod)?;
            units = units.get(place + 1..).unwrap_or(&[]);
            rest = tail;
        }
        if text.is_empty() { Err(NoPeriod) } else { Ok(Self(Duration::from_millis(total_ms))) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, ms) in UNITS {
            if left >= ms {
                write!(f, "{}{unit}", left / ms)?;
                left %= ms;
            }
        }
        Ok(())
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_written_as_prometheus_does() {
        for (text, ms) in
            [("15s", 15_000), ("1h30m", 5_400_000), ("250ms", 250), ("1m1s1ms", 61_001), ("2d", 172_800_000)]
        {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.0, Duration::from_millis(ms), "{text}");
            assert_eq!(period.to_string(), text);
        }
        assert_eq!("0".parse(), Ok(Period::default()));
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in
            ["", "15", "s", "1s1h", "1s1s", "-1s", "1.5s", "1y", "99999999999999999999s", "9999999999999999999h", "１s"]
        {
            assert_eq!(text.parse::<Period>(), Err(NoPeriod), "{text}");
        }
    }
}
