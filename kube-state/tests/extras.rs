//! What kube-state-metrics does not have: off unless it is asked for.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail anywhere")]

mod lab;

use std::{
    io::{Read as _, Write as _},
    sync::Arc,
};

use lab::{Lab, PODS, WAIT_TIMEOUT, get, phase, put_pods, uid};
use proptest::prelude::*;
use serde_json::json;
use testkit::{ApiServer, wait_for};
use yagura_kube_state::{
    kind::OptIn,
    labels::AllowList,
    resources,
    rows::Rows,
    watch::{Known, Render as _},
    workloads::{Config, Workloads},
};

#[test]
fn a_kind_is_watched_as_far_as_selectors_go() {
    let flags = ["--resources=pods,jobs", "--label-selector=pods=app in (a,b)", "--field-selector=*=metadata.name=x"];
    let lab = Lab::start(&flags, |_| {}).ready();
    let field = "fieldSelector=metadata.name%3Dx";
    assert_eq!(lab.api.requests(&format!("{PODS}?{field}&labelSelector=app%20in%20%28a%2Cb%29")), 1);
    assert_eq!(lab.api.requests(&format!("/apis/batch/v1/jobs?{field}&send")), 1);
}

#[test]
fn states_that_do_not_hold_can_be_left_out() {
    let all = Lab::start(&["--resources=pods"], |api| put_pods(api, 0..3)).ready().page();
    let lab = Lab::start(&["--resources=pods", "--drop-zero-states"], |api| put_pods(api, 0..3)).ready();
    let few = lab.page();
    assert_eq!(
        (all.matches("\nkube_pod_status_phase{").count(), few.matches("\nkube_pod_status_phase{").count()),
        (15, 3)
    );
    assert!(few.contains(&phase(1, "Running")));
    let left_out: Vec<&str> = all.lines().filter(|line| !few.contains(line)).collect();
    assert!(!left_out.is_empty() && left_out.iter().all(|line| line.ends_with(" 0")), "{left_out:?}");
    lab.api.put(PODS, &uid(1), &lab::pod(1, "Failed"));
    lab.sees(&phase(1, "Failed"));
    lab.loses(&phase(1, "Running"));
}

/// The head and the body of an answer that is packed if it may be.
fn packed(address: std::net::SocketAddr, headers: &str) -> (String, Vec<u8>) {
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    write!(socket, "GET /metrics HTTP/1.0\r\nAccept-Encoding: gzip\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = answer.split_off(end);
    (String::from_utf8(answer).unwrap(), body)
}

#[test]
fn a_page_that_is_packed_is_the_same_page() {
    let prepare = |api: &ApiServer| {
        put_pods(api, 0..200);
        let namespace = |name| json!({"metadata": {"name": name, "uid": name}}).to_string();
        for name in ["a", "b"] {
            api.put(NAMESPACES, name, &namespace(name));
        }
    };
    // Kinds of many objects and of few, one after the other, and what is written behind them.
    let kinds = "--resources=namespaces,pods,jobs";
    let lab = Lab::start(&[kinds, "--enable-gzip-encoding", "--pod-workloads"], prepare).ready();
    for accept in ["", "Accept: application/openmetrics-text; version=1.0.0\r\n"] {
        let plain = get(lab.objects, "/metrics", accept).1;
        let (head, body) = packed(lab.objects, accept);
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*body).read_to_string(&mut text).unwrap();
        assert!(head.to_lowercase().contains("content-encoding: gzip\r\n"), "{head}");
        assert_eq!(text, plain);
        assert!(plain.contains("\nkube_pod_workload_info{"), "{plain}");
        assert!(body.len() < plain.len() / 4, "{} of {}", body.len(), plain.len());
    }
    let lab = Lab::start(&[kinds, "--enable-gzip-encoding=false"], prepare).ready();
    let (head, body) = packed(lab.objects, "");
    assert!(!head.to_lowercase().contains("content-encoding") && body == lab.page().into_bytes(), "{head}");
}

const SETS: &str = "/apis/apps/v1/replicasets";
const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";
const JOBS: &str = "/apis/batch/v1/jobs";
const RUNS: &str = "/apis/ci.example.org/v1/runs";
const NAMESPACES: &str = "/api/v1/namespaces";

