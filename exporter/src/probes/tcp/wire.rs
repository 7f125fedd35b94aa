//! The structs that `tcp.bpf.c` shares with us (`tcp.h`), with the same sizes and offsets.

use std::{mem::offset_of, net::Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    books::times::{CLASSIC_SLOTS, NATIVE_SLOTS, Times},
    ids::CgroupId,
};

/// Reasons why a connection failed to open, in wire order.
pub const FAILURES: [&str; 6] = ["refused", "timeout", "unreachable", "abandoned", "local", "other"];
/// Outcomes of a connection, in wire order.
pub const OUTCOMES: [&str; 5] = ["closed", "reset_by_peer", "reset", "timeout", "other"];
/// Directions of a connection, in wire order.
pub const DIRECTIONS: [&str; 2] = ["outbound", "inbound"];
/// Kinds of loss that the programs count, by index.
pub const LOSSES: [&str; 6] = ["peer", "meter", "listener", "socket", "flow", "peer_over_cap"];

/// Whom a cgroup's connections lead to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PeerKey {
    /// The cgroup; 0 for those of whom no room was left.
    pub cgroup: CgroupId,
    address: [u8; 16],
    port: u16,
    direction: u8,
    padding: [u8; 5],
}

const _: () = {
    assert!(size_of::<PeerKey>() == 32);
    assert!(offset_of!(PeerKey, port) == 24);
};

impl PeerKey {
    /// The row of those for whom no other is left.
    pub fn nobody(direction: u8) -> Self {
        Self { direction, ..Self::default() }
    }

    /// The part that says who.
    pub fn peer(&self) -> PeerId {
        let Self { address, port, direction, .. } = *self;
        PeerId { inbound: direction == 1, address: Ipv6Addr::from(address), port }
    }
}

/// Direction, address of the peer and port of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId {
    /// Whether the peer opened the connection.
    pub inbound: bool,
    /// The peer's address, IPv4 as `::ffff:a.b.c.d`, or a prefix.
    pub address: Ipv6Addr,
    /// Port of the side that was asked; 0: all for whom there was no room.
    pub port: u16,
}

impl PeerId {
    /// All for whom there was no room.
    pub fn other(inbound: bool) -> Self {
        Self { inbound, address: Ipv6Addr::UNSPECIFIED, port: 0 }
    }

    /// Whether it is that.
    pub fn is_other(&self) -> bool {
        self.port == 0
    }

    /// Index of [`DIRECTIONS`].
    pub fn direction(&self) -> usize {
        usize::from(self.inbound)
    }
}

/// Sums of connections with a peer (`struct peer`). Only rises, except `open`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Peer {
    /// Outbound: connects that sent, or should have sent, a packet.
    pub attempts: u64,
    /// Connections that were opened.
    pub opened: u64,
    /// Connections that are there.
    pub open: u64,
    /// Those that did not come about, by [`FAILURES`].
    pub failed: [u64; 6],
    /// Those that ended, by [`OUTCOMES`].
    pub ended: [u64; 5],
    /// Bytes sent, each once.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Packets sent again.
    pub retransmits: u64,
    /// Bytes in them.
    pub retransmitted_bytes: u64,
    /// Time to connect, summed over outbound connections.
    pub connect_ns: u64,
    /// Round-trip times, summed over
    pub rtt_ns: u64,
    /// so many samples.
    pub rtt_samples: u64,
}

const PEER_FIELDS: usize = 21;

const _: () = {
    assert!(size_of::<Peer>() == PEER_FIELDS * 8);
    assert!(offset_of!(Peer, ended) == 72);
    assert!(offset_of!(Peer, sent_bytes) == 112);
};

impl Peer {
    /// Difference from an earlier state.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut fields: [u64; PEER_FIELDS] = zerocopy::transmute!(*self);
        let earlier: [u64; PEER_FIELDS] = zerocopy::transmute!(*earlier);
        for (field, before) in fields.iter_mut().zip(earlier) {
            *field = field.wrapping_sub(before);
        }
        zerocopy::transmute!(fields)
    }

    /// Adds what came; `open` may fall.
    pub fn add(&mut self, more: &Self) {
        let mut fields: [u64; PEER_FIELDS] = zerocopy::transmute!(*self);
        let more: [u64; PEER_FIELDS] = zerocopy::transmute!(*more);
        for (field, more) in fields.iter_mut().zip(more) {
            *field = field.wrapping_add(more);
        }
        *self = zerocopy::transmute!(fields);
    }

    /// Whether no connection is there and none is being made.
    pub fn is_idle(&self, inbound: bool) -> bool {
        self.open == 0 && (inbound || self.attempts == self.opened + self.failed.iter().sum::<u64>())
    }
}

