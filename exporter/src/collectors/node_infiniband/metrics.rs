//! Families of `node_infiniband`.

use metric::{Count, Desc, Family, Label};

use crate::collectors::node::{counter, gauge};

const DEVICE: Label = Label::open("device", "InfiniBand devices of the machine");
const PORT: Label = Label::open("port", "ports of the device");

pub(super) static INFO: Family<Count, 4> = gauge(
    "node_infiniband_info",
    "What the device is.",
    &[
        DEVICE,
        Label::open("board_id", "one a device"),
        Label::open("firmware_version", "one a device"),
        Label::open("hca_type", "one a device"),
    ],
);
pub(super) static STATE: Family<Count, 2> = gauge(
    "node_infiniband_state_id",
    "Logical state of the port: 1 down, 2 initialising, 3 armed, 4 active, 5 active but put off.",
    &[DEVICE, PORT],
);
pub(super) static PHYSICAL_STATE: Family<Count, 2> = gauge(
    "node_infiniband_physical_state_id",
    "Physical state of the port: 1 asleep, 2 polling, 3 disabled, 4 training, 5 up, 6 recovering, 7 testing.",
    &[DEVICE, PORT],
);
pub(super) static RATE: Family<Count, 2> =
    gauge("node_infiniband_rate_bytes_per_second", "Bytes per second that the port can carry.", &[DEVICE, PORT]);
pub(super) static LIFESPAN: Family<Count, 2> = gauge(
    "node_infiniband_lifespan_seconds",
    "How old counters of the hardware may be when they are read.",
    &[DEVICE, PORT],
);

/// A counter of a port.
#[derive(Debug)]
pub(super) struct Counter {
    /// Its file, below the port's folder.
    pub(super) file: &'static str,
    /// What one stands for: data is counted in words of four bytes.
    pub(super) times: u64,
    pub(super) family: Family<Count, 2>,
}

const fn of(file: &'static str, times: u64, name: &'static str, help: &'static str) -> Counter {
    Counter { file, times, family: counter(name, help, &[DEVICE, PORT]) }
}

