//! Limits of a cgroup, read about once a minute because several slices use them and they rarely change. Cgroups take
//! turns, so that no single scrape reads all. New cgroups are read more often: a runtime sets limits shortly after it
//! creates the cgroup.
//!
//! Sources: `cpu.max`, `cpu.weight`, `memory.max`, `memory.min`, `memory.swap.max`, `pids.max`, `cpuset.*.effective`
//! (admin-guide/cgroup-v2.rst), and those of version 1: `cpu.cfs_quota_us`, `cpu.cfs_period_us`, `cpu.shares`,
//! `memory.limit_in_bytes`, `memory.soft_limit_in_bytes`, `memory.memsw.limit_in_bytes`, `cpuset.effective_*`,
//! `cpuset.memory_migrate` (admin-guide/cgroup-v1).

use kernfs::{ReadError, Reader, text};
use metric::{Bytes, Micros};

use super::{
    folders::Folders,
    layout::{Controller, Layout, Version},
};

/// Maximum age of a limit before it is read again, in seconds.
const HOLDS: f64 = 60.0;

/// CPU time that a cgroup may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuLimits {
    /// Time per period; `None` without a quota.
    pub quota: Option<Micros>,
    /// Length of a period; `None` where the kernel shows none, as for the root of version 2.
    pub period: Option<Micros>,
    /// Weight against siblings, 2 to 262144, 1024 unless set. On version 2 it is computed from `cpu.weight`.
    pub shares: Option<u64>,
}

impl CpuLimits {
    /// The quota in CPUs that it is worth.
    pub fn cores(self) -> Option<f64> {
        let (quota, period) = (self.quota?.0, self.period?.0);
        (period > 0).then(|| quota as f64 / period as f64)
    }
}

/// Memory that a cgroup may take; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryLimits {
    /// At most.
    pub limit: Option<Bytes>,
    /// Memory that it keeps when memory is short; zero is no guarantee.
    pub reservation: Option<Bytes>,
    /// Swap at most; on version 1 memory and swap together.
    pub swap: Option<Bytes>,
}

/// CPUs and memory nodes that a cgroup may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpusetLimits {
    /// Number of CPUs.
    pub cpus: u64,
    /// Number of memory nodes.
    pub memory_nodes: u64,
    /// Whether pages are migrated when the memory nodes change.
    pub migrates_memory: bool,
}

/// Limits of one cgroup as last read.
#[derive(Debug, Default)]
pub(super) struct Limits {
    cpu: Aged<CpuLimits>,
    memory: Aged<Option<MemoryLimits>>,
    tasks: Aged<Option<u64>>,
    cpuset: Aged<Option<CpusetLimits>>,
}

#[derive(Debug)]
struct Aged<T> {
    value: Option<T>,
    due: f64,
}

impl<T> Default for Aged<T> {
    fn default() -> Self {
        Self { value: None, due: 0.0 }
    }
}

impl<T: Copy> Aged<T> {
    /// The answer, while it holds. A clock that was set back makes it old.
    fn fresh(&self, now: f64) -> Option<T> {
        self.value.filter(|_| now < self.due && now >= self.due - HOLDS)
    }

    /// Keeps an answer for a time that grows with the cgroup's age. The first holds for a part of it that differs
    /// from cgroup to cgroup.
    fn keep(&mut self, value: T, of: &Asked<'_>) -> T {
        self.keep_at(value, of.now, of.created, of.path)
    }

    fn keep_at(&mut self, value: T, now: f64, created: f64, path: &str) -> T {
        let part = if self.value.is_none() { fraction(path) } else { 1.0 };
        self.due = now + (now - created).clamp(0.0, HOLDS) * part;
        self.value = Some(value);
        value
    }
}

/// A number in 0…1 that is the path's own (FNV-1a).
fn fraction(path: &str) -> f64 {
    let hash = path.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    f64::from(hash) / f64::from(u32::MAX)
}

