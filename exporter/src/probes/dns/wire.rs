//! The struct that `dns.bpf.c` shares with us (`dns.h`), and what we read of messages (RFC 1035).

use std::{
    mem::offset_of,
    net::{Ipv4Addr, Ipv6Addr},
};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::ids::CgroupId;

const KEPT: usize = 512;

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RawPacket {
    cgroup: CgroupId,
    at_ns: u64,
    server: [u8; 16],
    sequence: u32,
    own_port: u16,
    length: u16,
    kept: u16,
    direction: u8,
    tcp: u8,
    copied: u8,
    padding: u8,
    cpu: u16,
    payload: [u8; KEPT],
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RawCopy {
    at_ns: u64,
    at: u32,
    kept: u32,
}

const _: () = {
    assert!(size_of::<RawPacket>() == 560);
    assert!(offset_of!(RawPacket, payload) == 48);
    assert!(size_of::<RawCopy>() == 16);
};

/// One end of a conversation: the cgroup's socket and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    /// Cgroup of the socket.
    pub cgroup: CgroupId,
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
    /// The CPU that has a copy of them instead, of the packet's time.
    pub copied_by: Option<u32>,
}

/// Reads a record; `None` when it is none of ours.
pub fn decode(bytes: &[u8]) -> Option<Packet> {
    let (raw, _) = RawPacket::read_from_prefix(bytes).ok()?;
    let copied_by = (raw.copied != 0).then_some(u32::from(raw.cpu));
    let payload = if copied_by.is_some() { &[] } else { raw.payload.get(..usize::from(raw.kept))? };
    Some(Packet {
        end: End { cgroup: raw.cgroup, server: raw.server.into(), port: raw.own_port, tcp: raw.tcp != 0 },
        at_ns: raw.at_ns,
        sequence: raw.sequence,
        received: raw.direction == 1,
        length: usize::from(raw.length),
        payload: payload.to_vec(),
        copied_by,
    })
}

/// Reads a copy: the time of its packet, and the payload; `None` when it is none of ours.
pub fn decode_copy(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (raw, bytes) = RawCopy::read_from_prefix(bytes).ok()?;
    let at = usize::try_from(raw.at).ok()?;
    Some((raw.at_ns, bytes.get(at..at.checked_add(usize::try_from(raw.kept).ok()?)?)?))
}

/// The counted parts of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Of an answer: the addresses of the name that was asked for.
    pub told: Option<Told>,
}

/// Addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The name that was asked for, in lower case, without the last dot.
    pub name: String,
    /// Addresses of the answer, IPv4 as `::ffff:a.b.c.d`.
    pub addresses: Vec<Ipv6Addr>,
    /// For how many seconds all of them are good.
    pub seconds: u32,
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
    let records = word(6)?;
    word(10)?;
    let question = if questions == 1 { Some(question(bytes)?) } else { None };
    let asked = question.as_ref().map_or(0, |question| question.kind);
    let [_, code] = (flags & 0xf).to_be_bytes();
    let answers = flags >> 15 == 1;
    let told = question.filter(|_| answers && code == 0).and_then(|question| told(bytes, &question, records));
    Some(Message { id: word(0)?, answers, truncated: flags >> 9 & 1 == 1, code, asked, told })
}

/// The first question.
struct Question {
    kind: u16,
    /// Where the records that answer it begin.
    end: usize,
}

fn question(bytes: &[u8]) -> Option<Question> {
    let mut at = 12;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        match length {
            0 => {
                let kind = u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]);
                return Some(Question { kind, end: at + 4 });
            }
            // Nothing is before it that a pointer could lead to.
            64.. => return None,
            _ => at += length,
        }
        if at > 12 + 255 {
            return None;
        }
    }
}

/// The name of the first question; `None` when it is none of a host.
fn name(bytes: &[u8]) -> Option<String> {
    let mut name = String::new();
    let mut at = 12;
    while let length @ 1.. = usize::from(*bytes.get(at)?) {
        if !name.is_empty() {
            name.push('.');
        }
        for byte in bytes.get(at + 1..at + 1 + length)? {
            if !byte.is_ascii_alphanumeric() && !b"-_".contains(byte) {
                return None;
            }
            name.push(char::from(byte.to_ascii_lowercase()));
        }
        at += 1 + length;
    }
    (!name.is_empty()).then_some(name)
}

