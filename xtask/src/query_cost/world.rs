//! A made-up cluster: the series that agents, kube-state and kubelets would serve of it, with the labels that the
//! catalogues of both programs declare. Values are plausible and no more; what a query costs is decided by how many series
//! and samples it reads, and by which labels they have.

use std::collections::BTreeSet;

use metric::{Catalog, FamilyEntry, Kind};
use tsdb::{Shape, Store};

/// How large it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) workloads: usize,
    pub(super) nodes: usize,
}

const NAMESPACES: usize = 40;
/// CPUs of a node.
const CPUS: usize = 16;
/// Whom a workload calls.
const CALLS: usize = 3;
/// `ReplicaSet`s that a Deployment keeps.
const REVISIONS: usize = 6;
/// Finished Jobs that a `CronJob` keeps.
const JOBS: usize = 4;
/// The target of kube-state; agents are numbered by their node.
const KUBE_STATE: u64 = 29_989;

/// Values of labels, in no order.
type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
struct Workload {
    number: usize,
    namespace: String,
    kind: &'static str,
    name: String,
    pods: Vec<Pod>,
}

#[derive(Debug)]
struct Pod {
    name: String,
    node: usize,
    containers: &'static [&'static str],
}

/// A made-up cluster.
#[derive(Debug)]
pub(super) struct World {
    size: Size,
    workloads: Vec<Workload>,
}

impl World {
    /// A cluster of this size: most workloads are Deployments of one to four pods, one in fifty is a `DaemonSet`.
    pub(super) fn new(size: Size) -> Self {
        let mut placed = 0;
        let workloads = (0..size.workloads).map(|number| Workload::new(number, size, &mut placed)).collect();
        Self { size, workloads }
    }

    /// What there is, in words.
    pub(super) fn about(&self) -> String {
        let pods = self.workloads.iter().flat_map(|workload| &workload.pods);
        let containers: usize = pods.clone().map(|pod| pod.containers.len()).sum();
        let Size { workloads, nodes } = self.size;
        format!("{workloads} workloads, {} pods, {containers} containers on {nodes} nodes", pods.count())
    }

    /// Adds the series of all families that somebody reads.
    pub(super) fn fill(&self, catalogs: &[Catalog], read: &BTreeSet<&str>, now_ms: i64, store: &mut Store) {
        for catalog in catalogs {
            let of_agent = catalog.program == "yagura-exporter";
            let mut seen = BTreeSet::new();
            for (_, family) in catalog.families() {
                let endings = ["", "_bucket", "_sum", "_count"].map(|end| format!("{}{end}", family.name));
                let is_read = endings.iter().any(|name| read.contains(name.as_str()));
                if !is_read || !seen.insert(&family.name) {
                    continue;
                }
                if of_agent {
                    for node in 0..self.size.nodes {
                        let job = if family.endpoint == "/metrics/node" { "node-exporter" } else { "yagura" };
                        let target = target(job, &format!("10.0.{node}.1:9955"));
                        let target = [target, vec![("node", node_name(node))]].concat();
                        series(family, self.on_node(family, node), (&target, node as u64 * 577), now_ms, store);
                    }
                } else {
                    let target = target("kube-state-metrics", "10.0.0.9:8080");
                    series(family, self.in_cluster(family), (&target, KUBE_STATE), now_ms, store);
                }
            }
        }
        self.of_others(read, store);
    }

