//! Families of `tcp` and `tcp_peers`.

use std::net::Ipv6Addr;

use metric::{Batch, Bytes, Count, Desc, Extra, Family, Label, Nanos, Of, Seconds, Subject};

use super::{
    book::{Account, Unit, WithPeer},
    wire::{DIRECTIONS, FAILURES, OUTCOMES, Peer, PeerId},
};
use crate::identity::{AsContainer, AsWorkload};

const DIRECTION: Label = Label::closed("direction", &DIRECTIONS);
const REASON: Label = Label::closed("reason", &FAILURES);
const RESET: Label = Label::closed("direction", &["sent", "received"]);
const PEER: Label =
    Label::open("peer", "addresses or prefixes, at most 64 a container and 256 a workload and direction");
const PORT: Label = Label::open("port", "ports of the side that is asked, bounded with peer");
const LISTENS: Label = Label::open("port", "ports at which the container's programs listen");

/// Families of one kind of subject.
pub(super) struct Totals<S: Subject> {
    opened: Family<Count, 1, S>,
    open: Family<Count, 1, S>,
    failed: Family<Count, 1, S>,
    ended: Family<Count, 1, S>,
    sent: Family<Bytes, 0, S>,
    received: Family<Bytes, 0, S>,
    retransmits: Family<Count, 0, S>,
    retransmitted: Family<Bytes, 0, S>,
    resets: Family<Count, 1, S>,
    connect: Family<Seconds, 0, S>,
    rtt: Family<Seconds, 0, S>,
}

/// The same families for containers and for workloads: their names differ in the beginning only, and constants cannot
/// be glued together by a function.
macro_rules! totals {
    ($connections:literal, $network:literal, $whose:literal) => {
        Totals {
            opened: Family::counter(
                concat!($connections, "_opened_total"),
                concat!("TCP connections ", $whose, " that were opened, by direction."),
                &[DIRECTION],
            ),
            open: Family::gauge(
                concat!($connections, "_open"),
                concat!("TCP connections ", $whose, " that are open, by direction."),
                &[DIRECTION],
            ),
            failed: Family::counter(
                concat!($connections, "_failed_total"),
                concat!("Outbound TCP connections ", $whose, " that failed to open, by reason."),
                &[REASON],
            ),
            ended: Family::counter(
                concat!($connections, "_ended_total"),
                concat!("TCP connections ", $whose, " that ended, by outcome."),
                &[Label::closed("outcome", &OUTCOMES)],
            ),
            sent: Family::counter(
                concat!($network, "_tcp_sent_bytes_total"),
                concat!("Payload bytes sent by TCP connections ", $whose, ", each byte once."),
                &[],
            ),
            received: Family::counter(
                concat!($network, "_tcp_received_bytes_total"),
                concat!("Payload bytes received by TCP connections ", $whose, ", each byte once."),
                &[],
            ),
            retransmits: Family::counter(
                concat!($network, "_tcp_retransmitted_packets_total"),
                concat!("Packets that TCP connections ", $whose, " retransmitted."),
                &[],
            ),
            retransmitted: Family::counter(
                concat!($network, "_tcp_retransmitted_bytes_total"),
                concat!("Payload bytes in packets that TCP connections ", $whose, " retransmitted."),
                &[],
            ),
            resets: Family::counter(
                concat!($network, "_tcp_resets_total"),
                concat!("RST packets of TCP connections ", $whose, ", by direction."),
                &[RESET],
            ),
            connect: Family::histogram(
                concat!($network, "_tcp_connect_seconds"),
                concat!("Time to establish outbound TCP connections ", $whose, "."),
                &[],
            ),
            rtt: Family::histogram(
                concat!($network, "_tcp_rtt_seconds"),
                concat!(
                    "Smoothed round-trip times of TCP connections ",
                    $whose,
                    ", each taken at its end and once a \
                         minute before."
                ),
                &[],
            ),
        }
    };
}

static OF_CONTAINER: Totals<AsContainer> =
    totals!("container_network_connections", "container_network", "of the container");
static OF_WORKLOAD: Totals<AsWorkload> =
    totals!("workload_connections", "workload_network", "of the workload's past and present containers");

static WAITING: Family<Count, 1, AsContainer> = Family::gauge(
    "container_network_listen_waiting",
    "Established connections in the backlog of the container's listening socket, not yet accepted.",
    &[LISTENS],
);
static WAITING_LIMIT: Family<Count, 1, AsContainer> = Family::gauge(
    "container_network_listen_waiting_limit",
    "Backlog limit of the container's listening socket with the most waiting connections.",
    &[LISTENS],
);
static TURNED_AWAY: Family<Count, 1, AsContainer> = Family::counter(
    "container_network_listen_turned_away_total",
    "Connection attempts refused by the container's listening sockets, mostly because the backlog was full.",
    &[LISTENS],
);

