//! What runs in the proof: the node, the agent, kube-state, Prometheus with all rules, Alertmanager, the receiver.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::receiver::Receiver;
use crate::agent::Agent;
use crate::cluster::{API, Cluster, KUBELET, NODE};
use crate::peers::{ALERTMANAGER_NEW, PROMETHEUS_3, PROMETHEUS_NEW};
use crate::process::Tied;
use crate::prometheus::Prometheus;
use crate::{account, debian, http, places, process};

/// How fast time goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Clock {
    /// Times of rules are divided by it.
    pub(super) divisor: f64,
}

impl Clock {
    /// A length of the rules as it is in this run.
    pub(super) fn period(self, period: mixin::Period) -> Duration {
        Duration::from_secs_f64(period.scaled(self.factor()).seconds())
    }

    /// What times are multiplied with.
    pub(super) fn factor(self) -> f64 {
        1.0 / self.divisor
    }

    /// How often is scraped and evaluated: a minute by this clock, between two and fifteen seconds.
    fn interval(self) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 2 and 15")]
        let seconds = (60.0 / self.divisor).round().clamp(2.0, 15.0) as u64;
        seconds
    }
}

/// All that runs, ended when it is dropped.
pub(super) struct Lab {
    pub(super) machine: Cluster,
    pub(super) receiver: Receiver,
    pub(super) clock: Clock,
    /// Folders and files of the run.
    pub(super) dir: PathBuf,
    /// The kubeconfig of the agents' account.
    pub(super) account: PathBuf,
    _kube_state: KubeState,
    pub(super) prometheus: Prometheus,
    _alertmanager: Tied,
    agent: Mutex<Option<Agent>>,
    agent_url: String,
    agent_flags: Vec<String>,
}

/// kube-state where it is scraped.
#[derive(Debug)]
pub(super) struct KubeState {
    name: String,
    kubeconfig: PathBuf,
    flags: Vec<String>,
    pub(super) objects: String,
    pub(super) own: String,
    process: Option<Tied>,
}

impl KubeState {
    /// Starts it with a kubeconfig and further flags on free ports.
    pub(super) fn start(name: &str, kubeconfig: &Path, flags: Vec<String>) -> Result<Self> {
        let (objects, own) = (http::free_port()?, http::free_port()?);
        let mut kube_state = Self {
            name: name.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
            flags: [flags, vec![format!("--port={objects}"), format!("--telemetry-port={own}")]].concat(),
            objects: format!("127.0.0.1:{objects}"),
            own: format!("127.0.0.1:{own}"),
            process: None,
        };
        kube_state.again()?;
        Ok(kube_state)
    }