    /// What Prometheus and kubelets say.
    fn of_others(&self, read: &BTreeSet<&str>, store: &mut Store) {
        let add = |store: &mut Store, name: &str, labels: &Labels, target, shape| {
            let labels = labels.iter().map(|(name, value)| (*name, value.as_str()));
            store.add(labels.chain([("__name__", name), ("cluster", "main")]), target, shape);
        };
        for node in 0..self.size.nodes {
            for (job, port) in [("yagura", 9955), ("cadvisor", 9955), ("node-exporter", 9955), ("kubelet", 10250)] {
                let mut labels = target(job, &format!("10.0.{node}.1:{port}"));
                labels.push(("node", node_name(node)));
                add(store, "up", &labels, node as u64 * 577, Shape::Constant(1.0));
                let samples = Shape::Gauge { middle: 9000.0, unit: 1.0 };
                add(store, "scrape_samples_scraped", &labels, node as u64 * 577, samples);
            }
        }
        let labels = target("kube-state-metrics", "10.0.0.9:8080");
        add(store, "up", &labels, KUBE_STATE, Shape::Constant(1.0));
        for claim in self.claims() {
            let labels = [target("kubelet", &format!("10.0.{}.1:10250", claim.node)), claim.labels()].concat();
            for name in read.iter().filter(|name| name.starts_with("kubelet_volume_stats_")) {
                let share = if name.contains("capacity") || name.ends_with("inodes") { 1.0 } else { 0.5 };
                let shape = Shape::Gauge { middle: 1e11 * share, unit: 4096.0 };
                add(store, name, &labels, claim.node as u64 * 577, shape);
            }
        }
        for workload in self.workloads.iter().step_by(50) {
            let labels = vec![
                ("alertname", "WorkloadCrashLooping".to_owned()),
                ("alertstate", "firing".to_owned()),
                ("severity", "warning".to_owned()),
                ("source", "yagura".to_owned()),
                ("area", "workloads".to_owned()),
            ];
            let labels = [labels, workload.labels()].concat();
            add(store, "ALERTS", &labels, KUBE_STATE, Shape::Constant(1.0));
            add(store, "ALERTS_FOR_STATE", &labels, KUBE_STATE, Shape::Constant(1.7e9));
        }
    }

    /// Whose series a family of an agent has.
    fn on_node(&self, family: &FamilyEntry, node: usize) -> Vec<Labels> {
        let has = |name: &str| family.labels.iter().any(|label| label.name == name);
        let here = || self.workloads.iter().filter(move |workload| workload.pods.iter().any(|pod| pod.node == node));
        let pods = || here().flat_map(move |workload| workload.pods.iter().map(move |pod| (workload, pod)));
        let pods = || pods().filter(move |(_, pod)| pod.node == node);
        if has("peer_kind") {
            return here().flat_map(|workload| self.peers(workload, family)).collect();
        }
        if has("source") {
            let edges = here().flat_map(|workload| self.calls(workload).map(move |called| (workload, called)));
            let edge = |(from, to): (&Workload, &Workload)| {
                let [source, target] = [from, to].map(Workload::spot);
                vec![("id", format!("{source} → {target}")), ("source", source), ("target", target)]
            };
            return edges.map(edge).collect();
        }
        if has("subtitle") {
            let node = |workload: &Workload| {
                let title = ("title", workload.name.clone());
                vec![
                    ("id", workload.spot()),
                    title,
                    ("subtitle", workload.namespace.clone()),
                    ("kind", "workload".into()),
                ]
            };
            return here().map(node).collect();
        }
        if has("container") {
            let of = |(workload, pod): (&Workload, &Pod)| {
                let labels = [workload.labels(), vec![("pod", pod.name.clone())]].concat();
                let with = |name: &&str| [labels.clone(), vec![("container", (*name).to_owned())]].concat();
                pod.containers.iter().map(with).collect::<Vec<Labels>>()
            };
            return pods().flat_map(of).collect();
        }
        if has("pod") {
            return pods()
                .map(|(workload, pod)| [workload.labels(), vec![("pod", pod.name.clone())]].concat())
                .collect();
        }
        if has("workload") {
            return here().map(Workload::labels).collect();
        }
        if has("namespace") {
            let of = |workload: &Workload| (workload.namespace.clone(), workload.kind);
            let all: BTreeSet<_> = here().map(of).collect();
            return all
                .into_iter()
                .map(|(a, kind)| vec![("namespace", a), ("workload_kind", kind.to_owned())])
                .collect();
        }
        vec![Vec::new()]
    }

    /// Peers of a workload: whom it calls, and who calls it.
    fn peers(&self, workload: &Workload, family: &FamilyEntry) -> Vec<Labels> {
        let calls = self.calls(workload).map(|peer| ("outbound", peer));
        let served =
            (1..=CALLS).map(|step| ("inbound", self.at(workload.number + step * 37 * (self.workloads.len() - 1))));
        // Reasons are there for peers that failed.
        let fails = family.labels.iter().any(|label| label.name == "reason");
        let row = |(direction, peer): (&str, &Workload)| {
            [
                workload.labels(),
                vec![
                    ("direction", direction.to_owned()),
                    ("peer_kind", "workload".to_owned()),
                    ("peer_namespace", peer.namespace.clone()),
                    ("peer_workload", peer.name.clone()),
                    ("port", "8080".to_owned()),
                ],
            ]
            .concat()
        };
        let row = |peer| [row(peer), if fails { vec![("reason", "refused".to_owned())] } else { Vec::new() }].concat();
        calls.chain(served).filter(|_| !fails || workload.number.is_multiple_of(20)).map(row).collect()
    }

