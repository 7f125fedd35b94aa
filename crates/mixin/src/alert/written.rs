//! The source of an alert, as it is written.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::Period;

/// How loud an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Wake somebody.
    Critical,
    /// Somebody looks in working hours.
    Warning,
    /// Context for who looks; notifies nobody by itself.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// By what the owner of an alert's rows is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// Rows belong to no workload.
    None,
    /// Rows name their workload.
    Workload,
    /// Rows name a pod; the workload comes with the owner.
    Pod,
    /// Rows name a claim; the workload that mounts it comes with the owner.
    Claim,
}

impl Owner {
    /// Labels by which the owner is looked up.
    pub(super) const fn on(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Workload => &WORKLOAD,
            Self::Pod => &POD,
            Self::Claim => &CLAIM,
        }
    }

    /// Labels of the workload that come with the owner.
    pub(super) const fn brings(self) -> &'static [&'static str] {
        match self {
            Self::None | Self::Workload => &[],
            Self::Pod | Self::Claim => &["workload_kind", "workload"],
        }
    }

    /// The record that has owners by these labels.
    pub(super) const fn record(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Workload => Some("workload:yagura_owner:group"),
            Self::Pod => Some("pod:yagura_owner:group"),
            Self::Claim => Some("claim:yagura_owner:group"),
        }
    }
}

/// Labels that name a workload.
pub const WORKLOAD: [&str; 4] = ["cluster", "namespace", "workload_kind", "workload"];
/// Labels that name a pod.
pub const POD: [&str; 3] = ["cluster", "namespace", "pod"];

/// Labels that name a claim.
pub const CLAIM: [&str; 3] = ["cluster", "namespace", "persistentvolumeclaim"];

/// One alert as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Its name, also the file's.
    pub alert: String,
    /// How loud it is.
    pub severity: Severity,
    /// How long the condition holds before it fires.
    pub r#for: Period,
    /// How long it goes on firing when the condition is gone; 0s for not at all.
    pub keep_firing_for: Period,
    /// Labels of the expression: exactly those that tell its rows apart.
    pub by: Vec<String>,
    /// By what the owner is looked up.
    pub owner: Owner,
    /// Labels that all its rows get.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The condition, with `${threshold}`.
    pub expr: String,
    /// One line without a number.
    pub summary: String,
    /// What is seen, with the number, and the first step.
    pub description: String,
    /// The board that shows it.
    pub dashboard: Dashboard,
    /// Inputs that it reads, as the file of inputs names them.
    pub inputs: Vec<String>,
    /// What people read when it fires.
    pub runbook: Runbook,
    /// The fault that it is proven with.
    pub fault: Fault,
    /// Series of all its tests.
    #[serde(default)]
    pub data: BTreeMap<String, String>,
    /// Its tests.
    pub tests: Tests,
}

/// A fault that fires an alert, and how it is made on a real system.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What it is, in a sentence.
    pub about: String,
    /// Why it cannot be made on one machine; then there is nothing below.
    #[serde(default)]
    pub unproven: Option<String>,
    /// Whether it disturbs others, so that no other fault is made meanwhile.
    #[serde(default)]
    pub alone: bool,
    /// What is there and well before it: injectors by name, with what each is told.
    #[serde(default)]
    pub before: Vec<BTreeMap<String, Value>>,
    /// What makes it, in order; undone in the opposite order.
    #[serde(default)]
    pub steps: Vec<BTreeMap<String, Value>>,
    /// How long the condition itself takes by a real clock, beside what the rule waits.
    #[serde(default)]
    pub takes: Period,
    /// Labels of the row that fires, where its namespace does not tell it apart.
    #[serde(default)]
    pub row: BTreeMap<String, String>,
}

/// A panel of a board.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// The board.
    pub uid: String,
    /// The panel's name in its source.
    pub panel: String,
}

/// What people read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runbook {
    /// What is the case when it fires.
    pub meaning: String,
    /// Who notices, and what becomes of it.
    pub impact: String,
    /// Questions in the order in which to ask them.
    pub diagnosis: Vec<Step>,
    /// What ends it.
    pub mitigation: String,
}

/// A question of a diagnosis.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The question, and what the answer means.
    pub ask: String,
    /// A query that answers it.
    #[serde(default)]
    pub query: Option<String>,
    /// A command that answers it.
    #[serde(default)]
    pub run: Option<String>,
}

/// The tests of an alert. Those that a scrape of two exporters, no data and no owners make are written by the compiler
/// unless they stand here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tests {
    /// It fires after its time, not before, and says what is expected.
    #[serde(default)]
    pub firing: Option<Test>,
    /// A value just on the good side of the threshold.
    #[serde(default)]
    pub just_under: Option<Test>,
    /// A condition that comes and goes.
    #[serde(default)]
    pub flapping: Option<Test>,
    /// Every exporter scraped twice.
    #[serde(default)]
    pub doubled: Option<Test>,
    /// No series that it reads.
    #[serde(default)]
    pub empty: Option<Test>,
    /// Native histograms; only for a Prometheus that reads them in tests.
    #[serde(default)]
    pub native: Option<Test>,
    /// Further ones by name.
    #[serde(default)]
    pub more: BTreeMap<String, Test>,
    /// Tests that make no sense for it, with the reason.
    #[serde(default)]
    pub exempt: BTreeMap<String, String>,
}

/// One test.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// Time between samples; one minute unless said.
    #[serde(default)]
    pub interval: Option<Period>,
    /// Series beside the alert's, or in place of those of the same name.
    #[serde(default)]
    pub data: BTreeMap<String, String>,
    /// Series of the alert that it leaves out.
    #[serde(default)]
    pub without: Vec<String>,
    /// Rows that fire at each time: their labels without those that all rows have.
    pub at: BTreeMap<Period, Vec<BTreeMap<String, String>>>,
    /// What people read of the first row at the last time with rows.
    #[serde(default)]
    pub reads: Option<Reads>,
}

/// Text of an alert that fires.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reads {
    /// The summary.
    pub summary: String,
    /// The description.
    pub description: String,
}