    /// Starts it once more, where it was.
    pub(super) fn again(&mut self) -> Result<()> {
        let mut command = process::tied(&binary("yagura-kube-state"));
        command.arg(format!("--kubeconfig={}", self.kubeconfig.display()));
        command.args(["--host=127.0.0.1", "--telemetry-host=127.0.0.1"]).args(&self.flags);
        let log = places::cache("logs")?.join(format!("proof-{}.log", self.name));
        let mut process = Tied::start("kube-state", &mut command, &log)?;
        let page = format!("http://{}/metrics", self.own);
        process.wait_until(Duration::from_mins(1), || http::get(&page).is_ok())?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends it.
    pub(super) fn end(&mut self) {
        self.process = None;
    }
}

/// The folder of the binaries, when it was given.
static BINARIES: OnceLock<PathBuf> = OnceLock::new();

/// Has the proof take binaries that are built already.
pub(super) fn take_binaries_from(folder: PathBuf) {
    BINARIES.get_or_init(|| folder);
}

/// A binary of the workspace: the given one, else the release.
pub(super) fn binary(name: &str) -> PathBuf {
    BINARIES.get().cloned().unwrap_or_else(|| places::target().join("release")).join(name)
}

/// Flags of kube-state that make the owner of each workload known.
pub(super) const OWNERS: &str = "--workload-owner=team=team";

impl Lab {
    /// Starts all on a cluster that is up. The rule files are in `dir/rules`.
    pub(super) fn start(machine: Cluster, dir: &Path, clock: Clock) -> Result<Self> {
        let receiver = Receiver::start()?;
        // Debian's need not be built, and are what its users run.
        let prometheus = if debian::is_here() { PROMETHEUS_3.path()? } else { PROMETHEUS_NEW.binary()? };
        let alertmanager = ALERTMANAGER_NEW.binary()?;
        let flags = ["--pod-workloads", "--peers", OWNERS].map(str::to_owned);
        let kube_state = KubeState::start("kube-state", &machine.kubeconfig(), flags.to_vec())?;
        let port = http::free_port()?;
        let names = vec![format!("--kubernetes.node={NODE}"), "--kubernetes.owner-labels=team=team".to_owned()];
        let account = account::kubeconfig(&machine, &binary("yagura-exporter"), &names)?;
        let further = [
            format!("--kubernetes.kubeconfig={}", account.display()),
            format!("--peers.url=http://{}", kube_state.objects),
            format!("--web.listen-address=127.0.0.1:{port}"),
            // Loop devices are left out otherwise, as node_exporter does.
            "--collector.diskstats.device-exclude=^(z?ram|fd)\\d+$".to_owned(),
        ];
        let agent_flags = [names, further.to_vec()].concat();
        let agent = start_agent(&agent_flags)?;
        let agent_url = format!("127.0.0.1:{port}");
        let (process, address) = start_alertmanager(&alertmanager, dir, &receiver, clock)?;
        // A run that was cut short leaves targets.
        let targets = dir.join("targets");
        if targets.is_dir() {
            fs::remove_dir_all(&targets).with_context(|| format!("cannot empty {}", targets.display()))?;
        }
        fs::create_dir_all(&targets).with_context(|| format!("cannot make {}", targets.display()))?;
        let scrape = Scraped { agent: &agent_url, kube_state: &kube_state, dir, alertmanager: &address };
        let prometheus = Prometheus::with(&prometheus, &scrape.configuration(clock), "proof-alerts", &[])?;
        prometheus.wait_up(SCRAPED)?;
        Ok(Self {
            machine,
            receiver,
            clock,
            dir: dir.to_owned(),
            account,
            _kube_state: kube_state,
            prometheus,
            _alertmanager: process,
            agent: Mutex::new(Some(agent)),
            agent_url,
            agent_flags,
        })
    }

    /// Ends the agent.
    pub(super) fn stop_agent(&self) {
        drop(self.agent().take());
    }

    /// Starts it again where it was.
    pub(super) fn start_agent(&self) -> Result<()> {
        let agent = start_agent(&self.agent_flags)?;
        *self.agent() = Some(agent);
        Ok(())
    }

    /// Where the agent is.
    pub(super) fn agent_url(&self) -> &str {
        &self.agent_url
    }

