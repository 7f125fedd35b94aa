//! The command line: every flag of kube-state-metrics under its name, read into a checked [`Config`].
//!
//! A word about flags with one dash: klog's `-v` is the only one that has a short form.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::Parser;
use daemon::{Limits, LogArgs, LogFormat, WebArgs, WebConfigFile};
use jiff::tz::TimeZone;
use kubernetes::Access;

use crate::{
    custom,
    select::{AllowLists, BadSelection, Families, Selection, Selectors, comma_list},
    shard::{NoSuchShard, Shard},
    workloads,
};

pub mod file;

/// The flags as given.
#[derive(Clone, Debug, Parser)]
#[command(name = "yagura-kube-state", version, about = "Shows the state of a cluster's objects as metrics.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of upstream's")]
pub struct Flags {
    /// Address of the API server, in place of the kubeconfig's.
    #[arg(long, default_value = "")]
    pub apiserver: String,
    /// Only let requests through that the API server allows.
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true")]
    pub auth_filter: bool,
    /// Accepted for compatibility: there is no collector to set a memory limit for.
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true")]
    pub auto_gomemlimit: bool,
    /// Accepted for compatibility.
    #[arg(long, default_value_t = 0.9)]
    pub auto_gomemlimit_ratio: f64,
    /// Configuration file, in YAML; its values go before flags. Read again when it changes.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Start even when the configuration file is missing.
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true")]
    pub continue_without_config: bool,
    /// Start even when the file for custom resources is missing.
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true")]
    pub continue_without_custom_resource_state_config_file: bool,
    /// What to show of custom resources, as YAML; see docs/custom-resources.md. Goes before the file.
    #[arg(long, default_value = "")]
    pub custom_resource_state_config: String,
    /// File that says what to show of custom resources. Read again when it changes.
    #[arg(long)]
    pub custom_resource_state_config_file: Option<PathBuf>,
    /// Custom resources only: no kind that Kubernetes has itself.
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true")]
    pub custom_resource_state_only: bool,
    /// Compress answers with gzip for clients that take it.
    #[arg(long, num_args = 0..=1, default_value_t = true, default_missing_value = "true")]
    pub enable_gzip_encoding: bool,
    /// Address that metrics are served at.
    #[arg(long, default_value = "::")]
    pub host: IpAddr,
    /// Kubeconfig file, for use outside of a cluster.
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,
    /// Families to show: patterns, comma separated. Not together with the denylist.
    #[arg(long)]
    pub metric_allowlist: Vec<String>,
    /// Annotations to show: kind=[key,...],...
    #[arg(long, default_value = "")]
    pub metric_annotations_allowlist: String,
    /// Families not to show: patterns, comma separated.
    #[arg(long)]
    pub metric_denylist: Vec<String>,
    /// Labels to show: kind=[key,...],...
    #[arg(long, default_value = "")]
    pub metric_labels_allowlist: String,
    /// Families to show that are not shown by default: patterns, comma separated.
    #[arg(long)]
    pub metric_opt_in_list: Vec<String>,
    /// Namespaces to watch; all when not given.
    #[arg(long)]
    pub namespaces: Vec<String>,
    /// Namespaces not to watch.
    #[arg(long)]
    pub namespaces_denylist: Vec<String>,
    /// Only pods of this node.
    #[arg(long, default_value = "")]
    pub node: String,
    /// The most objects to list of a kind; 0 is no limit.
    #[arg(long, default_value_t = 0)]
    pub object_limit: u64,
    /// Name of this process' pod, for finding its shard.
    #[arg(long, default_value = "")]
    pub pod: String,
    /// Namespace of this process' pod.
    #[arg(long, default_value = "")]
    pub pod_namespace: String,
    /// Port that metrics are served at.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Kinds to show, by plural name, comma separated.
    #[arg(long)]
    pub resources: Vec<String>,
    /// How long a connection may be idle.
    #[arg(long, default_value = "5m", value_parser = duration)]
    pub server_idle_timeout: Duration,
    /// How long the head of a request may take.
    #[arg(long, default_value = "5s", value_parser = duration)]
    pub server_read_header_timeout: Duration,
    /// How long a request may take.
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub server_read_timeout: Duration,
    /// How long an answer may take.
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub server_write_timeout: Duration,
    /// Number of this shard, from 0.
    #[arg(long, default_value_t = 0)]
    pub shard: u32,
    /// Address that metrics about this process are served at.
    #[arg(long, default_value = "::")]
    pub telemetry_host: IpAddr,
    /// Port that metrics about this process are served at.
    #[arg(long, default_value_t = 8081)]
    pub telemetry_port: u16,
    /// Web configuration file: TLS and passwords.
    #[arg(long)]
    pub tls_config: Option<PathBuf>,
    /// How many shards there are.
    #[arg(long, default_value_t = 1)]
    pub total_shards: u32,
    /// Only pods without a node.
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true")]
    pub track_unscheduled_pods: bool,
    /// Take lists from the API server's cache, which may be behind.
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true")]
    pub use_apiserver_cache: bool,
    /// Only objects of a kind with these labels: kind=selector; `*` stands for every kind without one of its own. May
    /// be given several times.
    #[arg(long, help_heading = "Ours")]
    pub label_selector: Vec<String>,
    /// Only namespaces with these labels, as they come and go. Not together with --namespaces.
    #[arg(long, default_value = "", help_heading = "Ours")]
    pub namespace_selector: String,
    /// Only objects of a kind with these fields: kind=selector, with the fields that the API server can select by. May
    /// be given several times.
    #[arg(long, help_heading = "Ours")]
    pub field_selector: Vec<String>,
    /// Leave out the series of states that do not hold: phases, conditions and reasons with the value 0.
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true", help_heading = "Ours")]
    pub drop_zero_states: bool,
    /// Show which workload each pod belongs to (kube_pod_workload_info): the top of its chain of owners.
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true", help_heading = "Ours")]
    pub pod_workloads: bool,
    /// Count the pods of each workload that came and went, also between scrapes (kube_workload_pods_created_total,
    /// kube_workload_pods_deleted_total, kube_pod_lifetime_seconds).
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true", help_heading = "Ours")]
    pub pod_lifetimes: bool,
    /// Show whom workloads belong to (kube_workload_owner_info): label=key of one of their labels, or
    /// label=annotation:key, comma separated.
    #[arg(long, help_heading = "Ours")]
    pub workload_owner: Vec<String>,
    /// Further kinds that own pods or what owns them: TaskRun=taskruns.v1.tekton.dev, comma separated.
    #[arg(long, help_heading = "Ours")]
    pub workload_kinds: Vec<String>,
    /// Count what the pods of each workload have asked for over time: CPU-seconds and byte-seconds of their requests
    /// (kube_workload_requested_cpu_seconds_total, kube_workload_requested_memory_byte_seconds_total).
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true", help_heading = "Ours")]
    pub workload_requests: bool,
    /// Serve /peers: the addresses of pods, services and nodes with the names behind them, for agents.
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true", help_heading = "Ours")]
    pub peers: bool,
    /// Check the configuration and exit: 0 valid, 2 not.
    #[arg(long = "config.check", help_heading = "Ours")]
    pub check_only: bool,
    /// Print the ClusterRole that this configuration needs, as YAML, and exit.
    #[arg(long, help_heading = "Ours")]
    pub print_rbac: bool,
    /// Print every family that can be served, as JSON, and exit.
    #[arg(long, help_heading = "Ours")]
    pub print_catalog: bool,
    /// How a log line looks: logfmt or json.
    #[arg(long = "log.format", default_value = "logfmt", value_parser = ["logfmt", "json"], help_heading = "Ours")]
    pub log_format: String,
    /// Least severe level that is logged: error, warn, info, debug, trace. By default -v says it.
    #[arg(long = "log.level", default_value = "", help_heading = "Ours")]
    pub log_level: String,
    /// Write the pages that are made from the code into this folder, and exit.
    #[arg(long = "docs.write", hide = true)]
    pub write_docs: Option<PathBuf>,
    /// Compare the pages that are made from the code with those in this folder, and exit.
    #[arg(long = "docs.check", hide = true)]
    pub check_docs: Option<PathBuf>,
    /// What prints and exits.
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    klog: Klog,
}

