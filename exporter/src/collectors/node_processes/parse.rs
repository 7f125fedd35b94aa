//! `/proc/<pid>/stat` (filesystems/proc.rst, table 1-4): `4242 (a name) S 1 4242 …`. The name may hold anything, blanks
//! and parentheses too. `procfs-core` reads all 52 fields and panics on a truncated name; two are needed, of every
//! thread of the machine.

use kernfs::text;

/// State of a task, and how many threads its process has.
pub(super) fn stat(file: &[u8]) -> Option<(char, u64)> {
    let end = file.iter().rposition(|byte| *byte == b')')?;
    let mut words = text::words(file.get(end + 1..)?);
    let state = words.next()?;
    let [letter] = state else { return None };
    let threads = words.nth(16)?;
    Some((char::from(*letter), text::number(threads)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_may_hold_parentheses() {
        let file = b"7 (a) R 1) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 100 0\n";
        assert_eq!(stat(file), Some(('S', 3)));
        assert_eq!(stat(b"7 (a) S 1"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = stat(&bytes);
        }
    }
}
