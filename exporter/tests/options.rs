//! Every option with values that nobody should give: each is refused in one line that names the flag or the key, or the
//! agent works with it. No thread panics.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    ffi::OsString,
    panic,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use daemon::{Cli, Telemetry};
use serde_json::Value;
use yagura_exporter::{
    app::{App, Known},
    check::check,
    config::Config,
    identity::{Peers, Pods},
    own_metrics::OwnMetrics,
    program::PROGRAM,
};

/// What a hurried hand may write.
const NASTY: [&str; 44] = [
    "",
    " ",
    "0",
    "-1",
    "1",
    "1.5",
    "nan",
    "inf",
    "-inf",
    "1e309",
    "18446744073709551616",
    "99999999999999",
    "localhost:10250",
    "127.0.0.1:1",
    "http://127.0.0.1:1",
    "https://127.0.0.1:1",
    "https://",
    "http://a b",
    "https://[::1",
    "ftp://127.0.0.1",
    "https://u:p@127.0.0.1:1",
    "http://127.0.0.1:1/x?y#z",
    "http://127.0.0.1:99999",
    "/",
    "/dev/null",
    "/no/such/file",
    "/proc/self/mem",
    "\u{3000}",
    "é",
    "a\nb",
    "(",
    "[",
    "*",
    ":9100",
    "[0.0.0.0]:1",
    "true",
    "maybe",
    "%zz",
    "a=b",
    "=",
    ",",
    "..",
    "9999999999h",
    "0s",
];

fn parse(args: &[String]) -> Result<Config, String> {
    let args = std::iter::once("agent".to_owned()).chain(args.iter().cloned()).map(OsString::from);
    let cli = Cli::<Config>::new(&PROGRAM).check(check);
    cli.parse_from(args, |_| None).map(|loaded| loaded.config).map_err(|error| error.to_string())
}

/// Panics of all threads of this process, whoever catches them.
fn counted_panics() -> &'static AtomicUsize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Relaxed);
        usual(info);
    }));
    &PANICS
}