/// A distribution as the kernel counts it; its slots may wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RawTimes {
    /// Sum.
    pub sum_ns: u64,
    /// Count.
    pub count: u64,
    /// Slot i ends at 2^((i − 80) / 4) s.
    pub native: [u32; NATIVE_SLOTS],
    /// Slot i ends at the bound i.
    pub classic: [u32; CLASSIC_SLOTS],
}

impl Default for RawTimes {
    fn default() -> Self {
        Self { sum_ns: 0, count: 0, native: [0; NATIVE_SLOTS], classic: [0; CLASSIC_SLOTS] }
    }
}

impl RawTimes {
    /// Difference from an earlier reading of the row.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Times {
        let since = |(now, earlier): (&u32, &u32)| u64::from(now.wrapping_sub(*earlier));
        let (mut native, mut classic) = ([0; NATIVE_SLOTS], [0; CLASSIC_SLOTS]);
        for (slot, both) in native.iter_mut().zip(self.native.iter().zip(&earlier.native)) {
            *slot = since(both);
        }
        for (slot, both) in classic.iter_mut().zip(self.classic.iter().zip(&earlier.classic)) {
            *slot = since(both);
        }
        Times::counted(self.sum_ns.wrapping_sub(earlier.sum_ns), native, classic)
    }
}

/// Counts of a cgroup that are not by peer (`struct meter`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Meter {
    /// Rows made for it, by direction.
    pub peers: [u64; 2],
    /// Resets that its sockets sent.
    pub resets_sent: u64,
    /// Resets that they got.
    pub resets_received: u64,
    /// Times to connect.
    pub connect: RawTimes,
    /// Round-trip times.
    pub rtt: RawTimes,
}

const _: () = {
    assert!(size_of::<RawTimes>() == 528);
    assert!(offset_of!(RawTimes, classic) == 456);
    assert!(size_of::<Meter>() == 1088);
    assert!(offset_of!(Meter, rtt) == 560);
};

/// Cgroup and port of listening sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ListenerKey {
    /// The cgroup.
    pub cgroup: CgroupId,
    /// The port.
    pub port: u16,
    padding: [u16; 3],
}

/// All sockets of a cgroup that listen at a port (`struct listener`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Listener {
    /// Connections turned away; only rises.
    pub turned_away: u64,
    /// Of this pass over all sockets are the rest:
    pub pass: u64,
    /// Number of sockets.
    pub sockets: u32,
    /// Connections that the program has not accepted yet.
    pub waiting: u32,
    /// The most that wait at one of them.
    pub fullest: u32,
    /// The most that may wait at that one.
    pub limit: u32,
}

const _: () = {
    assert!(size_of::<ListenerKey>() == 16);
    assert!(size_of::<Listener>() == 32);
};

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RawFlow {
    cgroup: CgroupId,
    started_ns: u64,
    opened_ns: u64,
    ended_ns: u64,
    sent_bytes: u64,
    received_bytes: u64,
    retransmits: u64,
    own_address: [u8; 16],
    peer_address: [u8; 16],
    own_port: u16,
    peer_port: u16,
    direction: u8,
    outcome: u8,
    failed: u16,
    process: u32,
    rtt_us: u32,
    command: [u8; 16],
}

const _: () = {
    assert!(size_of::<RawFlow>() == 120);
    assert!(offset_of!(RawFlow, own_port) == 88);
    assert!(offset_of!(RawFlow, command) == 104);
};

/// One connection that ended or did not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Cgroup that owns it.
    pub cgroup: CgroupId,
    /// When it was asked for, in ns of the monotonic clock; 0: before we came.
    pub started_ns: u64,
    /// When it was opened; 0: it was not, or was before the agent started.
    pub opened_ns: u64,
    /// Whether it was opened.
    pub came_about: bool,
    /// When it ended.
    pub ended_ns: u64,
    /// Bytes sent, each once.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Packets sent again.
    pub retransmits: u64,
    /// Our side's address and port.
    pub own: (Ipv6Addr, u16),
    /// The other side's.
    pub peer: (Ipv6Addr, u16),
    /// Of [`DIRECTIONS`].
    pub direction: &'static str,
    /// Of [`OUTCOMES`], or of [`FAILURES`] if it did not come about.
    pub outcome: &'static str,
    /// The process that connected or listens, as the kernel numbers it.
    pub process: u32,
    /// Name of the process, at most 15 bytes.
    pub command: String,
    /// Smoothed round-trip time; 0: not known.
    pub rtt_us: u32,
}

