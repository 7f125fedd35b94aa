//! Custom kinds before an API server: definitions come, change and go, and the configuration does.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod lab;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use lab::{Lab, PODS, WAIT_TIMEOUT, get, pod, uid};
use serde_json::json;
use testkit::{ApiServer, Child, wait_for};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const SHIPS: &str = "/apis/fleet.example.org/v1/ships";
const CREWS: &str = "/apis/fleet.example.org/v1/crews";

/// A configuration for ships, or for every kind of their group.
fn config(kind: &str, version: &str, help: &str) -> String {
    format!(
        "kind: CustomResourceStateMetrics
spec:
  resources:
    - groupVersionKind: {{group: fleet.example.org, version: '{version}', kind: '{kind}'}}
      metricNamePrefix: fleet
      labelsFromPath: {{name: [metadata, name]}}
      metrics:
        - name: info
          help: What it is.
          each: {{type: Info, info: {{labelsFromPath: {{home: [spec, home]}}}}}}
        - name: crew
          help: {help}
          each: {{type: Gauge, gauge: {{path: [spec, crew]}}}}
"
    )
}

fn define(api: &ApiServer, number: usize, plural: &str, kind: &str, versions: &[(&str, bool)]) {
    define_as(api, number, plural, kind, versions, "True");
}

fn define_as(api: &ApiServer, number: usize, plural: &str, kind: &str, versions: &[(&str, bool)], established: &str) {
    let versions: Vec<_> = versions.iter().map(|(name, served)| json!({"name": name, "served": served})).collect();
    let definition = json!({
        "metadata": {"name": format!("{plural}.fleet.example.org"), "uid": uid(number), "resourceVersion": "0"},
        "spec": {"group": "fleet.example.org", "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
            "versions": versions},
        "status": {"conditions": [{"type": "Established", "status": established}]},
    });
    api.put(DEFINITIONS, &uid(number), &definition.to_string());
}

fn ship(number: usize, crew: &str) -> String {
    let uid = uid(number);
    format!(
        r#"{{"metadata":{{"name":"ship-{number}","namespace":"sea","uid":"{uid}","resourceVersion":"0"}},"spec":{{"home":"Kiel","crew":{crew}}}}}"#
    )
}

fn put_ship(api: &ApiServer, path: &str, number: usize, crew: &str) {
    api.put(path, &uid(number), &ship(number, crew));
}

fn crew(version: &str, kind: &str, number: usize, crew: &str) -> String {
    format!(
        "fleet_crew{{customresource_group=\"fleet.example.org\",customresource_kind=\"{kind}\",customresource_version=\"{version}\",name=\"ship-{number}\"}} {crew}\n"
    )
}

fn inline(config: &str) -> String {
    format!("--custom-resource-state-config={config}")
}

fn written(path: &Path, text: &str) -> String {
    fs::write(path, text).unwrap();
    format!("--custom-resource-state-config-file={}", path.display())
}

const RELOADED: &str = "kube_state_metrics_last_config_reload_successful";

fn about_file(metric: &str, path: &Path) -> String {
    format!("{metric}{{type=\"customresourceconfig\",filename=\"{}\"}}", path.display())
}

