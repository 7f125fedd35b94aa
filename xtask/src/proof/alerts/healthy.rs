//! A healthy system under mixed load: nobody is to hear of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use super::lab::{Lab, load};
use super::objects;
use super::place::Place;
use super::receiver::Notice;
use crate::cluster::{BOX_IMAGE, NODE};
use crate::places;

/// What is done, in words and in fact.
type Turn = (&'static str, fn(&Lab, &Place) -> Result<()>);

/// What is done, one after the other; each turn takes two minutes.
const TURNS: &[Turn] = &[
    ("a rollout of all front ends", rollout),
    ("a Job of eight pods", job),
    ("a burst of requests and of CPU", burst),
    ("a rollout of a program that is slow to start", slow_start),
    ("the node is drained and comes back", drain),
    ("more replicas, and fewer", scale),
];
const TURN: Duration = Duration::from_mins(2);

/// Works for so long and counts what is sent.
pub(super) fn prove(lab: &Lab, limit: Duration, markdown: Option<&Path>) -> Result<()> {
    let place = Place { namespace: "healthy".to_owned(), team: "crew".to_owned() };
    open(lab, &place)?;
    let (begin, mut turn) = (Instant::now(), 0usize);
    println!("healthy for {:.0} min; {}", limit.as_secs_f64() / 60.0, load());
    while begin.elapsed() < limit {
        let next = Instant::now() + TURN.min(limit.saturating_sub(begin.elapsed()));
        let Some((what, work)) = TURNS.get(turn % TURNS.len()) else { break };
        turn += 1;
        println!("  {:>4.0} s: {what}; {}", begin.elapsed().as_secs_f64(), load());
        work(lab, &place)?;
        if let Some(left) = next.checked_duration_since(Instant::now()) {
            std::thread::sleep(left);
        }
    }
    lab.machine.kubectl(&["delete", "namespace", &place.namespace, "--wait=false"])?;
    let notices: Vec<Notice> = lab
        .receiver
        .since(begin)
        .into_iter()
        .filter(|notice| notice.is_firing && notice.label("alertname") != "AlertPathAlive")
        .collect();
    let report = report(lab, &notices, begin.elapsed(), turn);
    println!("\n{report}");
    if let Some(path) = markdown {
        places::write(path, &report)?;
    }
    let ours = notices.iter().filter(|notice| notice.is_ours()).count();
    if ours > 0 {
        bail!("{ours} notifications of a healthy system");
    }
    Ok(())
}

fn report(lab: &Lab, notices: &[Notice], took: Duration, turns: usize) -> String {
    let count = |ours: bool| notices.iter().filter(|notice| notice.is_ours() == ours).count();
    let mut text = format!(
        "{:.0} healthy minutes with {turns} turns of load, times of all rules divided by {}: {} notifications of this set, {} of \
         the other. At the end {}.\n",
        took.as_secs_f64() / 60.0,
        lab.clock.divisor,
        count(true),
        count(false),
        load()
    );
    let mut rows: BTreeMap<(bool, &str, String), usize> = BTreeMap::new();
    for notice in notices {
        let labels = notice.labels.iter().filter(|(name, _)| !["alertname", "source"].contains(&name.as_str()));
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
        *rows.entry((!notice.is_ours(), notice.label("alertname"), labels.join(" "))).or_default() += 1;
    }
    if !rows.is_empty() {
        text.push_str("\n| set | alert | labels | notifications |\n|---|---|---|--:|\n");
    }
    for ((is_other, alert, labels), count) in rows {
        let set = if is_other { "other" } else { "this" };
        let _ = writeln!(text, "| {set} | {alert} | `{}` | {count} |", labels.replace('|', "\\|"));
    }
    text
}

/// A shop whose parts have room and are asked all the time.
fn open(lab: &Lab, place: &Place) -> Result<()> {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.namespace, "labels": {"team": place.team}}});
    lab.apply(&place.namespace, &object.to_string())?;
    let account = ["-n", &place.namespace, "get", "serviceaccount", "default"];
    crate::process::wait_for("the namespace's account", Duration::from_mins(1), || {
        lab.machine.kubectl(&account).is_ok()
    })?;
    let serve = "mkdir -p /tmp/www && echo ok > /tmp/www/index.html && exec busybox httpd -f -p 8080 -h /tmp/www";
    deployment(lab, place, "api", serve, 3, 0)?;
    let address = lab.machine.kubectl(&[
        "-n",
        &place.namespace,
        "get",
        "pods",
        "-l",
        "app=api",
        "-o",
        "jsonpath={.items[0].status.podIP}",
    ])?;
    // Whoever asks a pod that a rollout replaced waits for the next address, as a program behind a Service does.
    let ask =
        format!("while true; do busybox timeout 2 wget -q -O /dev/null http://{}:8080/; sleep 1; done", address.trim());
    deployment(lab, place, "caller", &ask, 1, 0)?;
    deployment(lab, place, "web", "exec sleep 100000", 4, 0)?;
    deployment(lab, place, "slow", "sleep 60; touch /tmp/ready; exec sleep 100000", 2, 60)?;
    let cron = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report"},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": false,
            "containers": [{"name": "main", "image": BOX_IMAGE, "imagePullPolicy": "Never", "command": ["/bin/sh", "-c", "sleep 2"]}],
        }}}}},
    });
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    });
    lab.apply(&place.namespace, &json!({"apiVersion": "v1", "kind": "List", "items": [cron, budget]}).to_string())?;
    Ok(())
}

