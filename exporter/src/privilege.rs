//! Capabilities of the agent. Each slice declares what it needs in its Spec; all other capabilities are dropped before
//! the first thread starts.
//!
//! Attaching eBPF programs and iterating sockets of other network namespaces happens once: capabilities for these
//! (`OF_START`) are dropped when the start is over. Capabilities for repeated reads stay: inspecting other users'
//! processes and files, and eBPF maps, which before Linux 5.19 need `CAP_BPF`. A feature that goes on needing one of the
//! start, because the kernel refuses what it would rather use, says so ([`keep`]).
//!
//! Capabilities belong to threads. The first thread gives them up before it makes others, and the threads that are made
//! during the start call [`settle`] first.
//!
//! A process may not get them back, so a configuration that is read anew cannot switch on what needs one that is gone:
//! the feature's reason says so. Landlock is left alone, since a process in a domain of it may not look into processes
//! outside, which is what the agent is for.

use std::{collections::HashSet, sync::OnceLock};

use caps::{CapSet, Capability, CapsHashSet};
use parking_lot::Mutex;
use tracing::{info, warn};

/// Needed at the start only.
const OF_START: &[Capability] = &[
    Capability::CAP_NET_ADMIN,
    Capability::CAP_PERFMON,
    Capability::CAP_SETPCAP,
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_SYS_RESOURCE,
];

/// What is left when the start is over.
static KEPT: OnceLock<CapsHashSet> = OnceLock::new();

/// What features keep beside it.
static KEPT_TOO: Mutex<Vec<Capability>> = Mutex::new(Vec::new());

/// What the process was started with.
static FOUND: OnceLock<CapsHashSet> = OnceLock::new();

/// What a configuration takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Until the start is over.
    pub start: CapsHashSet,
    /// As long as the agent runs.
    pub kept: CapsHashSet,
}

impl Needed {
    /// What was declared, all of it until the start is over, and what reading takes as long as the agent runs.
    pub fn of(declared: CapsHashSet) -> Self {
        let kept = declared.iter().copied().filter(|capability| !OF_START.contains(capability)).collect();
        Self { start: declared, kept }
    }
}

/// Gives up all that is not needed, before any other thread is there. Failures are told and no more: an agent that may
/// too much still serves. `keep`: all stays, and only new privileges are refused.
pub fn begin(needed: &Needed, keep: bool) {
    if let Err(error) = rustix::thread::set_no_new_privs(true) {
        warn!(%error, "cannot set no_new_privs: a program that the agent starts could gain privileges");
    }
    if keep {
        return;
    }
    let Needed { start, kept } = needed;
    if KEPT.set(kept.clone()).is_err() || FOUND.set(held(CapSet::Permitted)).is_err() {
        return;
    }
    if held(CapSet::Effective).contains(&Capability::CAP_SETPCAP) {
        for capability in caps::all().difference(start) {
            // One that the kernel does not know yet cannot be in the set.
            let _ = caps::drop(None, CapSet::Bounding, *capability);
        }
    }
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        if let Err(error) = caps::clear(None, set) {
            warn!(%error, ?set, "cannot drop capabilities; the agent keeps more than it needs");
        }
    }
    reduce(start);
}

/// Has one stay that others need at the start only. Takes effect before the start is over.
pub fn keep(capability: Capability) {
    KEPT_TOO.lock().push(capability);
}

/// Gives up, in this thread, what only the start took. To be called by the first thread when all features are up, and at
/// once by each thread that is made before.
pub fn settle() {
    if let Some(kept) = KEPT.get() {
        let mut kept = kept.clone();
        kept.extend(KEPT_TOO.lock().iter());
        reduce(&kept);
    }
}

/// Says what is left.
pub fn report() {
    let names = |set: CapSet| {
        let mut names: Vec<String> = held(set).iter().map(ToString::to_string).collect();
        names.sort();
        names.join(",")
    };
    info!(capabilities = names(CapSet::Permitted), "capabilities after start");
}

/// Whether the process had it at the start, which for a capability that it has not got now means that it was given up.
pub fn had(capability: Capability) -> bool {
    FOUND.get().is_some_and(|found| found.contains(&capability))
}

fn reduce(to: &CapsHashSet) {
    let left: CapsHashSet = held(CapSet::Permitted).intersection(to).copied().collect();
    for set in [CapSet::Effective, CapSet::Permitted] {
        if let Err(error) = caps::set(None, set, &left) {
            warn!(%error, ?set, "cannot drop capabilities; the agent keeps more than it needs");
        }
    }
}

/// Of this thread.
fn held(set: CapSet) -> CapsHashSet {
    caps::read(None, set).unwrap_or_else(|_| HashSet::new())
}

/// Those of the capabilities that this thread has not got.
pub fn missing(declared: impl IntoIterator<Item = Capability>) -> Vec<Capability> {
    let held = held(CapSet::Effective);
    declared.into_iter().filter(|capability| !held.contains(capability)).collect()
}
