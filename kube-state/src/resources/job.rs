//! Jobs: how many pods they want, how many ended well, and why they failed.

use kubernetes::lax::{Int, List, Sub, Time};
use serde::Deserialize;

use crate::{
    kind::{About, Kind},
    meta::{Condition, Meta, View},
    rows::Rows,
};

/// Reasons of failure that have a series each.
const FAILURES: [&str; 3] = ["BackoffLimitExceeded", "DeadlineExceeded", "Evicted"];

type Family = crate::family::Family<Jobs>;

pub(super) static KIND: Kind<Jobs> = Kind {
    about: About { plural: "jobs", kind: "Job", group: "batch", ..About::CORE },
    identity: &["namespace", "job_name"],
    identify: |j, rows| rows.identify(&[&j.metadata.namespace, &j.metadata.name]),
    families: &[
        Family::annotations("kube_job_annotations"),
        Family::labels("kube_job_labels").stable(),
        Family::gauge("kube_job_info", "A Job that exists; always 1.", &[], |_, rows| rows.info(&[])).stable(),
        Family::created("kube_job_created").stable(),
        Family::gauge("kube_job_spec_parallelism", "The most pods of the Job that may run at once.", &[], |j, rows| {
            rows.number(j.spec.parallelism);
        })
        .stable(),
        Family::gauge("kube_job_spec_completions", "Pods that must end well.", &[], |j, rows| {
            rows.number(j.spec.completions);
        })
        .stable(),
        Family::gauge(
            "kube_job_spec_active_deadline_seconds",
            "How long the Job may run before it is ended, in seconds.",
            &[],
            |j, rows| rows.number(j.spec.active_deadline_seconds),
        )
        .stable(),
        Family::gauge("kube_job_status_succeeded", "Pods of the Job that ended well.", &[], |j, rows| {
            rows.number(j.status.succeeded);
        })
        .stable(),
        Family::gauge(
            "kube_job_status_failed",
            "Whether the Job failed, by reason; for reasons beside the known ones, how many pods failed, with an \
             empty reason. Without failed pods one row without reason.",
            &["reason"],
            failed,
        )
        .stable(),
        Family::gauge("kube_job_status_active", "Pods of the Job that have not ended.", &[], |j, rows| {
            rows.number(j.status.active);
        })
        .stable(),
        Family::gauge("kube_job_status_ready", "Pods of the Job that are ready.", &[], |j, rows| {
            rows.number(j.status.ready);
        }),
        Family::gauge("kube_job_complete", "Whether the Job has ended well.", &["condition"], |j, rows| {
            for condition in j.status.conditions.iter().filter(|condition| condition.kind == "Complete") {
                rows.status(&[], &condition.status);
            }
        })
        .stable(),
        Family::gauge("kube_job_failed", "Whether the Job has failed.", &["condition"], |j, rows| {
            for condition in j.status.conditions.iter().filter(|condition| condition.kind == "Failed") {
                rows.status(&[], &condition.status);
            }
        })
        .stable(),
        Family::gauge(
            "kube_job_status_start_time",
            "When the Job was started, in seconds since the Unix epoch.",
            &[],
            |j, rows| rows.number(j.status.start_time),
        )
        .stable(),
        Family::gauge(
            "kube_job_status_completion_time",
            "When the Job ended well, in seconds since the Unix epoch.",
            &[],
            |j, rows| rows.number(j.status.completion_time),
        )
        .stable(),
        Family::gauge(
            "kube_job_status_suspended",
            "Whether the Job is suspended; absent when it never was.",
            &[],
            |j, rows| {
                for condition in j.status.conditions.iter().filter(|condition| condition.kind == "Suspended") {
                    rows.number(condition.status == "True");
                }
            },
        ),
        Family::owner("kube_job_owner").stable(),
    ],
};

fn failed(job: &Job<'_>, rows: &mut Rows) {
    if job.status.failed == Int::Is(0) {
        return rows.number(0.0);
    }
    let mut known = false;
    for condition in job.status.conditions.iter().filter(|condition| condition.kind == "Failed") {
        for reason in FAILURES {
            known |= condition.reason == reason;
            rows.state(&[&reason], condition.reason == reason);
        }
    }
    if !known {
        rows.put(&[&""], job.status.failed);
    }
}

pub(super) struct Jobs;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct Job<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec>,
    status: Sub<Status<'v>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    parallelism: Option<Int>,
    completions: Option<Int>,
    active_deadline_seconds: Option<Int>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Status<'v> {
    succeeded: Int,
    failed: Int,
    active: Int,
    ready: Int,
    start_time: Option<Time>,
    completion_time: Option<Time>,
    conditions: List<Sub<Condition<'v>>>,
}

impl View for Jobs {
    type Of<'v> = Job<'v>;

    fn meta<'a, 'v: 'a>(j: &'a Job<'v>) -> &'a Meta<'v> {
        &j.metadata
    }
}
