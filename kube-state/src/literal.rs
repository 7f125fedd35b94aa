//! Parses words and numbers of a command line, a file or an object by Go's rules.

/// A truth value, as Go's `ParseBool` reads it.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A whole number, as Go's `ParseInt` reads it when the digits say their base: `8080`, `0x1f90`, `0o17`, `017`, `0b11`,
/// `8_080`.
pub fn whole(text: &str) -> Option<i64> {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let after = |prefixes: [&str; 2]| prefixes.into_iter().find_map(|prefix| unsigned.strip_prefix(prefix));
    let (base, digits) = if let Some(digits) = after(["0x", "0X"]) {
        (16, digits)
    } else if let Some(digits) = after(["0b", "0B"]) {
        (2, digits)
    } else if let Some(digits) = after(["0o", "0O"]) {
        (8, digits)
    } else if unsigned.len() > 1 && unsigned.starts_with('0') {
        (8, unsigned.get(1..)?)
    } else {
        (10, unsigned)
    };
    // A bar stands between two digits, or between a prefix and a digit.
    let may_have_bars = !digits.ends_with('_') && !digits.contains("__") && (base != 10 || !digits.starts_with('_'));
    let plain = if may_have_bars { digits.replace('_', "") } else { digits.to_owned() };
    if plain.starts_with(['+', '-']) {
        return None;
    }
    let number = i128::from_str_radix(&plain, base).ok()?;
    i64::try_from(if is_negative { -number } else { number }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_gos() {
        let cases = [
            ("8080", Some(8080)),
            ("+7", Some(7)),
            ("-7", Some(-7)),
            ("0", Some(0)),
            ("010", Some(8)),
            ("0x1F", Some(31)),
            ("0b11", Some(3)),
            ("0o17", Some(15)),
            ("0x_ff", Some(255)),
            ("0_7", Some(7)),
            ("1_000", Some(1000)),
            ("_1", None),
            ("0x", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("0x-1", None),
            ("08", None),
            ("1.5", None),
            ("0x1__0", None),
            ("0x1_", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            (" 1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(whole(text), expected, "{text:?}");
        }
    }

    #[test]
    fn truth_values_are_gos() {
        for (text, expected) in
            [("1", Some(true)), ("True", Some(true)), ("f", Some(false)), ("tRUE", None), ("yes", None), ("", None)]
        {
            assert_eq!(truth(text), expected, "{text:?}");
        }
    }
}