macro_rules! totals_list {
    ($families:ident) => {
        &[
            $families.opened.desc(),
            $families.open.desc(),
            $families.failed.desc(),
            $families.ended.desc(),
            $families.sent.desc(),
            $families.received.desc(),
            $families.retransmits.desc(),
            $families.retransmitted.desc(),
            $families.resets.desc(),
            $families.connect.desc(),
            $families.rtt.desc(),
        ]
    };
}

static CONTAINER_TOTALS: &[&Desc; 11] = totals_list!(OF_CONTAINER);
static WORKLOAD_TOTALS: &[&Desc; 11] = totals_list!(OF_WORKLOAD);

/// All of `tcp`.
pub(super) static FAMILIES: &[&Desc] = &{
    let mut all = [WAITING.desc(); 25];
    let mut i = 0;
    while i < 11 {
        #[expect(clippy::indexing_slicing, reason = "runs at compile time")]
        {
            all[i] = CONTAINER_TOTALS[i];
            all[14 + i] = WORKLOAD_TOTALS[i];
        }
        i += 1;
    }
    all[12] = WAITING_LIMIT.desc();
    all[13] = TURNED_AWAY.desc();
    all
};

/// Families by peer, of one kind of subject.
pub(super) struct ByPeer<S: Subject> {
    opened: Family<Count, 3, S>,
    open: Family<Count, 3, S>,
    failed: Family<Count, 4, S>,
    sent: Family<Bytes, 3, S>,
    received: Family<Bytes, 3, S>,
    retransmits: Family<Count, 3, S>,
    connect: Family<Seconds, 3, S>,
    rtt: Family<Seconds, 3, S>,
    rtt_samples: Family<Count, 3, S>,
}

macro_rules! by_peer {
    ($prefix:literal, $whose:literal) => {
        ByPeer {
            opened: Family::counter(
                concat!($prefix, "_peer_connections_opened_total"),
                concat!("TCP connections ", $whose, " that were opened, by peer."),
                &[DIRECTION, PEER, PORT],
            ),
            open: Family::gauge(
                concat!($prefix, "_peer_connections_open"),
                concat!("TCP connections ", $whose, " that are open, by peer."),
                &[DIRECTION, PEER, PORT],
            ),
            failed: Family::counter(
                concat!($prefix, "_peer_connections_failed_total"),
                concat!(
                    "Outbound TCP connections ",
                    $whose,
                    " that failed to open, by peer and reason; a reason is shown once it has occurred."
                ),
                &[DIRECTION, PEER, PORT, REASON],
            ),
            sent: Family::counter(
                concat!($prefix, "_peer_sent_bytes_total"),
                concat!("Bytes that TCP connections ", $whose, " sent to the peer, each byte once."),
                &[DIRECTION, PEER, PORT],
            ),
            received: Family::counter(
                concat!($prefix, "_peer_received_bytes_total"),
                concat!("Bytes that TCP connections ", $whose, " received from the peer, each byte once."),
                &[DIRECTION, PEER, PORT],
            ),
            retransmits: Family::counter(
                concat!($prefix, "_peer_retransmitted_packets_total"),
                concat!("Packets that TCP connections ", $whose, " retransmitted, by peer."),
                &[DIRECTION, PEER, PORT],
            ),
            connect: Family::counter(
                concat!($prefix, "_peer_connect_seconds_total"),
                concat!("Time to establish outbound TCP connections ", $whose, ", by peer."),
                &[DIRECTION, PEER, PORT],
            ),
            rtt: Family::counter(
                concat!($prefix, "_peer_rtt_seconds_total"),
                concat!("Sum of sampled round-trip times of TCP connections ", $whose, ", by peer."),
                &[DIRECTION, PEER, PORT],
            ),
            rtt_samples: Family::counter(
                concat!($prefix, "_peer_rtt_samples_total"),
                concat!("Samples in the sum of round-trip times of TCP connections ", $whose, ", by peer."),
                &[DIRECTION, PEER, PORT],
            ),
        }
    };
}

static PEERS_OF_CONTAINER: ByPeer<AsContainer> = by_peer!("container_network", "of the container");
static PEERS_OF_WORKLOAD: ByPeer<AsWorkload> =
    by_peer!("workload_network", "of the workload's past and present containers");

macro_rules! peer_list {
    ($families:ident) => {
        &[
            $families.opened.desc(),
            $families.open.desc(),
            $families.failed.desc(),
            $families.sent.desc(),
            $families.received.desc(),
            $families.retransmits.desc(),
            $families.connect.desc(),
            $families.rtt.desc(),
            $families.rtt_samples.desc(),
        ]
    };
}

/// All of `tcp_peers`.
pub(super) static WORKLOAD_PEERS: &[&Desc] = peer_list!(PEERS_OF_WORKLOAD);
/// All of `tcp_container_peers`.
pub(super) static CONTAINER_PEERS: &[&Desc] = peer_list!(PEERS_OF_CONTAINER);

