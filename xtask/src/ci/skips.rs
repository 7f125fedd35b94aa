//! The skips that are expected where everything can run: as root on Debian. One more is a failure.

use std::fs;

use anyhow::{Context as _, Result};

use crate::places;

/// Where they are listed.
pub(super) const FILE: &str = "xtask/skips.txt";

/// What the list allows: how many skips, and what they look like, `*` being any text.
#[derive(Debug, PartialEq)]
struct Line {
    most: usize,
    pattern: String,
}

/// The list.
#[derive(Debug)]
pub(super) struct Expected(Vec<Line>);

/// Skips beside the list.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) unexpected: Vec<String>,
    /// Lines that no skip fits.
    pub(super) unused: Vec<String>,
}

impl Expected {
    pub(super) fn read() -> Result<Self> {
        let path = places::repo().join(FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (most, pattern) = line.split_once(' ').unwrap_or_default();
            let most =
                most.parse().with_context(|| format!("{FILE}:{number}: {line:?} does not begin with a number"))?;
            lines.push(Line { most, pattern: pattern.to_owned() });
        }
        Ok(Self(lines))
    }

    pub(super) fn compare(&self, skips: &[String]) -> Compared {
        let mut compared = Compared::default();
        let mut used = vec![0; self.0.len()];
        for skip in skips {
            let mut lines = self.0.iter().zip(&mut used);
            match lines.find(|(line, used)| **used < line.most && fits(skip, &line.pattern)) {
                Some((_, used)) => *used += 1,
                None => compared.unexpected.push(skip.clone()),
            }
        }
        let unused = self.0.iter().zip(used).filter(|(_, used)| *used == 0);
        compared.unused = unused.map(|(line, _)| line.pattern.clone()).collect();
        compared
    }
}

fn fits(text: &str, pattern: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(text) = text.strip_prefix(begin) else { return false };
    (0..=text.len()).filter_map(|at| text.get(at..)).any(|text| fits(text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_skip_than_is_listed_is_told() {
        let list = Expected::parse("# Why.\n2 kernel 5.10: *: Linux 5.10* is older\n1 a: no x\n1 b: no y\n").unwrap();
        let skips = ["kernel 5.10: t: Linux 5.10.1 is older", "kernel 5.10: u: Linux 5.10.1 is older", "a: no x"];
        let mut skips = skips.map(str::to_owned).to_vec();
        let compared = list.compare(&skips);
        assert!(compared.unexpected.is_empty(), "{compared:?}");
        assert_eq!(compared.unused, ["b: no y"]);
        skips.push("kernel 5.10: v: Linux 5.10.1 is older".to_owned());
        skips.push("a: no z".to_owned());
        assert_eq!(list.compare(&skips).unexpected, ["kernel 5.10: v: Linux 5.10.1 is older", "a: no z"]);
    }

    #[test]
    fn the_committed_list_can_be_read() {
        assert!(Expected::read().is_ok());
        assert!(Expected::parse("x y").unwrap_err().to_string().contains(":1:"));
    }
}
