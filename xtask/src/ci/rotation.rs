//! Whose turn it is: of the parts that are too dear for each run, one runs in each.
//!
//! The number of commits says which, so that it is another one each time and the same for who runs it again. A shallow
//! clone does not know that number; there it is the day's. When each part last ran is kept in the cache, where a fresh
//! machine has nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::budget;
use crate::args::usage;
use crate::{places, process};

/// The parts and where it is noted when each ran.
pub(super) struct Rotation {
    parts: Vec<String>,
    notes: PathBuf,
    turn: u64,
}

impl Rotation {
    pub(super) fn of_this_machine(parts: Vec<String>) -> Result<Self> {
        Ok(Self { parts, notes: places::cache("ci")?.join("rotation"), turn: turn() })
    }

    /// The part that is asked for, else the one whose turn it is.
    pub(super) fn choose(&self, asked: Option<&str>) -> Result<String> {
        let Some(asked) = asked else {
            let count = u64::try_from(self.parts.len()).unwrap_or(1).max(1);
            let at = usize::try_from(self.turn % count).unwrap_or_default();
            return self.parts.get(at).cloned().context("invariant: there are parts");
        };
        let found = self.parts.iter().find(|part| *part == asked || part.split(' ').nth(1) == Some(asked));
        found.cloned().ok_or_else(|| usage(format!("ci: no part {asked:?}; there are {}", self.parts.join(", "))))
    }

    /// Keeps when a part ran, and what came of it.
    pub(super) fn note(&self, part: &str, time: u64, outcome: &str) -> Result<()> {
        let mut notes = self.notes();
        notes.insert(part.to_owned(), (time, outcome.to_owned()));
        let line = |(part, (time, outcome)): (&String, &(u64, String))| format!("{part}\t{time}\t{outcome}\n");
        places::write(&self.notes, notes.iter().map(line).collect::<String>())
    }

    /// A line for each part: whether it ran now, and when it last did.
    pub(super) fn report(&self, chosen: &[String], now: u64) -> String {
        let notes = self.notes();
        let mut text = String::new();
        for part in &self.parts {
            let last = match notes.get(part) {
                None => "not known on this machine".to_owned(),
                Some((time, outcome)) => format!("{}, {outcome}", ago(now.saturating_sub(*time))),
            };
            let turn = if chosen.contains(part) { "this run" } else { "another run" };
            writeln!(text, "{part}: {turn}; last ran: {last}").ok();
        }
        text
    }

    fn notes(&self) -> BTreeMap<String, (u64, String)> {
        let text = fs::read_to_string(&self.notes).unwrap_or_default();
        let note = |line: &str| {
            let mut words = line.split('\t');
            let (part, time, outcome) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
            Some((part.to_owned(), (time, outcome.to_owned())))
        };
        text.lines().filter_map(note).collect()
    }
}

fn turn() -> u64 {
    let git = |words: &[&str]| process::output(Command::new("git").current_dir(places::repo()).args(words));
    let is_whole = git(&["rev-parse", "--is-shallow-repository"]).is_ok_and(|answer| answer.trim() == "false");
    let commits = git(&["rev-list", "--count", "HEAD"]).ok().filter(|_| is_whole);
    commits.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| budget::now() / 86_400)
}

fn ago(seconds: u64) -> String {
    match seconds {
        0..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(dir: &tempfile::TempDir, turn: u64) -> Rotation {
        let parts = ["kernel 5.10", "kernel 6.1", "parity kubelet --vm"].map(str::to_owned).to_vec();
        Rotation { parts, notes: dir.path().join("rotation"), turn }
    }

    #[test]
    fn each_part_has_its_turn_and_can_be_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let turns: Vec<String> = (9..12).map(|turn| rotation(&dir, turn).choose(None).unwrap()).collect();
        assert_eq!(turns, ["kernel 5.10", "kernel 6.1", "parity kubelet --vm"]);
        assert_eq!(rotation(&dir, 0).choose(Some("6.1")).unwrap(), "kernel 6.1");
        assert_eq!(rotation(&dir, 0).choose(Some("parity kubelet --vm")).unwrap(), "parity kubelet --vm");
        assert!(rotation(&dir, 0).choose(Some("4.19")).unwrap_err().to_string().contains("kernel 5.10, kernel 6.1"));
    }

    #[test]
    fn a_fresh_machine_knows_of_no_run_and_a_used_one_of_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let rotation = rotation(&dir, 0);
        let chosen = ["kernel 5.10".to_owned()];
        assert!(
            rotation.report(&chosen, 0).starts_with("kernel 5.10: this run; last ran: not known on this machine\n")
        );
        rotation.note("kernel 6.1", 1_000, "failed").unwrap();
        rotation.note("kernel 6.1", 7_000, "passed").unwrap();
        let report = rotation.report(&chosen, 7_000 + 3 * 3600);
        assert!(report.contains("kernel 6.1: another run; last ran: 3 h ago, passed\n"), "{report}");
    }
}
