//! Faults that are objects of the cluster.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::lab::Lab;
use super::place::{Place, filled};
use super::undo::{Undo, nothing};
use crate::cluster::{BOX_IMAGE, NODE};
use crate::process;

/// How long objects may take to be what is waited for, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_mins(3);

/// Applies objects of the fault's namespace; deletes them.
pub(super) fn apply<'l>(lab: &'l Lab, place: &Place, text: &str) -> Result<Undo<'l>> {
    let text = with_addresses(lab, place, with_node(lab, &filled(text, place))?)?;
    let file = lab.apply(&place.namespace, &text)?;
    let namespace = place.namespace.clone();
    Ok(Box::new(move || {
        let file = file.display().to_string();
        let words = ["delete", "-n", &namespace, "-f", &file, "--ignore-not-found", "--wait=false"];
        lab.machine.kubectl(&words).map(drop)
    }))
}

/// What pods left of the node's CPUs but for a hundredth of them, put in for `${node.cpu.left}`.
fn with_node(lab: &Lab, text: &str) -> Result<String> {
    const LEFT: &str = "${node.cpu.left}";
    if !text.contains(LEFT) {
        return Ok(text.to_owned());
    }
    let cpus = lab.machine.kubectl(&["get", "node", NODE, "-o", "jsonpath={.status.allocatable.cpu}"])?;
    let asked = lab.machine.kubectl(&[
        "get",
        "pods",
        "--all-namespaces",
        "--field-selector=status.phase=Running",
        "-o",
        "jsonpath={.items[*].spec.containers[*].resources.requests.cpu}",
    ])?;
    let all = thousandths(cpus.trim())?;
    let asked = asked.split_whitespace().map(thousandths).sum::<Result<u64>>()?;
    let left = all.saturating_sub(asked).saturating_sub(all / 100);
    ensure!(left > 0, "nothing is left of the node's CPUs");
    Ok(text.replace(LEFT, &format!("{left}m")))
}

/// CPUs as Kubernetes writes them.
fn thousandths(cpus: &str) -> Result<u64> {
    let number = cpus.strip_suffix('m').map_or_else(|| cpus.parse().map(|whole: u64| whole * 1000), str::parse);
    number.with_context(|| format!("{cpus:?} is no number of CPUs"))
}

/// The address of a pod, put in for `${ip:APP}`.
fn with_addresses(lab: &Lab, place: &Place, mut text: String) -> Result<String> {
    while let Some((before, rest)) = text.split_once("${ip:") {
        let (app, after) = rest.split_once('}').context("`${ip:` without `}`")?;
        let label = format!("app={app}");
        let words = ["get", "pods", "-n", &place.namespace, "-l", &label, "-o", "jsonpath={.items[0].status.podIP}"];
        let address = lab.machine.kubectl(&words)?;
        ensure!(!address.trim().is_empty(), "no pod of {app} has an address");
        text = format!("{before}{}{after}", address.trim());
    }
    Ok(text)
}

/// Waits until Prometheus has rows of a query.
pub(super) fn seen<'l>(lab: &Lab, place: &Place, query: &str) -> Result<Undo<'l>> {
    let query = filled(query, place);
    process::wait_for(&query, PATIENCE, || lab.prometheus.query(&query).is_ok_and(|rows| !rows.is_empty()))?;
    nothing()
}

/// A Deployment of one program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deployment {
    pub(super) name: String,
    /// What the shell is told.
    pub(super) run: String,
    #[serde(default = "one")]
    pub(super) replicas: u32,
    /// Limits, as Kubernetes writes them.
    #[serde(default)]
    pub(super) memory: Option<String>,
    #[serde(default)]
    pub(super) cpu: Option<String>,
    /// Folder of the machine that is mounted at `/data`.
    #[serde(default)]
    pub(super) folder: Option<String>,
    /// Command that says whether it is ready.
    #[serde(default)]
    pub(super) ready: Option<String>,
    /// Whether the fault goes on before all pods are there.
    #[serde(default)]
    pub(super) at_once: bool,
}

const fn one() -> u32 {
    1
}

impl Deployment {
    pub(super) fn apply<'l>(&self, lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let undo = apply(lab, place, &self.object(place).to_string())?;
        if !self.at_once {
            let ready = self.replicas.to_string();
            let until =
                Until { get: format!("deployment {} -o jsonpath={{.status.readyReplicas}}", self.name), is: ready };
            if let Err(error) = until.wait(lab, place) {
                undo()?;
                return Err(error);
            }
        }
        Ok(undo)
    }

    fn object(&self, place: &Place) -> Value {
        let mut container = json!({
            "name": "main", "image": BOX_IMAGE, "imagePullPolicy": "Never",
            "command": ["/bin/sh", "-c", filled(&self.run, place)],
        });
        let limits: serde_json::Map<String, Value> = [("memory", &self.memory), ("cpu", &self.cpu)]
            .into_iter()
            .filter_map(|(name, limit)| Some((name.to_owned(), json!(limit.as_ref()?))))
            .collect();
        // What a limit asks for by itself would be kept from other faults.
        let requests: serde_json::Map<String, Value> = limits.keys().map(|name| (name.clone(), json!("0"))).collect();
        let mut set = |key: &str, value: Value| {
            if let Some(map) = container.as_object_mut() {
                map.insert(key.to_owned(), value);
            }
        };
        set("resources", json!({"limits": limits, "requests": requests}));
        if let Some(ready) = &self.ready {
            set("readinessProbe", json!({"exec": {"command": ["/bin/sh", "-c", ready]}, "periodSeconds": 1}));
        }
        let mut volumes = json!([]);
        if let Some(folder) = &self.folder {
            set("volumeMounts", json!([{"name": "data", "mountPath": "/data"}]));
            volumes =
                json!([{"name": "data", "hostPath": {"path": filled(folder, place), "type": "DirectoryOrCreate"}}]);
        }
        let labels = json!({"app": self.name});
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": self.name},
            "spec": {
                "replicas": self.replicas, "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": false,
                        "containers": [container], "volumes": volumes,
                    },
                },
            },
        })
    }
}

/// Words for kubectl; the namespace is the fault's.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    run: String,
    #[serde(default)]
    undo: Option<String>,
}

impl Words {
    pub(super) fn call<'l>(&self, lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        kubectl(lab, place, &self.run)?;
        let (place, undo) = (place.clone(), self.undo.clone());
        Ok(Box::new(move || undo.map_or(Ok(()), |undo| kubectl(lab, &place, &undo).map(drop))))
    }
}

/// Words are parted by blanks.
fn kubectl(lab: &Lab, place: &Place, words: &str) -> Result<String> {
    let words = filled(words, place);
    let words: Vec<&str> = words.split_whitespace().chain(["-n", &place.namespace]).collect();
    lab.machine.kubectl(&words)
}

/// Something that comes by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Until {
    get: String,
    is: String,
}

impl Until {
    pub(super) fn wait<'l>(&self, lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let mut last = String::new();
        let get = format!("get {}", self.get);
        let holds = || {
            last = kubectl(lab, place, &get).unwrap_or_else(|error| error.to_string());
            last.trim() == self.is
        };
        process::wait_for(&format!("{} to be {:?}", self.get, self.is), PATIENCE, holds)
            .with_context(|| format!("it is {last:?}"))?;
        nothing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_read_in_thousandths() {
        assert_eq!(thousandths("2").unwrap(), 2000);
        assert_eq!(thousandths("250m").unwrap(), 250);
        assert!(thousandths("two").is_err());
    }
}
