use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};

use super::{
    flag::{Flag, Group, Value},
    table, *,
};
use crate::shard::Shard;

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

/// A value that is not the flag's default, on the command line and in the file.
fn other_value(flag: &Flag<Flags>) -> (&'static str, &'static str) {
    match flag.value {
        Value::Switch(_) if flag.default == "true" => ("false", "false"),
        Value::Switch(_) | Value::IgnoredSwitch => ("true", "true"),
        Value::Text(_) | Value::Path(_) => ("other", "other"),
        Value::Word(words, _) => (words.last().unwrap(), words.last().unwrap()),
        Value::Names(_) | Value::List(_) => ("a,b", "[a, b]"),
        Value::Keys(_) => ("nodes=[*],pods=[a,b]", "{nodes: ['*'], pods: [a, b]}"),
        Value::Selectors(_) => ("pods=a=b", "{pods: a=b}"),
        Value::Port(_) | Value::Count(_) | Value::Limit(_) | Value::Level(_) => ("7", "7"),
        Value::Ratio(_) => ("0.25", "0.25"),
        Value::Time(_) => ("7m", "7m"),
        Value::Ignored => ("x", "x"),
    }
}

/// The flags with a file of this text.
fn with_text(text: &str, args: &[&str]) -> Result<Flags, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let given = Flags { config: Some(file.path().to_owned()), ..flags(args) };
    let read = with_file(&given).map_err(|error| error.to_string())?.0;
    Ok(Flags { config: None, ..read })
}

#[test]
fn each_flag_is_parsed_and_is_in_the_file_on_the_page_and_in_the_completion() {
    let page = page();
    let complete = |shell| {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Flags::command(), "x", &mut script);
        String::from_utf8(script).unwrap()
    };
    let scripts = [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish].map(complete);
    let default = flags(&[]);
    let (mut names, mut keys) = (Vec::new(), Vec::new());
    for flag in table::all() {
        let (on_line, in_file) = other_value(flag);
        let set = flags(&[&format!("--{}={on_line}", flag.name)]);
        let is_ignored = matches!(flag.value, Value::Ignored | Value::IgnoredSwitch);
        assert_eq!(set == default, is_ignored, "--{}", flag.name);
        for key in flag.keys {
            let by_file = with_text(&format!("{key}: {in_file}\n"), &[]).unwrap();
            assert_eq!(by_file, set, "{key}");
            keys.push(*key);
        }
        // What is told of the way to the file, of printing and of the log is told before there is a file.
        let is_before = ["config", "config.check", "print-rbac", "print-catalog", "log.format", "log.level"];
        let has_key = !matches!(flag.group, Group::Klog | Group::Build) && !is_before.contains(&flag.name);
        assert_eq!(!flag.keys.is_empty(), has_key, "--{}", flag.name);
        let row = page.lines().find(|line| line.starts_with(&format!("| `--{}` |", flag.name)));
        assert_eq!(row.is_some(), flag.is_shown(), "--{}", flag.name);
        let is_told =
            row.is_none_or(|row| row.contains(flag.shown_about()) && flag.keys.iter().all(|key| row.contains(key)));
        assert!(is_told, "{row:?}");
        for script in scripts.iter().filter(|_| flag.is_shown()) {
            let fish = format!("-l {} ", flag.name);
            assert!(script.contains(&format!("--{}", flag.name)) || script.contains(&fish), "--{}", flag.name);
        }
        names.push(flag.name);
    }
    let all = (names.len(), keys.len());
    names.sort_unstable();
    names.dedup();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!((names.len(), keys.len()), all, "a name or a key stands twice");
}

#[test]
fn upstreams_flags_are_there_under_its_names_with_its_defaults() {
    // As kube-state-metrics 2.20 prints them; gzip is on here.
    let upstream = "apiserver= auth-filter=false auto-gomemlimit=false auto-gomemlimit-ratio=0.9 config= \
        continue-without-config=false continue-without-custom-resource-state-config-file=false \
        custom-resource-state-config= custom-resource-state-config-file= custom-resource-state-only=false \
        enable-gzip-encoding=true host=:: kubeconfig= metric-allowlist= metric-annotations-allowlist= metric-denylist= \
        metric-labels-allowlist= metric-opt-in-list= namespaces= namespaces-denylist= node= object-limit=0 pod= \
        pod-namespace= port=8080 resources= server-idle-timeout=5m server-read-header-timeout=5s \
        server-read-timeout=60s server-write-timeout=60s shard=0 telemetry-host=:: telemetry-port=8081 tls-config= \
        total-shards=1 track-unscheduled-pods=false use-apiserver-cache=false";
    let ours = table::all().filter(|flag| flag.group == Group::Upstream);
    let ours: Vec<String> = ours.map(|flag| format!("{}={}", flag.name, flag.default)).collect();
    assert_eq!(ours.join(" "), upstream.split_whitespace().collect::<Vec<_>>().join(" "));
}