    fn calls(&self, workload: &Workload) -> impl Iterator<Item = &Workload> {
        let number = workload.number;
        (1..=CALLS).map(move |step| self.at(number + step * 37))
    }

    #[expect(clippy::indexing_slicing, reason = "there is a workload, and the number is below theirs")]
    fn at(&self, number: usize) -> &Workload {
        &self.workloads[number % self.workloads.len()]
    }

    /// Whose series a family of kube-state has.
    fn in_cluster(&self, family: &FamilyEntry) -> Vec<Labels> {
        let has = |name: &str| family.labels.iter().any(|label| label.name == name);
        let name = family.name.as_str();
        let of_kind = |kind: &'static str, label: &'static str| -> Vec<Labels> {
            let row =
                |workload: &Workload| vec![("namespace", workload.namespace.clone()), (label, workload.name.clone())];
            self.workloads.iter().filter(|workload| workload.kind == kind).map(row).collect()
        };
        let every = |number: usize| self.workloads.iter().step_by(number);
        let in_namespace = |workload: &Workload| ("namespace", workload.namespace.clone());
        for (kind, label) in [
            ("Deployment", "deployment"),
            ("StatefulSet", "statefulset"),
            ("DaemonSet", "daemonset"),
            ("CronJob", "cronjob"),
        ] {
            if has(label) {
                return of_kind(kind, label);
            }
        }
        if has("job_name") || has("replicaset") {
            let (kind, label, count) =
                if has("job_name") { ("CronJob", "job_name", JOBS) } else { ("Deployment", "replicaset", REVISIONS) };
            let of = self.workloads.iter().filter(|workload| workload.kind == kind);
            let row = |(workload, at): (&Workload, usize)| {
                let owner = [("owner_kind", kind.to_owned()), ("owner_name", workload.name.clone())];
                [vec![in_namespace(workload), (label, workload.generation(at))], owner.to_vec()].concat()
            };
            return of.flat_map(|workload| (0..count).map(move |at| (workload, at))).map(row).collect();
        }
        for (label, number) in [("horizontalpodautoscaler", 10), ("poddisruptionbudget", 4)] {
            if has(label) {
                let target = |workload: &Workload| {
                    [("scaletargetref_kind", workload.kind.to_owned()), ("scaletargetref_name", workload.name.clone())]
                };
                let row = |workload: &Workload| {
                    [vec![in_namespace(workload), (label, workload.name.clone())], target(workload).to_vec()].concat()
                };
                return every(number).map(row).collect();
            }
        }
        if has("resourcequota") {
            let resources = ["requests.cpu", "requests.memory", "limits.memory", "pods"];
            let row = |at: usize, resource: &str, kind: &str| {
                let of = [("resourcequota", "compute".to_owned()), ("resource", resource.to_owned())];
                [vec![("namespace", namespace(at)), ("type", kind.to_owned())], of.to_vec()].concat()
            };
            let all = (0..NAMESPACES).flat_map(|at| resources.map(|resource| (at, resource)));
            return all.flat_map(|(at, resource)| ["used", "hard"].map(|kind| row(at, resource, kind))).collect();
        }
        if has("pod") {
            return self.pods(family);
        }
        if has("persistentvolumeclaim") || has("persistentvolume") || has("volumeattachment") {
            return self.claims().iter().map(Claim::all_labels).collect();
        }
        if has("workload") {
            return self.workloads.iter().map(Workload::labels).collect();
        }
        if name == "kube_node_spec_taint" || name == "kube_node_deletion_timestamp" {
            return every(self.workloads.len()).map(|_| vec![("node", node_name(0))]).collect();
        }
        if has("node") {
            return (0..self.size.nodes).map(|node| vec![("node", node_name(node))]).collect();
        }
        if has("namespace") {
            return (0..NAMESPACES).map(|at| vec![("namespace", namespace(at))]).collect();
        }
        vec![Vec::new()]
    }