/// What prints and exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum Command {
    /// Print the version.
    Version,
    /// Print what completes the flags in a shell.
    Completion {
        /// The shell that shall complete them.
        shell: clap_complete::Shell,
    },
}

/// Flags of upstream's logger. All are taken; `-v` makes our own log more talkative.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Taken for compatibility")]
struct Klog {
    #[arg(short = 'v', long = "v", default_value_t = 0)]
    verbosity: u8,
    #[arg(long, hide = true)]
    vmodule: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    logtostderr: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    alsologtostderr: Option<String>,
    #[arg(long, hide = true)]
    alsologtostderrthreshold: Option<String>,
    #[arg(long = "legacy_stderr_threshold_behavior", hide = true, num_args = 0..=1, default_missing_value = "true")]
    legacy_stderr_threshold_behavior: Option<String>,
    #[arg(long, hide = true)]
    stderrthreshold: Option<String>,
    #[arg(long = "log_dir", hide = true)]
    log_dir: Option<String>,
    #[arg(long = "log_file", hide = true)]
    log_file: Option<String>,
    #[arg(long = "log_file_max_size", hide = true)]
    log_file_max_size: Option<String>,
    #[arg(long = "log_backtrace_at", hide = true)]
    log_backtrace_at: Option<String>,
    #[arg(long = "one_output", hide = true, num_args = 0..=1, default_missing_value = "true")]
    one_output: Option<String>,
    #[arg(long = "skip_headers", hide = true, num_args = 0..=1, default_missing_value = "true")]
    skip_headers: Option<String>,
    #[arg(long = "skip_log_headers", hide = true, num_args = 0..=1, default_missing_value = "true")]
    skip_log_headers: Option<String>,
    #[arg(long = "add_dir_header", hide = true, num_args = 0..=1, default_missing_value = "true")]
    add_dir_header: Option<String>,
}