fn deployment(lab: &Lab, place: &Place, name: &str, run: &str, replicas: u32, starts: u32) -> Result<()> {
    let ready = if starts > 0 { "cat /tmp/ready" } else { "true" };
    let deployment: objects::Deployment = serde_json::from_value(
        json!({"name": name, "run": run, "replicas": replicas, "memory": "128Mi", "ready": ready}),
    )?;
    // It stays until its namespace goes.
    deployment.apply(lab, place).map(drop)
}

fn kubectl(lab: &Lab, place: &Place, words: &str) -> Result<()> {
    let words: Vec<&str> = words.split_whitespace().chain(["-n", &place.namespace]).collect();
    lab.machine.kubectl(&words).map(drop)
}

fn rollout(lab: &Lab, place: &Place) -> Result<()> {
    kubectl(lab, place, "rollout restart deployment/web")
}

fn slow_start(lab: &Lab, place: &Place) -> Result<()> {
    kubectl(lab, place, "rollout restart deployment/slow")
}

fn scale(lab: &Lab, place: &Place) -> Result<()> {
    kubectl(lab, place, "scale deployment/web --replicas=12")?;
    std::thread::sleep(TURN / 3);
    kubectl(lab, place, "scale deployment/web --replicas=4")
}

fn job(lab: &Lab, place: &Place) -> Result<()> {
    work(lab, place, "batch", "sleep 3", 8, 4)
}

/// Short work of the kind that alerts must not mind: all CPUs for half a minute.
fn burst(lab: &Lab, place: &Place) -> Result<()> {
    work(lab, place, "burst", "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done", 4, 2)
}

fn work(lab: &Lab, place: &Place, name: &str, run: &str, completions: u32, parallelism: u32) -> Result<()> {
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": format!("{name}-")},
        "spec": {"completions": completions, "parallelism": parallelism, "ttlSecondsAfterFinished": 60, "template": {"spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": false,
            "containers": [{"name": "main", "image": BOX_IMAGE, "imagePullPolicy": "Never", "command": ["/bin/sh", "-c", run]}],
        }}},
    });
    let file = lab.dir.join("objects").join(format!("healthy-{name}.json"));
    places::write(&file, job.to_string())?;
    lab.machine.kubectl(&["create", "-n", &place.namespace, "-f", &file.display().to_string()]).map(drop)
}

/// The only node is cordoned and its front ends evicted by their budget; it comes back before anybody is without them.
fn drain(lab: &Lab, place: &Place) -> Result<()> {
    lab.machine.kubectl(&["cordon", NODE])?;
    let selector = ["drain", NODE, "--pod-selector=app=web", "--ignore-daemonsets", "--timeout=20s"];
    // The budget lets one pod go, and no other node takes it: the drain waits, and gives up.
    lab.machine.kubectl(&selector).ok();
    std::thread::sleep(Duration::from_secs(20));
    let _ = place;
    lab.machine.kubectl(&["uncordon", NODE]).map(drop)
}