    /// Pods, or their containers, of a family of kube-state. What is there only while something is wrong is there for
    /// one in a hundred.
    fn pods(&self, family: &FamilyEntry) -> Vec<Labels> {
        let has = |name: &str| family.labels.iter().any(|label| label.name == name);
        let rare = ["waiting_reason", "deletion_timestamp", "unschedulable", "terminated_reason"];
        let is_rare = rare.iter().any(|part| family.name.contains(part));
        let (mut rows, mut number) = (Vec::new(), 0_usize);
        for workload in &self.workloads {
            for pod in &workload.pods {
                number += 1;
                let has_claim = workload.kind == "StatefulSet";
                if (is_rare && number % 100 != 0) || (has("persistentvolumeclaim") && !has_claim) {
                    continue;
                }
                let (kind, name) = match workload.kind {
                    "Deployment" => ("ReplicaSet", workload.generation(0)),
                    "CronJob" => ("Job", workload.generation(0)),
                    kind => (kind, workload.name.clone()),
                };
                let labels: Labels = [
                    workload.labels(),
                    vec![
                        ("pod", pod.name.clone()),
                        ("uid", format!("{number:08x}-7d1c-4e6b-9c3f-{number:012x}")),
                        ("node", node_name(pod.node)),
                        ("owner_kind", kind.to_owned()),
                        ("owner_name", name.clone()),
                        ("created_by_kind", kind.to_owned()),
                        ("created_by_name", name),
                        ("volume", "data".to_owned()),
                        ("persistentvolumeclaim", format!("data-{}", pod.name)),
                    ],
                ]
                .concat();
                if has("container") {
                    let with = |name: &&str| [labels.clone(), vec![("container", (*name).to_owned())]].concat();
                    rows.extend(pod.containers.iter().map(with));
                } else {
                    rows.push(labels);
                }
            }
        }
        rows
    }

    fn claims(&self) -> Vec<Claim> {
        let sets = self.workloads.iter().filter(|workload| workload.kind == "StatefulSet");
        let claim = |(workload, pod): (&Workload, &Pod)| Claim {
            namespace: workload.namespace.clone(),
            name: format!("data-{}", pod.name),
            node: pod.node,
        };
        sets.flat_map(|workload| workload.pods.iter().map(move |pod| (workload, pod))).map(claim).collect()
    }
}

#[derive(Debug)]
struct Claim {
    namespace: String,
    name: String,
    node: usize,
}

impl Claim {
    fn labels(&self) -> Labels {
        vec![("namespace", self.namespace.clone()), ("persistentvolumeclaim", self.name.clone())]
    }

    fn all_labels(&self) -> Labels {
        let volume = format!("pv-{}-{}", self.namespace, self.name);
        let of_volume = [
            ("persistentvolume", volume.clone()),
            ("volumename", volume.clone()),
            ("volumeattachment", format!("csi-{volume}")),
            ("node", node_name(self.node)),
            ("storageclass", "fast".to_owned()),
        ];
        [self.labels(), of_volume.to_vec()].concat()
    }
}

impl Workload {
    fn new(number: usize, size: Size, placed: &mut usize) -> Self {
        let (kind, word, count) = match number % 100 {
            0 | 50 => ("DaemonSet", "daemon", size.nodes),
            1..=8 => ("StatefulSet", "set", 3),
            9..=13 => ("CronJob", "cron", 1),
            at => ("Deployment", "service", 1 + at % 4),
        };
        let name = format!("{word}-{number}");
        let namespace = namespace(number);
        let pod = |at: usize| {
            *placed += 1;
            let name = match kind {
                "StatefulSet" => format!("{name}-{at}"),
                "DaemonSet" => format!("{name}-{}", letters(number * 1000 + at)),
                _ => format!("{name}-{}-{}", letters(number), letters(number * 1000 + at)),
            };
            let node = if kind == "DaemonSet" { at } else { *placed * 7 % size.nodes };
            Pod { name, node, containers: if number.is_multiple_of(8) { &["app", "proxy"] } else { &["app"] } }
        };
        let pods = (0..count).map(pod).collect();
        Self { number, namespace, kind, name, pods }
    }

