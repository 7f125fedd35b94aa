//! `/proc/<pid>/net/{dev,tcp,tcp6,udp,udp6,netstat,snmp}`: what the network namespace of the process counts.
//!
//! `dev` (networking/statistics.rst), bytes and packets:
//! ```text
//! Inter-|   Receive                                                |  Transmit
//!  face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
//!   eth0:  112530     861    0    2    0     0          0         0    84221     790    0    0    0     0       0          0
//! ```
//! `tcp` (`networking/proc_net_tcp.rst`); `udp` has the same columns and its drops at the end:
//! ```text
//!   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//!    0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18642 1 0000000000000000 100 0 0 10 0
//! ```
//! `netstat` and `snmp` have pairs of lines, names above numbers:
//! ```text
//! Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens
//! Tcp: 1 200 120000 -1 65
//! ```

use kernfs::text;

use super::metrics::sockets::TCP_STATES;

/// What passed in one direction, since the interface was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) bytes: u64,
    pub(super) packets: u64,
    pub(super) errors: u64,
    pub(super) dropped: u64,
}

/// One line of `dev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interface<'f> {
    pub(super) name: &'f [u8],
    pub(super) receive: Traffic,
    pub(super) transmit: Traffic,
}

/// The interfaces in `dev`, in the kernel's order.
pub(super) fn interfaces(file: &[u8]) -> impl Iterator<Item = Interface<'_>> {
    text::lines(file).filter_map(|line| {
        // A name may hold a colon (an alias), numbers may not: the last colon ends the name.
        let colon = line.iter().rposition(|byte| *byte == b':')?;
        let (name, numbers) = line.split_at(colon);
        let mut columns = [0_u64; 12];
        let mut words = text::words(numbers.get(1..)?);
        for column in &mut columns {
            *column = text::number(words.next()?)?;
        }
        let [bytes, packets, errors, dropped, _, _, _, _, sent_bytes, sent_packets, sent_errors, sent_dropped] =
            columns;
        Some(Interface {
            name: name.trim_ascii(),
            receive: Traffic { bytes, packets, errors, dropped },
            transmit: Traffic { bytes: sent_bytes, packets: sent_packets, errors: sent_errors, dropped: sent_dropped },
        })
    })
}

/// Whether cAdvisor leaves an interface out: loopback, and the host's ends of what leads into containers.
pub(super) fn is_ignored(name: &[u8]) -> bool {
    ["lo", "veth", "docker", "nerdctl"]
        .iter()
        .any(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes())))
}

/// Whether our own view leaves an interface out: loopback, and the host's ends of what leads into containers, by the names
/// that runtimes give them. `lora0` and `dockerlan` are others.
pub(super) fn is_inner(name: &[u8]) -> bool {
    let numbered = |prefix: &[u8], is_part: fn(&u8) -> bool| {
        name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.iter().all(is_part))
    };
    name == b"lo"
        || numbered(b"veth", u8::is_ascii_hexdigit)
        || numbered(b"docker", u8::is_ascii_digit)
        || numbered(b"nerdctl", u8::is_ascii_digit)
}

/// Sockets of `tcp` or `tcp6` by state, in the order of [`TCP_STATES`].
pub(super) fn tcp(file: &[u8]) -> [u64; TCP_STATES.len()] {
    let mut counts = [0; TCP_STATES.len()];
    for line in text::lines(file).skip(1) {
        // The kernel numbers its states from 1 in the same order; 12, half-open requests, is counted with synrecv as
        // `ss` does.
        let state = text::words(line).nth(3).and_then(hexadecimal);
        let index = match state {
            Some(12) => 2,
            Some(state) => usize::try_from(state).ok().and_then(|state| state.checked_sub(1)).unwrap_or(usize::MAX),
            None => continue,
        };
        if let Some(count) = counts.get_mut(index) {
            *count += 1;
        }
    }
    counts
}

/// Sums over `udp` or `udp6`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Udp {
    pub(super) sockets: u64,
    pub(super) dropped: u64,
    /// Bytes.
    pub(super) receive_queue: u64,
    /// Bytes.
    pub(super) transmit_queue: u64,
}

