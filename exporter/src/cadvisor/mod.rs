//! The command line of cAdvisor 0.56, for those who put the agent in its place: each of its flags is taken under the name
//! that it has here, taken without effect, or refused by name with what to use instead. Go's flags have one dash or two,
//! and one of cAdvisor's switches has a value only behind an equals sign.

use std::ffi::OsString;

/// The form of a flag's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// True or false; true when it stands alone.
    Truth,
    /// A value, in the same word or the next.
    Value,
}

/// What a flag comes to here.
#[derive(Clone, Copy, Debug)]
enum Here {
    /// Nothing changes.
    Nothing,
    /// An option or several.
    Taken(Ours),
    /// Refused with this reason, but for values that are as good as none.
    Refused(&'static [&'static str], &'static str),
}

/// A flag that is an option of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ours {
    Address,
    Port,
    DockerOnly,
    Disable,
    Enable,
    Verbosity,
}

use Here::{Nothing, Refused, Taken};
use Takes::{Truth, Value};

const OFF: &[&str] = &["false", "0", "f", "F", "FALSE", "False"];
const EMPTY: &[&str] = &[""];
const WEB: &str = "--web.config.file names a file with TLS, users and passwords";
const PUSHED: &str = "the agent pushes nothing; let Prometheus scrape it and write on";
const PREFIX: &str = "the agent answers at fixed paths; let the proxy strip the prefix";

/// Every flag of cAdvisor's.
const FLAGS: &[(&str, Takes, Here)] = &[
    ("listen_ip", Value, Taken(Ours::Address)),
    ("port", Value, Taken(Ours::Port)),
    ("docker_only", Truth, Taken(Ours::DockerOnly)),
    ("disable_metrics", Value, Taken(Ours::Disable)),
    ("enable_metrics", Value, Taken(Ours::Enable)),
    ("v", Value, Taken(Ours::Verbosity)),
    // Who may read, and where.
    ("http_auth_file", Value, Refused(EMPTY, WEB)),
    ("http_auth_realm", Value, Nothing),
    ("http_digest_file", Value, Refused(EMPTY, WEB)),
    ("http_digest_realm", Value, Nothing),
    (
        "prometheus_endpoint",
        Value,
        Refused(
            &["/metrics"],
            "cAdvisor's families are at /metrics/cadvisor; --web.telemetry-path moves the agent's own page",
        ),
    ),
    ("url_base_prefix", Value, Refused(&["", "/"], PREFIX)),
    ("profiling", Truth, Refused(OFF, "the agent has no pprof; perf(1) profiles it")),
    // Rows and labels.
    (
        "disable_root_cgroup_stats",
        Truth,
        Refused(OFF, "the machine's row is one of many; query id!=\"/\", or drop it by metric_relabel_configs"),
    ),
    ("raw_cgroup_prefix_whitelist", Value, Refused(EMPTY, "--cadvisor.cgroups=all shows every cgroup")),
    ("store_container_labels", Truth, Nothing),
    (
        "whitelisted_container_labels",
        Value,
        Refused(
            EMPTY,
            "labels are those of a kubelet's page; --kubernetes.pod-labels adds labels of pods to one family",
        ),
    ),
    (
        "env_metadata_whitelist",
        Value,
        Refused(EMPTY, "variables of containers are not shown; --kubernetes.pod-labels shows labels of pods"),
    ),
    ("containerd_env_metadata_whitelist", Value, Refused(EMPTY, "variables of containers are not shown")),
    ("docker_env_metadata_whitelist", Value, Refused(EMPTY, "variables of containers are not shown")),
    ("perf_events_config", Value, Refused(EMPTY, "counters of the processor are not read")),
    ("resctrl_interval", Value, Refused(&["0", "0s"], "resctrl is not read")),
    // Samples are taken at a scrape, and names from the bundles on disk, whoever runs them.
    ("allow_dynamic_housekeeping", Truth, Nothing),
    ("application_metrics_count_limit", Value, Nothing),
    ("boot_id_file", Value, Nothing),
    ("collector_cert", Value, Nothing),
    ("collector_key", Value, Nothing),
    ("container_hints", Value, Nothing),
    ("containerd", Value, Nothing),
    ("containerd-namespace", Value, Nothing),
    ("crio_client_timeout", Value, Nothing),
    ("docker", Value, Nothing),
    ("docker-tls", Truth, Nothing),
    ("docker-tls-ca", Value, Nothing),
    ("docker-tls-cert", Value, Nothing),
    ("docker-tls-key", Value, Nothing),
    ("docker_root", Value, Nothing),
    ("enable_load_reader", Truth, Nothing),
    ("event_storage_age_limit", Value, Nothing),
    ("event_storage_event_limit", Value, Nothing),
    ("global_housekeeping_interval", Value, Nothing),
    ("housekeeping_interval", Value, Nothing),
    ("log_cadvisor_usage", Truth, Nothing),
    ("machine_id_file", Value, Nothing),
    ("max_housekeeping_interval", Value, Nothing),
    ("max_procs", Value, Nothing),
    ("podman", Value, Nothing),
    ("referenced_reset_interval", Value, Nothing),
    ("update_machine_info_interval", Value, Nothing),
    // Where cAdvisor writes besides; its options mean nothing without it.
    ("storage_driver", Value, Refused(EMPTY, PUSHED)),
    ("storage_duration", Value, Nothing),
    ("storage_driver_buffer_duration", Value, Nothing),
    ("storage_driver_db", Value, Nothing),
    ("storage_driver_host", Value, Nothing),
    ("storage_driver_password", Value, Nothing),
    ("storage_driver_secure", Truth, Nothing),
    ("storage_driver_table", Value, Nothing),
    ("storage_driver_user", Value, Nothing),
    ("storage_driver_es_enable_sniffer", Truth, Nothing),
    ("storage_driver_es_host", Value, Nothing),
    ("storage_driver_es_index", Value, Nothing),
    ("storage_driver_es_type", Value, Nothing),
    ("storage_driver_influxdb_retention_policy", Value, Nothing),
    ("storage_driver_kafka_broker_list", Value, Nothing),
    ("storage_driver_kafka_ssl_ca", Value, Nothing),
    ("storage_driver_kafka_ssl_cert", Value, Nothing),
    ("storage_driver_kafka_ssl_key", Value, Nothing),
    ("storage_driver_kafka_ssl_verify", Truth, Nothing),
    ("storage_driver_kafka_topic", Value, Nothing),
    ("bq_account", Value, Nothing),
    ("bq_credentials_file", Value, Nothing),
    ("bq_id", Value, Nothing),
    ("bq_project_id", Value, Nothing),
    ("bq_secret", Value, Nothing),
    // Its logger. Logs go to the standard error.
    ("add_dir_header", Truth, Nothing),
    ("alsologtostderr", Truth, Nothing),
    ("alsologtostderrthreshold", Value, Nothing),
    ("legacy_stderr_threshold_behavior", Truth, Nothing),
    ("log_backtrace_at", Value, Nothing),
    ("log_dir", Value, Nothing),
    ("log_file", Value, Nothing),
    ("log_file_max_size", Value, Nothing),
    ("logtostderr", Truth, Nothing),
    ("one_output", Truth, Nothing),
    ("skip_headers", Truth, Nothing),
    ("skip_log_headers", Truth, Nothing),
    ("stderrthreshold", Value, Nothing),
    ("vmodule", Value, Nothing),
];

