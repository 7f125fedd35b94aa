//! `PromQL`: what a query reads, which labels it keeps, and whether an exporter that is scraped twice breaks its joins.

mod labels;
mod scale;
mod text;

use std::collections::BTreeSet;

use metric::Kind;
use promql_parser::parser::{self, Expr};

use crate::catalog::{Known, Labels};

pub use scale::scaled;
pub use text::indented;

/// A query that was read.
#[derive(Debug, Clone)]
pub struct Query {
    /// Its text.
    pub text: String,
    /// Names of the series that it reads.
    pub reads: BTreeSet<String>,
    /// Labels that its rows can have; `None` when it is a number and has no rows.
    pub keeps: Option<Labels>,
    /// Labels by which no two of its rows are the same.
    pub unique: Labels,
}

impl Query {
    /// Reads a query; every reason why it cannot be used, when it cannot.
    pub fn read(text: &str, known: &Known) -> Result<Self, Vec<String>> {
        let expr = parser::parse(text).map_err(|error| vec![format!("is no PromQL: {error}")])?;
        Self::of(text, &expr, known)
    }

    fn of(text: &str, expr: &Expr, known: &Known) -> Result<Self, Vec<String>> {
        let mut reader = labels::Reader::new(known);
        let rows = reader.rows(expr);
        let mut problems = reader.problems;
        problems.extend(one_sided(&reader.reads, known));
        if problems.is_empty() {
            let unique = rows.as_ref().map(|rows| rows.unique.clone()).unwrap_or_default();
            Ok(Self { text: text.to_owned(), reads: reader.reads, keeps: rows.map(|rows| rows.keeps), unique })
        } else {
            Err(problems)
        }
    }
}