/// Go's notation: `1m30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let nanos = crate::cron::duration_nanos(text).and_then(|nanos| u64::try_from(nanos).ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| "write it as 30s, 5m or 1m30s".to_owned())
}

/// What the flags say, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Kinds, families, labels.
    pub selection: Selection,
    /// Whose objects.
    pub shard: Shard,
    /// Which pods, where not all.
    pub pods: Pods,
    /// Only these namespaces; all when empty, unless a selector says which.
    pub namespaces: Vec<String>,
    /// Only namespaces with these labels.
    pub namespace_selector: Option<String>,
    /// Not these namespaces.
    pub without_namespaces: Vec<String>,
    /// Only objects with these labels.
    pub label_selectors: Selectors,
    /// Only objects with these fields.
    pub field_selectors: Selectors,
    /// What is asked for about workloads.
    pub workloads: workloads::Config,
    /// The way to the API server.
    pub access: Access,
    /// The most objects that a list takes.
    pub object_limit: Option<u64>,
    /// Whether lists may be of what the server has at hand.
    pub from_cache: bool,
    /// This process' pod, when its shard is to be found: namespace and name.
    pub pod: Option<(String, String)>,
}

/// Which pods are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pods {
    /// All.
    All,
    /// Those of a node.
    OfNode(String),
    /// Those that have no node yet.
    WithoutNode,
}

impl Pods {
    /// The field selector that asks for them.
    pub fn field_selector(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::OfNode(node) => Some(format!("spec.nodeName={node}")),
            Self::WithoutNode => Some("spec.nodeName=".to_owned()),
        }
    }
}