/// What cAdvisor calls a kind of metrics, and the collector that shows it; none where it is part of another.
const METRICS: &[(&str, Option<&str>)] = &[
    ("advtcp", None),
    ("app", None),
    ("cpu", Some("container_cpu")),
    ("cpuLoad", None),
    ("cpu_topology", None),
    ("cpuset", Some("container_cpuset")),
    ("disk", Some("container_fs")),
    ("diskIO", Some("container_io")),
    ("hugetlb", Some("container_hugetlb")),
    ("memory", Some("container_memory")),
    ("memory_numa", None),
    ("network", Some("container_network")),
    ("oom_event", None),
    ("percpu", None),
    ("perf_event", None),
    ("pressure", Some("container_pressure")),
    ("process", Some("container_process")),
    ("referenced_memory", None),
    ("resctrl", None),
    ("sched", None),
    ("tcp", None),
    ("udp", None),
];

/// Kinds that are not shown here.
const NOT_SHOWN: [&str; 4] = ["app", "memory_numa", "perf_event", "resctrl"];

/// What flags of cAdvisor's ask for that an option of ours says otherwise.
#[derive(Debug, Default)]
struct Asked {
    address: Option<String>,
    port: Option<String>,
    disabled: Vec<&'static str>,
    enabled: Option<Vec<String>>,
    rest: Vec<String>,
}

