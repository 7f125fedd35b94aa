//! The table for what containers do.

use crate::oracle::{Oracle, Setup, after, any, key, of, oracle, root, v1, v2, whole, word, zero};

/// Nanoseconds, microseconds, milliseconds and clock ticks of a second.
const NS: f64 = 1e9;
const US: f64 = 1e6;
const MS: f64 = 1e3;
const TICKS: f64 = 100.0;

pub(crate) fn table() -> Vec<Oracle> {
    [cpu(), memory(), pressure(), io(), network(), rest()].concat()
}

fn cpu() -> Vec<Oracle> {
    let stat = "cpu:cpu.stat";
    let spent = |family| {
        let ticks = key("cpuacct:cpuacct.stat", "{mode}").per(TICKS);
        oracle(family, [v1(ticks), v2(key(stat, "{mode}_usec").per(US))])
    };
    let burst =
        |family| oracle(family, [v1(key(stat, "burst_time").or_zero().per(NS)), v2(key(stat, "burst_usec").per(US))]);
    let throttled =
        |family| oracle(family, [v1(key(stat, "throttled_time").per(NS)), v2(key(stat, "throttled_usec").per(US))]);
    vec![
        oracle(
            "container_cpu_usage_seconds_total",
            [v1(whole("cpuacct:cpuacct.usage").per(NS)), v2(key(stat, "usage_usec").per(US))],
        ),
        oracle(
            "container_cpu_user_seconds_total",
            [v1(key("cpuacct:cpuacct.stat", "user").per(TICKS)), v2(key(stat, "user_usec").per(US))],
        ),
        oracle(
            "container_cpu_system_seconds_total",
            [v1(key("cpuacct:cpuacct.stat", "system").per(TICKS)), v2(key(stat, "system_usec").per(US))],
        ),
        oracle("container_cpu_cfs_periods_total", [any(key(stat, "nr_periods"))]),
        oracle("container_cpu_cfs_throttled_periods_total", [any(key(stat, "nr_throttled"))]),
        oracle("container_cpu_cfs_burst_periods_total", [any(key(stat, "nr_bursts").or_zero())]),
        throttled("container_cpu_cfs_throttled_seconds_total"),
        burst("container_cpu_cfs_burst_seconds_total"),
        spent("container_cpu_time_seconds_total"),
        of("container_cpu_quota_periods_total", "throttled", "true", [any(key(stat, "nr_throttled"))]),
        of(
            "container_cpu_quota_periods_total",
            "throttled",
            "false",
            [any(key(stat, "nr_periods")).and(key(stat, "nr_throttled").minus())],
        ),
        throttled("container_cpu_quota_throttled_seconds_total"),
        burst("container_cpu_quota_burst_seconds_total"),
    ]
}

fn memory() -> Vec<Oracle> {
    let stat = "memory:memory.stat";
    let events = "memory:memory.events";
    let failcnt = || v1(whole("memory:memory.failcnt")).and(whole("memory:memory.memsw.failcnt").or_zero());
    let kills = "memory:memory.oom_control";
    // The machine's cgroup of version 2 has no events.
    let none = || zero(Setup::Root);
    vec![
        oracle("container_memory_failcnt", [v1(whole("memory:memory.failcnt")), v2(key(events, "max")), none()]),
        oracle("container_memory_failures_total", [any(key(stat, "{failure_type}"))]),
        oracle("container_memory_pgscan_total", [v2(key(stat, "pgscan")), zero(Setup::V1)]),
        oracle("container_memory_pgsteal_total", [v2(key(stat, "pgsteal")), zero(Setup::V1)]),
        oracle(
            "container_memory_workingset_refault_anon_total",
            [v1(key(stat, "total_workingset_refault_anon")), v2(key(stat, "workingset_refault_anon"))],
        ),
        oracle(
            "container_memory_workingset_refault_file_total",
            [v1(key(stat, "total_workingset_refault_file")), v2(key(stat, "workingset_refault_file"))],
        ),
        oracle("container_memory_events_high_total", [v2(key(events, "high")), none(), zero(Setup::V1)]),
        oracle("container_memory_events_max_total", [failcnt(), v2(key(events, "max")), none()]),
        oracle(
            "container_oom_events_total",
            [v1(key(kills, "oom_kill")), v2(key("memory:memory.events.local", "oom_kill")), none()],
        ),
        of("container_memory_events_total", "event", "max", [failcnt(), v2(key(events, "max"))]),
        oracle("container_memory_events_total", [v1(key(kills, "{event}")), v2(key(events, "{event}"))]),
        of(
            "container_memory_page_faults_total",
            "severity",
            "major",
            [v1(key(stat, "total_pgmajfault")), v2(key(stat, "pgmajfault"))],
        ),
        of(
            "container_memory_page_faults_total",
            "severity",
            "minor",
            [
                v1(key(stat, "total_pgfault")).and(key(stat, "total_pgmajfault").minus()),
                v2(key(stat, "pgfault")).and(key(stat, "pgmajfault").minus()),
            ],
        ),
        oracle(
            "container_memory_refaults_total",
            [v1(key(stat, "total_workingset_refault_{kind}")), v2(key(stat, "workingset_refault_{kind}"))],
        ),
        oracle("container_memory_reclaim_scanned_pages_total", [v2(key(stat, "pgscan"))]),
        oracle("container_memory_reclaimed_pages_total", [v2(key(stat, "pgsteal"))]),
    ]
}

