//! The minutes of continuous integration: the one place where they are shared out.
//!
//! A run has an hour at most, on two processors. What is to come has its room already, so that what is there cannot grow
//! into it. A step that takes longer than its minutes is named at the end of the run.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// All that a run may take.
#[cfg(test)]
const LIMIT: Duration = Duration::from_hours(1);

/// All that what is there today may take of it.
#[cfg(test)]
const TODAY: Duration = Duration::from_mins(25);

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    EachRun,
    /// In each run one of its parts, all of them at night.
    Rotating,
    Nightly,
}

/// A step's name, its time, and when it runs, in the order of the steps.
const STEPS: &[(&str, Duration, When)] = &[
    ("setup", Duration::from_secs(30), When::EachRun),
    ("format", Duration::from_secs(10), When::EachRun),
    ("C format", Duration::from_secs(5), When::EachRun),
    ("structure", Duration::from_secs(10), When::EachRun),
    ("clippy", Duration::from_secs(90), When::EachRun),
    ("rustdoc", Duration::from_secs(40), When::EachRun),
    ("cargo test", Duration::from_secs(380), When::EachRun),
    ("build", Duration::from_secs(150), When::EachRun),
    ("docs", Duration::from_secs(10), When::EachRun),
    ("alerts", Duration::from_secs(50), When::EachRun),
    ("dashboards", Duration::from_secs(10), When::EachRun),
    ("chart", Duration::from_secs(30), When::EachRun),
    ("views have no duplicate series", Duration::from_secs(5), When::EachRun),
    ("promtool 2 reads every view", Duration::from_secs(15), When::EachRun),
    ("promtool 3 reads every view", Duration::from_secs(15), When::EachRun),
    ("Prometheus 2 scrapes every view", Duration::from_secs(15), When::EachRun),
    ("Prometheus 3 scrapes every view", Duration::from_secs(15), When::EachRun),
    ("Prometheus adds up short-lived containers", Duration::from_secs(45), When::EachRun),
    ("kube names of consumers", Duration::from_secs(5), When::EachRun),
    ("parity cadvisor", Duration::from_secs(20), When::EachRun),
    ("parity node", Duration::from_secs(20), When::EachRun),
    ("parity node on fixtures", Duration::from_secs(20), When::EachRun),
    ("parity consumers", Duration::from_secs(45), When::EachRun),
    ("parity kubelet", Duration::from_secs(45), When::EachRun),
    ("kernels", Duration::from_mins(7), When::Rotating),
    ("deny", Duration::from_mins(10), When::Nightly),
    ("fuzz", Duration::from_mins(15), When::Nightly),
];

/// Room for steps that are to come.
#[cfg(test)]
const COMING: &[(&str, Duration)] = &[
    ("installation", Duration::from_mins(15)),
    ("catalogue", Duration::from_mins(10)),
    ("security proofs", Duration::from_mins(10)),
];

/// The steps that have minutes.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|(name, ..)| *name)
}

/// What the steps of a run that is not at night may take.
pub(super) fn each_run() -> Duration {
    STEPS.iter().filter(|(.., when)| *when != When::Nightly).map(|(_, time, _)| *time).sum()
}

/// What is to be said of a step that took so long; empty when it kept to its minutes.
pub(super) fn remark(name: &str, took: Duration) -> String {
    match STEPS.iter().find(|(step, ..)| *step == name) {
        Some((_, planned, _)) if took > *planned => {
            format!("  OVER BUDGET: {:.1} of {:.1} min", minutes(took), minutes(*planned))
        }
        Some(_) => String::new(),
        None => "  OVER BUDGET: it has no minutes".to_owned(),
    }
}

fn minutes(time: Duration) -> f64 {
    time.as_secs_f64() / 60.0
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_keeps_to_its_hour_with_room_for_what_comes() {
        let coming: Duration = COMING.iter().map(|(_, time)| *time).sum();
        assert!(each_run() <= TODAY, "{:?}", each_run());
        assert!(each_run() + coming <= LIMIT);
    }

    #[test]
    fn a_step_that_takes_too_long_is_named() {
        assert_eq!(remark("format", Duration::from_secs(10)), "");
        assert_eq!(remark("format", Duration::from_secs(30)), "  OVER BUDGET: 0.5 of 0.2 min");
        assert!(remark("new", Duration::ZERO).contains("no minutes"));
    }
}