/// The arguments with cAdvisor's flags as the agent's. An error says which flag cannot be had, why, and what to use
/// instead.
pub fn translated(args: impl Iterator<Item = OsString>) -> Result<Vec<OsString>, String> {
    let mut others = Vec::new();
    let mut asked = Asked::default();
    let mut args = args.peekable();
    while let Some(arg) = args.next() {
        let Some((name, value, takes, here)) = arg.to_str().and_then(known) else {
            others.push(arg);
            continue;
        };
        let value = match (value, takes) {
            (Some(value), _) => value.to_owned(),
            (None, Truth) => "true".to_owned(),
            (None, Value) => match args.next().and_then(|next| next.into_string().ok()) {
                Some(next) => next,
                None => return Err(format!("--{name}: a value is missing")),
            },
        };
        match here {
            Nothing => {}
            Refused(none, _) if none.contains(&value.as_str()) => {}
            Refused(_, why) => return Err(format!("--{name} is not here: {why}")),
            Taken(option) => asked.take(name, option, &value)?,
        }
    }
    asked.put(&mut others);
    Ok(others)
}

/// A flag of cAdvisor's, with the value that stands in the same word.
fn known(arg: &str) -> Option<(&'static str, Option<&str>, Takes, Here)> {
    let flag = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-'))?;
    let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
    let (name, takes, here) = FLAGS.iter().find(|(known, ..)| *known == name)?;
    Some((name, value, *takes, *here))
}

impl Asked {
    fn take(&mut self, name: &str, option: Ours, value: &str) -> Result<(), String> {
        match option {
            Ours::Address => self.address = Some(value.to_owned()).filter(|value| !value.is_empty()),
            Ours::Port => {
                value.parse::<u16>().map_err(|_| format!("--{name}: `{value}` is no port from 0 to 65535"))?;
                self.port = Some(value.to_owned());
            }
            Ours::DockerOnly => {
                let rows = if OFF.contains(&value) { "auto" } else { "containers" };
                self.rest.push(format!("--cadvisor.cgroups={rows}"));
            }
            Ours::Disable => {
                for kind in kinds(name, value)? {
                    self.disabled.extend(collector(kind));
                }
            }
            Ours::Enable => {
                let all = kinds(name, value)?;
                if let Some(kind) = all.iter().find(|kind| NOT_SHOWN.contains(kind)) {
                    return Err(format!("--{name}: `{kind}` is not shown here; leave it out"));
                }
                let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
                self.enabled = Some(all).filter(|all| !all.is_empty());
            }
            Ours::Verbosity => {
                let level: u32 = value.parse().map_err(|_| format!("--{name}: `{value}` is no level"))?;
                match level {
                    0..4 => {}
                    4..8 => self.rest.push("--log.level=debug".to_owned()),
                    _ => self.rest.push("--log.level=trace".to_owned()),
                }
            }
        }
        Ok(())
    }

    fn put(self, args: &mut Vec<OsString>) {
        let mut put = |option: String| args.push(option.into());
        if self.address.is_some() || self.port.is_some() {
            let port = self.port.as_deref().unwrap_or("8080");
            let host = self.address.unwrap_or_default();
            let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
            put(format!("--web.listen-address={host}:{port}"));
        }
        // What is enabled is all there is, whatever is disabled.
        match self.enabled {
            Some(enabled) => {
                for (kind, collector) in METRICS {
                    let Some(collector) = collector else { continue };
                    let option = if enabled.iter().any(|one| one == kind) { "enable" } else { "disable" };
                    put(format!("--collector.{option}={collector}"));
                }
            }
            None => self.disabled.into_iter().for_each(|name| put(format!("--collector.disable={name}"))),
        }
        self.rest.into_iter().for_each(put);
    }
}

fn collector(kind: &str) -> Option<&'static str> {
    METRICS.iter().find(|(known, _)| *known == kind).and_then(|(_, collector)| *collector)
}

