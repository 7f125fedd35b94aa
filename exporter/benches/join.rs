//! What the join with Kubernetes costs: a scrape with and without it, memory a pod, requests and bytes at the start.
//! `make bench` runs it.
//!
//! A server on the loopback device has a thousand pods as large as real ones (8 kB); of those fifty have three
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
    ids::PodUid,
    scrape::Engine,
    spec::{Context, Spec, View},
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROOT: &str = "yagura-bench-join";
/// Three engines keep the files of all of them open, and 20,000 are a usual limit.
const PODS: usize = 50;
const PER_POD: usize = 3;
const ROUNDS: u32 = 60;

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
    let access = |server: &ApiServer, name: &str| {
        let kubeconfig = folder.path().join(name);
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
             clusters: [{{name: a, cluster: {{server: \"{}\"}}}}]\nusers: [{{name: a, user: {{token: t}}}}]\n",
            server.url()
        );
        std::fs::write(&kubeconfig, text).unwrap();
        Kubernetes { kubeconfig, node: name.to_owned(), ..Kubernetes::default() }
    };
    let know = |count: usize| {
        let server = ApiServer::start().unwrap();
        for number in 0..count {
            server.put("/api/v1/pods", &pod_uid(number), &pod(number));
        }
        let pods = Pods::default();
        pods.set_up(&access(&server, &format!("node-{count}")));
        let known =
            || pods.figures().pods == count && pods.with_pod(PodUid(&pod_uid(0)), |pod| pod.is_sure) == Some(true);
        wait_for(Duration::from_mins(1), || known().then_some(())).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        (pods, server)
    };
    let nobody = ApiServer::start().unwrap();
    let of_nobody = access(&nobody, "nobody");
    // What is given back when they are forgotten, since the server is in this process too and keeps what it was asked.
    let held_by = |count: usize| {
        let (pods, _server) = know(count);
        // Nobody asks any more, so that no answer's buffer is counted.
        pods.set_up(&Kubernetes::default());
        std::thread::sleep(Duration::from_secs(1));
        let before = held();
        pods.set_up(&of_nobody);
        before.saturating_sub(held())
    };
    let (few, many) = (held_by(100), held_by(1000));
    println!("memory: {} bytes a pod with {PER_POD} containers", many.saturating_sub(few) / 900);
    let (pods, _server) = know(1000);
    let [requests, _, bytes] = pods.figures().load[0].1;
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
    // Both are told names by bundles, as a runtime writes them; one knows what Kubernetes says too.
    let root = tempfile::tempdir().unwrap();
    for pod in 0..PODS {
        for index in 0..PER_POD {
            let id = container_id(pod, index);
            let folder = root.path().join("run/containerd/io.containerd.runtime.v2.task/k8s.io").join(id);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("config.json"), bundle(pod, index)).unwrap();
        }
    }
    let host = Host::open("/proc".as_ref(), "/sys".as_ref(), "/sys/fs/cgroup".as_ref(), root.path());
    let host = Arc::new(host.unwrap());
    let layout = Arc::new(Layout::find(&host, &mut Reader::default()).unwrap());
    let with = |pods: &Pods, capacity: bool| {
        let (peers, config) = (Peers::new(pods), Arc::new(Config::default()));
        let context = Context { pods: pods.clone(), peers, ..Context::alone(Arc::clone(&host), config) };
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
            // In turns: who follows another finds its files in the caches, or not.
            for turn in 0..engines.len() {
                let turn = (turn + round as usize) % engines.len();
                let (Some(engine), Some(spent)) = (engines.get_mut(turn), spent.get_mut(turn)) else { continue };
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

/// What containerd says of a container in its bundle.
fn bundle(pod: usize, index: usize) -> String {
    format!(
        r#"{{"annotations":{{"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.container-name":"part-{index}","io.kubernetes.cri.image-name":"registry.example/shop/part-{index}:1.2.3","io.kubernetes.cri.sandbox-name":"web-{}-5d8c-{pod:05}","io.kubernetes.cri.sandbox-namespace":"shop-{}"}}}}"#,
        pod / 5,
        pod % 7
    )
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
