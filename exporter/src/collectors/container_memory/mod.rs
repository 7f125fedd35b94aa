//! Memory of each container: by kind, effects of its limit, and reclaim.
//!
//! Source: `memory.stat`, `memory.current`, `memory.peak`, `memory.swap.current` and `memory.events` of cgroup version
//! 2, or `memory.stat`, `memory.usage_in_bytes`, `memory.max_usage_in_bytes`, `memory.failcnt`, `memory.memsw.failcnt`,
//! `memory.kmem.usage_in_bytes` and `memory.oom_control` of version 1. A cgroup that no memory controller counts for
//! has no rows.
//!
//! cAdvisor prints constants where it does not look; here they are real: kernel memory, limit hits and memory events of
//! both versions, dirty pages and refaults of version 1. Where the kernel itself does not count, the series that a
//! kubelet has are there with 0: the peak before Linux 5.19 and pages scanned and reclaimed on version 1. Our own view
//! leaves such rows out.
//!
//! A process that was killed for want of memory counts for the container it was in, with the cgroups inside it, and for
//! none of the cgroups above it, as in cAdvisor. So a sum over all rows counts it once.

mod hits;
mod metrics;
mod parse;

use std::sync::Arc;

use kernfs::{ReadError, Reader, text};
use metric::{Batch, Bytes, Of};

use self::{
    hits::{Hits, Known},
    metrics::{cadvisor, own},
    parse::{Events, Stat, Swap},
};
use crate::{
    identity::{AsCadvisor, AsContainer, Controller, Group, GroupKind, Layout, Version},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_memory",
    about: "Memory of each container by kind, its limit's events, and reclaim.",
    default_on: true,
    needs: &[Need::File("cgroup/…/memory.stat")],
    shows: &[(View::Cadvisor, cadvisor::ALL), (View::Own, own::ALL)],
    build,
};

#[derive(Debug, Default)]
struct ContainerMemory {
    known: Known,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::<ContainerMemory>::default())
}

impl Collector for ContainerMemory {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        let Scrape { tree, host, reader, out, problems, now, .. } = scrape;
        if layout.version(Controller::Memory) == Some(Version::V1) {
            self.known.begin(host, reader, *now)?;
        }
        let machine = match layout.version(Controller::Memory) {
            Some(Version::V2) => reader.read(&host.proc, "meminfo")?.map(parse::swap).unwrap_or_default(),
            _ => Swap::default(),
        };
        for group in tree.groups() {
            if group.cadvisor.is_none() && group.own.is_none() {
                continue;
            }
            let read = match layout.version(Controller::Memory) {
                Some(Version::V2) if group.kind == GroupKind::Root => read_root_v2(group, &layout, reader, machine),
                Some(Version::V2) => read_v2(group, &layout, reader, machine),
                _ => read_v1(group, &layout, reader, &mut self.known, *now),
            };
            match read {
                Ok(Some(memory)) => {
                    group.known.memory = Some(memory.usage);
                    emit(group, &memory, out);
                }
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        Ok(())
    }
}

/// What is known of a cgroup's memory.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    usage: u64,
    /// `None` before Linux 5.19.
    peak: Option<u64>,
    swap: u64,
    /// How often it ran into its limit; on version 1 not counting that of memory and swap together.
    failcnt: u64,
    kernel: Option<u64>,
    stat: Stat,
    /// With all below it.
    events: Events,
    /// Processes killed in this cgroup, see the module.
    killed: u64,
}