/// Reads a record; `None` when it is none of ours.
pub fn decode(bytes: &[u8]) -> Option<Flow> {
    let (raw, _) = RawFlow::read_from_prefix(bytes).ok()?;
    let outcomes: &[&'static str] = if raw.failed == 0 { &OUTCOMES } else { &FAILURES };
    let command = raw.command.split(|byte| *byte == 0).next().unwrap_or_default();
    Some(Flow {
        cgroup: raw.cgroup,
        started_ns: raw.started_ns,
        opened_ns: raw.opened_ns,
        came_about: raw.failed == 0,
        ended_ns: raw.ended_ns,
        sent_bytes: raw.sent_bytes,
        received_bytes: raw.received_bytes,
        retransmits: raw.retransmits,
        own: (Ipv6Addr::from(raw.own_address), raw.own_port),
        peer: (Ipv6Addr::from(raw.peer_address), raw.peer_port),
        direction: DIRECTIONS.get(usize::from(raw.direction)).copied()?,
        outcome: outcomes.get(usize::from(raw.outcome)).copied()?,
        process: raw.process,
        command: kernfs::text::text(command).into_owned(),
        rtt_us: raw.rtt_us,
    })
}

#[cfg(test)]
mod tests {
    use metric::Histogram;

    use super::*;
    use crate::books::times::{BOUNDS, FIRST, SCHEMA, Slots};
    use proptest::prelude::*;

    #[test]
    fn what_came_since_adds_up_again_even_when_connections_ended() {
        let before = Peer { opened: 3, open: 3, sent_bytes: 10, ..Peer::default() };
        let after = Peer { opened: 4, open: 1, ended: [3, 0, 0, 0, 0], sent_bytes: 15, ..before };
        let mut sum = before;
        sum.add(&after.since(&before));
        assert_eq!(sum, after);
    }

    #[test]
    fn a_row_with_a_connect_under_way_is_not_idle() {
        let row = Peer { attempts: 2, opened: 1, ..Peer::default() };
        assert!(!row.is_idle(false));
        assert!(row.is_idle(true));
        assert!(Peer { failed: [0, 1, 0, 0, 0, 0], ..row }.is_idle(false));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes);
        }
    }

    /// Numbers of a table in the C program.
    fn table(name: &str) -> Vec<u64> {
        let source = include_str!("tcp.bpf.c");
        let start = source.find(&format!("{name}[")).unwrap();
        let body = source.get(start..).unwrap().split_once("{\n").unwrap().1.split_once('}').unwrap().0;
        body.split(',').filter_map(|word| word.trim().parse().ok()).collect()
    }

    fn whole(number: f64) -> u64 {
        number.to_string().split('.').next().unwrap().parse().unwrap()
    }

    #[test]
    fn the_program_has_the_same_edges() {
        let native: Vec<u64> =
            (FIRST..).take(NATIVE_SLOTS - 1).map(|i| (f64::from(i) / 4.0).exp2() * 1e9).map(whole).collect();
        assert_eq!(table("native_edges"), native);
        let classic: Vec<u64> = BOUNDS.iter().map(|bound| whole((bound * 1e9).round())).collect();
        assert_eq!(table("classic_edges"), classic);
    }

    #[test]
    fn slots_are_the_buckets_of_the_same_observations() {
        let mut raw = RawTimes::default();
        let mut truth = Histogram::new(&BOUNDS, SCHEMA);
        let mut slots = Slots::default();
        for ns in [950_u64, 1_000, 250_000, 1_048_576, 77_777_777, 1_000_000_000, 3_000_000_000] {
            truth.observe(ns as f64 / 1e9);
            slots.observe(ns);
            let slot = |edges: Vec<u64>| edges.iter().filter(|edge| ns > **edge).count();
            raw.native[slot(table("native_edges"))] += 1;
            raw.classic[slot(table("classic_edges"))] += 1;
            raw.sum_ns += ns;
        }
        let histogram = raw.since(&RawTimes::default()).histogram(1.0);
        assert_eq!(slots.histogram(1.0), histogram);
        assert_eq!(histogram.count(), truth.count());
        assert_eq!(histogram.classic, truth.classic);
        let (mut ours, mut theirs) = (histogram.native.unwrap().positive, truth.native.unwrap().positive);
        // What is shorter than the first slot's end is in the first slot.
        assert_eq!(ours.remove(0), (FIRST, 1));
        theirs.remove(0);
        assert_eq!(ours, theirs);
    }
}
