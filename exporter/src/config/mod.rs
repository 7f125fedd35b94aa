//! Every option, with its default and unit. The command line, the reference page and the schema are made from these
//! structs.

use std::path::PathBuf;

use daemon::{LogArgs, WebArgs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub mod node;

/// The agent's configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the agent is reached.
    pub web: WebArgs,
    /// What is logged.
    pub log: LogArgs,
    /// Where the machine's file systems are mounted, seen from the agent.
    pub path: Paths,
    /// What is measured.
    pub collector: Collectors,
    /// eBPF programs.
    pub probe: Probes,
    /// Records of single events.
    pub events: Events,
    /// The cluster that this machine is a node of.
    pub kubernetes: Kubernetes,
    /// Whom connections lead to.
    pub peers: Peers,
    /// What resources cost.
    pub prices: Prices,
    /// How many samples a page may have.
    pub series: Series,
    /// File descriptors.
    pub files: Files,
    /// What the agent may do.
    pub privilege: Privilege,
}

/// Where the machine's file systems are mounted, seen from the agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Paths {
    /// procfs of the machine.
    pub procfs: PathBuf,
    /// sysfs of the machine.
    pub sysfs: PathBuf,
    /// The machine's cgroup hierarchies: a version 2 tree, or a folder with one folder a version 1 hierarchy.
    pub cgroupfs: PathBuf,
    /// Root file system of the machine, for bundles of container runtimes and for mount points.
    pub rootfs: PathBuf,
    /// What udev keeps of block devices. Empty: `run/udev/data` below `rootfs`.
    #[schemars(extend("x-flag" = "path.udev.data"))]
    pub udev_data: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            procfs: "/proc".into(),
            sysfs: "/sys".into(),
            cgroupfs: "/sys/fs/cgroup".into(),
            rootfs: "/".into(),
            udev_data: PathBuf::new(),
        }
    }
}

/// What is measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Collectors {
    /// Collectors to switch on besides those that are on by default. `--collector.NAME` adds one.
    pub enable: Vec<String>,
    /// Collectors to switch off. `--no-collector.NAME` adds one.
    pub disable: Vec<String>,
    /// Switch off all that are not named in `enable`.
    pub disable_defaults: bool,
    /// ARP tables, in the node view.
    pub arp: node::Arp,
    /// bcache, in the node view.
    pub bcache: node::Bcache,
    /// Time of CPUs, and what they are, in the node view.
    pub cpu: node::Cpu,
    /// I/O of block devices, in the node view.
    pub diskstats: node::Diskstats,
    /// Space on mounted file systems, in the node view.
    pub filesystem: node::Filesystem,
    /// Sensors, in the node view.
    pub hwmon: node::Hwmon,
    /// InfiniBand and `RoCE` ports, in the node view.
    pub infiniband: node::Infiniband,
    /// Interrupts by CPU, in the node view.
    pub interrupts: node::Interrupts,
    /// The kernel's load balancer, in the node view.
    pub ipvs: node::Ipvs,
    /// Properties of network devices, in the node view.
    pub netclass: node::Netclass,
    /// The same as netlink tells it.
    pub netclass_rtnl: node::NetclassRtnl,
    /// Traffic of network devices, in the node view.
    pub netdev: node::Netdev,
    /// Counters of network protocols, in the node view.
    pub netstat: node::Netstat,
    /// Batteries and power supplies, in the node view: options of `powersupplyclass`.
    pub powersupply: node::Powersupply,
    /// Queues of network devices, in the node view.
    pub qdisc: node::Qdisc,
    /// Energy that processors and memory have used, in the node view.
    pub rapl: node::Rapl,
    /// The agent itself, in the node view.
    pub scrape: node::Scrape,
    /// The kernel's caches of objects, in the node view.
    pub slabinfo: node::Slabinfo,
    /// Interrupts, context switches, forks, in the node view.
    pub stat: node::Stat,
    /// Units of systemd, in the node view.
    pub systemd: node::Systemd,
    /// Tape drives, in the node view.
    pub tapestats: node::Tapestats,
    /// Metrics that others leave in files, in the node view.
    pub textfile: node::Textfile,
    /// Counters of virtual memory, in the node view.
    pub vmstat: node::Vmstat,
}

/// eBPF programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Probes {
    /// Load no eBPF program: every collector that is made of one is off.
    pub disable: bool,
    /// A folder on a BPF file system, made if it is not there: the programs that count containers stay there at work
    /// when the agent ends, and the next agent goes on with their counts. Empty: they end with the agent. To end programs
    /// that were left there, remove the folder.
    pub pin: PathBuf,
    /// A folder for what the next agent must know besides. Used with `pin` only. Like that it is of no use after a boot,
    /// so it had better be on a file system in memory.
    pub books: PathBuf,
}

impl Default for Probes {
    fn default() -> Self {
        Self { disable: false, pin: PathBuf::new(), books: "/run/yagura-exporter".into() }
    }
}

impl Probes {
    /// Whether programs stay at work when the agent ends.
    pub fn is_pinned(&self) -> bool {
        !self.pin.as_os_str().is_empty()
    }
}

