//! Matches DNS queries and answers. Pure: fed with packets and the time.

use std::collections::{HashMap, hash_map::Entry};

use super::wire::{End, Message, Packet, Told, message};
use crate::{books::times::Slots, ids::CgroupId};

/// Types of questions that are told apart, and the rest.
pub const TYPES: [&str; 10] = ["a", "aaaa", "cname", "https", "mx", "ns", "ptr", "srv", "txt", "other"];
/// Response codes that are told apart, and the rest.
pub const CODES: [&str; 7] = ["noerror", "formerr", "servfail", "nxdomain", "notimp", "refused", "other"];

/// A query that has no answer so long after it was sent has none.
pub const ANSWER_TIMEOUT_NS: u64 = 5_000_000_000;

/// Most queries that may be under way, and most connections that are followed.
const CONVERSATIONS_MOST: usize = 16_384;
/// Most cgroups.
const MOST_CGROUPS: usize = 8192;

/// Counts of one cgroup. Only rises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Queries sent, by [`TYPES`].
    pub queries: [u64; TYPES.len()],
    /// Answers received, by [`CODES`].
    pub answers: [u64; CODES.len()],
    /// Answers that were cut short.
    pub truncated: u64,
    /// Queries that nobody answered.
    pub timeouts: u64,
    /// Response times.
    pub took: Slots,
}

/// A connection, in one direction.
#[derive(Debug)]
struct Stream {
    /// Number of the byte after those that are here.
    next: u32,
    bytes: Vec<u8>,
    /// Whether some of them are not what was sent, but zeros in their place.
    has_holes: bool,
    touched_ns: u64,
}

/// A cgroup was told what addresses a name has that it had asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who.
    pub cgroup: CgroupId,
    /// When, in ns of the monotonic clock.
    pub at_ns: u64,
    /// What.
    pub told: Told,
}

/// Conversations of all cgroups.
#[derive(Debug, Default)]
pub struct Talk {
    pending: HashMap<(End, u16), u64>,
    streams: HashMap<(End, bool), Stream>,
    counts: HashMap<CgroupId, Counts>,
    heard: Vec<Heard>,
    /// Queries and connections for which there was no room.
    pub crowded: u64,
}

impl Talk {
    /// Takes in a packet.
    pub fn take_in(&mut self, packet: &Packet) {
        if !packet.end.tcp {
            if let Some(message) = message(&packet.payload) {
                self.hear(packet.end, packet.received, packet.at_ns, message);
            }
            return;
        }
        let (end, received, at_ns) = (packet.end, packet.received, packet.at_ns);
        for message in self.follow(packet) {
            self.hear(end, received, at_ns, message);
        }
    }

    /// Puts a connection's bytes behind each other, and takes whole messages off.
    fn follow(&mut self, packet: &Packet) -> Vec<Message> {
        let key = (packet.end, packet.received);
        if self.streams.len() >= CONVERSATIONS_MOST && !self.streams.contains_key(&key) {
            self.crowded += 1;
            return Vec::new();
        }
        let fresh = || Stream { next: packet.sequence, bytes: Vec::new(), has_holes: false, touched_ns: 0 };
        let stream = self.streams.entry(key).or_insert_with(fresh);
        stream.touched_ns = packet.at_ns;
        let known = stream.next.wrapping_sub(packet.sequence);
        if known.cast_signed() > 0 {
            // Sent again.
            return Vec::new();
        }
        if known != 0 {
            // Something was lost. Most messages begin where a packet does.
            stream.bytes.clear();
        }
        if stream.bytes.is_empty() {
            stream.has_holes = false;
        }
        stream.next = packet.sequence.wrapping_add(u32::try_from(packet.length).unwrap_or(0));
        let whole = stream.bytes.len() + packet.length;
        stream.bytes.extend_from_slice(&packet.payload);
        // What was not kept is behind what is counted.
        stream.has_holes |= packet.payload.len() < packet.length;
        stream.bytes.resize(whole, 0);
        let mut found = Vec::new();
        while let [high, low, rest @ ..] = stream.bytes.as_slice() {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(bytes) = rest.get(..length) else { break };
            let has_holes = stream.has_holes;
            found
                .extend(message(bytes).map(|message| Message { told: message.told.filter(|_| !has_holes), ..message }));
            stream.bytes.drain(..length + 2);
        }
        found
    }

    fn hear(&mut self, end: End, received: bool, at_ns: u64, message: Message) {
        // Answers that a cgroup's own server sends from another port than 53 are not spoken to us.
        if received != message.answers {
            return;
        }
        let key = (end, message.id);
        if received {
            let asked = self.pending.remove(&key);
            let counts = self.of(end.cgroup);
            count(&mut counts.answers, usize::from(message.code));
            counts.truncated += u64::from(message.truncated);
            if let Some(asked) = asked {
                counts.took.observe(at_ns.saturating_sub(asked));
                // An answer that nobody asked for is not believed.
                self.heard.extend(message.told.map(|told| Heard { cgroup: end.cgroup, at_ns, told }));
            }
            return;
        }
        let kind = kind_of(message.asked);
        count(&mut self.of(end.cgroup).queries, kind);
        let is_full = self.pending.len() >= CONVERSATIONS_MOST;
        match self.pending.entry(key) {
            Entry::Occupied(mut earlier) => {
                // Asked again, because nobody answered.
                earlier.insert(at_ns);
                self.of(end.cgroup).timeouts += 1;
            }
            Entry::Vacant(_) if is_full => self.crowded += 1,
            Entry::Vacant(place) => {
                place.insert(at_ns);
            }
        }
    }

