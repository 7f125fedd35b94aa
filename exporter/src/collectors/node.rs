//! Shared by collectors of the node view: names that are kept from `node_exporter`, include and exclude patterns,
//! the machine's network namespace, and attributes of sysfs.
//!
//! Names, labels, types and defaults are those of `node_exporter` 1.12, so that whoever queries it sees no difference.
//! If a file is absent (no such hardware, an older kernel), there are no series, and the collector has not failed.

use std::{borrow::Cow, collections::BTreeMap, io, path::PathBuf, sync::LazyLock};

use kernfs::{Dir, Host, ReadError, Reader, text};
use metric::{Count, Desc, Discovered, Family, Kind, Label, Unit};
use regex::Regex;

use crate::config::node::Pattern;

/// Whose names the families of the node view keep.
pub(crate) const NAMER: &str = "node_exporter";

/// A counter by `node_exporter`'s name.
pub(crate) const fn counter<U: Unit, const N: usize>(
    name: &'static str,
    help: &'static str,
    labels: &'static [Label; N],
) -> Family<U, N> {
    Family::as_named_by(NAMER, Kind::Counter, name, help, labels)
}

/// A gauge by `node_exporter`'s name.
pub(crate) const fn gauge<U: Unit, const N: usize>(
    name: &'static str,
    help: &'static str,
    labels: &'static [Label; N],
) -> Family<U, N> {
    Family::as_named_by(NAMER, Kind::Gauge, name, help, labels)
}

/// A number of unknown type by `node_exporter`'s name.
pub(crate) const fn untyped<U: Unit, const N: usize>(
    name: &'static str,
    help: &'static str,
    labels: &'static [Label; N],
) -> Family<U, N> {
    Family::as_named_by(NAMER, Kind::Unknown, name, help, labels)
}

/// The declarations of a table of families.
#[expect(clippy::indexing_slicing, reason = "const fns have no checked indexing; this runs at compile time")]
pub(crate) const fn descs<U: Unit, const L: usize, const N: usize>(
    families: &'static [Family<U, L>; N],
) -> [&'static Desc; N] {
    let mut all = [families[0].desc(); N];
    let mut i = 0;
    while i < N {
        all[i] = families[i].desc();
        i += 1;
    }
    all
}

/// Which names are shown: those that the one pattern matches and the other does not.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    include: Pattern,
    exclude: Pattern,
}

impl Filter {
    /// An exclude pattern that is still the default gives way to an include pattern.
    pub(crate) fn new(include: &Pattern, exclude: &Pattern, default_exclude: &str) -> Self {
        let gives_way = !include.is_empty() && exclude.as_str() == default_exclude;
        let exclude = if gives_way { Pattern::default() } else { exclude.clone() };
        Self { include: include.clone(), exclude }
    }

    /// Whether this name is shown.
    pub(crate) fn passes(&self, name: &str) -> bool {
        (self.include.is_empty() || self.include.matches(name))
            && (self.exclude.is_empty() || !self.exclude.matches(name))
    }
}

/// The families of a file that has one a field, as far as a pattern chooses them.
#[derive(Debug)]
pub(crate) struct Fields {
    pattern: Pattern,
    prefix: &'static str,
    file: &'static str,
    declared: &'static [Family<Count, 0>],
    others: &'static Discovered<Count, 0>,
    known: BTreeMap<Box<str>, Option<&'static Family<Count, 0>>>,
}

/// More fields than any kernel has; what comes then is not remembered, so that a broken file costs no memory.
const MOST_FIELDS: usize = 4096;

impl Fields {
    /// Families called `prefix` and the field's name. An empty pattern chooses all.
    pub(crate) fn new(
        pattern: &Pattern,
        prefix: &'static str,
        file: &'static str,
        declared: &'static [Family<Count, 0>],
        others: &'static Discovered<Count, 0>,
    ) -> Self {
        Self { pattern: pattern.clone(), prefix, file, declared, others, known: BTreeMap::new() }
    }

