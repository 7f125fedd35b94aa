//! `/etc/os-release` (os-release(5)): shell assignments.
//! ```text
//! NAME="Ubuntu"
//! VERSION_ID="24.04"
//! ID=ubuntu
//! SUPPORT_END=2029-05-31
//! ```

use std::collections::BTreeMap;

use jiff::{civil::Date, tz::TimeZone};
use kernfs::text;
use metric::Timestamp;

/// The assignments of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Release(BTreeMap<String, String>);

impl Release {
    /// A value; empty when it is not there.
    pub(super) fn of(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The version as a number: the start of `VERSION_ID` that is one.
    pub(super) fn version(&self) -> Option<f64> {
        let text = self.of("VERSION_ID");
        let mut dots = 0;
        let end = text.find(|c: char| {
            dots += usize::from(c == '.');
            !(c.is_ascii_digit() || (c == '.' && dots == 1))
        });
        let number = text.get(..end.unwrap_or(text.len()))?;
        if number.starts_with('.') { None } else { number.parse().ok() }
    }

    /// When support ends.
    pub(super) fn support_end(&self) -> Option<Timestamp> {
        let date: Date = self.of("SUPPORT_END").parse().ok()?;
        let midnight = date.to_zoned(TimeZone::UTC).ok()?;
        Some(Timestamp(midnight.timestamp().as_second() as f64))
    }
}

/// Reads the file. Quotes go, and backslashes within double quotes; lines that assign nothing are left out.
pub(super) fn release(file: &[u8]) -> Release {
    let mut all = BTreeMap::new();
    for line in text::lines(file) {
        let line = text::text(line);
        let line = line.trim();
        if let Some((name, value)) = line.split_once('=')
            && !name.starts_with('#')
        {
            all.insert(name.to_owned(), unquoted(value));
        }
    }
    Release(all)
}

fn unquoted(value: &str) -> String {
    if let Some(inner) = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')) {
        return inner.to_owned();
    }
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_and_comments_go() {
        let release = release(b"# ID=no\nNAME=\"A \\\"b\\\"\"\nVARIANT='x y'\nID=debian\nnonsense\n");
        assert_eq!([release.of("NAME"), release.of("VARIANT"), release.of("ID")], ["A \"b\"", "x y", "debian"]);
    }

    #[test]
    fn the_version_is_major_and_minor() {
        for (text, version) in [
            ("24.04", Some(24.04)),
            ("12", Some(12.0)),
            ("3.19.1", Some(3.19)),
            ("7.", Some(7.0)),
            ("", None),
            ("rolling", None),
        ] {
            assert_eq!(release(format!("VERSION_ID={text}").as_bytes()).version(), version, "{text}");
        }
        assert_eq!(release(b"SUPPORT_END=2026-05-31").support_end(), Some(Timestamp(1_780_185_600.0)));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let release = release(&bytes);
            let _ = (release.version(), release.support_end());
        }

        #[test]
        fn no_version_panics(text in "[0-9.éa]{0,8}") {
            let _ = release(format!("VERSION_ID={text}").as_bytes()).version();
        }
    }
}