    fn labels(&self) -> Labels {
        vec![
            ("namespace", self.namespace.clone()),
            ("workload", self.name.clone()),
            ("workload_kind", self.kind.to_owned()),
        ]
    }

    /// How edges name it.
    fn spot(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.kind, self.name)
    }

    /// A `ReplicaSet` or Job of it.
    fn generation(&self, at: usize) -> String {
        format!("{}-{}", self.name, letters(self.number + 7919 * at))
    }
}

/// The series of a family: every subject with all values of the labels that it does not name itself.
fn series(family: &FamilyEntry, subjects: Vec<Labels>, target: (&Labels, u64), now_ms: i64, store: &mut Store) {
    let pages = if family.kind == Kind::Histogram { &["_bucket", "_sum", "_count"][..] } else { &[""] };
    let mut rows = Vec::with_capacity(subjects.len());
    let has = |name: &str| family.labels.iter().any(|label| label.name == name) || name == "team";
    let owned = family.name.ends_with("workload_owner_info");
    for mut subject in subjects {
        subject.retain(|(name, _)| has(name));
        if owned {
            let team = subject.iter().find(|(name, _)| *name == "namespace").map(|(_, namespace)| namespace.clone());
            subject.push(("team", team.unwrap_or_default()));
        }
        let mut expanded: Vec<Vec<(&str, String)>> = vec![subject];
        for label in &family.labels {
            if expanded.iter().any(|row| row.iter().any(|(name, _)| *name == label.name)) {
                continue;
            }
            let values = values(family, &label.name, label.values.as_deref());
            let mut all = Vec::with_capacity(expanded.len() * values.len());
            for row in &expanded {
                all.extend(values.iter().map(|value| [&row[..], &[(label.name.as_str(), value.clone())]].concat()));
            }
            expanded = all;
        }
        rows.extend(expanded);
    }
    for row in rows {
        let shape = shape(family, &row, now_ms);
        for page in pages {
            let bounds: &[&str] = if *page == "_bucket" { BOUNDS } else { &[""] };
            for (bound, part) in bounds.iter().zip(1_u32..) {
                let share = if *page == "_bucket" { f64::from(part) / BOUNDS.len() as f64 } else { 1.0 };
                let shape = match (shape, *page) {
                    (Shape::Counter { per_second, .. }, "_bucket" | "_count") => {
                        Shape::Counter { per_second: per_second * share, unit: 1.0 }
                    }
                    (shape, _) => shape,
                };
                let name = format!("{}{page}", family.name);
                let own = row.iter().chain(target.0).map(|(name, value)| (*name, value.as_str()));
                // A label of the page goes before the target's, as with honor_labels.
                let mut labels: Vec<(&str, &str)> = Vec::with_capacity(row.len() + 6);
                for (name, value) in own.chain([("__name__", name.as_str()), ("cluster", "main"), ("le", *bound)]) {
                    if !labels.iter().any(|(there, _)| *there == name) {
                        labels.push((name, value));
                    }
                }
                store.add(labels, target.1, shape);
            }
        }
    }
}

/// As many bounds as the agent's histograms have.
const BOUNDS: &[&str] = &[
    "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0",
    "2.5", "5.0", "10.0", "30.0", "+Inf",
];

