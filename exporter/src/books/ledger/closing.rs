//! Closes the books of removed cgroups and deletes old entries.

use std::collections::HashSet;

use metric::Histogram;

use crate::ids::CgroupId;

use super::{
    super::moment::Moment,
    LINGER_NS, Ledger, Member, RETAIN,
    lifetimes::LIFETIME_BOUNDS,
    unit::{Reason, UnitId},
    workload::Workload,
};

/// Maximum time for which the last tasks are waited for.
const LINGER_MOST_NS: u64 = 8_000_000_000;
/// Time from a cgroup's removal to the removal of its row in the kernel's map.
const KEEP_ROW_NS: u64 = 10_000_000_000;
/// Time for which a workload without containers is kept, in seconds.
const RETAIN_WORKLOAD: f64 = 3600.0;
/// Maximum of removed cgroups whose ids are kept, in case a task that outlived them is freed.
const SETTLED_MOST: usize = 16_384;

impl Ledger {
    /// Closes the books of what is gone, and forgets these cgroups, whose rows the kernel has forgotten.
    pub fn settle(&mut self, gone: &[CgroupId], now: Moment) {
        let Moment { mono_ns: now_ns, wall: now } = now;
        self.end_units(now_ns, now);
        for id in gone {
            let Some(member) = self.members.remove(id) else { continue };
            let workload = self.units.get(&member.unit).and_then(|unit| unit.workload);
            self.leave(member.unit);
            if let Some(workload) = workload {
                self.remember_settled(*id, workload);
            }
        }
        self.forget_units(now);
        self.forget_workloads(now);
    }

    /// Cgroups that are gone for so long that the kernel's rows can go, and they with them.
    pub fn leaving(&self, now_ns: u64) -> Vec<CgroupId> {
        let is_done = |member: &Member| member.closed_ns != 0 && now_ns.saturating_sub(member.closed_ns) > KEEP_ROW_NS;
        self.members.iter().filter(|(_, member)| is_done(member)).map(|(id, _)| *id).collect()
    }

    fn end_units(&mut self, now_ns: u64, now: f64) {
        for unit in self.units.values_mut() {
            // The kernel frees a task some time after its end: the last one's status is there when a task was freed
            // after the cgroup had become empty.
            let waited = now_ns.saturating_sub(unit.closed_ns);
            let complete = waited >= LINGER_NS && unit.last_end_ns >= unit.emptied_ns;
            let due = unit.closed_ns != 0 && (complete || waited >= LINGER_MOST_NS);
            if !due || unit.ended || (unit.is_real() && unit.workload.is_none()) {
                continue;
            }
            unit.ended = true;
            unit.ended_at = now;
            let reason = unit.reason();
            let Some(workload) = unit.workload.and_then(|at| self.workloads.at_mut(at)) else { continue };
            workload.touched = now;
            workload.add_memory(unit, now);
            if unit.sandbox {
                continue;
            }
            let at = Reason::NAMES.iter().position(|name| *name == reason.name());
            if let Some(count) = at.and_then(|at| workload.exited.get_mut(at)) {
                *count += 1;
            }
            if unit.opened_ns != 0 {
                let end = if unit.emptied_ns == 0 { unit.closed_ns } else { unit.emptied_ns };
                let key = (workload.key.namespace.clone(), workload.key.kind);
                let lifetimes = self.lifetimes.entry(key).or_insert_with(|| {
                    let mut histogram = Histogram::new(LIFETIME_BOUNDS, 3);
                    histogram.created = Some(now);
                    histogram
                });
                lifetimes.observe(end.saturating_sub(unit.opened_ns) as f64 / 1e9);
            }
        }
    }

    fn remember_settled(&mut self, id: CgroupId, workload: usize) {
        if self.settled.insert(id, workload).is_none() {
            self.settled_order.push_back(id);
        }
        while self.settled_order.len() > SETTLED_MOST {
            if let Some(oldest) = self.settled_order.pop_front() {
                self.settled.remove(&oldest);
            }
        }
    }

    fn forget_units(&mut self, now: f64) {
        let dead = self.units.values().filter(|unit| unit.ended).count();
        let mut surplus = dead.saturating_sub(self.limits.dead);
        let mut gone: Vec<(UnitId, f64)> = self
            .units
            .iter()
            .filter(|(_, unit)| unit.ended && unit.members == 0)
            .map(|(number, unit)| (*number, unit.closed.unwrap_or(now)))
            .collect();
        gone.sort_by(|a, b| a.1.total_cmp(&b.1));
        for (number, closed) in gone {
            let Some(unit) = self.units.get(&number) else { continue };
            let seen = self.scrapers.all_had_twice(unit.ended_at, now) || now - closed >= RETAIN || !unit.is_real();
            if !seen && surplus == 0 {
                continue;
            }
            surplus = surplus.saturating_sub(1);
            if self.by_path.get(&unit.path) == Some(&number) {
                self.by_path.remove(&unit.path);
            }
            self.units.remove(&number);
        }
    }

    fn forget_workloads(&mut self, now: f64) {
        let used: HashSet<usize> = self.units.values().filter_map(|unit| unit.workload).collect();
        for workload in self.workloads.iter_mut() {
            workload.running = 0;
        }
        for unit in self.units.values().filter(|unit| unit.closed_ns == 0 && unit.is_real() && !unit.sandbox) {
            if let Some(workload) = unit.workload.and_then(|at| self.workloads.at_mut(at)) {
                workload.running += 1;
            }
        }
        let is_done = |at: usize, workload: &Workload| !used.contains(&at) && now - workload.touched > RETAIN_WORKLOAD;
        let freed = self.workloads.forget(is_done);
        if !freed.is_empty() {
            self.settled.retain(|_, workload| !freed.contains(workload));
            self.names.keep_those_of(self.units.values());
        }
    }
}
