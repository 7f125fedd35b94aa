//! Backends of services, by workload.
//!
//! kube-proxy replaces a service's address by a pod's after the socket, so `tcp_connections` sees only the service.
//! That is enough if all its pods belong to one workload. For other services the connection tracking table has both
//! addresses. It keeps a closed connection for up to two minutes, so the values are a snapshot of now and shortly
//! before, and nothing is summed.
//!
//! The table can be long. It is read at most each [`EVERY`], and seldom enough to take less than a hundredth of a CPU.
//! Without tracking, or where connections are led to pods before they leave the socket (Cilium without kube-proxy),
//! there is nothing to tell, and peers are the pods themselves.

mod metrics;
mod parse;

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kernfs::ReadError;
use kubernetes::WorkloadRef;
use metric::Batch;

use self::parse::Turned;
use super::node::net_folder;
use crate::{
    identity::{
        AsWorkload, Peers, Pods,
        peers::{Found, Who},
    },
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "workload_backends",
    about: "Which workloads answer for the services that a workload uses, by the connection tracker.",
    default_on: true,
    needs: &[Need::File("proc/1/net/nf_conntrack")],
    shows: &[(View::Own, metrics::FAMILIES)],
    build,
};

/// How often the table is read.
const EVERY: Duration = Duration::from_secs(15);
/// One that took 200 ms to read is not read again within 20 s.
const SHARE: u32 = 100;
/// So many connections are read; what is beyond is said to be left out.
const TRANSLATIONS_MOST: usize = 1 << 17;

struct Backends {
    file: PathBuf,
    pods: Pods,
    peers: Peers,
    /// Services and backends that a workload may have.
    most: usize,
    seen: HashMap<Turned, u32>,
    is_cut: bool,
    read: Option<Instant>,
    took: Duration,
}

/// Of which workload, to which service and port, who answers.
type Line = (WorkloadRef, Who, u16, WorkloadRef);

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let file = context.host.proc.join(net_folder(&context.host)).join("nf_conntrack");
    if let Err(error) = File::open(&file) {
        return Err(Unavailable(match error.kind() {
            io::ErrorKind::NotFound => {
                format!("connections are not tracked, or not shown: there is no {}", file.display())
            }
            _ => format!("cannot read {}: {error}; it takes root or CAP_DAC_READ_SEARCH", file.display()),
        }));
    }
    Ok(Box::new(Backends {
        file,
        pods: context.pods.clone(),
        peers: context.peers.clone(),
        most: context.config.peers.per_workload,
        seen: HashMap::new(),
        is_cut: false,
        read: None,
        took: Duration::ZERO,
    }))
}

impl Collector for Backends {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        // Whose a connection is, and who answers, is told by pods' addresses alone.
        if !self.pods.is_on() {
            return Ok(());
        }
        let pause = EVERY.max(self.took * SHARE);
        if self.read.is_none_or(|read| read.elapsed() >= pause) {
            let begun = Instant::now();
            (self.seen, self.is_cut) =
                read(&self.file).map_err(|source| ReadError { path: self.file.clone(), source })?;
            (self.read, self.took) = (Some(begun), begun.elapsed());
        }
        if self.is_cut {
            let source = io::Error::other(format!("more than {TRANSLATIONS_MOST} connections: the rest is left out"));
            scrape.note(ReadError { path: self.file.clone(), source });
        }
        let find = |address, port| self.peers.find(address, port, None);
        emit(&lines(&self.seen, |address| self.pods.at(address), find), self.most, scrape.out);
        Ok(())
    }
}

/// Connections whose destination was replaced, each with how often; and whether there are more.
fn read(file: &Path) -> io::Result<(HashMap<Turned, u32>, bool)> {
    let mut reader = BufReader::with_capacity(64 << 10, File::open(file)?);
    let (mut seen, mut line) = (HashMap::new(), Vec::new());
    for _ in 0..TRANSLATIONS_MOST {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok((seen, false));
        }
        if let Some(turned) = parse::turned(&line) {
            *seen.entry(turned).or_insert(0) += 1;
        }
    }
    Ok((seen, true))
}

/// What there is of services, by who they are.
fn lines(
    seen: &HashMap<Turned, u32>,
    at: impl Fn(&std::net::IpAddr) -> Option<WorkloadRef>,
    find: impl Fn(std::net::IpAddr, u16) -> Found,
) -> BTreeMap<Line, u32> {
    let mut lines = BTreeMap::new();
    for (turned, count) in seen {
        let Some(client) = at(&turned.client) else { continue };
        let service = find(turned.asked, turned.port).who;
        if !matches!(service.kind, "service" | "kubedns" | "apiserver") {
            continue;
        }
        let Who { kind, namespace, name, workload } = find(turned.answers, turned.answering_port).who;
        let (kind, name) = workload.unwrap_or((kind, name));
        let backend = WorkloadRef { namespace: (&*namespace).into(), name: (&*name).into(), kind };
        *lines.entry((client, service, turned.port, backend)).or_insert(0) += count;
    }
    lines
}