/// Addresses among the records of an answer. They are those of the name that was asked for, whatever other names lead
/// to them. What has no room in the bytes that are here is left out.
fn told(bytes: &[u8], question: &Question, records: u16) -> Option<Told> {
    let name = name(bytes)?;
    let mut told = Told { name, addresses: Vec::new(), seconds: u32::MAX };
    let mut at = question.end;
    for _ in 0..records {
        let Some((kind, seconds, data, end)) = record(bytes, at) else { break };
        let address = match (kind, data) {
            (1, &[a, b, c, d]) => Some(Ipv4Addr::new(a, b, c, d).to_ipv6_mapped()),
            (28, data) => data.try_into().ok().map(|data: [u8; 16]| Ipv6Addr::from(data)),
            _ => None,
        };
        told.addresses.extend(address);
        told.seconds = told.seconds.min(seconds);
        at = end;
    }
    (!told.addresses.is_empty()).then_some(told)
}

/// Type, seconds that it is good for, data, and where the next begins.
fn record(bytes: &[u8], at: usize) -> Option<(u16, u32, &[u8], usize)> {
    let mut at = at;
    loop {
        let length = usize::from(*bytes.get(at)?);
        match length {
            0 => {
                at += 1;
                break;
            }
            // A pointer ends a name.
            192.. => {
                at += 2;
                break;
            }
            64.. => return None,
            _ => at += 1 + length,
        }
    }
    let [kind @ .., _, _, s0, s1, s2, s3, l0, l1] = bytes.get(at..at + 10)? else { return None };
    let kind = u16::from_be_bytes(kind.try_into().ok()?);
    let start = at + 10;
    let end = start + usize::from(u16::from_be_bytes([*l0, *l1]));
    // Of a time with the first bit set nothing is to be believed (RFC 2181).
    let seconds = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
    let seconds = if seconds > u32::MAX / 2 { 0 } else { seconds };
    Some((kind, seconds, bytes.get(start..end)?, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A query for the address of `a.bc`.
    const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x02bc\x00\x00\x1c\x00\x01";

    #[test]
    fn queries_and_answers_are_told_apart() {
        let query = Message { id: 0x1234, answers: false, truncated: false, code: 0, asked: 28, told: None };
        assert_eq!(message(QUERY), Some(query.clone()));
        let mut answer = QUERY.to_vec();
        answer[2..4].copy_from_slice(&[0x83, 0x83]);
        assert_eq!(message(&answer), Some(Message { answers: true, truncated: true, code: 3, ..query }));
    }

    /// An answer to [`QUERY`]: an alias for five minutes, then an address for one minute and one for two.
    fn answer() -> Vec<u8> {
        let mut bytes = QUERY.to_vec();
        bytes[2..4].copy_from_slice(&[0x81, 0x80]);
        bytes[7] = 3;
        bytes.extend(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x01\x2c\x00\x04\x01X\xc0\x0e");
        bytes.extend(b"\xc0\x22\x00\x1c\x00\x01\x00\x00\x00\x3c\x00\x10");
        bytes.extend(Ipv6Addr::LOCALHOST.octets());
        bytes.extend(b"\x01x\x02bc\x00\x00\x01\x00\x01\x00\x00\x00\x78\x00\x04\xc0\x00\x02\x01");
        bytes
    }

    #[test]
    fn addresses_are_those_of_the_name_that_was_asked_for() {
        let addresses = vec![Ipv6Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped()];
        let told = Told { name: "a.bc".into(), addresses, seconds: 60 };
        assert_eq!(message(&answer()).unwrap().told, Some(told.clone()));
        // Names are the same however they are written.
        let mut upper = answer();
        upper[13] = b'A';
        assert_eq!(message(&upper).unwrap().told, Some(told));
    }

    #[test]
    fn what_is_cut_off_or_no_name_of_a_host_is_not_told() {
        let whole = answer();
        let cut = message(&whole[..whole.len() - 1]).unwrap().told.unwrap();
        assert_eq!(cut.addresses, [Ipv6Addr::LOCALHOST]);
        let mut odd = whole.clone();
        odd[13] = b'"';
        assert_eq!(message(&odd).unwrap().told, None);
        let mut failed = whole;
        failed[3] = 0x82;
        assert_eq!(message(&failed).unwrap().told, None);
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
            decode_copy(&bytes);
        }
    }
}