/// The cgroup whose limits are asked for, and the means to read them.
pub(super) struct Asked<'a> {
    pub(super) folders: &'a mut Folders,
    pub(super) path: &'a str,
    /// When the cgroup was made, in seconds since the Unix epoch.
    pub(super) created: f64,
    pub(super) layout: &'a Layout,
    pub(super) reader: &'a mut Reader,
    /// In seconds since the Unix epoch.
    pub(super) now: f64,
}

impl Asked<'_> {
    fn read(&mut self, controller: Controller, name: &'static str) -> Result<Option<&[u8]>, ReadError> {
        self.folders.read(self.layout, controller, name, self.reader)
    }
}

impl Limits {
    /// CPU time it may take.
    pub(super) fn cpu(&mut self, of: &mut Asked<'_>) -> Result<CpuLimits, ReadError> {
        if let Some(known) = self.cpu.fresh(of.now) {
            return Ok(known);
        }
        let mut limits = CpuLimits::default();
        if of.layout.version(Controller::Cpu) == Some(Version::V2) {
            if let Some(file) = of.read(Controller::Cpu, "cpu.max")? {
                (limits.quota, limits.period) = cpu_max(file);
            }
            let weight = of.read(Controller::Cpu, "cpu.weight")?.and_then(text::only_number);
            limits.shares = weight.and_then(shares);
        } else {
            let mut number = |name| {
                let file = of.read(Controller::Cpu, name)?;
                Ok(file.and_then(text::only_number).filter(|number| *number > 0))
            };
            limits.quota = number("cpu.cfs_quota_us")?.map(Micros);
            limits.period = number("cpu.cfs_period_us")?.map(Micros);
            limits.shares = number("cpu.shares")?;
        }
        Ok(self.cpu.keep(limits, of))
    }

    /// Memory it may take; `None` when no memory controller counts for it.
    pub(super) fn memory(&mut self, of: &mut Asked<'_>) -> Result<Option<MemoryLimits>, ReadError> {
        if let Some(known) = self.memory.fresh(of.now) {
            return Ok(known);
        }
        let [limit, reservation, swap] = match of.layout.version(Controller::Memory) {
            Some(Version::V2) => ["memory.max", "memory.min", "memory.swap.max"],
            _ => ["memory.limit_in_bytes", "memory.soft_limit_in_bytes", "memory.memsw.limit_in_bytes"],
        };
        let mut read = |name| Ok(of.read(Controller::Memory, name)?.map(bytes));
        let limits = match read(limit)? {
            None => None,
            Some(limit) => {
                Some(MemoryLimits { limit, reservation: read(reservation)?.flatten(), swap: read(swap)?.flatten() })
            }
        };
        Ok(self.memory.keep(limits, of))
    }

    /// Tasks it may have; `None` without a limit.
    pub(super) fn tasks(&mut self, of: &mut Asked<'_>) -> Result<Option<u64>, ReadError> {
        if let Some(known) = self.tasks.fresh(of.now) {
            return Ok(known);
        }
        let limit = of.read(Controller::Pids, "pids.max")?.and_then(text::only_number);
        Ok(self.tasks.keep(limit, of))
    }

    /// CPUs and memory nodes it may use; `None` if no cpuset controller applies to it.
    pub(super) fn cpuset(&mut self, of: &mut Asked<'_>) -> Result<Option<CpusetLimits>, ReadError> {
        if let Some(known) = self.cpuset.fresh(of.now) {
            return Ok(known);
        }
        let v2 = of.layout.version(Controller::Cpuset) == Some(Version::V2);
        let [cpus, mems] = if v2 {
            ["cpuset.cpus.effective", "cpuset.mems.effective"]
        } else {
            ["cpuset.effective_cpus", "cpuset.effective_mems"]
        };
        let mut read = |name, value: fn(&[u8]) -> u64| Ok(of.read(Controller::Cpuset, name)?.map(value));
        let limits = match (read(cpus, listed)?, read(mems, listed)?) {
            (Some(cpus), Some(memory_nodes)) => {
                let flag = read("cpuset.memory_migrate", |file| text::only_number(file).unwrap_or(0))?;
                // Version 2 has no switch: it always moves them.
                Some(CpusetLimits { cpus, memory_nodes, migrates_memory: flag.map_or(v2, |flag| flag != 0) })
            }
            _ => None,
        };
        Ok(self.cpuset.keep(limits, of))
    }
}