#[test]
fn kinds_that_are_there_are_shown_beside_those_we_know() {
    let config = inline(&config("Ship", "v1", "Who is on board."));
    let lab = Lab::start(&["--resources=pods", &config], |api| {
        define(api, 1, "ships", "Ship", &[("v1", true), ("v2", true)]);
        define(api, 2, "crews", "Crew", &[("v1", true)]);
        put_ship(api, SHIPS, 10, "7");
        api.put(PODS, &uid(3), &pod(3, "Running"));
    });
    let lab = lab.ready();
    let page = lab.page();
    assert!(page.contains(&crew("v1", "Ship", 10, "7")), "{page}");
    assert!(page.contains("# HELP fleet_crew Who is on board.\n# TYPE fleet_crew gauge\n"), "{page}");
    assert!(page.contains("# TYPE fleet_info gauge\n"), "the text format knows no info");
    let (_, openmetrics) = get(lab.objects, "/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n");
    assert!(openmetrics.contains("# TYPE fleet_info info\n") && openmetrics.ends_with("# EOF\n"), "{openmetrics}");
    assert_eq!(lab.pods().len(), 1);
    put_ship(&lab.api, SHIPS, 10, "8");
    lab.sees(&crew("v1", "Ship", 10, "8"));
    lab.api.remove(SHIPS, &uid(10));
    lab.loses("fleet_crew{");
    assert_eq!(lab.api.requests("crews") + lab.api.requests("/v2/"), 0, "nobody asked for these");
    assert_eq!(lab.own_value("kube_state_metrics_custom_resource_state_add_events_total"), 2.0);
    assert_eq!(lab.own_value("kube_state_metrics_custom_resource_state_cache"), 2.0);
    let lists = r#"kube_state_metrics_list_total{resource="*unstructured.Unstructured",result="success"}"#;
    assert_eq!(lab.own_value(lists), 1.0);
    let (status, only) = get(lab.objects, "/metrics?resources=ships.v1.fleet.example.org", "");
    assert!(status == 200 && !only.contains("kube_pod_info"), "{only}");
}

#[test]
fn a_definition_moves_its_own_kind_only() {
    let config = inline(&config("*", "*", "Heads."));
    let lab = Lab::start(&["--resources=pods", &config], |api| {
        define(api, 2, "crews", "Crew", &[("v1", true)]);
        put_ship(api, CREWS, 20, "1");
        api.put(PODS, &uid(3), &pod(3, "Running"));
    });
    let lab = lab.ready();
    assert!(lab.page().contains(&crew("v1", "Crew", 20, "1")));
    // One appears. It is not asked for until it is established.
    put_ship(&lab.api, SHIPS, 10, "7");
    define_as(&lab.api, 1, "ships", "Ship", &[("v1", true)], "False");
    lab.own_reaches("kube_state_metrics_custom_resource_state_add_events_total", 2.0);
    assert_eq!(lab.api.requests("ships"), 0);
    define(&lab.api, 1, "ships", "Ship", &[("v1", true)]);
    lab.sees(&crew("v1", "Ship", 10, "7"));
    // It gets another version, and loses the first.
    put_ship(&lab.api, &SHIPS.replace("v1", "v2"), 10, "7");
    define(&lab.api, 1, "ships", "Ship", &[("v1", true), ("v2", true)]);
    lab.sees(&crew("v2", "Ship", 10, "7"));
    assert!(lab.page().contains(&crew("v1", "Ship", 10, "7")));
    define(&lab.api, 1, "ships", "Ship", &[("v1", false), ("v2", true)]);
    lab.loses(&crew("v1", "Ship", 10, "7"));
    assert!(lab.page().contains(&crew("v2", "Ship", 10, "7")));
    // It goes, and is defined anew.
    lab.api.remove(DEFINITIONS, &uid(1));
    lab.loses("customresource_kind=\"Ship\"");
    define(&lab.api, 4, "ships", "Ship", &[("v2", true)]);
    lab.sees(&crew("v2", "Ship", 10, "7"));
    assert!(lab.page().contains(&crew("v1", "Crew", 20, "1")));
    for undisturbed in [CREWS, PODS, DEFINITIONS] {
        assert_eq!(lab.api.requests(undisturbed), 1, "{undisturbed} was listed once and watched from there");
    }
    assert_eq!(lab.own_value("kube_state_metrics_custom_resource_state_delete_events_total"), 1.0);
}