fn read_v2(
    group: &mut Group,
    layout: &Layout,
    reader: &mut Reader,
    machine: Swap,
) -> Result<Option<Memory>, ReadError> {
    let controller = Controller::Memory;
    let counted = group.counted.memory;
    let usage = match counted {
        Some(counted) => Some(counted.usage),
        None => group.read(layout, controller, "memory.current", reader)?.and_then(text::only_number),
    };
    let Some(usage) = usage else { return Ok(None) };
    let Some(stat) = group.read(layout, controller, "memory.stat", reader)?.map(parse::stat_v2) else {
        return Ok(None);
    };
    let peak = match counted {
        Some(counted) => Some(counted.peak),
        None => group.read(layout, controller, "memory.peak", reader)?.and_then(text::only_number),
    };
    // Most nodes of Kubernetes have no swap: nothing to read, and nothing in use.
    let swap = match (machine.total, counted) {
        (0, _) => None,
        (_, Some(counted)) => Some(counted.swap),
        _ => group.read(layout, controller, "memory.swap.current", reader)?.and_then(text::only_number),
    };
    let events = group.read(layout, controller, "memory.events", reader)?.map(parse::events).unwrap_or_default();
    let killed = match group.kind {
        GroupKind::Container | GroupKind::Sandbox | GroupKind::Service => events.oom_kill,
        // The sum over all below it belongs to others.
        _ if events.oom_kill == Some(0) => Some(0),
        _ => {
            group.read(layout, controller, "memory.events.local", reader)?.and_then(|file| parse::events(file).oom_kill)
        }
    };
    let kernel = stat.kernel.or(Some(stat.kernel_parts));
    let swap = swap.unwrap_or(0);
    let failcnt = events.max.unwrap_or(0);
    Ok(Some(Memory { usage, peak, swap, failcnt, kernel, stat, events, killed: killed.unwrap_or(0) }))
}

/// The root of version 2 has `memory.stat` only. As in cAdvisor, its use is that of anonymous memory and page cache,
/// its swap that of the machine.
fn read_root_v2(
    group: &mut Group,
    layout: &Layout,
    reader: &mut Reader,
    machine: Swap,
) -> Result<Option<Memory>, ReadError> {
    let Some(stat) = group.read(layout, Controller::Memory, "memory.stat", reader)?.map(parse::stat_v2) else {
        return Ok(None);
    };
    let kernel = stat.kernel.or(Some(stat.kernel_parts));
    Ok(Some(Memory {
        usage: stat.anon.saturating_add(stat.file),
        swap: machine.used,
        kernel,
        stat,
        ..Memory::default()
    }))
}

fn read_v1(
    group: &mut Group,
    layout: &Layout,
    reader: &mut Reader,
    known: &mut Known,
    now: f64,
) -> Result<Option<Memory>, ReadError> {
    let controller = Controller::Memory;
    let Some(stat) = group.read(layout, controller, "memory.stat", reader)?.map(parse::stat_v1) else {
        return Ok(None);
    };
    let (usage, peak, kernel) = if let Some(counted) = group.counted.memory {
        (counted.usage, Some(counted.peak), Some(counted.kernel))
    } else {
        let mut number = |name| Ok(group.read(layout, controller, name, reader)?.and_then(text::only_number));
        let usage = number("memory.usage_in_bytes")?.unwrap_or(0);
        (usage, number("memory.max_usage_in_bytes")?, number("memory.kmem.usage_in_bytes")?)
    };
    let Hits { failcnt, failcnt_with_swap, oom_kill } =
        known.hits(group, layout, reader, peak.unwrap_or(u64::MAX), stat.swap, now)?;
    // Both limits together are what version 2 counts as one event.
    let max = Some(failcnt.saturating_add(failcnt_with_swap));
    let events = Events { max, oom_kill, ..Events::default() };
    let killed = oom_kill.unwrap_or(0);
    Ok(Some(Memory { usage, peak, swap: stat.swap, failcnt, kernel, stat, events, killed }))
}

fn emit(group: &Group, memory: &Memory, out: &mut Batch) {
    if let Some(of) = group.cadvisor {
        emit_cadvisor(of, memory, out);
    }
    if let Some(of) = group.own {
        emit_own(of, memory, out);
        emit_own_activity(of, memory, out);
    }
}

