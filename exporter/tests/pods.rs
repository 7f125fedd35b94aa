//! Pods of a node and addresses of a cluster, learnt from servers on the loopback device that also go wrong.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use kernfs::{Budget, Host, Reader};
use kubernetes::WorkloadRef;
use metric::Batch;
use tempfile::TempDir;
use testkit::{ApiServer, wait_for};
use yagura_exporter::{
    config::{Kubelet, Kubernetes, Peers as PeerOptions},
    identity::{Ask, Layout, Peers, Pods, Tree, peers::Found, pods::PodName},
    ids::{ContainerId, PodUid},
};

const PODS: &str = "/api/v1/pods";
const SOON: Duration = Duration::from_secs(20);

fn wait_until(what: &str, within: Duration, is_so: impl Fn() -> bool) {
    assert!(wait_for(within, || is_so().then_some(())).is_some(), "waited for {what}");
}

struct Lab {
    server: ApiServer,
    folder: TempDir,
}

impl Lab {
    fn start() -> Self {
        Self { server: ApiServer::start().unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    fn options(&self) -> Kubernetes {
        let path = self.folder.path().join("kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
             clusters: [{{name: a, cluster: {{server: \"{}\"}}}}]\nusers: [{{name: a, user: {{token: secret}}}}]\n",
            self.server.url()
        );
        fs::write(&path, text).unwrap();
        Kubernetes { kubeconfig: path, node: "node-1".into(), ..Kubernetes::default() }
    }
}

fn pod(uid: &str, name: &str, owner: &str, container: &str) -> String {
    let (kind, of) = owner.split_once('/').unwrap();
    let version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    format!(
        r#"{{"kind":"Pod","metadata":{{"name":"{name}","namespace":"shop","uid":"{uid}","resourceVersion":"0",
        "labels":{{"pod-template-hash":"5d8c"}},
        "ownerReferences":[{{"apiVersion":"{version}","kind":"{kind}","name":"{of}","uid":"o","controller":true}}]}},
        "spec":{{"containers":[{{"name":"main","image":"box"}}]}},
        "status":{{"phase":"Running","podIP":"10.0.0.7",
        "containerStatuses":[{{"name":"main","containerID":"containerd://{container}"}}]}}}}"#
    )
    .replace('\n', " ")
}

fn ask(pods: &Pods, uid: &str) -> Option<(String, &'static str)> {
    let ask = Ask { uid: PodUid(uid), named: None, age: 0.0, gone: false };
    pods.workload_of(ask).map(|WorkloadRef { name, kind, .. }| (name.to_string(), kind))
}

fn belongs(pods: &Pods, uid: &str, name: &str, kind: &'static str) {
    wait_until(&format!("{uid} to belong to {kind}/{name}"), SOON, || ask(pods, uid) == Some((name.to_owned(), kind)));
}

#[test]
fn pods_are_learnt_as_they_come_and_stay_known_while_the_server_is_away() {
    let lab = Lab::start();
    lab.server.put(PODS, "u1", &pod("u1", "web-5d8c-x", "ReplicaSet/web-5d8c", "c1"));
    let pods = Pods::default();
    pods.set_up(&lab.options());
    belongs(&pods, "u1", "web", "Deployment");
    lab.server.put(PODS, "u2", &pod("u2", "db-0", "StatefulSet/db", "c2"));
    belongs(&pods, "u2", "db", "StatefulSet");
    assert_eq!(
        pods.with_pod(PodUid("u2"), |pod| pod.container(ContainerId("c2")).map(|c| c.name.to_string())),
        Some(Some("main".into()))
    );
    assert_eq!(lab.server.requests("fieldSelector=spec.nodeName%3Dnode-1"), 2, "one list and one watch");

    lab.server.hang_up();
    lab.server.put(PODS, "u3", &pod("u3", "agent-1", "DaemonSet/agent", "c3"));
    belongs(&pods, "u3", "agent", "DaemonSet");
    assert_eq!(lab.server.requests("resourceVersion=0"), 1, "a watch that broke off goes on where it was");

    lab.server.remove(PODS, "u1");
    wait_until("one pod less", SOON, || pods.figures().pods == 2);
    assert_eq!(ask(&pods, "u1"), Some(("web".into(), "Deployment")), "its containers may be counted late");

    lab.server.go_down();
    wait_until("age", SOON, || pods.figures().age.is_some_and(|age| age > Duration::from_secs(2)));
    assert_eq!(ask(&pods, "u2"), Some(("db".into(), "StatefulSet")));
    lab.server.compact();
    lab.server.put(PODS, "u4", &pod("u4", "once-x", "Job/once", "c4"));
    lab.server.come_up();
    wait_until("the new pod", Duration::from_mins(1), || ask(&pods, "u4") == Some(("once".into(), "Job")));
    wait_until("news", SOON, || pods.figures().age.is_some_and(|age| age < Duration::from_secs(2)));
}

/// What containers of the tree are called that have rows.
fn called(tree: &mut Tree, reader: &mut Reader) -> Vec<String> {
    tree.refresh(reader, Instant::now());
    tree.as_cadvisor(&mut Batch::default());
    let shown = tree.groups().filter(|group| group.container_id().is_some() && group.cadvisor.is_some());
    shown.map(|group| group.labels.container.clone()).collect()
}

#[test]
fn a_container_whose_bundle_is_gone_has_no_rows_until_kubernetes_tells_which_it_is() {
    let lab = Lab::start();
    let (uid, id) = ("0be89d38-a6f9-406a-b287-22e5eeb1dd0c", "8".repeat(64));
    let root = tempfile::tempdir().unwrap();
    for name in ["proc/1", "sys", "rootfs", &format!("cgroup/kubepods/pod{uid}/{id}")] {
        fs::create_dir_all(root.path().join(name)).unwrap();
    }
    fs::write(root.path().join("cgroup/cgroup.controllers"), "cpu memory\n").unwrap();
    let host = Arc::new(Host::below(root.path()).unwrap());
    let mut reader = Reader::default();
    let layout = Arc::new(Layout::find(&host, &mut reader).unwrap());
    let new = || Tree::new(Arc::clone(&host), Arc::clone(&layout), Budget::new(100)).unwrap();
    assert_eq!(called(&mut new(), &mut reader), [""], "nobody tells, so what there is is shown");

    let pods = Pods::default();
    pods.set_up(&lab.options());
    let mut tree = new().with_pods(&pods);
    assert!(called(&mut tree, &mut reader).is_empty());
    lab.server.put(PODS, uid, &pod(uid, "web-5d8c-x", "ReplicaSet/web-5d8c", &id));
    wait_until("the pod", SOON, || {
        pods.with_pod(PodUid(uid), |pod| pod.container(ContainerId(&id)).is_some()) == Some(true)
    });
    assert_eq!(called(&mut tree, &mut reader), ["main"]);
    lab.server.remove(PODS, uid);

    let nobody = Pods::default();
    nobody.set_up(&Lab::start().options());
    let mut tree = new().with_pods(&nobody);
    let shown = (0..10).position(|_| !called(&mut tree, &mut reader).is_empty());
    assert_eq!(shown, Some(4), "what is never told is shown in the end");
}

#[test]
fn owners_are_asked_for_once_each_and_refusals_end_the_chain() {
    let lab = Lab::start();
    let path = "/apis/apps/v1/namespaces/shop/statefulsets/db";
    let owner = r#"{"apiVersion":"db.example/v1","kind":"Cluster","name":"main","uid":"x","controller":true}"#;
    lab.server.answer(path, &format!(r#"{{"metadata":{{"name":"db","ownerReferences":[{owner}]}}}}"#));
    lab.server.behave(|behaviour| {
        behaviour.missing.push("/apis/batch/v1/namespaces/shop/jobs/tidy-29700000".into());
    });
    for (uid, name) in [("u1", "db-0"), ("u2", "db-1")] {
        lab.server.put(PODS, uid, &pod(uid, name, "StatefulSet/db", uid));
    }
    lab.server.put(PODS, "u3", &pod("u3", "tidy-29700000-x", "Job/tidy-29700000", "c3"));
    let pods = Pods::default();
    pods.set_up(&lab.options());
    belongs(&pods, "u1", "main", "Cluster");
    belongs(&pods, "u2", "main", "Cluster");
    belongs(&pods, "u3", "tidy", "CronJob");
    assert_eq!(lab.server.requests(path), 1);
}

#[test]
fn the_kubelet_stands_in_while_the_api_server_is_silent() {
    let lab = Lab::start();
    let kubelet = ApiServer::start().unwrap();
    kubelet.answer(
        "/pods",
        &format!(r#"{{"kind":"PodList","items":[{}]}}"#, pod("u9", "agent-9", "DaemonSet/agent", "c9")),
    );
    lab.server.go_down();
    let pods = Pods::default();
    let with = Kubernetes { kubelet: Kubelet { url: kubelet.url(), insecure: false }, ..lab.options() };
    pods.set_up(&with);
    wait_until("the kubelet's pods", SOON, || pods.with_pod(PodUid("u9"), |pod| pod.name.to_string()).is_some());
    assert_eq!(pods.figures().by, "kubelet");
    // Nobody can be asked who owns the DaemonSet, so what is known is not the last word yet.
    assert_eq!(ask(&pods, "u9"), None);
    lab.server.put(PODS, "u9", &pod("u9", "agent-9", "DaemonSet/agent", "c9"));
    lab.server.come_up();
    wait_until("the API server's word", Duration::from_mins(1), || {
        ask(&pods, "u9") == Some(("agent".into(), "DaemonSet"))
    });

    let alone = Pods::default();
    alone.set_up(&Kubernetes { kubelet: Kubelet { url: kubelet.url(), insecure: false }, ..Kubernetes::default() });
    wait_until("a kubelet alone", SOON, || alone.figures().pods == 1);
}

#[test]
fn without_a_server_pods_are_known_by_their_bundles() {
    let pods = Pods::default();
    pods.set_up(&Kubernetes::default());
    let off = pods.figures().off.expect("nobody to ask");
    assert!(off.contains("kubernetes.kubeconfig"), "{off}");
    let ask =
        Ask { uid: PodUid("u"), named: Some(PodName { namespace: "shop", name: "web-0" }), age: 0.0, gone: false };
    let workload = pods.workload_of(ask).expect("at once");
    assert_eq!((&*workload.namespace, &*workload.name, workload.kind), ("shop", "web-0", "Pod"));
    assert!(pods.workload_of(Ask { named: None, ..ask }).is_none(), "its bundle may be read later");
    assert!(pods.workload_of(Ask { named: None, gone: true, ..ask }).is_some());
    pods.set_up(&Kubernetes { kubeconfig: "/none".into(), ..Kubernetes::default() });
    assert!(pods.figures().off.expect("no node").contains("NODE_NAME"));
}

#[test]
fn addresses_of_the_cluster_are_asked_for_with_the_last_token() {
    let server = ApiServer::start().unwrap();
    let lines = [
        r#"{"peers":1,"whole":true}"#,
        r#"{"set":"pod","id":"1","namespace":"shop","name":"db-0","workload_kind":"StatefulSet","workload":"db","addresses":["10.9.9.9"]}"#,
        r#"{"end":{"token":"k3/1","records":1}}"#,
        "",
    ];
    server.answer("/peers", &lines.join("\n"));
    let peers = Peers::new(&Pods::default());
    let find = |address: &str| {
        let Found { who, is_sure } = peers.find(address.parse().unwrap(), 5432, None);
        (who.kind, who.name.to_string(), is_sure)
    };
    peers.set_up(&PeerOptions { url: vec![server.url()], ..PeerOptions::default() }, "node-1");
    wait_until("the pod's address", SOON, || find("10.9.9.9") == ("workload", "db".into(), true));
    assert_eq!(find("10.9.9.8"), ("private", String::new(), false), "it may be told in a moment");
    wait_until("the next question", Duration::from_secs(40), || server.requests("since=k3%2F1") == 1);
    assert_eq!(peers.figures().records, 1);
}
