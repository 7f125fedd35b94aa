//! `/proc/cpuinfo`, `/proc/meminfo` and small files below `/sys/devices/system`.
//!
//! ```text
//! processor       : 0
//! physical id     : 0
//! core id         : 3
//! ```

use std::collections::BTreeSet;

use kernfs::text;
use metric::{Bytes, Kibibytes};

/// How many different values a key has in `cpuinfo`.
pub(super) fn different(cpuinfo: &[u8], key: &[u8]) -> usize {
    let values: BTreeSet<&[u8]> = text::lines(cpuinfo)
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at(colon);
            (name.trim_ascii() == key).then(|| value.get(1..).unwrap_or_default().trim_ascii())
        })
        .collect();
    values.len()
}

/// A line of `meminfo`, of the machine or, where the key stands behind `Node 0`, of a memory node.
pub(super) fn meminfo(file: &[u8], key: &[u8]) -> Option<Bytes> {
    text::lines(file).find_map(|line| {
        let mut words = text::words(line).skip_while(|word| *word != key);
        words.next()?;
        Some(Kibibytes(text::number(words.next()?)?).into())
    })
}

/// How many CPUs a list such as `0-3,8` names.
pub(super) fn cpu_count(list: &[u8]) -> u64 {
    list.trim_ascii().split(|byte| *byte == b',').filter_map(range).map(|(first, last)| last - first + 1).sum()
}

fn range(word: &[u8]) -> Option<(u64, u64)> {
    let (first, last) = match word.iter().position(|byte| *byte == b'-') {
        Some(dash) => (text::number(word.get(..dash)?)?, text::number(word.get(dash + 1..)?)?),
        None => (text::number(word)?, text::number(word)?),
    };
    (first <= last && last - first < 1 << 20).then_some((first, last))
}

/// A size such as `32K` or `8M`.
pub(super) fn size(word: &[u8]) -> Option<Bytes> {
    let word = word.trim_ascii();
    let (digits, shift) = match word.split_last()? {
        (b'K', digits) => (digits, 10),
        (b'M', digits) => (digits, 20),
        (b'G', digits) => (digits, 30),
        _ => (word, 0),
    };
    Some(Bytes(text::number(digits)?.checked_mul(1 << shift)?))
}

/// The number behind a prefix: `cpu12`, `node0`, `hugepages-2048kB`.
pub(super) fn numbered(name: &str, prefix: &str, suffix: &str) -> Option<u64> {
    text::number(name.strip_prefix(prefix)?.strip_suffix(suffix)?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cores_and_packages_are_different_values() {
        let file =
            b"processor\t: 0\nphysical id\t: 0\ncore id\t\t: 0\n\nprocessor\t: 1\nphysical id\t: 0\ncore id\t\t: 1\n";
        assert_eq!((different(file, b"core id"), different(file, b"physical id"), different(file, b"book")), (2, 1, 0));
    }

    #[test]
    fn memory_of_the_machine_and_of_a_node() {
        assert_eq!(meminfo(b"MemTotal:       1024 kB\nMemFree: 1 kB\n", b"MemTotal:"), Some(Bytes(1 << 20)));
        assert_eq!(meminfo(b"Node 0 MemTotal:       2048 kB\n", b"MemTotal:"), Some(Bytes(2 << 20)));
    }

    #[test]
    fn lists_sizes_and_names() {
        assert_eq!((cpu_count(b"0-3,8\n"), cpu_count(b"0\n"), cpu_count(b"\n"), cpu_count(b"5-2")), (5, 1, 0, 0));
        assert_eq!(
            (size(b"32K\n"), size(b"1M"), size(b"64"), size(b"K")),
            (Some(Bytes(32 << 10)), Some(Bytes(1 << 20)), Some(Bytes(64)), None)
        );
        assert_eq!((numbered("cpu12", "cpu", ""), numbered("cpufreq", "cpu", "")), (Some(12), None));
        assert_eq!(numbered("hugepages-2048kB", "hugepages-", "kB"), Some(2048));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (different(&bytes, b"core id"), meminfo(&bytes, b"MemTotal:"), cpu_count(&bytes), size(&bytes));
        }
    }
}
