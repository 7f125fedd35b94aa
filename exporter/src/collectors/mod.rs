//! What is measured: one folder a subject, each with its parser, its families and its fixtures.

use crate::spec::Spec;

pub mod cadvisor_meta;
pub mod container_cpu;
pub mod container_cpuset;
pub mod container_fs;
pub mod container_hugetlb;
pub mod container_io;
pub mod container_memory;
pub mod container_network;
pub mod container_pids;
pub mod container_pressure;
pub mod container_process;
pub mod container_spec;
pub mod machine;
#[cfg(test)]
mod golden;

/// Every collector, in the order in which its families are shown.
pub static ALL: &[&Spec] = &[
    &cadvisor_meta::SPEC,
    &container_cpu::SPEC,
    &container_cpuset::SPEC,
    &container_fs::SPEC,
    &container_hugetlb::SPEC,
    &container_io::SPEC,
    &container_memory::SPEC,
    &container_network::SPEC,
    &container_network::SOCKETS,
    &container_pids::SPEC,
    &container_pressure::SPEC,
    &container_process::SPEC,
    &container_process::SCHEDSTAT,
    &container_process::REFERENCED,
    &container_spec::SPEC,
    &machine::SPEC,
    &machine::TOPOLOGY,
];
