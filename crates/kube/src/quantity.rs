//! Quantities (`100m`, `1.5Gi`, `2e3`) and the ways in which families turn them into numbers: three of
//! upstream's, and the nearest one.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>. Amounts below a billionth are
//! rounded up to it and binary amounts are capped at 2⁶³ − 1, as the API server does.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::lax::{Leaf, any_shape};

/// The largest whole amount that is still read in thousandths.
const MAX_IN_THOUSANDTHS: i64 = i64::MAX / 1000;
/// Decimal digits that fit a 64-bit mantissa whatever they are.
const SHORT: usize = 18;

/// An amount of a resource; zero when absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// `mantissa × 10^exponent`, short enough for a 64-bit mantissa.
    Is {
        /// Signed digits.
        mantissa: i64,
        /// Power of ten, not below −9.
        exponent: i32,
    },
    /// So many billionths. What does not fit 64 bits in the end keeps its lowest 64, as upstream.
    Long(i128),
    /// Not a quantity.
    Spoiled,
}

impl Quantity {
    /// Reads a quantity. `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let number_end = unsigned.bytes().position(|b| !b.is_ascii_digit() && b != b'.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at_checked(number_end)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let digits = digits(whole, fraction)?;
        let digits = if negative { -digits } else { digits };
        let (length, places) = (whole.len() + fraction.len(), i32::try_from(fraction.len()).ok()?);
        match Suffix::parse(suffix)? {
            Suffix::Decimal(power) => decimal(digits, length, power.checked_sub(places)?),
            Suffix::Binary(power) => binary(digits, length, places, power),
        }
    }

    /// The whole amount, a part counting as one more. `None` when spoiled.
    pub fn whole(&self) -> Option<f64> {
        self.scaled(0).map(|whole| whole as f64)
    }

    /// The amount in thousandths where that fits, the whole amount where not. `None` when spoiled.
    pub fn amount(&self) -> Option<f64> {
        let whole = self.scaled(0)?;
        if whole > MAX_IN_THOUSANDTHS {
            return Some(whole as f64);
        }
        self.scaled(-3).map(|thousandths| thousandths as f64 / 1000.0)
    }

    /// The double nearest to the amount, give or take the last digit. `None` when spoiled.
    pub fn approximate(&self) -> Option<f64> {
        match *self {
            Self::Is { mantissa, exponent } => {
                let power: f64 = format!("1e{exponent}").parse().ok()?;
                Some(mantissa as f64 * power)
            }
            Self::Long(nano) => Some(nano as f64 * 1e-9),
            Self::Spoiled => None,
        }
    }

    /// The double nearest to the amount. `None` when spoiled.
    pub fn nearest(&self) -> Option<f64> {
        // Powers of ten up to 22 are doubles, and a quotient of two doubles is the one that is nearest.
        match *self {
            Self::Is { mantissa, exponent } if exponent < 0 => Some(mantissa as f64 / 10_f64.powi(-exponent)),
            Self::Is { mantissa, exponent } => Some(mantissa as f64 * 10_f64.powi(exponent)),
            Self::Long(nano) => Some(nano as f64 / 1e9),
            Self::Spoiled => None,
        }
        .filter(|amount| amount.is_finite())
    }

    /// In units of 10^`unit`, which is 0 or −3.
    fn scaled(&self, unit: i32) -> Option<i64> {
        match *self {
            Self::Is { mantissa, exponent } => {
                let shift = exponent - unit;
                let power = 10_i64.checked_pow(shift.unsigned_abs());
                Some(match (shift >= 0, power) {
                    // What does not fit is nothing.
                    (true, power) => power.and_then(|power| mantissa.checked_mul(power)).unwrap_or(0),
                    (false, Some(power)) => away_from_zero(mantissa, power),
                    (false, None) => mantissa.signum(),
                })
            }
            Self::Long(nano) => Some(scaled_long(nano, if unit == 0 { 1_000_000_000 } else { 1_000_000 })),
            Self::Spoiled => None,
        }
    }
}

