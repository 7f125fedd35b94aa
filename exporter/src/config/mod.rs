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
    /// HTTP server.
    pub web: WebArgs,
    /// Logs.
    pub log: LogArgs,
    /// Mount points of the machine's file systems, as seen from the agent.
    pub path: Paths,
    /// Collectors.
    pub collector: Collectors,
    /// The cAdvisor view.
    pub cadvisor: Cadvisor,
    /// eBPF programs.
    pub probe: Probes,
    /// Event records.
    pub events: Events,
    /// The cluster that this machine is a node of.
    pub kubernetes: Kubernetes,
    /// Peers of connections.
    pub peers: Peers,
    /// Prices of resources.
    pub prices: Prices,
    /// Limits on samples.
    pub series: Series,
    /// File descriptors.
    pub files: Files,
    /// Capabilities of the agent.
    pub privilege: Privilege,
}

/// Mount points of the machine's file systems, as seen from the agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Paths {
    /// procfs of the machine.
    pub procfs: PathBuf,
    /// sysfs of the machine.
    pub sysfs: PathBuf,
    /// cgroup hierarchies of the host: a version 2 tree, or a folder with one folder per version 1 hierarchy.
    pub cgroupfs: PathBuf,
    /// Root file system of the host, for OCI bundles and mount points.
    pub rootfs: PathBuf,
    /// Additional folders of the host that hold one folder per container with its OCI bundle (`config.json`,
    /// `userdata/config.json`) or Docker's record (`config.v2.json`). The folders of running containerd, CRI-O, Podman and
    /// Docker and the usual ones of distributions are found without it.
    pub bundles: Vec<PathBuf>,
    /// udev's data about block devices. Empty: `run/udev/data` below rootfs.
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
            bundles: Vec::new(),
            udev_data: PathBuf::new(),
        }
    }
}

/// Collectors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Collectors {
    /// Collectors to enable besides the default ones. `--collector.NAME` adds one.
    pub enable: Vec<String>,
    /// Collectors to disable. `--no-collector.NAME` adds one.
    pub disable: Vec<String>,
    /// Disable all collectors that `enable` does not name.
    pub disable_defaults: bool,
    /// ARP tables, in the node view.
    pub arp: node::Arp,
    /// bcache, in the node view.
    pub bcache: node::Bcache,
    /// CPU time and CPU properties, in the node view.
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
    /// Options of netclass as read by netlink.
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
    /// Metrics from text files, in the node view.
    pub textfile: node::Textfile,
    /// Counters of virtual memory, in the node view.
    pub vmstat: node::Vmstat,
}

/// The cAdvisor view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cadvisor {
    /// Cgroups with rows in the cAdvisor view. `kubelet`: those of a kubelet's page, which are the machine, `kubepods`, the
    /// kubelet's own service and what is below them. `containers`: the machine and containers. `all`: every cgroup, as
    /// cAdvisor on its own. `auto`: as `kubelet` where `kubepods` exists, else as `all`.
    pub cgroups: CgroupRows,
    /// What counters of containers show in the cAdvisor view. `moment`: what the kernel's files say at the scrape, as
    /// cAdvisor does; a container that came and went between two scrapes has none. `over-time`: what adds up. A container
    /// that was made since a scraper's last scrape is first shown to it with zeros, then as it is, and the counters of one
    /// that is gone stay for twenty scrapes, so that `increase()` and `rate()` over a while are what was used.
    pub counters: Counters,
}

/// What counters of containers show in the cAdvisor view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Counters {
    /// What the kernel says at the scrape.
    #[default]
    Moment,
    /// What adds up from scrape to scrape.
    OverTime,
}

/// Cgroups with rows in the cAdvisor view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CgroupRows {
    /// As a kubelet where there is one, else all.
    #[default]
    Auto,
    /// Those of a kubelet's page.
    Kubelet,
    /// The machine and containers.
    Containers,
    /// All.
    All,
}

/// eBPF programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Probes {
    /// Load no eBPF programs: every collector based on one is off.
    pub disable: bool,
    /// Folder on a BPF file system, created if missing. The programs of lifetime, oom and exec stay loaded there when
    /// the agent ends, and the next agent continues their counts. Empty: they end with the agent. To end programs that
    /// are left, remove the folder.
    pub pin: PathBuf,
    /// Folder for the books, which the next agent reads. Used only with `pin`. Useless after a reboot, so it should be on
    /// a file system in memory.
    pub books: PathBuf,
}

impl Default for Probes {
    fn default() -> Self {
        Self { disable: false, pin: PathBuf::new(), books: "/run/yagura-exporter".into() }
    }
}

impl Probes {
    /// Whether programs stay loaded when the agent ends.
    pub fn is_pinned(&self) -> bool {
        !self.pin.as_os_str().is_empty()
    }
}

