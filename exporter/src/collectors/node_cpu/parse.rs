//! `/proc/stat`, as far as it is about single CPUs (filesystems/proc.rst, "Miscellaneous kernel statistics in
//! /proc/stat"), in clock ticks:
//! ```text
//! cpu  4705 150 1120 16250856 1259 42 30 0 0 0
//! cpu0 1393 82 560 8125420 600 21 15 0 0 0
//! cpu1 3312 68 560 8125436 659 21 15 0 0 0
//! ```
//! Numbers have gaps when CPUs are offline.
//!
//! `/proc/cpuinfo` has a block of lines a CPU, with a blank line between two:
//! ```text
//! processor\t: 0
//! model name\t: QEMU Virtual CPU version 2.5+
//! ```
//!
//! `/sys/devices/system/cpu/isolated` is a list of ranges: `2-5,7`.

use std::{borrow::Cow, collections::BTreeMap};

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

/// Fields of `/proc/cpuinfo` by CPU. Lines before the first `processor` belong to no CPU; a block of other lines at the
/// end, as on ARM, belongs to all.
pub(super) fn cpuinfo(file: &[u8]) -> Vec<BTreeMap<Cow<'_, str>, Cow<'_, str>>> {
    let mut blocks: Vec<BTreeMap<_, _>> = Vec::new();
    let mut common = BTreeMap::new();
    let mut is_of_cpu = false;
    for line in file.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            is_of_cpu &= !line.is_empty();
            continue;
        };
        let (key, value) = line.split_at(colon);
        let (key, value) = (key.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii());
        if key == b"processor" {
            blocks.push(BTreeMap::new());
            is_of_cpu = true;
        }
        let block = blocks.last_mut().filter(|_| is_of_cpu).unwrap_or(&mut common);
        block.insert(text::text(key), text::text(value));
    }
    for block in &mut blocks {
        for (key, value) in &common {
            block.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    blocks
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
    fn each_cpu_has_its_fields_and_those_of_all() {
        let file = b"noise\nvendor_id : all\n\nprocessor : 0\nmodel name : a:b\nodd \xff\n\nprocessor: 1\nbugs\t:\n\nHardware : X\n";
        let found = cpuinfo(file);
        let field = |cpu: usize, name: &str| found[cpu].get(name).map(ToString::to_string);
        assert_eq!(found.len(), 2);
        assert_eq!((field(0, "processor"), field(0, "model name")), (Some("0".into()), Some("a:b".into())));
        assert_eq!((field(1, "bugs"), field(1, "model name")), (Some(String::new()), None));
        assert_eq!((field(0, "Hardware"), field(1, "vendor_id")), (Some("X".into()), Some("all".into())));
        assert!(cpuinfo(b"").is_empty() && cpuinfo(b"x : y\n").is_empty());
    }

    #[test]
    fn a_list_of_ranges_is_its_numbers() {
        assert_eq!(ranges(b"2-5,7\n").collect::<Vec<_>>(), [2, 3, 4, 5, 7]);
        assert_eq!(ranges(b"\n").count() + ranges(b"5-2").count() + ranges(b"0-99999999").count(), 0);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (cpus(&bytes).count(), ranges(&bytes).count(), cpuinfo(&bytes).len());
        }
    }
}
