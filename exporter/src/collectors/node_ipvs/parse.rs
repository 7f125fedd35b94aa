//! `ip_vs_stats`, in hexadecimal:
//! ```text
//!    Total Incoming Outgoing         Incoming         Outgoing
//!    Conns  Packets  Packets            Bytes            Bytes
//! 16AA370 E33656E5        0     51D8C8883AB3                0
//!
//!  Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
//!        4    1FB3C        0         1282A8F                0
//! ```
//! `ip_vs`, with addresses in hexadecimal:
//! ```text
//! IP Virtual Server version 1.2.1 (size=4096)
//! Prot LocalAddress:Port Scheduler Flags
//!   -> RemoteAddress:Port Forward Weight ActiveConn InActConn
//! TCP  C0A80016:0CEA wlc
//!   -> C0A85216:0CEA      Tunnel  100    248        2
//! FWM  10001000 wlc
//!   -> C0A8321A:0CEA      Route   20     64         1
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kernfs::text;

use crate::collectors::node::hex;

/// What went through the load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) connections: u64,
    pub(super) in_packets: u64,
    pub(super) out_packets: u64,
    pub(super) in_bytes: u64,
    pub(super) out_bytes: u64,
}

/// A server that gets connections, and of which service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    /// Local address and port, remote address and port, protocol, mark.
    pub(super) labels: [String; 6],
    pub(super) active: u64,
    pub(super) inactive: u64,
    pub(super) weight: u64,
}

/// The first line of the file that is five numbers.
pub(super) fn traffic(file: &[u8]) -> Option<Traffic> {
    text::lines(file).find_map(|line| {
        let mut numbers = text::words(line).map(hex);
        let mut next = || numbers.next().flatten();
        Some(Traffic {
            connections: next()?,
            in_packets: next()?,
            out_packets: next()?,
            in_bytes: next()?,
            out_bytes: next()?,
        })
    })
}

/// The backends, as far as their lines make sense.
pub(super) fn backends(file: &[u8]) -> Vec<Backend> {
    let mut backends = Vec::new();
    // Address, port, protocol and mark of the service that the lines below it belong to.
    let mut service: Option<[String; 4]> = None;
    for line in text::lines(file) {
        let mut words = text::words(line);
        let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
        match first {
            b"TCP" | b"UDP" | b"SCTP" => {
                let proto = text::text(first).into_owned();
                service = end(second).map(|(address, port)| [address, port, proto, String::new()]);
            }
            b"FWM" => {
                let mark = text::text(second).into_owned();
                service = Some([String::new(), "0".to_owned(), "FWM".to_owned(), mark]);
            }
            b"->" => {
                let mut numbers = words.skip(1).map(text::number);
                let mut next = || numbers.next().flatten();
                let (Some(weight), Some(active), Some(inactive)) = (next(), next(), next()) else { continue };
                let (Some([address, port, proto, mark]), Some((remote, remote_port))) = (&service, end(second)) else {
                    continue;
                };
                let labels = [address, port, &remote, &remote_port, proto, mark].map(Clone::clone);
                backends.push(Backend { labels, active, inactive, weight });
            }
            _ => {}
        }
    }
    backends
}

/// Address and port: `C0A80016:0CEA`, `[2620:0000:0000:0000:0000:0000:0000:0001]:0050`.
fn end(word: &[u8]) -> Option<(String, String)> {
    let word = std::str::from_utf8(word).ok()?;
    let (address, port) = word.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let ip = match address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().ok()?.to_canonical(),
        None => IpAddr::V4(Ipv4Addr::from_bits(u32::from_str_radix(address, 16).ok()?)),
    };
    Some((ip.to_string(), port.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_written_as_people_write_them() {
        assert_eq!(end(b"C0A80016:0CEA"), Some(("192.168.0.22".to_owned(), "3306".to_owned())));
        let v6 = end(b"[2620:0000:0000:0000:0000:0000:0000:0001]:0050");
        assert_eq!(v6, Some(("2620::1".to_owned(), "80".to_owned())));
        assert_eq!(end(b"RemoteAddress:Port"), None);
    }

    #[test]
    fn a_line_that_makes_no_sense_costs_itself() {
        let file = b"TCP  0A000001:0050 rr\n  -> 0A000002:0050 Masq 1 x 0\n  -> 0A000003:0050 Masq 1 2 3\n";
        let [backend] = backends(file).try_into().unwrap();
        assert_eq!((backend.weight, backend.active, backend.inactive), (1, 2, 3));
        assert_eq!(backend.labels[2], "10.0.0.3");
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (traffic(&bytes), backends(&bytes));
        }

        #[test]
        fn no_table_panics(text in "((TCP|FWM|->|  ->) [0-9A-F\\[\\]:]{0,14} [a-z0-9 ]{0,12}\n){0,6}") {
            let _ = backends(text.as_bytes());
        }
    }
}
