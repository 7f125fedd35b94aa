//! Families of `tcp_connections`: connections of workloads by peer, and topology edges.

use std::collections::BTreeMap;

use metric::{Batch, Bytes, Count, Desc, Extra, Family, Label, Nanos, Seconds};

use super::{
    named::{Account, Edge, Line, Named},
    wire::{DIRECTIONS, FAILURES, Peer},
};
use crate::identity::{AsWorkload, peers::KINDS};

const PEERS: &str = "peers of the workload, as many as peers.per_workload for each direction";
const DIRECTION: Label = Label::closed("direction", &DIRECTIONS);
const KIND: Label = Label::closed("peer_kind", &KINDS);
const NAMESPACE: Label = Label::open("peer_namespace", PEERS);
const WORKLOAD: Label = Label::open("peer_workload", PEERS);
const PORT: Label = Label::open("port", PEERS);

static OPENED: Family<Count, 5, AsWorkload> = Family::counter(
    "workload_connections_peer_opened_total",
    "TCP connections of the workload that were opened, by peer and server port.",
    &[DIRECTION, KIND, NAMESPACE, WORKLOAD, PORT],
);
static FAILED: Family<Count, 6, AsWorkload> = Family::counter(
    "workload_connections_peer_failed_total",
    "TCP connections of the workload that failed to open, by peer and reason; a reason is shown once it has occurred.",
    &[DIRECTION, KIND, NAMESPACE, WORKLOAD, PORT, Label::closed("reason", &FAILURES)],
);
static SENT: Family<Bytes, 5, AsWorkload> = Family::counter(
    "workload_connections_peer_sent_bytes_total",
    "Bytes that TCP connections of the workload sent to the peer, each byte once.",
    &[DIRECTION, KIND, NAMESPACE, WORKLOAD, PORT],
);
static RECEIVED: Family<Bytes, 5, AsWorkload> = Family::counter(
    "workload_connections_peer_received_bytes_total",
    "Bytes that TCP connections of the workload received from the peer, each byte once.",
    &[DIRECTION, KIND, NAMESPACE, WORKLOAD, PORT],
);
static RETRANSMITS: Family<Count, 5, AsWorkload> = Family::counter(
    "workload_connections_peer_retransmitted_packets_total",
    "Packets that TCP connections of the workload retransmitted, by peer.",
    &[DIRECTION, KIND, NAMESPACE, WORKLOAD, PORT],
);
static RTT: Family<Seconds, 5, AsWorkload> = Family::counter(
    "workload_connections_peer_rtt_seconds_total",
    "Sum of sampled round-trip times of TCP connections of the workload, by peer.",
    &[DIRECTION, KIND, NAMESPACE, WORKLOAD, PORT],
);
static RTT_SAMPLES: Family<Count, 5, AsWorkload> = Family::counter(
    "workload_connections_peer_rtt_samples_total",
    "Samples in the sum of round-trip times of TCP connections of the workload, by peer.",
    &[DIRECTION, KIND, NAMESPACE, WORKLOAD, PORT],
);
static OVER: Family<Count, 0> = Family::counter(
    "yagura_connections_over_limit_total",
    "Times that a peer was counted as `other` because the workload had reached peers.per_workload.",
    &[],
);

const EDGES: &str = "pairs of workloads and their peers";
const ID: Label = Label::open("id", EDGES);
const SOURCE: Label = Label::open("source", EDGES);
const TARGET: Label = Label::open("target", EDGES);

static EDGE_OPENED: Family<Count, 3> = Family::counter(
    "topology_edge_connections_total",
    "TCP connections that source opened to target; both are ids of topology_node_info.",
    &[ID, SOURCE, TARGET],
);
static EDGE_FAILED: Family<Count, 3> = Family::counter(
    "topology_edge_failures_total",
    "TCP connections from source to target that failed to open.",
    &[ID, SOURCE, TARGET],
);
static EDGE_BYTES: Family<Bytes, 3> = Family::counter(
    "topology_edge_bytes_total",
    "Bytes that TCP connections carried between source and target, sum of both directions.",
    &[ID, SOURCE, TARGET],
);
static EDGE_RETRANSMITS: Family<Count, 3> = Family::counter(
    "topology_edge_retransmitted_packets_total",
    "Packets that were sent again between two ends, by the end that this node saw.",
    &[ID, SOURCE, TARGET],
);
static EDGE_RTT: Family<Seconds, 3> = Family::counter(
    "topology_edge_rtt_seconds_total",
    "Sum of sampled round-trip times between two ends.",
    &[ID, SOURCE, TARGET],
);
static EDGE_RTT_SAMPLES: Family<Count, 3> = Family::counter(
    "topology_edge_rtt_samples_total",
    "Samples in the sum of round-trip times between two ends.",
    &[ID, SOURCE, TARGET],
);
static NODE: Family<Count, 4> = Family::gauge(
    "topology_node_info",
    "An end of edges: a workload, or a peer of workloads; always 1.",
    &[ID, Label::open("title", EDGES), Label::open("subtitle", EDGES), Label::open("kind", crate::identity::KINDS)],
);

