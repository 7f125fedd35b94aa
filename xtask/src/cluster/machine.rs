//! The cluster of this machine: where everything of it is, and how it is asked.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::args::{Args, usage};
use crate::{http, places, process};

/// Read-only port of the kubelet, where its metrics are.
pub(crate) const KUBELET: &str = "http://127.0.0.1:20255";
/// Where the API server listens.
pub(crate) const API: &str = "127.0.0.1:26443";
pub(super) const ETCD: &str = "127.0.0.1:22379";
pub(super) const ETCD_PEER: &str = "127.0.0.1:22380";
pub(super) const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";
pub(super) const BRIDGE: &str = "yagura0";
pub(super) const NETWORK: &str = "yagura-pods";
/// The name of the one node.
pub(crate) const NODE: &str = "node-1";
/// The image that every test pod runs: busybox and nothing else.
pub(crate) const BOX_IMAGE: &str = "registry.test/box:1";
pub(super) const PAUSE_IMAGE: &str = "registry.test/pause:1";

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
    pub(super) fn to_json(&self) -> String {
        let Self { node, api, controllers, cgroup_root, api_flags } = self;
        json!({
            "node": node, "api": api, "controllers": controllers, "cgroup_root": cgroup_root, "api_flags": api_flags
        })
        .to_string()
    }

    pub(super) fn from_args(args: &mut Args) -> Result<Self> {
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
    pub(super) dir: PathBuf,
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

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join("bin").join(name)
    }

    /// What every process of the cluster has in its environment.
    pub(super) fn mark(&self) -> String {
        format!("YAGURA_CLUSTER={}", self.dir.display())
    }

    /// Held while the cluster is started or ended, so that two recipes do not do it at once.
    pub(super) fn lock(&self) -> Result<File> {
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
