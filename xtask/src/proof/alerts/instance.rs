//! Faults of our own programs: further agents and kube-states, which Prometheus knows by the label `cluster`, so that
//! what is wrong with them is not mistaken for the state of those that watch all other faults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde::Deserialize;

use super::filesystem::Repeated;
use super::lab::{self, Lab};
use super::place::{Place, filled};
use super::undo::Undo;
use crate::cluster::{API, NODE};
use crate::connection::Connection;
use crate::process::{self, Tied};
use crate::{http, places};

/// What runs for one fault.
#[derive(Default)]
struct Instance {
    agent: Option<Tied>,
    port: u16,
    flags: Vec<String>,
    shards: Vec<lab::KubeState>,
    way: Option<Connection>,
}

static INSTANCES: Mutex<BTreeMap<String, Instance>> = Mutex::new(BTreeMap::new());

fn instances() -> MutexGuard<'static, BTreeMap<String, Instance>> {
    INSTANCES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something with what runs for a fault.
fn with<T>(place: &Place, work: impl FnOnce(&mut Instance) -> T) -> T {
    work(instances().entry(place.namespace.clone()).or_default())
}

/// Ends the agent that watches all; the undo starts it again.
#[expect(clippy::unnecessary_wraps, reason = "what steps give")]
pub(super) fn agent_down(lab: &Lab) -> Result<Undo<'_>> {
    lab.stop_agent();
    Ok(Box::new(|| lab.start_agent()))
}

/// Scrapes the agent by a further job without its node.
pub(super) fn nameless<'l>(lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
    lab.scrape(&place.namespace, &[lab.agent_url()], &[("cluster", &place.namespace)])?;
    let name = place.namespace.clone();
    Ok(Box::new(move || {
        lab.scrape_no_more(&name);
        Ok(())
    }))
}

/// A further agent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agent {
    #[serde(default)]
    flags: Vec<String>,
    /// Whether it asks the API server, by a way that can be cut.
    #[serde(default)]
    kubernetes: bool,
    /// Whether it has the addresses of the fault's kube-state.
    #[serde(default)]
    peers: bool,
    /// Its configuration file.
    #[serde(default)]
    config: Option<String>,
    /// Files that it may read, in `${files}`.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Whether its page for nodes is scraped too.
    #[serde(default)]
    node_view: bool,
}

impl Agent {
    pub(super) fn start<'l>(&self, lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let port = http::free_port()?;
        let dir = files(lab, place);
        for (name, text) in &self.files {
            places::write(&dir.join(name), text)?;
        }
        let mut flags = vec![format!("--web.listen-address=127.0.0.1:{port}")];
        if let Some(config) = &self.config {
            let path = dir.join("config.yaml");
            places::write(&path, config)?;
            flags.push(format!("--config.file={}", path.display()));
        }
        if self.kubernetes {
            let kubeconfig = way(lab, place, &lab.account)?;
            flags.push(format!("--kubernetes.node={NODE}"));
            flags.push(format!("--kubernetes.kubeconfig={}", kubeconfig.display()));
        }
        if self.peers {
            let objects = with(place, |instance| instance.shards.first().map(|one| one.objects.clone()));
            flags.push(format!("--peers.url=http://{}", objects.context("no kube-state of the fault")?));
        }
        flags.extend(self.flags.iter().map(|flag| filled(flag, place).replace("${files}", &dir.display().to_string())));
        let agent = start(place, port, &flags, &[])?;
        with(place, |instance| {
            instance.agent = Some(agent);
            instance.port = port;
            instance.flags = flags;
        });
        let target = format!("127.0.0.1:{port}");
        lab.scrape(&place.namespace, &[&target], &[("cluster", &place.namespace), ("node", NODE)])?;
        if self.node_view {
            let labels =
                [("cluster", place.namespace.as_str()), ("view", "node"), ("__metrics_path__", "/metrics/node")];
            lab.scrape(&format!("{}-node", place.namespace), &[&target], &labels)?;
        }
        let scraped = format!("count(yagura_build_info{{cluster=\"{}\"}})", place.namespace);
        process::wait_for("the further agent to be scraped", Duration::from_mins(1), || {
            lab.prometheus.query(&scraped).is_ok_and(|rows| !rows.is_empty())
        })?;
        let place = place.clone();
        Ok(Box::new(move || {
            lab.scrape_no_more(&place.namespace);
            lab.scrape_no_more(&format!("{}-node", place.namespace));
            let ended = with(&place, |instance| (instance.agent.take(), instance.way.take()));
            drop(ended);
            Ok(())
        }))
    }
}

