//! Unit tests of promtool.

use std::fmt::Write as _;

use super::yaml::{GENERATED, quoted};
use crate::alert::{Annotations, Case};

/// A file of tests over rule files and their groups; `annotations` are of the alert that a case reads the text of.
pub(crate) fn tests(files: &[String], groups: &[String], cases: &[(&Case, Option<(&str, &Annotations)>)]) -> String {
    let mut text = format!("{GENERATED}rule_files:\n");
    for file in files {
        let _ = writeln!(text, "- {file}");
    }
    text.push_str("evaluation_interval: 1m\ngroup_eval_order:\n");
    for group in groups {
        let _ = writeln!(text, "- {group}");
    }
    text.push_str("tests:\n");
    for (case, annotations) in cases {
        write_case(&mut text, case, *annotations);
    }
    text
}

fn write_case(text: &mut String, case: &Case, annotations: Option<(&str, &Annotations)>) {
    let _ = writeln!(text, "- name: {}\n  interval: {}\n  input_series:", quoted(&case.name), case.interval);
    for (series, values) in &case.series {
        let _ = writeln!(text, "  - series: {}\n    values: {}", quoted(series), quoted(values));
    }
    text.push_str("  promql_expr_test:\n");
    for look in &case.looks {
        let _ = writeln!(text, "  - expr: {}\n    eval_time: {}", quoted(&look.query), look.at);
        if look.samples.is_empty() {
            text.push_str("    exp_samples: []\n");
            continue;
        }
        text.push_str("    exp_samples:\n");
        for sample in &look.samples {
            let _ = writeln!(text, "    - labels: {}\n      value: {}", quoted(&sample.series), sample.value);
        }
    }
    let (Some((at, labels, reads)), Some((alert, annotations))) = (&case.reads, annotations) else { return };
    let _ = writeln!(text, "  alert_rule_test:\n  - eval_time: {at}\n    alertname: {alert}\n    exp_alerts:");
    text.push_str("    - exp_labels:\n");
    for (name, value) in labels {
        let _ = writeln!(text, "        {name}: {}", quoted(value));
    }
    text.push_str("      exp_annotations:\n");
    for (name, value) in annotations.rendered(&reads.summary, reads.description.trim_end(), labels) {
        let _ = writeln!(text, "        {name}: {}", quoted(&value));
    }
}
