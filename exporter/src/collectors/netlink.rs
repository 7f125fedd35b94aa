//! Questions to the kernel over netlink (RFC 3549, `include/uapi/linux/rtnetlink.h`, `sock_diag(7)`), for what no file of
//! procfs or sysfs tells: addresses with their device, further names of devices, routes, queues, and how many sockets are
//! in which state without a line of text for each.
//!
//! The answers are those of the agent's own network namespace, as `node_exporter`'s are.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use kernfs::ReadError;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SOCK_DIAG, recv, send, socket_with,
};

const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const NEW_QUEUE: u16 = 36;
const GET_QUEUE: u16 = 38;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// `struct nlmsghdr`, `struct ifinfomsg`, `struct ifaddrmsg`.
const HEADER: usize = 16;
const LINK: usize = 16;
const ADDRESS: usize = 8;
/// `struct rtmsg`, `struct tcmsg`, `struct inet_diag_req_v2`.
const ROUTE: usize = 12;
const QUEUE: usize = 20;
const SOCKETS: usize = 56;
/// Types of attributes of a route: where to, by which device, whom by, how much it costs, from which of our addresses,
/// and several ways at once.
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_MULTIPATH: u16 = 9;
/// Types of attributes of a queue: its kind, its statistics, and what these are.
const TCA_KIND: u16 = 1;
const TCA_STATS2: u16 = 7;
const TCA_STATS_BASIC: u16 = 1;
const TCA_STATS_QUEUE: u16 = 3;
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

/// A way that packets take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Index of the device.
    pub(crate) device: u32,
    /// Our address.
    pub(crate) source: Option<IpAddr>,
    /// Where to, and the length of the network's part; length 0 is everywhere.
    pub(crate) to: (Option<IpAddr>, u8),
    /// The next router.
    pub(crate) gateway: Option<IpAddr>,
    /// The lower the better.
    pub(crate) priority: u32,
    /// Who made the route.
    pub(crate) protocol: u8,
    /// Its share, where it is one of several.
    pub(crate) weight: Option<u32>,
}

/// A queue of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Index of the device.
    pub(crate) device: u32,
    /// Its kind: `fq_codel`.
    pub(crate) kind: String,
    /// Whether it is the device's own and no part of another.
    pub(crate) is_root: bool,
    /// Bytes sent.
    pub(crate) bytes: u64,
    /// Packets sent.
    pub(crate) packets: u32,
    /// Packets in the queue, bytes in it, packets thrown away, put back, held back.
    pub(crate) now: [u32; 5],
}

/// TCP sockets of a family of addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sockets {
    /// How many are in which state, by its number.
    pub(crate) states: [u64; 16],
    /// Bytes that were received and not read, sent and not acknowledged.
    pub(crate) queued: [u64; 2],
}

/// The unicast routes of all tables and families.
pub(crate) fn routes() -> Result<Vec<Route>, ReadError> {
    let answers = dump(GET_ROUTE, ROUTE).map_err(failure)?;
    Ok(messages(&answers).filter(|(kind, _)| *kind == NEW_ROUTE).flat_map(|(_, body)| ways(body)).collect())
}

/// The queues of all devices.
pub(crate) fn queues() -> Result<Vec<Queue>, ReadError> {
    let answers = dump(GET_QUEUE, QUEUE).map_err(failure)?;
    Ok(messages(&answers).filter(|(kind, _)| *kind == NEW_QUEUE).filter_map(|(_, body)| queue(body)).collect())
}

/// The TCP sockets of a family of addresses.
pub(crate) fn sockets(family: AddressFamily) -> Result<Sockets, ReadError> {
    const ALL_STATES: u32 = 0xfff;
    let mut question = [0; SOCKETS];
    let [address_family, ..] = family.as_raw().to_le_bytes();
    for (at, byte) in [address_family, 6].into_iter().chain([0, 0]).chain(ALL_STATES.to_ne_bytes()).enumerate() {
        if let Some(place) = question.get_mut(at) {
            *place = byte;
        }
    }
    let mut sockets = Sockets::default();
    ask(Some(SOCK_DIAG), SOCK_DIAG_BY_FAMILY, &question, |part| {
        for (_, body) in messages(part).filter(|(kind, _)| *kind == SOCK_DIAG_BY_FAMILY) {
            sockets.add(body);
        }
    })
    .map_err(|source| ReadError { path: PathBuf::from("netlink:sock_diag"), source })?;
    Ok(sockets)
}

impl Sockets {
    /// A `struct inet_diag_msg`.
    fn add(&mut self, body: &[u8]) {
        if let Some(count) = body.get(1).and_then(|state| self.states.get_mut(usize::from(*state))) {
            *count += 1;
        }
        for (sum, at) in self.queued.iter_mut().zip([56, 60]) {
            *sum += u64::from(u32_at(body, at).unwrap_or(0));
        }
    }
}

fn failure(source: io::Error) -> ReadError {
    ReadError { path: PathBuf::from("netlink:route"), source }
}

/// All answers to a question for everything of a kind.
fn dump(kind: u16, body: usize) -> io::Result<Vec<u8>> {
    let mut answers = Vec::new();
    // Protocol 0 is the routing tables' (`NETLINK_ROUTE`).
    ask(None, kind, &vec![0; body], |part| answers.extend_from_slice(part))?;
    Ok(answers)
}