#[test]
fn no_value_of_any_option_panics_a_thread() {
    let panics = counted_panics();
    let flags: Vec<(String, String)> =
        Cli::<Config>::new(&PROGRAM).flags().map(|(flag, key)| (flag.to_owned(), key.to_owned())).collect();
    assert!(flags.len() > 60, "{flags:?}");
    // What is wrong with the web configuration names that file.
    let long = "a".repeat(70_000);
    let (mut refused, mut taken) = (0, Vec::new());
    for (flag, _) in &flags {
        // Each reading compiles all default patterns: values of all kinds for whom others are asked, some for the rest.
        let asks = ["kubernetes.", "peers.", "prices."].iter().any(|section| flag.starts_with(section));
        let step = if asks { 1 } else { 5 };
        for value in NASTY.into_iter().step_by(step).chain([long.as_str()]) {
            match parse(&[format!("--{flag}={value}")]) {
                Ok(mut config) => {
                    config.probe.disable = true;
                    taken.push((format!("--{flag}={value:.40}"), config));
                }
                Err(said) => {
                    refused += 1;
                    assert!(
                        said.contains(&format!("--{flag}"))
                            || said.contains(flag.as_str())
                            || flag == "web.config.file",
                        "--{flag}={value:.40}: {said}"
                    );
                }
            }
        }
    }
    assert_eq!(panics.load(Relaxed), 0);
    assert!(refused > 300, "{refused}");
    // What is taken works: the agent is built with it, and asks whom it names.
    let telemetry = Telemetry::new(&PROGRAM);
    let own = Arc::new(OwnMetrics::register(&telemetry));
    let mut last: Option<Config> = None;
    for (what, config) in taken {
        // Patterns are read when the option is; hundreds of agents with another pattern each would show nothing.
        if last.as_ref() == Some(&config) || what.starts_with("--collector.") {
            continue;
        }
        let built = App::new(&Arc::new(config.clone()), &Known::default(), &telemetry, &own);
        assert!(built.is_ok(), "{what}: {}", built.err().unwrap());
        if what.starts_with("--kubernetes.") || what.starts_with("--peers.") {
            let pods = Pods::default();
            pods.set_up(&config.kubernetes);
            let peers = Peers::new(&pods);
            peers.set_up(&config.peers, &config.kubernetes.node);
            let is_asked =
                || pods.figures().load.iter().any(|(_, [asked, ..])| *asked > 0) || peers.figures().load[0] > 0;
            let deadline = Instant::now() + Duration::from_secs(5);
            let asks = !config.kubernetes.kubelet.url.is_empty() || !config.peers.url.is_empty();
            while asks && !is_asked() && Instant::now() < deadline {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            assert!(!asks || is_asked(), "{what}: nobody was asked");
        }
        assert_eq!(panics.load(Relaxed), 0, "{what}");
        last = Some(config);
    }
}

#[test]
fn a_value_that_makes_no_sense_is_refused_by_flag_or_by_file_line_and_key() {
    let refused = |arg: &str| parse(&[arg.to_owned()]).unwrap_err();
    for (arg, expected) in [
        (
            "--kubernetes.kubelet.url=localhost:10250",
            "--kubernetes.kubelet.url: `localhost:10250` is no URL: it begins with http:// or https://, such as \
             https://localhost:10250",
        ),
        ("--peers.url=kube-state:8080", "--peers.url: `kube-state:8080` is no URL: it begins with http:// or https://"),
        ("--peers.url=", "--peers.url: an item is empty"),
        ("--kubernetes.kubeconfig=/no/such", "--kubernetes.kubeconfig: cannot read /no/such: No such file"),
        ("--peers.ca-file=/no/such", "--peers.ca-file: cannot read /no/such: No such file"),
        ("--peers.token-file=/", "--peers.token-file: / is a folder"),
        ("--kubernetes.node=Node_1", "--kubernetes.node: `Node_1` is no name of an object"),
        ("--prices.cpu-hour=-0.1", "--prices.cpu-hour: must be from 0 to 1000000000, not -0.1"),
        ("--prices.memory-gib-hour=nan", "--prices.memory-gib-hour: `nan` is no number"),
        ("--events.flows-sample=0", "--events.flows-sample: must be from 1 to 1000000, not 0"),
        (
            "--events.flows=/no/such/folder",
            "--events.flows: cannot write /no/such/folder: folder /no/such: No such file",
        ),
        ("--series.per-family=0", "--series.per-family: must be from 1 to 100000000, not 0"),
        ("--series.per-page=0", "--series.per-page: must be from 1 to 100000000, not 0"),
        ("--files.kept=-1", "--files.kept: must be from 0 to 10000000, not -1"),
        (
            "--collector.filesystem.mount-timeout=0s",
            "--collector.filesystem.mount-timeout: must be from 1ms to 1h, not 0s",
        ),
        ("--web.shutdown-timeout=2h", "--web.shutdown-timeout: must be from 0s to 1h, not 2h"),
        ("--web.telemetry-path=/a?b", "--web.telemetry-path: `/a?b`: a path has letters, digits and"),
        ("--web.telemetry-path=/healthz", "--web.telemetry-path: `/healthz`: this path is that of a health check"),
        ("--web.telemetry-path=/workloads", "--web.telemetry-path: this path is another view's"),
        ("--log.level=infor,daemon=debug", "--log.level: `infor` is no level and no target=level"),
        ("--path.procfs=/etc", "--path.procfs: /etc is no procfs"),
        ("--cadvisor.cgroups=some", "error: invalid value 'some' for '--cadvisor.cgroups <VALUE>'"),
    ] {
        let said = refused(arg);
        assert!(said.starts_with(expected), "{arg}: {said}");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display();
    for (text, expected) in [
        ("prices:\n  cpu_hour: .nan\n", ":2:3: key prices.cpu_hour: must be a finite number"),
        ("prices:\n  memory_gib_hour: .inf\n", ":2:3: key prices.memory_gib_hour: must be a finite number"),
        ("events: {flows_sample: 0}\n", ":1:1: key events.flows_sample: must be from 1 to 1000000, not 0"),
        ("series:\n  per_family: 0\n", ":2:3: key series.per_family: must be from 1 to 100000000, not 0"),
        ("kubernetes:\n  kubelet:\n    url: kubelet\n", ":3:5: key kubernetes.kubelet.url: `kubelet` is no URL"),
        ("peers:\n  token_file: /no/such\n", ":2:3: key peers.token_file: cannot read /no/such: No such file"),
        ("peers:\n  url: [a]\n", ":2:3: key peers.url: `a` is no URL"),
        ("files:\n  kept: -1\n", ":2:3: key files.kept: must be from 0 to 10000000, not -1"),
    ] {
        std::fs::write(file.path(), text).unwrap();
        let said = refused(&format!("--config.file={path}"));
        assert!(said.starts_with(&format!("{path}{expected}")), "{text}: {said}");
    }
}

#[test]
fn a_kubeconfig_that_does_not_work_is_refused_with_the_cause() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let arg = format!("--kubernetes.kubeconfig={}", file.path().display());
    std::fs::write(&file, "kind: Config\nclusters: []\n").unwrap();
    let said = parse(std::slice::from_ref(&arg)).unwrap_err();
    assert!(said.starts_with("--kubernetes.kubeconfig: cannot use the kubeconfig "), "{said}");
    // Whoever asks nobody needs none.
    assert!(parse(&[arg, "--kubernetes.disable".to_owned()]).is_ok());
}

#[test]
fn each_number_has_bounds() {
    fn unbounded(key: &str, schema: &Value, found: &mut Vec<String>) {
        let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
        let is_number = ["integer", "number"].contains(&kind) && key != "items";
        if is_number && (schema.get("minimum").is_none() || schema.get("maximum").is_none()) {
            found.push(key.to_owned());
        }
        match schema {
            Value::Object(map) => map.iter().for_each(|(key, inner)| unbounded(key, inner, found)),
            Value::Array(items) => items.iter().for_each(|inner| unbounded("items", inner, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    unbounded("", &daemon::options_schema::<Config>(), &mut found);
    assert!(found.is_empty(), "{found:?}");
}
