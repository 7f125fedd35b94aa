//! The addresses of this machine itself, bridges to its pods included.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kernfs::{Host, Reader};

/// Those of the network that the first process is in.
pub(super) fn addresses(host: &Host, reader: &mut Reader) -> Vec<IpAddr> {
    let mut all = Vec::new();
    if let Ok(Some(file)) = reader.read(&host.proc, "1/net/fib_trie") {
        all.extend(v4(file).map(IpAddr::V4));
    }
    if let Ok(Some(file)) = reader.read(&host.proc, "1/net/if_inet6") {
        all.extend(v6(file).map(IpAddr::V6));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// From `/proc/net/fib_trie`: an address stands above a line that says it is the host's own.
///
/// ```text
///         |-- 10.88.0.1
///            /32 host LOCAL
/// ```
fn v4(file: &[u8]) -> impl Iterator<Item = Ipv4Addr> {
    let mut address = None;
    kernfs::text::lines(file).filter_map(move |line| {
        let line = std::str::from_utf8(line).ok()?.trim();
        if let Some(text) = line.strip_prefix("|-- ") {
            address = text.parse::<Ipv4Addr>().ok();
            return None;
        }
        let own = line.starts_with("/32 host LOCAL");
        address.filter(|address| own && !address.is_loopback())
    })
}

/// From `/proc/net/if_inet6`: 32 hexadecimal digits, and more that is of no interest.
fn v6(file: &[u8]) -> impl Iterator<Item = Ipv6Addr> {
    kernfs::text::lines(file).filter_map(|line| {
        let digits = std::str::from_utf8(line.get(..32)?).ok()?;
        let address = Ipv6Addr::from(u128::from_str_radix(digits, 16).ok()?);
        (!address.is_loopback()).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_those_of_the_host() {
        let trie = b"Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 10.88.0.0/16 2 0 2\n        |-- 10.88.0.0\n           /16 link UNICAST\n        |-- 10.88.0.1\n           /32 host LOCAL\n        |-- 10.88.255.255\n           /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n";
        assert_eq!(v4(trie).collect::<Vec<_>>(), [Ipv4Addr::new(10, 88, 0, 1)]);
        let six = b"00000000000000000000000000000001 01 80 10 80       lo\nfd00000000000000000000000000000a 02 40 00 80     eth0\nbad\n";
        assert_eq!(v6(six).collect::<Vec<_>>(), ["fd00::a".parse::<Ipv6Addr>().unwrap()]);
    }
}
