//! A real one-node Kubernetes on this machine, up in seconds and gone without a trace.
//!
//! etcd, the control plane and the kubelet are one Go program (`e2e/cluster`); containerd, runc and the CNI plugins are
//! Debian's. Nothing of it survives `down`: the state is a directory of the cache, and every process carries a mark in
//! its environment, so that `down` finds them after a crash as well.

pub(crate) mod build;
mod config;
mod image;
mod lifecycle;
mod machine;
mod teardown;

use anyhow::{Result, bail};

pub(crate) use lifecycle::{
    kill_api, kill_kubelet, missing, network_configuration, process_of, start_api, start_kubelet, up,
};
pub(crate) use machine::{API, BOX_IMAGE, Cluster, KUBELET, NODE, Options};
pub(crate) use teardown::{down, hierarchies};

use crate::args::{Args, Takes, usage};
use crate::process;

pub(crate) const TAKES: Takes = Takes::Anything(
    "build\n\
    up [--no-node] [--no-controllers | --standalone] [--kubelet-cgroup-root PATH] [--api-flag FLAG]…\n\
    down\n\
    status\n\
    kubectl [ARGS]",
);

/// `cargo xtask cluster …`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let verb = args.positional().unwrap_or_default();
    let cluster = Cluster::of_this_machine()?;
    match verb.as_str() {
        "build" => {
            args.finish()?;
            let binary = build::binary()?;
            println!("{}", binary.display());
            Ok(())
        }
        "up" => {
            let options = Options::from_args(args)?;
            args.finish()?;
            up(&cluster, &options)?;
            println!("export KUBECONFIG={}", cluster.kubeconfig().display());
            Ok(())
        }
        "down" => {
            args.finish()?;
            down(&cluster)
        }
        "status" => {
            args.finish()?;
            status(&cluster)
        }
        "kubectl" => process::run(cluster.kubectl_command().args(args.rest())),
        other => Err(usage(format!("cluster: {other:?} is none of build, up, down, status, kubectl"))),
    }
}

fn status(cluster: &Cluster) -> Result<()> {
    let processes = process::marked(&cluster.mark());
    if processes.is_empty() {
        bail!("no cluster runs");
    }
    for pid in &processes {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|&byte| byte == 0).map(String::from_utf8_lossy);
        let program = words.next().unwrap_or_default();
        println!("{pid:>8}  {}", program.rsplit('/').next().unwrap_or_default());
    }
    if !cluster.is_ready() {
        bail!("the API server at {API} is not ready");
    }
    print!("{}", cluster.kubectl(&["get", "nodes,pods", "--all-namespaces", "-o", "wide"])?);
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    Ok(())
}
