//! `/proc/stat`, as far as it is about single CPUs (filesystems/proc.rst, "Miscellaneous kernel statistics in
//! /proc/stat"), in clock ticks:
//! ```text
//! cpu  4705 150 1120 16250856 1259 42 30 0 0 0
//! cpu0 1393 82 560 8125420 600 21 15 0 0 0
//! cpu1 3312 68 560 8125436 659 21 15 0 0 0
//! ```
//! `procfs-core` reads this file too, but leaves out which CPU a line is about, and numbers have gaps when CPUs are
//! offline.
//!
//! `/sys/devices/system/cpu/isolated` is a list of ranges: `2-5,7`.

use kernfs::text;

/// Ticks in each mode: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest nice. Columns that an older
/// kernel lacks are zero.
pub(super) type Times = [u64; 10];

/// The number of each CPU that is online, and its times.
pub(super) fn cpus(file: &[u8]) -> impl Iterator<Item = (&str, Times)> {
    text::lines(file).filter_map(|line| {
        let mut words = text::words(line);
        let number = words.next()?.strip_prefix(b"cpu")?;
        text::number(number)?;
        let mut times = Times::default();
        for (time, word) in times.iter_mut().zip(words) {
            *time = text::number(word)?;
        }
        Some((std::str::from_utf8(number).ok()?, times))
    })
}

/// More CPUs than a kernel can have: `NR_CPUS` ends at 8192.
const MOST_CPUS: u64 = 1 << 16;

/// Numbers in a list of ranges, as far as they make sense.
pub(super) fn ranges(list: &[u8]) -> impl Iterator<Item = u64> {
    list.trim_ascii().split(|byte| *byte == b',').flat_map(|range| {
        let mut ends = range.splitn(2, |byte| *byte == b'-').map(text::number);
        let first = ends.next().flatten();
        let last = ends.next().unwrap_or(first);
        match (first, last) {
            (Some(first), Some(last)) if last < MOST_CPUS => first..=last,
            #[expect(clippy::reversed_empty_ranges, reason = "an empty range of the same type")]
            _ => 1..=0,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_line_of_all_cpus_and_lines_of_another_shape_are_left_out() {
        let file = b"cpu  9 9 9 9\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu3 1 2 3 4\nintr 5\ncpux 1\ncpu4 1 x\n";
        let found: Vec<_> = cpus(file).collect();
        assert_eq!(found, [("0", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), ("3", [1, 2, 3, 4, 0, 0, 0, 0, 0, 0])]);
    }

    #[test]
    fn a_list_of_ranges_is_its_numbers() {
        assert_eq!(ranges(b"2-5,7\n").collect::<Vec<_>>(), [2, 3, 4, 5, 7]);
        assert_eq!(ranges(b"\n").count() + ranges(b"5-2").count() + ranges(b"0-99999999").count(), 0);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (cpus(&bytes).count(), ranges(&bytes).count());
        }
    }
}
