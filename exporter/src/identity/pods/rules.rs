//! Derives owners from names without a request: a `ReplicaSet` that a Deployment made is called after it and the hash
//! of its template, a Job that a `CronJob` made after it and the minute that it was due.

use super::object::Pod;

/// The Deployment or Rollout that made a `ReplicaSet`: kind, API version and name. The hash stands in a label of the pod.
pub(super) fn of_replica_set<'n>(name: &'n str, pod: &Pod<'_>) -> Option<(&'static str, &'static str, &'n str)> {
    let labels = &pod.metadata.labels;
    let made =
        |label: &str| name.strip_suffix(labels.get(label)?.as_str())?.strip_suffix('-').filter(|n| !n.is_empty());
    if let Some(name) = made("pod-template-hash") {
        return Some(("Deployment", "apps/v1", name));
    }
    Some(("Rollout", "argoproj.io/v1alpha1", made("rollouts-pod-template-hash")?))
}

/// How long after it was due a Job's pod may be made and the name still count as proof, in minutes.
const PROMPT: i64 = 10;

/// The `CronJob` that made a Job, if the name leaves no doubt: it ends in the minute of about now.
pub(super) fn of_prompt_job<'n>(name: &'n str, pod: &Pod<'_>) -> Option<&'n str> {
    let (cron, minute) = due(name)?;
    let late = pod.metadata.creation_timestamp.seconds()? / 60 - minute;
    (0..=PROMPT).contains(&late).then_some(cron)
}

/// The `CronJob` that made a Job, if the name looks like that; for Jobs that are gone.
pub(super) fn of_job(name: &str) -> Option<&str> {
    due(name).map(|(cron, _)| cron)
}

/// 2020 in minutes since 1970. Dates such as 20260101 are less.
const EARLIEST: i64 = 26_297_280;

/// A Job's name as that of a `CronJob` and minutes since 1970: eight digits until the year 2160.
fn due(name: &str) -> Option<(&str, i64)> {
    let (cron, digits) = name.rsplit_once('-')?;
    let fits = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !cron.is_empty();
    let minute = digits.parse().ok().filter(|minute| fits && *minute >= EARLIEST)?;
    Some((cron, minute))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(json: &str) -> Pod<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_replica_set_with_the_hash_of_its_pods_is_a_deployments() {
        let made = pod(r#"{"metadata":{"labels":{"pod-template-hash":"5d8c"}}}"#);
        assert_eq!(of_replica_set("web-5d8c", &made), Some(("Deployment", "apps/v1", "web")));
        assert_eq!(of_replica_set("web-5d8d", &made), None);
        assert_eq!(of_replica_set("5d8c", &made), None);
        assert_eq!(of_replica_set("-5d8c", &made), None);
        assert_eq!(of_replica_set("web-5d8c", &pod("{}")), None, "one that somebody made by hand");
        let rollout = pod(r#"{"metadata":{"labels":{"rollouts-pod-template-hash":"77"}}}"#);
        assert_eq!(of_replica_set("a-b-77", &rollout).map(|(kind, _, name)| (kind, name)), Some(("Rollout", "a-b")));
    }

    #[test]
    fn a_job_of_this_minute_is_a_cron_jobs() {
        let made = pod(r#"{"metadata":{"creationTimestamp":"2026-11-27T18:10:02Z"}}"#);
        let minute = kubernetes::time::rfc3339("2026-11-27T18:10:00Z").unwrap() / 60;
        assert_eq!(of_prompt_job(&format!("tidy-{minute}"), &made), Some("tidy"));
        assert_eq!(of_prompt_job(&format!("tidy-{}", minute - 11), &made), None, "the API server knows");
        assert_eq!(of_prompt_job(&format!("tidy-{}", minute + 1), &made), None);
        assert_eq!(of_job("tidy-29700000"), Some("tidy"), "a guess");
        for name in ["tidy", "tidy-2970000", "tidy-297000000", "tidy-2970000x", "-29700000", "report-20261127"] {
            assert_eq!(of_job(name), None, "{name}");
        }
    }
}
