//! Label sets of cgroups and workloads in each view.

use metric::{Label, Subject};

/// The bound of the rows of one node.
pub const CGROUPS: &str = "cgroups of the node";
/// The bound of kinds of workloads.
pub const KINDS: &str = "kinds that own pods, at most 256";
const CONTAINERS: &str = "containers and services of the node";
const WORKLOADS: &str = "workloads of the node, at most 4096";

/// The six labels of a kubelet's cAdvisor endpoint, always all of them.
#[derive(Debug)]
pub struct AsCadvisor;

impl Subject for AsCadvisor {
    const LABELS: &'static [Label] = &[
        Label::open("container", CGROUPS),
        Label::open("id", CGROUPS),
        Label::open("image", CGROUPS),
        Label::open("name", CGROUPS),
        Label::open("namespace", CGROUPS),
        Label::open("pod", CGROUPS),
    ];
}

/// Our own: a container by namespace, pod and name, and the workload that it belongs to. Outside Kubernetes namespace and
/// pod are empty, the container is called as its runtime or its cgroup is, and its workload is the cgroup above it.
#[derive(Debug)]
pub struct AsContainer;

impl Subject for AsContainer {
    const LABELS: &'static [Label] = &[
        Label::open("namespace", CONTAINERS),
        Label::open("pod", CONTAINERS),
        Label::open("container", CONTAINERS),
        Label::open("workload", WORKLOADS),
        Label::open("workload_kind", KINDS),
    ];
}

/// A workload: what containers belong to and what outlives them.
#[derive(Debug)]
pub struct AsWorkload;

impl Subject for AsWorkload {
    const LABELS: &'static [Label] =
        &[Label::open("namespace", WORKLOADS), Label::open("workload", WORKLOADS), Label::open("workload_kind", KINDS)];
}
