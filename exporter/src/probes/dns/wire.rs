//! The struct that `dns.bpf.c` shares with us (`dns.h`), and what we read of messages (RFC 1035).

use std::{mem::offset_of, net::Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

const KEPT: usize = 512;

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RawPacket {
    cgroup: u64,
    at_ns: u64,
    server: [u8; 16],
    sequence: u32,
    own_port: u16,
    length: u16,
    kept: u16,
    direction: u8,
    tcp: u8,
    padding: [u8; 4],
    payload: [u8; KEPT],
}

const _: () = {
    assert!(size_of::<RawPacket>() == 560);
    assert!(offset_of!(RawPacket, payload) == 48);
};

/// One end of a conversation: the cgroup's socket and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// Whose socket it is.
    pub cgroup: u64,
    /// Address of the server, IPv4 as `::ffff:a.b.c.d`.
    pub server: Ipv6Addr,
    /// Port of the socket.
    pub port: u16,
    /// Whether it is a connection.
    pub tcp: bool,
}

/// A packet to or from port 53 of a server.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Whose it is.
    pub end: End,
    /// When, in ns of the monotonic clock.
    pub at_ns: u64,
    /// Number of its first byte, if it is part of a connection.
    pub sequence: u32,
    /// Whether it came from the server.
    pub received: bool,
    /// Bytes that it carries.
    pub length: usize,
    /// The first of them.
    pub payload: Vec<u8>,
}

/// Reads a record; `None` when it is none of ours.
pub fn decode(bytes: &[u8]) -> Option<Packet> {
    let (raw, _) = RawPacket::read_from_prefix(bytes).ok()?;
    let payload = raw.payload.get(..usize::from(raw.kept))?;
    Some(Packet {
        end: End { cgroup: raw.cgroup, server: raw.server.into(), port: raw.own_port, tcp: raw.tcp != 0 },
        at_ns: raw.at_ns,
        sequence: raw.sequence,
        received: raw.direction == 1,
        length: usize::from(raw.length),
        payload: payload.to_vec(),
    })
}

/// What a message says, as far as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Joins a query and its answer.
    pub id: u16,
    /// Whether it is an answer.
    pub answers: bool,
    /// Whether the answer was cut short: the query is to be made over TCP.
    pub truncated: bool,
    /// Response code.
    pub code: u8,
    /// Type of the first question; 0 without one.
    pub asked: u16,
}

/// Reads the beginning of a message; `None` when it is no query, or no answer to one.
pub fn message(bytes: &[u8]) -> Option<Message> {
    let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let flags = word(2)?;
    let questions = word(4)?;
    // Other operations (notify, update) ask for no name; nothing asks two questions.
    if flags >> 11 & 0xf != 0 || questions > 1 {
        return None;
    }
    word(10)?;
    let asked = if questions == 1 { question(bytes)? } else { 0 };
    let [_, code] = (flags & 0xf).to_be_bytes();
    Some(Message { id: word(0)?, answers: flags >> 15 == 1, truncated: flags >> 9 & 1 == 1, code, asked })
}

/// Type of the first question.
fn question(bytes: &[u8]) -> Option<u16> {
    let mut at = 12;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        match length {
            0 => return Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])),
            // Nothing is before it that a pointer could lead to.
            64.. => return None,
            _ => at += length,
        }
        if at > 12 + 255 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A query for the address of `a.bc`.
    const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x02bc\x00\x00\x1c\x00\x01";

    #[test]
    fn queries_and_answers_are_told_apart() {
        let query = Message { id: 0x1234, answers: false, truncated: false, code: 0, asked: 28 };
        assert_eq!(message(QUERY), Some(query));
        let mut answer = QUERY.to_vec();
        answer[2..4].copy_from_slice(&[0x83, 0x83]);
        assert_eq!(message(&answer), Some(Message { answers: true, truncated: true, code: 3, ..query }));
    }

    #[test]
    fn what_is_no_query_is_none() {
        assert_eq!(message(&QUERY[..18]), None);
        let mut notify = QUERY.to_vec();
        notify[2] = 0x20;
        assert_eq!(message(&notify), None);
        let mut pointer = QUERY.to_vec();
        pointer[12] = 0xc0;
        assert_eq!(message(&pointer), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            message(&bytes);
            decode(&bytes);
        }
    }
}