fn emit_cadvisor(of: Of<AsCadvisor>, memory: &Memory, out: &mut Batch) {
    let Memory { usage, stat, events, .. } = memory;
    let bytes = [
        (&cadvisor::USAGE, *usage),
        (&cadvisor::WORKING_SET, usage.saturating_sub(stat.inactive_file)),
        (&cadvisor::RSS, stat.anon),
        (&cadvisor::CACHE, stat.file),
        (&cadvisor::SWAP, memory.swap),
        (&cadvisor::MAPPED_FILE, stat.mapped),
        (&cadvisor::KERNEL, memory.kernel.unwrap_or(0)),
        (&cadvisor::MAX_USAGE, memory.peak.unwrap_or(0)),
        (&cadvisor::ACTIVE_FILE, stat.active_file),
        (&cadvisor::INACTIVE_FILE, stat.inactive_file),
        (&cadvisor::DIRTY, stat.dirty),
        (&cadvisor::WRITEBACK, stat.writeback),
    ];
    for (family, value) in bytes {
        out.put_of(family, of, [], Bytes(value));
    }
    let counts = [
        (&cadvisor::FAILCNT, memory.failcnt),
        (&cadvisor::SCANNED, stat.scanned.unwrap_or(0)),
        (&cadvisor::STOLEN, stat.stolen.unwrap_or(0)),
        (&cadvisor::REFAULT_ANON, stat.refault_anon),
        (&cadvisor::REFAULT_FILE, stat.refault_file),
        (&cadvisor::EVENTS_HIGH, events.high.unwrap_or(0)),
        (&cadvisor::EVENTS_MAX, events.max.unwrap_or(0)),
        (&cadvisor::OOM, memory.killed),
    ];
    for (family, value) in counts {
        out.put_of(family, of, [], value);
    }
    for scope in ["container", "hierarchy"] {
        out.put_of(&cadvisor::FAILURES, of, ["pgfault", scope], stat.shown_faults);
        out.put_of(&cadvisor::FAILURES, of, ["pgmajfault", scope], stat.shown_major_faults);
    }
}

/// How much there is.
fn emit_own(of: Of<AsContainer>, memory: &Memory, out: &mut Batch) {
    let stat = &memory.stat;
    out.put_of(&own::USED, of, [], Bytes(memory.usage));
    out.put_of(&own::SWAPPED, of, [], Bytes(memory.swap));
    out.put_of(&own::UNEVICTABLE, of, [], Bytes(stat.unevictable));
    if let Some(peak) = memory.peak {
        out.put_of(&own::PEAK, of, [], Bytes(peak));
    }
    // The kernel counts shared memory as page cache too.
    let kinds = [
        ("anon", Some(stat.anon)),
        ("file", Some(stat.file.saturating_sub(stat.shmem))),
        ("shm", Some(stat.shmem)),
        ("kernel", memory.kernel),
        ("socket", stat.sockets),
    ];
    for (kind, value) in kinds {
        if let Some(value) = value {
            out.put_of(&own::KIND, of, [kind], Bytes(value));
        }
    }
    let states = [
        ("active", stat.active_file),
        ("inactive", stat.inactive_file),
        ("mapped", stat.mapped),
        ("dirty", stat.dirty),
        ("writeback", stat.writeback),
    ];
    for (state, value) in states {
        out.put_of(&own::CACHE, of, [state], Bytes(value));
    }
}

/// What happens to it.
fn emit_own_activity(of: Of<AsContainer>, memory: &Memory, out: &mut Batch) {
    let Memory { stat, events, .. } = memory;
    let seen = [
        ("low", events.low),
        ("high", events.high),
        ("max", events.max),
        ("oom", events.oom),
        ("oom_kill", events.oom_kill),
        ("oom_group_kill", events.oom_group_kill),
    ];
    for (event, count) in seen {
        if let Some(count) = count {
            out.put_of(&own::EVENTS, of, [event], count);
        }
    }
    out.put_of(&own::FAULTS, of, ["minor"], stat.faults.saturating_sub(stat.major_faults));
    out.put_of(&own::FAULTS, of, ["major"], stat.major_faults);
    out.put_of(&own::REFAULTS, of, ["anon"], stat.refault_anon);
    out.put_of(&own::REFAULTS, of, ["file"], stat.refault_file);
    if let (Some(scanned), Some(reclaimed)) = (stat.scanned, stat.stolen) {
        out.put_of(&own::SCANNED, of, [], scanned);
        out.put_of(&own::RECLAIMED, of, [], reclaimed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn every_family_has_rows_on_both_versions() {
        for tree in ["container_memory/testdata/cgroup-v1-6-18", "container_memory/testdata/debian-12-6-12"] {
            check(&SPEC, tree, View::Cadvisor);
            check(&SPEC, tree, View::Own);
        }
    }
}
