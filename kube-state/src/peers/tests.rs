use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::{rows::Options, watch::Known, workloads::Config};

struct Lab {
    peers: Peers,
    pods: Box<dyn Render>,
    owners: Box<dyn Render>,
    rows: Rows,
}

fn lab() -> Lab {
    let workloads = Workloads::new(Config { peers: true, ..Config::default() });
    let peers = Peers::new(workloads.clone());
    let known = Arc::new(Known(crate::resources::find("pods").unwrap()));
    let pods = Box::new(peers.of_pods(Arc::new(workloads.of_pods(known))));
    let rows = Rows::new(Arc::new(Options::NONE));
    Lab { peers, pods, owners: Box::new(workloads.of_owners("StatefulSet")), rows }
}

fn pod(uid: &str, ip: &str, phase: &str) -> String {
    json!({
        "metadata": {"uid": uid, "name": format!("{uid}-0"), "namespace": "shop",
            "ownerReferences": [{"kind": "StatefulSet", "name": "db", "uid": "set", "controller": true}]},
        "status": {"phase": phase, "podIP": ip},
    })
    .to_string()
}

impl Lab {
    fn put(&mut self, json: &str) {
        self.pods.render(json.as_bytes(), &mut self.rows).unwrap();
    }

    fn own(&mut self) {
        let json = br#"{"metadata":{"uid":"set","name":"db","namespace":"shop"}}"#;
        self.owners.render(json, &mut self.rows).unwrap();
    }

    fn other(&mut self, plural: &str, objects: &[Value]) -> Box<dyn Render> {
        let render = self.peers.of(crate::resources::find(plural).unwrap());
        for object in objects {
            render.render(object.to_string().as_bytes(), &mut self.rows).unwrap();
        }
        Box::new(render)
    }

    /// What a client with this token is told: whether it is everything, the records, the next token.
    fn ask(&self, since: Option<&str>) -> (bool, Vec<Value>, String) {
        self.peers.0.state.lock().1 = None;
        let query: Vec<_> = since.map(|token| ("since".to_owned(), token.to_owned())).into_iter().collect();
        read(&self.peers.answer(&query, Ok(()), true))
    }
}

fn read(reply: &Reply) -> (bool, Vec<Value>, String) {
    assert_eq!((reply.status, reply.content_type), (200, "application/x-ndjson"));
    let lines = std::str::from_utf8(&reply.body).unwrap().lines();
    let mut lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let (head, end) = (lines.remove(0), lines.pop().unwrap());
    assert_eq!((&head["peers"], &end["end"]["records"]), (&json!(1), &json!(lines.len())));
    (head["whole"] == json!(true), lines, end["end"]["token"].as_str().unwrap().to_owned())
}

#[test]
fn a_client_is_told_what_changed_since_it_asked() {
    let mut lab = lab();
    lab.put(&pod("a", "10.0.0.1", "Running"));
    let (whole, records, none) = lab.ask(None);
    assert!(whole && records.is_empty(), "it waits for its owner: {records:?}");
    lab.own();
    let (whole, records, first) = lab.ask(Some(&none));
    let a = json!({"set": "pod", "id": "a", "namespace": "shop", "name": "a-0", "workload_kind": "StatefulSet",
        "workload": "db", "addresses": ["10.0.0.1"]});
    assert_eq!((whole, records), (false, vec![a.clone()]));
    assert_eq!(lab.ask(Some(&first)), (false, vec![], first.clone()));

    lab.put(&pod("b", "10.0.0.2", "Running"));
    lab.put(&pod("a", "10.0.0.1", "Running"));
    let (_, records, second) = lab.ask(Some(&first));
    assert_eq!(records.iter().map(|record| &record["id"]).collect::<Vec<_>>(), ["b"], "a is as it was");
    // The address goes from b to c: it is c's, whoever asks when.
    lab.put(&pod("b", "10.0.0.2", "Succeeded"));
    lab.put(&pod("c", "10.0.0.2", "Running"));
    let (_, records, third) = lab.ask(Some(&second));
    assert_eq!(records[0], json!({"gone": "pod", "id": "b"}));
    assert_eq!((&records[1]["id"], records.len()), (&json!("c"), 2));
    lab.pods.gone(pod("a", "10.0.0.1", "Running").as_bytes(), "a");
    assert_eq!(lab.ask(Some(&third)).1, [json!({"gone": "pod", "id": "a"})]);
    let (whole, records, _) = lab.ask(None);
    assert!(whole && records.len() == 1, "who knew nothing is not told who went: {records:?}");
    let all: Vec<Value> = lab.ask(Some(&first)).1;
    assert_eq!(all.len(), 3, "each once, as it is now: {all:?}");
}

