//! Network namespaces that are joined by a bridge, and processes that call each other through them.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Addresses that containers call, in the order of the caller's arguments.
pub(crate) const SERVER: (&str, &str) = ("10.213.0.1", "fd00:213::1");
pub(crate) const FAR: (&str, &str) = ("10.213.200.2", "fd00:213::fa7");
/// Nobody answers.
pub(crate) const DEAD: (&str, &str) = ("10.213.254.254", "fd00:213::dead");
/// The bridge says that there is no way to it.
pub(crate) const LOST: (&str, &str) = ("192.0.2.7", "2001:db8::7");

/// A bridge with the server's addresses in a namespace of its own, a far server's, and those of so many containers.
/// Removed when dropped.
pub(crate) struct Network {
    prefix: String,
    spaces: Vec<String>,
}

impl Network {
    /// Why there cannot be one here, or nobody to use it.
    pub(crate) fn unable() -> Option<String> {
        let compiler = Command::new("cc").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !compiler.is_ok_and(|status| status.success()) {
            return Some("there is no C compiler".into());
        }
        let found = Command::new("ip").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
        (!found.is_ok_and(|status| status.success())).then(|| "ip (iproute2) is not installed".into())
    }

    /// Makes it.
    pub(crate) fn make(name: &str, containers: usize) -> Self {
        let prefix = format!("yagura-{name}-{}-", std::process::id());
        let mut spaces = vec!["hub".to_owned(), "far".to_owned()];
        spaces.extend((0..containers).map(|number| number.to_string()));
        let mut batch = String::new();
        for space in &spaces {
            let _ = writeln!(batch, "netns add {prefix}{space}");
        }
        ip(&[], &batch);
        let network = Self { prefix, spaces };
        network.make_hub();
        let far = (FAR.0.to_owned(), FAR.1.to_owned());
        network.make_end("far", &far);
        for number in 0..containers {
            network.make_end(&number.to_string(), &own_address(number));
        }
        network
    }

    fn make_hub(&self) {
        let mut batch = format!(
            "link set lo up\nlink add br0 address {HUB_MAC} type bridge\nlink set br0 up\naddr add {}/16 dev br0\n\
             addr add {}/64 dev br0 nodad\nroute add unreachable 192.0.2.0/24\nroute add unreachable 2001:db8::/64\n",
            SERVER.0, SERVER.1
        );
        for space in self.spaces.iter().skip(1) {
            let (prefix, mac) = (&self.prefix, mac(space));
            let _ = writeln!(batch, "link add v{space} type veth peer name eth0 address {mac} netns {prefix}{space}");
            let _ = writeln!(batch, "link set v{space} master br0 up");
        }
        batch += &self.neighbours("hub", "br0");
        ip(&["-n", &format!("{}hub", self.prefix)], &batch);
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
        let hub = format!("{}hub", self.prefix);
        let done = Command::new("ip").args(["netns", "exec", &hub, "sh", "-c", forward]).status();
        assert!(done.unwrap().success());
    }

    /// Where everybody is, for the server `of`: nobody must ask, and the kernel's table of answers, which is one for all
    /// namespaces, need not hold them.
    fn neighbours(&self, of: &str, device: &str) -> String {
        let mut batch = String::new();
        for space in self.spaces.iter().filter(|space| *space != of && *space != "hub") {
            let (v4, v6) = match space.parse() {
                Ok(number) => own_address(number),
                Err(_) => (FAR.0.to_owned(), FAR.1.to_owned()),
            };
            for address in [v4, v6] {
                let _ = writeln!(batch, "neigh add {address} lladdr {} dev {device} nud permanent", mac(space));
            }
        }
        batch
    }

    fn make_end(&self, space: &str, addresses: &(String, String)) {
        let mut batch = format!(
            "link set lo up\naddr add {}/16 dev eth0\naddr add {}/64 dev eth0 nodad\nlink set eth0 up\n\
             route add default via {}\nroute add default via {}\n\
             neigh add {} lladdr 02:00:00:00:de:ad dev eth0 nud permanent\n\
             neigh add {} lladdr 02:00:00:00:de:ad dev eth0 nud permanent\n",
            addresses.0, addresses.1, SERVER.0, SERVER.1, DEAD.0, DEAD.1
        );
        for (address, mac) in [(SERVER, HUB_MAC), (FAR, &*mac("far"))] {
            if address.0 != addresses.0 {
                let _ = writeln!(batch, "neigh add {} lladdr {mac} dev eth0 nud permanent", address.0);
                let _ = writeln!(batch, "neigh add {} lladdr {mac} dev eth0 nud permanent", address.1);
            }
        }
        if space == "far" {
            batch += &self.neighbours("far", "eth0");
        }
        ip(&["-n", &format!("{}{space}", self.prefix)], &batch);
    }

