//! Parsing of small kernel files: numbers, lines, key value pairs. Never fails or allocates; a value that is not a
//! number is None.

/// The number a word spells, all of it. Too large for 64 bits is `None`.
pub fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for byte in word {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// The number that is the whole file, but for white space around it.
pub fn only_number(file: &[u8]) -> Option<u64> {
    number(file.trim_ascii())
}

/// A number that may be negative.
pub fn signed(word: &[u8]) -> Option<i64> {
    match word.strip_prefix(b"-") {
        Some(digits) => number(digits).and_then(|n| 0_i64.checked_sub_unsigned(n)),
        None => number(word).and_then(|n| i64::try_from(n).ok()),
    }
}

/// Lines, without their ends; empty ones are left out.
pub fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Words, however many blanks and tabs are between them.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The first word of each line with the number that follows it; lines of another shape are left out.
pub fn pairs(file: &[u8]) -> impl Iterator<Item = (&[u8], u64)> {
    lines(file).filter_map(|line| {
        let mut words = words(line);
        Some((words.next()?, number(words.next()?)?))
    })
}

/// The text of a word; bytes that are not UTF-8 become replacement characters.
pub fn text(word: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_whole_words_of_digits_are_numbers() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for bad in [&b""[..], b"max", b"-1", b"1.5", b"18446744073709551616", b" 1"] {
            assert_eq!(number(bad), None, "{}", text(bad));
        }
        assert_eq!(only_number(b"42\n"), Some(42));
        assert_eq!(signed(b"-9223372036854775808"), Some(i64::MIN));
    }

    #[test]
    fn lines_of_another_shape_are_left_out() {
        let file = b"usage_usec 12\n\nnonsense\nnr x\nuser_usec\t7 more\n";
        let found: Vec<_> = pairs(file).map(|(k, v)| (text(k).into_owned(), v)).collect();
        assert_eq!(found, [("usage_usec".to_owned(), 12), ("user_usec".to_owned(), 7)]);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (only_number(&bytes), signed(&bytes), pairs(&bytes).count());
        }

        #[test]
        fn what_is_printed_is_read(n: u64, s: i64) {
            prop_assert_eq!(number(n.to_string().as_bytes()), Some(n));
            prop_assert_eq!(signed(s.to_string().as_bytes()), Some(s));
        }
    }
}