#[test]
fn what_a_list_no_longer_has_is_gone() {
    let mut lab = lab();
    lab.own();
    lab.put(&pod("a", "10.0.0.1", "Running"));
    lab.put(&pod("b", "10.0.0.2", "Running"));
    let (_, _, token) = lab.ask(None);
    lab.pods.listed(&|uid| uid == "b", false);
    assert_eq!(lab.ask(Some(&token)).1, [json!({"gone": "pod", "id": "a"})]);
    let Lab { peers, pods, .. } = lab;
    drop(pods);
    assert_eq!(read(&peers.answer(&[], Ok(()), true)).1.len(), 0);
}

#[test]
fn services_nodes_and_the_api_server_are_told_too() {
    let mut lab = lab();
    lab.own();
    lab.put(&pod("a", "10.0.0.1", "Running"));
    let service = |name: &str, ip: &str| json!({"metadata": {"uid": name, "name": name, "namespace": "shop"}, "spec": {"clusterIP": ip, "ports": [{"nodePort": 31080}]}});
    let slice = |uid: &str, namespace: &str, service: &str, rest: &Value| {
        json!({"metadata": {"uid": uid, "namespace": namespace, "labels": {"kubernetes.io/service-name": service}},
            "endpoints": [rest], "ports": [{"port": 6443}]})
    };
    let _services =
        lab.other("services", &[service("db", "10.96.0.1"), service("mixed", "10.96.0.2"), service("none", "None")]);
    let _nodes = lab.other("nodes", &[json!({"metadata": {"uid": "n", "name": "worker"},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.168.0.1"}, {"type": "Hostname", "address": "w"}]}})]);
    let target = |uid: &str| json!({"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "uid": uid}});
    let slices = lab.other(
        "endpointslices",
        &[
            slice("s1", "shop", "db", &target("a")),
            slice("s2", "shop", "mixed", &target("a")),
            slice("s3", "shop", "mixed", &target("nobody-knows")),
            slice("s4", "default", "kubernetes", &json!({"addresses": ["192.168.0.2"]})),
        ],
    );
    let (_, records, token) = lab.ask(None);
    let by_id: BTreeMap<&str, &Value> = records.iter().map(|record| (record["id"].as_str().unwrap(), record)).collect();
    assert_eq!(by_id.keys().copied().collect::<Vec<_>>(), ["a", "db", "default/kubernetes", "mixed", "n"]);
    let db = json!({"set": "service", "id": "db", "namespace": "shop", "name": "db", "workload_kind": "StatefulSet",
        "workload": "db", "addresses": ["10.96.0.1"], "node_ports": [31080]});
    assert_eq!(by_id["db"], &db);
    assert_eq!(by_id["mixed"].get("workload"), None);
    assert_eq!(by_id["n"], &json!({"set": "node", "id": "n", "name": "worker", "addresses": ["192.168.0.1"]}));
    let api = json!({"set": "apiserver", "id": "default/kubernetes", "addresses": ["192.168.0.2"], "ports": [6443]});
    assert_eq!(by_id["default/kubernetes"], &api);
    slices.gone(b"{}", "s3");
    slices.gone(b"{}", "s4");
    let (_, records, _) = lab.ask(Some(&token));
    assert_eq!((&records[0]["id"], &records[0]["workload"]), (&json!("mixed"), &json!("db")));
    assert_eq!(records[1..], [json!({"gone": "apiserver", "id": "default/kubernetes"})]);
    let rest = read(&lab.peers.answer(&[], Ok(()), false)).1;
    assert_eq!(
        rest.iter().map(|record| &record["set"]).collect::<Vec<_>>(),
        ["pod"],
        "another shard tells of pods alone"
    );
}

#[test]
fn other_versions_tokens_and_times_are_told_apart() {
    let lab = lab();
    let query = |name: &str, value: &str| [(name.to_owned(), value.to_owned())];
    let reply = lab.peers.answer(&query("version", "2"), Ok(()), true);
    assert_eq!((reply.status, reply.body.as_slice()), (400, b"versions: 1\n".as_slice()));
    assert_eq!(lab.peers.answer(&query("version", "1"), Err("pods".to_owned()), true).status, 503);
    let (_, _, token) = lab.ask(None);
    let later = format!("{token}7");
    for token in ["", "x", "k3f9-0", "-0", &later] {
        assert!(lab.ask(Some(token)).0, "{token:?} gets everything");
    }
    assert!(!lab.ask(Some(&token)).0);
}

#[test]
fn what_went_long_ago_is_forgotten_and_then_all_is_told() {
    let mut state = State::default();
    let endpoint = || {
        read::node(br#"{"metadata":{"uid":"n"},"status":{"addresses":[{"type":"InternalIP","address":"::1"}]}}"#)
            .unwrap()
            .1
    };
    state.put(0, Kind::Node, "first", endpoint());
    state.refresh(&|_| None);
    let before = state.change();
    for number in 0..65_537 {
        state.put(0, Kind::Node, &format!("{number}"), endpoint());
    }
    state.refresh(&|_| None);
    state.sweep(0, &|uid| uid == "first");
    assert!(!state.knows(before) && state.knows(state.change()));
    let mut out = Vec::new();
    assert_eq!(state.write(None, false, &mut out), 1);
}
