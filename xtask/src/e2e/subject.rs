//! The program under test: kube-state as a service account that may do what `--print-rbac` says, and a way to the API
//! server's own lists that needs no TLS.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::cluster::{API, Cluster};
use crate::connection::Connection;
use crate::process::{self, Tied};
use crate::{cargo, http, places};

/// Lists of metadata alone.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const ACCOUNT: &str = "kube-state";

/// kube-state, and an administrator beside it.
pub(super) struct Subject {
    binary: PathBuf,
    dir: PathBuf,
    kinds: Vec<String>,
    rules: usize,
    connection: Connection,
    admin: String,
    _proxy: Tied,
    first: Instance,
}

/// One process of kube-state.
pub(super) struct Instance {
    objects: String,
    own: String,
    log: PathBuf,
    _process: Tied,
}

impl Subject {
    /// Gives an account the rights that the program prints, and starts it as that account.
    pub(super) fn start(cluster: &Cluster) -> Result<Self> {
        // Without optimisation it cannot keep up with the pods on a machine that runs a whole control plane.
        process::run(&mut cargo::command(&[
            "build",
            "--release",
            "--quiet",
            "--package",
            "yagura-kube-state",
            "--bin",
            "yagura-kube-state",
        ]))?;
        let binary = places::target().join("release/yagura-kube-state");
        let dir = places::cache("e2e-cluster")?;
        let kinds = kinds(&binary)?;
        let role = process::output(Command::new(&binary).arg("--print-rbac").arg(resources(&kinds)))?;
        let account = format!(
            "{role}---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {ACCOUNT}, namespace: kube-system}}\n---\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {ACCOUNT}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: yagura-kube-state}}\n\
             subjects: [{{kind: ServiceAccount, name: {ACCOUNT}, namespace: kube-system}}]\n"
        );
        cluster.create(&account)?;
        write_token(cluster, &dir, "token-1")?;
        let connection = Connection::to(API)?;
        write_kubeconfig(cluster, &dir, connection.port())?;
        let (proxy, admin) = administrator(cluster)?;
        let first = Instance::start(&binary, &dir, &kinds, "first")?;
        let rules = role.matches("- apiGroups:").count();
        Ok(Self { binary, dir, kinds, rules, connection, admin, _proxy: proxy, first })
    }

    /// The process that runs from the beginning.
    pub(super) fn first(&self) -> &Instance {
        &self.first
    }

    /// A further process, which knows nothing yet.
    pub(super) fn another(&self) -> Result<Instance> {
        Instance::start(&self.binary, &self.dir, &self.kinds, "second")
    }

    /// Every kind that the program knows.
    pub(super) fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// The rules of its role.
    pub(super) fn rules(&self) -> usize {
        self.rules
    }

    /// The way from the program to the API server.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Puts another token in the file that the program reads, and gives the name of the old one, which still holds.
    pub(super) fn rotate_token(&self, cluster: &Cluster) -> Result<&'static str> {
        write_token(cluster, &self.dir, "token-2")?;
        Ok("token-1")
    }

    /// The API server's own list: metadata of all objects at a path.
    pub(super) fn list(&self, path: &str) -> Result<Vec<Value>> {
        let text = http::get_as(&format!("{}{path}", self.admin), METADATA)?;
        let mut list: Value = serde_json::from_str(&text).with_context(|| format!("the list of {path}"))?;
        match list["items"].take() {
            Value::Array(items) => Ok(items),
            _ => bail!("{path} is no list"),
        }
    }

    /// The uids of that list.
    pub(super) fn uids(&self, path: &str) -> Result<BTreeSet<String>> {
        let items = self.list(path)?;
        Ok(items.iter().filter_map(|item| item["metadata"]["uid"].as_str().map(str::to_owned)).collect())
    }
}

impl Instance {
    fn start(binary: &Path, dir: &Path, kinds: &[String], name: &str) -> Result<Self> {
        let (objects, own) = (http::free_port()?, http::free_port()?);
        let mut command = process::tied(binary);
        command.args(["--host=127.0.0.1", "--telemetry-host=127.0.0.1"]).arg(resources(kinds));
        command.arg(format!("--port={objects}")).arg(format!("--telemetry-port={own}"));
        command.arg(format!("--kubeconfig={}", dir.join("kubeconfig").display()));
        let log = dir.join(format!("{name}.log"));
        let mut process = Tied::start("kube-state", &mut command, &log)?;
        let (objects, own) = (format!("http://127.0.0.1:{objects}"), format!("http://127.0.0.1:{own}"));
        process.wait_until(Duration::from_mins(1), || http::get(&format!("{own}/readyz")).is_ok())?;
        Ok(Self { objects, own, log, _process: process })
    }

