//! Pods of this node: containers, workloads, owners' labels. From a watch at the API server or from the kubelet. The
//! only module that assigns a workload to a container.
//!
//! A scrape never waits for this: samples have what is known at the time. Without Kubernetes everything else works.

mod book;
mod object;
mod rules;
mod setup;
mod watch;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use daemon::Outage;
use kubernetes::{
    Access, Load, OwnerKind, Wanted, WorkloadRef, access,
    rbac::{self, Rules},
};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

pub use self::book::{Amounts, Container, Pod};
use self::book::{Asked, Book};
pub use crate::ids::PodName;
use crate::{config, ids::PodUid};

/// The kind of workloads that are no matter of Kubernetes: cgroups.
pub const CGROUP: &str = "cgroup";
/// How long a container waits for its pod, and a pod for its owners, before what is known by then counts, in seconds.
const OWNER_SECONDS: f64 = 30.0;

/// Sources of pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sources {
    /// The API server.
    server: Option<Access>,
    /// The kubelet's address, and whether any certificate will do.
    kubelet: Option<(String, bool)>,
    /// The node whose pods are watched.
    node: String,
}

/// The pods of this node. Clones are the same.
#[derive(Clone, Debug)]
pub struct Pods(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    book: Mutex<Book>,
    health: Mutex<Health>,
    server: Arc<Load>,
    kubelet: Arc<Load>,
    /// Grows with each change of the book.
    changes: AtomicU64,
    /// There are owners to ask for.
    wants: Notify,
    /// Somebody asked for a pod that is not known.
    missed: Notify,
    /// The thread that asks, and what it asks.
    asking: Mutex<Option<(Asking, Sources)>>,
    /// What is asked for is new.
    started: Mutex<Instant>,
}

/// A thread that asks servers. It ends when this is dropped.
#[derive(Debug)]
struct Asking {
    _stop: oneshot::Sender<()>,
}

/// State of the watch.
#[derive(Clone, Debug, Default)]
struct Health {
    /// Why nothing is watched.
    off: Option<String>,
    /// When a server last said something of the pods.
    heard: Option<Instant>,
    /// Which one.
    by: &'static str,
    trouble: Option<String>,
    outage: Outage,
    /// Pods may be listed and not watched, which was said.
    is_unwatched: bool,
}

/// Figures for self-telemetry.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Why nothing is watched; `None` while something is.
    pub off: Option<String>,
    /// Time since a server last answered; `None` if none ever did.
    pub age: Option<Duration>,
    /// The server that answered: `api` or `kubelet`.
    pub by: &'static str,
    /// Pods that exist.
    pub pods: usize,
    /// Owners that are known.
    pub owners: usize,
    /// By server: requests, of them failed, bytes.
    pub load: [(&'static str, [u64; 3]); 2],
}

/// A container's pod, as it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The pod's uid, from the cgroup's path.
    pub uid: PodUid<&'a str>,
    /// Its name by the container's bundle, if that was read.
    pub named: Option<PodName<&'a str>>,
    /// For how long the container has been known, in seconds.
    pub age: f64,
    /// Whether it is gone.
    pub gone: bool,
}

impl Default for Pods {
    fn default() -> Self {
        Self::none("not set up")
    }
}

impl Pods {
    /// Knows nothing, for this reason, until it is set up.
    pub fn none(reason: &str) -> Self {
        let health = Health { off: Some(reason.to_owned()), ..Health::default() };
        Self(Arc::new(Shared {
            book: Mutex::new(Book::new("", Asked::default())),
            health: Mutex::new(health),
            server: Arc::default(),
            kubelet: Arc::default(),
            changes: AtomicU64::new(0),
            wants: Notify::new(),
            missed: Notify::new(),
            asking: Mutex::new(None),
            started: Mutex::new(Instant::now()),
        }))
    }

    /// Whether pods are learnt from anybody.
    pub fn is_on(&self) -> bool {
        self.0.health.lock().off.is_none()
    }