/// Records of single events. All options take effect at the next start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// Where to write a line of JSON for each TCP connection that ended or did not come about: a file that is appended
    /// to, or `-` for the standard output. Empty: nowhere, and no such record is made.
    pub flows: PathBuf,
    /// One of so many connections has a record, picked at random; each record says so.
    #[schemars(range(min = 1))]
    pub flows_sample: u32,
    /// Where to write a line of JSON for each program that is started: a file that is appended to, or `-` for the standard
    /// output. A line has the file and the thread's name, no arguments. Empty: nowhere, and no such record is made.
    pub starts: PathBuf,
}

impl Default for Events {
    fn default() -> Self {
        Self { flows: PathBuf::new(), flows_sample: 1, starts: PathBuf::new() }
    }
}

/// The cluster that this machine is a node of: who owns its pods, by the API server or by the kubelet. In a pod with a
/// service account the API server is asked without further options than the node's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kubernetes {
    /// Ask nobody: pods are known by what their containers' bundles say.
    pub disable: bool,
    /// Name of this machine's Node object. In a pod it is to be set from `spec.nodeName`.
    #[schemars(extend("x-env" = "NODE_NAME"))]
    pub node: String,
    /// A kubeconfig, for an agent that is no pod. Empty: the pod's service account, if there is one.
    pub kubeconfig: PathBuf,
    /// The node's kubelet.
    pub kubelet: Kubelet,
    /// Kinds that own pods or their owners, beside those of Kubernetes itself: `TaskRun=taskruns.v1.tekton.dev`. Of
    /// other kinds, what names itself as the owner is the workload.
    pub workload_kinds: Vec<String>,
    /// Labels and annotations of pods to show in `kube_pod_info`'s likeness: `team=example.org/team`,
    /// `pager=annotation:example.org/pager`.
    pub pod_labels: Vec<String>,
    /// Labels and annotations that say whom a workload belongs to, written in the same way: of the workload itself, else of
    /// its pods, else of their namespace.
    pub owner_labels: Vec<String>,
}

/// The node's kubelet, for pods: always if there is no API server to ask, else while that does not answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kubelet {
    /// Its address, such as `https://127.0.0.1:10250`. Empty: it is never asked.
    pub url: String,
    /// Take whatever certificate it shows. Kubelets sign their own unless they are told otherwise.
    pub insecure: bool,
}

/// Whom connections lead to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Peers {
    /// Where yagura-kube-state serves addresses of the cluster, such as `http://yagura-kube-state:8080`; each shard by
    /// itself. Empty: what is neither on this node nor looked up by name has a coarser name.
    pub url: Vec<String>,
    /// Certificates that sign the server's. Empty: those that the machine trusts.
    pub ca_file: PathBuf,
    /// A file with a token for the server.
    pub token_file: PathBuf,
    /// Take whatever certificate the server shows.
    pub insecure: bool,
    /// Networks to name: `office=192.0.2.0/24`. Of those that have an address the smallest counts.
    pub networks: Vec<String>,
    /// How many peers of a workload are told apart. The rest is `other`.
    pub per_workload: usize,
}

impl Default for Peers {
    fn default() -> Self {
        Self {
            url: Vec::new(),
            ca_file: PathBuf::new(),
            token_file: PathBuf::new(),
            insecure: false,
            networks: Vec::new(),
            per_workload: 50,
        }
    }
}

/// What resources cost, for `workload_cost_total`. Without a price nothing is said of costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// What the prices are in, such as `EUR`.
    pub currency: String,
    /// Price of a CPU for an hour.
    pub cpu_hour: f64,
    /// Price of a GiB of memory for an hour.
    pub memory_gib_hour: f64,
}

/// How many samples a page may have. What is over is left out and counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Series {
    /// Most samples of one family.
    pub per_family: usize,
    /// Most samples of a page.
    pub per_page: usize,
}

impl Default for Series {
    fn default() -> Self {
        Self { per_family: 200_000, per_page: 2_000_000 }
    }
}

/// File descriptors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Files {
    /// Most kernel files that stay open between scrapes. Never more than three quarters of what the process may have
    /// open; a file that is not kept costs about five times as much to read.
    pub kept: usize,
}

impl Default for Files {
    fn default() -> Self {
        Self { kept: 50_000 }
    }
}

/// What the agent may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Privilege {
    /// Keep the capabilities that the process was started with. Without this all that the collectors do not need is
    /// given up, so that a configuration that is read anew cannot switch on eBPF programs.
    pub keep_capabilities: bool,
}

impl Collectors {
    /// Whether counters of network devices are to be shown in the place of `netdev`.
    pub fn links_with_stats(&self) -> bool {
        self.netclass.netlink && self.netclass_rtnl.with_stats
    }

    /// Whether a collector of this name is to run for its own sake.
    pub fn asks_for(&self, own: &str, default_on: bool) -> bool {
        let named = |names: &[String]| names.iter().any(|name| is_called(own, name));
        !named(&self.disable) && (named(&self.enable) || (default_on && !self.disable_defaults))
    }
}

/// Whether a collector goes by this name: its own, or that of the node exporter's collector it stands for.
pub fn is_called(own: &str, name: &str) -> bool {
    own == name || own.strip_prefix("node_") == Some(name)
}
