use serde::Deserialize as _;
use serde_json::{Value, json};

use super::*;

fn object(value: &Value) -> object::Pod<'static> {
    object::Pod::deserialize(value.clone()).unwrap()
}

fn pod(uid: &str, name: &str, owner: Option<(&str, &str, &str)>) -> Value {
    let owners: Vec<Value> = owner
        .iter()
        .map(|(version, kind, name)| {
            json!({"apiVersion": version, "kind": kind, "name": name, "uid": "o", "controller": true})
        })
        .collect();
    json!({
        "metadata": {"uid": uid, "namespace": "shop", "name": name, "ownerReferences": owners},
        "spec": {"containers": [{"name": "main", "image": "box:1"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.9"},
    })
}

fn book() -> Book {
    Book::new("node-1", Asked { kinds: OwnerKind::known().collect(), ..Asked::default() })
}

fn workload(book: &Book, uid: &str) -> (&'static str, String, bool) {
    let pod = book.pod(PodUid(uid)).unwrap();
    (pod.workload.kind, pod.workload.name.to_string(), pod.is_sure)
}

/// Tells owners as long as some are asked for: by path, the metadata or nothing.
fn tell(book: &mut Book, owners: &[(&str, Value)]) -> Vec<String> {
    let mut asked = Vec::new();
    while let Some((key, path)) = book.wanted().into_iter().next() {
        let told = match owners.iter().find(|(known, _)| *known == path) {
            Some((_, meta)) => Told::Is(Sub::deserialize(meta.clone()).unwrap()),
            None => Told::Missing,
        };
        asked.push(path);
        book.learn(key, &told);
    }
    asked
}

fn owned_by(version: &str, kind: &str, name: &str) -> Value {
    json!({"ownerReferences": [{"apiVersion": version, "kind": kind, "name": name, "controller": true}]})
}

#[test]
fn a_pod_belongs_to_the_top_of_its_owners() {
    let now = Instant::now();
    let mut book = book();
    let mut web = pod("u1", "web-5d8c-x", Some(("apps/v1", "ReplicaSet", "web-5d8c")));
    web["metadata"]["labels"] = json!({"pod-template-hash": "5d8c"});
    book.put(&object(&web), now);
    assert_eq!(workload(&book, "u1"), ("Deployment", "web".into(), false), "something may own the Deployment");
    assert_eq!(
        tell(&mut book, &[("/apis/apps/v1/namespaces/shop/deployments/web", json!({}))]),
        ["/apis/apps/v1/namespaces/shop/deployments/web"]
    );
    assert_eq!(workload(&book, "u1"), ("Deployment", "web".into(), true));

    book.put(&object(&pod("u2", "db-0", Some(("apps/v1", "StatefulSet", "db")))), now);
    tell(&mut book, &[("/apis/apps/v1/namespaces/shop/statefulsets/db", owned_by("db.example/v1", "Cluster", "main"))]);
    assert_eq!(workload(&book, "u2"), ("Cluster", "main".into(), true), "an operator's");

    book.put(&object(&pod("u3", "odd-1", Some(("odd.example/v1", "Odd", "odd")))), now);
    assert_eq!(workload(&book, "u3"), ("Odd", "odd".into(), true), "nobody can be asked");
    book.put(&object(&pod("u4", "lone", None)), now);
    assert_eq!(workload(&book, "u4"), ("Pod", "lone".into(), true));
}

#[test]
fn a_second_pod_of_a_workload_asks_nobody() {
    let now = Instant::now();
    let mut book = book();
    for uid in ["a", "b"] {
        book.put(&object(&pod(uid, uid, Some(("apps/v1", "DaemonSet", "agent")))), now);
        let asked = tell(&mut book, &[("/apis/apps/v1/namespaces/shop/daemonsets/agent", json!({}))]);
        assert_eq!(asked.len(), usize::from(uid == "a"));
        assert_eq!(workload(&book, uid), ("DaemonSet", "agent".into(), true));
    }
}

#[test]
fn a_job_that_is_gone_is_told_by_its_name() {
    let now = Instant::now();
    let mut book = book();
    book.put(&object(&pod("u1", "tidy-29700000-x", Some(("batch/v1", "Job", "tidy-29700000")))), now);
    book.put(&object(&pod("u2", "once-x", Some(("batch/v1", "Job", "once")))), now);
    tell(&mut book, &[]);
    assert_eq!(workload(&book, "u1"), ("CronJob", "tidy".into(), true));
    assert_eq!(workload(&book, "u2"), ("Job", "once".into(), true));
    book.put(&object(&pod("u3", "hand-29700000-x", Some(("batch/v1", "Job", "hand-29700000")))), now);
    tell(&mut book, &[("/apis/batch/v1/namespaces/shop/jobs/hand-29700000", json!({}))]);
    assert_eq!(workload(&book, "u3"), ("Job", "hand-29700000".into(), true), "made by hand, and there to say so");
}

#[test]
fn a_static_pod_goes_by_the_uid_of_its_file() {
    let now = Instant::now();
    let mut book = book();
    let mirror = |uid: &str| {
        let mut mirror = pod(uid, "etcd-node-1", Some(("v1", "Node", "node-1")));
        mirror["metadata"]["annotations"] =
            json!({"kubernetes.io/config.mirror": "f00d", "kubernetes.io/config.hash": "f00d"});
        object(&mirror)
    };
    book.put(&mirror("old"), now);
    assert_eq!(workload(&book, "f00d"), ("Node", "node-1".into(), true));
    // The mirror is made anew, and the end of the one before is told late.
    book.put(&mirror("new"), now);
    book.removed(&mirror("old"), now);
    assert_eq!(book.pods().count(), 1);
    book.removed(&mirror("new"), now);
    assert_eq!(book.pods().count(), 0);
    assert!(book.pod(PodUid("f00d")).is_some(), "what its containers did may be told late");

    let mut file = pod("beef", "proxy-node-1", None);
    file["metadata"]["annotations"] = json!({"kubernetes.io/config.source": "file"});
    book.put(&object(&file), now);
    assert_eq!(workload(&book, "beef"), ("Node", "node-1".into(), true), "as the kubelet tells it");
}

#[test]
fn a_container_is_known_by_its_id_and_by_the_one_before() {
    let now = Instant::now();
    let mut book = book();
    let mut with = pod("u1", "a", None);
    let status = |id: &str, last: &str| {
        json!([{"name": "main", "containerID": format!("containerd://{id}"), "image": "docker.io/box:1",
            "lastState": {"terminated": {"containerID": format!("containerd://{last}")}}}])
    };
    book.put(&object(&with), now);
    assert!(book.pod(PodUid("u1")).unwrap().container(ContainerId("11")).is_none(), "the status is late");
    with["status"]["containerStatuses"] = status("11", "");
    book.put(&object(&with), now);
    with["status"]["containerStatuses"] = status("22", "");
    book.put(&object(&with), now);
    let known = |book: &Book, id: &str| {
        book.pod(PodUid("u1")).unwrap().container(ContainerId(id)).map(|c| (c.name.clone(), c.image.clone()))
    };
    for id in ["11", "22"] {
        assert_eq!(known(&book, id), Some(("main".into(), "docker.io/box:1".into())), "{id}");
    }
    with["status"]["containerStatuses"] = json!([]);
    book.put(&object(&with), now);
    assert!(known(&book, "22").is_some(), "a status can lose it again");
}

#[test]
fn an_address_is_that_of_the_pod_that_runs() {
    let now = Instant::now();
    let address: IpAddr = "10.0.0.9".parse().unwrap();
    let mut book = book();
    let mut first = pod("u1", "a", None);
    book.put(&object(&first), now);
    assert_eq!(book.at(&address).map(|pod| &*pod.name), Some("a"));
    first["status"]["phase"] = json!("Succeeded");
    book.put(&object(&first), now);
    assert!(book.at(&address).is_none(), "it may be another's by now");
    book.put(&object(&pod("u2", "b", None)), now);
    book.removed(&object(&first), now);
    assert_eq!(book.at(&address).map(|pod| &*pod.name), Some("b"));
    let mut host = pod("u3", "c", None);
    host["spec"]["hostNetwork"] = json!(true);
    book.put(&object(&host), now);
    assert_eq!(book.at(&address).map(|pod| &*pod.name), Some("b"), "the node's is nobody's");
}

#[test]
fn what_is_not_listed_is_gone_and_forgotten_after_a_while() {
    let now = Instant::now();
    let mut book = book();
    book.put(&object(&pod("u1", "a", Some(("apps/v1", "DaemonSet", "agent")))), now);
    tell(&mut book, &[]);
    assert_eq!(book.owners(), 1);
    book.replace([&object(&pod("u2", "b", None))], now);
    assert_eq!(book.pods().map(|pod| &*pod.name).collect::<Vec<_>>(), ["b"]);
    assert!(book.pod(PodUid("u1")).is_some());
    book.sweep(now + KEEP + Duration::from_secs(1));
    assert!(book.pod(PodUid("u1")).is_none() && book.owners() == 0);
}

#[test]
fn whom_a_workload_belongs_to_is_said_by_the_nearest_who_says_it() {
    let now = Instant::now();
    let contacts = Wanted::parse_all(&["team=team".to_owned(), "pager=annotation:pager".to_owned()]).unwrap();
    let kinds = OwnerKind::known().chain([OwnerKind::namespaces()]).collect();
    let mut book = Book::new("node-1", Asked { kinds, contacts, ..Asked::default() });
    let mut with = pod("u1", "a", Some(("apps/v1", "DaemonSet", "agent")));
    with["metadata"]["labels"] = json!({"team": "of the pod"});
    book.put(&object(&with), now);
    let of =
        |book: &Book| book.contacts(book.pod(PodUid("u1")).unwrap()).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(of(&book), ["of the pod", ""]);
    let namespace = json!({"labels": {"team": "of the namespace"}, "annotations": {"pager": "+81"}});
    let agent = json!({"labels": {"team": "of the set"}});
    let asked = tell(
        &mut book,
        &[("/apis/apps/v1/namespaces/shop/daemonsets/agent", agent), ("/api/v1/namespaces/shop", namespace)],
    );
    assert_eq!(asked.len(), 2);
    assert_eq!(of(&book), ["of the set", "+81"]);
}

#[test]
fn what_a_container_may_have_is_read() {
    let now = Instant::now();
    let mut book = book();
    let mut with = pod("u1", "a", None);
    with["spec"]["containers"][0]["resources"] =
        json!({"requests": {"cpu": "250m", "memory": "64Mi"}, "limits": {"cpu": "1"}});
    with["spec"]["initContainers"] = json!([{"name": "prepare"}, {"name": "mesh", "restartPolicy": "Always"}]);
    book.put(&object(&with), now);
    let pod = book.pod(PodUid("u1")).unwrap();
    let main = pod.containers.iter().find(|container| &*container.name == "main").unwrap();
    let amounts = Amounts {
        cpu_request: Some(0.25),
        cpu_limit: Some(1.0),
        memory_request: Some(67_108_864.0),
        memory_limit: None,
    };
    assert_eq!(main.amounts, amounts);
    let lasting: Vec<&str> = pod.containers.iter().filter(|c| c.lasts).map(|c| &*c.name).collect();
    assert_eq!(lasting, ["mesh", "main"]);
}

#[test]
fn owners_that_own_each_other_end() {
    let now = Instant::now();
    let mut book = book();
    book.put(&object(&pod("u1", "a", Some(("apps/v1", "ReplicaSet", "x")))), now);
    tell(
        &mut book,
        &[
            ("/apis/apps/v1/namespaces/shop/replicasets/x", owned_by("apps/v1", "Deployment", "y")),
            ("/apis/apps/v1/namespaces/shop/deployments/y", owned_by("apps/v1", "ReplicaSet", "x")),
        ],
    );
    assert!(book.pod(PodUid("u1")).unwrap().is_sure);
}

#[test]
fn an_owner_that_was_refused_is_asked_for_again_and_its_pods_are_placed_anew() {
    let now = Instant::now();
    let mut book = book();
    for (uid, job) in [("u1", "a"), ("u2", "b")] {
        book.put(&object(&pod(uid, &format!("{job}-x"), Some(("batch/v1", "Job", job)))), now);
    }
    while let Some((key, _)) = book.wanted().into_iter().next() {
        book.learn(key, &Told::Refused);
    }
    assert_eq!((workload(&book, "u1"), workload(&book, "u2")), (("Job", "a".into(), true), ("Job", "b".into(), true)));
    book.ask_refused_again();
    assert_eq!(book.wanted().len(), 1, "one of a kind says whether the right is there");
    let nightly = || owned_by("batch/v1", "CronJob", "nightly");
    let jobs = [
        ("/apis/batch/v1/namespaces/shop/jobs/a", nightly()),
        ("/apis/batch/v1/namespaces/shop/jobs/b", nightly()),
        ("/apis/batch/v1/namespaces/shop/cronjobs/nightly", json!({})),
    ];
    tell(&mut book, &jobs);
    for uid in ["u1", "u2"] {
        assert_eq!(workload(&book, uid), ("CronJob", "nightly".into(), true));
    }
    book.ask_refused_again();
    assert!(book.wanted().is_empty());
}