    /// The workload of a container. `None` while that may still become known.
    ///
    /// Without Kubernetes, and for pods of which nobody knows the owner, a pod is a workload of its own.
    pub fn workload_of(&self, ask: Ask<'_>) -> Option<WorkloadRef> {
        let own = |PodName { namespace, name }: PodName<&str>| WorkloadRef {
            namespace: namespace.into(),
            name: name.into(),
            kind: "Pod",
        };
        let nameless = || ask.gone.then(|| own(PodName { namespace: "", name: ask.uid.0 }));
        if !self.is_on() {
            return ask.named.map(own).or_else(nameless);
        }
        let waited = ask.age.min(self.0.started.lock().elapsed().as_secs_f64());
        {
            let book = self.0.book.lock();
            // The same uid can be that of another pod by now, if it comes from a file.
            let pod = book.pod(ask.uid).filter(|pod| ask.named.is_none_or(|named| named == pod.called()));
            if let Some(pod) = pod.filter(|pod| pod.is_sure || waited >= OWNER_SECONDS) {
                return Some(pod.workload.clone());
            }
            if pod.is_none() {
                self.0.missed.notify_one();
            }
        }
        if waited < OWNER_SECONDS { None } else { ask.named.map(own).or_else(nameless) }
    }

    /// Calls `look` with the pod that has this uid on its cgroups.
    pub fn with_pod<T>(&self, uid: PodUid<&str>, look: impl FnOnce(&Pod) -> T) -> Option<T> {
        self.0.book.lock().pod(uid).map(look)
    }

    /// The workload of the pod of this node that has this address.
    pub fn at(&self, address: &IpAddr) -> Option<WorkloadRef> {
        self.0.book.lock().at(address).map(|pod| pod.workload.clone())
    }

    /// Shows each pod that is there, with whom its workload belongs to.
    pub fn each(&self, mut look: impl FnMut(&Pod, &[&str])) {
        let book = self.0.book.lock();
        for pod in book.pods() {
            look(pod, &book.contacts(pod));
        }
    }

    /// Names of the labels that are asked for: of pods, and of whom workloads belong to.
    pub fn label_names(&self) -> [Vec<String>; 2] {
        let book = self.0.book.lock();
        let names = |wanted: &[Wanted]| wanted.iter().map(|wanted| wanted.label.clone()).collect();
        [names(&book.asked().labels), names(&book.asked().contacts)]
    }

    /// Grows whenever something is learnt.
    pub fn changes(&self) -> u64 {
        self.0.changes.load(Relaxed)
    }

    /// Figures for self-telemetry.
    pub fn figures(&self) -> Figures {
        let Health { off, heard, by, .. } = self.0.health.lock().clone();
        let (pods, owners) = {
            let book = self.0.book.lock();
            (book.pods().count(), book.owners())
        };
        let load = |load: &Load| [&load.requests, &load.failed, &load.bytes].map(|count| count.load(Relaxed));
        Figures {
            off,
            age: heard.map(|heard| heard.elapsed()),
            by,
            pods,
            owners,
            load: [("api", load(&self.0.server)), ("kubelet", load(&self.0.kubelet))],
        }
    }

    fn heard(&self, by: &'static str) {
        let mut health = self.0.health.lock();
        health.heard = Some(Instant::now());
        health.by = by;
        if let Some(trouble) = health.trouble.take() {
            health.outage.end();
            tracing::info!(by, trouble, "watching the pods of this node works again");
        }
    }

    fn unwatched(&self, trouble: &str) {
        if !std::mem::replace(&mut self.0.health.lock().is_unwatched, true) {
            tracing::warn!(
                error = trouble,
                "the API server refuses to let pods be watched; listing them each minute; --print-rbac prints the rights that are needed"
            );
        }
    }

    fn trouble(&self, from: &'static str, trouble: &str) {
        let mut health = self.0.health.lock();
        if health.outage.note(trouble) {
            tracing::warn!(from, error = trouble, "cannot list or watch the pods of this node; known pods are kept");
        }
        health.trouble = Some(trouble.to_owned());
    }

    fn change(&self, change: impl FnOnce(&mut Book)) {
        let wants = {
            let mut book = self.0.book.lock();
            change(&mut book);
            !book.wanted().is_empty()
        };
        self.0.changes.fetch_add(1, Relaxed);
        if wants {
            self.0.wants.notify_one();
        }
    }
}