/// Ends the further agent.
pub(super) fn end<'l>(place: &Place) -> Result<Undo<'l>> {
    drop(with(place, |instance| instance.agent.take()).context("no further agent runs")?);
    let place = place.clone();
    Ok(Box::new(move || {
        let (port, flags) = with(&place, |instance| (instance.port, instance.flags.clone()));
        let agent = start(&place, port, &flags, &[])?;
        with(&place, |instance| instance.agent = Some(agent));
        Ok(())
    }))
}

/// A file that the further agent may read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    name: String,
    text: String,
}

impl Given {
    pub(super) fn put<'l>(&self, lab: &Lab, place: &Place) -> Result<Undo<'l>> {
        let path = files(lab, place).join(&self.name);
        places::write(&path, &self.text)?;
        Ok(Box::new(move || std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))))
    }
}

fn files(lab: &Lab, place: &Place) -> PathBuf {
    lab.dir.join("files").join(&place.namespace)
}

/// Starts an agent without some capabilities, and waits until it is ready.
fn start(place: &Place, port: u16, flags: &[String], without: &[String]) -> Result<Tied> {
    let binary = lab::binary("yagura-exporter");
    let mut command = process::tied(Path::new("setpriv"));
    let dropped: Vec<String> = without.iter().map(|name| format!("-{name}")).collect();
    if !dropped.is_empty() {
        let dropped = dropped.join(",");
        command.args([format!("--bounding-set={dropped}"), format!("--inh-caps={dropped}")]);
    }
    command.arg("--").arg(binary).args(flags);
    let log = places::cache("logs")?.join(format!("proof-{}.log", place.namespace));
    let mut agent = Tied::start("the further agent", &mut command, &log)?;
    let ready = format!("http://127.0.0.1:{port}/-/ready");
    agent.wait_until(Duration::from_mins(1), || http::get(&ready).is_ok())?;
    Ok(agent)
}

/// A kubeconfig like another one, whose way to the API server can be cut.
fn way(lab: &Lab, place: &Place, kubeconfig: &Path) -> Result<PathBuf> {
    let connection = Connection::to(API)?;
    let text = std::fs::read_to_string(kubeconfig).with_context(|| format!("cannot read {}", kubeconfig.display()))?;
    let path = files(lab, place).join("kubeconfig");
    places::write(&path, text.replace(API, &format!("127.0.0.1:{}", connection.port())))?;
    with(place, |instance| instance.way = Some(connection));
    Ok(path)
}

/// Cuts that way.
pub(super) fn cut<'l>(place: &Place) -> Result<Undo<'l>> {
    with(place, |instance| instance.way.as_ref().map(Connection::close)).context("no way to the API server to cut")?;
    let place = place.clone();
    Ok(Box::new(move || {
        with(&place, |instance| instance.way.as_ref().map(Connection::reopen));
        Ok(())
    }))
}

/// Another start of the further agent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Again {
    #[serde(default)]
    flags: Vec<String>,
    /// Capabilities that it lacks, as setpriv names them.
    #[serde(default)]
    without: Vec<String>,
}

impl Again {
    pub(super) fn start<'l>(&self, _lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let restart = |place: &Place, further: &[String], without: &[String]| {
            let (old, port, mut flags) =
                with(place, |instance| (instance.agent.take(), instance.port, instance.flags.clone()));
            drop(old.context("no further agent runs")?);
            flags.extend(further.iter().cloned());
            let agent = start(place, port, &flags, without)?;
            with(place, |instance| instance.agent = Some(agent));
            Ok(())
        };
        restart(place, &self.flags, &self.without)?;
        let place = place.clone();
        Ok(Box::new(move || restart(&place, &[], &[])))
    }
}

/// Another configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    text: String,
}

impl Config {
    pub(super) fn write<'l>(&self, lab: &Lab, place: &Place) -> Result<Undo<'l>> {
        let path = files(lab, place).join("config.yaml");
        let before = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let reload = |place: &Place, path: &Path, text: &str| {
            places::write(path, text)?;
            let pid = with(place, |instance| instance.agent.as_ref().map(Tied::id)).context("no further agent runs")?;
            process::signal(pid, Signal::HUP);
            Ok(())
        };
        reload(place, &path, &self.text)?;
        let place = place.clone();
        Ok(Box::new(move || reload(&place, &path, &before)))
    }
}

