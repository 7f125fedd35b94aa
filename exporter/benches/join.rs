//! What the join with Kubernetes costs: a scrape with and without it, memory a pod, requests and bytes at the start.
//! `make bench` runs it.
//!
//! A server on the loopback device has a thousand pods as large as real ones (8 kB); of those a hundred have three
//! containers each on this machine, real cgroups with a process.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark may end with a panic")]

use std::{
    alloc::System,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use kernfs::{Budget, Host, Reader};
use metric::Batch;
use rustix::time::{ClockId, clock_gettime};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use testkit::{ApiServer, Cgroup, Child, Limits, container_id, pod_path, pod_uid, wait_for};
use yagura_exporter::{
    collectors,
    config::{Config, Kubernetes},
    identity::{Layout, Peers, Pods, Tree},
    scrape::Engine,
    spec::{Context, Spec, View},
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROOT: &str = "yagura-bench-join";
const PODS: usize = 100;
const PER_POD: usize = 3;
const ROUNDS: u32 = 40;

fn main() {
    // `cargo test` runs benches once without arguments; only `cargo bench` asks for figures.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    if !testkit::is_root() {
        testkit::skipped("making cgroups needs root");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let know = |count: usize| {
        let server = ApiServer::start().unwrap();
        for number in 0..count {
            server.put("/api/v1/pods", &pod_uid(number), &pod(number));
        }
        let kubeconfig = folder.path().join("kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
             clusters: [{{name: a, cluster: {{server: \"{}\"}}}}]\nusers: [{{name: a, user: {{token: t}}}}]\n",
            server.url()
        );
        std::fs::write(&kubeconfig, text).unwrap();
        let before = held();
        let pods = Pods::default();
        pods.set_up(&Kubernetes { kubeconfig, node: "node-1".into(), ..Kubernetes::default() });
        let known = || pods.figures().pods == count && pods.with_pod(&pod_uid(0), |pod| pod.is_sure) == Some(true);
        wait_for(Duration::from_mins(1), || known().then_some(())).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        (held().saturating_sub(before), pods, server)
    };
    let (few, ..) = know(100);
    let (many, pods, _server) = know(1000);
    let [requests, _, bytes] = pods.figures().load[0].1;
    println!("memory: {} bytes a pod with {PER_POD} containers", (many.saturating_sub(few)) / 900);
    println!("at the start, 1,000 pods: {requests} requests, {} kB, {} bytes a pod", bytes / 1000, bytes / 1000);
    scrapes(&pods);
}

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

/// Scrapes with and without, in turn, so that both see the same machine.
fn scrapes(pods: &Pods) {
    let (mut cgroups, mut processes) = (Vec::new(), Vec::new());
    for pod in 0..PODS {
        for index in 0..PER_POD {
            let cgroup = Cgroup::make(&pod_path(ROOT, pod, index), Limits::default()).unwrap();
            let process = Child::quiet(Command::new("sleep").arg("100000")).unwrap();
            cgroup.add(process.id()).unwrap();
            cgroups.push(cgroup);
            processes.push(process);
        }
    }
    let host = Host::open("/proc".as_ref(), "/sys".as_ref(), "/sys/fs/cgroup".as_ref(), "/".as_ref());
    let host = Arc::new(host.unwrap());
    let layout = Arc::new(Layout::find(&host, &mut Reader::default()).unwrap());
    let with = |pods: &Pods, capacity: bool| {
        let (peers, config) = (Peers::new(pods), Arc::new(Config::default()));
        let context = Context { host: Arc::clone(&host), config, pods: pods.clone(), peers };
        let tree = Tree::new(Arc::clone(&host), Arc::clone(&layout), Budget::new(100_000)).unwrap().with_pods(pods);
        let wanted = |spec: &Spec| spec.default_on && (capacity || spec.name != "workload_capacity");
        Engine::new(collectors::ALL, wanted, &context, tree)
    };
    println!("\nscrapes of {} containers, mean CPU time of {ROUNDS}", PODS * PER_POD);
    for (view, name) in [(View::Own, "/metrics"), (View::Cadvisor, "/metrics/cadvisor")] {
        let nothing = Pods::default();
        let mut engines = [with(&nothing, false), with(pods, false), with(pods, true)];
        let mut spent = [Duration::ZERO; 3];
        let mut batch = Batch::default();
        for round in 0..ROUNDS + 3 {
            for (engine, spent) in engines.iter_mut().zip(&mut spent) {
                let started = thread_cpu();
                engine.scrape(view, Instant::now() + Duration::from_mins(1), |_| true, &mut batch);
                if round >= 3 {
                    *spent += thread_cpu().saturating_sub(started);
                }
            }
        }
        let [without, join, capacity] = spent.map(|spent| spent.as_secs_f64() * 1e3 / f64::from(ROUNDS));
        println!(
            "{name:<18} without {without:.2} ms, with {join:.2} ms ({:+.1} %), with workload_capacity {capacity:.2} ms \
             ({:+.1} %)",
            (join / without - 1.0) * 100.0,
            (capacity / without - 1.0) * 100.0
        );
    }
    processes.clear();
    drop(cgroups);
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// A pod as large as real ones are, most of which is of no interest.
fn pod(number: usize) -> String {
    let uid = pod_uid(number);
    let owner =
        format!(r#"{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-{}-5d8c","controller":true}}"#, number / 5);
    let containers: Vec<String> = (0..PER_POD)
        .map(|index| {
            format!(
                r#"{{"name":"part-{index}","image":"registry.example/shop/part-{index}:1.2.3","resources":{{"requests":{{"cpu":"100m","memory":"64Mi"}},"limits":{{"memory":"128Mi"}}}},"env":[{{"name":"A","value":"{}"}}]}}"#,
                "x".repeat(300)
            )
        })
        .collect();
    let statuses: Vec<String> = (0..PER_POD)
        .map(|index| {
            let id = container_id(number, index);
            format!(r#"{{"name":"part-{index}","image":"registry.example/shop/part-{index}:1.2.3","containerID":"containerd://{id}","ready":true}}"#)
        })
        .collect();
    format!(
        r#"{{"kind":"Pod","metadata":{{"name":"web-{}-5d8c-{number:05}","namespace":"shop-{}","uid":"{uid}","resourceVersion":"0","labels":{{"app":"web","pod-template-hash":"5d8c"}},"ownerReferences":[{owner}],"managedFields":[{{"manager":"m","fieldsV1":{{"a":"{}"}}}}]}},"spec":{{"containers":[{}]}},"status":{{"phase":"Running","podIP":"10.1.{}.{}","podIPs":[{{"ip":"10.1.{}.{}"}}],"containerStatuses":[{}]}}}}"#,
        number / 5,
        number % 7,
        "y".repeat(4500),
        containers.join(","),
        number / 250,
        number % 250,
        number / 250,
        number % 250,
        statuses.join(",")
    )
}