#[test]
fn definitions_that_went_unseen_are_gone() {
    let config = inline(&config("*", "v1", "Heads."));
    let lab = Lab::start(&["--custom-resource-state-only", &config], |api| {
        define(api, 1, "ships", "Ship", &[("v1", true)]);
        define(api, 2, "crews", "Crew", &[("v1", true)]);
        put_ship(api, SHIPS, 10, "7");
        put_ship(api, CREWS, 20, "1");
    });
    let lab = lab.ready();
    assert!(lab.page().contains(&crew("v1", "Ship", 10, "7")));
    lab.api.go_down();
    lab.api.remove(DEFINITIONS, &uid(1));
    lab.api.compact();
    lab.api.come_up();
    lab.loses("customresource_kind=\"Ship\"");
    assert!(lab.page().contains(&crew("v1", "Crew", 20, "1")));
    assert_eq!(lab.api.requests(PODS), 0, "only custom kinds");
}

#[test]
fn a_kind_that_is_defined_is_asked_for_until_it_is_served() {
    let config = inline(&config("Ship", "v1", "Heads."));
    let lab = Lab::start(&["--custom-resource-state-only", &config], |api| {
        define(api, 1, "ships", "Ship", &[("v1", true)]);
        put_ship(api, SHIPS, 10, "7");
        api.behave(|behaviour| behaviour.missing.push(SHIPS.to_owned()));
    });
    assert!(wait_for(WAIT_TIMEOUT, || (lab.api.requests(SHIPS) > 2).then_some(())).is_some());
    let (status, reason) = get(lab.own, "/readyz", "");
    assert!(status == 503 && reason.contains("ships.v1.fleet.example.org"), "{status} {reason}");
    lab.api.behave(|behaviour| behaviour.missing.clear());
    lab.sees(&crew("v1", "Ship", 10, "7"));
}

