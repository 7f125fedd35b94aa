//! The workloads that boards are proved on: they serve and call each other by name, write, wait, fail and end.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::names::{Addresses, Names, SERVER};
use crate::cluster::{BOX_IMAGE, Cluster};
use crate::process;

const NAMESPACES: [&str; 4] = ["store", "payments", "ci", "platform"];
const OBJECTS: &str = include_str!("../../../../e2e/cluster/town.yaml");
/// Objects without a namespace.
const OUTSIDE: [&str; 2] = ["persistentvolume/fast-1", "volumeattachment/never"];
/// Short Jobs that are made at once, and how long they are kept.
const JOBS: usize = 4;

/// A workload.
struct Workload {
    name: &'static str,
    namespace: &'static str,
    kind: &'static str,
    team: &'static str,
    replicas: usize,
    /// The port that it serves.
    port: u16,
    /// Whom it calls: name and port, and the seconds between calls.
    calls: &'static [(&'static str, &'static str)],
    /// What it does instead of waiting, or beside serving.
    script: &'static str,
    /// Requests and limits.
    resources: &'static str,
}

const PLAIN: Workload = Workload {
    name: "",
    namespace: "store",
    kind: "Deployment",
    team: "",
    replicas: 1,
    port: 0,
    calls: &[],
    script: "",
    resources: "requests: {cpu: 20m, memory: 24Mi}, limits: {cpu: 200m, memory: 64Mi}",
};

/// Writes to its volume, from the beginning again after 64 MiB.
const WRITES: &str = "n=0; while true; do dd if=/dev/zero of=/data/log bs=256k count=4 seek=$n conv=notrunc,fsync; \
                      n=$(( (n + 4) % 256 )); sleep 5; done 2>/dev/null";
/// Calls where nobody listens, and gives up.
const FAILS: &str = "for i in 1 2 3 4 5 6 7 8; do wget -q -O /dev/null http://db.store:9/; sleep 2; done; exit 1";
/// Takes calls and never answers, so that further ones find no room; the same with datagrams.
const DEAF: &str =
    "busybox httpd -f -p 7000 -h /tmp & a=$!; sleep 2147482 | nc -l -u -p 9000 & b=$!; sleep 1; kill -STOP $a $b; wait";
/// Knocks there.
const KNOCKS: &str = "while true; do for i in 1 2 3 4 5 6 7 8 9 10 11 12; do nc -w 3 queue.payments 7000 </dev/null & done; \
                      nc queue.payments 7000 </dev/null & head -c 900000 /dev/zero | nc -u -w 1 queue.payments 9000; \
                      sleep 12; done";
/// Names that fail in each way.
const LOOKUPS: &str =
    "while true; do nslookup missing.store; nslookup broken.store; nslookup silent.store; sleep 6; done >/dev/null";
/// Reads more than its memory holds, again and again.
const READS: &str = "head -c 36000000 /dev/zero > /tmp/index; while true; do cat /tmp/index > /dev/null; sleep 6; done";

const WORKLOADS: &[Workload] = &[
    Workload { name: "db", kind: "StatefulSet", team: "data", port: 5432, script: WRITES, ..PLAIN },
    Workload { name: "redis", kind: "StatefulSet", team: "data", port: 6379, ..PLAIN },
    Workload {
        name: "catalogue",
        team: "discovery",
        replicas: 2,
        port: 8080,
        calls: &[("db.store:5432", "0.7")],
        ..PLAIN
    },
    Workload {
        name: "orders",
        team: "checkout",
        port: 8080,
        calls: &[("db.store:5432", "0.8"), ("payments.payments:8443", "1.5")],
        ..PLAIN
    },
    Workload {
        name: "cart",
        team: "checkout",
        replicas: 2,
        port: 8080,
        calls: &[("redis.store:6379", "0.6"), ("orders.store:8080", "1")],
        ..PLAIN
    },
    Workload {
        name: "web",
        team: "storefront",
        replicas: 2,
        port: 8080,
        calls: &[("cart.store:8080", "0.5"), ("catalogue.store:8080", "0.4")],
        ..PLAIN
    },
    Workload {
        name: "payments",
        namespace: "payments",
        team: "payments",
        replicas: 2,
        port: 8443,
        calls: &[("fraud.payments:8080", "1.2")],
        ..PLAIN
    },
    Workload {
        name: "fraud",
        namespace: "payments",
        team: "payments",
        port: 8080,
        script: READS,
        resources: "requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 100m, memory: 32Mi}",
        ..PLAIN
    },
    Workload {
        name: "ledger",
        namespace: "payments",
        team: "payments",
        calls: &[("db.store:5432", "2")],
        script: FAILS,
        ..PLAIN
    },
    Workload { name: "queue", namespace: "payments", team: "payments", script: DEAF, ..PLAIN },
    Workload { name: "notify", namespace: "payments", team: "payments", script: KNOCKS, ..PLAIN },
    Workload {
        name: "encoder",
        namespace: "ci",
        team: "build",
        script: "while true; do :; done",
        resources: "requests: {cpu: 10m, memory: 8Mi}, limits: {cpu: 60m, memory: 32Mi}",
        ..PLAIN
    },
    Workload {
        name: "import",
        namespace: "ci",
        team: "build",
        script: "sleep 5; tail /dev/zero",
        resources: "requests: {cpu: 10m, memory: 8Mi}, limits: {memory: 24Mi}",
        ..PLAIN
    },
    Workload {
        name: "nightly",
        namespace: "ci",
        kind: "CronJob",
        team: "build",
        script: "wget -q -O /dev/null http://catalogue.store:8080/; sleep 4",
        ..PLAIN
    },
    Workload {
        name: "shipper",
        namespace: "platform",
        kind: "DaemonSet",
        team: "platform",
        calls: &[("collector.platform:9200", "1.5")],
        ..PLAIN
    },
    Workload { name: "collector", namespace: "platform", team: "platform", port: 9200, ..PLAIN },
    Workload { name: "resolver-check", namespace: "platform", team: "platform", script: LOOKUPS, ..PLAIN },
];