    /// What names have been told since the last call.
    pub fn heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }

    /// Gives up on what is older than [`ANSWER_TIMEOUT_NS`].
    pub fn give_up(&mut self, now_ns: u64) {
        let late = |at_ns: u64| now_ns.saturating_sub(at_ns) > ANSWER_TIMEOUT_NS;
        let mut silent = Vec::new();
        self.pending.retain(|(end, _), at_ns| {
            if late(*at_ns) {
                silent.push(end.cgroup);
            }
            !late(*at_ns)
        });
        for cgroup in silent {
            self.of(cgroup).timeouts += 1;
        }
        self.streams.retain(|_, stream| !late(stream.touched_ns));
    }

    /// Whether something may have to be given up.
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty() || !self.streams.is_empty()
    }

    /// The counts of a cgroup; of nobody's when there are too many.
    fn of(&mut self, cgroup: CgroupId) -> &mut Counts {
        let is_known = self.counts.len() < MOST_CGROUPS || self.counts.contains_key(&cgroup);
        self.counts.entry(if is_known { cgroup } else { CgroupId::NO_ROOM }).or_default()
    }

    /// Counts by cgroup.
    pub fn counts(&self) -> impl Iterator<Item = (CgroupId, &Counts)> {
        self.counts.iter().map(|(cgroup, counts)| (*cgroup, counts))
    }

    /// These cgroups are gone.
    pub fn forget(&mut self, cgroups: &[CgroupId]) {
        for cgroup in cgroups {
            self.counts.remove(cgroup);
        }
        self.pending.retain(|(end, _), _| !cgroups.contains(&end.cgroup));
        self.streams.retain(|(end, _), _| !cgroups.contains(&end.cgroup));
    }
}

/// Adds one at an index; what has none is at the last.
fn count(to: &mut [u64], at: usize) {
    let at = at.min(to.len() - 1);
    if let Some(sum) = to.get_mut(at) {
        *sum += 1;
    }
}

/// Index of [`TYPES`].
fn kind_of(asked: u16) -> usize {
    let name = match asked {
        1 => "a",
        28 => "aaaa",
        5 => "cname",
        65 => "https",
        15 => "mx",
        2 => "ns",
        12 => "ptr",
        33 => "srv",
        16 => "txt",
        _ => "other",
    };
    TYPES.iter().position(|known| *known == name).unwrap_or(TYPES.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    const END: End = End { cgroup: CgroupId(7), server: Ipv6Addr::LOCALHOST, port: 4000, tcp: false };

    fn bytes(id: u8, answer: Option<u8>, asked: u8) -> Vec<u8> {
        let [high, low] = answer.map_or([1, 0], |code| [0x81, 0x80 | code]);
        let mut bytes = vec![0, id, high, low, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'x', 0];
        bytes.extend([0, asked, 0, 1]);
        bytes
    }

    fn packet(end: End, received: bool, at_ns: u64, payload: Vec<u8>) -> Packet {
        Packet { end, at_ns, sequence: 0, received, length: payload.len(), payload, copied_by: None }
    }

    #[test]
    fn each_query_is_answered_or_given_up() {
        let mut talk = Talk::default();
        talk.take_in(&packet(END, false, 0, bytes(1, None, 1)));
        talk.take_in(&packet(END, true, 2_000_000, bytes(1, Some(0), 1)));
        talk.take_in(&packet(END, false, 0, bytes(2, None, 28)));
        talk.take_in(&packet(END, true, 3_000_000, bytes(2, Some(3), 28)));
        talk.take_in(&packet(END, false, 0, bytes(3, None, 99)));
        talk.give_up(ANSWER_TIMEOUT_NS);
        talk.take_in(&packet(END, false, ANSWER_TIMEOUT_NS, bytes(3, None, 99)));
        talk.give_up(2 * ANSWER_TIMEOUT_NS + 1);
        let (_, counts) = talk.counts().next().unwrap();
        assert_eq!(counts.queries, [1, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(counts.answers, [1, 0, 0, 1, 0, 0, 0]);
        assert_eq!((counts.timeouts, counts.took.count(), counts.took.sum_ns()), (2, 2, 5_000_000));
    }

    #[test]
    fn names_are_believed_from_servers_that_were_asked() {
        let mut answer = bytes(1, Some(0), 1);
        answer[7] = 1;
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
        let mut talk = Talk::default();
        talk.take_in(&packet(END, true, 1, answer.clone()));
        assert_eq!(talk.heard(), []);
        talk.take_in(&packet(END, false, 2, bytes(1, None, 1)));
        talk.take_in(&packet(END, true, 3, answer));
        let address = std::net::Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped();
        let told = Told { name: "x".into(), addresses: vec![address], seconds: 60 };
        assert_eq!(talk.heard(), [Heard { cgroup: CgroupId(7), at_ns: 3, told }]);
        assert_eq!(talk.heard(), []);
    }

    #[test]
    fn messages_are_found_however_a_connection_cuts_them() {
        let end = End { tcp: true, ..END };
        let mut stream = Vec::new();
        for id in 1..=3 {
            let message = bytes(id, None, 16);
            stream.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
            stream.extend(message);
        }
        for size in 1..stream.len() {
            let mut talk = Talk::default();
            let mut sequence = u32::MAX - 5;
            for part in stream.chunks(size) {
                let part = Packet { sequence, ..packet(end, false, 1, part.to_vec()) };
                sequence = sequence.wrapping_add(u32::try_from(part.length).unwrap());
                talk.take_in(&part);
                // Sent again.
                talk.take_in(&part);
            }
            assert_eq!(talk.counts().next().unwrap().1.queries[8], 3, "pieces of {size}");
        }
    }
}
