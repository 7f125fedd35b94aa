//! The meaning of each number of a row.

use super::talk::{CODES, Counts, TYPES};
use crate::books::times::Slots;

pub(super) const FIRST_ANSWER: usize = TYPES.len();
pub(super) const TRUNCATED: usize = FIRST_ANSWER + CODES.len();
pub(super) const TIMEOUTS: usize = TRUNCATED + 1;
pub(super) const FIRST_SLOT: usize = TIMEOUTS + 1;
/// Queries by type, answers by code, truncated answers, timeouts, times.
pub(super) const NUMBERS: usize = FIRST_SLOT + Slots::NUMBERS;

/// Counts of a cgroup, in that order.
pub(super) fn numbers(counts: &Counts) -> [u64; NUMBERS] {
    let mut all = [0; NUMBERS];
    let parts = counts.queries.iter().chain(&counts.answers).chain([&counts.truncated, &counts.timeouts]);
    for (to, from) in all.iter_mut().zip(parts.copied().chain(counts.took.numbers())) {
        *to = from;
    }
    all
}