impl Workload {
    /// What its container runs.
    fn command(&self) -> String {
        let mut parts: Vec<String> = self
            .calls
            .iter()
            .map(|(whom, every)| {
                format!("(while true; do wget -q -O /dev/null http://{whom}/ 2>/dev/null; sleep {every}; done) &")
            })
            .collect();
        if self.port == 0 {
            parts.push(if self.script.is_empty() { "wait".to_owned() } else { self.script.to_owned() });
        } else {
            parts.insert(0, "mkdir -p /tmp/www; head -c 20000 /dev/zero > /tmp/www/index.html;".to_owned());
            if !self.script.is_empty() {
                parts.push(format!("({}) &", self.script));
            }
            parts.push(format!("exec busybox httpd -f -p {} -h /tmp/www", self.port));
        }
        parts.join(" ")
    }

    /// Its manifest, which is JSON.
    fn manifest(&self) -> String {
        let Self { name, namespace, kind, team, replicas, .. } = self;
        let has_volume = *name == "db";
        let container = json!({
            "name": name, "image": BOX_IMAGE, "imagePullPolicy": "Never", "command": ["/bin/sh", "-c", self.command()],
            "volumeMounts": if has_volume { json!([{"name": "data", "mountPath": "/data"}]) } else { json!([]) },
        });
        let mut spec = json!({
            "terminationGracePeriodSeconds": if *name == "catalogue" { 20 } else { 0 }, "containers": [container], "dnsPolicy": "None",
            "dnsConfig": {"nameservers": [SERVER.to_string()], "options": [{"name": "ndots", "value": "1"}]},
        });
        if *kind == "CronJob" {
            spec["restartPolicy"] = json!("Never");
        }
        let template = json!({"metadata": {"labels": {"app": name}}, "spec": spec});
        let (group, mut body) = match *kind {
            "CronJob" => ("batch", json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}})),
            _ => ("apps", json!({"selector": {"matchLabels": {"app": name}}, "template": template})),
        };
        if matches!(*kind, "Deployment" | "StatefulSet") {
            body["replicas"] = json!(replicas);
        }
        if has_volume {
            body["volumeClaimTemplates"] = json!([{
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
                    "resources": {"requests": {"storage": "4Gi"}},
                },
            }]);
        }
        let object = json!({
            "apiVersion": format!("{group}/v1"), "kind": kind,
            "metadata": {"name": name, "namespace": namespace, "labels": {"team": team}}, "spec": body,
        });
        // Requests and limits are written as in YAML, of which JSON is a part.
        object.to_string().replacen(
            "\"imagePullPolicy\"",
            &format!("\"resources\": {{{}}}, \"imagePullPolicy\"", self.resources),
            1,
        )
    }
}

/// The town: what is in it, and what happens there.
pub(super) struct Town<'c> {
    cluster: &'c Cluster,
    names: Names,
    turn: usize,
    since: Instant,
}

impl<'c> Town<'c> {
    /// Makes all of it.
    pub(super) fn build(cluster: &'c Cluster) -> Result<Self> {
        clear(cluster)?;
        let folder = folder(cluster);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for namespace in NAMESPACES {
            cluster.kubectl(&["create", "namespace", namespace])?;
        }
        for namespace in NAMESPACES {
            let account = ["-n", namespace, "get", "serviceaccount", "default"];
            process::wait_for("the service accounts", Duration::from_secs(30), || cluster.kubectl(&account).is_ok())?;
        }
        let names = Names::start();
        cluster.create(&OBJECTS.replace("FOLDER", &folder.display().to_string()))?;
        cluster.kubectl(&["-n", "platform", "delete", "pod", "held", "--wait=false"])?;
        let manifests: Vec<String> = WORKLOADS.iter().map(Workload::manifest).collect();
        cluster.create(&manifests.join("\n---\n"))?;
        // What an autoscaler says that has metrics, which this cluster has not.
        let limited =
            r#"{"status":{"conditions":[{"type":"ScalingLimited","status":"True","reason":"TooManyReplicas"}]}}"#;
        cluster.kubectl(&[
            "-n",
            "store",
            "patch",
            "hpa",
            "catalogue",
            "--subresource=status",
            "--type=merge",
            "-p",
            limited,
        ])?;
        Ok(Self { cluster, names, turn: 0, since: Instant::now() })
    }

