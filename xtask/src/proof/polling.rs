//! What an agent sees of short-lived cgroups that reads their files every 15 seconds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often files are read.
pub(super) const PERIOD: Duration = Duration::from_secs(15);

/// The last reading of each cgroup that was ever seen.
pub(super) struct Polling {
    folder: PathBuf,
    due: Instant,
    last_us: BTreeMap<PathBuf, u64>,
    readings: u32,
}

impl Polling {
    pub(super) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), due: Instant::now() + PERIOD, last_us: BTreeMap::new(), readings: 0 }
    }

    /// Reads if it is time.
    pub(super) fn turn(&mut self) {
        if Instant::now() < self.due {
            return;
        }
        self.due += PERIOD;
        self.readings += 1;
        let mut pending = vec![self.folder.clone()];
        while let Some(folder) = pending.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    pending.push(entry.path());
                }
            }
            let Ok(text) = std::fs::read_to_string(folder.join("cpu.stat")) else { continue };
            let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse().ok());
            if let Some(usage) = usage.filter(|_| folder != self.folder) {
                self.last_us.insert(folder, usage);
            }
        }
    }

    /// Readings, cgroups seen, and their CPU time in ns.
    pub(super) fn seen(&self) -> (u32, usize, u64) {
        (self.readings, self.last_us.len(), self.last_us.values().sum::<u64>() * 1000)
    }
}
