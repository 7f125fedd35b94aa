//! Annotations of an alert: summary, description, runbook, and the link to its panel.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::catalog::Labels;
use crate::panel::panel_id;

/// Labels that boards have variables for.
const VARIABLES: [&str; 7] = ["cluster", "namespace", "workload_kind", "workload", "pod", "container", "node"];

/// The annotations of an alert, templates of Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotations {
    /// One line.
    pub summary: String,
    /// A few lines.
    pub description: String,
    /// The board.
    pub dashboard: String,
    /// The panel's name.
    pub panel: String,
    /// Labels that become variables of the board.
    pub variables: Vec<&'static str>,
    /// The runbook's page, below the folder of runbooks.
    pub page: String,
    /// The folder of runbooks, unless Prometheus has an external label that says another.
    pub runbooks: String,
}

impl Annotations {
    /// Variables that a board gets from rows with these labels.
    pub(crate) fn variables(labels: &Labels) -> Vec<&'static str> {
        VARIABLES.into_iter().filter(|name| labels.contains(*name)).collect()
    }

    /// Names and templates in the order in which they are shown.
    pub fn templates(&self) -> Vec<(&'static str, String)> {
        let runbook = format!("{{{{ or $externalLabels.runbooks \"{}\" }}}}/{}", self.runbooks, self.page);
        let value = |name: &str| format!("{{{{ $labels.{name} | urlquery }}}}");
        let base = "{{ or $externalLabels.grafana \"\" }}";
        self.all(self.summary.clone(), self.description.clone(), runbook, &self.link(base, value))
    }

    /// Names and texts of a row with these labels, where Prometheus has no external labels.
    pub fn rendered(
        &self,
        summary: &str,
        description: &str,
        labels: &BTreeMap<String, String>,
    ) -> Vec<(&'static str, String)> {
        let value = |name: &str| escaped(labels.get(name).map_or("", String::as_str));
        let runbook = format!("{}/{}", self.runbooks, self.page);
        self.all(summary.to_owned(), description.to_owned(), runbook, &self.link("", value))
    }

    fn all(&self, summary: String, description: String, runbook: String, link: &str) -> Vec<(&'static str, String)> {
        vec![
            ("summary", summary),
            ("description", description),
            ("runbook_url", runbook),
            ("dashboard", self.dashboard.clone()),
            ("panel", self.panel.clone()),
            ("dashboard_url", link.to_owned()),
        ]
    }

    fn link(&self, base: &str, value: impl Fn(&str) -> String) -> String {
        let mut link = format!("{base}/d/{}", self.dashboard);
        let mut mark = '?';
        for name in &self.variables {
            let _ = write!(link, "{mark}var-{name}={}", value(name));
            mark = '&';
        }
        let _ = write!(link, "{mark}viewPanel={}", panel_id(&self.panel));
        link
    }
}

/// As Go's `urlquery` writes a value.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// Labels that a template names, or what is wrong with it.
pub(super) fn named_labels(template: &str) -> Result<Labels, String> {
    let mut labels = Labels::new();
    let mut rest = template;
    while let Some((_, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").ok_or("`{{` without `}}`")?;
        if action.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "query") {
            return Err("asks Prometheus with `query`, which no test sees; keep the label in the expression".to_owned());
        }
        for part in action.split("$labels.").skip(1).chain(action.split(".Labels.").skip(1)) {
            let name = part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
            labels.insert(name.to_owned());
        }
        rest = after;
    }
    if rest.contains("}}") { Err("`}}` without `{{`".to_owned()) } else { Ok(labels) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations() -> Annotations {
        Annotations {
            summary: "{{ $labels.pod }} waits".to_owned(),
            description: "x".to_owned(),
            dashboard: "yagura-pod".to_owned(),
            panel: "waiting".to_owned(),
            variables: Annotations::variables(&["pod", "reason", "cluster"].map(str::to_owned).into()),
            page: "X.md".to_owned(),
            runbooks: "docs/runbooks".to_owned(),
        }
    }

    #[test]
    fn links_carry_the_variables_that_rows_have() {
        let templates = annotations().templates();
        let link = &templates.iter().find(|(name, _)| *name == "dashboard_url").unwrap().1;
        let base = "{{ or $externalLabels.grafana \"\" }}/d/yagura-pod";
        let variables = "?var-cluster={{ $labels.cluster | urlquery }}&var-pod={{ $labels.pod | urlquery }}";
        assert_eq!(*link, format!("{base}{variables}&viewPanel={}", panel_id("waiting")));
        let labels = [("pod".to_owned(), "a b/c".to_owned())].into();
        let rendered = annotations().rendered("s", "d", &labels);
        let link = format!("/d/yagura-pod?var-cluster=&var-pod=a+b%2Fc&viewPanel={}", panel_id("waiting"));
        assert_eq!(rendered.last().unwrap().1, link);
        assert_eq!(rendered[2], ("runbook_url", "docs/runbooks/X.md".to_owned()));
    }

    #[test]
    fn labels_of_templates_are_found() {
        let labels = |text| named_labels(text).map(|labels| labels.into_iter().collect::<Vec<_>>());
        assert_eq!(
            labels("{{ $labels.a }} {{ $value | humanize }} {{ with $labels.b_c }}x{{ end }}").unwrap(),
            ["a", "b_c"]
        );
        assert!(labels("{{ $labels.a").is_err() && labels("a }}").is_err());
        assert!(labels("{{ query \"up\" }}").unwrap_err().contains("query"));
    }
}
