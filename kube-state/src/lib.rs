//! The state of a cluster's objects as metrics: every family of kube-state-metrics, line for line.
//!
//! `resources` has one file a kind: which fields of an object are read, which families they become. Everything else
//! carries what those files produce: `rows` takes an object's series, `store` keeps them in columns and writes them
//! out, `shard` says whose objects they are.
#![forbid(unsafe_code)]
#![expect(clippy::doc_markdown, reason = "kinds are written as Kubernetes writes them")]
#![expect(clippy::struct_field_names, reason = "fields are named as the API names them")]

pub mod app;
pub mod cli;
pub mod conformance;
pub mod cron;
pub mod custom;
pub mod engine;
pub mod family;
pub mod flags;
pub mod guard;
mod hash;
pub mod kind;
pub mod labels;
pub mod literal;
pub mod meta;
pub mod moves;
pub mod namespaces;
pub mod number;
pub mod own_metrics;
pub mod page;
pub mod peers;
pub mod plan;
pub mod program;
pub mod rbac;
pub mod resources;
pub mod rows;
pub mod select;
pub mod serve;
pub mod shard;
pub mod shards;
pub mod store;
pub mod watch;
pub mod workloads;
