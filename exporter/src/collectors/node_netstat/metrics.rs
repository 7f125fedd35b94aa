//! Families of `node_netstat`.

use metric::{Count, Desc, Discovered, Family, Kind};

use crate::collectors::node::{NAMER, descs, untyped};

const fn field(name: &'static str, help: &'static str) -> Family<Count, 0> {
    untyped(name, help, &[])
}

/// What the default pattern chooses.
pub(super) static DECLARED: [Family<Count, 0>; 42] = [
    field("node_netstat_Icmp6_InErrors", "Icmp6 packets that arrived and could not be delivered."),
    field("node_netstat_Icmp6_InMsgs", "Icmp6 messages received."),
    field("node_netstat_Icmp6_OutMsgs", "Icmp6 messages sent."),
    field("node_netstat_Icmp_InErrors", "Icmp packets that arrived and could not be delivered."),
    field("node_netstat_Icmp_InMsgs", "Icmp messages received."),
    field("node_netstat_Icmp_OutMsgs", "Icmp messages sent."),
    field("node_netstat_Ip6_InOctets", "Bytes received in Ip6 packets."),
    field("node_netstat_Ip6_OutOctets", "Bytes sent in Ip6 packets."),
    field("node_netstat_IpExt_InOctets", "Bytes received in IpExt packets."),
    field("node_netstat_IpExt_OutOctets", "Bytes sent in IpExt packets."),
    field("node_netstat_Ip_Forwarding", "Whether packets are forwarded: 1 yes, 2 no."),
    field("node_netstat_TcpExt_ListenDrops", "Connections dropped because a listening socket could not take them."),
    field("node_netstat_TcpExt_ListenOverflows", "Connections dropped because a listening socket's queue was full."),
    field("node_netstat_TcpExt_SyncookiesFailed", "SYN cookies that came back wrong."),
    field("node_netstat_TcpExt_SyncookiesRecv", "SYN cookies that came back right."),
    field("node_netstat_TcpExt_SyncookiesSent", "SYN cookies sent because a listening socket's queue was full."),
    field("node_netstat_TcpExt_TCPOFOQueue", "TCP segments that arrived out of order and were kept."),
    field("node_netstat_TcpExt_TCPRcvQDrop", "TCP segments dropped because the receive queue was full."),
    field("node_netstat_TcpExt_TCPSynRetrans", "SYN and SYN-ACK segments sent again."),
    field("node_netstat_TcpExt_TCPTimeouts", "TCP timeouts after which a segment was sent again."),
    field("node_netstat_Tcp_ActiveOpens", "TCP connections opened from here."),
    field("node_netstat_Tcp_CurrEstab", "TCP connections that are established now."),
    field("node_netstat_Tcp_InErrs", "TCP segments that arrived broken."),
    field("node_netstat_Tcp_InSegs", "TCP segments received."),
    field("node_netstat_Tcp_OutRsts", "TCP segments sent with the reset flag."),
    field("node_netstat_Tcp_OutSegs", "TCP segments sent, without those sent again."),
    field("node_netstat_Tcp_PassiveOpens", "TCP connections accepted here."),
    field("node_netstat_Tcp_RetransSegs", "TCP segments sent again."),
    field("node_netstat_Udp6_InDatagrams", "Udp6 datagrams delivered."),
    field("node_netstat_Udp6_InErrors", "Udp6 packets that arrived and could not be delivered."),
    field("node_netstat_Udp6_NoPorts", "Udp6 datagrams for ports where nobody listens."),
    field("node_netstat_Udp6_OutDatagrams", "Udp6 datagrams sent."),
    field("node_netstat_Udp6_RcvbufErrors", "Udp6 datagrams dropped because the receive buffer was full."),
    field("node_netstat_Udp6_SndbufErrors", "Udp6 datagrams not sent because the send buffer was full."),
    field("node_netstat_UdpLite6_InErrors", "UdpLite6 packets that arrived and could not be delivered."),
    field("node_netstat_UdpLite_InErrors", "UdpLite packets that arrived and could not be delivered."),
    field("node_netstat_Udp_InDatagrams", "Udp datagrams delivered."),
    field("node_netstat_Udp_InErrors", "Udp packets that arrived and could not be delivered."),
    field("node_netstat_Udp_NoPorts", "Udp datagrams for ports where nobody listens."),
    field("node_netstat_Udp_OutDatagrams", "Udp datagrams sent."),
    field("node_netstat_Udp_RcvbufErrors", "Udp datagrams dropped because the receive buffer was full."),
    field("node_netstat_Udp_SndbufErrors", "Udp datagrams not sent because the send buffer was full."),
];

/// What another pattern may choose; kernels have about 400 fields.
pub(super) static OTHERS: Discovered<Count, 0> = Discovered::new(NAMER, Kind::Unknown, &[], 2000);

static DESCS: [&Desc; DECLARED.len()] = descs(&DECLARED);

pub(super) static ALL: &[&Desc] = &DESCS;