/// The kinds of a list.
fn kinds<'v>(flag: &str, list: &'v str) -> Result<Vec<&'v str>, String> {
    let all: Vec<&str> = list.split(',').map(str::trim).filter(|kind| !kind.is_empty()).collect();
    match all.iter().find(|kind| METRICS.iter().all(|(known, _)| known != *kind)) {
        Some(kind) => {
            let known: Vec<&str> = METRICS.iter().map(|(known, _)| *known).collect();
            Err(format!("--{flag}: `{kind}` is no kind of metrics; there are {}", known.join(", ")))
        }
        None => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use daemon::Cli;

    use super::*;
    use crate::{check, config::Config, program::PROGRAM, slices};

    /// Every flag of cAdvisor 0.56.2, with its default.
    const DEFAULTS: &str = include_str!("testdata/flags-0.56.txt");

    fn words(all: &[&str]) -> Result<Vec<String>, String> {
        let args = all.iter().map(OsString::from);
        Ok(translated(args)?.into_iter().map(|arg| arg.into_string().unwrap()).collect())
    }

    fn config(args: &[&str]) -> Result<Config, String> {
        let args = words(&[&["agent"], args].concat())?;
        let cli = Cli::<Config>::new(&PROGRAM).check(check::check);
        let args = args.into_iter().map(OsString::from);
        cli.parse_from(args, |_| None).map(|loaded| loaded.config).map_err(|error| error.to_string())
    }

    #[test]
    fn every_flag_of_cadvisor_is_taken_with_its_default_in_each_form() {
        let mut names = Vec::new();
        let (mut whole, mut apart) = (Vec::new(), Vec::new());
        for line in DEFAULTS.lines() {
            let (name, value) = line.split_once('=').unwrap();
            names.push(name);
            let (_, takes, _) = FLAGS.iter().find(|(known, ..)| *known == name).unwrap_or_else(|| panic!("{name}"));
            whole.push(format!("--{line}"));
            match takes {
                Truth => apart.push(format!("-{line}")),
                Value => apart.extend([format!("-{name}"), value.to_owned()]),
            }
        }
        for args in [whole, apart] {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let config = config(&args).unwrap();
            assert_eq!(config.web.listen_address, [":8080"], "as cAdvisor listens");
        }
        let mut ours: Vec<&str> = FLAGS.iter().map(|(name, ..)| *name).collect();
        ours.sort_unstable();
        names.sort_unstable();
        assert_eq!(ours, names);
    }

    #[test]
    fn what_cannot_be_had_is_refused_with_what_to_use_instead() {
        for (name, takes, here) in FLAGS {
            let Refused(_, why) = here else { continue };
            let arg = if *takes == Truth { format!("-{name}") } else { format!("--{name}=x") };
            assert_eq!(words(&[&arg]), Err(format!("--{name} is not here: {why}")));
            let cli = Cli::<Config>::new(&PROGRAM);
            for word in why.split([' ', ';', ',', '=']).filter(|word| word.starts_with("--")) {
                assert!(cli.flags().any(|(flag, _)| flag == &word[2..]), "{name}: {word}");
            }
        }
    }

    #[test]
    fn a_command_line_of_cadvisors_means_what_it_meant() {
        let config = config(&[
            "-logtostderr",
            "--port=9101",
            "--listen_ip",
            "127.0.0.1",
            "--housekeeping_interval=30s",
            "-docker_only=true",
            "--disable_metrics=percpu,sched,tcp,udp,disk,hugetlb",
            "--store_container_labels=false",
            "-v=4",
        ]);
        let config = config.unwrap();
        assert_eq!(config.web.listen_address, ["127.0.0.1:9101"]);
        assert_eq!(config.collector.disable, ["container_fs", "container_hugetlb"]);
        assert_eq!(config.log.level, "debug");
        assert_eq!(words(&["--listen_ip=::1"]), Ok(vec!["--web.listen-address=[::1]:8080".to_owned()]));
        let only = words(&["--enable_metrics=cpu,memory"]).unwrap();
        assert!(only.contains(&"--collector.enable=container_cpu".to_owned()), "{only:?}");
        assert!(only.contains(&"--collector.disable=container_network".to_owned()), "{only:?}");
        for (arg, expected) in [
            ("--disable_metrics=cpus", "--disable_metrics: `cpus` is no kind of metrics; there are advtcp, app, cpu,"),
            ("--enable_metrics=resctrl", "--enable_metrics: `resctrl` is not shown here"),
            ("--port=http", "--port: `http` is no port"),
            ("--port", "--port: a value is missing"),
        ] {
            let said = words(&[arg]).unwrap_err();
            assert!(said.starts_with(expected), "{said}");
        }
        // Flags that are no business of cAdvisor's stay as they are.
        assert_eq!(words(&["--log.level=info", "-x"]), Ok(vec!["--log.level=info".to_owned(), "-x".to_owned()]));
    }

    #[test]
    fn kinds_are_collectors_that_exist() {
        for (kind, collector) in METRICS {
            assert!(collector.is_none_or(slices::is_known), "{kind}");
        }
    }
}
