//! Questions to the kernel over route netlink (RFC 3549, `include/uapi/linux/rtnetlink.h`), for what no file of procfs or
//! sysfs tells: addresses with their device, and further names of devices.
//!
//! The answers are those of the agent's own network namespace, as `node_exporter`'s are.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use kernfs::ReadError;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// `struct nlmsghdr`, `struct ifinfomsg`, `struct ifaddrmsg`.
const HEADER: usize = 16;
const LINK: usize = 16;
const ADDRESS: usize = 8;
/// Types of attributes: the name of a link, the list of its properties, a further name in it.
const IFLA_IFNAME: u16 = 3;
const IFLA_PROP_LIST: u16 = 52;
const IFLA_ALT_IFNAME: u16 = 53;
/// The other end's address where there is one; ours.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// The flag `NLA_F_NESTED` and the one for byte order are no part of the type.
const TYPE_MASK: u16 = 0x3fff;

/// A network device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its name.
    pub(crate) name: String,
    /// Further names.
    pub(crate) others: Vec<String>,
}

/// An address of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// The device's name.
    pub(crate) device: String,
    /// The address.
    pub(crate) ip: IpAddr,
    /// Length of the network's part, in bits.
    pub(crate) prefix: u8,
}

/// The network devices by index.
pub(crate) fn links() -> Result<BTreeMap<u32, Link>, ReadError> {
    let answers = dump(GET_LINK, LINK).map_err(failure)?;
    Ok(messages(&answers).filter(|(kind, _)| *kind == NEW_LINK).filter_map(|(_, body)| link(body)).collect())
}

/// The addresses of all devices.
pub(crate) fn addresses() -> Result<Vec<Address>, ReadError> {
    let links = links()?;
    let answers = dump(GET_ADDRESS, ADDRESS).map_err(failure)?;
    let of = |body| {
        let (index, ip, prefix) = address(body)?;
        Some(Address { device: links.get(&index)?.name.clone(), ip, prefix })
    };
    Ok(messages(&answers).filter(|(kind, _)| *kind == NEW_ADDRESS).filter_map(|(_, body)| of(body)).collect())
}

fn failure(source: io::Error) -> ReadError {
    ReadError { path: PathBuf::from("netlink:route"), source }
}

/// All answers to a question for everything of a kind.
fn dump(kind: u16, body: usize) -> io::Result<Vec<u8>> {
    let family = AddressFamily::NETLINK;
    // Protocol 0 is the routing tables' (`NETLINK_ROUTE`).
    let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    let length = u32::try_from(HEADER + body).map_err(io::Error::other)?;
    let mut question = Vec::with_capacity(HEADER + body);
    question.extend_from_slice(&length.to_ne_bytes());
    question.extend_from_slice(&kind.to_ne_bytes());
    question.extend_from_slice(&DUMP.to_ne_bytes());
    question.resize(HEADER + body, 0);
    send(&socket, &question, SendFlags::empty())?;
    let mut answers = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (length, _) = recv(&socket, &mut *buffer, RecvFlags::empty())?;
        let part = buffer.get(..length).unwrap_or_default();
        for (kind, body) in messages(part) {
            match kind {
                DONE => return Ok(answers),
                ERROR => return Err(io::Error::from_raw_os_error(-i32_at(body, 0).unwrap_or(-libc::EIO))),
                _ => {}
            }
        }
        if length == 0 {
            return Ok(answers);
        }
        answers.extend_from_slice(part);
    }
}

/// Type and content of each message; what is cut off is left out.
fn messages(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(rest, 0)?).ok()?;
        let kind = u16_at(rest, 4)?;
        let body = rest.get(HEADER..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// Type and value of each attribute.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & TYPE_MASK;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn link(body: &[u8]) -> Option<(u32, Link)> {
    let index = u32_at(body, 4)?;
    let mut link = Link::default();
    for (kind, value) in attributes(body.get(LINK..)?) {
        match kind {
            IFLA_IFNAME => link.name = text(value),
            IFLA_PROP_LIST => {
                let names = attributes(value).filter(|(kind, _)| *kind == IFLA_ALT_IFNAME);
                link.others.extend(names.map(|(_, name)| text(name)).filter(|name| !name.is_empty()));
            }
            _ => {}
        }
    }
    Some((index, link))
}

/// Index of the device, our address, length of the prefix.
fn address(body: &[u8]) -> Option<(u32, IpAddr, u8)> {
    let (prefix, index) = (*body.get(1)?, u32_at(body, 4)?);
    let all: Vec<(u16, &[u8])> = attributes(body.get(ADDRESS..)?).collect();
    let of = |wanted: u16| all.iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| *value);
    let value = of(IFA_LOCAL).or_else(|| of(IFA_ADDRESS))?;
    let v4 = || <[u8; 4]>::try_from(value).ok().map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    let v6 = || <[u8; 16]>::try_from(value).ok().map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)));
    Some((index, v4().or_else(v6)?, prefix))
}

/// A word that a zero ends.
fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_ne_bytes)
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    array(bytes, at).map(i32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn our_own_end_of_a_link_is_the_address() {
        let mut body = vec![2, 24, 0, 0, 7, 0, 0, 0];
        body.extend(attribute(IFA_ADDRESS, &[10, 0, 0, 2]));
        assert_eq!(address(&body), Some((7, "10.0.0.2".parse().unwrap(), 24)));
        body.extend(attribute(IFA_LOCAL, &[10, 0, 0, 1]));
        assert_eq!(address(&body), Some((7, "10.0.0.1".parse().unwrap(), 24)));
    }

    #[test]
    fn further_names_are_nested() {
        let mut body = vec![0; LINK];
        body[4] = 3;
        body.extend(attribute(IFLA_IFNAME, b"eth0\0"));
        let names = [attribute(IFLA_ALT_IFNAME, b"enp1s0\0"), attribute(IFLA_ALT_IFNAME, b"uplink\0")].concat();
        body.extend(attribute(IFLA_PROP_LIST | 0x8000, &names));
        let others = vec!["enp1s0".to_owned(), "uplink".to_owned()];
        assert_eq!(link(&body), Some((3, Link { name: "eth0".into(), others })));
    }

    #[test]
    fn the_kernel_knows_the_loopback_device() {
        let lo = links().unwrap().into_values().find(|link| link.name == "lo");
        assert!(lo.is_some(), "every network namespace has one");
        let has_address = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default().contains("127.0.0.1");
        let found = addresses().unwrap().iter().any(|address| address.ip.to_string() == "127.0.0.1");
        assert_eq!(found, has_address);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            for (_, body) in messages(&bytes) {
                let _ = (link(body), address(body));
            }
            let _ = (link(&bytes), address(&bytes));
        }
    }
}
