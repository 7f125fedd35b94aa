//! Amounts of resources as Kubernetes writes them: `250m`, `1.5`, `64Mi`, `1e3`.

/// The number; `None` for what is no amount.
pub(super) fn parse(text: &str) -> Option<f64> {
    let end = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E').unwrap_or(text.len());
    let (mut digits, mut suffix) = text.split_at(end);
    // `1E` is an exa, `1E3` a thousand, `1Ei` a binary exa.
    if let Some(number) = digits.strip_suffix(['e', 'E']) {
        (digits, suffix) = (number, text.get(number.len()..).unwrap_or_default());
    }
    let scale = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        "Pi" => 1_125_899_906_842_624.0,
        "Ei" => 1_152_921_504_606_846_976.0,
        _ => return None,
    };
    let number: f64 = digits.parse().ok().filter(|number: &f64| number.is_finite())?;
    Some(number * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_many_spellings() {
        for (text, number) in [
            ("0", 0.0),
            ("2", 2.0),
            ("250m", 0.25),
            ("1.5", 1.5),
            ("100n", 1e-7),
            ("64Mi", 67_108_864.0),
            ("1k", 1000.0),
            ("1E", 1e18),
            ("1e3", 1000.0),
            ("1E3", 1000.0),
            ("2Ei", 2_305_843_009_213_693_952.0),
            ("12e-1", 1.2),
        ] {
            let parsed = parse(text).unwrap();
            assert!((parsed - number).abs() <= number * 1e-12, "{text}: {parsed}");
        }
        for text in ["", "m", "Mi", "1x", "one", "1Kii", "inf", "NaN"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
