//! Families of `container_network`.

use metric::{Bytes, Count, Desc, Family, Kind, Label, Subject};

use crate::identity::{AsCadvisor, CGROUPS};

const INTERFACE: Label = Label::open("interface", "network interfaces of the namespace");

/// cAdvisor's names, kept.
pub(super) mod cadvisor {
    use super::{AsCadvisor, Bytes, Count, Desc, Family, INTERFACE, Kind};
    use metric::Unit;

    const fn counter<U: Unit>(name: &'static str, help: &'static str) -> Family<U, 1, AsCadvisor> {
        Family::as_named_by("cadvisor", Kind::Counter, name, help, &[INTERFACE])
    }

    /// Of one direction.
    pub(in super::super) struct Direction {
        pub(in super::super) bytes: Family<Bytes, 1, AsCadvisor>,
        pub(in super::super) packets: Family<Count, 1, AsCadvisor>,
        pub(in super::super) dropped: Family<Count, 1, AsCadvisor>,
        pub(in super::super) errors: Family<Count, 1, AsCadvisor>,
    }

    pub(in super::super) static RECEIVE: Direction = Direction {
        bytes: counter("container_network_receive_bytes_total", "Bytes received in the container's network namespace."),
        packets: counter(
            "container_network_receive_packets_total",
            "Packets received in the container's network namespace.",
        ),
        dropped: counter(
            "container_network_receive_packets_dropped_total",
            "Received packets that were thrown away for lack of room or of a receiver.",
        ),
        errors: counter(
            "container_network_receive_errors_total",
            "Packets that arrived damaged in the container's network namespace.",
        ),
    };
    pub(in super::super) static TRANSMIT: Direction = Direction {
        bytes: counter("container_network_transmit_bytes_total", "Bytes sent from the container's network namespace."),
        packets: counter(
            "container_network_transmit_packets_total",
            "Packets sent from the container's network namespace.",
        ),
        dropped: counter(
            "container_network_transmit_packets_dropped_total",
            "Packets that were thrown away before they were sent.",
        ),
        errors: counter(
            "container_network_transmit_errors_total",
            "Packets that could not be sent from the container's network namespace.",
        ),
    };
    pub(in super::super) static ALL: &[&Desc] = &[
        RECEIVE.bytes.desc(),
        RECEIVE.packets.desc(),
        RECEIVE.dropped.desc(),
        RECEIVE.errors.desc(),
        TRANSMIT.bytes.desc(),
        TRANSMIT.packets.desc(),
        TRANSMIT.dropped.desc(),
        TRANSMIT.errors.desc(),
    ];
}

/// A pod with a network namespace of its own. Outside Kubernetes a container is its own pod.
#[derive(Debug)]
pub(super) struct AsPod;

impl Subject for AsPod {
    const LABELS: &'static [Label] = &[Label::open("namespace", CGROUPS), Label::open("pod", "pods of the node")];
}

/// Our own.
pub(super) mod own {
    use super::{AsPod, Bytes, Count, Desc, Family, INTERFACE, Label};

    const LABELS: &[Label; 2] = &[INTERFACE, Label::closed("direction", &["receive", "transmit"])];

    pub(in super::super) static BYTES: Family<Bytes, 2, AsPod> = Family::counter(
        "pod_network_traffic_bytes_total",
        "Bytes that passed an interface of the pod. Pods on the host's network have none of their own.",
        LABELS,
    );
    pub(in super::super) static PACKETS: Family<Count, 2, AsPod> =
        Family::counter("pod_network_packets_total", "Packets that passed an interface of the pod.", LABELS);
    pub(in super::super) static DROPPED: Family<Count, 2, AsPod> = Family::counter(
        "pod_network_dropped_packets_total",
        "Packets thrown away at an interface of the pod for lack of room or of a receiver.",
        LABELS,
    );
    pub(in super::super) static ERRORS: Family<Count, 2, AsPod> = Family::counter(
        "pod_network_errors_total",
        "Packets that arrived damaged at an interface of the pod or could not be sent.",
        LABELS,
    );
    pub(in super::super) static ALL: &[&Desc] = &[BYTES.desc(), PACKETS.desc(), DROPPED.desc(), ERRORS.desc()];
}

/// cAdvisor's names for what is in the sockets; a kubelet does not ask for them.
pub(super) mod sockets {
    use super::{AsCadvisor, Count, Desc, Family, Kind, Label};

    pub(in super::super) const TCP_STATES: &[&str] = &[
        "established",
        "synsent",
        "synrecv",
        "finwait1",
        "finwait2",
        "timewait",
        "close",
        "closewait",
        "lastack",
        "listen",
        "closing",
    ];
    const TCP: &[Label; 1] = &[Label::closed("tcp_state", TCP_STATES)];
    const UDP: &[Label; 1] = &[Label::closed("udp_state", &["listen", "dropped", "rxqueued", "txqueued"])];

    const fn gauge(
        name: &'static str,
        help: &'static str,
        labels: &'static [Label; 1],
    ) -> Family<Count, 1, AsCadvisor> {
        Family::as_named_by("cadvisor", Kind::Gauge, name, help, labels)
    }

    pub(in super::super) static TCP4: Family<Count, 1, AsCadvisor> = gauge(
        "container_network_tcp_usage_total",
        "TCP sockets over IPv4 in the container's network namespace, by state.",
        TCP,
    );
    pub(in super::super) static TCP6: Family<Count, 1, AsCadvisor> = gauge(
        "container_network_tcp6_usage_total",
        "TCP sockets over IPv6 in the container's network namespace, by state.",
        TCP,
    );
    pub(in super::super) static UDP4: Family<Count, 1, AsCadvisor> = gauge(
        "container_network_udp_usage_total",
        "UDP sockets over IPv4: their number, packets they dropped, bytes waiting in their queues.",
        UDP,
    );
    pub(in super::super) static UDP6: Family<Count, 1, AsCadvisor> = gauge(
        "container_network_udp6_usage_total",
        "UDP sockets over IPv6: their number, packets they dropped, bytes waiting in their queues.",
        UDP,
    );
    pub(in super::super) static ADVANCED: Family<Count, 1, AsCadvisor> = gauge(
        "container_network_advance_tcp_stats_total",
        "What the kernel counts of TCP in the container's network namespace, under the kernel's names in lower case.",
        &[Label::open("tcp_state", "counters that the kernel has for TCP, about 150")],
    );
    pub(in super::super) static ALL: &[&Desc] = &[TCP4.desc(), TCP6.desc(), UDP4.desc(), UDP6.desc(), ADVANCED.desc()];
}
