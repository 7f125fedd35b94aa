//! CronJobs: their schedule, when they ran, when they run next.

use kubernetes::lax::{Flag, Int, List, Sub, Text, Time};
use serde::Deserialize;

use crate::{
    cron::Schedule,
    kind::{About, Kind},
    meta::{Meta, View},
    rows::Rows,
};

type Family = crate::family::Family<CronJobs>;

pub(super) static KIND: Kind<CronJobs> = Kind {
    about: About { plural: "cronjobs", kind: "CronJob", group: "batch", ..About::CORE },
    identity: &["namespace", "cronjob"],
    identify: |j, rows| rows.identify(&[&j.metadata.namespace, &j.metadata.name]),
    families: &[
        Family::annotations("kube_cronjob_annotations"),
        Family::labels("kube_cronjob_labels").stable(),
        Family::gauge(
            "kube_cronjob_info",
            "Schedule of a CronJob, its time zone, and whether its jobs may overlap; always 1.",
            &["schedule", "concurrency_policy", "timezone"],
            |j, rows| match &j.spec.time_zone {
                Some(zone) => rows.info(&[&j.spec.schedule, &j.spec.concurrency_policy, zone]),
                None => rows.info(&[&j.spec.schedule, &j.spec.concurrency_policy, &"local"]),
            },
        )
        .stable(),
        Family::created("kube_cronjob_created").stable(),
        Family::gauge("kube_cronjob_status_active", "How many of the CronJob's jobs run now.", &[], |j, rows| {
            rows.number(j.status.active.count());
        })
        .stable(),
        Family::gauge(
            "kube_cronjob_status_last_schedule_time",
            "When a job was last started by schedule, in seconds since the Unix epoch.",
            &[],
            |j, rows| rows.number(j.status.last_schedule_time),
        )
        .stable(),
        Family::gauge(
            "kube_cronjob_status_last_successful_time",
            "When a job last ended well, in seconds since the Unix epoch.",
            &[],
            |j, rows| rows.number(j.status.last_successful_time),
        )
        .stable(),
        Family::gauge("kube_cronjob_spec_suspend", "Whether the schedule is suspended.", &[], |j, rows| {
            rows.number(j.spec.suspend);
        })
        .stable(),
        Family::gauge(
            "kube_cronjob_spec_starting_deadline_seconds",
            "How late a job may start, in seconds.",
            &[],
            |j, rows| rows.number(j.spec.starting_deadline_seconds),
        )
        .stable(),
        Family::gauge(
            "kube_cronjob_next_schedule_time",
            "When the schedule next matches after the last start, or after creation when there was none, in seconds \
             since the Unix epoch. A time in the past means that the job is late.",
            &[],
            next_schedule_time,
        )
        .stable(),
        Family::gauge(
            "kube_cronjob_schedule_invalid",
            "A CronJob whose schedule, with its time zone, cannot be read; always 1.",
            &[],
            |j, rows| {
                if schedule(j, rows).is_none() {
                    rows.info(&[]);
                }
            },
        ),
        Family::resource_version("kube_cronjob_metadata_resource_version").stable(),
        Family::gauge(
            "kube_cronjob_spec_successful_job_history_limit",
            "How many finished jobs that ended well are kept.",
            &[],
            |j, rows| rows.number(j.spec.successful_jobs_history_limit),
        ),
        Family::gauge(
            "kube_cronjob_spec_failed_job_history_limit",
            "How many finished jobs that failed are kept.",
            &[],
            |j, rows| rows.number(j.spec.failed_jobs_history_limit),
        ),
    ],
};

fn schedule(job: &CronJob<'_>, rows: &Rows) -> Option<Schedule> {
    let zone = job.spec.time_zone.as_ref().map(Text::as_str);
    Schedule::parse(job.spec.schedule.as_str(), zone, &rows.options().local)
}

fn next_schedule_time(job: &CronJob<'_>, rows: &mut Rows) {
    let last = job.status.last_schedule_time.unwrap_or_default().seconds();
    let from = last.or_else(|| job.metadata.creation_timestamp.seconds());
    if job.spec.suspend.is_set() {
        return;
    }
    if let (Some(schedule), Some(from)) = (schedule(job, rows), from) {
        rows.number(schedule.after(from) as f64);
    }
}

pub(super) struct CronJobs;

#[derive(Default, Deserialize)]
#[serde(default, bound = "'de: 'v")]
pub(super) struct CronJob<'v> {
    metadata: Sub<Meta<'v>>,
    spec: Sub<Spec<'v>>,
    status: Sub<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
struct Spec<'v> {
    schedule: Text<'v>,
    time_zone: Option<Text<'v>>,
    concurrency_policy: Text<'v>,
    suspend: Flag,
    starting_deadline_seconds: Option<Int>,
    successful_jobs_history_limit: Option<Int>,
    failed_jobs_history_limit: Option<Int>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    active: List<serde::de::IgnoredAny>,
    last_schedule_time: Option<Time>,
    last_successful_time: Option<Time>,
}

impl View for CronJobs {
    type Of<'v> = CronJob<'v>;

    fn meta<'a, 'v: 'a>(j: &'a CronJob<'v>) -> &'a Meta<'v> {
        &j.metadata
    }
}
