//! Numbers as Go's `strconv` writes them in its shortest form: plain up to six digits before the point, then `1e+06`;
//! and as it reads them. Digit-for-digit equality with existing dashboards' recordings starts here.

/// Whole numbers below this have at most fifteen digits, and all of those digits are the shortest form.
const WHOLE: f64 = 1e15;

/// Appends a sample's value.
pub fn push(out: &mut Vec<u8>, value: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "only used when the number is small and whole")]
    let whole = value as i64;
    if whole as f64 == value && value.abs() < WHOLE {
        push_whole(out, whole);
    } else if value.is_finite() {
        push_shortest(out, value);
    } else {
        out.extend_from_slice(match value {
            v if v.is_nan() => b"NaN",
            v if v > 0.0 => b"+Inf",
            _ => b"-Inf",
        });
    }
}

/// The common case: flags, counts, timestamps.
fn push_whole(out: &mut Vec<u8>, whole: i64) {
    if let 0..=9 = whole {
        return out.push(b'0' + u8::try_from(whole).unwrap_or(0));
    }
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(whole).as_bytes();
    if (-999_999..=999_999).contains(&whole) {
        return out.extend_from_slice(text);
    }
    let digits = match text {
        [b'-', digits @ ..] => {
            out.push(b'-');
            digits
        }
        digits => digits,
    };
    let (first, rest) = digits.split_at(1);
    let kept = rest.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    out.extend_from_slice(first);
    if let Some(fraction) = rest.get(..kept).filter(|fraction| !fraction.is_empty()) {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
    // From six to fourteen zeros.
    let exponent = u8::try_from(rest.len()).unwrap_or(0);
    out.extend_from_slice(&[b'e', b'+', b'0' + exponent / 10, b'0' + exponent % 10]);
}

fn push_shortest(out: &mut Vec<u8>, value: f64) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let mut buffer = zmij::Buffer::new();
    let (digits, exponent) = digits_and_exponent(buffer.format_finite(value.abs()));
    let digits = digits.as_slice();
    let (first, rest) = digits.split_at(digits.len().min(1));
    if !(-4..6).contains(&exponent) {
        out.extend_from_slice(first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.abs() < 10 {
            out.push(b'0');
        }
        out.extend_from_slice(itoa::Buffer::new().format(exponent.abs()).as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', usize::try_from(-exponent - 1).unwrap_or(0)));
        out.extend_from_slice(digits);
    } else {
        let point = usize::try_from(exponent + 1).unwrap_or(0);
        let (before, after) = digits.split_at(point.min(digits.len()));
        out.extend_from_slice(before);
        out.extend(std::iter::repeat_n(b'0', point - before.len()));
        if !after.is_empty() {
            out.push(b'.');
            out.extend_from_slice(after);
        }
    }
}

/// At most 17 significant digits, without leading and trailing zeros.
struct Digits {
    bytes: [u8; 40],
    start: usize,
    end: usize,
}

impl Digits {
    fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or(&[])
    }
}

/// The digits of a shortest decimal such as `1234.5`, `0.001` or `1.5e-7`, and the power of ten of the first one.
fn digits_and_exponent(shortest: &str) -> (Digits, i32) {
    let mut digits = Digits { bytes: [0; 40], start: 0, end: 0 };
    let (mantissa, scientific) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let mut point = None;
    for byte in mantissa.bytes() {
        if byte == b'.' {
            point = Some(digits.end);
        } else if let Some(slot) = digits.bytes.get_mut(digits.end) {
            *slot = byte;
            digits.end += 1;
        }
    }
    let point = point.unwrap_or(digits.end);
    while digits.as_slice().first() == Some(&b'0') {
        digits.start += 1;
    }
    while digits.as_slice().last() == Some(&b'0') {
        digits.end -= 1;
    }
    let exponent = i32::try_from(point).unwrap_or(0) - i32::try_from(digits.start).unwrap_or(0) - 1;
    (digits, exponent + scientific.parse::<i32>().unwrap_or(0))
}

/// Reads what Go's `ParseFloat` reads: decimals, hexadecimals, infinities and `nan` in any case, digits parted by `_`.
/// `None` for everything else, and for what is too large.
pub fn parse(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_negative = text.starts_with('-');
    let is = |word: &str| unsigned.eq_ignore_ascii_case(word);
    if is("inf") || is("infinity") {
        return Some(if is_negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    if text.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    let hex = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"));
    let digits = hex.unwrap_or(unsigned);
    let without_bars = if digits.contains('_') { without_bars(digits, hex.is_some())? } else { digits.to_owned() };
    let number = match hex {
        Some(_) => hexadecimal(&without_bars)?,
        None if without_bars.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b)) => {
            without_bars.parse::<f64>().ok()?
        }
        None => return None,
    };
    let is_signed_twice = without_bars.starts_with(['+', '-']);
    (number.is_finite() && !is_signed_twice).then_some(if is_negative { -number } else { number })
}

/// The text without `_`, each of which must stand between digits; the prefix of a hexadecimal counts as one.
fn without_bars(text: &str, is_hex: bool) -> Option<String> {
    let is_digit = |b: u8| b.is_ascii_digit() || (is_hex && b.is_ascii_hexdigit());
    let mut before = if is_hex { b'0' } else { b'.' };
    for byte in text.bytes() {
        let parted = byte == b'_' && !is_digit(before);
        if parted || (before == b'_' && !is_digit(byte)) {
            return None;
        }
        before = byte;
    }
    (before != b'_').then(|| text.replace('_', ""))
}

/// `1.8p-3`, of which the exponent, a power of two, may not be left out.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = whole.bytes().chain(fraction.bytes());
    let mantissa = digits.map(|byte| char::from(byte).to_digit(16)).try_fold(0.0, |sum, digit| {
        let sum: f64 = sum;
        Some(sum * 16.0 + f64::from(digit?))
    })?;
    let places = i32::try_from(fraction.len()).ok()?;
    let exponent = exponent.parse::<i32>().ok()?.checked_sub(places.checked_mul(4)?)?;
    // In two steps, since the power alone may be too small for a double.
    let half = exponent / 2;
    Some(mantissa * 2_f64.powi(half) * 2_f64.powi(exponent - half))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        push(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_have_the_form_that_go_gives_them() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.0, "-1"),
            (200.0, "200"),
            (123_456.0, "123456"),
            (999_999.0, "999999"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (1.5e9, "1.5e+09"),
            (1_073_741_824.0, "1.073741824e+09"),
            (0.1, "0.1"),
            (12.5, "12.5"),
            (999_999.5, "999999.5"),
            (0.0001, "0.0001"),
            (0.000_012_5, "1.25e-05"),
            (1e-9, "1e-09"),
            (-62_135_596_800.0, "-6.21355968e+10"),
            (-1_234_567.0, "-1.234567e+06"),
            (1_700_000_000.0, "1.7e+09"),
            (999_999_999_999_999.0, "9.99999999999999e+14"),
            (1e15, "1e+15"),
            (9_223_372_036_854_775_807.0, "9.223372036854776e+18"),
            (1e100, "1e+100"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, number) in [
            ("12", 12.0),
            ("-1.5e3", -1500.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("+1", 1.0),
            ("1_23.50_0_0e+1_2", 1.235e14),
            ("0x1p-2", 0.25),
            ("-0X.8P1", -1.0),
            ("0x_1p4", 16.0),
            ("0x1p-1074", 5e-324),
            ("-Inf", f64::NEG_INFINITY),
            ("iNfInItY", f64::INFINITY),
        ] {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        assert!(parse("NaN").is_some_and(f64::is_nan));
        for text in [
            "",
            "+",
            "e5",
            "1e",
            "1e999",
            "+nan",
            "--1",
            "+-1",
            "0x1",
            "0x",
            "0xp1",
            "_1",
            "1_",
            "1__2",
            "1_e2",
            "1e_2",
            "1 ",
            "BBBB",
            "infin",
            "0x1p9999999999",
            "é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_number_or_none(text in "\\PC*|[0-9a-fx_p.+-]{1,12}") {
            let _ = parse(&text);
        }

        #[test]
        fn the_same_number_comes_back(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            proptest::prop_assert_eq!(text(value).parse::<f64>().unwrap(), value);
        }
    }
}
