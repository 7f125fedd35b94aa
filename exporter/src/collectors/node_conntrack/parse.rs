//! `/proc/net/stat/nf_conntrack`: a head line, then a line a CPU in hexadecimal.
//! ```text
//! entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
//! 00000002  00000000 00000000 00000000 0000000b 00000008 00000000 00000000 00000000 00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000
//! ```
//! The first column is that of the whole table on every line; the others are the CPU's own.

use kernfs::text;

use crate::collectors::node::hex;

/// Counters of all CPUs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) found: u64,
    pub(super) invalid: u64,
    pub(super) ignore: u64,
    pub(super) insert: u64,
    pub(super) insert_failed: u64,
    pub(super) drop: u64,
    pub(super) early_drop: u64,
    pub(super) search_restart: u64,
}

/// Adds up the lines. A column is known by its name in the head line.
pub(super) fn counters(file: &[u8]) -> Counters {
    let mut all = Counters::default();
    let mut lines = text::lines(file);
    let Some(head) = lines.next() else { return all };
    for line in lines {
        for (name, word) in text::words(head).zip(text::words(line)) {
            let Some(value) = hex(word) else { continue };
            let total = match name {
                b"found" => &mut all.found,
                b"invalid" => &mut all.invalid,
                b"ignore" => &mut all.ignore,
                b"insert" => &mut all.insert,
                b"insert_failed" => &mut all.insert_failed,
                b"drop" => &mut all.drop,
                b"early_drop" => &mut all.early_drop,
                b"search_restart" => &mut all.search_restart,
                _ => continue,
            };
            *total = total.saturating_add(value);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_of_all_cpus_are_added_up_by_name() {
        let file = b"entries found  invalid drop\n00000005 0000000a 1 2\n00000005 00000001 1 2\n";
        let expected = Counters { found: 11, invalid: 2, drop: 4, ..Counters::default() };
        assert_eq!(counters(file), expected);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = counters(&bytes);
        }
    }
}
