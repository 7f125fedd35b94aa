//! Packets that are dropped on purpose, in a network namespace of their own, and how many that were.

use std::{
    fs::File,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    num::NonZeroU32,
    os::fd::AsFd as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use yagura_exporter::probes::{
    drops::{Drops, Rows},
    lifetime::{Lifetime, Options},
    tcp::{self, Tcp},
};

use super::{Alone, Folder, alone, host, on, owner_root};

/// Packets of each kind.
const EACH: u16 = 50;

/// A network namespace with nothing but a loopback device, which is up. Removed when dropped.
pub(crate) struct Space(String);

impl Space {
    /// Makes it; the purpose is part of its name.
    pub(crate) fn make(purpose: &str) -> Self {
        let name = format!("yagura-{purpose}-{}", std::process::id());
        run("ip", &["netns", "add", &name], "");
        let space = Self(name);
        run("ip", &["-n", &space.0, "link", "set", "lo", "up"], "");
        space
    }

    /// Does something in it. Namespaces belong to threads, so another one does.
    /// Does something in it, on a thread of its own.
    pub(crate) fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.0)).unwrap();
        std::thread::scope(|scope| {
            let entered = scope.spawn(|| {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                act()
            });
            entered.join().unwrap()
        })
    }
}

impl Space {
    /// Has every datagram for one address and port go to another port of it, and answers come from the first, as Docker
    /// does for the name server of a network. Fails with the reason where nothing can.
    pub(crate) fn move_port(&self, address: &str, from: u16, to: u16) -> Result<(), String> {
        let (from, to) = (from.to_string(), to.to_string());
        let rules = [
            ["OUTPUT", "-d", address, "--dport", &from, "-j", "DNAT", "--to-destination", &format!("{address}:{to}")]
                .map(str::to_owned),
            ["POSTROUTING", "-s", address, "--sport", &to, "-j", "SNAT", "--to-source", &format!(":{from}")]
                .map(str::to_owned),
        ];
        for [chain, side, address, port, number, rest @ ..] in rules {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", &self.0, "iptables", "-w", "-t", "nat", "-A", &chain, &side, &address]);
            command.args(["-p", "udp", &port, &number]).args(rest);
            let said = command.output().map_err(|error| format!("ip: {error}"))?;
            if !said.status.success() {
                return Err(format!("iptables: {}", String::from_utf8_lossy(&said.stderr).trim()));
            }
        }
        Ok(())
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        run("ip", &["netns", "del", &self.0], "");
    }
}

fn run(program: &str, words: &[&str], input: &str) {
    let mut child = Command::new(program).args(words).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{program} {words:?}");
}

/// The program that makes rules of nftables, if it is here and the kernel has nftables.
fn nft() -> Option<String> {
    let program = testkit::given("NFT").unwrap_or_else(|| "nft".into());
    let listed = Command::new(&program).args(["list", "tables"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    listed.is_ok_and(|status| status.success()).then_some(program)
}

/// What happened and what was counted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// What was done.
    pub(crate) what: &'static str,
    /// Where it is counted and under which reason.
    pub(crate) counted_as: String,
    /// How often it happened.
    pub(crate) done: u64,
    /// How often it was counted.
    pub(crate) counted: u64,
}

/// Has packets dropped and looks at what was counted; and says what could not be tried.
pub(crate) fn compare() -> (Vec<Line>, Option<String>) {
    let alone = alone();
    let root = owner_root().unwrap();
    let (sender, receiver) = (Folder::make(&root, "sender"), Folder::make(&root, "receiver"));
    let lifetime = on(Lifetime::start(&host(), &Options::default()));
    let drops = on(Drops::start(&host(), lifetime.books(), false));
    let tcp = on(Tcp::start(&host(), lifetime.books(), &tcp::Options::default()));
    let space = Space::make("drops");
    let before = drops.rows().unwrap();
    let nft = nft();
    if let Some(nft) = &nft {
        let rules = "table inet t {\n chain i { type filter hook input priority 0; udp dport 9001 drop; }\n \
                     chain o { type filter hook output priority 0; udp dport 9002 drop; }\n}\n";
        run("ip", &["netns", "exec", &space.0, nft, "-f", "-"], rules);
    }
    let mut lines = Vec::new();
    let mut line = |what, place, reason, done| lines.push((what, place, reason, done));
    let (device, receives) = (Place::Device, if drops.knows_receivers() { Place::Receiver } else { Place::Device });
    let done = space.within(|| (fill(&alone, &sender, &receiver), spoil(), turn_away(&alone, &receiver)));
    let (overfull, (), (_listener, turned_away)) = done;
    line("datagrams for a socket without room", receives, "socket_rcvbuff", overfull);
    line("segments with a bad checksum", device, "tcp_csum", u64::from(EACH));
    line("datagrams with a bad checksum", device, "udp_csum", u64::from(EACH));
    if nft.is_some() {
        space.within(|| filtered(&alone, &sender));
        line("datagrams that nftables drops where they arrive", device, "netfilter_drop", u64::from(EACH));
        line("datagrams that nftables drops where they leave", Place::Sender, "netfilter_drop", u64::from(EACH));
    }
    let after = drops.rows().unwrap();
    let count = |place: Place, reason: &str| {
        let of = |rows: &Rows| {
            let by_reason = match place {
                Place::Device => rows.devices.get(&(false, "lo".to_owned())),
                Place::Sender => rows.cgroups.get(&sender.id()),
                Place::Receiver => rows.cgroups.get(&receiver.id()),
            };
            by_reason.and_then(|by_reason| by_reason.get(reason)).copied().unwrap_or(0)
        };
        of(&after) - of(&before)
    };
    let mut compared: Vec<Line> = lines
        .into_iter()
        .map(|(what, place, reason, done)| {
            let counted_as = format!("{} {reason}", place.name());
            Line { what, counted_as, done, counted: count(place, reason) }
        })
        .collect();
    let counted_as = "its container's listener turned_away".to_owned();
    let counted = listener_turned_away(&lifetime, &tcp, &receiver, turned_away);
    compared.push(Line { what: "connects that a full listener turns away", counted_as, done: turned_away, counted });
    let missing = nft.is_none().then(|| "nftables: nft is not installed, or the kernel has none".to_owned());
    (compared, missing)
}

#[derive(Clone, Copy)]
enum Place {
    Device,
    Sender,
    Receiver,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Device => "the device",
            Self::Sender => "the sender's container",
            Self::Receiver => "the receiver's container",
        }
    }
}

