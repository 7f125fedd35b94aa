//! Rules that every board keeps, looked for in what Grafana gets: those of Grafana's own linter, and ours.

mod grafana;
mod ours;
mod report;
mod tree;
mod view;

use serde::Deserialize;
use serde_json::Value;

use report::{Report, Rule};
use view::View;

pub(super) use report::{Finding, Ground};

/// How many rules there are.
pub(super) fn count() -> usize {
    all().count()
}

/// All rules.
fn all() -> impl Iterator<Item = &'static Rule> {
    grafana::RULES.iter().chain(ours::RULES)
}

/// Everything that a board breaks.
pub(super) fn findings(board: &Value, ground: &Ground<'_>) -> Vec<Finding> {
    let view = View::of(board);
    let mut found = Vec::new();
    for (rule, look) in all() {
        let mut report = Report::of(rule);
        look(&view, ground, &mut report);
        found.extend(report.found());
    }
    found
}

/// A rule that does not hold somewhere, and why.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exclusion {
    pub(super) rule: String,
    /// The boards; all when there are none.
    #[serde(default)]
    pub(super) boards: Vec<String>,
    /// Titles of panels; all when there are none.
    #[serde(default)]
    pub(super) panels: Vec<String>,
    /// Words of the finding.
    #[serde(default)]
    pub(super) saying: Option<String>,
    pub(super) reason: String,
}

impl Exclusion {
    /// Whether it covers a finding on a board.
    pub(super) fn covers(&self, board: &str, finding: &Finding) -> bool {
        self.rule == finding.rule
            && (self.boards.is_empty() || self.boards.iter().any(|name| name == board))
            && (self.panels.is_empty() || self.panels.contains(&finding.panel))
            && self.saying.as_ref().is_none_or(|words| finding.what.contains(words.as_str()))
    }
}

#[cfg(test)]
mod tests;
