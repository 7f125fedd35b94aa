//! A real one-node Kubernetes on this machine, up in seconds and gone without a trace.
//!
//! etcd, the control plane and the kubelet are one Go program (`e2e/cluster`); containerd, runc and the CNI plugins are
//! Debian's. Nothing of it survives `down`: the state is a directory of the cache, and every process carries a mark in
//! its environment, so that `down` finds them after a crash as well.

pub(crate) mod build;
mod config;
mod image;
mod lifecycle;
mod teardown;

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

pub(crate) use lifecycle::{kill_api, kill_kubelet, missing, start_api, start_kubelet, up};
pub(crate) use teardown::{down, hierarchies};

use crate::args::{Args, usage};
use crate::{http, places, process};

pub(crate) const USAGE: &str = "build\n\
    up [--no-node] [--no-controllers | --standalone] [--kubelet-cgroup-root PATH] [--api-flag FLAG]…\n\
    down\n\
    status\n\
    kubectl [ARGS]";

/// Read-only port of the kubelet, where its metrics are.
pub(crate) const KUBELET: &str = "http://127.0.0.1:20255";
/// Where the API server listens.
pub(crate) const API: &str = "127.0.0.1:26443";
const ETCD: &str = "127.0.0.1:22379";
const ETCD_PEER: &str = "127.0.0.1:22380";
const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";
const BRIDGE: &str = "yagura0";
const NETWORK: &str = "yagura-pods";
/// The name of the one node.
pub(crate) const NODE: &str = "node-1";
/// The image that every test pod runs: busybox and nothing else.
pub(crate) const BOX_IMAGE: &str = "registry.test/box:1";
const PAUSE_IMAGE: &str = "registry.test/pause:1";

/// What of a cluster is started, and how.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) node: bool,
    /// Without, the kubelet is alone and has its pods from files.
    pub(crate) api: bool,
    pub(crate) controllers: bool,
    pub(crate) cgroup_root: String,
    pub(crate) api_flags: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { node: true, api: true, controllers: true, cgroup_root: "/".to_owned(), api_flags: Vec::new() }
    }
}

impl Options {
    /// A kubelet and its container runtime, without a control plane.
    pub(crate) fn standalone() -> Self {
        Self { api: false, controllers: false, ..Self::default() }
    }

    /// As it is kept beside the running cluster.
    fn to_json(&self) -> String {
        let Self { node, api, controllers, cgroup_root, api_flags } = self;
        json!({
            "node": node, "api": api, "controllers": controllers, "cgroup_root": cgroup_root, "api_flags": api_flags
        })
        .to_string()
    }

    fn from_args(args: &mut Args) -> Result<Self> {
        let mut options = Self {
            node: !args.flag("--no-node"),
            controllers: !args.flag("--no-controllers"),
            api_flags: args.options("--api-flag")?,
            ..Self::default()
        };
        options.node &= options.controllers;
        if args.flag("--standalone") {
            options = Self { api_flags: options.api_flags, ..Self::standalone() };
        }
        if let Some(root) = args.option("--kubelet-cgroup-root")? {
            if !root.starts_with('/') || root.contains("..") {
                return Err(usage(format!("--kubelet-cgroup-root {root:?} is not an absolute path of a cgroup")));
            }
            options.cgroup_root = root;
        }
        Ok(options)
    }
}

/// The directory of the cluster on this machine, and what is found in it.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    dir: PathBuf,
}

impl Cluster {
    /// The cluster of this machine, whether it runs or not.
    pub(crate) fn of_this_machine() -> Result<Self> {
        Ok(Self { dir: places::cache("cluster")? })
    }

    /// The file that tells clients how to reach it.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// What kubectl prints for these words.
    pub(crate) fn kubectl(&self, words: &[&str]) -> Result<String> {
        process::output(self.kubectl_command().args(words))
    }

    /// Creates the objects of a manifest.
    pub(crate) fn create(&self, manifest: &str) -> Result<()> {
        let file = self.dir.join("manifest.yaml");
        places::write(&file, manifest)?;
        process::output(self.kubectl_command().arg("create").arg("-f").arg(&file)).map(drop)
    }

    /// The certificate that the API server is known by.
    pub(crate) fn authority(&self) -> PathBuf {
        self.dir.join("pki/apiserver.crt")
    }

    /// kubectl as the administrator, to which words are added.
    pub(crate) fn kubectl_command(&self) -> Command {
        let mut command = Command::new(self.program("kubectl"));
        command.arg("--kubeconfig").arg(self.kubeconfig()).env("KUBECACHEDIR", self.dir.join("kubectl-cache"));
        command
    }

    /// Whether the API server answers that it is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.kubeconfig().exists() && self.kubectl(&["get", "--raw", "/readyz"]).is_ok_and(|text| text == "ok")
    }

    /// Whether all that runs with these options answers.
    pub(crate) fn answers(&self, options: &Options) -> bool {
        if !options.api {
            return self.standalone_pods().is_ok();
        }
        self.is_ready() && (!options.node || self.node_is_ready())
    }

    /// The folder whose files are the pods of a kubelet that is alone.
    pub(crate) fn manifests(&self) -> PathBuf {
        self.dir.join("manifests")
    }

    /// A folder for what a test shares with its pods; gone with the cluster.
    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        self.dir.join("shared").join(name)
    }

    /// The folder whose files are pods beside those of the API server.
    pub(crate) fn static_pods(&self) -> PathBuf {
        self.dir.join("static-pods")
    }

    /// What a kubelet that is alone says of its pods: a JSON list.
    pub(crate) fn standalone_pods(&self) -> Result<String> {
        if !self.manifests().exists() {
            bail!("no kubelet with pods from files runs");
        }
        http::get(&format!("{KUBELET}/pods"))
    }

    /// Whether the node says it can run pods.
    pub(crate) fn node_is_ready(&self) -> bool {
        let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        self.kubectl(&["get", "node", NODE, "-o", path]).is_ok_and(|text| text == "True")
    }

    fn program(&self, name: &str) -> PathBuf {
        self.dir.join("bin").join(name)
    }

    /// What every process of the cluster has in its environment.
    fn mark(&self) -> String {
        format!("YAGURA_CLUSTER={}", self.dir.display())
    }

    /// Held while the cluster is started or ended, so that two recipes do not do it at once.
    fn lock(&self) -> Result<File> {
        let path = self.dir.with_extension("lock");
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                eprintln!("waiting for another recipe that starts or ends the cluster");
                file.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the cluster"),
        }
        Ok(file)
    }
}

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
