//! Quantities (`100m`, `1.5Gi`, `2e3`) and the three ways in which families turn them into numbers.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>. Amounts below a billionth are
//! rounded up to it and binary amounts are capped at 2⁶³ − 1, as the API server does.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::lax::{Leaf, any_shape};

/// The largest whole amount that is still read in thousandths.
const MAX_IN_THOUSANDTHS: i128 = (i64::MAX / 1000) as i128;
/// Decimal digits that fit a 64-bit mantissa whatever they are.
const SHORT: usize = 18;

/// An amount of a resource; zero when absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// `mantissa × 10^exponent`.
    Is {
        /// Signed digits.
        mantissa: i128,
        /// Power of ten, not below −9.
        exponent: i32,
    },
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
        let places = i32::try_from(fraction.len()).ok()?;
        let (mantissa, exponent) = match Suffix::parse(suffix)? {
            Suffix::Decimal(power) => {
                round_up_to_nano(digits, power.checked_sub(places)?, whole.len() + fraction.len())?
            }
            Suffix::Binary(power) => binary(digits, places, power)?,
        };
        Some(Self::Is { mantissa: if negative { -mantissa } else { mantissa }, exponent })
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
        let Self::Is { mantissa, exponent } = *self else { return None };
        let power: f64 = format!("1e{exponent}").parse().ok()?;
        Some(mantissa as f64 * power)
    }

    /// In units of 10^`unit`, away from zero; zero when a 64-bit integer cannot hold it.
    fn scaled(&self, unit: i32) -> Option<i128> {
        let Self::Is { mantissa, exponent } = *self else { return None };
        let shift = exponent - unit;
        let scaled = match u32::try_from(shift) {
            Ok(up) => power_of_ten(up).and_then(|power| mantissa.checked_mul(power)).unwrap_or(i128::MAX),
            Err(_) => power_of_ten(shift.unsigned_abs()).map_or(mantissa.signum(), |power| div_away(mantissa, power)),
        };
        Some(if scaled.unsigned_abs() > i64::MAX.unsigned_abs().into() { 0 } else { scaled })
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
        Self::Is { mantissa: int.into(), exponent: 0 }
    }
    fn float(float: f64) -> Self {
        Self::parse(&float.to_string()).unwrap_or(Self::Spoiled)
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

fn round_up_to_nano(digits: i128, exponent: i32, length: usize) -> Option<(i128, i32)> {
    if length <= SHORT && exponent >= -9 {
        return Some((digits, exponent));
    }
    let shift = exponent.checked_add(9)?;
    let nano = match u32::try_from(shift) {
        Ok(up) => digits.checked_mul(power_of_ten(up)?)?,
        Err(_) => power_of_ten(shift.unsigned_abs()).map_or(digits.signum(), |power| div_away(digits, power)),
    };
    Some((nano, -9))
}

fn binary(digits: i128, places: i32, power: u32) -> Option<(i128, i32)> {
    let cap = i128::from(i64::MAX);
    let scaled = digits.checked_mul(1_i128 << power)?;
    if places == 0 {
        return Some((scaled.min(cap), 0));
    }
    let (nano, exponent) = round_up_to_nano(scaled, -places, SHORT + 1)?;
    Some((nano.min(cap * 1_000_000_000), exponent))
}

fn power_of_ten(power: u32) -> Option<i128> {
    10_i128.checked_pow(power)
}

fn div_away(mantissa: i128, divisor: i128) -> i128 {
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
        assert_eq!(amounts("12345678901234567890Ei").0, i64::MAX as f64);
    }

    #[test]
    fn what_no_64_bit_integer_holds_is_zero() {
        assert_eq!(amounts("10E"), (0.0, 0.0));
        assert_eq!(amounts("9E"), (9e18, 9e18));
    }

    #[test]
    fn a_tolerance_is_the_nearest_double() {
        assert_eq!(Quantity::parse("50m").unwrap().approximate(), Some(0.05));
        assert_eq!(Quantity::parse("0.1").unwrap().approximate(), Some(0.1));
    }

    #[test]
    fn other_text_is_no_quantity() {
        for text in ["", "x", "1x", "1.2.3", ".", "-", "1e", "1 Gi", "Ki", "0x10"] {
            assert_eq!(Quantity::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn null_is_zero_and_numbers_need_no_quotes() {
        let quantity = |json: &str| serde_json::from_str::<Quantity>(json).unwrap();
        assert_eq!(quantity("null").whole(), Some(0.0));
        assert_eq!(quantity("4").whole(), Some(4.0));
        assert_eq!(quantity("1.5").amount(), Some(1.5));
        assert_eq!(quantity("\"x\""), Quantity::Spoiled);
        assert_eq!(quantity("[1,{}]"), Quantity::Spoiled);
    }
}