/// Asks for everything of a kind; the answers come in parts of whole messages.
fn ask(protocol: Option<Protocol>, kind: u16, body: &[u8], mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    let length = u32::try_from(HEADER + body.len()).map_err(io::Error::other)?;
    let mut question = Vec::with_capacity(HEADER + body.len());
    question.extend_from_slice(&length.to_ne_bytes());
    question.extend_from_slice(&kind.to_ne_bytes());
    question.extend_from_slice(&DUMP.to_ne_bytes());
    question.resize(HEADER, 0);
    question.extend_from_slice(body);
    send(&socket, &question, SendFlags::empty())?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (length, _) = recv(&socket, &mut *buffer, RecvFlags::empty())?;
        let part = buffer.get(..length).unwrap_or_default();
        let mut is_done = length == 0;
        for (kind, body) in messages(part) {
            match kind {
                DONE => is_done = true,
                ERROR => return Err(io::Error::from_raw_os_error(-i32_at(body, 0).unwrap_or(-libc::EIO))),
                _ => {}
            }
        }
        each(part);
        if is_done {
            return Ok(());
        }
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

/// The ways of a route: several where it is spread, none where it is not for packets to one receiver.
fn ways(body: &[u8]) -> Vec<Route> {
    const UNICAST: u8 = 1;
    let (Some(&bits), Some(&protocol), Some(&UNICAST)) = (body.get(1), body.get(5), body.get(7)) else {
        return Vec::new();
    };
    let all: Vec<(u16, &[u8])> = attributes(body.get(ROUTE..).unwrap_or_default()).collect();
    let of = |wanted: u16| all.iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| *value);
    let route = Route {
        device: of(RTA_OIF).and_then(|value| u32_at(value, 0)).unwrap_or(0),
        source: of(RTA_PREFSRC).and_then(ip),
        to: (of(RTA_DST).and_then(ip), bits),
        gateway: of(RTA_GATEWAY).and_then(ip),
        priority: of(RTA_PRIORITY).and_then(|value| u32_at(value, 0)).unwrap_or(0),
        protocol,
        weight: None,
    };
    let Some(mut hops) = of(RTA_MULTIPATH) else { return vec![route] };
    // Each is a `struct rtnexthop` and attributes of its own.
    let mut ways = Vec::new();
    while let (Some(length), Some(&hop), Some(device)) = (u16_at(hops, 0), hops.get(3), u32_at(hops, 4)) {
        let Some(own) = hops.get(8..usize::from(length)) else { break };
        let gateway = attributes(own).find(|(kind, _)| *kind == RTA_GATEWAY).and_then(|(_, value)| ip(value));
        ways.push(Route { device, gateway, weight: Some(u32::from(hop) + 1), ..route.clone() });
        hops = hops.get(usize::from(length).next_multiple_of(4)..).unwrap_or_default();
    }
    ways
}

fn queue(body: &[u8]) -> Option<Queue> {
    let parent = u32_at(body, 12)?;
    let mut queue = Queue { device: u32_at(body, 4)?, is_root: matches!(parent, 0 | u32::MAX), ..Queue::default() };
    for (kind, value) in attributes(body.get(QUEUE..)?) {
        match kind {
            TCA_KIND => queue.kind = text(value),
            TCA_STATS2 => {
                for (kind, value) in attributes(value) {
                    match kind {
                        TCA_STATS_BASIC => {
                            queue.bytes = u64_at(value, 0)?;
                            queue.packets = u32_at(value, 8)?;
                        }
                        TCA_STATS_QUEUE => {
                            for (at, number) in queue.now.iter_mut().enumerate() {
                                *number = u32_at(value, 4 * at)?;
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some(queue)
}

/// An address of either family.
fn ip(value: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(value).ok().map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    let v6 = || <[u8; 16]>::try_from(value).ok().map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)));
    v4().or_else(v6)
}

/// Index of the device, our address, length of the prefix.
fn address(body: &[u8]) -> Option<(u32, IpAddr, u8)> {
    let (prefix, index) = (*body.get(1)?, u32_at(body, 4)?);
    let all: Vec<(u16, &[u8])> = attributes(body.get(ADDRESS..)?).collect();
    let of = |wanted: u16| all.iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| *value);
    Some((index, ip(of(IFA_LOCAL).or_else(|| of(IFA_ADDRESS))?)?, prefix))
}

/// A word that a zero ends.
fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    kernfs::text::text(value.get(..end).unwrap_or_default()).into_owned()
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

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_ne_bytes)
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
    fn a_route_that_is_spread_has_several_ways() {
        let mut body = vec![2, 24, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0];
        body.extend(attribute(RTA_DST, &[10, 0, 0, 0]));
        body.extend(attribute(RTA_PRIORITY, &100_u32.to_ne_bytes()));
        let hop = |device: u8, weight: u8| {
            let own = attribute(RTA_GATEWAY, &[10, 0, 1, device]);
            [&16_u16.to_ne_bytes()[..], &[0, weight], &u32::from(device).to_ne_bytes(), &own].concat()
        };
        body.extend(attribute(RTA_MULTIPATH, &[hop(3, 0), hop(4, 9)].concat()));
        let told: Vec<_> =
            ways(&body).into_iter().map(|way| (way.device, way.gateway, way.weight, way.priority)).collect();
        let router = |last: u8| Some(IpAddr::from([10, 0, 1, last]));
        assert_eq!(told, [(3, router(3), Some(1), 100), (4, router(4), Some(10), 100)]);
        body[7] = 2;
        assert_eq!(ways(&body), [], "a route to the machine itself");
    }

    #[test]
    fn a_listening_socket_is_counted() {
        let before = sockets(AddressFamily::INET).unwrap().states[10];
        let held: Vec<_> = (0..3).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        assert!(sockets(AddressFamily::INET).unwrap().states[10] >= held.len() as u64, "before: {before}");
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
            let _ = (link(&bytes), address(&bytes), ways(&bytes), queue(&bytes));
            Sockets::default().add(&bytes);
        }
    }
}