#[test]
fn what_is_no_number_costs_its_series_and_is_counted() {
    let config = inline(&config("Ship", "v1", "Heads."));
    let lab = Lab::start(&["--custom-resource-state-only", &config], |api| {
        define(api, 1, "ships", "Ship", &[("v1", true)]);
        put_ship(api, SHIPS, 10, "7");
        put_ship(api, SHIPS, 11, "\"many\"");
        put_ship(api, SHIPS, 12, "null");
        api.put(SHIPS, "none", r#"{"metadata":{"name":"no-uid","resourceVersion":"0"}}"#);
    });
    let page = lab.ready().page();
    assert_eq!(page.matches("\nfleet_info{").count(), 3, "{page}");
    assert_eq!(page.matches("\nfleet_crew{").count(), 1, "{page}");
}

#[test]
fn trouble_is_counted_by_family() {
    let config = inline(&config("Ship", "v1", "Heads."));
    let lab = Lab::start(&["--custom-resource-state-only", &config], |api| {
        define(api, 1, "ships", "Ship", &[("v1", true)]);
        put_ship(api, SHIPS, 11, "\"many\"");
        api.put(SHIPS, "none", r#"{"metadata":{"name":"no-uid","resourceVersion":"0"}}"#);
    });
    let lab = lab.ready();
    let kind = "kind=\"ships.v1.fleet.example.org\"";
    let spoiled = format!("yagura_kube_state_spoiled_families_total{{{kind},family=\"fleet_crew\"}}");
    assert_eq!(lab.own_value(&spoiled), 1.0);
    assert_eq!(lab.own_value(&format!("yagura_kube_state_unreadable_objects_total{{{kind}}}")), 1.0);
    assert_eq!(lab.own_value(&format!("yagura_kube_state_objects{{{kind}}}")), 1.0);
}

#[test]
fn a_file_that_changes_is_taken_over_unless_it_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crs.yaml");
    let flag = written(&path, &config("Ship", "v1", "Heads."));
    let lab = Lab::start(&["--resources=pods", &flag], |api| {
        define(api, 1, "ships", "Ship", &[("v1", true)]);
        put_ship(api, SHIPS, 10, "7");
    });
    let lab = lab.ready();
    assert!(lab.page().contains("# HELP fleet_crew Heads.\n"));
    let hash = lab.own_value(&about_file("kube_state_metrics_config_hash", &path));
    assert!(hash > 0.0 && lab.own_value(&about_file(RELOADED, &path)) == 1.0);
    written(&path, "spec: {resources: [{groupVersionKind: {kind: Ship}}]}");
    let is_noted = || (lab.own_value(&about_file(RELOADED, &path)) == 0.0).then_some(());
    assert!(wait_for(WAIT_TIMEOUT, is_noted).is_some(), "the mistake is told");
    assert!(lab.page().contains(&crew("v1", "Ship", 10, "7")), "and the old configuration holds");
    assert_eq!(lab.own_value(&about_file("kube_state_metrics_config_hash", &path)), hash);
    written(&path, &config("Ship", "v1", "Everyone on board."));
    lab.sees("# HELP fleet_crew Everyone on board.\n");
    assert_eq!(lab.page().matches(&crew("v1", "Ship", 10, "7")).count(), 1);
    assert_eq!(lab.own_value(&about_file(RELOADED, &path)), 1.0);
    assert_ne!(lab.own_value(&about_file("kube_state_metrics_config_hash", &path)), hash);
    assert_eq!(lab.api.requests(PODS), 1, "pods go on undisturbed");
    assert_eq!(lab.api.requests(DEFINITIONS), 1);
}

#[test]
fn what_matches_nothing_in_the_cluster_is_said() {
    let ships = config("Ship", "v1", "Heads.").replace("[spec, home]", "[spec, hoem]");
    let more = "    - groupVersionKind: {group: fleet.example.org, version: v9, kind: Crew}\n    - groupVersionKind: {group: gone.example.org, version: v1, kind: Gone}\n";
    let lab = Lab::start(&["--custom-resource-state-only", &inline(&format!("{ships}{more}"))], |api| {
        define(api, 1, "ships", "Ship", &[("v1", true)]);
        define(api, 2, "crews", "Crew", &[("v1", true)]);
        put_ship(api, SHIPS, 10, "7");
    });
    let lab = lab.ready();
    let matched = |group: &str, version: &str, kind: &str| {
        lab.own_value(&format!(
            "yagura_kube_state_custom_resource_matched{{group=\"{group}.example.org\",version=\"{version}\",kind=\"{kind}\"}}"
        ))
    };
    assert_eq!(
        (matched("fleet", "v1", "Ship"), matched("fleet", "v9", "Crew"), matched("gone", "v1", "Gone")),
        (1.0, 0.0, 0.0)
    );
    let unresolved = |family: &str| {
        lab.own_value(&format!(
            "yagura_kube_state_unresolved_paths{{kind=\"ships.v1.fleet.example.org\",family=\"{family}\"}}"
        ))
    };
    assert_eq!((unresolved("fleet_info"), unresolved("fleet_crew")), (1.0, 0.0));
    let (_, landing) = get(lab.own, "/", "Accept: text/html\r\n");
    for text in [
        "home from [spec,hoem]",
        "Crew of fleet.example.org is not served in version v9; it is served in v1",
        "the cluster defines no kind of the group gone.example.org",
    ] {
        assert!(landing.contains(text), "{text}: {landing}");
    }
    // It appears.
    define(&lab.api, 2, "crews", "Crew", &[("v9", true)]);
    assert!(wait_for(WAIT_TIMEOUT, || (matched("fleet", "v9", "Crew") == 1.0).then_some(())).is_some());
}

#[test]
fn a_file_may_come_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crs.yaml");
    let flag = format!("--custom-resource-state-config-file={}", path.display());
    let flags = ["--resources=pods", &flag, "--continue-without-custom-resource-state-config-file"];
    let lab = Lab::start(&flags, |api| {
        define(api, 1, "ships", "Ship", &[("v1", true)]);
        put_ship(api, SHIPS, 10, "7");
    });
    let lab = lab.ready();
    assert!(!lab.page().contains("fleet_"));
    written(&path, &config("Ship", "v1", "Heads."));
    lab.sees(&crew("v1", "Ship", 10, "7"));
}

