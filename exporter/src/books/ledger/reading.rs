//! Applies readings of the kernel's maps.

use super::{
    super::{
        moment::Moment,
        usage::{Row, Totals},
    },
    Ledger,
    key::other,
    tally::{Tallies, Tally},
    unit::UnitId,
};
use crate::ids::CgroupId;

/// Time for which a row waits for the record that names it; longer than the pump's period.
const CLAIM_NS: u64 = 3_000_000_000;

impl Ledger {
    /// Rows of the kernel's map, as they are now.
    pub fn measured(&mut self, rows: impl Iterator<Item = (CgroupId, Row)> + Clone, now: Moment) {
        self.adopt_strays(rows.clone(), now);
        for (id, row) in rows {
            let totals = row.totals;
            if id == CgroupId::NO_ROOM {
                let more = totals.since(&self.overflow);
                self.overflow = totals;
                self.all += more.cpu_ns;
                if more != Totals::default() {
                    let other = self.workload(other(), now.wall);
                    self.workloads.add(other, more, now.wall);
                }
            } else if id == self.root {
                let more = totals.cpu_ns.saturating_sub(std::mem::replace(&mut self.root_last_ns, totals.cpu_ns));
                self.root_ns += more;
                self.all += more;
            } else {
                self.apply(id, &row, now);
            }
        }
        self.resolve_all(now.wall);
    }

    /// Gives rows that have waited for their record long enough a place beside their siblings.
    fn adopt_strays(&mut self, rows: impl Iterator<Item = (CgroupId, Row)>, now: Moment) {
        let mut due = Vec::new();
        for (id, row) in rows {
            if id == CgroupId::NO_ROOM || id == self.root || self.members.contains_key(&id) {
                continue;
            }
            // The record may be on its way; the row will not run away.
            let since = *self.unclaimed.entry(id).or_insert(now.mono_ns);
            if now.mono_ns.saturating_sub(since) >= CLAIM_NS {
                due.push((id, row.parent));
            }
        }
        // Parents are older than their children and have smaller ids.
        due.sort_unstable();
        for (id, parent) in due {
            self.adopt(id, parent, now.wall);
        }
    }

    /// Applies the count of another feature for a cgroup. Called after [`Ledger::measured`], which knows the cgroups.
    pub fn tallied(&mut self, tally: Tally, id: CgroupId, count: u64, now: f64) {
        let last = match self.members.get_mut(&id) {
            Some(member) => member.tallies.number_mut(tally),
            None if id == CgroupId::NO_ROOM => self.overflow_tallies.number_mut(tally),
            None => return,
        };
        let more = count.saturating_sub(std::mem::replace(last, count));
        if more == 0 {
            return;
        }
        let tallies = Tallies::only(tally, more);
        let unit = self.members.get(&id).and_then(|member| self.units.get_mut(&member.unit));
        let Some(unit) = unit else {
            let other = self.workload(other(), now);
            self.workloads.add_tallies(other, tallies);
            return;
        };
        unit.tallies += tallies;
        if let Some(workload) = unit.workload {
            unit.flushed_tallies = unit.tallies;
            self.workloads.add_tallies(workload, tallies);
        }
    }

    /// A row without a name: its record was lost, or a task outlived its cgroup.
    fn adopt(&mut self, id: CgroupId, parent: CgroupId, now: f64) {
        let parent_path = match self.members.get(&parent) {
            Some(member) => member.path.as_str(),
            None if parent == self.root => "",
            None => "/other",
        };
        let path = format!("{parent_path}/cgroup-{}", id.0);
        self.made(id, &path, now);
        if let Some(member) = self.members.get_mut(&id) {
            member.nameless = true;
        }
        if let Some(workload) = self.settled.get(&id).copied()
            && let Some(member) = self.members.get(&id)
            && let Some(unit) = self.units.get_mut(&member.unit)
        {
            unit.workload = Some(workload);
            unit.counted_start = true;
            unit.ended = true;
        }
    }

    fn apply(&mut self, id: CgroupId, row: &Row, now: Moment) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let totals = &row.totals;
        let before = if totals.follows(&member.last) { member.last } else { Totals::default() };
        let more = totals.since(&before);
        member.last = *totals;
        if row.closed_ns != 0 {
            member.closed_ns = row.closed_ns;
        }
        self.all += more.cpu_ns;
        let Some(unit) = self.units.get_mut(&member.unit) else { return };
        unit.totals += more;
        if row.last_end_ns > unit.last_end_ns {
            unit.last_end_ns = row.last_end_ns;
            unit.status = Some(row.last_status);
        }
        if unit.path == member.path {
            unit.emptied_ns = row.emptied_ns;
            // Once, for the clocks drift and a beginning does not.
            if row.opened_ns != 0 && row.opened_ns != unit.opened_ns {
                unit.opened_ns = row.opened_ns;
                unit.created = now.wall_at(row.opened_ns);
            }
            if row.closed_ns != 0 && unit.closed_ns == 0 {
                unit.closed_ns = row.closed_ns;
                unit.closed = Some(now.wall_at(row.closed_ns).min(now.wall));
            }
            unit.learn_memory(row.memory);
        }
    }

    /// Gives each unit its workload, as soon as its name is known, and the workload what the unit used.
    fn resolve_all(&mut self, now: f64) {
        let numbers: Vec<UnitId> = self.units.keys().copied().collect();
        for number in numbers {
            let Some(unit) = self.units.get(&number) else { continue };
            if !unit.is_real() {
                continue;
            }
            let workload = if let Some(workload) = unit.workload {
                workload
            } else {
                let Some(key) = self.names.workload_of(unit, now) else { continue };
                // Not the time of this reading: the workload began with its first container, and a server that adds a
                // zero there must find it before the scrape that shows the first value.
                let began = unit.created;
                self.workload(key, began)
            };
            let Some(unit) = self.units.get_mut(&number) else { continue };
            if unit.workload.is_none() {
                self.names.complete(unit);
            }
            unit.workload = Some(workload);
            let more = unit.totals.since(&unit.flushed);
            unit.flushed = unit.totals;
            let tallies = unit.tallies.since(unit.flushed_tallies);
            unit.flushed_tallies = unit.tallies;
            let starts = !unit.counted_start && unit.opened_ns != 0 && !unit.sandbox;
            unit.counted_start = true;
            self.workloads.add(workload, more, now);
            self.workloads.add_tallies(workload, tallies);
            let (Some(workload), Some(unit)) = (self.workloads.at_mut(workload), self.units.get_mut(&number)) else {
                continue;
            };
            workload.started += u64::from(starts);
            workload.add_memory(unit, now);
        }
    }
}
