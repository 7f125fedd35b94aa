//! The table for what the machine does.

use crate::oracle::{Oracle, after, any, hex, key, named, of, oracle, whole, word};

const NS: f64 = 1e9;
const US: f64 = 1e6;
const MS: f64 = 1e3;
const TICKS: f64 = 100.0;

pub(crate) fn table() -> Vec<Oracle> {
    [cpu(), disks(), network(), devices(), protocols()].concat()
}

fn cpu() -> Vec<Oracle> {
    let line = |family, name| oracle(family, [any(key("proc:stat", name))]);
    let schedstat = |family, at, per| oracle(family, [any(word("proc:schedstat", &[(0, "cpu{cpu}")], at).per(per))]);
    let pressure = |family, file, line| oracle(family, [any(after(file, &[(0, line)], "total=").per(US))]);
    let mut table = vec![
        line("node_intr_total", "intr"),
        line("node_context_switches_total", "ctxt"),
        line("node_forks_total", "processes"),
        schedstat("node_schedstat_running_seconds_total", 7, NS),
        schedstat("node_schedstat_waiting_seconds_total", 8, NS),
        schedstat("node_schedstat_timeslices_total", 9, 1.0),
        pressure("node_pressure_cpu_waiting_seconds_total", "proc:pressure/cpu", "some"),
        pressure("node_pressure_io_waiting_seconds_total", "proc:pressure/io", "some"),
        pressure("node_pressure_io_stalled_seconds_total", "proc:pressure/io", "full"),
        pressure("node_pressure_memory_waiting_seconds_total", "proc:pressure/memory", "some"),
        pressure("node_pressure_memory_stalled_seconds_total", "proc:pressure/memory", "full"),
        pressure("node_pressure_irq_stalled_seconds_total", "proc:pressure/irq", "full"),
        oracle("node_kernel_hung_tasks_total", [any(whole("proc:sys/kernel/hung_task_detect_count"))]),
        oracle("node_vmstat_*", [any(key("proc:vmstat", "{*}"))]),
    ];
    let modes = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
    table.extend(modes.iter().enumerate().map(|(at, mode)| {
        of("node_cpu_seconds_total", "mode", mode, [any(word("proc:stat", &[(0, "cpu{cpu}")], at + 1).per(TICKS))])
    }));
    table.extend([("user", 9), ("nice", 10)].map(|(mode, at)| {
        of("node_cpu_guest_seconds_total", "mode", mode, [any(word("proc:stat", &[(0, "cpu{cpu}")], at).per(TICKS))])
    }));
    let vectors = ["hi", "timer", "net_tx", "net_rx", "block", "block_iopoll", "tasklet", "sched", "hrtimer", "rcu"];
    table.extend(vectors.iter().enumerate().map(|(at, vector)| {
        of("node_softirqs_total", "vector", vector, [any(word("proc:stat", &[(0, "softirq")], at + 2))])
    }));
    table
}

fn disks() -> Vec<Oracle> {
    let column = |family, at| any(word("proc:diskstats", &[(2, "{device}")], at)).named(family);
    let time = |family, at| any(word("proc:diskstats", &[(2, "{device}")], at).per(MS)).named(family);
    let bytes = |family, at| any(word("proc:diskstats", &[(2, "{device}")], at).times(512.0)).named(family);
    vec![
        column("node_disk_reads_completed_total", 3),
        column("node_disk_reads_merged_total", 4),
        bytes("node_disk_read_bytes_total", 5),
        time("node_disk_read_time_seconds_total", 6),
        column("node_disk_writes_completed_total", 7),
        column("node_disk_writes_merged_total", 8),
        bytes("node_disk_written_bytes_total", 9),
        time("node_disk_write_time_seconds_total", 10),
        time("node_disk_io_time_seconds_total", 12),
        time("node_disk_io_time_weighted_seconds_total", 13),
        column("node_disk_discards_completed_total", 14),
        column("node_disk_discards_merged_total", 15),
        column("node_disk_discarded_sectors_total", 16),
        time("node_disk_discard_time_seconds_total", 17),
        column("node_disk_flush_requests_total", 18),
        time("node_disk_flush_requests_time_seconds_total", 19),
    ]
}

