//! The configuration file: upstream's keys, whose values go before those of flags.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use daemon::ConfigError;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{BadFlags, Flags};

/// The flags with what their configuration file says in place of theirs, and the text of that file.
pub fn with_file(flags: &Flags) -> Result<(Flags, Option<String>), BadFlags> {
    let Some(path) = &flags.config else { return Ok((flags.clone(), None)) };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((overlay(flags.clone(), &text, path)?, Some(text))),
        Err(error) if error.kind() == ErrorKind::NotFound && flags.continue_without_config => Ok((flags.clone(), None)),
        Err(error) => Err(ConfigError::whole(path, format!("cannot be read: {error}")).into()),
    }
}

/// The file as written. A key that is absent leaves the flag as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    annotations_allow_list: Option<Lists>,
    apiserver: Option<String>,
    auth_filter: Option<bool>,
    #[serde(alias = "auto-gomemlimit")]
    auto_gomemlimit: Option<bool>,
    #[serde(alias = "auto-gomemlimit-ratio")]
    auto_gomemlimit_ratio: Option<f64>,
    continue_without_config: Option<bool>,
    continue_without_custom_resource_state_config_file: Option<bool>,
    custom_resource_config: Option<String>,
    #[serde(alias = "custom_resource_config_file")]
    custom_resource_state_config_file: Option<PathBuf>,
    custom_resources_only: Option<bool>,
    drop_zero_states: Option<bool>,
    enable_gzip_encoding: Option<bool>,
    field_selectors: Option<BTreeMap<String, String>>,
    host: Option<IpAddr>,
    kubeconfig: Option<PathBuf>,
    label_selectors: Option<BTreeMap<String, String>>,
    labels_allow_list: Option<Lists>,
    metric_allowlist: Option<Names>,
    metric_denylist: Option<Names>,
    metric_opt_in_list: Option<Names>,
    /// Upstream's name for the namespace of its pod.
    namespace: Option<String>,
    namespace_selector: Option<String>,
    namespaces: Option<Names>,
    namespaces_denylist: Option<Names>,
    node: Option<String>,
    object_limit: Option<u64>,
    pod: Option<String>,
    peers: Option<bool>,
    pod_lifetimes: Option<bool>,
    pod_workloads: Option<bool>,
    port: Option<u16>,
    resources: Option<Names>,
    server_idle_timeout: Option<Time>,
    server_read_header_timeout: Option<Time>,
    server_read_timeout: Option<Time>,
    server_write_timeout: Option<Time>,
    shard: Option<u32>,
    telemetry_host: Option<IpAddr>,
    telemetry_port: Option<u16>,
    tls_config: Option<PathBuf>,
    total_shards: Option<u32>,
    track_unscheduled_pods: Option<bool>,
    use_api_server_cache: Option<bool>,
    workload_kinds: Option<Names>,
    workload_requests: Option<bool>,
    workload_owner: Option<Names>,
}

type Lists = BTreeMap<String, Vec<String>>;

/// A set, written as a list or as a mapping whose values do not count.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Map(BTreeMap<String, serde_json::Value>),
}

impl From<Names> for Vec<String> {
    fn from(names: Names) -> Self {
        match names {
            Names::List(names) => names,
            Names::Map(names) => names.into_keys().collect(),
        }
    }
}

#[derive(Debug)]
struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::duration(&text).map(Self).map_err(D::Error::custom)
    }
}

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        time.0
    }
}

/// As the flags write it: `pods=[app,team/*],nodes=[*]`.
fn as_flag(lists: &Lists) -> String {
    let lists = lists.iter().map(|(kind, keys)| format!("{kind}=[{}]", keys.join(",")));
    lists.collect::<Vec<_>>().join(",")
}

/// One flag a kind: `pods=app=web`.
fn as_flags(selectors: BTreeMap<String, String>) -> Vec<String> {
    selectors.into_iter().map(|(kind, selector)| format!("{kind}={selector}")).collect()
}

fn set<T>(to: &mut T, from: Option<impl Into<T>>) {
    if let Some(value) = from {
        *to = value.into();
    }
}

