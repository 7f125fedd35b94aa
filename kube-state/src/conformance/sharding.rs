//! Comparison with shards that kube-state-metrics picks for uids, and what must hold of shards for any uid.
//!
//! The input is a JSON list of `{uid, shard_by_total: {"3": 1, …}}`.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

use crate::shard::Shard;

/// Uids beside those of the input for which the properties are looked at.
const UIDS: u32 = 10_000;
/// As many shards as the properties are looked at for.
const MOST_SHARDS: u32 = 10;

#[derive(Debug, Deserialize)]
struct Pair {
    uid: String,
    shard_by_total: BTreeMap<u32, u32>,
}

/// What was compared and what differs.
#[derive(Debug, Default)]
pub struct Report {
    /// Pairs of a uid and a number of shards.
    pub pairs: usize,
    /// Those for which we pick the same shard.
    pub equal: usize,
    /// Uids whose shards were counted.
    pub uids: usize,
    /// Those that are in exactly one shard, however many shards there are.
    pub whole: usize,
    /// One text for each difference.
    pub differences: Vec<String>,
    /// For each number of shards, how many objects stay where they are when there is one more.
    pub stay: Vec<usize>,
}

impl Report {
    /// Whether something was compared and nothing differs.
    pub fn is_clean(&self) -> bool {
        self.pairs > 0 && self.differences.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        let (equal, pairs, uids, whole) = (self.equal, self.pairs, self.uids, self.whole);
        writeln!(f, "sharding pairs equal: {equal} of {pairs}")?;
        writeln!(f, "union of shards: {whole} of {uids} objects, each in one shard, for 1 to {MOST_SHARDS} shards")?;
        let stay: Vec<String> =
            (1..).zip(&self.stay).map(|(from, stay)| format!("{from}→{}: {stay}", from + 1)).collect();
        write!(f, "objects that stay, and are not listed again, with one shard more: {}", stay.join(", "))
    }
}

/// Compares all pairs of a text.
pub fn compare(text: &str) -> Result<Report, serde_json::Error> {
    let pairs: Vec<Pair> = serde_json::from_str(text)?;
    let mut report = Report::default();
    for pair in &pairs {
        for (total, expected) in &pair.shard_by_total {
            let picked = shards_of(&pair.uid, *total);
            report.pairs += 1;
            if picked == [*expected] {
                report.equal += 1;
            } else {
                report.differences.push(format!("uid {:?} of {total} shards: {picked:?}, not {expected}", pair.uid));
            }
        }
    }
    let made = (0..UIDS).map(|number| format!("{:08x}-0000-4000-8000-{number:012}", number.wrapping_mul(0x9e37_79b9)));
    let uids: Vec<String> = pairs.into_iter().map(|pair| pair.uid).chain(made).collect();
    report.uids = uids.len();
    for total in 1..=MOST_SHARDS {
        report.look_at(&uids, total);
    }
    let in_one = |uid: &&String| (1..=MOST_SHARDS).all(|total| shards_of(uid, total).len() == 1);
    report.whole = uids.iter().filter(in_one).count();
    Ok(report)
}

impl Report {
    /// Each uid is in one of so many shards, and with one shard more it stays there or goes to the new one.
    fn look_at(&mut self, uids: &[String], total: u32) {
        let mut stay = 0;
        for uid in uids {
            let (before, after) = (shards_of(uid, total), shards_of(uid, total + 1));
            if before.len() != 1 {
                self.differences.push(format!("uid {uid:?} is in the shards {before:?} of {total}"));
            } else if before == after {
                stay += 1;
            } else if after != [total] {
                self.differences.push(format!("uid {uid:?} moves from {before:?} to {after:?} with shard {total}"));
            }
        }
        if total < MOST_SHARDS {
            self.stay.push(stay);
        }
    }
}

fn shards_of(uid: &str, total: u32) -> Vec<u32> {
    let shards = (0..total).filter_map(|ordinal| Shard::new(ordinal, total).ok());
    shards.filter(|shard| shard.has(uid)).map(Shard::ordinal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_shard_is_a_difference() {
        let pair = |shard: u32| format!(r#"[{{"uid": "a", "shard_by_total": {{"10": {shard}, "64": 31}}}}]"#);
        let report = compare(&pair(2)).unwrap();
        assert!(report.is_clean() && report.equal == 2 && report.uids == 10_001, "{report}");
        let report = compare(&pair(3)).unwrap();
        assert!(!report.is_clean() && report.equal == 1 && report.to_string().contains("[2], not 3"), "{report}");
        assert!(!compare("[]").unwrap().is_clean());
    }
}
