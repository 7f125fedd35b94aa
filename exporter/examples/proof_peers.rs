//! `cargo xtask proof peers`: thirty workloads in namespaces of their own, with a known graph of 120 edges: to other
//! workloads, services, nodes, the API server, the metadata service, named networks, the world. Every edge must be found
//! under its name, and nothing else.

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    collections::BTreeSet,
    fs,
    net::Ipv4Addr,
    os::unix::fs::MetadataExt as _,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use common::{
    Folder, host,
    network::{Network, Server, caller, own_address},
    owner_root, unable,
};
use testkit::{ApiServer, pod_uid, wait_for};
use yagura_exporter::{
    config,
    identity::{Peers, Pods, names::NAMES},
    ids::CgroupId,
    probes::{
        lifetime::{Lifetime, Options},
        tcp::{self, Tcp, named::Named},
    },
};

const WORKLOADS: usize = 30;
/// Connections of each edge.
const TIMES: u64 = 3;
/// How many others of a workload are told apart here, for each direction.
const PEERS_PER_WORKLOAD: usize = 50;

/// What some containers have been told that an address is called.
const NAME: &str = "api.example.org";

/// An edge: who asks, kind and name of whom, and the port.
type Edge = (String, String, String, u16);

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() -> ExitCode {
    if let Some(reason) = unable().or_else(Network::unable) {
        println!("skipped: {reason}");
        return ExitCode::SUCCESS;
    }
    match prove() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn name(number: usize) -> String {
    format!("load-{number}")
}

/// Whom workload `number` calls: address, port, and what the edge is to be called. The hub has all addresses but those of
/// workloads.
fn calls(number: usize) -> Vec<(String, u16, &'static str, String)> {
    let workload = |to: usize| (own_address(to % WORKLOADS).0, 8080, "workload", name(to % WORKLOADS));
    let service = number % 10;
    let fixed = |address: &str, port, kind, name: &str| (address.to_owned(), port, kind, name.to_owned());
    let last = match number % 6 {
        0 => fixed("192.168.50.2", 7001, "node", "other-node"),
        1 => fixed("192.168.50.3", 6443, "apiserver", "kubernetes"),
        2 => fixed("169.254.169.254", 80, "metadata", ""),
        3 => fixed("198.51.100.9", 7001, "cidr", "partner"),
        4 if number % 12 == 4 => fixed("203.0.113.10", 7001, "dns", NAME),
        4 => fixed("203.0.113.9", 7001, "world", ""),
        _ => fixed("10.96.0.99", 53, "kubedns", "kube-dns"),
    };
    let to_service = (format!("10.96.0.{}", service + 1), 7001, "service", format!("service-{service}"));
    vec![workload(number + 1), workload(number + 7), to_service, last]
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn prove() -> anyhow::Result<bool> {
    let scratch = tempfile::tempdir()?;
    let caller = caller(scratch.path());
    let root = owner_root().context("no cgroup version 2 tree")?;
    let folder = Folder::make(&root, "proof-peers");
    let network = Network::make("peers", WORKLOADS);
    let server = ApiServer::start()?;
    tell(&server);
    let (pods, peers) = know(&server, scratch.path())?;
    let lifetime = Lifetime::start(&host(), &Options { pods: pods.clone(), ..Options::default() })?;
    let tcp = Tcp::start(&host(), lifetime.books(), &tcp::Options::default())?;
    tcp.name_peers(&peers, PEERS_PER_WORKLOAD);
    let _hub = serve_hub(&caller, &folder, &network)?;
    let mut serving = Vec::new();
    for number in 0..WORKLOADS {
        let own = folder.0.join(format!("kubepods/burstable/pod{}/c{number}", pod_uid(number)));
        fs::create_dir_all(&own)?;
        serving.push(Server::start(&caller, &own, &network.file(&number.to_string()), 8080, 1));
    }
    let mut expected: BTreeSet<Edge> = BTreeSet::new();
    for number in 0..WORKLOADS {
        let own = folder.0.join(format!("kubepods/burstable/pod{}/c{number}", pod_uid(number)));
        for (address, port, kind, called) in calls(number) {
            if kind == "dns" {
                let answer: Ipv4Addr = address.parse()?;
                NAMES.told(CgroupId(fs::metadata(&own)?.ino()), NAME, &[answer.to_ipv6_mapped()], 300, lifetime_now());
            }
            connect(&own, &network.file(&number.to_string()), &address, port)?;
            expected.insert((name(number), kind.to_owned(), called, port));
        }
    }
    let deadline = Instant::now() + Duration::from_secs(40);
    let (found, wrong, series) = loop {
        lifetime.read(|_| ())?;
        let seen = tcp.read_named(|named| look(named, &expected))?.context("nothing is named")?;
        if seen.0 == expected.len() || Instant::now() > deadline {
            break seen;
        }
        std::thread::sleep(Duration::from_millis(300));
    };
    // Both directions of each workload, seven families and at most six reasons.
    let bound = WORKLOADS * 2 * (PEERS_PER_WORKLOAD + 1) * 13;
    println!(
        "{WORKLOADS} workloads, {} edges: found {found}, wrong {}; {series} series of at most {bound}; lost {:?}",
        expected.len(),
        wrong.len(),
        tcp.lost()
    );
    for wrong in wrong.iter().take(10) {
        println!("  {wrong}");
    }
    Ok(found == 120 && expected.len() == 120 && wrong.is_empty() && series <= bound)
}

/// The monotonic clock, in ns.
fn lifetime_now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// What of the graph is there, what else, and how many series that is.
fn look(named: &Named, expected: &BTreeSet<Edge>) -> (usize, Vec<String>, usize) {
    let (mut found, mut wrong, mut series) = (0, Vec::new(), 0);
    for (key, lines) in named.workloads() {
        for (line, account) in lines {
            series += 7 + account.sums.failed.iter().filter(|count| **count > 0).count();
            if line.inbound {
                let caller_is_known = line.who.kind == "workload" && line.port == 8080;
                if key.kind == "Deployment" && !caller_is_known {
                    wrong.push(format!("{} was called by {} {}", key.name, line.who.kind, line.who.name));
                }
                continue;
            }
            let edge = (key.name.to_string(), line.who.kind.to_owned(), line.who.name.to_string(), line.port);
            if !expected.contains(&edge) {
                wrong.push(format!("{edge:?} is no edge"));
            } else if account.sums.opened == TIMES {
                found += 1;
            }
        }
    }
    (found, wrong, series)
}

/// Half of the pods have their addresses from the API server, as pods of this node; all others are told as the cluster's.
fn tell(server: &ApiServer) {
    let mut lines = vec![r#"{"peers":1,"whole":true}"#.to_owned()];
    for number in 0..WORKLOADS {
        let (uid, name, address) = (pod_uid(number), name(number), own_address(number).0);
        let own = if number % 2 == 0 { format!(r#","podIP":"{address}""#) } else { String::new() };
        let owner = format!(
            r#"{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"{name}-5d8c","uid":"o","controller":true}}"#
        );
        let pod = format!(
            r#"{{"kind":"Pod","metadata":{{"name":"{name}-5d8c-x","namespace":"shop","uid":"{uid}","resourceVersion":"0","labels":{{"pod-template-hash":"5d8c"}},"ownerReferences":[{owner}]}},"spec":{{"containers":[{{"name":"main"}}]}},"status":{{"phase":"Running"{own}}}}}"#
        );
        server.put("/api/v1/pods", &uid, &pod);
        if number % 2 == 1 {
            lines.push(format!(
                r#"{{"set":"pod","id":"{uid}","namespace":"shop","name":"{name}-5d8c-x","workload_kind":"Deployment","workload":"{name}","addresses":["{address}"]}}"#
            ));
        }
    }
    for number in 0..10 {
        lines.push(format!(
            r#"{{"set":"service","id":"s{number}","namespace":"shop","name":"service-{number}","addresses":["10.96.0.{}"]}}"#,
            number + 1
        ));
    }
    for line in [
        r#"{"set":"service","id":"dns","namespace":"kube-system","name":"kube-dns","role":"dns","addresses":["10.96.0.99"]}"#,
        r#"{"set":"node","id":"n2","name":"other-node","addresses":["192.168.50.2"]}"#,
        r#"{"set":"node","id":"n3","name":"first-node","addresses":["192.168.50.3"]}"#,
        r#"{"set":"apiserver","id":"default/kubernetes","addresses":["192.168.50.3"],"ports":[6443]}"#,
    ] {
        lines.push(line.to_owned());
    }
    let records = lines.len() - 1;
    lines.push(format!(r#"{{"end":{{"token":"a-1","records":{records}}}}}"#));
    server.answer("/peers", &(lines.join("\n") + "\n"));
}

fn know(server: &ApiServer, folder: &std::path::Path) -> anyhow::Result<(Pods, Peers)> {
    let kubeconfig = folder.join("kubeconfig");
    let url = server.url();
    fs::write(
        &kubeconfig,
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
             clusters: [{{name: a, cluster: {{server: \"{url}\"}}}}]\nusers: [{{name: a, user: {{token: t}}}}]\n"
        ),
    )?;
    let pods = Pods::default();
    let node = "node-1".to_owned();
    pods.set_up(&config::Kubernetes { kubeconfig, node, ..config::Kubernetes::default() });
    let peers = Peers::new(&pods);
    let networks = vec!["partner=198.51.100.0/24".to_owned()];
    peers.set_up(&config::Peers { url: vec![url], networks, ..config::Peers::default() }, "node-1");
    let told = || pods.figures().pods == WORKLOADS && peers.figures().records > WORKLOADS / 2;
    wait_for(Duration::from_secs(20), || told().then_some(())).context("the server told nothing")?;
    Ok((pods, peers))
}

/// Everything that is no workload answers in the hub.
fn serve_hub(caller: &std::path::Path, folder: &Folder, network: &Network) -> anyhow::Result<Vec<Server>> {
    let hub = network.file("hub");
    let space = hub.rsplit('/').next().unwrap_or_default().to_owned();
    let mut addresses: Vec<String> = (1..=10).map(|number| format!("10.96.0.{number}")).collect();
    let others = [
        "10.96.0.99",
        "192.168.50.2",
        "192.168.50.3",
        "169.254.169.254",
        "198.51.100.9",
        "203.0.113.9",
        "203.0.113.10",
    ];
    addresses.extend(others.map(str::to_owned));
    for address in addresses {
        let done =
            Command::new("ip").args(["-n", &space, "addr", "add", &format!("{address}/32"), "dev", "br0"]).status()?;
        anyhow::ensure!(done.success(), "cannot give the hub {address}");
    }
    let mut serving = Vec::new();
    for port in [7001, 6443, 80, 53] {
        let own = folder.0.join(format!("hub-{port}"));
        fs::create_dir(&own)?;
        serving.push(Server::start(caller, &own, &hub, port, 1));
    }
    Ok(serving)
}

/// Has a process of that cgroup and namespace connect, and close again.
fn connect(cgroup: &std::path::Path, space: &str, address: &str, port: u16) -> anyhow::Result<()> {
    let procs = cgroup.join("cgroup.procs");
    let script = format!(
        "echo $$ > {}; for n in $(seq {TIMES}); do exec 3<>/dev/tcp/{address}/{port} || exit 1; exec 3>&-; done",
        procs.display()
    );
    let done = Command::new("nsenter").args([&format!("--net={space}"), "bash", "-c", &script]).status()?;
    anyhow::ensure!(done.success(), "no connection from {} to {address}:{port}", cgroup.display());
    Ok(())
}
