//! Checks memory and file descriptors before loading: an agent short of either runs without eBPF programs instead of
//! failing.

use std::{fs, path::Path};

use rustix::process::{Resource, getrlimit};

use crate::spec::Unavailable;

/// Descriptors that are left for files, pipes and scrapers.
const LEFT_FOR_OTHERS: u64 = 100;
/// The kernel's types, parsed, and one object (`VmHWM` of the agent with programs, less that without: 38 MB).
const MEMORY: u64 = 48 << 20;

/// Refuses if an object with so many programs may not fit.
pub(super) fn is_left(programs: usize) -> Result<(), Unavailable> {
    // A program, its link, and about as many maps as both.
    let wanted = LEFT_FOR_OTHERS + 4 * programs as u64;
    if let Some(limit) = getrlimit(Resource::Nofile).current
        && let Ok(open) = fs::read_dir("/proc/self/fd")
        && open.count() as u64 + wanted > limit
    {
        return Err(Unavailable(format!(
            "too few file descriptors: the limit (RLIMIT_NOFILE) is {limit}, {wanted} more than are open would do"
        )));
    }
    match memory_left() {
        Some(left) if left < MEMORY => Err(Unavailable(format!(
            "too little memory: the limit of the agent's cgroup leaves {} MiB, loading programs takes {} MiB for a moment",
            left >> 20,
            MEMORY >> 20
        ))),
        _ => Ok(()),
    }
}

/// Bytes that the memory controller would still let this process have; `None` where nothing limits it, or nothing says
/// so. Looked for where the agent itself has them mounted: in a container that is its own part of the tree.
fn memory_left() -> Option<u64> {
    let cgroups = fs::read_to_string("/proc/self/cgroup").ok()?;
    cgroups.lines().filter_map(of_hierarchy).min()
}

/// The least of one line of `/proc/self/cgroup`, `ID:CONTROLLERS:PATH`: of the cgroup and those around it.
fn of_hierarchy(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let top = Path::new("/sys/fs/cgroup");
    let (top, limit, usage) = match controllers {
        "" => (top.to_owned(), "memory.max", "memory.current"),
        "memory" => (top.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes"),
        _ => return None,
    };
    let number = |folder: &Path, name| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let around = Path::new(path.trim_start_matches('/')).ancestors().map(|below| top.join(below));
    around.filter_map(|folder| Some(number(&folder, limit)?.saturating_sub(number(&folder, usage)?))).min()
}