/// `cpu.max`: `max 100000` or `50000 100000`; quota and period.
fn cpu_max(file: &[u8]) -> (Option<Micros>, Option<Micros>) {
    let mut words = text::words(file);
    let mut next = || words.next().and_then(text::number).filter(|micros| *micros > 0).map(Micros);
    (next(), next())
}

/// `cpu.weight`, 1 to 10000, on the scale of version 1, 2 to 262144.
fn shares(weight: u64) -> Option<u64> {
    (1..=10_000).contains(&weight).then(|| 2 + (weight - 1) * 262_142 / 9_999)
}

/// A size; `max` and what is larger than any machine are no limit.
fn bytes(file: &[u8]) -> Option<Bytes> {
    text::only_number(file).filter(|bytes| *bytes <= 1 << 62).map(Bytes)
}

/// Number of elements of a list such as `0-3,8`.
fn listed(file: &[u8]) -> u64 {
    file.trim_ascii()
        .split(|byte| *byte == b',')
        .map(|range| {
            let mut ends = range.splitn(2, |byte| *byte == b'-').map(text::number);
            match (ends.next().flatten(), ends.next()) {
                (Some(_), None) => 1,
                (Some(first), Some(Some(last))) if last >= first => (last - first).saturating_add(1),
                _ => 0,
            }
        })
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quota_is_worth_cpus_and_max_is_none() {
        let (quota, period) = cpu_max(b"150000 100000\n");
        assert_eq!(CpuLimits { quota, period, shares: None }.cores(), Some(1.5));
        assert_eq!(cpu_max(b"max 100000\n"), (None, Some(Micros(100_000))));
        assert_eq!(cpu_max(b""), (None, None));
    }

    #[test]
    fn weights_become_shares() {
        assert_eq!([1, 100, 10_000].map(shares), [Some(2), Some(2597), Some(262_144)]);
        assert_eq!((shares(0), shares(10_001)), (None, None));
    }

    #[test]
    fn no_limit_is_written_in_two_ways() {
        assert_eq!((bytes(b"max\n"), bytes(b"9223372036854771712\n")), (None, None));
        assert_eq!((bytes(b"0\n"), bytes(b"134217728\n")), (Some(Bytes(0)), Some(Bytes(134_217_728))));
    }

    #[test]
    fn lists_of_numbers_are_counted() {
        assert_eq!([&b"0\n"[..], b"0-3,8\n", b"\n", b"0-1,4-5,9-9\n", b"x-2,3-1"].map(listed), [1, 5, 0, 5, 0]);
    }

    #[test]
    fn young_cgroups_are_asked_again_soon_and_old_ones_after_a_minute() {
        let mut aged = Aged::default();
        aged.keep_at(1, 1000.0, 995.0, "/a");
        assert!(aged.fresh(1006.0).is_none(), "five seconds old: holds at most five seconds");
        aged.keep_at(1, 2000.0, 995.0, "/a");
        assert!(aged.fresh(2059.0).is_some() && aged.fresh(2061.0).is_none());
        assert!(aged.fresh(1500.0).is_none(), "the clock was set back");
        let dues = ["/a", "/b", "/c"].map(|path| {
            let mut aged = Aged::default();
            aged.keep_at(1, 1000.0, 0.0, path);
            aged.due
        });
        assert!(dues.iter().all(|due| (1000.0..=1060.0).contains(due)) && dues[0] != dues[1] && dues[1] != dues[2]);
    }

    proptest! {
        #[test]
        fn nothing_panics(file in prop::collection::vec(any::<u8>(), 0..60), list in "[0-9,-]{0,30}") {
            let _ = (cpu_max(&file), bytes(&file), listed(&file), listed(list.as_bytes()));
        }
    }
}
