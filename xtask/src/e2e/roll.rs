//! Thousands of pods are replaced while each scrape is compared with the API server's own lists, connections are cut,
//! and a Prometheus joins what it scrapes.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::size::Size;
use super::subject::Subject;
use crate::cluster::Cluster;
use crate::peers::PROMETHEUS_3;
use crate::process;
use crate::prometheus::Prometheus;

const NAMESPACE: &str = "roll";
/// The pods' own list.
pub(super) const PODS: &str = "/api/v1/namespaces/roll/pods";
const DEPLOYMENTS: usize = 10;
/// Pods of the stateful set, whose names come again with other uids.
const ORDERED: usize = 10;
/// How long after the API server's list a page may still show what was before: a cut watch waits before it goes on, and
/// the machine is busy.
const BEHIND: Duration = Duration::from_mins(1);
/// A scrape in so many is followed by a cut of all connections.
const CUT_EVERY: usize = 25;

/// What dashboards and alerts join, in their way and without the aggregations that hide a pod that is there twice.
const JOINS: &[&str] = &[
    "max by (namespace, workload, pod) (label_replace(label_replace(kube_pod_owner{owner_kind=\"ReplicaSet\"}, \"replicaset\", \"$1\", \"owner_name\", \"(.*)\") * on (replicaset, namespace) group_left (owner_name) topk by (replicaset, namespace) (1, max by (replicaset, namespace, owner_name) (kube_replicaset_owner)), \"workload\", \"$1\", \"owner_name\", \"(.*)\"))",
    "kube_pod_container_resource_requests * on (namespace, pod) group_left () max by (namespace, pod) (kube_pod_status_phase{phase=~\"Pending|Running\"} == 1)",
    "kube_pod_container_resource_requests{resource=\"cpu\"} * on (namespace, pod) group_left (node) kube_pod_info",
    "sum by (namespace, pod) (max by (namespace, pod) (kube_pod_status_phase{phase=~\"Pending|Unknown|Failed\"}) * on (namespace, pod) group_left (owner_kind) topk by (namespace, pod) (1, max by (namespace, pod, owner_kind) (kube_pod_owner{owner_kind!=\"Job\"})))",
    "kube_pod_info * on (namespace, pod, uid) group_left (phase) (kube_pod_status_phase == 1)",
    "kube_pod_status_ready{condition=\"true\"} * on (namespace, pod) group_left (owner_name) kube_pod_owner",
    "kube_deployment_spec_replicas - on (namespace, deployment) kube_deployment_status_replicas_available",
    "kube_pod_info * on (node) group_left (kubelet_version) kube_node_info",
];

/// Makes the workloads and waits until all their pods run.
pub(super) fn create(cluster: &Cluster, pods: usize) -> Result<()> {
    let begin = Instant::now();
    let each = pods.saturating_sub(ORDERED) / DEPLOYMENTS;
    let container = |name: &str| {
        format!(
            "{{name: {name}, image: \"registry.test/box:1\", resources: {{requests: {{cpu: 10m, memory: 16Mi}}, limits: {{memory: 64Mi}}}}}}"
        )
    };
    let mut manifest = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n");
    let mut workload = |kind: &str, name: &str, replicas: usize, more: &str| {
        let _ = write!(
            manifest,
            "---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n\
             spec: {{replicas: {replicas}, {more}selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, \
             spec: {{automountServiceAccountToken: false, terminationGracePeriodSeconds: 1, containers: [{}, {}]}}}}}}\n",
            container("app"),
            container("proxy")
        );
    };
    for number in 0..DEPLOYMENTS {
        workload("Deployment", &format!("app-{number}"), each, "");
    }
    workload("StatefulSet", "ordered", ORDERED, "serviceName: ordered, podManagementPolicy: Parallel, ");
    cluster.create(&manifest)?;
    wait_settled(cluster, each * DEPLOYMENTS)?;
    println!("{} pods run after {:.0} s", each * DEPLOYMENTS + ORDERED, begin.elapsed().as_secs_f64());
    Ok(())
}