    /// Waits until most of it runs.
    pub(super) fn wait(&mut self) -> Result<()> {
        let least: usize = WORKLOADS.iter().filter(|one| one.kind != "CronJob").map(|one| one.replicas).sum();
        let begin = Instant::now();
        loop {
            let running = self.follow()?;
            // One or two fail at any time, as they should.
            if running + 3 >= least || begin.elapsed() > Duration::from_mins(4) {
                println!("{running} pods run after {:.0} s", begin.elapsed().as_secs_f64());
                return Ok(());
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Names follow the pods; says how many run.
    pub(super) fn follow(&self) -> Result<usize> {
        let pods = self.cluster.kubectl(&["get", "pods", "-A", "-l", "app", "-o", "json"])?;
        let pods: Value = serde_json::from_str(&pods).context("pods")?;
        let (mut addresses, mut running) = (Addresses::new(), 0);
        for pod in pods["items"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let meta = &pod["metadata"];
            let name = format!("{}.{}", text(&meta["labels"]["app"]), text(&meta["namespace"]));
            let address: Option<Ipv4Addr> = text(&pod["status"]["podIP"]).parse().ok();
            if pod["status"]["phase"] == "Running" && meta["deletionTimestamp"].is_null() {
                running += 1;
                addresses.entry(name).or_default().extend(address);
            }
        }
        self.names.know(addresses);
        Ok(running)
    }

    /// What happens next: short Jobs, a rollout, another number of pods. Says what it was.
    pub(super) fn step(&mut self) -> Result<String> {
        self.turn += 1;
        let said = match self.turn % 6 {
            2 => {
                self.cluster.kubectl(&["-n", "store", "rollout", "restart", "deployment/catalogue"])?;
                "rollout of catalogue".to_owned()
            }
            5 => {
                let count = if self.turn % 12 == 5 { "4" } else { "2" };
                self.cluster.kubectl(&["-n", "store", "scale", "deployment/web", &format!("--replicas={count}")])?;
                format!("web has {count} pods")
            }
            _ => {
                let jobs: Vec<String> = (0..JOBS).map(|number| job(self.turn, number)).collect();
                self.cluster.create(&jobs.join("\n---\n"))?;
                format!("{JOBS} short Jobs")
            }
        };
        Ok(format!("{:>5.0} s  {said}", self.since.elapsed().as_secs_f64()))
    }
}

/// The folder of the one volume.
pub(super) fn folder(cluster: &Cluster) -> PathBuf {
    cluster.shared("town")
}

/// A Job that lives for a moment; one in four fails.
fn job(turn: usize, number: usize) -> String {
    let script = match number {
        0 => "exit 3",
        1 => "head -c 3000000 /dev/urandom | md5sum",
        2 => "sleep 0.3",
        _ => "n=0; while [ $n -lt 20000 ]; do n=$((n + 1)); done; for i in 1 2 3 4 5; do true | cat; done",
    };
    let container = json!({
        "name": "lint", "image": BOX_IMAGE, "imagePullPolicy": "Never", "command": ["/bin/sh", "-c", script],
        "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}},
    });
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": format!("lint-{turn}-{number}"), "namespace": "ci", "labels": {"team": "build"}},
        "spec": {
            "backoffLimit": 0, "ttlSecondsAfterFinished": 120,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    })
    .to_string()
}

/// Takes all of it away, as far as it is there.
pub(super) fn clear(cluster: &Cluster) -> Result<()> {
    let release = r#"{"metadata":{"finalizers":null}}"#;
    let held = ["-n", "platform", "get", "pod", "held", "--ignore-not-found", "-o", "name"];
    if !cluster.kubectl(&held)?.is_empty() {
        cluster.kubectl(&["-n", "platform", "patch", "pod", "held", "--type=merge", "-p", release])?;
    }
    for namespace in NAMESPACES {
        cluster.kubectl(&["delete", "namespace", namespace, "--ignore-not-found", "--wait=false"])?;
    }
    for namespace in NAMESPACES {
        cluster.kubectl(&["delete", "namespace", namespace, "--ignore-not-found", "--timeout=120s"])?;
    }
    for object in OUTSIDE {
        cluster.kubectl(&["delete", object, "--ignore-not-found", "--timeout=60s"])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_somebody_who_serves_it() {
        for (whom, _) in WORKLOADS.iter().flat_map(|one| one.calls) {
            let serves = |one: &&Workload| *whom == format!("{}.{}:{}", one.name, one.namespace, one.port);
            assert!(WORKLOADS.iter().any(|one| serves(&one)), "nobody serves {whom}");
        }
    }

    #[test]
    fn manifests_have_requests_and_commands() {
        for one in WORKLOADS {
            let text = one.manifest();
            assert!(text.contains("\"resources\": {requests:") && text.contains("/bin/sh"), "{text}");
        }
        assert!(serde_json::from_str::<Value>(&job(1, 0)).is_ok());
    }
}
