//! `/proc/net/netstat` and `/proc/net/snmp` (`networking/snmp_counter.rst`): for each protocol a line of names and a
//! line of values.
//! ```text
//! Udp: InDatagrams NoPorts InErrors OutDatagrams
//! Udp: 1234 5 0 1180
//! ```
//! `/proc/net/snmp6`: a line each, the protocol and the field in one word.
//! ```text
//! Udp6InDatagrams                 17
//! ```
//! `procfs-core` reads the last two into one struct field each; here the names go through, since they are the names of
//! the families.

use kernfs::text;

/// A value; some, like `MaxConn`, are -1.
fn value(word: &[u8]) -> Option<f64> {
    text::signed(word).map(|value| value as f64).or_else(|| text::number(word).map(|value| value as f64))
}

/// Calls `each` with protocol, field and value of a file of pairs of lines. A pair that does not match is left out.
pub(super) fn pairs_of_lines(file: &[u8], mut each: impl FnMut(&str, &str, f64)) {
    let mut lines = text::lines(file);
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let (mut names, mut values) = (text::words(names), text::words(values));
        let (Some(protocol), Some(same)) = (names.next(), values.next()) else { continue };
        let Some(protocol) = protocol.strip_suffix(b":").filter(|_| protocol == same) else { continue };
        let Ok(protocol) = std::str::from_utf8(protocol) else { continue };
        for (name, word) in names.zip(values) {
            if let (Ok(name), Some(value)) = (std::str::from_utf8(name), value(word)) {
                each(protocol, name, value);
            }
        }
    }
}

/// Calls `each` with protocol, field and value of `snmp6`. The protocol ends with the first 6.
pub(super) fn snmp6(file: &[u8], mut each: impl FnMut(&str, &str, f64)) {
    for line in text::lines(file) {
        let mut words = text::words(line);
        let (Some(name), Some(word)) = (words.next(), words.next()) else { continue };
        let (Ok(name), Some(value)) = (std::str::from_utf8(name), value(word)) else { continue };
        if let Some(end) = name.find('6')
            && let Some((protocol, field)) = name.split_at_checked(end + 1)
        {
            each(protocol, field, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(parse: impl Fn(&mut dyn FnMut(&str, &str, f64))) -> Vec<(String, f64)> {
        let mut found = Vec::new();
        parse(&mut |protocol, field, value| found.push((format!("{protocol}_{field}"), value)));
        found
    }

    #[test]
    fn a_pair_of_lines_gives_a_field_a_column() {
        let file = b"Tcp: RtoMin MaxConn\nTcp: 200 -1\nIp: A\nUdp: 1\nUdp: NoPorts Other\nUdp: 7\n";
        let found = read(|each| pairs_of_lines(file, each));
        let expected = [("Tcp_RtoMin", 200.0), ("Tcp_MaxConn", -1.0), ("Udp_NoPorts", 7.0)];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn the_protocol_of_snmp6_ends_with_its_six() {
        let found = read(|each| snmp6(b"Ip6InOctets \t 5\nIcmp6OutType136\t2\nbroken\n", each));
        assert_eq!(found, [("Ip6_InOctets".to_owned(), 5.0), ("Icmp6_OutType136".to_owned(), 2.0)]);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            pairs_of_lines(&bytes, |_, _, _| {});
            snmp6(&bytes, |_, _, _| {});
        }
    }
}