    fn agent(&self) -> MutexGuard<'_, Option<Agent>> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has Prometheus scrape further pages of a program of ours, with these labels.
    pub(super) fn scrape(&self, name: &str, targets: &[&str], labels: &[(&str, &str)]) -> Result<()> {
        let labels: serde_json::Map<String, serde_json::Value> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let path = self.targets(name);
        // Prometheus may look at any moment: a file that is half there is an error in its log.
        let fresh = path.with_extension("new");
        places::write(&fresh, json!([{"targets": targets, "labels": labels}]).to_string())?;
        fs::rename(&fresh, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Ends what [`Self::scrape`] began.
    pub(super) fn scrape_no_more(&self, name: &str) {
        fs::remove_file(self.targets(name)).ok();
    }

    fn targets(&self, name: &str) -> PathBuf {
        self.dir.join("targets").join(format!("{name}.json"))
    }

    /// Applies objects in a namespace.
    pub(super) fn apply(&self, namespace: &str, objects: &str) -> Result<PathBuf> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = self.dir.join("objects").join(format!("{namespace}-{number}.yaml"));
        places::write(&file, objects)?;
        let path = file.display().to_string();
        self.machine.kubectl(&["apply", "-n", namespace, "-f", &path])?;
        Ok(file)
    }
}

fn start_agent(flags: &[String]) -> Result<Agent> {
    Agent::start(&binary("yagura-exporter"), flags)
}

/// Every alert is a notification of its own, at the pace of the example's route by this clock.
fn start_alertmanager(program: &Path, dir: &Path, receiver: &Receiver, clock: Clock) -> Result<(Tied, String)> {
    let config = dir.join("alertmanager.yaml");
    let seconds = |minutes: f64| format!("{:.0}s", (minutes * 60.0 / clock.divisor).max(1.0));
    let text = format!(
        "route: {{receiver: proof, group_by: ['...'], group_wait: {wait}, group_interval: {interval}, repeat_interval: 24h, \
         routes: [{{receiver: proof, matchers: [alertname = AlertPathAlive], group_by: ['...'], group_wait: 1s, \
         group_interval: {alive}, repeat_interval: {alive}}}]}}\n\
         receivers: [{{name: proof, webhook_configs: [{{url: '{url}', send_resolved: true}}]}}]\n",
        wait = seconds(0.5),
        interval = seconds(5.0),
        alive = seconds(2.0),
        url = receiver.url(),
    );
    places::write(&config, text)?;
    let port = http::free_port()?;
    let address = format!("127.0.0.1:{port}");
    let data = dir.join("alertmanager");
    if data.is_dir() {
        fs::remove_dir_all(&data).with_context(|| format!("cannot empty {}", data.display()))?;
    }
    let mut command = process::tied(program);
    command.arg(format!("--config.file={}", config.display())).arg(format!("--storage.path={}", data.display()));
    command.arg(format!("--web.listen-address={address}")).arg("--cluster.listen-address=");
    let mut process = Tied::start("Alertmanager", &mut command, &dir.join("alertmanager.log"))?;
    process.wait_until(Duration::from_secs(30), || http::get(&format!("http://{address}/-/ready")).is_ok())?;
    Ok((process, address))
}

/// Targets that are always there.
const SCRAPED: usize = 7;

/// What Prometheus is told of.
struct Scraped<'a> {
    agent: &'a str,
    kube_state: &'a KubeState,
    dir: &'a Path,
    alertmanager: &'a str,
}

impl Scraped<'_> {
    fn configuration(&self, clock: Clock) -> String {
        let Self { agent, kube_state, dir, alertmanager } = self;
        let (dir, every) = (dir.display(), clock.interval());
        let mut text = format!(
            "global: {{scrape_interval: {every}s, scrape_timeout: {every}s, evaluation_interval: {every}s}}\n\
             rule_files: ['{dir}/rules/*.yaml']\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alertmanager}']}}]}}]}}\n\
             scrape_configs:\n"
        );
        let mut job = |name: &str, path: &str, target: &str, further: &str| {
            let _ = writeln!(
                text,
                "- {{job_name: {name}, metrics_path: {path}, honor_labels: true, honor_timestamps: false, \
                 static_configs: [{{targets: ['{target}'], labels: {{{further}}}}}]}}"
            );
        };
        let node = format!("node: {NODE}");
        job("yagura", "/metrics", agent, &node);
        // The names by which other sets know these pages.
        job("node-exporter", "/metrics/node", agent, &node);
        job("cadvisor", "/metrics/cadvisor", agent, &format!("{node}, metrics_path: /metrics/cadvisor"));
        job("kube-state-metrics", "/metrics", &kube_state.objects, "");
        job("kube-state-telemetry", "/metrics", &kube_state.own, "");
        job("kubelet", "/metrics", KUBELET.trim_start_matches("http://"), &format!("{node}, metrics_path: /metrics"));
        let _ = writeln!(
            text,
            "- {{job_name: kube-apiserver, scheme: https, authorization: {{credentials: admintoken}}, \
             tls_config: {{insecure_skip_verify: true}}, static_configs: [{{targets: ['{API}']}}], \
             metric_relabel_configs: [{{source_labels: [__name__], regex: '(apiserver_request|apiserver_client_cert|aggregator).*', action: keep}}, \
             {{source_labels: [__name__], regex: 'apiserver_request_(duration|sli_duration|body_size).*_bucket', action: drop}}]}}"
        );
        // What faults bring: further instances of our programs, told apart by `cluster`; only what they say of themselves.
        let _ = writeln!(
            text,
            "- {{job_name: further, honor_labels: true, file_sd_configs: [{{files: ['{dir}/targets/*.json'], refresh_interval: 2s}}], \
             metric_relabel_configs: [{{source_labels: [__name__], regex: '(yagura|kube_state_metrics)_.*', action: keep}}]}}"
        );
        text
    }
}

/// The machine's load, for who reads the figures.
pub(super) fn load() -> String {
    let first = |path: &str, count: usize| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
    };
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("load {} on {cpus} CPUs, CPU pressure {}", first("/proc/loadavg", 3), first("/proc/pressure/cpu", 3))
}