/// All of them.
pub(super) static FAMILIES: &[&Desc] = &[
    OPENED.desc(),
    FAILED.desc(),
    SENT.desc(),
    RECEIVED.desc(),
    RETRANSMITS.desc(),
    RTT.desc(),
    RTT_SAMPLES.desc(),
    OVER.desc(),
    EDGE_OPENED.desc(),
    EDGE_FAILED.desc(),
    EDGE_BYTES.desc(),
    EDGE_RETRANSMITS.desc(),
    EDGE_RTT.desc(),
    EDGE_RTT_SAMPLES.desc(),
    NODE.desc(),
];

/// Puts all samples.
pub(super) fn emit(named: &Named, out: &mut Batch) {
    for (key, lines) in named.workloads() {
        let of = out.subject::<AsWorkload, 3>([&key.namespace, &key.name, key.kind]);
        for (labels, (sums, created)) in rows(lines) {
            let extra = || Extra { created: Some(created), exemplar: None };
            let (direction, kind, namespace, name, port) = labels;
            let port = if port == 0 { String::new() } else { port.to_string() };
            let labels = [direction, kind, namespace, name, port.as_str()];
            out.put_with(&OPENED, Some(of), labels, Count(sums.opened as f64), extra());
            for (reason, count) in FAILURES.iter().zip(sums.failed).filter(|(_, count)| *count > 0) {
                out.put_with(
                    &FAILED,
                    Some(of),
                    [direction, kind, namespace, name, port.as_str(), reason],
                    Count(count as f64),
                    extra(),
                );
            }
            out.put_with(&SENT, Some(of), labels, Bytes(sums.sent_bytes), extra());
            out.put_with(&RECEIVED, Some(of), labels, Bytes(sums.received_bytes), extra());
            out.put_with(&RETRANSMITS, Some(of), labels, Count(sums.retransmits as f64), extra());
            out.put_with(&RTT, Some(of), labels, Nanos(sums.rtt_ns), extra());
            out.put_with(&RTT_SAMPLES, Some(of), labels, Count(sums.rtt_samples as f64), extra());
        }
    }
    out.put(&OVER, [], Count(named.over() as f64));
    emit_topology(named, out);
}

/// Labels of a row: direction, kind, namespace, name, port.
type Labels<'n> = (&'static str, &'static str, &'n str, &'n str, u16);

/// Lines by their labels: workloads of the same name but of another kind are one row.
fn rows<'n>(lines: impl IntoIterator<Item = (&'n Line, &'n Account)>) -> BTreeMap<Labels<'n>, (Peer, f64)> {
    let mut rows: BTreeMap<Labels<'n>, (Peer, f64)> = BTreeMap::new();
    for (Line { inbound, who, port }, account) in lines {
        let direction = DIRECTIONS.get(usize::from(*inbound)).copied().unwrap_or_default();
        let labels = (direction, who.kind, &*who.namespace, &*who.name, *port);
        let (sums, created) = rows.entry(labels).or_insert((Peer::default(), account.created));
        sums.add(&account.sums);
        *created = created.min(account.created);
    }
    rows
}

fn emit_topology(named: &Named, out: &mut Batch) {
    let (edges, spots) = named.edges();
    for ((source, target), Edge { sums, created }) in &edges {
        let (source, target) = (source.id(), target.id());
        let id = format!("{source} → {target}");
        let labels = [id.as_str(), &source, &target];
        let extra = || Extra { created: Some(*created), exemplar: None };
        let failed: u64 = sums.failed.iter().sum();
        out.put_with(&EDGE_OPENED, None, labels, Count(sums.opened as f64), extra());
        out.put_with(&EDGE_FAILED, None, labels, Count(failed as f64), extra());
        out.put_with(&EDGE_BYTES, None, labels, Bytes(sums.sent_bytes + sums.received_bytes), extra());
        out.put_with(&EDGE_RETRANSMITS, None, labels, Count(sums.retransmits as f64), extra());
        out.put_with(&EDGE_RTT, None, labels, Nanos(sums.rtt_ns), extra());
        out.put_with(&EDGE_RTT_SAMPLES, None, labels, Count(sums.rtt_samples as f64), extra());
    }
    for spot in &spots {
        let title = if spot.name.is_empty() { &spot.kind } else { &spot.name };
        out.put(&NODE, [&spot.id(), title, &spot.namespace, &spot.kind], 1_u8);
    }
}