/// An object with an owner, which is written `kind/number`.
fn owned(
    number: usize,
    name: &str,
    owner: Option<(&str, usize, &str)>,
    labels: &serde_json::Value,
) -> serde_json::Value {
    let owners: Vec<_> = owner
        .iter()
        .map(|(kind, number, name)| json!({"kind": kind, "name": name, "uid": uid(*number), "controller": true}))
        .collect();
    json!({"metadata": {"name": name, "namespace": "default", "uid": uid(number), "resourceVersion": "0",
        "creationTimestamp": "2026-01-01T00:00:00Z", "labels": labels, "ownerReferences": owners}})
}

fn put(api: &ApiServer, path: &str, number: usize, name: &str, owner: Option<(&str, usize, &str)>) {
    api.put(path, &uid(number), &owned(number, name, owner, &json!({})).to_string());
}

fn put_pod(api: &ApiServer, number: usize, owner: Option<(&str, usize, &str)>, status: &serde_json::Value) {
    let mut pod = owned(number, &format!("pod-{number}"), owner, &json!({}));
    pod.as_object_mut().unwrap().insert("status".to_owned(), status.clone());
    api.put(PODS, &uid(number), &pod.to_string());
}

fn workload(pod: usize, kind: &str, name: &str) -> String {
    let uid = uid(pod);
    format!(
        "kube_pod_workload_info{{namespace=\"default\",pod=\"pod-{pod}\",uid=\"{uid}\",workload_kind=\"{kind}\",workload=\"{name}\"}} 1\n"
    )
}

