//! The state of a cluster's objects as metrics: every family of kube-state-metrics, line for line.
//!
//! `resources` has one file a kind: which fields of an object are read, which families they become. Everything else
//! carries what those files produce: `rows` takes an object's series, `store` keeps them in columns and writes them
//! out, `shard` says whose objects they are.
#![forbid(unsafe_code)]

pub mod conformance;
pub mod cron;
pub mod family;
pub mod labels;
pub mod lax;
pub mod meta;
pub mod number;
pub mod quantity;
pub mod resources;
pub mod rows;
pub mod shard;
pub mod store;