/// Sums over `udp` or `udp6`.
pub(super) fn udp(file: &[u8]) -> Udp {
    let mut sum = Udp::default();
    for line in text::lines(file).skip(1) {
        let mut words = text::words(line);
        let Some(queues) = words.nth(4) else { continue };
        let mut queues = queues.splitn(2, |byte| *byte == b':').map(|word| hexadecimal(word).unwrap_or(0));
        sum.sockets += 1;
        sum.transmit_queue += queues.next().unwrap_or(0);
        sum.receive_queue += queues.next().unwrap_or(0);
        sum.dropped += words.nth(7).and_then(text::number).unwrap_or(0);
    }
    sum
}

/// Names and numbers of one protocol (`TcpExt`, `Tcp`) in `netstat` or `snmp`.
pub(super) fn counters<'f>(file: &'f [u8], protocol: &[u8]) -> impl Iterator<Item = (&'f [u8], i64)> {
    let mut lines = text::lines(file).filter_map(move |line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, rest) = line.split_at(colon);
        (name == protocol).then(|| text::words(rest.get(1..).unwrap_or_default()))
    });
    let (names, numbers) = (lines.next(), lines.next());
    names
        .into_iter()
        .flatten()
        .zip(numbers.into_iter().flatten())
        .filter_map(|(name, number)| Some((name, text::signed(number)?)))
}

fn hexadecimal(word: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEV: &[u8] = b"Inter-|   Receive                                                |  Transmit\n \
        face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
        lo: 1 2 0 0 0 0 0 0 1 2 0 0 0 0 0 0\n  \
        eth0:112530     861    1    2    0     0          0         0    84221     790    3    4    0     0       0          0\n\
        eth0:1: 5 6 0 0 0 0 0 0 7 8 0 0 0 0 0 0\n";

    #[test]
    fn each_interface_has_two_directions() {
        let found: Vec<_> = interfaces(DEV).collect();
        let names: Vec<_> = found.iter().map(|i| text::text(i.name)).collect();
        assert_eq!(names, ["lo", "eth0", "eth0:1"]);
        assert_eq!(found[1].receive, Traffic { bytes: 112_530, packets: 861, errors: 1, dropped: 2 });
        assert_eq!(found[1].transmit, Traffic { bytes: 84_221, packets: 790, errors: 3, dropped: 4 });
    }

    #[test]
    fn loopback_and_the_hosts_ends_are_left_out() {
        for name in ["lo", "veth1a2b", "docker0", "nerdctl0", "Lo"] {
            assert!(is_ignored(name.as_bytes()), "{name}");
        }
        for name in ["eth0", "ens5", "cali123", "l", ""] {
            assert!(!is_ignored(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn our_own_view_takes_no_interface_for_another_by_its_first_letters() {
        for name in ["lo", "veth1a2b3c4", "docker0", "nerdctl0"] {
            assert!(is_inner(name.as_bytes()), "{name}");
        }
        for name in ["lora0", "local0", "lo0", "Lo", "docker_gwbridge", "dockerlan", "vethernet", "veth", "eth0", ""] {
            assert!(!is_inner(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn sockets_are_counted_by_state() {
        let file = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n   \
            1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1\n   \
            2: 0100007F:1F90 0100007F:9C42 0C 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1\n";
        assert_eq!(tcp(file), [1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn udp_queues_and_drops_add_up() {
        let file = b"   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  \
            431: 00000000:0035 00000000:0000 07 00000010:00000300 00:00000000 00000000     0        0 16233 2 0000000000000000 7\n  \
            432: 00000000:0036 00000000:0000 07 00000000:00000001 00:00000000 00000000     0        0 16234 2 0000000000000000 1\n";
        assert_eq!(udp(file), Udp { sockets: 2, dropped: 8, receive_queue: 0x301, transmit_queue: 16 });
    }

    #[test]
    fn names_stand_above_their_numbers() {
        let file = b"Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm MaxConn ActiveOpens\nTcp: 1 -1 65\n";
        let found: Vec<_> = counters(file, b"Tcp").map(|(name, n)| (text::text(name).into_owned(), n)).collect();
        assert_eq!(found, [("RtoAlgorithm".into(), 1), ("MaxConn".into(), -1), ("ActiveOpens".into(), 65)]);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (interfaces(&bytes).count(), tcp(&bytes), udp(&bytes), counters(&bytes, b"Tcp").count());
        }
    }
}
