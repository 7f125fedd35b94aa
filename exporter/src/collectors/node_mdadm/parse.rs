//! `/proc/mdstat`:
//! ```text
//! Personalities : [raid6] [raid5] [raid4] [raid1]
//! md3 : active raid6 sda1[8] sdh1[7] sdg1[6] sdf1[5] sde1[11](F) sdd1[3](S)
//!       5853468288 blocks super 1.2 level 6, 64k chunk, algorithm 2 [8/7] [UUUUUUU_]
//!       bitmap: 0/6 pages [0KB], 65536KB chunk
//!       [=>...................]  recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec
//!
//! unused devices: <none>
//! ```
//! An array starts a line; what belongs to it is indented.

use kernfs::text;

/// What an array does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    Active,
    Inactive,
    Recovering,
    Resync,
    Check,
    /// Reshaping, or a word of another kernel.
    Other,
}

/// An array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Array {
    pub(super) name: String,
    pub(super) activity: Activity,
    pub(super) disks_active: u64,
    pub(super) disks_required: u64,
    pub(super) disks_failed: u64,
    pub(super) disks_spare: u64,
    pub(super) blocks: u64,
    pub(super) blocks_synced: u64,
}

/// The arrays of the file, as far as they make sense.
pub(super) fn arrays(file: &[u8]) -> Vec<Array> {
    let file = text::text(file);
    let mut arrays: Vec<Array> = Vec::new();
    let mut head = "";
    for line in file.split('\n').filter(|line| !line.is_empty()) {
        if line.starts_with([' ', '\t']) {
            if let Some(array) = arrays.last_mut().filter(|_| !head.is_empty()) {
                array.read_more(head, line);
            }
        } else if let Some(array) = Array::of(line) {
            head = line;
            arrays.push(array);
        } else {
            head = "";
        }
    }
    arrays
}

impl Array {
    fn of(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once(" : ")?;
        if name == "Personalities" || name.starts_with("unused") || name.contains(' ') {
            return None;
        }
        let activity = match rest.split_ascii_whitespace().next()? {
            "active" => Activity::Active,
            "inactive" => Activity::Inactive,
            _ => Activity::Other,
        };
        let count = |flag: &str| line.matches(flag).count() as u64;
        Some(Self {
            name: name.to_owned(),
            activity,
            disks_active: 0,
            disks_required: 0,
            disks_failed: count("(F)"),
            disks_spare: count("(S)"),
            blocks: 0,
            blocks_synced: 0,
        })
    }

    fn read_more(&mut self, head: &str, line: &str) {
        if line.contains(" blocks") {
            self.read_size(head, line);
        } else if line.contains('%') || line.contains("PENDING") || line.contains("DELAYED") {
            self.read_progress(line);
        }
    }

    fn read_size(&mut self, head: &str, line: &str) {
        self.blocks = line.split_ascii_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
        self.blocks_synced = self.blocks;
        if head.contains("raid0") || head.contains("linear") {
            // These have no redundancy: all disks are needed, and there.
            let disks = head.matches('[').count() as u64;
            (self.disks_required, self.disks_active) = (disks, disks);
        } else if self.activity != Activity::Inactive
            && let Some((required, active)) = line.split('[').find_map(pair)
        {
            // An array that does not run needs no disks and has none, whatever its line says.
            (self.disks_required, self.disks_active) = (required, active);
        }
    }

    fn read_progress(&mut self, line: &str) {
        self.activity = if line.contains("recovery") {
            Activity::Recovering
        } else if line.contains("reshape") {
            Activity::Other
        } else if line.contains("check") {
            Activity::Check
        } else if line.contains("resync") {
            Activity::Resync
        } else {
            return;
        };
        self.blocks_synced = line.split('(').find_map(pair).map_or(0, |(synced, _)| synced);
    }
}

/// `8/7]…` or `8/7)…`.
fn pair(text: &str) -> Option<(u64, u64)> {
    let (numbers, _) = text.split_once([']', ')'])?;
    let (first, second) = numbers.split_once('/')?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_resync_that_waits_has_synced_nothing() {
        let file = b"Personalities : [raid1]\nmd0 : active raid1 sda1[0] sdb1[1]\n      248896 blocks [2/2] [UU]\n      \tresync=PENDING\n\nunused devices: <none>\n";
        let [array] = arrays(file).try_into().unwrap();
        assert_eq!((array.activity, array.blocks, array.blocks_synced), (Activity::Resync, 248_896, 0));
        assert_eq!((array.disks_required, array.disks_active), (2, 2));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = arrays(&bytes);
        }

        #[test]
        fn no_array_panics(text in "(md0 : active raid1 sda\\[0\\]\n)?( {2}[0-9a-z\\[\\]()/ %=]{0,40}\n){0,4}") {
            let _ = arrays(text.as_bytes());
        }
    }
}
