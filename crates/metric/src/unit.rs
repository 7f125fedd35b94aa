//! Unit types: a family's value type fixes its name's suffix. A raw kernel value becomes a sample only by conversion to
//! a base unit.

/// A base unit of the exposition formats, as it stands in a family's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitName {
    /// A plain number: things that are counted, flags, enumerations.
    None,
    /// Seconds, of a duration or since the Unix epoch.
    Seconds,
    /// Bytes.
    Bytes,
    /// A fraction, 0 to 1.
    Ratio,
    /// Degrees Celsius.
    Celsius,
    /// Cycles per second.
    Hertz,
    /// Volts.
    Volts,
    /// Watts.
    Watts,
}

impl UnitName {
    const ALL: [Self; 7] =
        [Self::Seconds, Self::Bytes, Self::Ratio, Self::Celsius, Self::Hertz, Self::Volts, Self::Watts];

    /// The unit that a family's name ends in, `_total` not counted.
    pub fn of(name: &str) -> Self {
        let stem = name.strip_suffix("_total").unwrap_or(name);
        let is_of = |unit: &Self| stem.strip_suffix(unit.suffix()).is_some_and(|head| head.ends_with('_'));
        Self::ALL.into_iter().find(is_of).unwrap_or(Self::None)
    }

    /// The suffix of a family's name, without the underscore; empty for plain numbers.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Ratio => "ratio",
            Self::Celsius => "celsius",
            Self::Hertz => "hertz",
            Self::Volts => "volts",
            Self::Watts => "watts",
        }
    }
}

/// A value that may become a sample: a number in a base unit.
pub trait Unit: Copy + 'static {
    /// The unit, as declarations and documentation show it.
    const NAME: UnitName;
    /// The number, in that unit.
    fn number(self) -> f64;
}

macro_rules! base_units {
    ($($(#[$doc:meta])* $name:ident => $unit:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
        pub struct $name(pub f64);
        impl Unit for $name {
            const NAME: UnitName = UnitName::$unit;
            fn number(self) -> f64 {
                self.0
            }
        }
    )*};
}

base_units! {
    /// A duration in seconds.
    Seconds => Seconds;
    /// A point in time, in seconds since the Unix epoch.
    Timestamp => Seconds;
    /// A fraction, 0 to 1.
    Ratio => Ratio;
    /// A temperature in degrees Celsius.
    Celsius => Celsius;
    /// A frequency in hertz.
    Hertz => Hertz;
    /// An electric potential in volts.
    Volts => Volts;
    /// A power in watts.
    Watts => Watts;
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl Unit for Bytes {
    const NAME: UnitName = UnitName::Bytes;
    fn number(self) -> f64 {
        self.0 as f64
    }
}

/// A number of things, a flag or an enumeration.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Count(pub f64);

impl Unit for Count {
    const NAME: UnitName = UnitName::None;
    fn number(self) -> f64 {
        self.0
    }
}

macro_rules! count_from {
    ($($int:ty),*) => {$(
        impl From<$int> for Count {
            #[allow(clippy::cast_lossless, reason = "one body for all widths")]
            fn from(n: $int) -> Self {
                Self(n as f64)
            }
        }
    )*};
}
count_from!(u8, u16, u32, u64, usize, i32, i64, f64);

impl From<bool> for Count {
    fn from(set: bool) -> Self {
        Self(f64::from(u8::from(set)))
    }
}

/// Nanoseconds, as `cpuacct` and schedstat count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(pub u64);
/// Microseconds, as cgroup v2 and pressure files count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micros(pub u64);
/// Milliseconds, as block device statistics count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);
/// Clock ticks of `USER_HZ`, which is 100 on every architecture that Linux shows to user space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticks(pub u64);
/// Kibibytes, as `/proc/meminfo` counts (it says "kB").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kibibytes(pub u64);

macro_rules! seconds_from {
    ($($raw:ident / $per_second:literal),*) => {$(
        impl From<$raw> for Seconds {
            fn from(raw: $raw) -> Self {
                Self(raw.0 as f64 / $per_second)
            }
        }
    )*};
}
seconds_from!(Nanos / 1e9, Micros / 1e6, Millis / 1e3, Ticks / 100.0);

impl From<Kibibytes> for Bytes {
    fn from(kib: Kibibytes) -> Self {
        Self(kib.0.saturating_mul(1024))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_units_become_base_units() {
        assert_eq!(Seconds::from(Micros(8_537_362)).number(), 8.537_362);
        assert_eq!(Seconds::from(Nanos(1)).number(), 1e-9);
        assert_eq!(Seconds::from(Ticks(250)).number(), 2.5);
        assert_eq!(Bytes::from(Kibibytes(2)).number(), 2048.0);
        assert_eq!(Count::from(true).number(), 1.0);
    }

    #[test]
    fn a_name_tells_its_unit() {
        assert_eq!(UnitName::of("process_cpu_seconds_total"), UnitName::Seconds);
        assert_eq!(UnitName::of("page_bytes"), UnitName::Bytes);
        assert_eq!(UnitName::of("requests_total"), UnitName::None);
        assert_eq!(UnitName::of("bytes"), UnitName::None);
    }
}