/// Puts what a container has.
pub(super) fn emit_unit(unit: &Unit, of: Of<AsContainer>, out: &mut Batch) {
    emit_totals(&OF_CONTAINER, &unit.account, of, out);
    for (port, listening) in &unit.listening {
        let port = port.to_string();
        let extra = Extra { created: Some(unit.account.created), exemplar: None };
        out.put_with(&TURNED_AWAY, Some(of), [&port], Count(listening.figures.turned_away as f64), extra);
        if listening.there {
            out.put_of(&WAITING, of, [&port], listening.figures.waiting);
            out.put_of(&WAITING_LIMIT, of, [&port], listening.figures.limit);
        }
    }
}

/// Puts what a workload has.
pub(super) fn emit_workload(account: &Account, of: Of<AsWorkload>, out: &mut Batch) {
    emit_totals(&OF_WORKLOAD, account, of, out);
}

/// Puts what a container has, by peer.
pub(super) fn emit_unit_peers(unit: &Unit, of: Of<AsContainer>, names: Names, out: &mut Batch) {
    emit_peers(&PEERS_OF_CONTAINER, &unit.account, of, names, out);
}

/// Puts what a workload has, by peer.
pub(super) fn emit_workload_peers(account: &Account, of: Of<AsWorkload>, names: Names, out: &mut Batch) {
    emit_peers(&PEERS_OF_WORKLOAD, account, of, names, out);
}

fn emit_totals<S: Subject>(families: &'static Totals<S>, account: &Account, of: Of<S>, out: &mut Batch) {
    let extra = || Extra { created: Some(account.created), exemplar: None };
    let total = account.total();
    let [sent, received] = account.resets;
    for (direction, totals) in DIRECTIONS.iter().zip(&account.totals) {
        out.put_with(&families.opened, Some(of), [direction], Count(totals.opened as f64), extra());
        out.put_of(&families.open, of, [direction], open(totals));
    }
    for (reason, count) in FAILURES.iter().zip(total.failed) {
        out.put_with(&families.failed, Some(of), [reason], Count(count as f64), extra());
    }
    for (outcome, count) in OUTCOMES.iter().zip(total.ended) {
        out.put_with(&families.ended, Some(of), [outcome], Count(count as f64), extra());
    }
    out.put_with(&families.sent, Some(of), [], Bytes(total.sent_bytes), extra());
    out.put_with(&families.received, Some(of), [], Bytes(total.received_bytes), extra());
    out.put_with(&families.retransmits, Some(of), [], Count(total.retransmits as f64), extra());
    out.put_with(&families.retransmitted, Some(of), [], Bytes(total.retransmitted_bytes), extra());
    out.put_with(&families.resets, Some(of), ["sent"], Count(sent as f64), extra());
    out.put_with(&families.resets, Some(of), ["received"], Count(received as f64), extra());
    out.put_histogram(&families.connect, Some(of), [], account.connect.histogram(account.created));
    out.put_histogram(&families.rtt, Some(of), [], account.rtt.histogram(account.created));
}

fn emit_peers<S: Subject>(families: &'static ByPeer<S>, account: &Account, of: Of<S>, names: Names, out: &mut Batch) {
    for (id, WithPeer { sums, created, .. }) in &account.peers {
        let extra = || Extra { created: Some(*created), exemplar: None };
        let (peer, port) = names.of(id);
        let direction = DIRECTIONS.get(id.direction()).copied().unwrap_or_default();
        let labels = [direction, &peer, &port];
        out.put_with(&families.opened, Some(of), labels, Count(sums.opened as f64), extra());
        out.put_of(&families.open, of, labels, open(sums));
        for (reason, count) in FAILURES.iter().zip(sums.failed).filter(|(_, count)| *count > 0) {
            out.put_with(&families.failed, Some(of), [direction, &peer, &port, reason], Count(count as f64), extra());
        }
        out.put_with(&families.sent, Some(of), labels, Bytes(sums.sent_bytes), extra());
        out.put_with(&families.received, Some(of), labels, Bytes(sums.received_bytes), extra());
        out.put_with(&families.retransmits, Some(of), labels, Count(sums.retransmits as f64), extra());
        if !id.inbound {
            out.put_with(&families.connect, Some(of), labels, Nanos(sums.connect_ns), extra());
        }
        out.put_with(&families.rtt, Some(of), labels, Nanos(sums.rtt_ns), extra());
        out.put_with(&families.rtt_samples, Some(of), labels, Count(sums.rtt_samples as f64), extra());
    }
}

/// Open connections. What was read while one ended may be one too few.
fn open(sums: &Peer) -> Count {
    Count(sums.open.cast_signed().max(0) as f64)
}

/// How peers are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    /// Lengths of the prefixes that tell peers apart.
    pub(super) prefixes: [u8; 2],
}

impl Names {
    fn of(self, id: &PeerId) -> (String, String) {
        if id.is_other() {
            return ("other".into(), String::new());
        }
        (self.address(id.address), id.port.to_string())
    }

    fn address(self, address: Ipv6Addr) -> String {
        let [v4, v6] = self.prefixes;
        match address.to_ipv4_mapped() {
            Some(address) if v4 < 32 => format!("{address}/{v4}"),
            Some(address) => address.to_string(),
            None if v6 < 128 => format!("{address}/{v6}"),
            None => address.to_string(),
        }
    }
}
