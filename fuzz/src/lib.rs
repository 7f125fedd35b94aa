//! Fuzz targets: for each reader of foreign bytes a function that hands it bytes and panics when it misbehaves. The
//! programs in `fuzz_targets` run them under libFuzzer; tests of the agent and of the cluster-state exporter run them over
//! the committed corpus.

include!("targets.rs");

/// Readers of the cluster-state exporter.
pub mod objects;