/// Servers to ask; the error says why there are none.
fn sources(config: &config::Kubernetes) -> Result<Sources, String> {
    let config::Kubernetes { disable, node, kubeconfig, kubelet, .. } = config;
    if *disable {
        return Err("switched off by kubernetes.disable".to_owned());
    }
    let kubeconfig = Some(kubeconfig).filter(|path| !path.as_os_str().is_empty()).cloned();
    let server = (kubeconfig.is_some() || access::is_in_cluster()).then(|| Access::api_server(kubeconfig, None));
    let kubelet = (!kubelet.url.is_empty()).then(|| (kubelet.url.clone(), kubelet.insecure));
    if server.is_none() && kubelet.is_none() {
        return Err("this is no pod with a service account; kubernetes.kubeconfig or kubernetes.kubelet.url names a \
                    server to ask"
            .to_owned());
    }
    if server.is_some() && node.is_empty() {
        return Err("kubernetes.node does not say which node this is: NODE_NAME sets it from spec.nodeName".to_owned());
    }
    Ok(Sources { server, kubelet, node: node.clone() })
}

/// Why nobody can be asked with these options, if so.
pub fn off(config: &config::Kubernetes) -> Option<String> {
    sources(config).err()
}

fn asked(config: &config::Kubernetes) -> Asked {
    let read = |texts: &[String]| Wanted::parse_all(texts).unwrap_or_default();
    let contacts = read(&config.owner_labels);
    let further = config.workload_kinds.iter().filter_map(|text| OwnerKind::parse(text));
    let namespaces = (!contacts.is_empty()).then(OwnerKind::namespaces);
    let kinds = OwnerKind::known().chain(further).chain(namespaces).collect();
    Asked { kinds, labels: read(&config.pod_labels), contacts }
}

/// Checks the options. The error is the key and the message.
pub fn check(config: &config::Kubernetes) -> Result<(), (&'static str, String)> {
    for (key, texts) in [("pod_labels", &config.pod_labels), ("owner_labels", &config.owner_labels)] {
        if let Err(text) = Wanted::parse_all(texts) {
            let how = "it is written label=key or label=annotation:key, each label once";
            return Err((key, format!("cannot read {text:?}: {how}")));
        }
    }
    if let Some(text) = config.workload_kinds.iter().find(|text| OwnerKind::parse(text).is_none()) {
        return Err(("workload_kinds", format!("cannot read {text:?}: it is written TaskRun=taskruns.v1.tekton.dev")));
    }
    // In a pod, the files of the service account are not the user's to choose.
    if !config.disable && !config.kubeconfig.as_os_str().is_empty() {
        let access = Access::api_server(Some(config.kubeconfig.clone()), None);
        access.check().map_err(|error| ("kubeconfig", daemon::chain(&error)))?;
    }
    Ok(())
}

/// The rights that a configuration needs in the cluster.
pub fn rights(config: &config::Kubernetes) -> Rules {
    let mut rights = Rules::default();
    rights.allow("", "pods", rbac::WATCH);
    for kind in asked(config).kinds {
        rights.allow(&kind.group, &kind.plural, rbac::GET);
    }
    if !config.kubelet.url.is_empty() {
        rights.allow("", "nodes/proxy", rbac::GET);
    }
    rights
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Asked, Book, Instant, Pod, PodName, object};

    /// A pod as a server would tell it.
    pub(crate) fn told(json: &str) -> Pod {
        let object: object::Pod<'_> = serde_json::from_str(json).unwrap();
        let mut book = Book::new("node-1", Asked::default());
        book.put(&object, Instant::now());
        book.pods().next().cloned().unwrap()
    }

    #[test]
    fn books_of_before_have_pairs_where_these_have_names() {
        let name = PodName { namespace: "shop".to_owned(), name: "web-0".to_owned() };
        assert_eq!(serde_json::from_str::<PodName>(r#"["shop","web-0"]"#).unwrap(), name);
        assert_eq!(serde_json::from_str::<PodName>(&serde_json::to_string(&name).unwrap()).unwrap(), name);
    }
}
