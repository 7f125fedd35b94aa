//! The pods that the comparison looks at: every shape that changes what a node shows of a container.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::fs::{FileType, Mode};
use serde_json::Value;

use crate::cluster::{BOX_IMAGE, Cluster, NODE};
use crate::{places, process};

/// Their namespace; deleted afterwards with all that is in it.
pub(super) const NAMESPACE: &str = "parity";

/// A busy loop that leaves time for others.
const BUSY: &str = "while :; do md5sum /bin/busybox >/dev/null; sleep 0.05; done";

/// One pod: name, what is special of the pod, and its containers: name, command, further fields.
struct Pod {
    name: &'static str,
    spec: &'static str,
    init: &'static [Container],
    containers: &'static [Container],
}

struct Container {
    name: &'static str,
    script: &'static str,
    fields: &'static str,
    /// Whether it waits for the others to run before it works.
    is_load: bool,
}

const fn container(name: &'static str, script: &'static str, fields: &'static str) -> Container {
    Container { name, script, fields, is_load: false }
}

const fn load(name: &'static str, script: &'static str, fields: &'static str) -> Container {
    Container { name, script, fields, is_load: true }
}

const PODS: &[Pod] = &[
    Pod {
        name: "guaranteed",
        spec: "",
        init: &[],
        containers: &[load("busy", BUSY, "resources: {limits: {cpu: 100m, memory: 64Mi}}")],
    },
    Pod {
        name: "guaranteed-too",
        spec: "",
        init: &[],
        containers: &[load(
            "writer",
            "while :; do dd if=/dev/zero of=/tmp/f bs=64k count=8 conv=fsync 2>/dev/null; sleep 0.5; done",
            "resources: {limits: {cpu: 50m, memory: 32Mi}}",
        )],
    },
    Pod {
        name: "burstable",
        spec: "",
        init: &[],
        containers: &[
            load(
                "throttled",
                "while :; do :; done",
                "resources: {requests: {cpu: 20m, memory: 16Mi}, limits: {cpu: 50m, memory: 64Mi}}",
            ),
            container("requests-only", "sleep 100000", "resources: {requests: {cpu: 10m, memory: 16Mi}}"),
            container("unlimited", "sleep 100000", ""),
        ],
    },
    Pod {
        name: "best-effort",
        spec: "",
        init: &[],
        containers: &[load(
            "writer",
            "while :; do dd if=/dev/zero of=/tmp/f bs=64k count=16 conv=fsync 2>/dev/null; cat /tmp/f >/dev/null; sleep 0.5; done",
            "",
        )],
    },
    Pod {
        name: "sidecar",
        spec: "",
        init: &[container("prepare", "true", ""), load("sidecar", BUSY, "restartPolicy: Always")],
        containers: &[container("main", "sleep 100000", "")],
    },
    Pod {
        name: "restarted",
        spec: "volumes: [{name: memory, emptyDir: {}}]",
        init: &[],
        containers: &[container(
            "second-try",
            "[ -f /memory/seen ] || { touch /memory/seen; exit 1; }; sleep 100000",
            "volumeMounts: [{name: memory, mountPath: /memory}]",
        )],
    },
    Pod {
        name: "crash-loop",
        spec: "",
        init: &[],
        containers: &[container("never", "exit 3", ""), container("steady", "sleep 100000", "")],
    },
    Pod {
        name: "host-network",
        spec: "hostNetwork: true",
        init: &[],
        containers: &[container("main", "sleep 100000", "")],
    },
    Pod {
        name: "oom",
        spec: "volumes: [{name: memory, emptyDir: {}}]",
        init: &[],
        // Before cgroup v2 the kernel kills the child alone and the container lives on; since, it kills the whole
        // container, which starts anew. Either way the probe holds once it is over. It connects, since it would take
        // three programs to start one in the container.
        containers: &[container(
            "hungry",
            "[ -f /memory/tried ] || { touch /memory/tried; \
             dd if=/dev/zero of=/dev/null bs=128M count=1; }; exec httpd -f -p 8080 -h /tmp",
            "resources: {limits: {memory: 24Mi}}, volumeMounts: [{name: memory, mountPath: /memory}], \
            startupProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, timeoutSeconds: 30, failureThreshold: 600}",
        )],
    },
    Pod {
        name: "oom-ended",
        spec: "restartPolicy: Never",
        init: &[],
        containers: &[container(
            "hungry",
            "exec dd if=/dev/zero of=/dev/null bs=128M count=1",
            "resources: {limits: {memory: 24Mi}}",
        )],
    },
    Pod {
        name: "hardened",
        spec: "",
        init: &[],
        containers: &[container(
            "main",
            "sleep 100000",
            "securityContext: {readOnlyRootFilesystem: true, runAsUser: 1000, allowPrivilegeEscalation: false, \
             capabilities: {drop: [ALL]}}",
        )],
    },
];

