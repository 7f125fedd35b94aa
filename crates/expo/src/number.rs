//! Formatting of numbers.

/// Integers up to here are written without exponent: all of them are exact in a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Appends a sample's value: an integer as such, other numbers with the fewest digits that give the same double back.
#[inline]
pub(crate) fn push_value(out: &mut Vec<u8>, value: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "compared just below")]
    let integer = value as i64;
    if integer as f64 == value && value.abs() <= EXACT && (integer != 0 || value.is_sign_positive()) {
        out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
    } else {
        push_float(out, value);
    }
}

#[cold]
fn push_special(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(if value.is_nan() {
        b"NaN"
    } else if value > 0.0 {
        b"+Inf"
    } else {
        b"-Inf"
    });
}

fn push_float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        push_special(out, value);
    }
}

/// Appends a count.
pub(crate) fn push_count(out: &mut Vec<u8>, count: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
}

/// The notation of a number as the value of a `le` or `quantile` label. It is part of the series' identity, so it must be
/// the same to the letter as what other programs write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoundStyle {
    /// As Go's `%g`: `1`, `0.25`, `1e+06`.
    Text,
    /// The same with a decimal point or an exponent in each: `1.0`. OpenMetrics calls this canonical.
    Canonical,
}

/// Appends a bucket's bound or a quantile.
pub(crate) fn push_bound(out: &mut Vec<u8>, value: f64, style: BoundStyle) {
    if !value.is_finite() {
        return push_special(out, value);
    }
    let start = out.len();
    let decimal = Decimal::of(value);
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if (-4..6).contains(&decimal.exponent) {
        decimal.push_plain(out);
    } else {
        decimal.push_scientific(out);
    }
    let pointed = out.get(start..).is_some_and(|text| text.iter().any(|b| matches!(b, b'.' | b'e')));
    if style == BoundStyle::Canonical && !pointed {
        out.extend_from_slice(b".0");
    }
}

/// The shortest digits of a finite number: d.ddd × 10^exponent.
struct Decimal {
    digits: [u8; 24],
    len: usize,
    exponent: i32,
}

impl Decimal {
    fn of(value: f64) -> Self {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, _) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut decimal = Self { digits: [b'0'; 24], len: 0, exponent: exponent.parse().unwrap_or(0) };
        decimal.exponent += i32::try_from(whole.len()).unwrap_or(0) - 1;
        for digit in mantissa.bytes().filter(u8::is_ascii_digit) {
            if decimal.len == 0 && digit == b'0' {
                decimal.exponent -= 1;
            } else if let Some(place) = decimal.digits.get_mut(decimal.len) {
                *place = digit;
                decimal.len += 1;
            }
        }
        while decimal.len > 1 && decimal.digits.get(decimal.len - 1) == Some(&b'0') {
            decimal.len -= 1;
        }
        if decimal.len == 0 {
            (decimal.len, decimal.exponent) = (1, 0);
        }
        decimal
    }

    fn digits(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or(&[])
    }

    fn push_plain(&self, out: &mut Vec<u8>) {
        let Ok(whole) = usize::try_from(self.exponent + 1) else {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', usize::try_from(-self.exponent - 1).unwrap_or(0)));
            return out.extend_from_slice(self.digits());
        };
        if whole == 0 {
            out.extend_from_slice(b"0.");
            return out.extend_from_slice(self.digits());
        }
        if self.len <= whole {
            out.extend_from_slice(self.digits());
            return out.extend(std::iter::repeat_n(b'0', whole - self.len));
        }
        let (whole, fraction) = self.digits().split_at(whole);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    }

    fn push_scientific(&self, out: &mut Vec<u8>) {
        let (first, rest) = self.digits().split_at(1);
        out.extend_from_slice(first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        out.extend_from_slice(if self.exponent < 0 { b"e-" } else { b"e+" });
        if self.exponent.abs() < 10 {
            out.push(b'0');
        }
        out.extend_from_slice(itoa::Buffer::new().format(self.exponent.unsigned_abs()).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(value: f64, style: BoundStyle) -> String {
        let mut out = Vec::new();
        push_bound(&mut out, value, style);
        String::from_utf8(out).unwrap()
    }

    fn value(value: f64) -> String {
        let mut out = Vec::new();
        push_value(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn bounds_look_as_gos_shortest_general_format() {
        let cases = [
            (0.0, "0", "0.0"),
            (1.0, "1", "1.0"),
            (0.25, "0.25", "0.25"),
            (0.005, "0.005", "0.005"),
            (0.0001, "0.0001", "0.0001"),
            (0.00005, "5e-05", "5e-05"),
            (-2.5, "-2.5", "-2.5"),
            (100_000.0, "100000", "100000.0"),
            (1_000_000.0, "1e+06", "1e+06"),
            (1_048_576.0, "1.048576e+06", "1.048576e+06"),
            (123_456.5, "123456.5", "123456.5"),
            (1e100, "1e+100", "1e+100"),
            (5e-324, "5e-324", "5e-324"),
            (f64::MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"),
            (f64::INFINITY, "+Inf", "+Inf"),
        ];
        for (number, text, canonical) in cases {
            assert_eq!(bound(number, BoundStyle::Text), text);
            assert_eq!(bound(number, BoundStyle::Canonical), canonical);
        }
    }

    #[test]
    fn values_are_short_and_exact() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0.0"),
            (1.0, "1"),
            (-3.0, "-3"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (0.1, "0.1"),
            (8.537_362, "8.537362"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (number, text) in cases {
            assert_eq!(value(number), text);
        }
        for number in [1e300, 1.844_674_407_370_955_2e19, 5e-324, std::f64::consts::PI] {
            assert_eq!(value(number).parse(), Ok(number));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_written_number_reads_back_as_itself(number in proptest::num::f64::ANY) {
            proptest::prop_assume!(!number.is_nan());
            let read = |text: String| text.replace("Inf", "inf").parse::<f64>().unwrap().to_bits();
            proptest::prop_assert_eq!(read(value(number)), number.to_bits());
            proptest::prop_assert_eq!(read(bound(number, BoundStyle::Text)), number.to_bits());
            proptest::prop_assert_eq!(read(bound(number, BoundStyle::Canonical)), number.to_bits());
        }
    }
}