#[test]
fn a_pod_belongs_to_the_top_of_its_chain_of_owners() {
    let running = json!({"phase": "Running"});
    let flags = ["--resources=pods", "--pod-workloads", "--workload-kinds=Run=runs.v1.ci.example.org"];
    let lab = Lab::start(&flags, |api| {
        put(api, DEPLOYMENTS, 100, "web", None);
        put(api, SETS, 101, "web-5", Some(("Deployment", 100, "web")));
        put(api, JOBS, 102, "nightly-1", Some(("CronJob", 103, "nightly")));
        put(api, "/apis/batch/v1/cronjobs", 103, "nightly", None);
        put(api, RUNS, 104, "build-1", Some(("Pipeline", 105, "build")));
        put_pod(api, 1, Some(("ReplicaSet", 101, "web-5")), &running);
        put_pod(api, 2, Some(("Job", 102, "nightly-1")), &running);
        put_pod(api, 3, Some(("Run", 104, "build-1")), &running);
        put_pod(api, 4, None, &running);
    });
    let lab = lab.ready();
    let page = lab.page();
    for (pod, kind, name) in
        [(1, "Deployment", "web"), (2, "CronJob", "nightly"), (3, "Pipeline", "build"), (4, "Pod", "pod-4")]
    {
        assert!(page.contains(&workload(pod, kind, name)), "{page}");
    }
    assert!(!page.contains("kube_workload_pods_created_total"), "not asked for");
    // The pod comes first, then what owns it.
    put_pod(&lab.api, 5, Some(("ReplicaSet", 106, "late-1")), &running);
    lab.sees("kube_pod_info{namespace=\"default\",pod=\"pod-5\"");
    assert!(!lab.page().contains("workload=\"late-1\""), "no half truth");
    put(&lab.api, SETS, 106, "late-1", Some(("Deployment", 107, "late")));
    put(&lab.api, DEPLOYMENTS, 107, "late", None);
    lab.sees(&workload(5, "Deployment", "late"));
    // The owners go first, then the pod.
    lab.api.remove(DEPLOYMENTS, &uid(107));
    lab.api.remove(SETS, &uid(106));
    lab.own_reaches(r#"yagura_kube_state_events_total{kind="replicasets.owners",event="deleted"}"#, 1.0);
    assert!(lab.page().contains(&workload(5, "Deployment", "late")));
    lab.api.remove(PODS, &uid(5));
    lab.loses("workload=\"late\"");
    let (_, text) = get(lab.objects, "/metrics?exclude_resources=workloads", "");
    assert!(!text.contains("kube_pod_workload_info"), "{text}");
    let (_, own) = get(lab.own, "/metrics", "");
    assert!(expo::parse(own.as_bytes(), expo::Format::Text004).is_ok(), "no series twice: {own}");
    assert!(expo::parse(lab.page().as_bytes(), expo::Format::Text004).is_ok());
}

#[test]
fn a_workload_says_whom_it_belongs_to() {
    let flags = ["--resources=pods", "--workload-owner=team=example.org/team,pager=annotation:example.org/pager"];
    let lab = Lab::start(&flags, |api| {
        let team = |name: &str| json!({"example.org/team": name});
        api.put(DEPLOYMENTS, &uid(1), &owned(1, "web", None, &team("front")).to_string());
        put(api, DEPLOYMENTS, 2, "api", None);
        let mut namespace = owned(3, "default", None, &team("everyone"));
        let metadata = namespace.pointer_mut("/metadata").unwrap().as_object_mut().unwrap();
        metadata.insert("annotations".to_owned(), json!({"example.org/pager": "+81"}));
        metadata.remove("namespace");
        api.put(NAMESPACES, &uid(3), &namespace.to_string());
    });
    let lab = lab.ready();
    let row = |name: &str, team: &str| {
        format!(
            "kube_workload_owner_info{{namespace=\"default\",workload_kind=\"Deployment\",workload=\"{name}\",team=\"{team}\",pager=\"+81\"}} 1\n"
        )
    };
    let page = lab.page();
    assert!(page.contains(&row("web", "front")) && page.contains(&row("api", "everyone")), "{page}");
    lab.api.put(DEPLOYMENTS, &uid(2), &owned(2, "api", None, &json!({"example.org/team": "back"})).to_string());
    lab.sees(&row("api", "back"));
    lab.api.remove(DEPLOYMENTS, &uid(1));
    lab.loses("workload=\"web\"");
}

#[test]
fn pods_that_nobody_scraped_are_counted() {
    let flags = ["--resources=pods", "--pod-lifetimes"];
    let (running, killed) = (
        json!({"phase": "Running"}),
        json!({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled"}}}]}),
    );
    let job = Some(("Job", 100, "sum"));
    let lab = Lab::start(&flags, |api| {
        put(api, JOBS, 100, "sum", None);
        put_pod(api, 1, job, &running);
    });
    let lab = lab.ready();
    let labels = "namespace=\"default\",workload_kind=\"Job\",workload=\"sum\"";
    assert!(lab.page().contains(&format!("kube_workload_pods_created_total{{{labels}}} 0\n")), "{}", lab.page());
    for number in 10..30 {
        put_pod(&lab.api, number, job, &running);
        put_pod(&lab.api, number, job, &killed);
        lab.api.remove(PODS, &uid(number));
    }
    lab.sees(&format!("kube_workload_pods_deleted_total{{{labels},phase=\"Failed\",reason=\"OOMKilled\"}} 20\n"));
    let page = lab.page();
    assert!(page.contains(&format!("kube_workload_pods_created_total{{{labels}}} 20\n")), "{page}");
    assert!(page.contains(&format!("kube_pod_lifetime_seconds_count{{{labels}}} 20\n")), "{page}");
    assert!(page.contains("# TYPE kube_pod_lifetime_seconds histogram\n"), "{page}");
    // Those that came and went while nobody watched are counted as far as they were seen at either end.
    lab.api.go_down();
    lab.api.remove(PODS, &uid(1));
    put_pod(&lab.api, 2, job, &running);
    lab.api.compact();
    lab.api.come_up();
    lab.sees(&format!("kube_workload_pods_deleted_total{{{labels},phase=\"Running\",reason=\"\"}} 1\n"));
    lab.sees(&format!("kube_workload_pods_created_total{{{labels}}} 21\n"));
    assert!(expo::parse(lab.page().as_bytes(), expo::Format::Text004).is_ok());
}

#[test]
fn what_pods_ask_for_is_counted_over_time() {
    let lab = Lab::start(&["--resources=pods", "--workload-requests"], |api| {
        put(api, JOBS, 100, "sum", None);
        let mut pod: serde_json::Value = serde_json::from_str(&crate::lab::pod(1, "Running")).unwrap();
        pod["metadata"]["ownerReferences"] =
            json!([{"kind": "Job", "name": "sum", "uid": uid(100), "controller": true}]);
        pod["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "2", "memory": "1Ki"}});
        api.put(PODS, &uid(1), &pod.to_string());
    });
    let lab = lab.ready();
    let value = |what: &str| {
        let line = format!(
            "kube_workload_requested_{what}_total{{namespace=\"default\",workload_kind=\"Job\",workload=\"sum\"}} "
        );
        let page = lab.page();
        let value = page.lines().find_map(|row| row.strip_prefix(&line)?.parse::<f64>().ok());
        value.unwrap_or_else(|| panic!("{page}"))
    };
    let (begin, first) = (std::time::Instant::now(), value("cpu_seconds"));
    wait_for(WAIT_TIMEOUT, || (value("cpu_seconds") > first + 0.2).then_some(())).unwrap();
    let (asked, most) = (value("cpu_seconds") - first, begin.elapsed().as_secs_f64() * 2.0);
    assert!(asked <= most + 0.5, "{asked} core-seconds in {most} at most");
    let (cpu, memory) = (value("cpu_seconds"), value("memory_byte_seconds"));
    assert!(memory >= cpu * 512.0, "{memory} byte-seconds and {cpu} core-seconds");
}

/// What an agent is told: the head, the records, the token to ask with next.
fn peers(lab: &Lab, since: &str) -> (serde_json::Value, Vec<serde_json::Value>, String) {
    let (status, text) = get(lab.objects, &format!("/peers?version=1{since}"), "");
    assert_eq!(status, 200, "{text}");
    let mut lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (head, end) = (lines.remove(0), lines.pop().unwrap());
    assert_eq!(end["end"]["records"], json!(lines.len()), "{text}");
    (head, lines, end["end"]["token"].as_str().unwrap().to_owned())
}

#[test]
fn agents_learn_the_addresses_of_the_cluster() {
    let service = json!({"metadata": {"name": "db", "namespace": "default", "uid": uid(200), "resourceVersion": "0"},
        "spec": {"clusterIP": "10.96.0.1"}});
    let addressed = |number: usize, ip: &str| {
        let mut pod: serde_json::Value = serde_json::from_str(&lab::pod(number, "Running")).unwrap();
        pod["status"]["podIP"] = json!(ip);
        pod.to_string()
    };
    let lab = Lab::start(&["--resources=pods", "--peers"], |api| {
        api.put("/api/v1/services", &uid(200), &service.to_string());
        api.put(PODS, &uid(1), &addressed(1, "10.0.0.1"));
    });
    let lab = lab.ready();
    let (head, records, token) = peers(&lab, "");
    assert_eq!(head, json!({"peers": 1, "whole": true}));
    assert_eq!(records.len(), 2, "{records:?}");
    let pod = json!({"set": "pod", "id": uid(1), "namespace": "default", "name": "pod-1", "workload_kind": "Pod",
        "workload": "pod-1", "addresses": ["10.0.0.1"]});
    assert!(records.contains(&pod), "{records:?}");
    lab.api.put(PODS, &uid(2), &addressed(2, "10.0.0.2"));
    lab.api.remove(PODS, &uid(1));
    let told =
        wait_for(WAIT_TIMEOUT, || Some(peers(&lab, &format!("&since={token}")).1).filter(|told| told.len() == 2));
    let told = told.unwrap();
    assert!(told.contains(&json!({"gone": "pod", "id": uid(1)})) && told.iter().any(|record| record["id"] == uid(2)));
    assert_eq!(get(lab.objects, "/peers?version=2", "").0, 400);
    let off = Lab::start(&["--resources=pods"], |_| {}).ready();
    assert_eq!(get(off.objects, "/peers", "").0, 404);
}

fn put_namespace(api: &ApiServer, number: usize, name: &str) {
    let object = json!({"metadata": {"name": name, "uid": uid(number), "resourceVersion": "0"}});
    api.put(NAMESPACES, &uid(number), &object.to_string());
}

#[test]
fn namespaces_are_selected_by_their_labels_as_they_come_and_go() {
    let path = |namespace: &str| format!("/api/v1/namespaces/{namespace}/pods");
    let flags = ["--resources=pods", "--namespace-selector=team in (a,b)", "--pod-workloads"];
    let lab = Lab::start(&flags, |api| {
        put_namespace(api, 1, "one");
        api.put(&path("one"), &uid(10), &lab::pod_in("one", 10, "Running"));
        api.put(&path("two"), &uid(11), &lab::pod_in("two", 11, "Running"));
        api.put(&path("three"), &uid(12), &lab::pod_in("three", 12, "Running"));
    });
    let lab = lab.ready();
    let selector = format!("{NAMESPACES}?labelSelector=team%20in%20%28a%2Cb%29");
    assert_eq!((lab.api.requests(&selector), lab.pods()), (1, vec!["pod-10".to_owned()]));
    put_namespace(&lab.api, 2, "two");
    lab.sees("kube_pod_workload_info{namespace=\"two\"");
    lab.sees("kube_pod_info{namespace=\"two\"");
    assert_eq!(lab.pods(), ["pod-10", "pod-11"]);
    lab.api.remove(NAMESPACES, &uid(1));
    lab.loses("namespace=\"one\"");
    assert_eq!((lab.pods(), lab.api.requests(&path("one"))), (vec!["pod-11".to_owned()], 1));
    lab.api.remove(NAMESPACES, &uid(2));
    lab.loses("namespace=\"two\"");
    assert_eq!((lab.api.requests(&path("three")), lab.api.requests(PODS)), (0, 0), "what was not selected is not read");
    assert_eq!(get(lab.own, "/readyz", "").0, 200);
}

#[test]
fn owners_of_several_namespaces_do_not_take_each_other_away() {
    let flags = ["--resources=pods", "--namespaces=one,two", "--pod-workloads"];
    let lab = Lab::start(&flags, |api| {
        for (number, namespace) in [(1, "one"), (2, "two")] {
            let job = Some(("Job", number + 100, "sum"));
            let mut pod = owned(number, &format!("pod-{number}"), job, &json!({}));
            let mut job = owned(number + 100, "sum", Some(("CronJob", number + 200, "sums")), &json!({}));
            let mut cron_job = owned(number + 200, "sums", None, &json!({}));
            for (path, object) in [
                (format!("/api/v1/namespaces/{namespace}/pods"), &mut pod),
                (format!("/apis/batch/v1/namespaces/{namespace}/jobs"), &mut job),
                (format!("/apis/batch/v1/namespaces/{namespace}/cronjobs"), &mut cron_job),
            ] {
                *object.pointer_mut("/metadata/namespace").unwrap() = namespace.into();
                let uid = object.pointer("/metadata/uid").unwrap().as_str().unwrap().to_owned();
                api.put(&path, &uid, &object.to_string());
            }
        }
    });
    let page = lab.ready().page();
    let rows = page.lines().filter(|line| line.starts_with("kube_pod_workload_info{"));
    let of_cron_jobs = rows.filter(|line| line.contains("workload_kind=\"CronJob\",workload=\"sums\"")).count();
    assert_eq!(of_cron_jobs, 2, "{page}");
}

/// What may stand anywhere in an object.
fn anything() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[ab\\\\\"\n]{0,2}|\\PC{0,4}|2026-01-01T00:00:00Z".prop_map(Into::into),
        Just(json!([])),
        Just(json!([{"controller": true, "uid": "a", "kind": "Job", "name": "a"}])),
        Just(json!([{"state": {"terminated": {"reason": "\"", "exitCode": 1}}}, 7])),
        Just(json!({"team": "a\"b\\\n"})),
        Just(json!({"team": 7})),
    ]
}

proptest! {
    #[test]
    fn no_object_spoils_the_page(
        objects in proptest::collection::vec((any::<bool>(), "[ab]", proptest::array::uniform8(anything())), 1..8),
        gone in "[ab]",
    ) {
        let workloads = Workloads::new(Config::new(true, true, &["team=team".to_owned()], &[]).unwrap());
        let pods = resources::find("pods").unwrap();
        let (of_pods, of_jobs) = (workloads.of_pods(Arc::new(Known(pods))), workloads.of_owners("Job"));
        let options = pods.options(AllowList::default(), AllowList::default(), OptIn::Ours);
        let mut rows = Rows::new(Arc::new(options));
        of_pods.listed(&|_| true, false);
        for (is_pod, uid, [name, namespace, created, labels, owners, phase, reason, containers]) in &objects {
            let object = json!({
                "metadata": {"uid": uid, "name": name, "namespace": namespace, "creationTimestamp": created,
                    "labels": labels, "ownerReferences": owners},
                "status": {"phase": phase, "reason": reason, "containerStatuses": containers},
            });
            let text = object.to_string();
            // An object without a readable name is refused; that is all right.
            let _ = if *is_pod { of_pods.render(text.as_bytes(), &mut rows) } else { of_jobs.render(text.as_bytes(), &mut rows) };
        }
        of_pods.gone(b"{}", &gone);
        let mut page = Vec::new();
        workloads.write(&mut page);
        let parsed = expo::parse(&page, expo::Format::Text004);
        prop_assert!(parsed.is_ok(), "{parsed:?}\n{}", String::from_utf8_lossy(&page));
    }
}
