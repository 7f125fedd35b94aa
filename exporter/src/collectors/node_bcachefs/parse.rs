//! Files of bcachefs. Numbers are written for people (`512k`), powers of 1024.
//!
//! `compression_stats`, and `btree_write_stats` with a count in place of the first size:
//! ```text
//! type         compressed    uncompressed     average extent size
//! lz4:               1.2G            2.4G                   92.0k
//! ```
//! `counters/<name>`:
//! ```text
//! since mount:                    12.5k
//! since filesystem creation:      3.2M
//! ```
//! `dev-0/io_done`:
//! ```text
//! read:
//! sb          :       3989504
//! btree       :        331776
//! write:
//! sb          :         31744
//! ```
//! `dev-0/io_errors`:
//! ```text
//! IO errors since filesystem creation
//!   read:    12
//!   write:   0
//! IO errors since 8 y ago
//!   read:    1
//! ```

use kernfs::text;

use crate::collectors::node::float;

/// A number with a unit or without, less its fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is negative or too large saturates")]
pub(super) fn size(word: &[u8]) -> Option<u64> {
    let word = word.trim_ascii();
    let (last, rest) = word.split_last()?;
    let power = b"kmgtpe".iter().position(|unit| *unit == last.to_ascii_lowercase());
    let (digits, power) = power.map_or((word, 0), |power| (rest, power + 1));
    Some((float(digits.trim_ascii())? * 1024_f64.powi(i32::try_from(power).ok()?)) as u64)
}

/// The first two numbers of each line after the titles, by what the line begins with.
pub(super) fn table(file: &[u8]) -> impl Iterator<Item = (String, [u64; 2])> {
    text::lines(file).skip(1).filter_map(|line| {
        let mut words = text::words(line);
        let name = words.next()?;
        let name = name.strip_suffix(b":").unwrap_or(name);
        Some((text::text(name).into_owned(), [size(words.next()?)?, size(words.next()?)?]))
    })
}

/// What a counter has counted since the file system was made; 0 when it says only how much since it was mounted.
pub(super) fn since_creation(file: &[u8]) -> Option<u64> {
    let after = |name: &[u8]| text::lines(file).find_map(|line| line.strip_prefix(name)).and_then(size);
    after(b"since filesystem creation:").or_else(|| after(b"since mount:").map(|_| 0))
}

/// Operation, kind of data, bytes.
pub(super) fn io_done(file: &[u8]) -> Vec<(&'static str, String, u64)> {
    let (mut done, mut operation) = (Vec::new(), "");
    for line in text::lines(file) {
        match line.trim_ascii() {
            b"read:" => operation = "read",
            b"write:" => operation = "write",
            line if !operation.is_empty() => {
                done.extend(named(line).map(|(kind, bytes)| (operation, kind, bytes)));
            }
            _ => {}
        }
    }
    done
}

/// Kind of error, how many.
pub(super) fn io_errors(file: &[u8]) -> impl Iterator<Item = (String, u64)> {
    let is_title = |line: &&[u8]| line.starts_with(b"IO errors since ");
    let all = text::lines(file).skip_while(|line| !line.starts_with(b"IO errors since filesystem creation")).skip(1);
    all.take_while(move |line| !is_title(line)).filter_map(named)
}

/// `name : 5`.
fn named(line: &[u8]) -> Option<(String, u64)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, number) = line.split_at(colon);
    Some((text::text(name.trim_ascii()).into_owned(), text::number(number.get(1..)?.trim_ascii())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_for_people_are_numbers() {
        for (word, value) in [(&b"512k"[..], Some(524_288)), (b"1.5M", Some(1_572_864)), (b"7", Some(7)), (b"-", None)]
        {
            assert_eq!(size(word), value, "{}", text::text(word));
        }
    }

    #[test]
    fn a_counter_says_since_when() {
        assert_eq!(since_creation(b"since mount: 5\nsince filesystem creation:  1.0k\n"), Some(1024));
        assert_eq!(since_creation(b"since mount: 5\n"), Some(0));
        assert_eq!(since_creation(b"5\n"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = (size(&bytes), table(&bytes).count(), since_creation(&bytes), io_done(&bytes));
            let _ = io_errors(&[b"IO errors since filesystem creation\n", &bytes[..]].concat()).count();
        }
    }
}