#[test]
fn shards_share_the_objects_of_custom_kinds() {
    let config = inline(&config("Ship", "v1", "Heads."));
    let mut seen = 0;
    for shard in ["--shard=0", "--shard=1", "--shard=2"] {
        let lab = Lab::start(&["--custom-resource-state-only", &config, shard, "--total-shards=3"], |api| {
            define(api, 1, "ships", "Ship", &[("v1", true)]);
            (10..40).for_each(|number| put_ship(api, SHIPS, number, "7"));
        });
        let ships = lab.ready().page().matches("\nfleet_crew{").count();
        assert!(ships > 0 && ships < 30, "{ships}");
        seen += ships;
    }
    assert_eq!(seen, 30);
}

#[test]
fn some_namespaces_are_watched_one_by_one() {
    let config = inline(&config("Ship", "v1", "Heads."));
    let lab = Lab::start(&["--custom-resource-state-only", &config, "--namespaces=sea,land"], |api| {
        define(api, 1, "ships", "Ship", &[("v1", true)]);
        put_ship(api, "/apis/fleet.example.org/v1/namespaces/sea/ships", 10, "7");
        put_ship(api, "/apis/fleet.example.org/v1/namespaces/land/ships", 11, "0");
    });
    let page = lab.ready().page();
    assert!(page.contains(&crew("v1", "Ship", 10, "7")) && page.contains(&crew("v1", "Ship", 11, "0")), "{page}");
    assert_eq!(page.matches("# TYPE fleet_crew").count(), 1);
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_yagura-kube-state");

#[test]
fn the_program_serves_custom_kinds() {
    let api = ApiServer::start().unwrap();
    put_ship(&api, SHIPS, 10, "7");
    let folder = tempfile::tempdir().unwrap();
    let flag = written(&folder.path().join("crs.yaml"), &config("*", "*", "Heads."));
    let mut command = Command::new(PROGRAM);
    command.args(["--custom-resource-state-only", "--host=127.0.0.1", "--port=0", "--telemetry-host=127.0.0.1"]);
    command.args(["--telemetry-port=0", &flag, &format!("--apiserver={}", api.url())]);
    let mut program = Child::start(command.stdout(Stdio::null()).stderr(Stdio::piped())).unwrap();
    let mut log = BufReader::new(program.handle().stderr.take().unwrap()).lines();
    let address: SocketAddr = log
        .find_map(|line| {
            let line = line.unwrap();
            let address = line.contains("listening").then(|| line.split_once("address=").unwrap().1.to_owned())?;
            Some(address.split([' ', '"']).find(|word| !word.is_empty()).unwrap().parse().unwrap())
        })
        .unwrap();
    let drained = std::thread::spawn(move || log.map_while(Result::ok).count());
    let page = || get(address, "/metrics", "").1;
    define(&api, 1, "ships", "Ship", &[("v1", true)]);
    let line = crew("v1", "Ship", 10, "7");
    assert!(wait_for(WAIT_TIMEOUT, || page().contains(&line).then_some(())).is_some(), "{}", page());
    api.remove(DEFINITIONS, &uid(1));
    assert!(wait_for(WAIT_TIMEOUT, || page().is_empty().then_some(())).is_some(), "{}", page());
    drop(program);
    assert!(drained.join().unwrap() > 0);
}

/// The program with these flags, which ends by itself: its exit code, and what it writes.
fn ended(flags: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(PROGRAM);
    command.args(["--host=127.0.0.1", "--port=0", "--telemetry-host=127.0.0.1"]).args(flags);
    let output = command.env_remove("KUBERNETES_SERVICE_HOST").output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_is_wrong_at_the_start_is_said_before_anything_listens() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let telemetry = format!("--telemetry-port={}", taken.local_addr().unwrap().port());
    // A mistake in what it was given ends it with 2, what the machine refuses with 1.
    for (flags, status, expected) in [
        (
            &["--telemetry-port=0", "--kubeconfig=/nowhere/config"][..],
            2,
            "--kubeconfig: cannot use the kubeconfig /nowhere/config: ",
        ),
        (&["--telemetry-port=0"], 1, "no kubeconfig is given, and this is not a pod with a service account"),
        (&[&telemetry, "--apiserver=http://127.0.0.1:1"], 1, "cannot serve the telemetry port: cannot listen on"),
    ] {
        let (code, said) = ended(flags);
        assert_eq!((code, said.lines().count()), (Some(status), 1), "{said}");
        assert!(said.starts_with(&format!("yagura-kube-state: {expected}")), "{said}");
    }
}

#[test]
fn a_bad_value_is_blamed_on_its_own_flag_or_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, "metric_denylist: ['(']\n").unwrap();
    let file = format!("--config={}", path.display());
    let other = folder.path().join("other.yaml");
    fs::write(&other, "metric_denylist: ['a']\n").unwrap();
    let good = format!("--config={}", other.display());
    let in_file = format!("{}:1:1: key metric_denylist: cannot read the pattern", path.display());
    for (flags, expected) in [
        (&["--metric-denylist=("][..], "--metric-denylist: cannot read the pattern"),
        (&["--metric-allowlist=("], "--metric-allowlist: cannot read the pattern"),
        (&["--metric-opt-in-list=("], "--metric-opt-in-list: cannot read the pattern"),
        (&["--metric-allowlist=a", "--metric-denylist=b"], "--metric-allowlist, --metric-denylist: a list of"),
        (&[&file], &in_file),
        (&["--resources=pod", &good], "--resources: kind"),
    ] {
        let (code, said) = ended(flags);
        assert_eq!((code, said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.starts_with(&format!("yagura-kube-state: {expected}")), "{said}");
    }
}