fn network() -> Vec<Oracle> {
    let columns = [
        ("node_network_receive_bytes_total", 1),
        ("node_network_receive_packets_total", 2),
        ("node_network_receive_errs_total", 3),
        ("node_network_receive_drop_total", 4),
        ("node_network_receive_fifo_total", 5),
        ("node_network_receive_frame_total", 6),
        ("node_network_receive_compressed_total", 7),
        ("node_network_receive_multicast_total", 8),
        ("node_network_transmit_bytes_total", 9),
        ("node_network_transmit_packets_total", 10),
        ("node_network_transmit_errs_total", 11),
        ("node_network_transmit_drop_total", 12),
        ("node_network_transmit_fifo_total", 13),
        ("node_network_transmit_colls_total", 14),
        ("node_network_transmit_carrier_total", 15),
        ("node_network_transmit_compressed_total", 16),
    ];
    let files = [
        ("node_network_receive_nohandler_total", "sys:class/net/{device}/statistics/rx_nohandler"),
        ("node_network_receive_errors_total", "sys:class/net/{device}/statistics/rx_errors"),
        ("node_network_transmit_errors_total", "sys:class/net/{device}/statistics/tx_errors"),
        ("node_network_receive_dropped_total", "sys:class/net/{device}/statistics/rx_dropped"),
        ("node_network_transmit_dropped_total", "sys:class/net/{device}/statistics/tx_dropped"),
        ("node_network_multicast_total", "sys:class/net/{device}/statistics/multicast"),
        ("node_network_collisions_total", "sys:class/net/{device}/statistics/collisions"),
        ("node_network_receive_length_errors_total", "sys:class/net/{device}/statistics/rx_length_errors"),
        ("node_network_receive_over_errors_total", "sys:class/net/{device}/statistics/rx_over_errors"),
        ("node_network_receive_crc_errors_total", "sys:class/net/{device}/statistics/rx_crc_errors"),
        ("node_network_receive_frame_errors_total", "sys:class/net/{device}/statistics/rx_frame_errors"),
        ("node_network_receive_fifo_errors_total", "sys:class/net/{device}/statistics/rx_fifo_errors"),
        ("node_network_receive_missed_errors_total", "sys:class/net/{device}/statistics/rx_missed_errors"),
        ("node_network_transmit_aborted_errors_total", "sys:class/net/{device}/statistics/tx_aborted_errors"),
        ("node_network_transmit_carrier_errors_total", "sys:class/net/{device}/statistics/tx_carrier_errors"),
        ("node_network_transmit_fifo_errors_total", "sys:class/net/{device}/statistics/tx_fifo_errors"),
        ("node_network_transmit_heartbeat_errors_total", "sys:class/net/{device}/statistics/tx_heartbeat_errors"),
        ("node_network_transmit_window_errors_total", "sys:class/net/{device}/statistics/tx_window_errors"),
        ("node_network_carrier_changes_total", "sys:class/net/{device}/carrier_changes"),
        ("node_network_carrier_up_changes_total", "sys:class/net/{device}/carrier_up_count"),
        ("node_network_carrier_down_changes_total", "sys:class/net/{device}/carrier_down_count"),
    ];
    let softnet = [
        ("node_softnet_processed_total", 0),
        ("node_softnet_dropped_total", 1),
        ("node_softnet_times_squeezed_total", 2),
        ("node_softnet_cpu_collision_total", 8),
        ("node_softnet_received_rps_total", 9),
        ("node_softnet_flow_limit_count_total", 10),
    ];
    let mut table: Vec<Oracle> =
        columns.map(|(family, at)| any(word("proc:1/net/dev", &[(0, "{device}:")], at)).named(family)).into();
    table.extend(files.map(|(family, file)| any(whole(file)).named(family)));
    table
        .extend(softnet.map(|(family, at)| any(hex("proc:net/softnet_stat", &[(12, "{hex8:cpu}")], at)).named(family)));
    table
}

/// Memory controllers.
fn devices() -> Vec<Oracle> {
    [
        ("node_edac_csrow_correctable_errors_total", "sys:devices/system/edac/mc/mc{controller}/csrow{csrow}/ce_count"),
        (
            "node_edac_csrow_uncorrectable_errors_total",
            "sys:devices/system/edac/mc/mc{controller}/csrow{csrow}/ue_count",
        ),
        (
            "node_edac_channel_correctable_errors_total",
            "sys:devices/system/edac/mc/mc{controller}/csrow{csrow}/ch{channel}_ce_count",
        ),
        (
            "node_edac_channel_uncorrectable_errors_total",
            "sys:devices/system/edac/mc/mc{controller}/csrow{csrow}/ch{channel}_ue_count",
        ),
        ("node_edac_correctable_errors_total", "sys:devices/system/edac/mc/mc{controller}/ce_count"),
        ("node_edac_uncorrectable_errors_total", "sys:devices/system/edac/mc/mc{controller}/ue_count"),
    ]
    .map(|(family, file)| any(whole(file)).named(family))
    .into()
}

/// `node_netstat_<protocol>_<field>`. Two of them are no counters.
fn protocols() -> Vec<Oracle> {
    vec![oracle(
        "node_netstat_*",
        [
            any(named("proc:1/net/netstat", "{*<}:", "{*>}")),
            any(named("proc:1/net/snmp", "{*<}:", "{*>}")),
            any(key("proc:1/net/snmp6", "{*-}")),
        ],
    )]
}