    /// The family of a field; `None` when it is not chosen. What the pattern says is remembered.
    pub(crate) fn family(&mut self, field: &str) -> Option<&'static Family<Count, 0>> {
        if let Some(known) = self.known.get(field) {
            return *known;
        }
        let family = if self.pattern.matches(field) { self.make(field) } else { None };
        if self.known.len() < MOST_FIELDS {
            self.known.insert(field.into(), family);
        }
        family
    }

    fn make(&self, field: &str) -> Option<&'static Family<Count, 0>> {
        let name = format!("{}{field}", self.prefix);
        let declared = self.declared.iter().find(|family| family.desc().name == name);
        declared.or_else(|| self.others.family(&name, &format!("The field {field} of {}.", self.file)))
    }
}

/// Where the files of the machine's network namespace are, below procfs: those of process 1, since the agent may run in
/// a namespace of its own, else those of the agent.
pub(crate) fn net_folder(host: &Host) -> &'static str {
    match Reader::default().read(&host.proc, "1/net/dev") {
        Ok(Some(_)) => "1/net",
        _ => "net",
    }
}

/// A file that is there and makes no sense.
pub(crate) fn malformed(dir: &Dir, name: &str, why: impl Into<String>) -> ReadError {
    let path: PathBuf = dir.join(name);
    let why = why.into();
    // procfs takes a file that it cannot read for a bug of its own, and says where in its code.
    let why = match why.split_once('\n') {
        Some((place, why)) if place.starts_with("bug at ") => why.lines().next().unwrap_or_default().to_owned(),
        _ => why,
    };
    ReadError { path, source: io::Error::new(io::ErrorKind::InvalidData, why) }
}

/// An attribute of sysfs, trimmed. `None` when it is not there, and when the driver does not answer: attributes of a
/// device that is down, asleep or for root only give errors of many kinds, and none of them is a fault of the machine.
pub(crate) fn attribute<'r>(reader: &'r mut Reader, dir: &Dir, name: &str) -> Option<&'r [u8]> {
    reader.read(dir, name).ok().flatten().map(<[u8]>::trim_ascii)
}

/// sysfs gives a page at most (filesystems/sysfs.rst); what is longer comes from no sysfs, and shall be no label.
const LONGEST_ATTRIBUTE: usize = 4096;

/// An attribute as text, of which so much as sysfs can give; empty when there is none.
pub(crate) fn attribute_text(reader: &mut Reader, dir: &Dir, name: &str) -> String {
    let value = attribute(reader, dir, name).unwrap_or_default();
    text::text(value.get(..LONGEST_ATTRIBUTE).unwrap_or(value)).into_owned()
}

/// An attribute that is a natural number.
pub(crate) fn attribute_number(reader: &mut Reader, dir: &Dir, name: &str) -> Option<u64> {
    attribute(reader, dir, name).and_then(text::number)
}

/// Entries of a folder whose names are `prefix` and digits, by number; none when the folder is not there.
pub(crate) fn numbered(reader: &Reader, dir: &Dir, folder: &str, prefix: &str) -> Result<Vec<String>, ReadError> {
    let mut found = Vec::new();
    reader.list(dir, folder, |name, _| {
        let digits = name.strip_prefix(prefix).unwrap_or("");
        if let Some(number) = text::number(digits.as_bytes()) {
            found.push((number, name.to_owned()));
        }
    })?;
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, name)| name).collect())
}

/// Entries of a folder, sorted; none when it is not there.
pub(crate) fn entries(reader: &Reader, dir: &Dir, folder: &str) -> Result<Vec<String>, ReadError> {
    let mut names = Vec::new();
    reader.list(dir, folder, |name, _| names.push(name.to_owned()))?;
    names.sort_unstable();
    Ok(names)
}

