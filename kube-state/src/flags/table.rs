//! Every flag, defined once: its field, what it is for, how it is written, its name, its default, and its keys in the
//! file. Names, defaults and meanings are kube-state-metrics'.

use std::{path::PathBuf, time::Duration};

use super::{
    flag::{Flag, Group, Value},
    subcommand::Command,
};
use crate::literal;

/// `field: Type, Group Value "name" = "default" ["key in the file", "other key"];` below the text that says what it is for.
macro_rules! flags {
    ($($(#[doc = $about:literal])+ $field:ident: $type:ty,
        $group:ident $value:ident $(($words:expr))? $name:literal = $default:literal [$($key:literal),*];)*) => {
        /// The flags as given.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Flags {
            $($(#[doc = $about])+ pub $field: $type,)*
            /// A subcommand, which prints and exits.
            pub command: Option<Command>,
        }

        const FLAGS: &[Flag<Flags>] = &[$(Flag {
            name: $name,
            keys: &[$($key),*],
            default: $default,
            about: concat!($($about),+),
            group: Group::$group,
            value: Value::$value($($words,)? |flags| &mut flags.$field),
        }),*];
    };
}

flags! {
    /// Address of the API server; overrides the kubeconfig's.
    apiserver: String, Upstream Text "apiserver" = "" ["apiserver"];
    /// Serve only requests that the API server authenticates and authorizes.
    auth_filter: bool, Upstream Switch "auth-filter" = "false" ["auth_filter"];
    /// Accepted for compatibility and ignored: this program has no garbage collector.
    auto_gomemlimit: bool, Upstream Switch "auto-gomemlimit" = "false" ["auto_gomemlimit", "auto-gomemlimit"];
    /// Accepted for compatibility.
    auto_gomemlimit_ratio: f64, Upstream Ratio "auto-gomemlimit-ratio" = "0.9" ["auto_gomemlimit_ratio", "auto-gomemlimit-ratio"];
    /// Configuration file, in YAML; its values override flags. Read again when it changes.
    config: Option<PathBuf>, Upstream Path "config" = "" [];
    /// Start even if the configuration file is missing.
    continue_without_config: bool, Upstream Switch "continue-without-config" = "false" ["continue_without_config"];
    /// Start even if the file for custom resources is missing.
    continue_without_custom_resource_state_config_file: bool, Upstream Switch "continue-without-custom-resource-state-config-file" = "false" ["continue_without_custom_resource_state_config_file"];
    /// Configuration of custom resource metrics, as YAML; see docs/custom-resources.md. Used instead of the file if
    /// both are given.
    custom_resource_state_config: String, Upstream Text "custom-resource-state-config" = "" ["custom_resource_config"];
    /// File with the configuration of custom resource metrics. Read again when it changes.
    custom_resource_state_config_file: Option<PathBuf>, Upstream Path "custom-resource-state-config-file" = "" ["custom_resource_state_config_file", "custom_resource_config_file"];
    /// Serve custom resources only, no built-in kinds.
    custom_resource_state_only: bool, Upstream Switch "custom-resource-state-only" = "false" ["custom_resources_only"];
    /// Compress responses with gzip for clients that accept it.
    enable_gzip_encoding: bool, Upstream Switch "enable-gzip-encoding" = "true" ["enable_gzip_encoding"];
    /// Address to serve metrics on.
    host: String, Upstream Text "host" = "::" ["host"];
    /// Kubeconfig file, for use outside of a cluster.
    kubeconfig: Option<PathBuf>, Upstream Path "kubeconfig" = "" ["kubeconfig"];
    /// Families to serve: patterns, comma separated. Cannot be combined with --metric-denylist.
    metric_allowlist: Vec<String>, Upstream Names "metric-allowlist" = "" ["metric_allowlist"];
    /// Annotations to serve: kind=[key,...],...
    metric_annotations_allowlist: String, Upstream Keys "metric-annotations-allowlist" = "" ["annotations_allow_list"];
    /// Families to omit: patterns, comma separated. Cannot be combined with --metric-allowlist.
    metric_denylist: Vec<String>, Upstream Names "metric-denylist" = "" ["metric_denylist"];
    /// Labels to serve: kind=[key,...],...
    metric_labels_allowlist: String, Upstream Keys "metric-labels-allowlist" = "" ["labels_allow_list"];
    /// Families to serve besides the default ones: patterns, comma separated.
    metric_opt_in_list: Vec<String>, Upstream Names "metric-opt-in-list" = "" ["metric_opt_in_list"];
    /// Namespaces to watch. Default: all.
    namespaces: Vec<String>, Upstream List "namespaces" = "" ["namespaces"];
    /// Namespaces not to watch.
    namespaces_denylist: Vec<String>, Upstream List "namespaces-denylist" = "" ["namespaces_denylist"];
    /// Serve only pods of this node.
    node: String, Upstream Text "node" = "" ["node"];
    /// Maximum of objects to list per kind; 0 is no limit.
    object_limit: u64, Upstream Limit "object-limit" = "0" ["object_limit"];
    /// Name of this process's pod; the shard is derived from it.
    pod: String, Upstream Text "pod" = "" ["pod"];
    /// Namespace of this process's pod.
    pod_namespace: String, Upstream Text "pod-namespace" = "" ["namespace"];
    /// Port to serve metrics on.
    port: u16, Upstream Port "port" = "8080" ["port"];
    /// Kinds to serve, by plural name, comma separated.
    resources: Vec<String>, Upstream Names "resources" = "" ["resources"];
    /// Maximum time that a connection is idle.
    server_idle_timeout: Duration, Upstream Time "server-idle-timeout" = "5m" ["server_idle_timeout"];
    /// Maximum time of reading the headers of a request.
    server_read_header_timeout: Duration, Upstream Time "server-read-header-timeout" = "5s" ["server_read_header_timeout"];
    /// Maximum time of reading a request.
    server_read_timeout: Duration, Upstream Time "server-read-timeout" = "60s" ["server_read_timeout"];
    /// Maximum time of writing a response.
    server_write_timeout: Duration, Upstream Time "server-write-timeout" = "60s" ["server_write_timeout"];
    /// Number of this shard, from 0.
    shard: u32, Upstream Count "shard" = "0" ["shard"];
    /// Address to serve this process's own metrics on.
    telemetry_host: String, Upstream Text "telemetry-host" = "::" ["telemetry_host"];
    /// Port to serve this process's own metrics on.
    telemetry_port: u16, Upstream Port "telemetry-port" = "8081" ["telemetry_port"];
    /// Web configuration file: TLS and authentication.
    tls_config: Option<PathBuf>, Upstream Path "tls-config" = "" ["tls_config"];
    /// Total number of shards.
    total_shards: u32, Upstream Count "total-shards" = "1" ["total_shards"];
    /// Serve only pods without a node.
    track_unscheduled_pods: bool, Upstream Switch "track-unscheduled-pods" = "false" ["track_unscheduled_pods"];
    /// List from the API server's cache, which may be stale.
    use_apiserver_cache: bool, Upstream Switch "use-apiserver-cache" = "false" ["use_api_server_cache"];
    /// Select objects of a kind by labels: kind=selector; * applies to every kind without its own selector. Can be
    /// repeated.
    label_selector: Vec<String>, Ours Selectors "label-selector" = "" ["label_selectors"];
    /// Watch only namespaces with these labels, and follow changes. Cannot be combined with --namespaces.
    namespace_selector: String, Ours Text "namespace-selector" = "" ["namespace_selector"];
    /// Select objects of a kind by fields that the API server supports: kind=selector. Can be repeated.
    field_selector: Vec<String>, Ours Selectors "field-selector" = "" ["field_selectors"];
    /// Omit series of phases, conditions and reasons whose value is 0.
    drop_zero_states: bool, Ours Switch "drop-zero-states" = "false" ["drop_zero_states"];
    /// Serve the workload of each pod, the top of its chain of owners (kube_pod_workload_info).
    pod_workloads: bool, Ours Switch "pod-workloads" = "false" ["pod_workloads"];
    /// Count created and deleted pods of each workload, also between scrapes (kube_workload_pods_created_total,
    /// kube_workload_pods_deleted_total, kube_pod_lifetime_seconds).
    pod_lifetimes: bool, Ours Switch "pod-lifetimes" = "false" ["pod_lifetimes"];
    /// Serve the owner of each workload (kube_workload_owner_info): label=key of a label, or label=annotation:key;
    /// comma separated.
    workload_owner: Vec<String>, Ours List "workload-owner" = "" ["workload_owner"];
    /// Additional kinds in chains of owners: TaskRun=taskruns.v1.tekton.dev; comma separated.
    workload_kinds: Vec<String>, Ours List "workload-kinds" = "" ["workload_kinds"];
    /// Count the requests of each workload's pods over time: CPU-seconds and byte-seconds
    /// (kube_workload_requested_cpu_seconds_total, kube_workload_requested_memory_byte_seconds_total).
    workload_requests: bool, Ours Switch "workload-requests" = "false" ["workload_requests"];
    /// Serve /peers: names and workloads of the addresses of pods, services and nodes, for agents.
    peers: bool, Ours Switch "peers" = "false" ["peers"];
    /// Check the configuration and exit: 0 valid, 2 not.
    check_only: bool, Ours Switch "config.check" = "false" [];
    /// Print the ClusterRole that this configuration needs, as YAML, and exit.
    print_rbac: bool, Ours Switch "print-rbac" = "false" [];
    /// Print every family that can be served, as JSON, and exit.
    print_catalog: bool, Ours Switch "print-catalog" = "false" [];
    /// Format of log lines: logfmt or json.
    log_format: String, Ours Word(&["logfmt", "json"]) "log.format" = "logfmt" [];
    /// Minimum level: error, warn, info, debug, trace. Default: from -v.
    log_level: String, Ours Text "log.level" = "" [];
    /// Write the pages that are made from the code into this folder, and exit.
    write_docs: Option<PathBuf>, Build Path "docs.write" = "" [];
    /// Compare the pages that are made from the code with those in this folder, and exit.
    check_docs: Option<PathBuf>, Build Path "docs.check" = "" [];
    /// Log verbosity: debug from 4, trace from 8.
    verbosity: u8, Klog Level "v" = "0" [];
}

/// Flags of upstream's logger that mean nothing here. They are accepted and ignored.
const KLOG: &[Flag<Flags>] = &[
    klog("vmodule", Value::Ignored(is_vmodule)),
    klog("logtostderr", Value::IgnoredSwitch),
    klog("alsologtostderr", Value::IgnoredSwitch),
    klog("alsologtostderrthreshold", Value::Ignored(is_severity)),
    klog("legacy_stderr_threshold_behavior", Value::IgnoredSwitch),
    klog("stderrthreshold", Value::Ignored(is_severity)),
    klog("log_dir", Value::Ignored(|_| true)),
    klog("log_file", Value::Ignored(|_| true)),
    klog("log_file_max_size", Value::Ignored(is_size)),
    klog("log_backtrace_at", Value::Ignored(is_place)),
    klog("one_output", Value::IgnoredSwitch),
    klog("skip_headers", Value::IgnoredSwitch),
    klog("skip_log_headers", Value::IgnoredSwitch),
    klog("add_dir_header", Value::IgnoredSwitch),
];

const fn klog(name: &'static str, value: Value<Flags>) -> Flag<Flags> {
    Flag { name, keys: &[], default: "", about: "Accepted for compatibility and ignored.", group: Group::Klog, value }
}

/// `INFO`, or a number.
fn is_severity(text: &str) -> bool {
    ["INFO", "WARNING", "ERROR", "FATAL"].iter().any(|name| text.eq_ignore_ascii_case(name))
        || text.parse::<i32>().is_ok()
}

/// Megabytes.
fn is_size(text: &str) -> bool {
    literal::whole(text).is_some_and(|size| size >= 0)
}

/// `pattern=2,other=3`.
fn is_vmodule(text: &str) -> bool {
    let is_one = |one: &str| match one.split_once('=') {
        Some((pattern, level)) => !pattern.is_empty() && level.parse::<u32>().is_ok(),
        None => one.is_empty(),
    };
    text.split(',').all(is_one)
}

/// `file.go:7`, or nothing.
fn is_place(text: &str) -> bool {
    let is_file = |(file, line): (&str, &str)| file.contains('.') && line.parse::<u32>().is_ok_and(|line| line > 0);
    text.is_empty() || text.split_once(':').is_some_and(is_file)
}

/// All flags, in the order in which they are shown.
pub(super) fn all() -> impl Iterator<Item = &'static Flag<Flags>> {
    FLAGS.iter().chain(KLOG)
}
