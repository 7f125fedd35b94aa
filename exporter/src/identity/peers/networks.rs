//! Configured and well-known networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) name: String,
    address: u128,
    mask: u128,
    length: u8,
}

impl Network {
    /// Reads `office=192.0.2.0/24`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, network) = text.split_once('=')?;
        let (address, length) = network.split_once('/')?;
        let (address, most, before): (IpAddr, u8, u8) = match address.parse().ok()? {
            IpAddr::V4(address) => (IpAddr::V4(address), 32, 96),
            IpAddr::V6(address) => (IpAddr::V6(address), 128, 0),
        };
        let length: u8 = length.parse().ok().filter(|length| *length <= most && !name.is_empty())?;
        let length = length + before;
        let mask = if length == 0 { 0 } else { u128::MAX << (128 - u32::from(length)) };
        Some(Self { name: name.to_owned(), address: bits(address) & mask, mask, length })
    }

    pub(super) fn has(&self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.address
    }

    /// Length of the prefix; of the networks that contain an address the one with the longest prefix counts.
    pub(super) fn length(&self) -> u8 {
        self.length
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Addresses of the metadata services of clouds, which also give out credentials.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether clouds answer there.
pub(super) fn is_metadata(address: IpAddr) -> bool {
    METADATA.contains(&address)
}

/// Whether the address is the machine itself, for everybody.
pub(super) fn is_local(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// Whether the address means something within an organisation only.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            address.is_private() || address.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_have_addresses_of_both_kinds() {
        let office = Network::parse("office=192.0.2.128/25").unwrap();
        assert!(office.has(at("192.0.2.200")) && !office.has(at("192.0.2.100")) && !office.has(at("::c000:2c8")));
        let lab = Network::parse("lab=2001:db8::/32").unwrap();
        assert!(lab.has(at("2001:db8:1::1")) && !lab.has(at("2001:db9::1")) && !lab.has(at("192.0.2.1")));
        let all = Network::parse("all=0.0.0.0/0").unwrap();
        assert!(all.has(at("8.8.8.8")) && !all.has(at("2001:db8::1")) && all.length() < office.length());
        for text in ["", "office", "=10.0.0.0/8", "a=10.0.0.0", "a=10.0.0.0/33", "a=::/129", "a=10.0.0/8"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn some_addresses_are_known_to_everybody() {
        assert!(is_metadata(at("169.254.169.254")) && is_metadata(at("fd00:ec2::254")));
        for text in ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "fd12::1", "fe80::1"] {
            assert!(is_private(at(text)), "{text}");
        }
        for text in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1"] {
            assert!(!is_private(at(text)), "{text}");
        }
    }
}