/// Histograms that are read in only one of their two forms: whoever scrapes the other sees nothing.
fn one_sided(reads: &BTreeSet<String>, known: &Known) -> Vec<String> {
    let families: BTreeSet<&str> = reads
        .iter()
        .filter_map(|name| known.series(name))
        .filter(|(_, family, _)| family.kind == Kind::Histogram)
        .map(|(name, ..)| name)
        .collect();
    let is_classic =
        |name: &str| ["_bucket", "_sum", "_count"].iter().any(|end| reads.contains(&format!("{name}{end}")));
    families
        .into_iter()
        .filter_map(|name| match (reads.contains(name), is_classic(name)) {
            (true, false) => Some(format!("reads {name} as a native histogram only; add the query over its buckets")),
            (false, true) => Some(format!("reads {name} as a classic histogram only; add the native query")),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Inputs;

    fn known() -> Known {
        let label = |name: &str, values: &[&str]| match values {
            [] => format!(r#"{{"name":"{name}"}}"#),
            _ => format!(r#"{{"name":"{name}","values":{}}}"#, serde_json::to_string(values).unwrap()),
        };
        let family = |name: &str, kind: &str, labels: &[String]| {
            format!(
                r#"{{"name":"{name}","kind":"{kind}","unit":"","help":"","endpoint":"/metrics","labels":[{}]}}"#,
                labels.join(",")
            )
        };
        let pod = [label("namespace", &[]), label("pod", &[])];
        let families = [
            family("cpu_seconds_total", "counter", &[label("pod", &[]), label("mode", &["user", "system"])]),
            family("pod_info", "gauge", &[&pod[..], &[label("node", &[])]].concat()),
            family("pod_ready", "gauge", &pod),
            family("wait_seconds", "histogram", &pod),
        ];
        let json = format!(
            r#"{{"program":"p","version":"1","sections":[{{"name":"s","about":"","needs":[],"default_on":true,"families":[{}]}}]}}"#,
            families.join(",")
        );
        let mut inputs = Inputs::default();
        inputs.attached.insert("p".to_owned(), ["job", "instance"].map(str::to_owned).into());
        Known::new(&[serde_json::from_str(&json).unwrap()], &inputs)
    }

    fn keeps(text: &str) -> String {
        let query = Query::read(text, &known()).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
        query.keeps.map_or("a number".to_owned(), |labels| labels.into_iter().collect::<Vec<_>>().join(" "))
    }

    fn refusal(text: &str) -> String {
        Query::read(text, &known()).expect_err(text).join("; ")
    }

    #[test]
    fn labels_are_followed_through_every_operation() {
        for (text, labels) in [
            ("cpu_seconds_total", "instance job mode pod"),
            ("sum by (pod) (rate(cpu_seconds_total[5m])) > 1", "pod"),
            ("sum without (mode, instance) (cpu_seconds_total)", "job pod"),
            ("topk by (pod) (1, pod_info)", "instance job namespace node pod"),
            ("count_values by (pod) (\"value\", pod_ready)", "pod value"),
            ("sum(pod_ready)", ""),
            (
                "max by (namespace, pod) (pod_ready) * on (pod) group_left (node) topk by (pod) (1, pod_info)",
                "namespace node pod",
            ),
            ("max by (pod) (pod_ready) and on (pod) pod_info", "pod"),
            ("max by (pod) (pod_ready) or max by (node) (pod_info)", "node pod"),
            ("max by (pod) (pod_ready) == on (pod) max by (pod) (cpu_seconds_total)", "pod"),
            ("label_replace(max by (pod) (pod_ready), \"workload\", \"$1\", \"pod\", \"(.*)-.*\")", "pod workload"),
            ("label_join(max by (pod) (pod_ready), \"id\", \"/\", \"pod\")", "id pod"),
            ("absent(pod_ready{pod=\"a\",namespace=~\"b|c\"})", "pod"),
            ("vector(1)", ""),
            ("time() - 5", "a number"),
            ("max by (pod) (max_over_time(pod_ready[1h:1m]))", "pod"),
            (
                "histogram_quantile(0.9, sum by (pod) (rate(wait_seconds[5m]))) or histogram_quantile(0.9, sum by (pod, le) (rate(wait_seconds_bucket[5m])))",
                "pod",
            ),
        ] {
            assert_eq!(keeps(text), labels, "{text}");
        }
    }

    #[test]
    fn a_join_that_a_second_scrape_breaks_is_refused() {
        let twice = "more than one row";
        assert!(refusal("max by (pod) (pod_ready) * on (pod) group_left (node) pod_info").contains(twice));
        assert!(refusal("pod_ready == on (pod) max by (pod) (pod_ready)").contains(twice));
        assert!(refusal("pod_ready * on (pod) group_left (node) max by (pod, node) (pod_info)").contains(twice));
        assert_eq!(keeps("sum by (pod) (pod_ready) / on (pod) sum by (pod) (cpu_seconds_total)"), "pod");
    }

    #[test]
    fn what_nothing_declares_is_refused() {
        for (text, why) in [
            ("sum(nothing)", "nothing declares nothing"),
            ("sum(pod_ready{pood=\"a\"})", "pod_ready has no label pood"),
            ("sum(cpu_seconds_total{mode=\"idle\"})", "is never \"idle\""),
            ("sum(cpu_seconds_total{mode=\"user|system\"})", "is never \"user|system\""),
            ("sum(cpu_seconds_total{mode=~\"idle|iowait\"})", "matches none of its values"),
            ("sum by (mode) (pod_ready)", "label mode"),
            ("sum by (pod) (pod_ready) / on (node) sum by (pod) (pod_ready)", "label node"),
            ("sum by (pod) (pod_ready", "is no PromQL"),
            ("{job=\"x\"}", "names no metric"),
            ("histogram_quantile(0.9, sum by (le) (rate(wait_seconds_bucket[5m])))", "add the native query"),
            ("histogram_quantile(0.9, sum(rate(wait_seconds[5m])))", "add the query over its buckets"),
        ] {
            let said = refusal(text);
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