/// Records of single events. All options take effect at the next start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// File for one line of JSON per TCP connection that ended or failed to open; appended to. `-` is the standard output.
    /// Empty: off, and no records are made.
    #[schemars(extend("format" = "output-file", "x-restart" = true))]
    pub flows: PathBuf,
    /// Record one connection in N, picked at random. Each record has N as `sampled`.
    #[schemars(range(min = 1, max = 1_000_000), extend("x-restart" = true))]
    pub flows_sample: u32,
    /// File for one line of JSON per program that is started; appended to. `-` is the standard output. A line has the
    /// file and the thread's name, no arguments. Empty: off, and no records are made.
    #[schemars(extend("format" = "output-file", "x-restart" = true))]
    pub starts: PathBuf,
}

impl Default for Events {
    fn default() -> Self {
        Self { flows: PathBuf::new(), flows_sample: 1, starts: PathBuf::new() }
    }
}

/// The cluster that this machine is a node of. Owners of its pods come from the API server or the kubelet. In a pod with
/// a service account, the API server needs no option but the node's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kubernetes {
    /// Send no requests to Kubernetes: names of pods come from OCI bundles only.
    pub disable: bool,
    /// Name of this machine's Node object. In a pod, set it from `spec.nodeName`.
    #[schemars(extend("x-env" = "NODE_NAME", "format" = "hostname"))]
    pub node: String,
    /// Kubeconfig for an agent outside a pod. Empty: the pod's service account, if there is one.
    #[schemars(extend("format" = "file"))]
    pub kubeconfig: PathBuf,
    /// The node's kubelet.
    pub kubelet: Kubelet,
    /// Additional kinds that own pods or their owners: `TaskRun=taskruns.v1.tekton.dev`. A pod whose chain of owners
    /// reaches any other kind has that object as its workload.
    pub workload_kinds: Vec<String>,
    /// Labels and annotations of pods to add to `pod_workload_info`: `team=example.org/team`,
    /// `pager=annotation:example.org/pager`.
    pub pod_labels: Vec<String>,
    /// Labels and annotations for `workload_owner_info`, in the form of `pod_labels`. Each value comes from the
    /// workload, else its pods, else its namespace.
    pub owner_labels: Vec<String>,
}

/// The node's kubelet, as a source of pods: always if no API server is configured, else while it is unreachable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kubelet {
    /// Address of the kubelet, such as `https://127.0.0.1:10250`; used while the API server is unreachable or none is
    /// given. Empty: never used.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
    /// Do not verify the kubelet's certificate. Kubelets use self-signed certificates by default.
    pub insecure: bool,
}

/// Peers of connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Peers {
    /// Addresses of yagura-kube-state, such as `http://yagura-kube-state:8080`; with shards, name each shard. Empty:
    /// peers that are neither on this node nor looked up by name are shown as node, cidr, private or world.
    #[schemars(extend("format" = "uri"))]
    pub url: Vec<String>,
    /// CA certificates for the server. Empty: the system's.
    #[schemars(extend("format" = "file"))]
    pub ca_file: PathBuf,
    /// File with a bearer token for the server.
    #[schemars(extend("format" = "file"))]
    pub token_file: PathBuf,
    /// Do not verify the server's certificate.
    pub insecure: bool,
    /// Named networks: `office=192.0.2.0/24`. An address gets the name of the smallest network that contains it.
    pub networks: Vec<String>,
    /// Maximum of peers per workload and direction. Further peers are counted as `other`.
    #[schemars(range(min = 0, max = 100_000))]
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

/// Prices of resources, for `workload_cost_total`. Without a price there are no costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// Currency of the prices, such as EUR.
    pub currency: String,
    /// Price of a CPU for an hour.
    #[schemars(range(min = 0.0, max = 1e9))]
    pub cpu_hour: f64,
    /// Price of a GiB of memory for an hour.
    #[schemars(range(min = 0.0, max = 1e9))]
    pub memory_gib_hour: f64,
}

/// Limits on samples. Samples over a limit are dropped and counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Series {
    /// Maximum of samples per family; further ones are dropped and counted.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub per_family: usize,
    /// Maximum of samples per page; further ones are dropped and counted.
    #[schemars(range(min = 1, max = 100_000_000))]
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
    /// Maximum of kernel files kept open between scrapes; never more than three quarters of the process's limit.
    /// Reading a file that is not kept costs about five times as much.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub kept: usize,
}

impl Default for Files {
    fn default() -> Self {
        Self { kept: 50_000 }
    }
}

/// Capabilities of the agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Privilege {
    /// Keep all capabilities that the process was started with. Without it, capabilities that no collector needs are
    /// dropped at the start, so a reloaded configuration cannot enable eBPF programs if none was enabled before.
    #[schemars(extend("x-restart" = true))]
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