/// What is wrong with flags and configuration file.
#[derive(Debug, thiserror::Error)]
pub enum BadFlags {
    /// The configuration file.
    #[error(transparent)]
    File(#[from] daemon::ConfigError),
    /// A value.
    #[error(transparent)]
    Value(#[from] daemon::Invalid),
    /// Workloads.
    #[error(transparent)]
    Workloads(#[from] workloads::BadConfig),
    /// The configuration of custom resources.
    #[error(transparent)]
    Custom(#[from] custom::BadConfig),
    /// See inside.
    #[error("--{flag}")]
    Selection {
        /// Its flag.
        flag: &'static str,
        /// What is wrong with it.
        source: BadSelection,
    },
    /// See inside.
    #[error("--shard, --total-shards")]
    Shard(#[from] NoSuchShard),
    /// A node's pods and other kinds.
    #[error("--node: only pods belong to a node, but --resources names other kinds too")]
    NodeWithOtherKinds,
    /// Two ways to say which namespaces.
    #[error("--namespaces, --namespace-selector: only one of them can say which namespaces are watched")]
    NamesAndSelector,
    /// A ratio that is none.
    #[error("--auto-gomemlimit-ratio: {0} is not above 0 and at most 1")]
    MemoryRatio(f64),
}

impl Flags {
    /// How talkative the log is, in upstream's numbers.
    pub fn verbosity(&self) -> u8 {
        self.klog.verbosity
    }

    /// Where it is said what to show of custom resources.
    pub fn custom(&self) -> custom::Source {
        let (inline, file) = (&self.custom_resource_state_config, &self.custom_resource_state_config_file);
        let may_be_missing = self.continue_without_custom_resource_state_config_file;
        custom::Source::new(Some(inline), file.as_deref(), may_be_missing)
    }

    /// What is logged, and how.
    pub fn log(&self) -> LogArgs {
        let level = match (self.log_level.as_str(), self.verbosity()) {
            ("", 0..4) => "info",
            ("", 4..8) => "debug",
            ("", _) => "trace",
            (level, _) => level,
        };
        let format = if self.log_format == "json" { LogFormat::Json } else { LogFormat::Logfmt };
        LogArgs { format, level: level.to_owned() }
    }

    /// How the page of objects is reached.
    pub fn web(&self) -> WebArgs {
        self.web_at(self.host, self.port)
    }

    /// How the page about this process is reached.
    pub fn telemetry_web(&self) -> WebArgs {
        self.web_at(self.telemetry_host, self.telemetry_port)
    }

    fn web_at(&self, host: IpAddr, port: u16) -> WebArgs {
        // All addresses of IPv6 are those of IPv4 too, where there is no IPv6.
        let everywhere = host == IpAddr::from(Ipv6Addr::UNSPECIFIED);
        let address = if everywhere { format!(":{port}") } else { SocketAddr::new(host, port).to_string() };
        let config = WebConfigFile { file: self.tls_config.clone() };
        // As many as ask are answered: a page is a copy of what is there already.
        WebArgs { listen_address: vec![address], config, max_requests: 256, ..WebArgs::default() }
    }

    /// Times of the server of objects.
    pub fn limits(&self) -> Limits {
        Limits {
            headers: self.server_read_header_timeout,
            idle: self.server_idle_timeout,
            write: self.server_write_timeout,
            ..Limits::default()
        }
    }

    /// Checks the flags against each other, and builds what they name.
    pub fn check(&self) -> Result<Config, BadFlags> {
        let at = |flag| move |source| BadFlags::Selection { flag, source };
        if !(self.auto_gomemlimit_ratio > 0.0 && self.auto_gomemlimit_ratio <= 1.0) {
            return Err(BadFlags::MemoryRatio(self.auto_gomemlimit_ratio));
        }
        self.web().check()?;
        self.telemetry_web().check()?;
        self.log().check()?;
        let kinds = split(&self.resources);
        if !self.node.is_empty() && kinds.iter().any(|kind| kind != "pods") {
            return Err(BadFlags::NodeWithOtherKinds);
        }
        if !self.namespace_selector.is_empty() && !split(&self.namespaces).is_empty() {
            return Err(BadFlags::NamesAndSelector);
        }
        let families = Families::new(&split(&self.metric_allowlist), &split(&self.metric_denylist));
        let labels = AllowLists::parse(&self.metric_labels_allowlist).map_err(at("metric-labels-allowlist"))?;
        let annotations = AllowLists::parse(&self.metric_annotations_allowlist);
        let mut selection = Selection::default()
            .with_families(families.map_err(at("metric-allowlist, --metric-denylist"))?)
            .with_opt_in(&split(&self.metric_opt_in_list))
            .map_err(at("metric-opt-in-list"))?
            .with_lists(labels, annotations.map_err(at("metric-annotations-allowlist"))?)
            .with_local_zone(TimeZone::system())
            .without_zeros(self.drop_zero_states);
        if self.custom_resource_state_only {
            selection = selection.with_kinds::<&str>([]).map_err(at("resources"))?;
        } else if !kinds.is_empty() {
            selection = selection.with_kinds(&kinds).map_err(at("resources"))?;
        }
        let (owners, extra_kinds) = (split(&self.workload_owner), split(&self.workload_kinds));
        let workloads = workloads::Config::new(self.pod_workloads, self.pod_lifetimes, &owners, &extra_kinds)?;
        let workloads = workloads::Config { requests: self.workload_requests, peers: self.peers, ..workloads };
        if workloads.needs_pods() && selection.kinds().all(|resource| resource.about().plural != "pods") {
            return Err(workloads::BadConfig::NoPods.into());
        }
        Ok(Config {
            workloads,
            selection,
            shard: Shard::new(self.shard, self.total_shards)?,
            pods: match (self.track_unscheduled_pods, self.node.as_str()) {
                (true, _) => Pods::WithoutNode,
                (false, "") => Pods::All,
                (false, node) => Pods::OfNode(node.to_owned()),
            },
            namespaces: split(&self.namespaces),
            namespace_selector: Some(self.namespace_selector.clone()).filter(|selector| !selector.is_empty()),
            label_selectors: Selectors::parse(&self.label_selector).map_err(at("label-selector"))?,
            field_selectors: Selectors::parse(&self.field_selector).map_err(at("field-selector"))?,
            without_namespaces: split(&self.namespaces_denylist),
            access: Access::api_server(
                self.kubeconfig.clone(),
                Some(self.apiserver.clone()).filter(|address| !address.is_empty()),
            ),
            object_limit: Some(self.object_limit).filter(|limit| *limit > 0),
            from_cache: self.use_apiserver_cache,
            pod: (!self.pod.is_empty() && !self.pod_namespace.is_empty())
                .then(|| (self.pod_namespace.clone(), self.pod.clone())),
        })
    }
}

fn split(lists: &[String]) -> Vec<String> {
    lists.iter().flat_map(|list| comma_list(list)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(args: &[&str]) -> Flags {
        Flags::try_parse_from(std::iter::once(&"x").chain(args)).unwrap()
    }

    #[test]
    fn nothing_given_is_the_default_selection() {
        let config = flags(&[]).check().unwrap();
        assert_eq!(config.selection.kinds().count(), 32);
        assert_eq!((config.shard, config.pods), (Shard::WHOLE, Pods::All));
    }

    #[test]
    fn lists_add_up_and_are_split_at_commas() {
        let config = flags(&["--resources=pods, nodes", "--resources", "jobs", "--namespaces=a,b"]).check().unwrap();
        assert_eq!(config.selection.kinds().count(), 3);
        assert_eq!(config.namespaces, ["a", "b"]);
    }

    #[test]
    fn upstreams_command_lines_are_taken() {
        let args = [
            "--port=8080",
            "--telemetry-port=8081",
            "--host=127.0.0.1",
            "-v=2",
            "--logtostderr=true",
            "--skip_headers",
            "--enable-gzip-encoding=false",
            "--use-apiserver-cache",
            "--pod=ks-1",
            "--pod-namespace=monitoring",
            "--shard=1",
            "--total-shards=3",
            "--server-read-timeout=1m30s",
            "--metric-labels-allowlist=pods=[*]",
            "--auto-gomemlimit",
            "--auto-gomemlimit-ratio=0.8",
            "--metric-denylist=^kube_secret,_labels$",
        ];
        let flags = flags(&args);
        let config = flags.check().unwrap();
        assert_eq!(flags.verbosity(), 2);
        assert_eq!(flags.server_read_timeout, Duration::from_secs(90));
        assert!(!flags.enable_gzip_encoding && flags.use_apiserver_cache);
        assert_eq!((config.shard.ordinal(), config.shard.total()), (1, 3));
    }

    #[test]
    fn a_node_has_nothing_but_pods() {
        let config = flags(&["--resources=pods", "--node=a"]).check().unwrap();
        assert_eq!(config.pods.field_selector().unwrap(), "spec.nodeName=a");
        assert!(matches!(flags(&["--resources=pods,jobs", "--node=a"]).check(), Err(BadFlags::NodeWithOtherKinds)));
        let config = flags(&["--resources=pods", "--node=a", "--track-unscheduled-pods"]).check().unwrap();
        assert_eq!(config.pods.field_selector().unwrap(), "spec.nodeName=");
    }

    #[test]
    fn mistakes_name_their_flag() {
        for (args, message) in [
            (&["--resources=pod"][..], "--resources"),
            (&["--shard=3", "--total-shards=3"], "--shard, --total-shards"),
            (&["--metric-allowlist=a", "--metric-denylist=b"], "--metric-allowlist, --metric-denylist"),
            (&["--metric-labels-allowlist=pods"], "--metric-labels-allowlist"),
            (&["--metric-opt-in-list=("], "--metric-opt-in-list"),
        ] {
            assert_eq!(flags(args).check().unwrap_err().to_string(), message);
        }
    }
}
