//! Metrics about scraping. Those about serving are in daemon.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use daemon::{Program, Telemetry};
use kernfs::Budget;
use metric::{Label, Section};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};

use crate::{
    history,
    identity::{peers, pods::Figures},
    report::{Outcome, Report},
    spec::View,
};

type Labels = Vec<(&'static str, String)>;

const VIEW: Label = Label::closed("view", &[View::Own.path(), View::Cadvisor.path(), View::Node.path()]);
const COLLECTOR: Label = Label::open("collector", "collectors");
const FAMILY: Label = Label::open("family", "families");
const FEATURE: Label = Label::open("feature", "collectors and probes");
const REASON: Label = Label::open("reason", "1 a feature");
const SERVER: Label = Label::open("server", "servers of Kubernetes that are asked");
const OUTCOME: Label = Label::closed("outcome", &["success", "error"]);
const BY: Label = Label::open("by", "1");

/// Metrics of the agent's own registry.
pub struct OwnMetrics {
    duration: Family<Labels, Gauge<f64, AtomicU64>>,
    success: Family<Labels, Gauge>,
    errors: Family<Labels, Counter>,
    late: Family<Labels, Counter>,
    dropped: Family<Labels, Counter>,
    repeated: Family<Labels, Counter>,
    features: Family<Labels, Gauge>,
    cgroups: Gauge,
    unnamed: Gauge,
    watching: Gauge,
    walks: Counter,
    resyncs: Counter,
    kept: Gauge,
    kept_most: Gauge,
    evicted: Counter,
    unkept: Counter,
    pods: Gauge,
    pods_age: Family<Labels, Gauge<f64, AtomicU64>>,
    pod_owners: Gauge,
    requests: Family<Labels, Gauge>,
    received: Family<Labels, Gauge>,
    peers: Gauge,
    peers_age: Family<Labels, Gauge<f64, AtomicU64>>,
    gone: Gauge,
    cut: Counter,
}

/// The declarations of all that the registry holds, as the catalogue shows them.
pub fn section(program: &Program) -> Section {
    let telemetry = Telemetry::new(program);
    OwnMetrics::register(&telemetry);
    Section {
        name: SECTION.to_owned(),
        about: "What the agent says about itself: its process, its web server, its scrapes.".to_owned(),
        default_on: true,
        needs: Vec::new(),
        families: telemetry.families(View::Own.path()),
    }
}

/// The section of the catalogue that no flag switches.
pub const SECTION: &str = "telemetry";

impl OwnMetrics {
    /// Registers them.
    pub fn register(telemetry: &Telemetry) -> Self {
        let own = Self {
            duration: Family::default(),
            success: Family::default(),
            errors: Family::default(),
            late: Family::default(),
            dropped: Family::default(),
            repeated: Family::default(),
            features: Family::default(),
            cgroups: Gauge::default(),
            unnamed: Gauge::default(),
            watching: Gauge::default(),
            walks: Counter::default(),
            resyncs: Counter::default(),
            kept: Gauge::default(),
            kept_most: Gauge::default(),
            evicted: Counter::default(),
            unkept: Counter::default(),
            pods: Gauge::default(),
            pods_age: Family::default(),
            pod_owners: Gauge::default(),
            requests: Family::default(),
            received: Family::default(),
            peers: Gauge::default(),
            peers_age: Family::default(),
            gone: Gauge::default(),
            cut: Counter::default(),
        };
        let put = telemetry;
        put.register(
            "yagura_collector_duration_seconds",
            "How long the collector took in the last scrape of the view",
            &[VIEW, COLLECTOR],
            own.duration.clone(),
        );
        put.register(
            "yagura_collector_success",
            "Whether the collector's last run in the view left all its rows",
            &[VIEW, COLLECTOR],
            own.success.clone(),
        );
        put.register(
            "yagura_collector_errors",
            "Runs of the collector that lost some or all of their rows",
            &[VIEW, COLLECTOR],
            own.errors.clone(),
        );
        put.register(
            "yagura_collector_late",
            "Runs of the collector that were left out because the scrape's deadline had passed",
            &[VIEW, COLLECTOR],
            own.late.clone(),
        );
        put.register(
            "yagura_series_dropped",
            "Samples left out because the family or the page had reached its limit",
            &[FAMILY],
            own.dropped.clone(),
        );
        put.register(
            "yagura_repeated_series",
            "Samples left out because the page had their series already; the first stays",
            &[VIEW, FAMILY],
            own.repeated.clone(),
        );
        put.register(
            "yagura_feature_enabled",
            "Whether the feature is on; the reason says what is missing",
            &[FEATURE, REASON],
            own.features.clone(),
        );
        own.register_cgroups(telemetry);
        own.register_known(telemetry);
        own
    }

    /// The cgroups that are known, and the files of theirs that are kept open.
    fn register_cgroups(&self, put: &Telemetry) {
        put.register("yagura_cgroups", "Cgroups that have rows", &[], self.cgroups.clone());
        put.register(
            "yagura_cgroups_gone",
            "Cgroups that are gone and whose counters the cAdvisor view still shows",
            &[],
            self.gone.clone(),
        );
        put.register(
            "yagura_cgroups_gone_cut",
            "Cgroups that are gone and whose counters were given up before every scraper had them, for want of room",
            &[],
            self.cut.clone(),
        );
        put.register(
            "yagura_containers_unnamed",
            "Containers whose names and images are empty: no OCI bundle or record of theirs was found",
            &[],
            self.unnamed.clone(),
        );
        put.register(
            "yagura_cgroup_watching",
            "Whether inotify reports new and removed cgroups; if not, each scrape walks the hierarchies",
            &[],
            self.watching.clone(),
        );
        put.register("yagura_cgroup_walks", "Walks over the cgroup hierarchies", &[], self.walks.clone());
        put.register(
            "yagura_cgroup_resyncs",
            "Walks over the cgroup hierarchies because events were lost",
            &[],
            self.resyncs.clone(),
        );
        put.register("yagura_kept_files", "Kernel files that are kept open between scrapes", &[], self.kept.clone());
        put.register("yagura_kept_files_limit", "Most kernel files that may be kept open", &[], self.kept_most.clone());
        put.register(
            "yagura_kept_files_evicted",
            "Kept files that were closed to stay within the limit",
            &[],
            self.evicted.clone(),
        );
        put.register(
            "yagura_unkept_reads",
            "Reads that opened and closed their file because no more could be kept",
            &[],
            self.unkept.clone(),
        );
    }

    /// What others tell of the node and its cluster.
    fn register_known(&self, put: &Telemetry) {
        put.register("yagura_kubernetes_pods", "Pods of the node that Kubernetes tells of", &[], self.pods.clone());
        put.register(
            "yagura_kubernetes_pods_age_seconds",
            "Time since a server last said something of the node's pods; what is known stays",
            &[BY],
            self.pods_age.clone(),
        );
        put.register(
            "yagura_kubernetes_owners",
            "Owners of the node's pods that are known",
            &[],
            self.pod_owners.clone(),
        );
        put.register(
            "yagura_kubernetes_requests",
            "Requests to servers of Kubernetes since the start, by how they went",
            &[SERVER, OUTCOME],
            self.requests.clone(),
        );
        put.register(
            "yagura_kubernetes_received_bytes",
            "Bytes of answers from servers of Kubernetes since the start, decompressed",
            &[SERVER],
            self.received.clone(),
        );
        put.register(
            "yagura_peers",
            "Pods, services and nodes of the cluster whose addresses a server tells",
            &[],
            self.peers.clone(),
        );
        put.register(
            "yagura_peers_age_seconds",
            "Time since all servers last told addresses of the cluster; what is known stays",
            &[],
            self.peers_age.clone(),
        );
    }

    /// Takes in how addresses of the cluster are learnt.
    pub fn note_peers(&self, figures: &peers::Figures) {
        self.peers.set(i64::try_from(figures.records).unwrap_or(i64::MAX));
        self.peers_age.clear();
        if let Some(age) = figures.age {
            self.peers_age.get_or_create(&Labels::new()).set(age.as_secs_f64());
        }
        if figures.is_on {
            self.note_load("peers", figures.load);
        }
    }

    fn note_load(&self, server: &str, [requests, failed, bytes]: [u64; 3]) {
        let set = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        for (outcome, count) in [("success", requests.saturating_sub(failed)), ("error", failed)] {
            let labels = vec![("server", server.to_owned()), ("outcome", outcome.to_owned())];
            set(&self.requests.get_or_create(&labels), count);
        }
        set(&self.received.get_or_create(&vec![("server", server.to_owned())]), bytes);
    }

    /// Takes in how pods are learnt.
    pub fn note_pods(&self, figures: &Figures) {
        let set = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        if figures.off.is_some() {
            return;
        }
        set(&self.pods, figures.pods as u64);
        set(&self.pod_owners, figures.owners as u64);
        self.pods_age.clear();
        if let Some(age) = figures.age {
            self.pods_age.get_or_create(&vec![("by", figures.by.to_owned())]).set(age.as_secs_f64());
        }
        for (server, load) in figures.load {
            if load != [0; 3] {
                self.note_load(server, load);
            }
        }
    }

    /// Takes in what the cAdvisor view shows of what is gone.
    pub fn note_history(&self, figures: history::Figures) {
        self.gone.set(i64::try_from(figures.kept).unwrap_or(i64::MAX));
        self.cut.inner().store(figures.cut, Relaxed);
    }

    /// Forgets which features are on: the configuration changed.
    pub fn forget_features(&self) {
        self.features.clear();
    }

    /// Forgets what was said of one feature.
    pub fn forget_feature(&self, name: &str, reason: &str) {
        self.features.remove(&vec![("feature", name.to_owned()), ("reason", reason.to_owned())]);
    }

    /// Whether a feature is on; why not, or what it lacks although it is.
    pub fn feature(&self, name: &str, is_on: bool, reason: &str) {
        let labels = vec![("feature", name.to_owned()), ("reason", reason.to_owned())];
        self.features.get_or_create(&labels).set(i64::from(is_on));
    }

    /// Takes in which samples were left out of a page, since the page had their series already. Each family is logged
    /// once.
    pub fn note_left_out(&self, view: View, left_out: Vec<(String, u64)>) {
        for (family, samples) in left_out {
            let labels = vec![("view", view.path().to_owned()), ("family", family)];
            let counter = self.repeated.get_or_create(&labels);
            if counter.inc_by(samples) == 0 {
                let [(_, path), (_, family)] = &*labels else { continue };
                tracing::warn!(
                    view = path,
                    family,
                    samples,
                    "series is on the page already: only the first sample is shown; please report it, unless a text file has it"
                );
            }
        }
    }

    /// Takes in what a scrape did.
    pub fn note(&self, view: View, report: &Report, budget: &Budget) {
        for run in &report.runs {
            let labels = vec![("view", view.path().to_owned()), ("collector", run.collector.to_owned())];
            self.duration.get_or_create(&labels).set(run.took.as_secs_f64());
            self.success
                .get_or_create(&labels)
                .set(i64::from(matches!(run.outcome, Outcome::Complete | Outcome::Absent)));
            let failed = matches!(run.outcome, Outcome::Failed | Outcome::Partial(_));
            self.errors.get_or_create(&labels).inc_by(u64::from(failed));
            self.late.get_or_create(&labels).inc_by(u64::from(run.outcome == Outcome::Late));
        }
        for (family, lost) in &report.dropped {
            self.dropped.get_or_create(&vec![("family", (*family).to_owned())]).inc_by(*lost);
        }
        if view == View::Node {
            return;
        }
        // Counted elsewhere; a configuration that is read anew starts them again, as counters may.
        let risen = |counter: &Counter, value: u64| counter.inner().store(value, Relaxed);
        let set = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.cgroups, report.figures.groups as u64);
        set(&self.unnamed, report.figures.unnamed as u64);
        self.watching.set(i64::from(report.figures.watching));
        risen(&self.walks, report.figures.walks);
        risen(&self.resyncs, report.figures.resyncs);
        set(&self.kept, budget.kept() as u64);
        set(&self.kept_most, budget.most() as u64);
        risen(&self.evicted, budget.evicted());
        risen(&self.unkept, budget.unkept_reads());
    }
}
