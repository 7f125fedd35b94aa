//! Alert sources checked against what the programs declare, and what is made of them: Prometheus rule files,
//! `PrometheusRule` objects, promtool unit tests and runbooks.
//!
//! A source is one YAML file an alert. It is refused, with file, line and key, when a field is missing or unknown, when a
//! query does not parse, reads a metric that nothing declares or a label that its metric does not have, joins rows that
//! an exporter scraped twice would double, or when an annotation names a label that the expression does not keep.
//!
//! `catalog` knows metrics and their labels, `query` reads `PromQL`, `alert` is the source of an alert, `rule` what
//! Prometheus gets, `runbook` what people read. No module writes files: [`Set::compile`] gives paths and texts.
#![forbid(unsafe_code)]

pub mod alert;
pub mod board;
pub mod catalog;
mod panel;
mod period;
mod problem;
pub mod query;
pub mod rule;
pub mod runbook;
mod set;
mod source;
mod threshold;

pub use panel::panel_id;
pub use period::Period;
pub use problem::Problem;
pub use set::{Compiled, Counts, Provable, Set};
pub use source::Source;
pub use threshold::{Threshold, Thresholds, Unit};
