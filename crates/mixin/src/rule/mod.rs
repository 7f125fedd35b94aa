//! Files for Prometheus: recording rules and alerts, and their tests.

mod foreign;
mod promtool;
mod record;
mod yaml;

pub use foreign::{Foreign, foreign};
pub(crate) use promtool::tests;
pub(crate) use record::{Recorded, Records};
pub(crate) use yaml::{Group, Rule, object, rules};