impl Default for Quantity {
    fn default() -> Self {
        Self::Is { mantissa: 0, exponent: 0 }
    }
}

impl<'v> Leaf<'v> for Quantity {
    fn null() -> Self {
        Self::default()
    }
    fn spoiled() -> Self {
        Self::Spoiled
    }
    fn text(text: Cow<'v, str>) -> Self {
        Self::parse(&text).unwrap_or(Self::Spoiled)
    }
    fn int(int: i64) -> Self {
        Self::Is { mantissa: int, exponent: 0 }
    }
    fn float(float: f64) -> Self {
        // In the form that JSON has it in: many digits and an exponent are not the same, see [`Self::Long`].
        let is_long = float != 0.0 && !(1e-6..1e21).contains(&float.abs());
        let text = if is_long { format!("{float:e}") } else { float.to_string() };
        Self::parse(&text).unwrap_or(Self::Spoiled)
    }
}

impl<'v> Deserialize<'v> for Quantity {
    fn deserialize<D: Deserializer<'v>>(deserializer: D) -> Result<Self, D::Error> {
        any_shape(deserializer)
    }
}

enum Suffix {
    Decimal(i32),
    Binary(u32),
}

impl Suffix {
    fn parse(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "n" => Self::Decimal(-9),
            "u" => Self::Decimal(-6),
            "m" => Self::Decimal(-3),
            "" => Self::Decimal(0),
            "k" => Self::Decimal(3),
            "M" => Self::Decimal(6),
            "G" => Self::Decimal(9),
            "T" => Self::Decimal(12),
            "P" => Self::Decimal(15),
            "E" => Self::Decimal(18),
            "Ki" => Self::Binary(10),
            "Mi" => Self::Binary(20),
            "Gi" => Self::Binary(30),
            "Ti" => Self::Binary(40),
            "Pi" => Self::Binary(50),
            "Ei" => Self::Binary(60),
            _ => Self::Decimal(suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
        })
    }
}

/// The digits before and behind the point as one number. `None` when there are more than 128 bits hold, or another
/// point.
fn digits(whole: &str, fraction: &str) -> Option<i128> {
    let mut all = 0_i128;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        all = all.checked_mul(10)?.checked_add(digit.into())?;
    }
    Some(all)
}

fn decimal(digits: i128, length: usize, exponent: i32) -> Option<Quantity> {
    if length <= SHORT && exponent >= -9 {
        return Some(Quantity::Is { mantissa: i64::try_from(digits).ok()?, exponent });
    }
    let shift = exponent.checked_add(9)?;
    let power = 10_i128.checked_pow(shift.unsigned_abs());
    Some(Quantity::Long(match (shift >= 0, power) {
        (true, power) => digits.checked_mul(power?)?,
        (false, Some(power)) => digits / power + if digits % power == 0 { 0 } else { digits.signum() },
        (false, None) => digits.signum(),
    }))
}

fn binary(digits: i128, length: usize, places: i32, power: u32) -> Option<Quantity> {
    let scaled = digits.checked_mul(1_i128 << power)?;
    let is_short = places == 0 && 14 >= length + power as usize * 3 / 10;
    if is_short && let Ok(mantissa) = i64::try_from(scaled) {
        return Some(Quantity::Is { mantissa, exponent: 0 });
    }
    let Quantity::Long(nano) = decimal(scaled, SHORT + 1, -places)? else { return None };
    let cap = i128::from(i64::MAX) * 1_000_000_000;
    Some(Quantity::Long(nano.clamp(-cap, cap)))
}

/// Billionths in larger units: a part counts as one more. Long division and short differ below zero.
fn scaled_long(nano: i128, unit: i64) -> i64 {
    if nano < i64::MAX.into() {
        #[expect(clippy::cast_possible_truncation, reason = "the lowest 64 bits are what is asked for")]
        let nano = nano as i64;
        return nano / unit + i64::from(nano % unit != 0);
    }
    let unit = i128::from(unit);
    let scaled = nano.div_euclid(unit) + i128::from(nano.rem_euclid(unit) != 0);
    #[expect(clippy::cast_possible_truncation, reason = "the lowest 64 bits are what is asked for")]
    let lowest = scaled as i64;
    lowest
}