#[test]
fn an_outage_is_told_in_few_lines() {
    let api = ApiServer::start().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["--resources=pods,nodes,jobs,secrets", "--host=127.0.0.1", "--port=0", "--telemetry-host=127.0.0.1"]);
    command.args(["--telemetry-port=0", &format!("--apiserver={}", api.url())]);
    let mut program = Child::start(command.stdout(Stdio::null()).stderr(Stdio::piped())).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let log = BufReader::new(program.handle().stderr.take().unwrap()).lines();
    let read = std::thread::spawn(move || log.map_while(Result::ok).for_each(|line| drop(tell.send(line))));
    let mut lines = Vec::new();
    let wait_for_lines = |text: &str, number: usize, lines: &mut Vec<String>| {
        while lines.iter().filter(|line: &&String| line.contains(text)).count() < number {
            lines.push(told.recv_timeout(WAIT_TIMEOUT).unwrap());
        }
    };
    wait_for_lines("msg=listed", 4, &mut lines);
    api.go_down();
    wait_for_lines("level=warn", 1, &mut lines);
    std::thread::sleep(std::time::Duration::from_secs(5));
    api.come_up();
    wait_for_lines("watching again", 1, &mut lines);
    drop(program);
    read.join().unwrap();
    let of_level = |level: &str| lines.iter().filter(|line| line.contains(level)).count();
    assert_eq!(of_level("level=error"), 0, "{lines:#?}");
    // Four watches have the same problem, and it is said once; that the connections broke off may be another.
    assert!(of_level("level=warn") <= 2, "{lines:#?}");
    for line in lines.iter().filter(|line| line.contains("level=warn")) {
        assert_eq!(line.matches("onnection refused").count().max(1), 1, "a cause is said once: {line}");
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crs.yaml");
    let flag = written(&path, &config("Ship", "v1", "Heads.").replace("type: Gauge", "type: Counter"));
    let run = |flag: &str| Command::new(PROGRAM).args(["--config.check", flag]).output().unwrap();
    let output = run(&flag);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let place = format!("{}:13:24: key spec.resources[0].metrics[1].each.type", path.display());
    assert!(said.contains(&place), "{said}");
    let missing = run("--custom-resource-state-config-file=/nowhere/crs.yaml");
    assert!(String::from_utf8(missing.stderr).unwrap().contains("/nowhere/crs.yaml: cannot be read"));
    assert_eq!(missing.status.code(), Some(2));
    assert!(run(&written(&path, &config("Ship", "v1", "Heads."))).status.success());
}