    /// Where it is scraped.
    pub(super) fn url(&self) -> &str {
        &self.objects
    }

    /// All that it shows, or of some kinds: `?resources=pods`.
    pub(super) fn page(&self, query: &str) -> Result<String> {
        http::get(&format!("{}/metrics{query}", self.objects))
    }

    /// What it has written to its log.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The sums of a family of the page about itself, by the value of the label `kind`.
    pub(super) fn own(&self, family: &str) -> Result<HashMap<String, f64>> {
        let page = http::get(&format!("{}/metrics", self.own))?;
        let rows = page.lines().filter_map(|line| {
            let (labels, value) = line.strip_prefix(family)?.strip_prefix('{')?.split_once("} ")?;
            let kind = labels.split("kind=\"").nth(1)?.split('"').next()?;
            Some((kind.to_owned(), value.trim().parse().ok()?))
        });
        let mut sums: HashMap<String, f64> = HashMap::new();
        for (kind, value) in rows {
            let value: f64 = value;
            *sums.entry(kind).or_default() += value;
        }
        if sums.is_empty() {
            bail!("no series of {family} has a kind");
        }
        Ok(sums)
    }
}

fn resources(kinds: &[String]) -> String {
    format!("--resources={}", kinds.join(","))
}

/// Every kind that the program declares.
fn kinds(binary: &Path) -> Result<Vec<String>> {
    let text = process::output(Command::new(binary).arg("--print-catalog"))?;
    let catalog: Value = serde_json::from_str(&text).context("the catalogue is not JSON")?;
    let sections = catalog["sections"].as_array().cloned().unwrap_or_default();
    let of_cluster = sections.iter().filter(|section| {
        let first = &section["families"][0];
        let is_own = first["name"].as_str().is_some_and(|name| name.starts_with("kube_state_metrics_"));
        first["named_by"] == "kube-state-metrics" && !is_own
    });
    Ok(of_cluster.filter_map(|section| section["name"].as_str().map(str::to_owned)).collect())
}

/// Writes a token that holds as long as a secret of this name is there.
fn write_token(cluster: &Cluster, dir: &Path, name: &str) -> Result<()> {
    cluster.kubectl(&["create", "secret", "generic", name, "--namespace=kube-system"])?;
    let words = ["create", "token", ACCOUNT, "--namespace=kube-system", "--duration=1h", "--bound-object-kind=Secret"];
    let name = format!("--bound-object-name={name}");
    let words: Vec<&str> = words.into_iter().chain([name.as_str()]).collect();
    let file = dir.join("token");
    let fresh = dir.join("token.new");
    places::write(&fresh, cluster.kubectl(&words)?.trim())?;
    std::fs::rename(&fresh, &file).with_context(|| format!("cannot write {}", file.display()))
}

fn write_kubeconfig(cluster: &Cluster, dir: &Path, port: u16) -> Result<()> {
    let authority = cluster.authority();
    let text = format!(
        "apiVersion: v1\nkind: Config\n\
         clusters: [{{name: c, cluster: {{server: \"https://127.0.0.1:{port}\", certificate-authority: \"{}\"}}}}]\n\
         users: [{{name: u, user: {{tokenFile: \"{}\"}}}}]\n\
         contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n",
        authority.display(),
        dir.join("token").display()
    );
    places::write(&dir.join("kubeconfig"), text)
}

/// A proxy that is the administrator, so that lists are plain HTTP.
fn administrator(cluster: &Cluster) -> Result<(Tied, String)> {
    let port = http::free_port()?;
    let kubectl = cluster.kubectl_command();
    let mut command = process::tied(Path::new(kubectl.get_program()));
    command.args(kubectl.get_args()).args(["proxy", &format!("--port={port}")]);
    let mut proxy = Tied::start("kubectl proxy", &mut command, &places::cache("logs")?.join("kubectl-proxy.log"))?;
    let url = format!("http://127.0.0.1:{port}");
    proxy.wait_until(Duration::from_secs(20), || http::get(&format!("{url}/version")).is_ok())?;
    Ok((proxy, url))
}
