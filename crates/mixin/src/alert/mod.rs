//! Alerts: their sources, whether these are sound, and the tests that follow from them.

mod annotation;
mod check;
mod test;
mod written;

pub use annotation::Annotations;
pub(crate) use check::{Checked, Ground, checked, sound_series};
pub(crate) use test::{Case, Look, Sample, cases, harmless, quoted_labels};
pub use written::{Alert, CLAIM, Dashboard, Fault, Owner, POD, Reads, Runbook, Severity, Step, Test, Tests, WORKLOAD};