/// Sends more than a socket has room for. How many that were is what does not come out of it.
fn fill(alone: &Alone, sender: &Folder, receiver: &Folder) -> u64 {
    let to = alone.within(receiver, || UdpSocket::bind("127.0.0.1:0").unwrap());
    rustix::net::sockopt::set_socket_recv_buffer_size(&to, 4096).unwrap();
    let from = alone.within(sender, || UdpSocket::bind("127.0.0.1:0").unwrap());
    for _ in 0..200 {
        from.send_to(&[7; 500], to.local_addr().unwrap()).unwrap();
    }
    to.set_nonblocking(true).unwrap();
    let came = std::iter::from_fn(|| to.recv(&mut [0; 600]).ok()).count();
    200 - u64::try_from(came).unwrap()
}

/// Sends segments and datagrams whose checksum is wrong, to where nobody listens.
fn spoil() {
    const RAW: NonZeroU32 = NonZeroU32::new(255).unwrap();
    let family = rustix::net::AddressFamily::INET;
    let protocol = Some(rustix::net::Protocol::from_raw(RAW));
    let socket = rustix::net::socket(family, rustix::net::SocketType::RAW, protocol).unwrap();
    let to = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
    // From port 9008 to 9009; the checksums are 0xba00.
    let segment: &[u8] = &[0x23, 0x30, 0x23, 0x31, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0xba, 0, 0, 0];
    let datagram: &[u8] = &[0x23, 0x30, 0x23, 0x31, 0, 8, 0xba, 0];
    for (number, payload) in [(6, segment), (17, datagram)] {
        let header = [0x45, 0, 0, 0, 0, 1, 0, 0, 64, number, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
        let packet = [&header, payload].concat();
        for _ in 0..EACH {
            rustix::net::sendto(&socket, &packet, rustix::net::SendFlags::empty(), &to).unwrap();
        }
    }
}

/// Connects to a listener that takes no more, and says how often the kernel says that one turned something away.
fn turn_away(alone: &Alone, receiver: &Folder) -> (TcpListener, u64) {
    let listener = alone.within(receiver, || {
        let socket =
            rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        TcpListener::from(socket)
    });
    let to = listener.local_addr().unwrap();
    let kept: Vec<_> = (0..12).map(|_| TcpStream::connect_timeout(&to, Duration::from_millis(50)).ok()).collect();
    drop(kept);
    (listener, listen_drops())
}

/// Of this thread's network namespace.
fn listen_drops() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, numbers) = (lines.next().unwrap(), lines.next().unwrap());
    let mut both = names.split(' ').zip(numbers.split(' '));
    both.find(|(name, _)| *name == "ListenDrops").unwrap().1.parse().unwrap()
}

fn listener_turned_away(lifetime: &Lifetime, tcp: &Tcp, receiver: &Folder, expected: u64) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        lifetime.read(|_| ()).unwrap();
        let counted = tcp.rows_of_listeners().unwrap();
        let counted = counted.iter().filter(|(cgroup, _)| *cgroup == receiver.id()).map(|(_, count)| count).sum();
        if counted == expected || Instant::now() > deadline {
            return counted;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Sends what nftables drops.
fn filtered(alone: &Alone, sender: &Folder) {
    let from = alone.within(sender, || UdpSocket::bind("127.0.0.1:0").unwrap());
    for _ in 0..EACH {
        from.send_to(&[7; 100], "127.0.0.1:9001").unwrap();
        from.send_to(&[7; 100], "127.0.0.1:9002").unwrap_err();
    }
}
