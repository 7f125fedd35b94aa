//! All slices of the agent: what reads files, then what the kernel counts for us.

use crate::{collectors, probes, spec::Spec};

/// Every slice, in the order in which they run and families are shown. First the one that spares others their reads.
pub fn all() -> impl Iterator<Item = &'static Spec> + Clone {
    [&probes::iterators::SPEC].into_iter().chain(collectors::ALL.iter().chain(probes::ALL).copied())
}

/// Whether a slice is made of eBPF programs.
pub fn is_probe(spec: &Spec) -> bool {
    spec.name == probes::iterators::SPEC.name || probes::ALL.iter().any(|probe| probe.name == spec.name)
}
