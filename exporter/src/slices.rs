//! All slices of the agent: what reads files, then what the kernel counts for us.

use crate::{collectors, probes, spec::Spec};

/// Every slice, in the order in which families are shown.
pub fn all() -> impl Iterator<Item = &'static Spec> + Clone {
    collectors::ALL.iter().chain(probes::ALL).copied()
}

/// Whether a slice is made of eBPF programs.
pub fn is_probe(spec: &Spec) -> bool {
    probes::ALL.iter().any(|probe| probe.name == spec.name)
}