    /// What the file of a space is called, without its number or name.
    pub(crate) fn files(&self) -> String {
        format!("/run/netns/{}", self.prefix)
    }

    /// The file of a space.
    pub(crate) fn file(&self, space: &str) -> String {
        format!("{}{space}", self.files())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let mut batch = String::new();
        for space in &self.spaces {
            let _ = writeln!(batch, "netns del {}{space}", self.prefix);
        }
        ip(&["-force"], &batch);
    }
}

/// The address of a container's end.
pub(crate) fn own_address(number: usize) -> (String, String) {
    let number = u16::try_from(number).unwrap();
    let [high, low] = (number + 256).to_be_bytes();
    let v4 = Ipv4Addr::new(10, 213, high, low);
    let v6 = Ipv6Addr::new(0xfd00, 0x213, 0, 0, 0, 0, 1, number);
    (v4.to_string(), v6.to_string())
}

const HUB_MAC: &str = "02:0d:00:00:00:01";

/// The hardware address of an end.
fn mac(space: &str) -> String {
    let number: u16 = space.parse().unwrap_or(u16::MAX);
    let [high, low] = number.to_be_bytes();
    format!("02:0e:00:00:{high:02x}:{low:02x}")
}

fn ip(options: &[&str], batch: &str) {
    let child = Command::new("ip").args(options).args(["-batch", "-"]).stdin(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(batch.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "ip {options:?} failed:\n{batch}");
}

/// Compiles the caller.
pub(crate) fn caller(into: &Path) -> PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/caller/caller.c");
    let program = into.join("caller");
    let done = Command::new("cc").args(["-O2", "-Wall", "-o"]).arg(&program).arg(source).status();
    assert!(done.expect("cc runs").success(), "{source} does not compile");
    program
}

/// A server at work; ends when dropped.
pub(crate) struct Server(Child);

impl Server {
    /// Starts it in a cgroup and a namespace's file, and waits until it listens.
    pub(crate) fn start(caller: &Path, folder: &Path, space: &str, port: u16, processes: usize) -> Self {
        let child = Command::new(caller)
            .arg("serve")
            .arg(folder)
            .args([space, &port.to_string(), &processes.to_string()])
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the server does not listen");
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What happened in one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Called {
    /// Name of its cgroup.
    pub(crate) name: String,
    /// Its number.
    pub(crate) number: usize,
    /// Whether it called addresses of IPv6.
    pub(crate) v6: bool,
    /// Bytes sent and received in the exchange with the server, and with the far one.
    pub(crate) exchanges: [[u64; 2]; 2],
    /// Error numbers where it should be refused, where nobody answers, and where there is no way.
    pub(crate) errors: [i32; 3],
}

/// Has so many containers make their calls, so many at a time, each removed so long after its process ended.
pub(crate) fn call(
    caller: &Path,
    parent: &Path,
    network: &Network,
    count: usize,
    parallel: usize,
    pause_us: u32,
) -> Vec<Called> {
    let addresses = [SERVER, FAR, DEAD, LOST].map(|(v4, v6)| [v4, v6]).concat();
    let output = Command::new(caller)
        .arg("call")
        .arg(parent)
        .arg(network.files())
        .args([count.to_string(), parallel.to_string(), pause_us.to_string()])
        .args(addresses)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the caller failed");
    String::from_utf8(output.stdout).unwrap().lines().map(called).collect()
}

fn called(line: &str) -> Called {
    let words: Vec<&str> = line.split(' ').collect();
    let [name, family, numbers @ ..] = words.as_slice() else { panic!("{line:?} is no line of the caller") };
    let number = |at: usize| numbers.get(at).and_then(|word| word.parse::<i64>().ok());
    let bytes = |at| number(at).and_then(|n| n.try_into().ok()).unwrap_or_else(|| panic!("an exchange failed: {line}"));
    Called {
        name: (*name).into(),
        number: name.strip_prefix('c').unwrap().parse().unwrap(),
        v6: *family == "ipv6",
        exchanges: [[bytes(0), bytes(1)], [bytes(2), bytes(3)]],
        errors: [4, 5, 6].map(|at| number(at).unwrap().try_into().unwrap()),
    }
}