/// The flags with what the text of the file says in place of theirs. Errors name the file, line and key.
fn overlay(mut flags: Flags, text: &str, path: &Path) -> Result<Flags, ConfigError> {
    let file: File = daemon::parse_yaml(text, path)?;
    set(&mut flags.metric_annotations_allowlist, file.annotations_allow_list.as_ref().map(as_flag));
    set(&mut flags.metric_labels_allowlist, file.labels_allow_list.as_ref().map(as_flag));
    set(&mut flags.apiserver, file.apiserver);
    set(&mut flags.auth_filter, file.auth_filter);
    set(&mut flags.auto_gomemlimit, file.auto_gomemlimit);
    set(&mut flags.auto_gomemlimit_ratio, file.auto_gomemlimit_ratio);
    set(&mut flags.continue_without_config, file.continue_without_config);
    let custom_file = file.continue_without_custom_resource_state_config_file;
    set(&mut flags.continue_without_custom_resource_state_config_file, custom_file);
    set(&mut flags.custom_resource_state_config, file.custom_resource_config);
    set(&mut flags.custom_resource_state_config_file, file.custom_resource_state_config_file.map(Some));
    set(&mut flags.custom_resource_state_only, file.custom_resources_only);
    set(&mut flags.drop_zero_states, file.drop_zero_states);
    set(&mut flags.field_selector, file.field_selectors.map(as_flags));
    set(&mut flags.label_selector, file.label_selectors.map(as_flags));
    set(&mut flags.enable_gzip_encoding, file.enable_gzip_encoding);
    set(&mut flags.host, file.host);
    set(&mut flags.kubeconfig, file.kubeconfig.map(Some));
    set(&mut flags.metric_allowlist, file.metric_allowlist);
    set(&mut flags.metric_denylist, file.metric_denylist);
    set(&mut flags.metric_opt_in_list, file.metric_opt_in_list);
    set(&mut flags.pod_namespace, file.namespace);
    set(&mut flags.namespace_selector, file.namespace_selector);
    set(&mut flags.namespaces, file.namespaces);
    set(&mut flags.namespaces_denylist, file.namespaces_denylist);
    set(&mut flags.node, file.node);
    set(&mut flags.object_limit, file.object_limit);
    set(&mut flags.pod, file.pod);
    set(&mut flags.peers, file.peers);
    set(&mut flags.pod_lifetimes, file.pod_lifetimes);
    set(&mut flags.pod_workloads, file.pod_workloads);
    set(&mut flags.workload_requests, file.workload_requests);
    set(&mut flags.workload_kinds, file.workload_kinds);
    set(&mut flags.workload_owner, file.workload_owner);
    set(&mut flags.port, file.port);
    set(&mut flags.resources, file.resources);
    set(&mut flags.server_idle_timeout, file.server_idle_timeout);
    set(&mut flags.server_read_header_timeout, file.server_read_header_timeout);
    set(&mut flags.server_read_timeout, file.server_read_timeout);
    set(&mut flags.server_write_timeout, file.server_write_timeout);
    set(&mut flags.shard, file.shard);
    set(&mut flags.telemetry_host, file.telemetry_host);
    set(&mut flags.telemetry_port, file.telemetry_port);
    set(&mut flags.tls_config, file.tls_config.map(Some));
    set(&mut flags.total_shards, file.total_shards);
    set(&mut flags.track_unscheduled_pods, file.track_unscheduled_pods);
    set(&mut flags.use_apiserver_cache, file.use_api_server_cache);
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn overlaid(text: &str) -> Result<Flags, String> {
        let flags = Flags::try_parse_from(["x", "--port=1", "--resources=pods", "--host=127.0.0.1"]).unwrap();
        overlay(flags, text, Path::new("c.yaml")).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_file_says_goes_before_flags() {
        let text = "port: 9\nresources:\n  nodes: {}\n  jobs: {}\nlabels_allow_list:\n  pods: [app, 'team/*']\nserver_read_timeout: 90s\nnamespaces: [a, b]\nlabel_selectors:\n  pods: a in (b,c)\n";
        let flags = overlaid(text).unwrap();
        assert_eq!((flags.port, flags.host.to_string().as_str()), (9, "127.0.0.1"));
        assert_eq!(
            (flags.resources.join(" "), flags.namespaces.join(" ")),
            ("jobs nodes".to_owned(), "a b".to_owned())
        );
        assert_eq!(flags.metric_labels_allowlist, "pods=[app,team/*]");
        assert_eq!(flags.label_selector, ["pods=a in (b,c)"]);
        assert_eq!(flags.server_read_timeout, Duration::from_secs(90));
        assert_eq!(overlaid("").unwrap().port, 1);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert!(overlaid("prot: 1\n").unwrap_err().starts_with("c.yaml:1:1: key prot: unknown field `prot`"));
        assert!(overlaid("port: 1\nserver_idle_timeout: 5 parsecs\n").unwrap_err().starts_with("c.yaml:2:"));
    }
}