/// Puts the lines with most connections of each workload; the rest is one.
fn emit(lines: &BTreeMap<Line, u32>, most: usize, out: &mut Batch) {
    let mut by_client: BTreeMap<&WorkloadRef, Vec<(&Line, u32)>> = BTreeMap::new();
    for (line, count) in lines {
        by_client.entry(&line.0).or_default().push((line, *count));
    }
    for (client, mut lines) in by_client {
        let of = out.subject::<AsWorkload, 3>([&client.namespace, &client.name, client.kind]);
        lines.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for ((_, service, port, backend), count) in lines.iter().take(most) {
            let port = port.to_string();
            let labels = [&service.namespace, &service.name, &*port, &backend.namespace, &backend.name, backend.kind];
            out.put_of(&metrics::CONNECTIONS, of, labels, *count);
        }
        let rest: u32 = lines.iter().skip(most).map(|(_, count)| count).sum();
        if rest > 0 {
            out.put_of(&metrics::CONNECTIONS, of, ["", "other", "", "", "", ""], rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, process::Command};

    use super::*;

    const CLIENT: &str = "10.88.0.5";
    const MIXED: &str = "10.96.0.9";

    fn turned(asked: &str, answers: &str) -> Turned {
        let [client, asked, answers] = [CLIENT, asked, answers].map(|text| text.parse().unwrap());
        Turned { client, asked, port: 80, answers, answering_port: 8080 }
    }

    fn workload(name: &str) -> WorkloadRef {
        WorkloadRef { namespace: "shop".into(), name: name.into(), kind: "Deployment" }
    }

    fn find(address: IpAddr, port: u16) -> Found {
        let (kind, name) = match (address.to_string().as_str(), port) {
            (MIXED, 80) => ("service", "mixed"),
            ("10.88.0.7", 8080) => ("workload", "blue"),
            ("10.88.0.8", 8080) => ("workload", "green"),
            _ => ("private", ""),
        };
        let workload = (kind == "workload").then(|| ("Deployment", name.into()));
        Found { who: Who { kind, namespace: "shop".into(), name: name.into(), workload }, is_sure: true }
    }

    fn of_client(address: &IpAddr) -> Option<WorkloadRef> {
        (address.to_string() == CLIENT).then(|| workload("web"))
    }

    #[test]
    fn a_service_has_all_that_answer_for_it() {
        let stranger = Turned { client: "10.88.0.6".parse().unwrap(), ..turned(MIXED, "10.88.0.7") };
        let seen = [
            (turned(MIXED, "10.88.0.7"), 3),
            (turned(MIXED, "10.88.0.8"), 1),
            (turned("10.9.9.9", "10.88.0.8"), 5),
            (stranger, 9),
        ];
        let lines = lines(&seen.into_iter().collect(), of_client, find);
        let told: Vec<_> = lines.iter().map(|(line, count)| (&*line.1.name, &*line.3.name, *count)).collect();
        assert_eq!(
            told,
            [("mixed", "blue", 3), ("mixed", "green", 1)],
            "nothing of strangers, nothing of what is no service"
        );
    }

    #[test]
    fn what_is_over_the_limit_is_one() {
        let service = find(MIXED.parse().unwrap(), 80).who;
        let of = |name: &str| (workload("web"), service.clone(), 80, workload(name));
        let lines = [(of("a"), 1), (of("b"), 7), (of("c"), 2)].into_iter().collect();
        let mut out = Batch::default();
        emit(&lines, 1, &mut out);
        let told: Vec<_> = out
            .samples(metrics::CONNECTIONS.desc())
            .map(|sample| {
                let named =
                    sample.labels().own().filter(|(label, _)| matches!(*label, "peer_workload" | "backend_workload"));
                (named.map(|(_, value)| value.to_owned()).collect::<Vec<_>>().join(" "), sample.number())
            })
            .collect();
        let expected = [("mixed b", 7.0), ("other ", 3.0)].map(|(named, count)| (named.to_owned(), count));
        assert_eq!(told, expected);
    }

    /// A web server at one address, a rule that leads another there, a client, and the tracker's table.
    const SERVICE: &str = "
        ip link set lo up && ip addr add 10.88.0.5/32 dev lo && ip addr add 10.88.0.7/32 dev lo &&
        ip route add 10.96.0.0/16 dev lo src 10.88.0.5 &&
        iptables -t nat -A OUTPUT -d 10.96.0.9 -p tcp --dport 80 -j DNAT --to-destination 10.88.0.7:8080 || exit 77
        busybox httpd -p 10.88.0.7:8080 -h / && busybox wget -q -O /dev/null http://10.96.0.9/
        cat /proc/self/net/nf_conntrack";

    #[test]
    fn the_tracker_tells_who_answered_for_an_address_that_was_replaced() {
        let mut command = Command::new("unshare");
        let output = command.args(["--net", "--pid", "--fork", "--kill-child", "sh", "-c", SERVICE]).output().unwrap();
        if output.status.code() != Some(0) || output.stdout.is_empty() {
            let said = String::from_utf8_lossy(&output.stderr);
            testkit::skipped(&format!("it takes root, iptables and a connection tracker: {}", said.trim()));
            return;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &output.stdout).unwrap();
        let (seen, _) = read(file.path()).unwrap();
        assert_eq!(seen, [(turned(MIXED, "10.88.0.7"), 1)].into(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    #[test]
    fn a_table_that_is_not_there_is_an_error_and_one_that_is_long_is_cut() {
        assert!(read(Path::new("/nowhere")).is_err());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("table");
        let line = "ipv4 2 tcp 6 9 CLOSE src=10.0.0.1 dst=10.96.0.1 sport=1 dport=80 src=10.0.0.2 dst=10.0.0.1 sport=80 dport=1\n";
        std::fs::write(&file, line.repeat(3)).unwrap();
        let (seen, is_cut) = read(&file).unwrap();
        assert_eq!((seen.into_values().collect::<Vec<_>>(), is_cut), (vec![3], false));
        std::fs::write(&file, line.repeat(TRANSLATIONS_MOST + 1)).unwrap();
        assert!(read(&file).unwrap().1);
    }
}
