//! What the API server says of pods, followed from the outside: by kubectl, not by the code that is proved.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::shapes::NAMESPACE;
use crate::cluster::Cluster;

/// What was ever said.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Uid on cgroups → names; a file can bear one uid under two names.
    pub(super) pods: BTreeMap<String, BTreeSet<String>>,
    /// Container id → pod and container. A kubelet asks the runtime by uid: of two pods that bear one, it says that the
    /// containers of the earlier are the later's until they are gone.
    pub(super) containers: BTreeMap<String, BTreeSet<(String, String)>>,
    /// Pod → all its containers.
    pub(super) names: BTreeMap<String, BTreeSet<String>>,
}

/// Follows until it is dropped.
pub(super) struct Following {
    truth: Arc<Mutex<Truth>>,
    over: Arc<AtomicBool>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
    }
}

impl Following {
    /// Starts to follow.
    pub(super) fn start(cluster: &Cluster) -> Self {
        let (truth, over) = (Arc::new(Mutex::new(Truth::default())), Arc::new(AtomicBool::new(false)));
        let following = Self { truth: Arc::clone(&truth), over: Arc::clone(&over) };
        let cluster = cluster.clone();
        std::thread::spawn(move || {
            while !over.load(Relaxed) {
                follow(&cluster, &truth, &over);
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        following
    }

    /// What was said so far.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Truth) -> T) -> T {
        look(&self.truth.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn follow(cluster: &Cluster, truth: &Mutex<Truth>, over: &AtomicBool) {
    let mut command = cluster.kubectl_command();
    command.args(["-n", NAMESPACE, "get", "pods", "--watch", "-o", "json"]).stdin(Stdio::null());
    let Ok(mut child) = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else { return };
    if let Some(out) = child.stdout.take() {
        let documents = serde_json::Deserializer::from_reader(std::io::BufReader::new(out));
        for pod in documents.into_iter::<Value>() {
            let (Ok(pod), false) = (pod, over.load(Relaxed)) else { break };
            truth.lock().unwrap_or_else(PoisonError::into_inner).take_in(&pod);
        }
    }
    child.kill().ok();
    child.wait().ok();
}

impl Truth {
    fn take_in(&mut self, pod: &Value) {
        let meta = &pod["metadata"];
        let annotations = &meta["annotations"];
        let uid = if annotations["kubernetes.io/config.mirror"].is_null() {
            &meta["uid"]
        } else {
            &annotations["kubernetes.io/config.hash"]
        };
        let (Some(uid), Some(name)) = (uid.as_str(), meta["name"].as_str()) else { return };
        self.pods.entry(uid.to_owned()).or_default().insert(name.to_owned());
        let spec = ["initContainers", "containers", "ephemeralContainers"].map(|list| pod["spec"][list].as_array());
        let names = spec.into_iter().flatten().flatten().filter_map(|container| container["name"].as_str());
        self.names.entry(name.to_owned()).or_default().extend(names.map(str::to_owned));
        let status = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];
        for container in status.map(|list| pod["status"][list].as_array()).into_iter().flatten().flatten() {
            let before = &container["lastState"]["terminated"]["containerID"];
            for id in [&container["containerID"], before].into_iter().filter_map(Value::as_str) {
                let id = id.rsplit("://").next().unwrap_or(id);
                if let Some(called) = container["name"].as_str().filter(|_| !id.is_empty()) {
                    self.containers.entry(id.to_owned()).or_default().insert((name.to_owned(), called.to_owned()));
                }
            }
        }
    }

    /// Containers that were said to be of more than one pod.
    pub(super) fn of_two(&self) -> usize {
        self.containers.values().filter(|of| of.len() > 1).count()
    }
}
