use std::{collections::BTreeMap, path::Path, time::Duration};

use clap::{CommandFactory as _, Parser as _};

use super::{
    flag::{Flag, Group, Value},
    table, *,
};
use crate::{select::AllowLists, shard::Shard};

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
        Value::Ignored(_) => (ignored_value(flag.name), ""),
    }
}

/// A value that upstream's logger knows.
fn ignored_value(flag: &str) -> &'static str {
    match flag {
        "vmodule" => "a=1",
        "log_backtrace_at" => "a.go:1",
        _ => "1",
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
        let is_ignored = matches!(flag.value, Value::Ignored(_) | Value::IgnoredSwitch);
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

/// What is no upstream value, or no upstream mistake, here.
const DIFFERENT: &[(&str, &str)] = &[
    ("-allowlist=pods", "an allowlist without brackets is refused, where upstream shows nothing"),
    ("-5s", "a time below zero is refused"),
    ("--v=-1", "a level below zero is zero"),
    ("-v=-1", "a level below zero is zero"),
    ("--v=300", "a level above 255 is 255"),
    ("-v=300", "a level above 255 is 255"),
];

/// The value of a flag as the record has it.
fn recorded(flag: &Flag<Flags>, flags: &mut Flags) -> String {
    match flag.value {
        Value::Names(to) => {
            let mut names = to(flags).clone();
            names.sort_unstable();
            names.dedup();
            names.join(",")
        }
        _ => flag.written(flags),
    }
}

#[test]
fn command_lines_mean_what_they_mean_to_upstream() {
    #[derive(serde::Deserialize)]
    struct Case {
        args: Vec<String>,
        /// None when the command line is refused.
        values: Option<BTreeMap<String, String>>,
    }
    // Each flag of kube-state-metrics 2.20 in each form that pflag knows, and what its own options package makes of it.
    let cases = include_str!("../../tests/flags/upstream.jsonl").lines();
    let cases: Vec<Case> = cases.map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut wrong = Vec::new();
    for Case { args, values } in &cases {
        if args.iter().any(|arg| DIFFERENT.iter().any(|(end, _)| arg.ends_with(end))) {
            continue;
        }
        let lists = |flags: &Flags| {
            let lists = [&flags.metric_labels_allowlist, &flags.metric_annotations_allowlist];
            lists.iter().all(|list| AllowLists::parse(list).is_ok())
        };
        let read = Flags::try_parse_from(std::iter::once("x").chain(args.iter().map(String::as_str)));
        let read = read
            .map_err(|error| error.to_string())
            .and_then(|flags| if lists(&flags) { Ok(flags) } else { Err("allowlist".to_owned()) });
        match (read, values) {
            (Err(_), None) => {}
            (Ok(_), None) => wrong.push(format!("{args:?} is taken")),
            (Err(error), Some(_)) => wrong.push(format!("{args:?} is refused: {error}")),
            (Ok(mut flags), Some(values)) => {
                for flag in table::all() {
                    let Some(theirs) = values.get(flag.name) else { continue };
                    let ours = recorded(flag, &mut flags);
                    let is_same = match flag.value {
                        Value::Keys(_) => AllowLists::parse(&ours).unwrap() == AllowLists::parse(theirs).unwrap(),
                        Value::Ignored(_) | Value::IgnoredSwitch => true,
                        _ => ours == *theirs,
                    };
                    if !is_same {
                        wrong.push(format!("{args:?}: {ours:?}, there {theirs:?}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 600);
}

/// What must be so of flags.
type Check = fn(&Flags) -> bool;

#[test]
fn the_file_takes_what_flags_take() {
    let given = &["--resources=pods", "--namespaces=a", "--metric-labels-allowlist=pods=[a]", "--kubeconfig=k"][..];
    let cases: &[(&str, Check)] = &[
        ("host: localhost", |flags| flags.host == "localhost"),
        ("enable_gzip_encoding: FALSE", |flags| !flags.enable_gzip_encoding),
        ("auth_filter: True", |flags| flags.auth_filter),
        ("auth_filter: 't'", |flags| flags.auth_filter),
        ("auth_filter: 1", |flags| flags.auth_filter),
        ("kubeconfig: ''", |flags| flags.kubeconfig.is_none()),
        ("kubeconfig:", |flags| flags.kubeconfig.as_deref() == Some(Path::new("k"))),
        ("resources: {}", |flags| flags.resources == ["pods"]),
        ("resources: [nodes]", |flags| flags.resources == ["nodes"]),
        ("resources: {nodes: {}, jobs: }", |flags| flags.resources == ["jobs", "nodes"]),
        ("namespaces: []", |flags| flags.namespaces.is_empty()),
        ("labels_allow_list: {}", |flags| flags.metric_labels_allowlist == "pods=[a]"),
        ("labels_allow_list: {nodes: }", |flags| flags.metric_labels_allowlist == "nodes=[]"),
        ("metric_allowlist: ['kube_(a{1,2})']", |flags| flags.metric_allowlist == ["kube_(a{1,2})"]),
        ("custom_resource_config_file: old", |flags| {
            flags.custom_resource_state_config_file.as_deref() == Some(Path::new("old"))
        }),
        ("custom_resource_state_config_file: new\ncustom_resource_config_file: old", |flags| {
            flags.custom_resource_state_config_file.as_deref() == Some(Path::new("new"))
        }),
    ];
    for (text, is_right) in cases {
        let flags = with_text(text, given).unwrap();
        assert!(is_right(&flags), "{text}: {flags:?}");
    }
    for text in ["auth_filter: maybe", "port: 65536", "resources: pods", "server_read_timeout: -1s", "pods: 1"] {
        with_text(text, given).unwrap_err();
    }
}

#[test]
fn a_host_may_be_a_name() {
    let listens = |host: &str| flags(&[&format!("--host={host}"), "--port=7"]).web().listen_address;
    assert_eq!(listens("localhost"), ["127.0.0.1:7"]);
    assert_eq!((listens("::"), listens("")), (vec![":7".to_owned()], vec![":7".to_owned()]));
    assert_eq!((listens("::1"), listens("0.0.0.0")), (vec!["[::1]:7".to_owned()], vec!["0.0.0.0:7".to_owned()]));
    let error = flags(&["--host=no such host"]).check().unwrap_err();
    assert!(error.to_string().contains("no such host"), "{error}");
}

#[test]
fn an_empty_text_is_as_good_as_none() {
    let empty =
        flags(&["--config=", "--kubeconfig=", "--tls-config=", "--custom-resource-state-config-file=", "--apiserver="]);
    assert_eq!(empty, flags(&[]));
    assert!(with_file(&empty).unwrap().1.is_none());
}

#[test]
fn a_value_that_a_flag_cannot_have_is_refused_by_flag_or_by_its_place_in_the_file() {
    let refused = |args: &[&str]| daemon::chain(&flags(args).check().unwrap_err());
    for (args, expected) in [
        (&["--kubeconfig=/no/such"][..], "--kubeconfig: cannot use the kubeconfig /no/such: "),
        (&["--apiserver=ftp://a"], "--apiserver: \"ftp://a\" is no address of a server"),
        (&["--namespaces=Prod"], "--namespaces: \"Prod\" is no name of a namespace"),
        (&["--node=a b", "--resources=pods"], "--node: \"a b\" is no name of an object"),
        (&["--pod=a-0"], "--pod: needs --pod-namespace"),
        (&["--telemetry-port=8080"], "--telemetry-port: 8080 is the port of --port too"),
        (&["--host=no such host"], "--host: `no such host:8080` is no address"),
        (&["--log.level=loud"], "--log.level: `loud` is no level"),
        (&["--label-selector=pods=a in (b"], "--label-selector: cannot read the selector \"a in (b\""),
        (&["--total-shards=0"], "--shard, --total-shards: shard 0 is not among 0 shards"),
    ] {
        let said = refused(args);
        assert!(said.starts_with(expected), "{args:?}: {said}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display();
    for (text, expected) in [
        ("port: 1\nnamespaces: [Prod]\n", ":2:1: key namespaces: \"Prod\" is no name of a namespace"),
        ("auto_gomemlimit_ratio: .nan\n", ":1:1: key auto_gomemlimit_ratio: NaN is not above 0 and at most 1"),
        ("kubeconfig: /no/such\n", ":1:1: key kubeconfig: cannot use the kubeconfig /no/such: "),
        ("resources: [pod]\n", ":1:1: key resources: kind \"pod\" is not known"),
        ("total_shards: 2\nshard: 2\n", ":2:1: key shard: shard 2 is not among 2 shards"),
    ] {
        std::fs::write(file.path(), text).unwrap();
        let given = Flags { config: Some(file.path().to_owned()), ..flags(&[]) };
        let said = daemon::chain(&crate::app::Setup::load(&given).unwrap_err());
        assert!(said.starts_with(&format!("{path}{expected}")), "{text}: {said}");
    }
}

#[test]
fn no_value_of_any_flag_ends_in_a_panic() {
    let values = [
        "",
        " ",
        "0",
        "-1",
        "1",
        "nan",
        "inf",
        "1e309",
        "18446744073709551616",
        "localhost:6443",
        "https://",
        "http://a b",
        "https://[::1",
        "/",
        "/dev/null",
        "/no/such",
        "\u{3000}",
        "é",
        "a\nb",
        "(",
        "[",
        "*",
        ":1",
        "true",
        "%zz",
        "a=b",
        "=",
        ",",
        "--",
        "..",
        "a=[",
        "pods=[*",
        "pods=(",
        "9999999999h",
        "-1s",
        "0s",
    ];
    let long = "a".repeat(70_000);
    for flag in table::all() {
        for value in values.into_iter().chain([long.as_str()]) {
            let Ok(flags) = Flags::try_parse_from(["x", &format!("--{}={value}", flag.name)]) else { continue };
            let _ = crate::app::Setup::load(&flags);
            let _ = flags.limits();
        }
    }
}

#[test]
fn a_timeout_of_zero_is_none_as_in_go() {
    let limits =
        flags(&["--server-idle-timeout=0", "--server-read-header-timeout=0s", "--server-write-timeout=1s"]).limits();
    assert!(limits.idle > Duration::from_hours(24) && limits.headers > Duration::from_hours(24));
    assert_eq!(limits.write, Duration::from_secs(1));
}

#[test]
fn each_flag_that_takes_text_has_a_rule_or_is_read_by_somebody_who_says_what_is_wrong() {
    let read = [
        "metric-allowlist",
        "metric-annotations-allowlist",
        "metric-denylist",
        "metric-labels-allowlist",
        "metric-opt-in-list",
        "resources",
        "workload-owner",
        "workload-kinds",
        "config",
        "tls-config",
        "custom-resource-state-config",
        "custom-resource-state-config-file",
        "docs.write",
        "docs.check",
    ];
    for flag in table::all() {
        let is_open = matches!(
            flag.value,
            Value::Text(_) | Value::Path(_) | Value::Names(_) | Value::List(_) | Value::Keys(_) | Value::Selectors(_)
        );
        let has_rule = rules::RULES.iter().any(|(name, _)| *name == flag.name);
        assert!(!is_open || has_rule || read.contains(&flag.name), "--{}", flag.name);
    }
}