fn pressure() -> Vec<Oracle> {
    let total =
        |family, file, line| oracle(family, [any(after(file, &[(0, line)], "total=").per(US)), zero(Setup::V2)]);
    let of_machine =
        |family, line| oracle(family, [any(after("proc:pressure/{resource}", &[(0, line)], "total=").per(US))]);
    vec![
        total("container_pressure_cpu_waiting_seconds_total", "unified:cpu.pressure", "some"),
        total("container_pressure_cpu_stalled_seconds_total", "unified:cpu.pressure", "full"),
        total("container_pressure_memory_waiting_seconds_total", "unified:memory.pressure", "some"),
        total("container_pressure_memory_stalled_seconds_total", "unified:memory.pressure", "full"),
        total("container_pressure_io_waiting_seconds_total", "unified:io.pressure", "some"),
        total("container_pressure_io_stalled_seconds_total", "unified:io.pressure", "full"),
        total("container_pressure_waiting_seconds_total", "unified:{resource}.pressure", "some"),
        total("container_pressure_stalled_seconds_total", "unified:{resource}.pressure", "full"),
        of_machine("node_pressure_waiting_seconds_total", "some"),
        of_machine("node_pressure_stalled_seconds_total", "full"),
    ]
}

/// A line of the files of version 1: device, operation, number.
fn io() -> Vec<Oracle> {
    let device = (0, "{number:device}");
    let bytes = |family, operation, v2_key, column| {
        let of_disk = root(word("proc:diskstats", &[(2, "{base}")], column).times(512.0));
        let stat = v2(after("io:io.stat", &[device], v2_key));
        let file = "blkio:blkio.throttle.io_service_bytes_recursive";
        oracle(family, [stat, v1(word(file, &[device, (1, operation)], 2)), of_disk, zero(Setup::Root)])
    };
    let count = |family, operation, v2_key, column| {
        let of_disk = root(word("proc:diskstats", &[(2, "{base}")], column));
        let stat = v2(after("io:io.stat", &[device], v2_key));
        let file = "blkio:blkio.throttle.io_serviced_recursive";
        oracle(family, [stat, v1(word(file, &[device, (1, operation)], 2)), of_disk, zero(Setup::Root)])
    };
    // What only the machine has, or BFQ tells of cgroups.
    let bfq = |family, file, operation, unit, column, unit_of_disk| {
        let of_disk = root(word("proc:diskstats", &[(2, "{base}")], column).per(unit_of_disk));
        oracle(family, [v1(word(file, &[device, (1, operation)], 2).per(unit)), of_disk, zero(Setup::Root)])
    };
    let merged = "blkio:blkio.bfq.io_merged_recursive";
    let time = "blkio:blkio.bfq.io_service_time_recursive";
    let disk = |family, column, per| {
        oracle(family, [root(word("proc:diskstats", &[(2, "{base}")], column).per(per)), zero(Setup::Root)])
    };
    let cost = |family, name| oracle(family, [v2(after("io:io.stat", &[device], name).per(US))]);
    let moved = |v2_key, operation| {
        [
            v2(after("io:io.stat", &[device], v2_key)),
            v1(word("blkio:blkio.throttle.io_service_bytes_recursive", &[device, (1, operation)], 2)),
        ]
    };
    let done = |v2_key, operation| {
        [
            v2(after("io:io.stat", &[device], v2_key)),
            v1(word("blkio:blkio.throttle.io_serviced_recursive", &[device, (1, operation)], 2)),
        ]
    };
    vec![
        bytes("container_fs_reads_bytes_total", "Read", "rbytes=", 5),
        bytes("container_fs_writes_bytes_total", "Write", "wbytes=", 9),
        count("container_fs_reads_total", "Read", "rios=", 3),
        count("container_fs_writes_total", "Write", "wios=", 7),
        of("container_blkio_device_usage_total", "operation", "Read", moved("rbytes=", "Read")),
        of("container_blkio_device_usage_total", "operation", "Write", moved("wbytes=", "Write")),
        oracle(
            "container_blkio_device_usage_total",
            [v1(word(
                "blkio:blkio.throttle.io_service_bytes_recursive",
                &[(0, "{major}:{minor}"), (1, "{operation}")],
                2,
            ))],
        ),
        bfq("container_fs_reads_merged_total", merged, "Read", 1.0, 4, 1.0),
        bfq("container_fs_writes_merged_total", merged, "Write", 1.0, 8, 1.0),
        bfq("container_fs_read_seconds_total", time, "Read", NS, 6, MS),
        bfq("container_fs_write_seconds_total", time, "Write", NS, 10, MS),
        bfq("container_fs_io_time_seconds_total", time, "Total", NS, 12, MS),
        disk("container_fs_sector_reads_total", 5, 1.0),
        disk("container_fs_sector_writes_total", 9, 1.0),
        disk("container_fs_io_time_weighted_seconds_total", 13, MS),
        cost("container_fs_io_cost_usage_seconds_total", "cost.usage="),
        cost("container_fs_io_cost_wait_seconds_total", "cost.wait="),
        cost("container_fs_io_cost_indebt_seconds_total", "cost.indebt="),
        cost("container_fs_io_cost_indelay_seconds_total", "cost.indelay="),
        of("container_io_bytes_total", "operation", "read", moved("rbytes=", "Read")),
        of("container_io_bytes_total", "operation", "write", moved("wbytes=", "Write")),
        of("container_io_bytes_total", "operation", "discard", moved("dbytes=", "Discard")),
        of("container_io_operations_total", "operation", "read", done("rios=", "Read")),
        of("container_io_operations_total", "operation", "write", done("wios=", "Write")),
        of("container_io_operations_total", "operation", "discard", done("dios=", "Discard")),
    ]
}

