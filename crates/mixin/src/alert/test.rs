//! Tests as promtool gets them: those that are written, and those that follow from the one that fires.

use std::collections::BTreeMap;

use super::check::Checked;
use super::written::{Owner, Reads, Test, WORKLOAD};
use crate::Period;

/// Families that say whose something is; without them an alert fires with an empty owner.
const OWNERS: [&str; 8] = [
    "kube_workload_owner_info",
    "workload_owner_info",
    "kube_pod_workload_info",
    "pod_workload_info",
    "kube_pod_owner",
    "kube_replicaset_owner",
    "kube_job_owner",
    "kube_pod_spec_volumes_persistentvolumeclaims_info",
];

/// One test, ready to be written.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) interval: Period,
    pub(crate) series: BTreeMap<String, String>,
    pub(crate) looks: Vec<Look>,
    pub(crate) reads: Option<(Period, BTreeMap<String, String>, Reads)>,
    pub(crate) is_native: bool,
}

/// What is expected at a time.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) at: Period,
    pub(crate) query: String,
    pub(crate) samples: Vec<Sample>,
}

/// A row that a query gives.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) series: String,
    pub(crate) value: f64,
}

/// All tests of an alert; `labels` are those that each of its rows has.
pub(crate) fn cases(alert: &Checked, labels: &BTreeMap<String, String>, owner_labels: &[String]) -> Vec<Case> {
    let maker = Maker { alert, labels, owner_labels };
    let tests = &alert.source.tests;
    let mut cases = Vec::new();
    let written = [
        ("fires", &tests.firing),
        ("just under the threshold", &tests.just_under),
        ("comes and goes", &tests.flapping),
        ("native histograms", &tests.native),
    ];
    for (name, test) in written {
        cases.extend(test.as_ref().map(|test| maker.written(name, test)));
    }
    match (&tests.doubled, &tests.firing) {
        (Some(test), _) => cases.push(maker.written("exporters scraped twice", test)),
        (None, Some(firing)) => cases.push(maker.doubled(firing)),
        (None, None) => {}
    }
    match &tests.empty {
        Some(test) => cases.push(maker.written("no data", test)),
        None => cases.push(maker.empty()),
    }
    if let (Some(firing), true) = (&tests.firing, alert.source.owner != Owner::None) {
        cases.push(maker.without_owner(firing));
    }
    for (name, test) in &tests.more {
        cases.push(maker.written(&name.replace('_', " "), test));
    }
    for case in &mut cases {
        case.is_native = case.series.values().any(|values| values.contains("{{"));
    }
    cases
}

struct Maker<'a> {
    alert: &'a Checked,
    labels: &'a BTreeMap<String, String>,
    owner_labels: &'a [String],
}