/// Whether every workload has as many new, available pods as it wants and no other.
fn is_settled(cluster: &Cluster) -> bool {
    let columns = "custom-columns=:.spec.replicas,:.status.replicas,:.status.updatedReplicas,:.status.availableReplicas,:.metadata.generation,:.status.observedGeneration";
    let words = ["get", "deployments,statefulsets", "-n", NAMESPACE, "--no-headers", "-o", columns];
    let Ok(text) = cluster.kubectl(&words) else { return false };
    let rows = || text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let settled = |row: &Vec<&str>| match row.as_slice() {
        [wanted, all, new, available, generation, observed] => {
            [all, new, available].into_iter().all(|count| count == wanted) && generation == observed
        }
        _ => false,
    };
    rows().count() == DEPLOYMENTS + 1 && rows().all(|row| settled(&row))
}

fn wait_settled(cluster: &Cluster, pods: usize) -> Result<()> {
    let limit = Duration::from_secs(60 + u64::try_from(pods / 10).unwrap_or(0));
    process::wait_for("all pods to run", limit, || is_settled(cluster))
}

/// Replaces every pod, and compares until all are replaced and enough was compared.
pub(super) fn prove(cluster: &Cluster, subject: &Subject, size: Size) -> Result<()> {
    let prometheus = Prometheus::with(&PROMETHEUS_3.path()?, &configuration(subject), "e2e-cluster", &[])?;
    prometheus.wait_up(1)?;
    let before = subject.uids(PODS)?;
    cluster.kubectl(&["rollout", "restart", "deployments,statefulsets", "-n", NAMESPACE])?;
    let begin = Instant::now();
    let mut watched = Watched::default();
    let (mut scrapes, mut cuts, mut joined) = (0, 0, (0, 0));
    let mut settled = false;
    while scrapes < size.scrapes || !settled {
        watched.list(subject.uids(PODS)?);
        let page = subject.first().page("?resources=pods")?;
        watched.scrape(&page).with_context(|| {
            let own = |family| subject.first().own(family).unwrap_or_default().get("pods").copied().unwrap_or(-1.0);
            let (age, objects) = (own("yagura_kube_state_age_seconds"), own("yagura_kube_state_objects"));
            let count = |path: &str| subject.uids(path).map_or(0, |uids| uids.len());
            format!(
                "scrape {} after {cuts} cuts: kube-state has {objects} pods, heard {age:.1} s ago; the API server lists {}, \
                 from its own watch {}",
                scrapes + 1,
                count(PODS),
                count(&format!("{PODS}?resourceVersion=0")),
            )
        })?;
        scrapes += 1;
        if scrapes % CUT_EVERY == 0 {
            cuts += subject.connection().cut();
        }
        if scrapes % 5 == 0 {
            let (behind, longest) = (watched.most_behind, watched.longest_behind.as_secs_f64());
            println!(
                "{:>5.0} s  {scrapes} scrapes, {} pods listed, at most {behind} pods and {longest:.1} s behind",
                begin.elapsed().as_secs_f64(),
                watched.listed
            );
            for query in JOINS {
                let rows = prometheus.query(query).with_context(|| format!("Prometheus cannot join: {query}"))?;
                joined = (joined.0 + 1, joined.1 + rows.len());
            }
            settled = is_settled(cluster);
        }
        if !settled && begin.elapsed() > Duration::from_mins(10) {
            bail!("the pods were not replaced within 10 minutes");
        }
    }
    let after = subject.uids(PODS)?;
    if let Some(uid) = before.intersection(&after).next() {
        bail!("pod {uid} was not replaced");
    }
    let caught_up = || subject.first().page("?resources=pods").is_ok_and(|page| ours(&page) == after);
    process::wait_for("kube-state to have the pods that there are", BEHIND, caught_up)?;
    println!(
        "proved: {} pods replaced in {:.0} s; {scrapes} scrapes agree with the API server's lists: no series missing, none twice, at most {} pods and {:.1} s behind",
        before.len(),
        begin.elapsed().as_secs_f64(),
        watched.most_behind,
        watched.longest_behind.as_secs_f64()
    );
    println!("proved: the watches were cut {cuts} times meanwhile and went on; {} lists in all", lists(subject)?);
    println!("proved: {} joins in a real Prometheus, {} rows, no error of many-to-many", joined.0, joined.1);
    if joined.1 == 0 || cuts == 0 {
        bail!("nothing was joined or cut");
    }
    Ok(())
}

