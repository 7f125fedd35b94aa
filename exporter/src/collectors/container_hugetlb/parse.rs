//! Page sizes as folders of `/sys/kernel/mm/hugepages` name them (`hugepages-2048kB`), and as cgroup files do (`2MB`);
//! `hugetlb.<size>.events` (admin-guide/cgroup-v2.rst, "hugetlb"):
//! ```text
//! max 1
//! ```

use kernfs::text;

/// `hugepages-2048kB` → `2MB`.
pub(super) fn size(folder: &str) -> Option<String> {
    let kib = text::number(folder.strip_prefix("hugepages-")?.strip_suffix("kB")?.as_bytes())?;
    Some(match kib {
        0..1024 => format!("{kib}KB"),
        1024..0x10_0000 => format!("{}MB", kib >> 10),
        _ => format!("{}GB", kib >> 20),
    })
}

/// `max` of `hugetlb.<size>.events`.
pub(super) fn refused(file: &[u8]) -> Option<u64> {
    text::pairs(file).find(|(key, _)| *key == b"max").map(|(_, count)| count)
}

/// A size; `max` and what is larger than any machine are no limit.
pub(super) fn limit(file: &[u8]) -> Option<u64> {
    text::only_number(file).filter(|bytes| *bytes <= 1 << 62)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_named_as_the_cgroup_files_are() {
        let sizes = ["hugepages-64kB", "hugepages-2048kB", "hugepages-1048576kB", "hugepages-16777216kB"].map(size);
        assert_eq!(sizes.map(Option::unwrap), ["64KB", "2MB", "1GB", "16GB"]);
        assert_eq!((size("hugepages-kB"), size("2048kB")), (None, None));
    }

    #[test]
    fn refusals_and_limits_are_numbers() {
        assert_eq!((refused(b"max 3\n"), refused(b"")), (Some(3), None));
        assert_eq!((limit(b"max\n"), limit(b"9223372036852678656\n"), limit(b"0\n")), (None, None, Some(0)));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), folder in "hugepages-[0-9]{0,22}(kB)?") {
            let _ = (refused(&bytes), limit(&bytes), size(&folder));
        }
    }
}
