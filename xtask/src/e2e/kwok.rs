//! Simulated nodes: kwok plays their kubelets.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;

use crate::cluster::Cluster;
use crate::go::Module;
use crate::process::{self, Tied};
use crate::skip::Skip;
use crate::{http, places};

const KWOK: Module =
    Module { name: "kwok", path: "sigs.k8s.io/kwok", package: "sigs.k8s.io/kwok/cmd/kwok", version: "v0.8.0" };

/// What the machine lacks for it.
pub(super) fn missing() -> Option<Skip> {
    let built = KWOK.cached().is_ok_and(|path| path.is_file());
    (!built && process::find("go").is_none()).then(|| Skip("go is not installed".to_owned()))
}

/// Starts it beside a cluster that runs.
pub(super) fn start(cluster: &Cluster) -> Result<Tied> {
    let mut command = process::tied(&KWOK.binary()?);
    command.arg("--kubeconfig").arg(cluster.kubeconfig());
    command.arg("--config").arg(places::repo().join("e2e/cluster/stages.yaml"));
    let port = http::free_port()?;
    // Renewed after a quarter of that; the node controller waits for 50 s.
    command.args(["--manage-all-nodes", "--node-lease-duration-seconds=80", "--node-ip=127.0.0.1"]);
    command.arg(format!("--server-address=127.0.0.1:{port}"));
    let mut kwok = Tied::start("kwok", &mut command, &places::cache("logs")?.join("kwok.log"))?;
    kwok.wait_until(Duration::from_secs(30), || http::get(&format!("http://127.0.0.1:{port}/healthz")).is_ok())?;
    Ok(kwok)
}

/// The name of a node.
fn name(number: usize) -> String {
    format!("sim-{number:02}")
}

/// Makes nodes with room for 110 pods each, as most have, and waits until they are ready.
pub(super) fn create_nodes(cluster: &Cluster, count: usize) -> Result<()> {
    let room = "{cpu: \"64\", memory: 256Gi, pods: \"110\"}";
    let mut manifest = String::new();
    for number in 0..count {
        let name = name(number);
        let _ = write!(
            manifest,
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{kubernetes.io/hostname: {name}, topology.kubernetes.io/zone: zone-{}}}}}\n\
             status: {{capacity: {room}, allocatable: {room}, nodeInfo: {{kubeletVersion: v1.36.0, operatingSystem: linux, architecture: amd64}}}}\n",
            number % 3
        );
    }
    cluster.create(&manifest)?;
    let last = name(count - 1);
    let ready = || {
        let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        cluster.kubectl(&["get", "node", &last, "-o", path]).is_ok_and(|text| text == "True")
    };
    process::wait_for("the simulated nodes", Duration::from_mins(1), ready)
}
