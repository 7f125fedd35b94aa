//! Families of `node_netclass`.

use metric::{Count, Desc, Family, Label};

use crate::collectors::node::{counter, gauge};

const DEVICE: Label = Label::open("device", "network devices of the machine");

pub(super) static UP: Family<Count, 1> = gauge("node_network_up", "Whether the device is up and running.", &[DEVICE]);
pub(super) static INFO: Family<Count, 7> = gauge(
    "node_network_info",
    "What the device is.",
    &[
        DEVICE,
        Label::open("address", "one a device"),
        Label::open("broadcast", "one a device"),
        Label::open("duplex", "a few words of the kernel"),
        Label::open("operstate", "a few words of the kernel"),
        Label::closed("adminstate", &["up", "down", "unknown"]),
        Label::open("ifalias", "one a device"),
    ],
);
pub(super) static SPEED: Family<Count, 1> =
    gauge("node_network_speed_bytes", "Bytes per second that the device can carry; negative when unknown.", &[DEVICE]);

/// A file of the device's folder and its family.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) file: &'static str,
    pub(super) family: Family<Count, 1>,
}

pub(super) static ATTRIBUTES: [Attribute; 16] = [
    Attribute {
        file: "addr_assign_type",
        family: gauge(
            "node_network_address_assign_type",
            "How the device got its address (include/uapi/linux/netdevice.h).",
            &[DEVICE],
        ),
    },
    Attribute {
        file: "carrier",
        family: gauge("node_network_carrier", "Whether the device has a carrier.", &[DEVICE]),
    },
    Attribute {
        file: "carrier_changes",
        family: counter("node_network_carrier_changes_total", "How often the carrier came or went.", &[DEVICE]),
    },
    Attribute {
        file: "carrier_up_count",
        family: counter("node_network_carrier_up_changes_total", "How often the carrier came.", &[DEVICE]),
    },
    Attribute {
        file: "carrier_down_count",
        family: counter("node_network_carrier_down_changes_total", "How often the carrier went.", &[DEVICE]),
    },
    Attribute {
        file: "dev_id",
        family: gauge("node_network_device_id", "Number that tells apart devices that share an address.", &[DEVICE]),
    },
    Attribute {
        file: "dormant",
        family: gauge(
            "node_network_dormant",
            "Whether the device waits for something outside before it carries traffic.",
            &[DEVICE],
        ),
    },
    Attribute {
        file: "flags",
        family: gauge("node_network_flags", "Flags of the device, as a number (include/uapi/linux/if.h).", &[DEVICE]),
    },
    Attribute { file: "ifindex", family: gauge("node_network_iface_id", "Index of the device.", &[DEVICE]) },
    Attribute {
        file: "iflink",
        family: gauge("node_network_iface_link", "Index of the device that this one stands on, or its own.", &[DEVICE]),
    },
    Attribute {
        file: "link_mode",
        family: gauge("node_network_iface_link_mode", "Whether the device becomes dormant by itself.", &[DEVICE]),
    },
    Attribute {
        file: "mtu",
        family: gauge("node_network_mtu_bytes", "Longest packet that the device takes.", &[DEVICE]),
    },
    Attribute {
        file: "name_assign_type",
        family: gauge(
            "node_network_name_assign_type",
            "Who chose the device's name (include/uapi/linux/netdevice.h).",
            &[DEVICE],
        ),
    },
    Attribute {
        file: "netdev_group",
        family: gauge("node_network_net_dev_group", "Group that the device is in.", &[DEVICE]),
    },
    Attribute {
        file: "tx_queue_len",
        family: gauge("node_network_transmit_queue_length", "Packets that the device's queue takes.", &[DEVICE]),
    },
    Attribute {
        file: "type",
        family: gauge("node_network_protocol_type", "What the device speaks (include/uapi/linux/if_arp.h).", &[DEVICE]),
    },
];

/// What sysfs does not tell.
pub(super) static ALTNAMES: Family<Count, 2> = gauge(
    "node_network_altnames_info",
    "A further name of a network device.",
    &[Label::open("altname", "names of network devices of the machine"), DEVICE],
);

const FAMILIES: usize = 4 + ATTRIBUTES.len();
static DESCS: [&Desc; FAMILIES] = descs();

pub(super) static ALL: &[&Desc] = &DESCS;

#[expect(clippy::indexing_slicing, reason = "const fns have no checked indexing; this runs at compile time")]
const fn descs() -> [&'static Desc; FAMILIES] {
    let mut all = [UP.desc(); FAMILIES];
    all[1] = INFO.desc();
    all[2] = SPEED.desc();
    all[3] = ALTNAMES.desc();
    let mut i = 0;
    while i < ATTRIBUTES.len() {
        all[4 + i] = ATTRIBUTES[i].family.desc();
        i += 1;
    }
    all
}