/// Entries of a folder, sorted; `None` when it is not there.
pub(crate) fn folder(reader: &Reader, dir: &Dir, folder: &str) -> Result<Option<Vec<String>>, ReadError> {
    let mut names = Vec::new();
    let is_there = reader.list(dir, folder, |name, _| names.push(name.to_owned()))?;
    names.sort_unstable();
    Ok(is_there.then_some(names))
}

/// A text as part of a metric's name, as `node_exporter` makes one: each run of characters that no name may hold is one
/// `_`, together with the `_` around it.
pub(crate) fn metric_name(text: &str) -> Cow<'_, str> {
    static RUN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("_*[^0-9A-Za-z_]+_*").expect("invariant: the pattern is a regular expression"));
    RUN.replace_all(text, "_")
}

/// The numbers of the line that begins with a word, after so many that are skipped; 0 for those that are not there.
pub(crate) fn numbers_after<const N: usize>(file: &[u8], name: &[u8], skip: usize) -> [u64; N] {
    let mut numbers = [0; N];
    if let Some(line) = text::lines(file).find(|line| text::words(line).next() == Some(name)) {
        for (number, word) in numbers.iter_mut().zip(text::words(line).skip(1 + skip)) {
            *number = text::number(word).unwrap_or(0);
        }
    }
    numbers
}

/// A number that may be negative or in hexadecimal (`0x1003`), as sysfs writes them.
pub(crate) fn integer(word: &[u8]) -> Option<i64> {
    match word.strip_prefix(b"0x") {
        Some(digits) => hex(digits).and_then(|value| i64::try_from(value).ok()),
        None => text::signed(word),
    }
}

/// A number in hexadecimal, without a prefix.
pub(crate) fn hex(word: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(word).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u64::from_str_radix(digits, 16).ok()
}

/// What was read, or nothing: a file that cannot be read costs its own rows, and is a problem of this scrape.
pub(crate) fn or_problem<T>(read: Result<Option<T>, ReadError>, problems: &mut Vec<ReadError>) -> Option<T> {
    read.unwrap_or_else(|problem| {
        problems.push(problem);
        None
    })
}

/// A whole number that may be negative or wider than 64 bits.
pub(crate) fn wide(word: &[u8]) -> Option<f64> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    float(word)
}

/// A decimal number, with or without a fraction.
pub(crate) fn float(word: &[u8]) -> Option<f64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_include_pattern_takes_the_place_of_the_default_exclude_pattern() {
        let pattern = |text: &str| text.parse::<Pattern>().unwrap();
        let filter = Filter::new(&pattern("^sd"), &pattern("^sda$"), "^sda$");
        assert!(filter.passes("sda") && !filter.passes("nvme0n1"));
        let filter = Filter::new(&Pattern::default(), &pattern("^sda$"), "^sda$");
        assert!(!filter.passes("sda") && filter.passes("nvme0n1"));
    }

    #[test]
    fn what_no_name_may_hold_is_one_underscore() {
        for (text, name) in [("dram", "dram"), ("package-0 die", "package_0_die"), ("a_-_b", "a_b"), ("a__b", "a__b")] {
            assert_eq!(metric_name(text), name);
        }
    }

    #[test]
    fn a_short_line_ends_in_zeros_and_a_long_one_is_cut() {
        assert_eq!(numbers_after(b"rpc 1\nproc4 2 7 8\n", b"proc4", 1), [7, 8, 0]);
        assert_eq!(numbers_after(b"net 1 2 3 4\n", b"net", 0), [1, 2]);
        assert_eq!(numbers_after(b"network 1 2\n", b"net", 0), [0, 0]);
    }

    #[test]
    fn sysfs_writes_integers_in_three_ways() {
        assert_eq!(integer(b"0x1003"), Some(0x1003));
        assert_eq!(integer(b"-1"), Some(-1));
        assert_eq!(integer(b"1500"), Some(1500));
        assert_eq!(integer(b"up"), None);
        assert_eq!(hex(b"+1"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..30)) {
            let _ = (integer(&bytes), hex(&bytes), float(&bytes), numbers_after::<4>(&bytes, b"a", 1));
        }
    }
}
