//! Collectors, one folder per subject, each with its parser, families and fixtures.

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
#[cfg(test)]
mod golden;
pub mod machine;
mod netlink;
mod node;
pub mod node_arp;
pub mod node_bcache;
pub mod node_bcachefs;
pub mod node_bonding;
pub mod node_btrfs;
pub mod node_buddyinfo;
pub mod node_cgroups;
pub mod node_conntrack;
pub mod node_cpu;
pub mod node_cpufreq;
pub mod node_diskstats;
pub mod node_dmi;
pub mod node_dmmultipath;
pub mod node_drbd;
pub mod node_edac;
pub mod node_entropy;
pub mod node_fibrechannel;
pub mod node_filefd;
pub mod node_filesystem;
pub mod node_hwmon;
pub mod node_infiniband;
pub mod node_interrupts;
pub mod node_ipvs;
pub mod node_kernel_hung;
pub mod node_ksmd;
pub mod node_lnstat;
pub mod node_loadavg;
pub mod node_mdadm;
pub mod node_meminfo;
pub mod node_meminfo_numa;
pub mod node_netclass;
pub mod node_netdev;
pub mod node_netstat;
pub mod node_network_route;
pub mod node_nfs;
pub mod node_nfsd;
pub mod node_nvme;
pub mod node_os;
pub mod node_powersupplyclass;
pub mod node_pressure;
pub mod node_processes;
pub mod node_qdisc;
pub mod node_rapl;
pub mod node_schedstat;
pub mod node_scrape;
pub mod node_selinux;
pub mod node_slabinfo;
pub mod node_sockstat;
pub mod node_softirqs;
pub mod node_softnet;
pub mod node_stat;
pub mod node_swap;
pub mod node_systemd;
pub mod node_tapestats;
pub mod node_tcpstat;
pub mod node_textfile;
pub mod node_thermal_zone;
pub mod node_time;
pub mod node_timex;
pub mod node_udp_queues;
pub mod node_uname;
pub mod node_vmstat;
pub mod node_watchdog;
pub mod node_xfs;
pub mod node_zfs;
pub mod node_zoneinfo;
pub mod workload_backends;
pub mod workload_capacity;

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
    &machine::topology::SPEC,
    &node_arp::SPEC,
    &node_bcache::SPEC,
    &node_bcachefs::SPEC,
    &node_bonding::SPEC,
    &node_btrfs::SPEC,
    &node_buddyinfo::SPEC,
    &node_cgroups::SPEC,
    &node_conntrack::SPEC,
    &node_cpu::SPEC,
    &node_cpufreq::SPEC,
    &node_diskstats::SPEC,
    &node_dmi::SPEC,
    &node_dmmultipath::SPEC,
    &node_drbd::SPEC,
    &node_edac::SPEC,
    &node_entropy::SPEC,
    &node_fibrechannel::SPEC,
    &node_filefd::SPEC,
    &node_filesystem::SPEC,
    &node_hwmon::SPEC,
    &node_infiniband::SPEC,
    &node_interrupts::SPEC,
    &node_ipvs::SPEC,
    &node_kernel_hung::SPEC,
    &node_ksmd::SPEC,
    &node_lnstat::SPEC,
    &node_loadavg::SPEC,
    &node_mdadm::SPEC,
    &node_meminfo::SPEC,
    &node_meminfo_numa::SPEC,
    &node_netclass::SPEC,
    &node_netdev::SPEC,
    &node_netstat::SPEC,
    &node_network_route::SPEC,
    &node_nfs::SPEC,
    &node_nfsd::SPEC,
    &node_nvme::SPEC,
    &node_os::SPEC,
    &node_powersupplyclass::SPEC,
    &node_pressure::SPEC,
    &node_processes::SPEC,
    &node_qdisc::SPEC,
    &node_rapl::SPEC,
    &node_schedstat::SPEC,
    &node_scrape::SPEC,
    &node_selinux::SPEC,
    &node_slabinfo::SPEC,
    &node_sockstat::SPEC,
    &node_softirqs::SPEC,
    &node_softnet::SPEC,
    &node_stat::SPEC,
    &node_swap::SPEC,
    &node_systemd::SPEC,
    &node_tapestats::SPEC,
    &node_tcpstat::SPEC,
    &node_textfile::SPEC,
    &node_thermal_zone::SPEC,
    &node_time::SPEC,
    &node_timex::SPEC,
    &node_udp_queues::SPEC,
    &node_uname::SPEC,
    &node_vmstat::SPEC,
    &node_watchdog::SPEC,
    &node_xfs::SPEC,
    &node_zfs::SPEC,
    &node_zoneinfo::SPEC,
    &workload_backends::SPEC,
    &workload_capacity::SPEC,
];
