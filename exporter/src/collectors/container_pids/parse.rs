//! `pids.events`: how often a fork was refused because the limit was reached (admin-guide/cgroup-v1/pids.rst).
//! ```text
//! max 3
//! ```
//! And the number of all tasks of the machine, from `/proc/loadavg` (running/all):
//! ```text
//! 0.87 0.59 0.57 1/102 6292
//! ```

use kernfs::text;

/// `max` of `pids.events`.
pub(super) fn refused(file: &[u8]) -> Option<u64> {
    text::pairs(file).find(|(key, _)| *key == b"max").map(|(_, count)| count)
}

/// All tasks, of `/proc/loadavg`.
pub(super) fn all_tasks(loadavg: &[u8]) -> Option<u64> {
    let both = text::words(loadavg).nth(3)?;
    let slash = both.iter().position(|byte| *byte == b'/')?;
    text::number(both.get(slash + 1..)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn figures_are_found_among_others() {
        assert_eq!(refused(b"max 3\nmax.imposed 4\n"), Some(3));
        assert_eq!(all_tasks(b"0.87 0.59 0.57 1/102 6292\n"), Some(102));
        assert_eq!((refused(b""), all_tasks(b"1 2 3 4 5")), (None, None));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = (refused(&bytes), all_tasks(&bytes));
        }
    }
}
