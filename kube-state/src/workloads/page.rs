//! Renders workload families from the state, at each scrape.

use metric::{NeedEntry, Section};

use super::{
    config::Config,
    state::{BOUNDS, State, Workload},
};
use crate::{
    family::{Desc, Gate, Kind, Stability},
    number,
    rows::push_escaped,
};

const WORKLOAD: &[&str] = &["namespace", "workload_kind", "workload"];

const INFO: Desc = desc(
    "kube_pod_workload_info",
    "Workload that a pod belongs to: the top of its chain of owners, itself when nothing owns it; always 1.",
    Kind::Gauge,
    &["namespace", "pod", "uid", "workload_kind", "workload"],
);
const OWNER: Desc = desc(
    "kube_workload_owner_info",
    "Whom a workload belongs to, in labels that the configuration names: from its own labels and annotations, else from \
     its namespace's; always 1.",
    Kind::Gauge,
    WORKLOAD,
);
const CREATED: Desc = desc(
    "kube_workload_pods_created_total",
    "Pods of a workload that appeared since this process watches. Those that nothing owns are counted together.",
    Kind::Counter,
    WORKLOAD,
);
const DELETED: Desc = desc(
    "kube_workload_pods_deleted_total",
    "Pods of a workload that are gone, by their last phase and reason, those between two scrapes included.",
    Kind::Counter,
    &["namespace", "workload_kind", "workload", "phase", "reason"],
);
const LIFETIME: Desc = desc(
    "kube_pod_lifetime_seconds",
    "How long pods of a workload that are gone had existed.",
    Kind::Histogram,
    WORKLOAD,
);

const CPU: Desc = desc(
    "kube_workload_requested_cpu_seconds_total",
    "CPU that pods of a workload have asked for since this process watches, cores times seconds on a node.",
    Kind::Counter,
    WORKLOAD,
);
const MEMORY: Desc = desc(
    "kube_workload_requested_memory_byte_seconds_total",
    "Memory that pods of a workload have asked for since this process watches, bytes times seconds on a node.",
    Kind::Counter,
    WORKLOAD,
);

const fn desc(name: &'static str, help: &'static str, kind: Kind, labels: &'static [&'static str]) -> Desc {
    Desc {
        name,
        help,
        kind,
        stability: Stability::Alpha,
        deprecated_since: None,
        labels,
        other_labels: &[],
        gate: Gate::Ours,
    }
}

/// The declarations, as the catalogue shows them.
pub(super) fn section() -> Section {
    Section {
        name: "workloads".to_owned(),
        about: "What pods belong to, whom workloads belong to, and how long pods lived.".to_owned(),
        default_on: false,
        needs: vec![NeedEntry::Flags(
            ["--pod-workloads", "--workload-owner", "--pod-lifetimes", "--workload-requests"].map(str::to_owned).into(),
        )],
        families: [INFO, OWNER, CREATED, DELETED, LIFETIME, CPU, MEMORY]
            .iter()
            .map(|desc| desc.entry(desc.labels.iter()))
            .collect(),
    }
}

/// Appends what is asked for, and says how many series that is.
pub(super) fn write(config: &Config, state: &mut State, out: &mut Vec<u8>) -> u64 {
    state.settle();
    let mut page = Page { out, series: 0 };
    if config.workloads {
        page.head(&INFO);
        for (uid, pod) in state.pods() {
            let Some(workload) = &pod.workload else { continue };
            let object = &pod.object;
            let name = if workload.name.is_empty() { &object.name } else { &workload.name };
            let values = [&object.namespace, &object.name, uid, &workload.kind, name];
            page.row(INFO.name, INFO.labels.iter().copied().zip(values), 1.0);
        }
    }
    if !config.contacts.is_empty() {
        page.head(&OWNER);
        for ((namespace, kind, name), values) in state.contacts() {
            let workload = WORKLOAD.iter().copied().zip([namespace, kind, name]);
            let contacts = config.contacts.iter().map(|contact| contact.label.as_str()).zip(values);
            page.row(OWNER.name, workload.chain(contacts), 1.0);
        }
    }
    if config.lifetimes {
        write_lives(state, &mut page);
    }
    if config.requests {
        for (at, desc) in [CPU, MEMORY].iter().enumerate() {
            page.head(desc);
            for workload in state.workloads() {
                let requested = workload.lives.lock().requested.get(at).copied().unwrap_or(0.0);
                page.row(desc.name, labels(workload), requested);
            }
        }
    }
    page.series
}

fn write_lives(state: &State, page: &mut Page<'_>) {
    page.head(&CREATED);
    for workload in state.workloads() {
        page.row(CREATED.name, labels(workload), workload.lives.lock().created as f64);
    }
    page.head(&DELETED);
    for workload in state.workloads() {
        for ((phase, reason), count) in &workload.lives.lock().deleted {
            let why = [("phase", &**phase), ("reason", &**reason)];
            page.row(DELETED.name, labels(workload).chain(why), *count as f64);
        }
    }
    page.head(&LIFETIME);
    let part = |suffix: &str| format!("{}_{suffix}", LIFETIME.name);
    let (buckets, sum, count) = (part("bucket"), part("sum"), part("count"));
    for workload in state.workloads() {
        let lives = workload.lives.lock();
        if lives.deleted.is_empty() {
            continue;
        }
        let (mut all, mut bound) = (0, String::new());
        for (at, ended) in lives.buckets.iter().enumerate() {
            all += ended;
            bound.clear();
            match BOUNDS.get(at) {
                Some(seconds) => bound.push_str(&seconds.to_string()),
                None => bound.push_str("+Inf"),
            }
            page.row(&buckets, labels(workload).chain([("le", bound.as_str())]), all as f64);
        }
        page.row(&sum, labels(workload), lives.seconds);
        page.row(&count, labels(workload), all as f64);
    }
}

fn labels<'a>(workload: &'a Workload) -> impl Iterator<Item = (&'a str, &'a str)> {
    let values: [&'a str; 3] = [&workload.namespace, &workload.kind, &workload.name];
    WORKLOAD.iter().map(|name| -> &'a str { name }).zip(values)
}

struct Page<'o> {
    out: &'o mut Vec<u8>,
    series: u64,
}

impl Page<'_> {
    fn head(&mut self, desc: &Desc) {
        desc.push_header(self.out);
    }

    fn row<'l>(&mut self, name: &str, labels: impl Iterator<Item = (&'l str, &'l str)>, value: f64) {
        self.out.extend_from_slice(name.as_bytes());
        for (index, (label, value)) in labels.enumerate() {
            self.out.push(if index == 0 { b'{' } else { b',' });
            self.out.extend_from_slice(label.as_bytes());
            self.out.extend_from_slice(b"=\"");
            push_escaped(self.out, value);
            self.out.push(b'"');
        }
        self.out.extend_from_slice(b"} ");
        number::push(self.out, value);
        self.out.push(b'\n');
        self.series += 1;
    }
}