/// Lists of pods that were begun: one at the start, and no more unless a place in the watch was lost.
fn lists(subject: &Subject) -> Result<u64> {
    let begun = subject.first().own("yagura_kube_state_lists_begun_total")?;
    let pods = begun.get("pods").copied().unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    Ok(pods as u64)
}

fn configuration(subject: &Subject) -> String {
    let target = subject.first().url().trim_start_matches("http://");
    format!(
        "global: {{scrape_interval: 2s, scrape_timeout: 2s}}\n\
         scrape_configs:\n- {{job_name: kube-state-metrics, honor_labels: true, static_configs: [{{targets: ['{target}']}}]}}\n"
    )
}

/// What the lists have had, and when.
#[derive(Default)]
struct Watched {
    /// When a list had the pod last.
    seen: BTreeMap<String, Instant>,
    /// Since which list the pod is listed and not shown. One may have gone between a list and the page after it, so a
    /// pod is late only if lists go on having it.
    missing: BTreeMap<String, Instant>,
    /// The latest list.
    now: BTreeSet<String>,
    at: Option<Instant>,
    /// Pods of the page before that no list has had yet.
    unknown: HashSet<String>,
    /// How many the latest list had.
    listed: usize,
    most_behind: usize,
    longest_behind: Duration,
}

impl Watched {
    fn list(&mut self, uids: BTreeSet<String>) {
        let now = Instant::now();
        for uid in &uids {
            self.seen.insert(uid.clone(), now);
        }
        self.listed = uids.len();
        (self.now, self.at) = (uids, Some(now));
    }

    /// Compares a page with the lists before it.
    fn scrape(&mut self, page: &str) -> Result<()> {
        let shown = ours(page);
        whole(page)?;
        let Some(listed) = self.at else { return Ok(()) };
        let (now, mut behind) = (std::mem::take(&mut self.now), 0);
        let before = std::mem::take(&mut self.missing);
        for uid in now.difference(&shown) {
            let since = before.get(uid).copied().unwrap_or(listed);
            self.missing.insert(uid.clone(), since);
            self.late(uid, listed.duration_since(since), "is listed but not shown")?;
            behind += 1;
        }
        let mut unknown = HashSet::new();
        for uid in shown.difference(&now) {
            match self.seen.get(uid) {
                Some(last) => self.late(uid, last.elapsed(), "is shown but no longer listed")?,
                // A pod that is younger than the list, unless that was said of it before.
                None if self.unknown.contains(uid) => bail!("pod {uid} is shown twice and was never listed"),
                None => drop(unknown.insert(uid.clone())),
            }
            behind += 1;
        }
        self.unknown = unknown;
        self.most_behind = self.most_behind.max(behind);
        Ok(())
    }

    fn late(&mut self, uid: &str, since: Duration, what: &str) -> Result<()> {
        self.longest_behind = self.longest_behind.max(since);
        if since > BEHIND {
            bail!("pod {uid} {what}, for {:.1} s", since.as_secs_f64());
        }
        Ok(())
    }
}

/// The uids of the pods that are replaced, as a page shows them.
pub(super) fn ours(page: &str) -> BTreeSet<String> {
    let infos = page.lines().filter(|line| line.starts_with("kube_pod_info{namespace=\"roll\""));
    infos.filter_map(|line| Some(uid(line)?.to_owned())).collect()
}