fn away_from_zero(mantissa: i64, divisor: i64) -> i64 {
    let quotient = mantissa / divisor;
    if mantissa % divisor == 0 { quotient } else { quotient + mantissa.signum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(text: &str) -> (f64, f64) {
        let quantity = Quantity::parse(text).unwrap();
        (quantity.whole().unwrap(), quantity.amount().unwrap())
    }

    #[test]
    fn parts_count_as_one_more() {
        assert_eq!(amounts("100m"), (1.0, 0.1));
        assert_eq!(amounts("1500m"), (2.0, 1.5));
        assert_eq!(amounts("1u"), (1.0, 0.001));
        assert_eq!(amounts("-1500m"), (-2.0, -1.5));
        assert_eq!(amounts("0"), (0.0, 0.0));
        assert_eq!(amounts("0.0000000001"), (1.0, 0.001));
    }

    #[test]
    fn suffixes_are_powers_of_two_and_of_ten() {
        assert_eq!(amounts("1Ki"), (1024.0, 1024.0));
        assert_eq!(amounts("1.5Gi"), (1_610_612_736.0, 1_610_612_736.0));
        assert_eq!(amounts("2k"), (2000.0, 2000.0));
        assert_eq!(amounts("2e3"), (2000.0, 2000.0));
        assert_eq!(amounts("2E-1"), (1.0, 0.2));
        assert_eq!(amounts("12345678901234567890Ki").0, i64::MAX as f64);
    }

    #[test]
    fn what_no_64_bit_integer_holds_is_zero_or_what_is_left_of_it() {
        assert_eq!(amounts("10E"), (0.0, 0.0));
        assert_eq!(amounts("9E"), (9e18, 9e18));
        assert_eq!(amounts("99999999999999999999").0, 7_766_279_631_452_241_919_i64 as f64);
    }

    #[test]
    fn a_tolerance_is_the_nearest_double() {
        assert_eq!(Quantity::parse("50m").unwrap().approximate(), Some(0.05));
        assert_eq!(Quantity::parse("0.1").unwrap().approximate(), Some(0.1));
    }

    #[test]
    fn the_nearest_double_is_nearer_than_upstreams() {
        for (text, number) in [
            ("0", 0.0),
            ("2", 2.0),
            ("250m", 0.25),
            ("9m", 0.009),
            ("1.5", 1.5),
            ("1.5Gi", 1_610_612_736.0),
            ("100n", 1e-7),
            ("64Mi", 67_108_864.0),
            ("1k", 1000.0),
            ("1E", 1e18),
            ("1e3", 1000.0),
            ("1E3", 1000.0),
            ("2Ei", 2_305_843_009_213_693_952.0),
            ("12e-1", 1.2),
        ] {
            assert_eq!(Quantity::parse(text).unwrap().nearest(), Some(number), "{text}");
        }
        assert_eq!(Quantity::parse("9m").unwrap().approximate(), Some(0.009_000_000_000_000_001));
        assert_eq!(Quantity::parse("1e400").and_then(|huge| huge.nearest()), None);
    }

    #[test]
    fn other_text_is_no_quantity() {
        for text in
            ["", "x", "1x", "1.2.3", ".", "-", "1e", "1 Gi", "Ki", "m", "Mi", "one", "1Kii", "inf", "NaN", "0x10"]
        {
            assert_eq!(Quantity::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn null_is_zero_and_numbers_need_no_quotes() {
        let quantity = |json: &str| serde_json::from_str::<Quantity>(json).unwrap();
        assert_eq!(quantity("null").whole(), Some(0.0));
        assert_eq!(quantity("4").whole(), Some(4.0));
        assert_eq!(quantity("1.5").amount(), Some(1.5));
        assert_eq!(quantity("1e+21").amount(), Some(0.0));
        assert_eq!(quantity("\"x\""), Quantity::Spoiled);
        assert_eq!(quantity("[1,{}]"), Quantity::Spoiled);
    }
}