/// In folders: what every port has, what kernels before 4.5 showed beside that, and what the hardware adds.
pub(super) static COUNTERS: [Counter; 59] = [
    of(
        "counters/excessive_buffer_overrun_errors",
        1,
        "node_infiniband_excessive_buffer_overrun_errors_total",
        "Times that buffers overran for too long in succession.",
    ),
    of(
        "counters/link_downed",
        1,
        "node_infiniband_link_downed_total",
        "Times that the link could not be recovered and went down.",
    ),
    of(
        "counters/link_error_recovery",
        1,
        "node_infiniband_link_error_recovery_total",
        "Times that the link was recovered from an error.",
    ),
    of(
        "counters/local_link_integrity_errors",
        1,
        "node_infiniband_local_link_integrity_errors_total",
        "Times that local physical errors were more than is allowed.",
    ),
    of(
        "counters/multicast_rcv_packets",
        1,
        "node_infiniband_multicast_packets_received_total",
        "Multicast packets received, with those in error.",
    ),
    of(
        "counters/multicast_xmit_packets",
        1,
        "node_infiniband_multicast_packets_transmitted_total",
        "Multicast packets sent, with those in error.",
    ),
    of(
        "counters/port_rcv_constraint_errors",
        1,
        "node_infiniband_port_constraint_errors_received_total",
        "Packets received that the switch's port threw away.",
    ),
    of(
        "counters/port_xmit_constraint_errors",
        1,
        "node_infiniband_port_constraint_errors_transmitted_total",
        "Packets that the switch's port did not send.",
    ),
    of("counters/port_rcv_data", 4, "node_infiniband_port_data_received_bytes_total", "Bytes received."),
    of("counters/port_xmit_data", 4, "node_infiniband_port_data_transmitted_bytes_total", "Bytes sent."),
    of(
        "counters/port_rcv_discards",
        1,
        "node_infiniband_port_discards_received_total",
        "Packets received and thrown away because the port was down or congested.",
    ),
    of(
        "counters/port_xmit_discards",
        1,
        "node_infiniband_port_discards_transmitted_total",
        "Packets not sent because the port was down or congested.",
    ),
    of("counters/port_rcv_errors", 1, "node_infiniband_port_errors_received_total", "Packets received with an error."),
    of(
        "counters/port_rcv_packets",
        1,
        "node_infiniband_port_packets_received_total",
        "Packets received, with those in error.",
    ),
    of(
        "counters/port_xmit_packets",
        1,
        "node_infiniband_port_packets_transmitted_total",
        "Packets sent, with those in error.",
    ),
    of(
        "counters/port_xmit_wait",
        1,
        "node_infiniband_port_transmit_wait_total",
        "Ticks in which the port had something to send and could not.",
    ),
    of(
        "counters/unicast_rcv_packets",
        1,
        "node_infiniband_unicast_packets_received_total",
        "Unicast packets received, with those in error.",
    ),
    of(
        "counters/unicast_xmit_packets",
        1,
        "node_infiniband_unicast_packets_transmitted_total",
        "Unicast packets sent, with those in error.",
    ),
    of(
        "counters/port_rcv_remote_physical_errors",
        1,
        "node_infiniband_port_receive_remote_physical_errors_total",
        "Packets received that the sender had marked as bad.",
    ),
    of(
        "counters/port_rcv_switch_relay_errors",
        1,
        "node_infiniband_port_receive_switch_relay_errors_total",
        "Packets that the switch could not forward.",
    ),
    of(
        "counters/symbol_error",
        1,
        "node_infiniband_symbol_error_total",
        "Minor errors of the link on one or more lanes.",
    ),
    of(
        "counters/VL15_dropped",
        1,
        "node_infiniband_vl15_dropped_total",
        "Management packets thrown away for want of room.",
    ),
    of(
        "counters_ext/port_multicast_rcv_packets",
        1,
        "node_infiniband_legacy_multicast_packets_received_total",
        "Multicast packets received, as older kernels count them.",
    ),
    of(
        "counters_ext/port_multicast_xmit_packets",
        1,
        "node_infiniband_legacy_multicast_packets_transmitted_total",
        "Multicast packets sent, as older kernels count them.",
    ),
    of(
        "counters_ext/port_rcv_data_64",
        4,
        "node_infiniband_legacy_data_received_bytes_total",
        "Bytes received, as older kernels count them.",
    ),
    of(
        "counters_ext/port_rcv_packets_64",
        1,
        "node_infiniband_legacy_packets_received_total",
        "Packets received, as older kernels count them.",
    ),
    of(
        "counters_ext/port_unicast_rcv_packets",
        1,
        "node_infiniband_legacy_unicast_packets_received_total",
        "Unicast packets received, as older kernels count them.",
    ),
    of(
        "counters_ext/port_unicast_xmit_packets",
        1,
        "node_infiniband_legacy_unicast_packets_transmitted_total",
        "Unicast packets sent, as older kernels count them.",
    ),
    of(
        "counters_ext/port_xmit_data_64",
        4,
        "node_infiniband_legacy_data_transmitted_bytes_total",
        "Bytes sent, as older kernels count them.",
    ),
    of(
        "counters_ext/port_xmit_packets_64",
        1,
        "node_infiniband_legacy_packets_transmitted_total",
        "Packets sent, as older kernels count them.",
    ),
    of(
        "hw_counters/duplicate_request",
        1,
        "node_infiniband_duplicate_requests_packets_total",
        "Requests received that had been carried out before.",
    ),
    of(
        "hw_counters/implied_nak_seq_err",
        1,
        "node_infiniband_implied_nak_seq_errors_total",
        "Acknowledgements of more than was asked for.",
    ),
    of(
        "hw_counters/local_ack_timeout_err",
        1,
        "node_infiniband_local_ack_timeout_errors_total",
        "Times that a sender waited too long for an acknowledgement.",
    ),
    of("hw_counters/np_cnp_sent", 1, "node_infiniband_np_cnp_packets_sent_total", "Notifications of congestion sent."),
    of(
        "hw_counters/np_ecn_marked_roce_packets",
        1,
        "node_infiniband_np_ecn_marked_roce_packets_received_total",
        "RoCE packets received that were marked on a congested way.",
    ),
    of(
        "hw_counters/out_of_buffer",
        1,
        "node_infiniband_out_of_buffer_drops_total",
        "Packets thrown away because no receive request was posted.",
    ),
    of(
        "hw_counters/out_of_sequence",
        1,
        "node_infiniband_out_of_sequence_packets_received_total",
        "Packets received out of order.",
    ),
    of(
        "hw_counters/packet_seq_err",
        1,
        "node_infiniband_packet_sequence_errors_total",
        "Answers received that say that a packet was out of order.",
    ),
    of(
        "hw_counters/req_cqe_error",
        1,
        "node_infiniband_req_cqes_errors_total",
        "Requests of ours that ended in an error.",
    ),
    of(
        "hw_counters/req_cqe_flush_error",
        1,
        "node_infiniband_req_cqes_flush_errors_total",
        "Requests of ours that ended because their queue was flushed.",
    ),
    of(
        "hw_counters/req_remote_access_errors",
        1,
        "node_infiniband_req_remote_access_errors_total",
        "Requests of ours that the other side refused access.",
    ),
    of(
        "hw_counters/req_remote_invalid_request",
        1,
        "node_infiniband_req_remote_invalid_request_errors_total",
        "Requests of ours that the other side found invalid.",
    ),
    of(
        "hw_counters/resp_cqe_error",
        1,
        "node_infiniband_resp_cqes_errors_total",
        "Requests of others that ended in an error here.",
    ),
    of(
        "hw_counters/resp_cqe_flush_error",
        1,
        "node_infiniband_resp_cqes_flush_errors_total",
        "Requests of others that ended here because their queue was flushed.",
    ),
    of(
        "hw_counters/resp_local_length_error",
        1,
        "node_infiniband_resp_local_length_errors_total",
        "Requests of others that were too long for what was posted here.",
    ),
    of(
        "hw_counters/resp_remote_access_errors",
        1,
        "node_infiniband_resp_remote_access_errors_total",
        "Requests of others that were refused access here.",
    ),
    of(
        "hw_counters/rnr_nak_retry_err",
        1,
        "node_infiniband_rnr_nak_retry_packets_received_total",
        "Answers received that say that the other side was not ready.",
    ),
    of(
        "hw_counters/roce_adp_retrans",
        1,
        "node_infiniband_roce_adp_retransmits_total",
        "Adaptive retransmissions of RoCE traffic.",
    ),
    of(
        "hw_counters/roce_adp_retrans_to",
        1,
        "node_infiniband_roce_adp_retransmits_timeout_total",
        "Times that RoCE traffic timed out in spite of adaptive retransmission.",
    ),
    of(
        "hw_counters/roce_slow_restart",
        1,
        "node_infiniband_roce_slow_restart_used_total",
        "Times that RoCE restarted slowly.",
    ),
    of(
        "hw_counters/roce_slow_restart_cnps",
        1,
        "node_infiniband_roce_slow_restart_cnps_total",
        "Notifications of congestion that a slow restart of RoCE made.",
    ),
    of(
        "hw_counters/roce_slow_restart_trans",
        1,
        "node_infiniband_roce_slow_restart_total",
        "Times that RoCE changed its state to slow restart.",
    ),
    of(
        "hw_counters/rp_cnp_handled",
        1,
        "node_infiniband_rp_cnp_packets_handled_total",
        "Notifications of congestion that the sender heeded.",
    ),
    of(
        "hw_counters/rp_cnp_ignored",
        1,
        "node_infiniband_rp_cnp_ignored_packets_received_total",
        "Notifications of congestion that the sender did not heed.",
    ),
    of("hw_counters/rx_atomic_requests", 1, "node_infiniband_rx_atomic_requests_total", "Atomic requests received."),
    of(
        "hw_counters/rx_dct_connect",
        1,
        "node_infiniband_rx_dct_connect_requests_total",
        "Requests received for a dynamic connection.",
    ),
    of(
        "hw_counters/rx_icrc_encapsulated",
        1,
        "node_infiniband_rx_icrc_encapsulated_errors_total",
        "RoCE packets received with a wrong checksum.",
    ),
    of("hw_counters/rx_read_requests", 1, "node_infiniband_rx_read_requests_total", "Requests received to read."),
    of("hw_counters/rx_write_requests", 1, "node_infiniband_rx_write_requests_total", "Requests received to write."),
];

const FAMILIES: usize = 5 + COUNTERS.len();
static DESCS: [&Desc; FAMILIES] = descs();

pub(super) static ALL: &[&Desc] = &DESCS;

#[expect(clippy::indexing_slicing, reason = "const fns have no checked indexing; this runs at compile time")]
const fn descs() -> [&'static Desc; FAMILIES] {
    let mut all = [INFO.desc(); FAMILIES];
    all[1] = STATE.desc();
    all[2] = PHYSICAL_STATE.desc();
    all[3] = RATE.desc();
    all[4] = LIFESPAN.desc();
    let mut i = 0;
    while i < COUNTERS.len() {
        all[5 + i] = COUNTERS[i].family.desc();
        i += 1;
    }
    all
}
