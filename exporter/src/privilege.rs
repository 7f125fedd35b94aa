//! What the agent may do. It asks for capabilities, not for root: what each slice needs is in its [`Spec`], and all else
//! is given up before the first thread starts.
//!
//! Loading and attaching eBPF programs, and looking at the sockets of other network namespaces, happens once: what only
//! that takes ([`OF_START`]) goes when the start is over. What reading takes every time stays: looking into processes of
//! others, opening files of others, and eBPF maps, which before Linux 5.19 only `CAP_BPF` may read.
//!
//! Capabilities belong to threads. The first thread gives them up before it makes others, and the threads that are made
//! during the start call [`settle`] first.
//!
//! A process may not get them back, so a configuration that is read anew cannot switch on what needs one that is gone:
//! the feature's reason says so. Landlock is left alone, since a process in a domain of it may not look into processes
//! outside, which is what the agent is for.

use std::{collections::HashSet, sync::OnceLock};

use caps::{CapSet, Capability, CapsHashSet};
use tracing::{info, warn};

use crate::{
    config::Config,
    slices,
    spec::{Need, Spec},
};

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

/// The capabilities that the slices which are wanted declare, and what the agent itself takes.
pub fn needed(config: &Config) -> Needed {
    let wanted = slices::all().filter(|spec| slices::wants(config, spec));
    let mut declared: CapsHashSet = wanted.flat_map(capabilities).collect();
    // Files that say how containers are called, keys and configuration may be for root alone.
    declared.insert(Capability::CAP_DAC_READ_SEARCH);
    if declared.contains(&Capability::CAP_BPF) {
        // Locked memory, before Linux 5.11.
        declared.insert(Capability::CAP_SYS_RESOURCE);
    }
    if config.web.listen_address.iter().any(|address| is_privileged(address)) {
        declared.insert(Capability::CAP_NET_BIND_SERVICE);
    }
    let kept = declared.iter().copied().filter(|capability| !OF_START.contains(capability)).collect();
    Needed { start: declared, kept }
}

/// Whether only the privileged may listen there.
fn is_privileged(address: &str) -> bool {
    let port = address.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    port.is_some_and(|port| (1..1024).contains(&port))
}

/// Those that a slice declares.
fn capabilities(spec: &'static Spec) -> impl Iterator<Item = Capability> {
    spec.needs.iter().filter_map(|need| match need {
        Need::Capability(name) => name.parse().ok(),
        _ => None,
    })
}

/// Gives up all that is not needed, before any other thread is there. Failures are told and no more: an agent that may
/// too much still serves.
pub fn begin(config: &Config) {
    if let Err(error) = rustix::thread::set_no_new_privs(true) {
        warn!(%error, "cannot renounce new privileges");
    }
    if config.security.keep_capabilities {
        return;
    }
    let Needed { start, kept } = needed(config);
    if KEPT.set(kept).is_err() || FOUND.set(held(CapSet::Permitted)).is_err() {
        return;
    }
    if held(CapSet::Effective).contains(&Capability::CAP_SETPCAP) {
        for capability in caps::all().difference(&start) {
            // One that the kernel does not know yet cannot be in the set.
            let _ = caps::drop(None, CapSet::Bounding, *capability);
        }
    }
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        if let Err(error) = caps::clear(None, set) {
            warn!(%error, ?set, "cannot give up capabilities");
        }
    }
    reduce(&start);
}

/// Gives up, in this thread, what only the start took. To be called by the first thread when all features are up, and at
/// once by each thread that is made before.
pub fn settle() {
    if let Some(kept) = KEPT.get() {
        reduce(kept);
    }
}

/// Says what is left.
pub fn report() {
    let names = |set: CapSet| {
        let mut names: Vec<String> = held(set).iter().map(ToString::to_string).collect();
        names.sort();
        names.join(",")
    };
    info!(capabilities = names(CapSet::Permitted), "privileges that are left");
}

/// Whether the process had it at the start, which for a capability that it has not got now means that it was given up.
pub fn had(capability: Capability) -> bool {
    FOUND.get().is_some_and(|found| found.contains(&capability))
}

fn reduce(to: &CapsHashSet) {
    let left: CapsHashSet = held(CapSet::Permitted).intersection(to).copied().collect();
    for set in [CapSet::Effective, CapSet::Permitted] {
        if let Err(error) = caps::set(None, set, &left) {
            warn!(%error, ?set, "cannot give up capabilities");
        }
    }
}

/// Of this thread.
fn held(set: CapSet) -> CapsHashSet {
    caps::read(None, set).unwrap_or_else(|_| HashSet::new())
}

/// What would bring the rows that a slice may not read: the capabilities that it declares and does not have, else who
/// may read its files.
pub fn remedy(spec: &'static Spec) -> String {
    if let Some(missing) = missing(spec) {
        return format!("some rows are missing, for want of {missing}");
    }
    let files = spec.needs.iter().filter_map(|need| match need {
        Need::File(path) => Some(*path),
        _ => None,
    });
    let files: Vec<&str> = files.collect();
    format!("some rows are missing: {} may not be read by this process", files.join(", "))
}

/// Why a slice cannot be had, with the capabilities that it lacks where the reason does not name them.
pub fn explained(spec: &'static Spec, reason: String) -> String {
    match missing(spec) {
        Some(missing) if !reason.contains("CAP_") => format!("{reason}; {missing} missing"),
        _ => reason,
    }
}

/// The capabilities that a slice declares and this thread has not got.
fn missing(spec: &'static Spec) -> Option<String> {
    let held = held(CapSet::Effective);
    let missing = capabilities(spec).filter(|capability| !held.contains(capability));
    let names: Vec<String> = missing.map(|one| one.to_string()).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[Capability]) -> CapsHashSet {
        names.iter().copied().collect()
    }

    #[test]
    fn what_is_needed_follows_what_is_wanted() {
        use Capability as C;
        let mut config = Config::default();
        let all = needed(&config);
        assert_eq!(all.kept, set(&[C::CAP_BPF, C::CAP_DAC_READ_SEARCH, C::CAP_SYS_PTRACE]));
        assert!(all.start.is_superset(&all.kept) && all.start.contains(&C::CAP_PERFMON), "{:?}", all.start);
        config.probe.disable = true;
        assert_eq!(needed(&config).start, set(&[C::CAP_DAC_READ_SEARCH, C::CAP_SYS_PTRACE]));
        config.collector.disable_defaults = true;
        config.web.listen_address = vec!["[::1]:443".into()];
        assert_eq!(needed(&config).kept, set(&[C::CAP_DAC_READ_SEARCH, C::CAP_NET_BIND_SERVICE]));
    }

    #[test]
    fn every_capability_that_is_declared_is_one() {
        for spec in slices::all() {
            let named = spec.needs.iter().filter(|need| matches!(need, Need::Capability(_))).count();
            assert_eq!(capabilities(spec).count(), named, "{}", spec.name);
        }
    }
}