/// Columns of `/proc/<pid>/net/dev`.
fn network() -> Vec<Oracle> {
    let column = |family, at| oracle(family, [any(word("netns:dev", &[(0, "{interface}:")], at))]);
    let both = |family, receive, transmit| {
        [("receive", receive), ("transmit", transmit)].map(|(direction, at)| {
            of(family, "direction", direction, [any(word("netns:dev", &[(0, "{interface}:")], at))])
        })
    };
    let mut table = vec![
        column("container_network_receive_bytes_total", 1),
        column("container_network_receive_packets_total", 2),
        column("container_network_receive_errors_total", 3),
        column("container_network_receive_packets_dropped_total", 4),
        column("container_network_transmit_bytes_total", 9),
        column("container_network_transmit_packets_total", 10),
        column("container_network_transmit_errors_total", 11),
        column("container_network_transmit_packets_dropped_total", 12),
    ];
    table.extend(both("pod_network_traffic_bytes_total", 1, 9));
    table.extend(both("pod_network_packets_total", 2, 10));
    table.extend(both("pod_network_errors_total", 3, 11));
    table.extend(both("pod_network_dropped_packets_total", 4, 12));
    table
}

fn rest() -> Vec<Oracle> {
    vec![
        oracle("container_tasks_refused_total", [any(key("pids:pids.events", "max"))]),
        oracle(
            "container_hugetlb_failcnt",
            [v1(whole("hugetlb:hugetlb.{pagesize}.rsvd.failcnt")), v2(key("hugetlb:hugetlb.{pagesize}.events", "max"))],
        ),
        oracle(
            "container_huge_pages_refused_total",
            [
                v1(whole("hugetlb:hugetlb.{page_size}.failcnt"))
                    .and(whole("hugetlb:hugetlb.{page_size}.rsvd.failcnt").or_zero()),
                v2(key("hugetlb:hugetlb.{page_size}.events", "max")),
            ],
        ),
    ]
}
