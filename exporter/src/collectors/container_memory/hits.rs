//! Limit hits of version 1 cgroups, without reading each file at each scrape.
//!
//! Three files a cgroup hold counters that rarely move, and the kernel says elsewhere that they cannot have moved:
//!
//! - A limit is only hit by a charge that would lead beyond it, so `memory.failcnt` stands still while the peak is
//!   further from the limit than the largest charge. The same holds for the limit of memory and swap together while
//!   nothing is swapped out.
//! - An OOM kill is counted in `/proc/vmstat` too; while `oom_kill` stands still there, it does
//!   in every `memory.oom_control`.
//!
//! A limit that was lowered less than a minute ago may be known by its old value, so a hit of it may show up to a
//! minute late. It is not lost: the counter is the kernel's.

use kernfs::{Host, ReadError, Reader, text};

use super::parse;
use crate::identity::{Controller, Group, Layout, PerGroup};

/// More than the kernel charges at once: a huge page and a batch of 64 pages.
const LARGEST_CHARGE: u64 = 4 << 20;
/// How long every cgroup is asked after a kill. The kernel counts it in both places within microseconds.
const AFTER_KILL_SECONDS: f64 = 5.0;

/// What one cgroup's limit did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hits {
    /// Charges that the memory limit refused at first.
    pub(super) failcnt: u64,
    /// Charges that the limit of memory and swap refused at first.
    pub(super) failcnt_with_swap: u64,
    /// Processes killed, those in inner cgroups among them; `None` before Linux 4.13.
    pub(super) oom_kill: Option<u64>,
}

/// What was read before.
#[derive(Debug, Default)]
pub(super) struct Known {
    hits: PerGroup<Hits>,
    kills: Option<u64>,
    killed_at: f64,
    ask_for_kills: bool,
}

impl Known {
    /// To be called first in a scrape.
    pub(super) fn begin(&mut self, host: &Host, reader: &mut Reader, now: f64) -> Result<(), ReadError> {
        self.hits.begin();
        let kills = reader
            .read(&host.proc, "vmstat")?
            .and_then(|file| text::pairs(file).find(|(key, _)| *key == b"oom_kill").map(|(_, count)| count));
        if kills != self.kills {
            self.killed_at = now;
        }
        self.ask_for_kills = kills.is_none() || (now - self.killed_at).abs() < AFTER_KILL_SECONDS;
        self.kills = kills;
        Ok(())
    }

    /// What the limit of a cgroup did so far.
    pub(super) fn hits(
        &mut self,
        group: &mut Group,
        layout: &Layout,
        reader: &mut Reader,
        peak: u64,
        swapped: u64,
        now: f64,
    ) -> Result<Hits, ReadError> {
        let limits = group.memory_limits(layout, reader, now)?.unwrap_or_default();
        let used_up = peak.saturating_add(LARGEST_CHARGE);
        let near = limits.limit.is_some_and(|limit| used_up >= limit.0);
        let near_with_swap = limits.swap.is_some_and(|limit| swapped > 0 || used_up >= limit.0);
        let known = self.hits.of(group).copied();
        let mut hits = known.unwrap_or_default();
        let mut number = |name| -> Result<u64, ReadError> {
            Ok(group.read(layout, Controller::Memory, name, reader)?.and_then(text::only_number).unwrap_or(0))
        };
        if known.is_none() || near {
            hits.failcnt = number("memory.failcnt")?;
        }
        if known.is_none() || near_with_swap {
            hits.failcnt_with_swap = number("memory.memsw.failcnt")?;
        }
        if known.is_none() || self.ask_for_kills {
            hits.oom_kill = kills_of(group, layout, reader)?;
        }
        self.hits.remember(group, hits);
        Ok(hits)
    }
}

fn kills_of(group: &mut Group, layout: &Layout, reader: &mut Reader) -> Result<Option<u64>, ReadError> {
    let file = group.read(layout, Controller::Memory, "memory.oom_control", reader)?;
    let mut kills = file.and_then(|file| parse::events(file).oom_kill);
    group.read_inner(layout, Controller::Memory, "memory.oom_control", reader, |file| {
        kills = kills.map(|kills| kills.saturating_add(parse::events(file).oom_kill.unwrap_or(0)));
    })?;
    Ok(kills)
}