/// Containers that run when all has settled: (pod, container).
pub(super) fn running() -> Vec<(&'static str, &'static str)> {
    let ended = |pod: &str, name: &str| {
        matches!((pod, name), ("sidecar", "prepare") | ("crash-loop", "never") | ("oom-ended", _))
    };
    let mut all = Vec::new();
    for pod in PODS {
        let names = pod.init.iter().chain(pod.containers).map(|c| c.name);
        all.extend(names.filter(|name| !ended(pod.name, name)).map(|name| (pod.name, name)));
    }
    all
}

/// How the node gets its pods.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// From the API server.
    Api,
    /// From files. Their names then end in the node's.
    Files,
}

impl Way {
    /// What the node shows of that name.
    pub(super) fn name(self, pod: &str) -> String {
        match self {
            Self::Api => pod.to_owned(),
            Self::Files => format!("{pod}-{NODE}"),
        }
    }

    fn list(self, cluster: &Cluster) -> Result<String> {
        match self {
            Self::Api => cluster.kubectl(&["-n", NAMESPACE, "get", "pods", "-o", "json"]),
            Self::Files => cluster.standalone_pods(),
        }
    }
}

/// Creates the pods and one that ends, waits until each is what it shall be, and lets those work that wait for it.
pub(super) fn create(cluster: &Cluster, way: Way) -> Result<()> {
    remove(cluster, way)?;
    let gate = Gate::new(cluster)?;
    match way {
        Way::Api => {
            cluster.kubectl(&["create", "namespace", NAMESPACE])?;
            let account = ["-n", NAMESPACE, "get", "serviceaccount", "default"];
            process::wait_for("the service account", Duration::from_secs(30), || cluster.kubectl(&account).is_ok())?;
            cluster.create(&manifest(&gate))?;
        }
        Way::Files => {
            for (number, pod) in PODS.iter().chain([&ONCE]).enumerate() {
                places::write(&cluster.manifests().join(format!("{number}.yaml")), pod.manifest(&gate))?;
            }
        }
    }
    process::wait_for("the pods", Duration::from_mins(2), || settled(cluster, way).unwrap_or(false))
        .with_context(|| states(&way.list(cluster).unwrap_or_default()))?;
    gate.open()
}

/// Where the containers that work wait, at no cost: opening a named pipe takes until somebody opens its other end. On an
/// emulated processor the work of the first pods would keep the last from starting.
struct Gate {
    dir: PathBuf,
}

impl Gate {
    fn new(cluster: &Cluster) -> Result<Self> {
        let dir = cluster.shared("gate");
        fs::create_dir_all(&dir)?;
        let pipe = dir.join("pipe");
        if pipe.exists() {
            fs::remove_file(&pipe)?;
        }
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o644), 0)
            .with_context(|| format!("cannot make {}", pipe.display()))?;
        Ok(Self { dir })
    }

    /// Lets them in, and with a plain file in the pipe's place those who start anew later.
    fn open(self) -> Result<()> {
        let (pipe, file) = (self.dir.join("pipe"), self.dir.join("open"));
        let both_ends = fs::File::options().read(true).write(true).open(&pipe)?;
        places::write(&file, "")?;
        fs::rename(&file, &pipe)?;
        drop(both_ends);
        Ok(())
    }
}

/// Removes the pods; nothing to do when there are none.
pub(super) fn remove(cluster: &Cluster, way: Way) -> Result<()> {
    if way == Way::Files {
        for entry in fs::read_dir(cluster.manifests())?.flatten() {
            fs::remove_file(entry.path())?;
        }
        let gone = || cluster.standalone_pods().is_ok_and(|text| !text.contains(NAMESPACE));
        return process::wait_for("the end of the pods", Duration::from_mins(1), gone);
    }
    cluster.kubectl(&["-n", NAMESPACE, "delete", "pods,jobs", "--all", "--grace-period=0", "--force"])?;
    cluster.kubectl(&["delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s"]).map(drop)
}

