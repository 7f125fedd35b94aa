//! How much of it is done, and on what.

use crate::cluster::Options;

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Pods that are replaced.
    pub(super) pods: usize,
    /// Scrapes that are compared, at least.
    pub(super) scrapes: usize,
}

impl Size {
    /// What is asked of the program.
    pub(super) const FULL: Self = Self { pods: 2000, scrapes: 200 };
    /// The same proofs in less time.
    pub(super) const REDUCED: Self = Self { pods: 300, scrapes: 60 };
}

/// A control plane without a node of its own.
pub(super) fn options() -> Options {
    Options { node: false, ..Options::default() }
}