/// A further kube-state.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KubeState {
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default = "one")]
    shards: usize,
    /// Whether its way to the API server can be cut.
    #[serde(default)]
    cuttable: bool,
    /// Kinds that its account may not list.
    #[serde(default)]
    forbidden: Vec<String>,
    /// Kinds that its account may list but not watch.
    #[serde(default)]
    unwatchable: Vec<String>,
    /// Whether its page about itself is scraped.
    #[serde(default = "yes")]
    scraped: bool,
}

const fn one() -> usize {
    1
}

const fn yes() -> bool {
    true
}

impl KubeState {
    pub(super) fn start<'l>(&self, lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let mut kubeconfig = lab.machine.kubeconfig();
        if self.has_account() {
            kubeconfig = self.account(lab, place)?;
        }
        if self.cuttable {
            kubeconfig = way(lab, place, &kubeconfig)?;
        }
        let mut shards = Vec::new();
        for number in 0..self.shards {
            let mut flags = self.flags.clone();
            if self.shards > 1 {
                flags.extend([format!("--shard={number}"), format!("--total-shards={}", self.shards)]);
            }
            let name = format!("{}-{number}", place.namespace);
            shards.push(lab::KubeState::start(&name, &kubeconfig, flags)?);
        }
        let targets: Vec<String> = shards.iter().map(|shard: &lab::KubeState| shard.own.clone()).collect();
        with(place, |instance| instance.shards = shards);
        if self.scraped {
            let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
            lab.scrape(&place.namespace, &targets, &[("cluster", &place.namespace)])?;
        }
        let (place, account) = (place.clone(), self.has_account());
        Ok(Box::new(move || {
            lab.scrape_no_more(&place.namespace);
            drop(with(&place, std::mem::take));
            if account {
                let words = ["delete", "clusterrole,clusterrolebinding", &place.namespace, "--ignore-not-found"];
                lab.machine.kubectl(&words)?;
            }
            Ok(())
        }))
    }

    /// Whether it has an account of its own.
    fn has_account(&self) -> bool {
        !self.forbidden.is_empty() || !self.unwatchable.is_empty()
    }

    /// An account that may do what kube-state needs, but for some kinds.
    fn account(&self, lab: &Lab, place: &Place) -> Result<PathBuf> {
        let role =
            process::output(Command::new(lab::binary("yagura-kube-state")).arg("--print-rbac").args(&self.flags))?;
        let name = &place.namespace;
        let (mut kept, mut only_listed, mut groups) = (Vec::new(), Vec::new(), "");
        for line in role.lines() {
            let is_one_of = |kinds: &[String]| kinds.iter().any(|kind| line.trim() == format!("- {kind}"));
            if line.starts_with("- apiGroups:") {
                groups = line;
            }
            if is_one_of(&self.unwatchable) {
                only_listed.push(format!("{groups}\n  resources:\n{line}\n  verbs: [list]"));
            } else if !is_one_of(&self.forbidden) {
                kept.push(line.replace("name: yagura-kube-state", &format!("name: {name}")));
            }
        }
        kept.extend(only_listed);
        let objects = format!(
            "{}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {name}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}\n\
             subjects: [{{kind: ServiceAccount, name: default, namespace: {name}}}]\n",
            kept.join("\n")
        );
        lab.apply(name, &objects)?;
        let token = lab.machine.kubectl(&["-n", name, "create", "token", "default", "--duration=24h"])?;
        let text = std::fs::read_to_string(lab.machine.kubeconfig()).context("cannot read the kubeconfig")?;
        let path = files(lab, place).join("account");
        places::write(&path, text.replace("admintoken", token.trim()))?;
        Ok(path)
    }
}

/// One of its shards.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shard {
    shard: usize,
}

impl Shard {
    pub(super) fn end<'l>(&self, place: &Place) -> Result<Undo<'l>> {
        let number = self.shard;
        with(place, |instance| instance.shards.get_mut(number).map(lab::KubeState::end))
            .with_context(|| format!("no shard {number} runs"))?;
        let place = place.clone();
        Ok(Box::new(move || {
            let again = |instance: &mut Instance| instance.shards.get_mut(number).map(lab::KubeState::again);
            with(&place, again).context("the shard is gone")?
        }))
    }
}

/// Somebody who does not wait for the page.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hurry {
    seconds: f64,
}

impl Hurry {
    #[expect(clippy::unnecessary_wraps, reason = "what steps give")]
    pub(super) fn start<'l>(&self, _lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let url = format!("http://127.0.0.1:{}/metrics", with(place, |instance| instance.port));
        let seconds = self.seconds;
        let scrapes = Repeated::every(Duration::from_millis(500), move || drop(http::get_within(&url, seconds)));
        Ok(Box::new(move || {
            drop(scrapes);
            Ok(())
        }))
    }
}