fn uid(line: &str) -> Option<&str> {
    line.split("uid=\"").nth(1)?.split('"').next()
}

/// Fails unless no series is there twice, and each pod has all that it must have, of one moment: every phase with one
/// that is true, an owner, and both containers.
fn whole(page: &str) -> Result<()> {
    let mut series = HashSet::new();
    let mut pods: HashMap<&str, [u32; 5]> = HashMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (key, value) = line.rsplit_once(' ').with_context(|| format!("no series: {line}"))?;
        if !series.insert(key) {
            bail!("{key} is there twice");
        }
        let place = match key.split('{').next() {
            Some("kube_pod_info") => 0,
            Some("kube_pod_status_phase") => 1,
            Some("kube_pod_owner") => 3,
            Some("kube_pod_container_info") => 4,
            _ => continue,
        };
        let Some(uid) = uid(key).filter(|_| key.contains("{namespace=\"roll\"")) else { continue };
        let counts = pods.entry(uid).or_default();
        counts[place] += 1;
        counts[2] += u32::from(place == 1 && value == "1");
    }
    // A pod that nobody has started has no container yet.
    let odd = pods.iter().find(|(_, counts)| !matches!(counts, [1, 5, 1, 1, 0 | 2]));
    match odd {
        Some((uid, counts)) => {
            bail!(
                "pod {uid} has {counts:?} series of info, phase, phase that is 1, owner, container, not [1, 5, 1, 1, 2]"
            )
        }
        None if pods.is_empty() => bail!("the page shows no pod"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(uid: &str, phases: &[&str]) -> String {
        let labels = format!("{{namespace=\"roll\",pod=\"p\",uid=\"{uid}\"");
        let mut page = format!("kube_pod_info{labels}}} 1\nkube_pod_owner{labels}}} 1\n");
        for phase in ["Failed", "Pending", "Running", "Succeeded", "Unknown"] {
            let number = u8::from(phases.contains(&phase));
            let _ = writeln!(page, "kube_pod_status_phase{labels},phase=\"{phase}\"}} {number}");
        }
        page
    }

    #[test]
    fn half_a_pod_and_two_of_one_are_seen() {
        assert!(whole(&page("a", &["Running"])).is_ok());
        assert!(whole(&page("a", &["Running", "Pending"])).is_err());
        assert!(
            whole(&(page("a", &["Running"]) + &page("a", &["Running"]))).unwrap_err().to_string().contains("twice")
        );
        assert!(whole("").is_err());
    }

    #[test]
    fn a_pod_that_went_between_list_and_page_is_not_late() {
        let mut watched = Watched::default();
        let mut compared = |listed: [&str; 2], shown: &str| {
            watched.list(listed.map(str::to_owned).into());
            watched.scrape(&page(shown, &["Running"])).unwrap();
            (watched.missing.len(), watched.longest_behind)
        };
        assert_eq!(compared(["a", "b"], "a"), (1, Duration::ZERO));
        assert_eq!(compared(["a", "a"], "a"), (0, Duration::ZERO));
        let (missing, behind) = (compared(["a", "b"], "a"), compared(["a", "b"], "a").1);
        assert!(missing == (1, Duration::ZERO) && behind > Duration::ZERO, "listed twice and not shown");
    }

    #[test]
    fn a_pod_that_nobody_lists_is_shown_once_at_most() {
        let mut watched = Watched::default();
        let mut scraped = |shown: &str| {
            watched.list(BTreeSet::from(["a".to_owned()]));
            watched.scrape(&page(shown, &["Running"])).map(|()| watched.most_behind)
        };
        assert_eq!(scraped("a").unwrap(), 0);
        assert_eq!(scraped("b").unwrap(), 2);
        assert!(scraped("b").is_err());
    }
}
