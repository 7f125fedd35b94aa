//! Lengths of time as Prometheus writes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// A length of time, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period {
    millis: u64,
}

/// Units, long ones first, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

impl Period {
    /// So many minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self { millis: minutes * 60_000 }
    }

    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self { millis }
    }

    /// As milliseconds.
    pub const fn millis(self) -> u64 {
        self.millis
    }

    /// As seconds.
    pub fn seconds(self) -> f64 {
        self.millis as f64 / 1000.0
    }

    /// Whole minutes, rounded up.
    pub const fn minutes_up(self) -> u64 {
        self.millis.div_ceil(60_000)
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { millis: self.millis + other.millis }
    }

    /// Shorter or longer by a factor, to the second, and never below one.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, positive, far below 2^53")]
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        let seconds = (self.seconds() * factor).round().max(1.0);
        Self { millis: if self.millis == 0 { 0 } else { seconds as u64 * 1000 } }
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no length of time such as 90s, 5m or 1h30m");
        let (mut rest, mut millis) = (text, 0u64);
        if text.is_empty() {
            return Err(bad());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
            let (count, after) = rest.split_at(digits);
            let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            let count: u64 = count.parse().map_err(|_| bad())?;
            let (_, one) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
            millis = count.checked_mul(*one).and_then(|all| all.checked_add(millis)).ok_or_else(bad)?;
            rest = after;
        }
        Ok(Self { millis })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.millis == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.millis;
        // A year or a week is written in days: fewer surprises for who reads it.
        for (unit, one) in UNITS.iter().skip(2) {
            let count = rest / one;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
            rest %= one;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_written_as_prometheus_does() {
        for text in ["5m", "1h30m", "90s", "500ms", "1d"] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.to_string().parse::<Period>().unwrap(), period, "{text}");
        }
        assert_eq!("90s".parse::<Period>().unwrap().to_string(), "1m30s");
        assert_eq!("1w".parse::<Period>().unwrap().to_string(), "7d");
        for text in ["", "5", "m", "5 m", "-5m", "5x"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_scaled_period_is_whole_seconds() {
        let scaled = |text: &str, factor| text.parse::<Period>().unwrap().scaled(factor).to_string();
        assert_eq!(scaled("5m", 0.1), "30s");
        assert_eq!(scaled("5s", 0.01), "1s");
        assert_eq!(scaled("0s", 0.1), "0s");
    }
}
