//! Parsing of small kernel files: numbers, lines, key value pairs, names. Never fails; a value that is not a number is
//! None.
//!
//! Names of the kernel (files, mount points, network devices, commands) are bytes, labels are UTF-8. [`text`] turns a
//! name into text so that no two names become the same text, and [`bytes`] turns it back. Everything of this crate that
//! takes the name of a file as text takes it in this form, so a file whose name came from [`text`] is found again.

use std::{borrow::Cow, ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

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

/// Words, however many blanks and tabs are between them. Only ASCII counts as white space, as for the kernel: U+3000 and
/// its like may be part of a name.
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

/// What stands before the two hexadecimal digits of a byte that is not UTF-8.
const MARK: char = char::REPLACEMENT_CHARACTER;

/// The text of a name. Each byte that is not part of UTF-8 becomes U+FFFD and its two hexadecimal digits: the byte `e9`
/// after `caf` is `caf�e9`. A name that contains U+FFFD itself has the three bytes of that spelled in the same way, so
/// different names have different texts. All other names are their own text.
pub fn text(name: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(name) {
        Ok(text) if !text.contains(MARK) => Cow::Borrowed(text),
        _ => Cow::Owned(marked(name)),
    }
}

#[cold]
fn marked(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len() + 16);
    let spell = |text: &mut String, bytes: &[u8]| {
        for byte in bytes {
            text.push(MARK);
            text.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
        }
    };
    for chunk in name.utf8_chunks() {
        for (i, valid) in chunk.valid().split(MARK).enumerate() {
            if i > 0 {
                spell(&mut text, MARK.encode_utf8(&mut [0; 4]).as_bytes());
            }
            text.push_str(valid);
        }
        spell(&mut text, chunk.invalid());
    }
    text
}

/// The name that [`text`] made this text of.
pub fn bytes(text: &str) -> Cow<'_, [u8]> {
    if !text.contains(MARK) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut name = Vec::with_capacity(text.len());
    for (i, part) in text.split(MARK).enumerate() {
        let byte = part.get(..2).filter(|_| i > 0).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => name.push(byte),
            None if i > 0 => name.extend_from_slice(MARK.encode_utf8(&mut [0; 4]).as_bytes()),
            None => {}
        }
        name.extend_from_slice(part.get(if byte.is_some() { 2 } else { 0 }..).unwrap_or_default().as_bytes());
    }
    Cow::Owned(name)
}

/// The path that [`text`] made this text of.
pub fn path(text: &str) -> Cow<'_, Path> {
    match bytes(text) {
        Cow::Borrowed(bytes) => Cow::Borrowed(Path::new(OsStr::from_bytes(bytes))),
        Cow::Owned(bytes) => Cow::Owned(OsStr::from_bytes(&bytes).into()),
    }
}

/// The text of a path.
pub fn of_path(path: &Path) -> Cow<'_, str> {
    text(path.as_os_str().as_bytes())
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

    #[test]
    fn names_that_differ_have_texts_that_differ_and_come_back() {
        let names: [&[u8]; 8] = [
            b"caf\xc3\xa9",
            b"caf\xe9",
            b"caf\xea",
            b"caf\xef\xbf\xbd",
            b"caf\xef\xbf\xbde9",
            b"caf\\xe9",
            b"caf\xef\xbf",
            "e\u{3000}a".as_bytes(),
        ];
        let texts: std::collections::BTreeSet<_> = names.into_iter().map(text).collect();
        assert_eq!(texts.len(), names.len(), "{texts:?}");
        assert_eq!(text(b"caf\xe9"), "caf\u{fffd}e9");
        for name in names {
            assert_eq!(&*bytes(&text(name)), name);
        }
        assert_eq!(text(b"a\\x2db.slice"), "a\\x2db.slice", "what systemd escapes stays as it is");
        assert_eq!(bytes("\u{fffd}xx").len(), 5, "a mark without digits is itself");
    }

    #[test]
    fn only_ascii_separates_words() {
        let line = "e\u{3000}a:\u{a0}1 2\t3";
        let found: Vec<_> = words(line.as_bytes()).map(|word| text(word)).collect();
        assert_eq!(found, ["e\u{3000}a:\u{a0}1", "2", "3"]);
    }

    proptest! {
        #[test]
        fn every_name_comes_back(
            name in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xef), Just(0xbf), Just(0xbd)], 0..20)
        ) {
            let text = text(&name);
            prop_assert_eq!(&*bytes(&text), name.as_slice());
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (only_number(&bytes), signed(&bytes), pairs(&bytes).count(), text(&bytes));
        }

        #[test]
        fn what_is_printed_is_read(n: u64, s: i64) {
            prop_assert_eq!(number(n.to_string().as_bytes()), Some(n));
            prop_assert_eq!(signed(s.to_string().as_bytes()), Some(s));
        }
    }
}
