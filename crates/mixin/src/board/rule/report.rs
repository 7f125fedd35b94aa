//! What rules look with, and what they find.

use std::collections::BTreeMap;

use super::view::View;
use crate::catalog::Known;

/// A place where a board breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::board) struct Finding {
    pub(in crate::board) rule: &'static str,
    /// The title of the panel, empty when it is about the whole board.
    pub(in crate::board) panel: String,
    pub(in crate::board) what: String,
}

/// What rules are looked for with.
pub(in crate::board) struct Ground<'a> {
    pub(in crate::board) known: &'a Known,
    pub(in crate::board) prefix: &'a str,
    /// Labels of variables, by the variables' names.
    pub(in crate::board) labels: BTreeMap<String, String>,
    /// Variables of all boards, by uid.
    pub(in crate::board) boards: BTreeMap<String, Vec<String>>,
}

/// A name, and who looks whether the rule holds.
pub(super) type Rule = (&'static str, fn(&View<'_>, &Ground<'_>, &mut Report));

/// Findings of one rule.
pub(super) struct Report {
    rule: &'static str,
    found: Vec<Finding>,
}

impl Report {
    /// Nothing found yet.
    pub(super) const fn of(rule: &'static str) -> Self {
        Self { rule, found: Vec::new() }
    }

    /// Everything that was found.
    pub(super) fn found(self) -> Vec<Finding> {
        self.found
    }

    /// Adds a finding on a panel, or on the whole board when there is none.
    pub(super) fn add(&mut self, panel: &str, what: impl Into<String>) {
        self.found.push(Finding { rule: self.rule, panel: panel.to_owned(), what: what.into() });
    }
}
