//! Fuzz targets: for each reader of foreign bytes a function that hands it bytes and panics when it misbehaves. The
//! programs in `fuzz_targets` run them under libFuzzer; a test of the agent runs them over the committed corpus.

include!("targets.rs");