impl Maker<'_> {
    fn written(&self, name: &str, test: &Test) -> Case {
        let mut series = self.series(test);
        series.extend(self.owners(test));
        self.case(name, test, series, BTreeMap::clone)
    }

    /// Every exporter twice, as during its rollout: series with an instance of their own stay as they are.
    fn doubled(&self, firing: &Test) -> Case {
        let mut series = self.series(firing);
        series.extend(self.owners(firing));
        let twice = series.into_iter().flat_map(|(series, values)| {
            let both = if series.contains("instance=") {
                vec![series]
            } else {
                ["one:9000", "two:9000"].map(|instance| with_label(&series, "instance", instance)).into()
            };
            both.into_iter().map(move |series| (series, values.clone())).collect::<Vec<_>>()
        });
        let mut case = self.case("exporters scraped twice", firing, twice.collect(), BTreeMap::clone);
        case.reads = None;
        case
    }

    /// Nothing but a series that no alert reads; some engines evaluate nothing at all where there is none.
    fn empty(&self) -> Case {
        let late = self.alert.source.r#for.plus(Period::minutes(10));
        let test = Test { at: [(late, Vec::new())].into(), ..Test::default() };
        self.case("no data", &test, [harmless(late, Period::minutes(1))].into(), BTreeMap::clone)
    }

    /// The same rows, without the labels that owners bring.
    fn without_owner(&self, firing: &Test) -> Case {
        let told = if self.alert.source.owner == Owner::Workload { OWNERS.get(..2) } else { Some(&OWNERS[..]) };
        let told = told.unwrap_or_default();
        // What the condition itself reads is no matter of owners.
        let is_read = |name: &str| self.alert.condition.contains(name);
        let is_owner = |series: &str| told.iter().any(|name| series.split('{').next() == Some(name) && !is_read(name));
        let series = self.series(firing).into_iter().filter(|(series, _)| !is_owner(series));
        let brought = self.alert.source.owner.brings();
        let bare = |row: &BTreeMap<String, String>| {
            let is_own = |label: &String| !self.owner_labels.contains(label) && !brought.contains(&label.as_str());
            row.iter().filter(|(label, _)| is_own(label)).map(|(label, value)| (label.clone(), value.clone())).collect()
        };
        let mut case = self.case("without owners", firing, series.collect(), bare);
        case.reads = None;
        case
    }

    fn series(&self, test: &Test) -> BTreeMap<String, String> {
        let mut series = self.alert.source.data.clone();
        series.retain(|name, _| !test.without.contains(name));
        series.extend(test.data.clone());
        series
    }

    /// Rows of owners for what the test expects.
    fn owners(&self, test: &Test) -> BTreeMap<String, String> {
        let mut owners = BTreeMap::new();
        let owner = self.alert.source.owner;
        let steps = steps(test);
        for row in test.at.values().flatten() {
            let of = |labels: &[&str]| {
                let labels = labels.iter().filter_map(|&name| Some((name.to_owned(), row.get(name)?.clone())));
                labels.collect::<BTreeMap<_, _>>()
            };
            let workload = of(&WORKLOAD);
            let named: BTreeMap<String, String> = row
                .iter()
                .filter(|(name, _)| self.owner_labels.contains(name))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect();
            if !named.is_empty() {
                let labels = workload.clone().into_iter().chain(named).collect();
                owners.insert(format!("kube_workload_owner_info{}", quoted_labels(&labels)), format!("1x{steps}"));
            }
            if owner.brings().is_empty() || !workload.contains_key("workload") {
                continue;
            }
            let mut pod = of(&["namespace", "pod"]);
            pod.entry("pod".to_owned()).or_insert_with(|| "mounts-it".to_owned());
            let labels = workload.into_iter().chain(pod.clone()).collect();
            owners.insert(format!("kube_pod_workload_info{}", quoted_labels(&labels)), format!("1x{steps}"));
            if owner == Owner::Claim {
                pod.extend(of(&["persistentvolumeclaim"]));
                let series = format!("kube_pod_spec_volumes_persistentvolumeclaims_info{}", quoted_labels(&pod));
                owners.insert(series, format!("1x{steps}"));
            }
        }
        owners
    }

    fn case(
        &self,
        name: &str,
        test: &Test,
        series: BTreeMap<String, String>,
        row_of: impl Fn(&BTreeMap<String, String>) -> BTreeMap<String, String>,
    ) -> Case {
        let name_of = &self.alert.source.alert;
        let query = format!("ALERTS{{alertname=\"{name_of}\", alertstate=\"firing\"}}");
        let look = |(at, rows): (&Period, &Vec<BTreeMap<String, String>>)| {
            let sample = |row: &BTreeMap<String, String>| {
                let mut labels = self.full(&row_of(row));
                labels.insert("alertname".to_owned(), name_of.clone());
                labels.insert("alertstate".to_owned(), "firing".to_owned());
                Sample { series: format!("ALERTS{}", quoted_labels(&labels)), value: 1.0 }
            };
            Look { at: *at, query: query.clone(), samples: rows.iter().map(sample).collect() }
        };
        let reads = test.reads.as_ref().and_then(|reads| {
            let (at, rows) = test.at.iter().rev().find(|(_, rows)| rows.len() == 1)?;
            Some((*at, self.full(rows.first()?), reads.clone()))
        });
        Case {
            name: format!("{name_of}: {name}"),
            interval: test.interval.unwrap_or(Period::minutes(1)),
            series,
            looks: test.at.iter().map(look).collect(),
            reads,
            is_native: false,
        }
    }

    /// The labels of a row and those of the alert.
    fn full(&self, row: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        self.labels.clone().into_iter().chain(row.clone()).filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// How many samples reach beyond the last look.
fn steps(test: &Test) -> u64 {
    let interval = test.interval.unwrap_or(Period::minutes(1)).seconds();
    let last = test.at.keys().next_back().map_or(0.0, |at| at.seconds());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    let steps = (last / interval).ceil() as u64;
    steps + 1
}

/// A series that no alert reads.
pub(crate) fn harmless(until: Period, interval: Period) -> (String, String) {
    let test = Test { interval: Some(interval), at: [(until, Vec::new())].into(), ..Test::default() };
    ("scrape_samples_scraped{job=\"other\", instance=\"other:80\"}".to_owned(), format!("1x{}", steps(&test)))
}

/// A series with one more label.
fn with_label(series: &str, label: &str, value: &str) -> String {
    match series.split_once('{') {
        None => format!("{series}{{{label}=\"{value}\"}}"),
        Some((name, rest)) if rest.trim_start().starts_with('}') => format!("{name}{{{label}=\"{value}\"}}"),
        Some((name, rest)) => format!("{name}{{{label}=\"{value}\", {rest}"),
    }
}

/// Labels as a series has them.
pub(crate) fn quoted_labels(labels: &BTreeMap<String, String>) -> String {
    let parts: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_added_to_any_series() {
        assert_eq!(with_label("x", "a", "1"), "x{a=\"1\"}");
        assert_eq!(with_label("x{}", "a", "1"), "x{a=\"1\"}");
        assert_eq!(with_label("x{b=\"2\"}", "a", "1"), "x{a=\"1\", b=\"2\"}");
    }
}
