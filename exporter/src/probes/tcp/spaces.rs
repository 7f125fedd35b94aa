//! Passes over all sockets. The kernel's iterator over TCP sockets sees those of the caller's network namespace only, so
//! it runs in each; the one over sockets with a record sees all, but not every kernel lets it be loaded.

use std::{
    collections::HashSet,
    fs::File,
    io,
    os::{fd::AsFd, unix::fs::MetadataExt as _},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use kernfs::{Host, Reader};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{
    mounts,
    probes::object::{Iterator, Table},
};

/// How all living connections are counted.
#[derive(Debug)]
pub(super) enum Living {
    /// By one run.
    Everywhere(Iterator),
    /// By a run in each network namespace. Those that no process is in and no mount names are left out, and those that
    /// cannot be entered: what their connections carry is counted when they end.
    BySpace(BySpace),
}

/// The iterator that sees a network namespace.
#[derive(Debug)]
pub(super) struct BySpace {
    pub(super) host: Arc<Host>,
    pub(super) iterator: Iterator,
    /// Where the program finds the number of the pass.
    pub(super) pass: Table,
    pub(super) number: AtomicU64,
    pub(super) told: AtomicBool,
}

impl Living {
    /// One pass; the time of a CPU that it took.
    pub(super) fn run(&self) -> io::Result<Duration> {
        let by_space = match self {
            Self::Everywhere(iterator) => {
                let before = cpu_time();
                return iterator.run().map(|()| cpu_time().saturating_sub(before));
            }
            Self::BySpace(by_space) => by_space,
        };
        by_space.pass.set(&0_u32, &(by_space.number.fetch_add(1, Relaxed) + 1))?;
        let (failed, spaces, took) = in_each(&by_space.host, &by_space.iterator);
        if failed > 0 && !by_space.told.swap(true, Relaxed) {
            tracing::warn!(
                failed,
                spaces,
                "cannot enter all network namespaces: what connections carry there is counted when they end; grant CAP_SYS_ADMIN"
            );
        }
        Ok(took)
    }
}

/// What this thread has used of CPUs.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Takes in the connections that are there. One whose namespace cannot be entered is counted from its next change on.
pub(super) fn adopt(host: &Host, iterator: &Iterator) {
    let (failed, spaces, _) = in_each(host, iterator);
    if failed > 0 {
        tracing::warn!(
            failed,
            spaces,
            "cannot enter all network namespaces: connections opened before the agent started are not counted there; grant CAP_SYS_ADMIN"
        );
    }
}

/// Runs it once in each network namespace: how many could not be entered, of how many, and the time of a CPU that all of
/// it took.
fn in_each(host: &Host, iterator: &Iterator) -> (usize, usize, Duration) {
    let before = cpu_time();
    let spaces = network_spaces(host);
    let looked = cpu_time().saturating_sub(before);
    // Namespaces belong to threads: one that has been elsewhere is not used for anything else.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut failed = 0;
            let own = std::fs::metadata("/proc/thread-self/ns/net").map_or(0, |space| space.ino());
            // The one that the thread is in first: it takes no capability.
            for is_own in [true, false] {
                for (_, space) in spaces.iter().filter(|(inode, _)| (*inode == own) == is_own) {
                    let ran = if is_own { Ok(()) } else { enter(space) }.and_then(|()| iterator.run());
                    if let Err(error) = ran {
                        failed += 1;
                        tracing::debug!(%error, "cannot iterate over the sockets of a network namespace");
                    }
                }
            }
            (failed, cpu_time())
        });
        let (failed, took) = thread.join().unwrap_or((spaces.len(), Duration::ZERO));
        (failed, spaces.len(), looked + took)
    })
}

fn enter(space: &File) -> io::Result<()> {
    Ok(move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?)
}

/// Inode and handle of each network namespace that a process is in, or that has a name by a mount, as `ip netns` and
/// network plugins give.
fn network_spaces(host: &Host) -> Vec<(u64, File)> {
    let mut reader = Reader::default();
    let mut paths = Vec::new();
    let listed = reader.list(&host.proc, "", |name, is_dir| {
        if is_dir && name.bytes().all(|byte| byte.is_ascii_digit()) {
            paths.push(host.proc.join(&format!("{name}/ns/net")));
        }
    });
    if let Err(error) = listed {
        tracing::debug!(%error, "cannot list processes");
    }
    if let Ok(Some(file)) = reader.read(&host.proc, "1/mountinfo") {
        let named = mounts::mountinfo(file).filter(|mount| mount.kind == b"nsfs" && mount.root.starts_with(b"net:"));
        paths.extend(named.map(|mount| host.rootfs.join(mounts::unescaped(mount.point).trim_start_matches('/'))));
    }
    let mut known = HashSet::new();
    let mut spaces = Vec::new();
    for path in paths {
        // A process may have ended, and a mount may not reach the agent's own mount namespace.
        let Ok(there) = std::fs::metadata(&path) else { continue };
        if known.insert(there.ino())
            && let Ok(space) = File::open(&path)
        {
            spaces.push((there.ino(), space));
        }
    }
    spaces
}