/// Values of a label that a subject does not name.
fn values(family: &FamilyEntry, label: &str, fixed: Option<&[String]>) -> Vec<String> {
    let numbered = |prefix: &str, count: usize| (0..count).map(|at| format!("{prefix}{at}")).collect();
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let name = family.name.as_str();
    match label {
        "cpu" => numbered("", CPUS),
        "device" if name.starts_with("node_network") => [words(&["eth0", "cni0", "lo"]), numbered("veth", 64)].concat(),
        "device" if name.starts_with("node_disk") => words(&["nvme0n1", "nvme1n1", "dm-0"]),
        "mountpoint" => words(&["/", "/boot", "/run", "/var/lib/kubelet", "/var/lib/containerd", "/tmp"]),
        "collector" => numbered("collector_", 60),
        "feature" => numbered("feature_", 8),
        "program" if name.starts_with("yagura_probe") => numbered("program_", 4),
        "handler" | "page" => words(&["/metrics", "/metrics/cadvisor", "/metrics/node"]),
        "view" | "format" | "network" => words(&["metrics"]),
        "phase" if name == "pod_workload_info" => words(&["Running"]),
        "kind" if name.starts_with("yagura_kube_state") => numbered("Kind", 33),
        "resource" if name.starts_with("kube_") => words(&["cpu", "memory", "pods"]),
        "reason" if name.contains("dropped_packets") => words(&["netfilter_drop", "tcp_csum"]),
        "code" | "type" => words(&["a", "b", "c", "d"]),
        "phase" if name.starts_with("kube_pod") => words(&["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
        "phase" if name.starts_with("kube_") => words(&["Bound", "Active", "Failed"]),
        "condition" if name == "kube_node_status_condition" => {
            words(&["Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"])
        }
        "condition" if name.contains("pod_status") => words(&["true", "false", "unknown"]),
        "condition" => words(&["Available", "Progressing"]),
        "status" => words(&["true", "false", "unknown"]),
        "name" => numbered("unit-", 40),
        _ => fixed.map_or_else(|| words(&["x"]), <[String]>::to_vec),
    }
}

/// What samples look like: healthy for the most part.
fn shape(family: &FamilyEntry, labels: &[(&str, String)], now_ms: i64) -> Shape {
    let name = family.name.as_str();
    let label = |name: &str| labels.iter().find(|(there, _)| *there == name).map(|(_, value)| value.as_str());
    let number = labels
        .iter()
        .flat_map(|(_, value)| value.bytes())
        .fold(17_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let share = f64::from(number % 997) / 997.0;
    let bad = ["fail", "drop", "error", "timeout", "oom", "lost", "retrans", "turned_away", "evicted", "late"];
    let is_bad = bad.iter().any(|part| name.contains(part));
    let counter = |per_second: f64| {
        let unit = if name.contains("seconds") {
            1e-6
        } else if name.contains("bytes") {
            512.0
        } else {
            1.0
        };
        Shape::Counter { per_second, unit }
    };
    if matches!(family.kind, Kind::Counter | Kind::Histogram) {
        return match () {
            () if is_bad && number % 20 != 0 => Shape::Constant(0.0),
            () if is_bad => counter(0.01),
            () if name.contains("bytes") => counter(1e6 * share),
            () if name.contains("seconds_total") => counter(0.5 * share),
            () => counter(20.0 * share),
        };
    }
    if let Some(phase) = label("phase") {
        return Shape::Constant(f64::from(u8::from(["Running", "Bound", "Active"].contains(&phase))));
    }
    if let Some(status) = label("status") {
        let good = matches!(label("condition"), Some("Ready" | "Available" | "Progressing"));
        return Shape::Constant(f64::from(u8::from(status == if good { "true" } else { "false" })));
    }
    match () {
        () if label("condition") == Some("false") => Shape::Constant(0.0),
        () if label("state").is_some() => Shape::Constant(0.0),
        () if is_bad || name.contains("unavailable") || name.contains("paused") || name.contains("suspend") => {
            Shape::Constant(0.0)
        }
        () if name.contains("time") || name.contains("created") => Shape::Constant((now_ms / 1000 - 3600) as f64),
        () if name.contains("bytes") => Shape::Gauge { middle: 1e6 + 1e9 * share, unit: 4096.0 },
        () if name.contains("limit") || name.starts_with("kube_") || name.ends_with("info") => Shape::Constant(1.0),
        () => Shape::Gauge { middle: 1.0 + 20.0 * share, unit: 0.01 },
    }
}

fn target(job: &str, instance: &str) -> Labels {
    vec![("job", job.to_owned()), ("instance", instance.to_owned())]
}

fn namespace(number: usize) -> String {
    format!("team-{}", number % NAMESPACES)
}

fn node_name(number: usize) -> String {
    format!("node-{number:03}")
}

/// Five letters, as names of pods end with.
fn letters(number: usize) -> String {
    let mut rest = number.wrapping_mul(2_654_435_761);
    let mut next = || {
        rest /= 20;
        char::from(b"bcdfghjklmnpqrstvwxz".get(rest % 20).copied().unwrap_or(b'x'))
    };
    (0..5).map(|_| next()).collect()
}
