//! `/proc/net/nf_conntrack`: a connection a line, the packets of both directions as they are expected
//! (`net/netfilter/nf_conntrack_standalone.c`).
//!
//! ```text
//! ipv4     2 tcp      6 86 TIME_WAIT src=10.88.0.5 dst=10.96.0.9 sport=43210 dport=80 src=10.88.0.7 dst=10.88.0.5 sport=8080 dport=43210 [ASSURED] mark=0 zone=0 use=2
//! ```
//!
//! Where the source of the answers is not whom the question went to, the address was replaced on the way.

use std::net::IpAddr;

use kernfs::text;

/// A TCP connection whose destination was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Turned {
    /// Who asked.
    pub(super) client: IpAddr,
    /// Whom it asked.
    pub(super) asked: IpAddr,
    /// The port that it asked for.
    pub(super) port: u16,
    /// Who answers.
    pub(super) answers: IpAddr,
    /// The port that answers.
    pub(super) answering_port: u16,
}

/// What a line says, if it is of a TCP connection that somebody else answers than who was asked.
pub(super) fn turned(line: &[u8]) -> Option<Turned> {
    let mut words = text::words(line);
    if words.nth(2)? != b"tcp" {
        return None;
    }
    let (mut sources, mut targets, mut source_ports, mut ports) = ([None; 2], [None; 2], [None; 2], [None; 2]);
    for word in words {
        let Some(equals) = word.iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = (word.get(..equals)?, word.get(equals + 1..)?);
        match name {
            b"src" => keep(&mut sources, value),
            b"dst" => keep(&mut targets, value),
            b"sport" => keep(&mut source_ports, value),
            b"dport" => keep(&mut ports, value),
            _ => {}
        }
    }
    let ([Some(client), Some(answers)], [Some(asked), Some(_)]) = (sources, targets) else { return None };
    let ([_, Some(answering_port)], [Some(port), Some(_)]) = (source_ports, ports) else { return None };
    (asked != answers).then_some(Turned { client, asked, port, answers, answering_port })
}

/// The first of a name is of the question, the second of the answer.
fn keep<T: std::str::FromStr>(pair: &mut [Option<T>; 2], value: &[u8]) {
    if let Some(place) = pair.iter_mut().find(|place| place.is_none()) {
        *place = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_that_was_replaced_is_told_by_the_answer() {
        let v4 = b"ipv4     2 tcp      6 86 TIME_WAIT src=10.88.0.5 dst=10.96.0.9 sport=43210 dport=80 packets=6 bytes=411 src=10.88.0.7 dst=10.88.0.5 sport=8080 dport=43210 packets=5 bytes=612 [ASSURED] mark=0 zone=0 use=2";
        let expected = Turned {
            client: "10.88.0.5".parse().unwrap(),
            asked: "10.96.0.9".parse().unwrap(),
            port: 80,
            answers: "10.88.0.7".parse().unwrap(),
            answering_port: 8080,
        };
        assert_eq!(turned(v4), Some(expected));
        let v6 = b"ipv6     10 tcp      6 431999 ESTABLISHED src=fd00:0000:0000:0000:0000:0000:0000:0005 dst=fd00:0000:0000:0000:0000:0000:0000:0009 sport=1 dport=443 src=fd00:0000:0000:0000:0000:0000:0000:0007 dst=fd00:0000:0000:0000:0000:0000:0000:0005 sport=8443 dport=1 [ASSURED] use=1";
        let expected = Turned {
            client: "fd00::5".parse().unwrap(),
            asked: "fd00::9".parse().unwrap(),
            port: 443,
            answers: "fd00::7".parse().unwrap(),
            answering_port: 8443,
        };
        assert_eq!(turned(v6), Some(expected));
    }

    #[test]
    fn others_are_of_no_interest() {
        let plain = b"ipv4     2 tcp      6 299 ESTABLISHED src=10.88.0.5 dst=10.88.0.7 sport=1 dport=80 src=10.88.0.7 dst=10.88.0.5 sport=80 dport=1 use=1";
        // Only the source was replaced, on the way out of the machine.
        let masked = b"ipv4     2 tcp      6 299 ESTABLISHED src=10.88.0.5 dst=192.0.2.1 sport=1 dport=80 src=192.0.2.1 dst=198.51.100.1 sport=80 dport=1 use=1";
        let udp = b"ipv4     2 udp      17 29 src=10.88.0.5 dst=10.96.0.9 sport=1 dport=53 src=10.88.0.7 dst=10.88.0.5 sport=53 dport=1 use=1";
        let cut = b"ipv4     2 tcp      6 299 ESTABLISHED src=10.88.0.5 dst=10.96.0.9 sport=1 dport=80";
        for line in [&plain[..], masked, udp, cut, b""] {
            assert_eq!(turned(line), None);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "ipv4 2 tcp( (src|dst|sport|dport)=[0-9.:]{0,9}){0,9}") {
            let _ = (turned(&bytes), turned(text.as_bytes()));
        }
    }
}
