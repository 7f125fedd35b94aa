//! Numbers as bcache writes them for people (`bch_hprint`, `drivers/md/bcache/util.c`): `512`, `1.5k`, `-3.2M`. What
//! follows the point counts 1024ths, in tenths that were cut off: `1.9k` is between 1.9 and 2.
//!
//! `writeback_rate_debug`:
//! ```text
//! rate:           1.1M/sec
//! dirty:          20.4G
//! target:         20.4G
//! proportional:   427.5k
//! integral:       790.0k
//! change:         321.5k/sec
//! next io:        17ms
//! ```
//! `priority_stats`:
//! ```text
//! Unused:         99%
//! Metadata:       0%
//! ```

use kernfs::text;

use crate::collectors::node::float;

const UNITS: &[u8] = b"kMGTPEZY";

/// A size that is not negative, without its fraction.
pub(super) fn size(word: &[u8]) -> Option<f64> {
    let (last, rest) = word.split_last()?;
    let Some(power) = UNITS.iter().position(|unit| unit == last) else {
        return float(word).filter(|value| *value >= 0.0).map(f64::floor);
    };
    let mut parts = rest.split(|byte| *byte == b'.');
    let whole = float(parts.next()?)?;
    // As node_exporter does it; the kernel's tenths are rather tenths.
    let fraction = parts.next().map_or(Some(0.0), float)? / 10.24;
    let times = 1024_f64.powi(i32::try_from(power).ok()? + 1);
    Some(((whole + fraction) * times).floor()).filter(|value| *value >= 0.0)
}

/// The size after a name in `writeback_rate_debug`; a rate's `/sec` is no part of it.
pub(super) fn debug(file: &[u8], name: &str) -> Option<f64> {
    let line = text::lines(file).find(|line| line.starts_with(name.as_bytes()))?;
    let word = text::words(line).last()?;
    let word = word.strip_suffix(b"/sec").unwrap_or(word);
    match word.strip_prefix(b"-") {
        Some(word) => size(word).map(|size| 0.0 - size),
        None => size(word),
    }
}

/// The percentage after a name in `priority_stats`.
pub(super) fn percent(file: &[u8], name: &str) -> Option<u64> {
    let line = text::lines(file).find(|line| line.starts_with(name.as_bytes()))?;
    text::number(text::words(line).last()?.strip_suffix(b"%")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_for_people_are_numbers() {
        for (word, value) in [
            (&b"512"[..], Some(512.0)),
            (b"2k", Some(2048.0)),
            (b"1.5k", Some(1524.0)),
            (b"k", None),
            (b"", None),
            (b"-1k", None),
        ] {
            assert_eq!(size(word), value, "{}", text::text(word));
        }
        let file = b"rate:\t\t1.1M/sec\nchange:\t\t-321.5k/sec\nnext io:\t17ms\n";
        assert_eq!(debug(file, "change:"), Some(-329_204.0));
        assert_eq!(debug(file, "target:"), None);
        assert_eq!(percent(b"Unused:\t\t99%\nSectors per Q:\t64\n", "Unused:"), Some(99));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = (size(&bytes), debug(&bytes, ""), percent(&bytes, ""));
        }
    }
}
