#![deny(unsafe_code)]
//! The node agent: what every container does, read from cgroupfs and procfs, joined with who owns it, and shown under
//! the names that Prometheus users already query.

pub mod app;
mod boards;
pub mod books;
pub mod cadvisor;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod collectors;
pub mod config;
pub mod events;
pub mod history;
pub mod identity;
pub mod ids;
pub mod mounts;
pub mod node_exporter;
pub mod own_metrics;
pub mod privilege;
pub mod probes;
pub mod program;
pub mod rbac;
pub mod report;
pub mod scrape;
pub mod slices;
pub mod spec;
mod workloads;