/// One line a container, for when they do not come to where they should.
fn states(list: &str) -> String {
    let list: Value = serde_json::from_str(list).unwrap_or_default();
    let mut lines = Vec::new();
    for pod in list["items"].as_array().into_iter().flatten() {
        let status = &pod["status"];
        let containers = ["initContainerStatuses", "containerStatuses"].map(|key| status[key].as_array());
        let containers = containers.into_iter().flatten().flatten();
        let containers: Vec<String> = containers
            .map(|c| format!("{} {} ready {} restarts {}", c["name"], c["state"], c["ready"], c["restartCount"]))
            .collect();
        lines.push(format!("{} {}: {}", pod["metadata"]["name"], status["phase"], containers.join(", ")));
    }
    lines.join("\n")
}

/// How many pods and containers the manifest names.
pub(super) fn size() -> (usize, usize) {
    (PODS.len() + 1, PODS.iter().map(|pod| pod.init.len() + pod.containers.len()).sum::<usize>() + 1)
}

/// In the place of a Job where there is none.
const ONCE: Pod =
    Pod { name: "once", spec: "restartPolicy: Never", init: &[], containers: &[container("main", "true", "")] };

fn manifest(gate: &Gate) -> String {
    let main = containers(ONCE.containers);
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: once, namespace: {NAMESPACE}}}\n\
         spec: {{template: {{spec: {{restartPolicy: Never, containers: [{main}]}}}}}}\n"
    );
    PODS.iter().map(|pod| pod.manifest(gate)).chain([job]).collect::<Vec<_>>().join("---\n")
}

impl Pod {
    fn has_load(&self) -> bool {
        self.init.iter().chain(self.containers).any(|c| c.is_load)
    }

    fn manifest(&self, gate: &Gate) -> String {
        let name = self.name;
        let mut spec = if self.spec.is_empty() { String::new() } else { format!("{}, ", self.spec) };
        if self.has_load() {
            let volume = format!("{{name: gate, hostPath: {{path: \"{}\"}}}}", gate.dir.display());
            spec = format!("{spec}volumes: [{volume}], ");
        }
        let (init, main) = (containers(self.init), containers(self.containers));
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n\
             spec: {{terminationGracePeriodSeconds: 0, {spec}initContainers: [{init}], containers: [{main}]}}\n"
        )
    }
}

fn containers(list: &[Container]) -> String {
    let one = |c: &Container| {
        let mut fields = format!("name: {}, image: \"{BOX_IMAGE}\", imagePullPolicy: Never", c.name);
        let mut script = c.script.to_owned();
        if c.is_load {
            script.insert_str(0, ": </gate/pipe; ");
            fields += ", volumeMounts: [{name: gate, mountPath: /gate, readOnly: true}]";
        }
        if !c.fields.is_empty() {
            fields += ", ";
            fields += c.fields;
        }
        format!("{{{fields}, command: {}}}", Value::from(vec!["/bin/sh", "-c", &script]))
    };
    list.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Whether every pod has come to where it stays.
fn settled(cluster: &Cluster, way: Way) -> Result<bool> {
    let list: Value = serde_json::from_str(&way.list(cluster)?).context("the list of pods is not JSON")?;
    let items = list.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let phase = |name: &str| {
        let pod = items.iter().find(|pod| pod["metadata"]["name"].as_str().is_some_and(|n| n.starts_with(name)));
        pod.and_then(|pod| pod["status"]["phase"].as_str()).unwrap_or_default()
    };
    let running = running().iter().all(|(pod, container)| is_running(items, &way.name(pod), container));
    Ok(running && phase("once") == "Succeeded" && phase("oom-ended") == "Failed")
}

fn is_running(items: &[Value], pod: &str, container: &str) -> bool {
    let Some(pod) = items.iter().find(|item| item["metadata"]["name"] == pod) else { return false };
    let lists = ["containerStatuses", "initContainerStatuses"].map(|key| pod["status"][key].as_array());
    let status = lists.into_iter().flatten().flatten().find(|status| status["name"] == container);
    let Some(status) = status else { return false };
    let restarted = container != "second-try" || status["restartCount"] == 1;
    status["ready"] == true && restarted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_is_not_expected_to_run() {
        let running = running();
        assert!(running.contains(&("sidecar", "sidecar")) && running.contains(&("oom", "hungry")));
        assert!(!running.contains(&("sidecar", "prepare")) && !running.contains(&("oom-ended", "hungry")));
        let (pods, containers) = size();
        assert_eq!((pods, containers), (12, 17));
        let volumes_twice = PODS.iter().find(|pod| pod.has_load() && pod.spec.contains("volumes:"));
        assert!(volumes_twice.is_none(), "{}", volumes_twice.unwrap().name);
    }
}
