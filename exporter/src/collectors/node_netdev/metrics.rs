//! Families of `node_netdev`.

use std::sync::LazyLock;

use metric::{Count, Desc, Family, Label};

use crate::collectors::node::{counter, gauge};

/// A family, and where its value is.
#[derive(Debug)]
pub(super) struct Field<W> {
    pub(super) family: Family<Count, 1>,
    pub(super) of: W,
}

const DEVICE_LABEL: Label = Label::open("device", "network devices of the machine");
const DEVICE: &[Label; 1] = &[DEVICE_LABEL];

const fn field<W: Copy>(name: &'static str, help: &'static str, of: W) -> Field<W> {
    Field { family: counter(name, help, DEVICE), of }
}

/// Columns of `/proc/net/dev`, in its order.
pub(super) static COLUMNS: [Field<()>; 16] = [
    field("node_network_receive_bytes_total", "Bytes received.", ()),
    field("node_network_receive_packets_total", "Packets received.", ()),
    field("node_network_receive_errs_total", "Packets that arrived broken.", ()),
    field("node_network_receive_drop_total", "Packets that arrived and were dropped.", ()),
    field("node_network_receive_fifo_total", "Packets lost because the device's buffer was full.", ()),
    field("node_network_receive_frame_total", "Packets that arrived with a wrong length, frame or checksum.", ()),
    field("node_network_receive_compressed_total", "Compressed packets received.", ()),
    field("node_network_receive_multicast_total", "Multicast packets received.", ()),
    field("node_network_transmit_bytes_total", "Bytes sent.", ()),
    field("node_network_transmit_packets_total", "Packets sent.", ()),
    field("node_network_transmit_errs_total", "Packets that could not be sent.", ()),
    field("node_network_transmit_drop_total", "Packets dropped on the way out.", ()),
    field("node_network_transmit_fifo_total", "Packets not sent because of an error of the device's buffer.", ()),
    field("node_network_transmit_colls_total", "Collisions while sending.", ()),
    field(
        "node_network_transmit_carrier_total",
        "Packets not sent because of the carrier, an abort, the heartbeat or the window.",
        (),
    ),
    field("node_network_transmit_compressed_total", "Compressed packets sent.", ()),
];

/// Not in `/proc/net/dev`: a file of the folder `statistics`.
pub(super) static NOHANDLER: Field<&str> = field(
    "node_network_receive_nohandler_total",
    "Packets that arrived and that nothing in the kernel wanted.",
    "rx_nohandler",
);

/// Files of the folder `statistics` that stand in the place of the sums of `/proc/net/dev`.
pub(super) static DETAILS: [Field<&str>; 17] = [
    field("node_network_receive_errors_total", "Packets that arrived broken.", "rx_errors"),
    field("node_network_transmit_errors_total", "Packets that could not be sent.", "tx_errors"),
    field(
        "node_network_receive_dropped_total",
        "Packets that arrived and were dropped for want of room.",
        "rx_dropped",
    ),
    field("node_network_transmit_dropped_total", "Packets dropped on the way out.", "tx_dropped"),
    field("node_network_multicast_total", "Multicast packets received.", "multicast"),
    field("node_network_collisions_total", "Collisions while sending.", "collisions"),
    field("node_network_receive_length_errors_total", "Packets that arrived with a wrong length.", "rx_length_errors"),
    field("node_network_receive_over_errors_total", "Packets that overran the device's ring.", "rx_over_errors"),
    field("node_network_receive_crc_errors_total", "Packets that arrived with a wrong checksum.", "rx_crc_errors"),
    field("node_network_receive_frame_errors_total", "Packets that arrived misaligned.", "rx_frame_errors"),
    field(
        "node_network_receive_fifo_errors_total",
        "Packets lost because the device's buffer was full.",
        "rx_fifo_errors",
    ),
    field(
        "node_network_receive_missed_errors_total",
        "Packets that the machine was too slow to take.",
        "rx_missed_errors",
    ),
    field("node_network_transmit_aborted_errors_total", "Packets whose sending was given up.", "tx_aborted_errors"),
    field(
        "node_network_transmit_carrier_errors_total",
        "Packets not sent because the carrier was lost.",
        "tx_carrier_errors",
    ),
    field(
        "node_network_transmit_fifo_errors_total",
        "Packets not sent because of an error of the device's buffer.",
        "tx_fifo_errors",
    ),
    field("node_network_transmit_heartbeat_errors_total", "Packets sent without a heartbeat.", "tx_heartbeat_errors"),
    field("node_network_transmit_window_errors_total", "Packets that collided too late.", "tx_window_errors"),
];

/// Names of columns that are single counters of the kernel; the others are sums or have another name in detail.
pub(super) const SINGLE: [&str; 6] = [
    "node_network_receive_bytes_total",
    "node_network_receive_packets_total",
    "node_network_receive_compressed_total",
    "node_network_transmit_bytes_total",
    "node_network_transmit_packets_total",
    "node_network_transmit_compressed_total",
];

/// Addresses of devices.
pub(super) static ADDRESS: Family<Count, 4> =
    gauge("node_network_address_info", "An address of a network device.", OF_ADDRESS);

const OF_ADDRESS: &[Label; 4] = &[
    Label::open("address", "addresses of the machine"),
    DEVICE_LABEL,
    Label::open("netmask", "lengths of prefixes, in bits"),
    Label::open("scope", "link-local, interface-local, global, or nothing"),
];

const OF_ALIASED: &[Label; 2] = &[DEVICE_LABEL, Label::open("ifalias", "aliases of network devices of the machine")];

/// The counters with the label `ifalias` beside `device`, in the order of [`DESCS`].
static ALIASED: LazyLock<Vec<Family<Count, 2>>> =
    LazyLock::new(|| DESCS.iter().take(COUNTERS).map(|desc| counter(desc.name, desc.help, OF_ALIASED)).collect());

/// The family of the same name that has the label `ifalias` too.
pub(super) fn aliased(family: &Desc) -> Option<&'static Family<Count, 2>> {
    ALIASED.iter().find(|aliased| aliased.desc().name == family.name)
}

const COUNTERS: usize = COLUMNS.len() + 1 + DETAILS.len();
const FAMILIES: usize = COUNTERS + 1;
static DESCS: [&Desc; FAMILIES] = descs();

pub(super) static ALL: &[&Desc] = &DESCS;

#[expect(clippy::indexing_slicing, reason = "const fns have no checked indexing; this runs at compile time")]
const fn descs() -> [&'static Desc; FAMILIES] {
    let mut all = [NOHANDLER.family.desc(); FAMILIES];
    all[COUNTERS] = ADDRESS.desc();
    let mut i = 0;
    while i < COLUMNS.len() {
        all[1 + i] = COLUMNS[i].family.desc();
        i += 1;
    }
    let mut j = 0;
    while j < DETAILS.len() {
        all[1 + i + j] = DETAILS[j].family.desc();
        j += 1;
    }
    all
}
