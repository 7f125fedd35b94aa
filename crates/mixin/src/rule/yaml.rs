//! Rule files of Prometheus and objects of its operator.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::Period;
use crate::query::{indented, scaled};

/// The first line of what is generated.
pub(crate) const GENERATED: &str = "# Made from alerts/ by `cargo xtask alerts`; changes here are lost.\n";

/// Rules that are evaluated one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    /// Records a query under a name.
    Record { record: String, about: String, expr: String },
    /// Fires for rows of a query.
    Alert {
        alert: String,
        expr: String,
        r#for: Period,
        keep_firing_for: Period,
        labels: BTreeMap<String, String>,
        annotations: Vec<(&'static str, String)>,
    },
}

impl Rule {
    /// Makes its times shorter or longer.
    pub(crate) fn scale(&mut self, factor: f64) -> Result<(), String> {
        let of = |name: &str, expr: &str| scaled(expr, factor).map_err(|error| format!("{name}: {error}"));
        match self {
            Self::Record { record, expr, .. } => *expr = of(record, expr)?,
            Self::Alert { alert, expr, r#for, keep_firing_for, .. } => {
                *expr = of(alert, expr)?;
                *r#for = r#for.scaled(factor);
                *keep_firing_for = keep_firing_for.scaled(factor);
            }
        }
        Ok(())
    }
}

/// A string that YAML reads back as it is.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// A rule file.
pub(crate) fn rules(groups: &[Group]) -> String {
    format!("{GENERATED}{}", groups_at(groups, 0))
}

/// A `PrometheusRule` object.
pub(crate) fn object(name: &str, groups: &[Group]) -> String {
    format!(
        "{GENERATED}apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {name}\n  labels:\n    \
         app.kubernetes.io/part-of: yagura\nspec:\n{}",
        groups_at(groups, 2)
    )
}

fn groups_at(groups: &[Group], indent: usize) -> String {
    let mut text = "groups:\n".to_owned();
    for group in groups {
        let _ = writeln!(text, "- name: {}\n  rules:", group.name);
        for rule in &group.rules {
            write_rule(&mut text, rule);
        }
    }
    if indent == 0 { text } else { indented(&text, indent) + "\n" }
}

fn write_rule(text: &mut String, rule: &Rule) {
    match rule {
        Rule::Record { record, about, expr } => {
            let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
            let _ = writeln!(text, "  # {about}\n  - record: {record}\n    expr: |\n{}", indented(expr, 6));
        }
        Rule::Alert { alert, expr, r#for, keep_firing_for, labels, annotations } => {
            let _ = writeln!(text, "  - alert: {alert}\n    expr: |\n{}\n    for: {for}", indented(expr, 6));
            if *keep_firing_for > Period::default() {
                let _ = writeln!(text, "    keep_firing_for: {keep_firing_for}");
            }
            let _ = writeln!(text, "    labels:");
            for (name, value) in labels {
                let _ = writeln!(text, "      {name}: {}", quoted(value));
            }
            let _ = writeln!(text, "    annotations:");
            for (name, value) in annotations {
                let _ = writeln!(text, "      {name}: {}", quoted(value));
            }
        }
    }
}
