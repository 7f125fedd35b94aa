//! `/proc/<pid>/{stat,limits,schedstat,smaps_rollup}` (filesystems/proc.rst, scheduler/sched-stats.rst).
//!
//! `stat`: the name in brackets may hold anything, so what follows its last bracket is counted:
//! ```text
//! 1 (systemd) S 0 1 1 0 -1 4194560 24410 1035716 97 693 81 247 2231 1022 20 0 1 0 19 …
//!             ^ state                                             threads ^
//! ```
//! `limits`:
//! ```text
//! Limit                     Soft Limit           Hard Limit           Units
//! Max open files            1024                 524288               files
//! ```
//! `schedstat`, nanoseconds on a CPU, nanoseconds waiting for one, times put on one: `5328342 1193 27`.

use kernfs::text;
use metric::{Bytes, Kibibytes, Nanos};

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// On a CPU or ready for one.
    Running,
    /// Waiting, can be woken by a signal; idle kernel threads too.
    Sleeping,
    /// Waiting, cannot be woken by a signal.
    Uninterruptible,
    /// Stopped by a signal or a debugger.
    Stopped,
    /// Ended.
    Dead,
}

/// State of the thread and number of threads of its process.
pub(super) fn stat(file: &[u8]) -> Option<(State, u64)> {
    let bracket = file.iter().rposition(|byte| *byte == b')')?;
    let mut words = text::words(file.get(bracket + 1..)?);
    let state = match words.next()? {
        b"R" => State::Running,
        b"S" | b"I" => State::Sleeping,
        b"D" => State::Uninterruptible,
        b"T" | b"t" => State::Stopped,
        _ => State::Dead,
    };
    Some((state, words.nth(16).and_then(text::number)?))
}

/// Soft limit of open files; -1 is unlimited.
pub(super) fn open_files_limit(file: &[u8]) -> Option<i64> {
    let line = text::lines(file).find_map(|line| line.strip_prefix(b"Max open files"))?;
    match text::words(line).next()? {
        b"unlimited" => Some(-1),
        word => text::signed(word),
    }
}

/// What the scheduler did with a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scheduled {
    pub(super) run: Nanos,
    pub(super) wait: Nanos,
    pub(super) periods: u64,
}

/// What the scheduler did with a thread.
pub(super) fn schedstat(file: &[u8]) -> Option<Scheduled> {
    let mut numbers = text::words(file).map_while(text::number);
    Some(Scheduled { run: Nanos(numbers.next()?), wait: Nanos(numbers.next()?), periods: numbers.next()? })
}

/// `Referenced` of `smaps_rollup`.
pub(super) fn referenced(file: &[u8]) -> Option<Bytes> {
    text::pairs(file).find(|(key, _)| *key == b"Referenced:").map(|(_, kib)| Kibibytes(kib).into())
}

/// Whether `wchan` names a place where threads wait for a disk: the kernel's functions that do are called after what
/// they wait for.
pub(super) fn waits_for_disk(wchan: &[u8]) -> bool {
    const PLACES: &[&[u8]] = &[
        b"folio_wait",
        b"wait_on_page",
        b"io_schedule",
        b"bit_wait_io",
        b"__wait_on_buffer",
        b"blk_",
        b"blkdev_",
        b"submit_bio_wait",
        b"bio_",
        b"rq_qos_wait",
        b"wbt_wait",
        b"jbd2_",
        b"xlog_",
        b"__iomap_dio_rw",
        b"wait_for_completion_io",
        b"balance_dirty_pages",
    ];
    PLACES.iter().any(|place| wchan.starts_with(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_with_brackets_does_not_hide_the_state() {
        let file = b"7 (a) R (b) S 0 1 1 0 -1 4194560 24410 1035716 97 693 81 247 2231 1022 20 0 12 0 19 20";
        assert_eq!(stat(file), Some((State::Sleeping, 12)));
        assert_eq!(
            stat(b"7 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 0 0 0 0 20 0 1 0 19").map(|s| s.0),
            Some(State::Sleeping)
        );
    }

    #[test]
    fn an_unlimited_limit_is_minus_one() {
        assert_eq!(
            open_files_limit(
                b"Limit  Soft\nMax open files            1024                 524288               files\n"
            ),
            Some(1024)
        );
        assert_eq!(
            open_files_limit(b"Max open files            unlimited            unlimited            files\n"),
            Some(-1)
        );
        assert_eq!(open_files_limit(b"Max processes 3 4 processes\n"), None);
    }

    #[test]
    fn scheduler_and_memory_files() {
        let expected = Scheduled { run: Nanos(5_328_342), wait: Nanos(1193), periods: 27 };
        assert_eq!(schedstat(b"5328342 1193 27\n"), Some(expected));
        assert_eq!(
            referenced(b"00400000-7ffe [rollup]\nRss:  884 kB\nReferenced:          884 kB\n"),
            Some(Bytes(884 << 10))
        );
    }

    #[test]
    fn waiting_for_a_disk_is_told_by_the_place() {
        assert!(waits_for_disk(b"folio_wait_bit_common") && waits_for_disk(b"jbd2_log_wait_commit"));
        assert!(!waits_for_disk(b"do_wait") && !waits_for_disk(b"0") && !waits_for_disk(b""));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (stat(&bytes), open_files_limit(&bytes), schedstat(&bytes), referenced(&bytes), waits_for_disk(&bytes));
        }
    }
}
