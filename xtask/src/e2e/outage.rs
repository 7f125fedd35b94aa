//! The API server dies, comes back with another set of features, and the first token is no longer good.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::roll;
use super::size::options;
use super::subject::{Instance, Subject};
use crate::cluster::{self, Cluster};
use crate::process;

/// How soon all must be well again after the server is back: the longest wait between tries, and a busy machine.
const RECOVERY: Duration = Duration::from_mins(1);
/// What changes by itself, also while nobody does anything.
const RESTLESS: &[&str] = &["kube_lease_", "kube_endpointslice_", "kube_horizontalpodautoscaler_", "kube_node_"];

/// Restarts the API server twice: killed, and without streaming lists. `token` is revoked in between.
pub(super) fn prove(cluster: &Cluster, subject: &mut Subject, token: &str) -> Result<()> {
    restart(cluster, subject, &[])?;
    cluster.kubectl(&["delete", "secret", token, "--namespace=kube-system"])?;
    let away = restart(cluster, subject, &["--feature-gates=WatchList=false"])?;
    println!(
        "proved: the API server was killed twice, {away:.0} s the second time: all series stayed, their age rose, and fell after"
    );
    println!("proved: the token was replaced and the old one revoked; watches go on with the new one");
    fresh(subject)
}

/// Kills the server and starts it again with these further flags; what is shown must stay. Gives how long it was away.
fn restart(cluster: &Cluster, subject: &Subject, flags: &[&str]) -> Result<f64> {
    let kube_state = subject.first();
    let before = lasting(&kube_state.page("")?);
    let mut options = options();
    options.api_flags.extend(flags.iter().map(|&flag| flag.to_owned()));
    cluster::kill_api(cluster)?;
    let begin = Instant::now();
    let mut oldest = 0.0_f64;
    while begin.elapsed() < Duration::from_secs(4) {
        let after = lasting(&kube_state.page("")?);
        if let Some(series) = before.difference(&after).next() {
            bail!("{series} went while the API server was away");
        }
        let age = age(kube_state)?;
        if age < oldest {
            bail!("pods were {oldest} s old and are {age} s old while the API server is away");
        }
        oldest = age;
        std::thread::sleep(Duration::from_millis(250));
    }
    if oldest < 2.0 {
        bail!("the age of pods is {oldest} s, {:.1} s after the API server went", begin.elapsed().as_secs_f64());
    }
    cluster::start_api(cluster, &options)?;
    let away = begin.elapsed().as_secs_f64();
    // Something happens that only a watch which goes on can see.
    cluster.kubectl(&["delete", "pod", "ordered-0", "-n", "roll", "--wait=false"])?;
    let same = || {
        let listed = subject.uids(roll::PODS);
        let shown = kube_state.page("?resources=pods").map(|page| roll::ours(&page));
        let young = age(kube_state).is_ok_and(|age| age < oldest);
        young && matches!((listed, shown), (Ok(listed), Ok(shown)) if listed == shown && !listed.is_empty())
    };
    process::wait_for("kube-state to go on", RECOVERY, same).with_context(|| tail(kube_state))?;
    Ok(away)
}

/// A process that knows nothing yet lists in pages, since the server no longer streams, and shows the same.
fn fresh(subject: &Subject) -> Result<()> {
    let second = subject.another()?;
    let mut differences = Vec::new();
    let same = || {
        let (Ok(one), Ok(two)) = (subject.first().page(""), second.page("")) else { return false };
        let (one, two) = (lasting(&one), lasting(&two));
        differences = one.symmetric_difference(&two).take(5).cloned().collect();
        differences.is_empty() && one.len() > 1000
    };
    process::wait_for("two processes to show the same", RECOVERY, same)
        .with_context(|| format!("they differ:\n  {}", differences.join("\n  ")))?;
    let in_pages = second.log().matches("no streaming list, listing in pages").count();
    if in_pages == 0 {
        bail!("no kind was listed in pages; {}", tail(&second));
    }
    let series = lasting(&second.page("")?).len();
    println!(
        "proved: without streaming lists {in_pages} kinds come in pages, and a new process shows the same {series} series"
    );
    Ok(())
}

/// How long ago the server last said something of pods.
fn age(kube_state: &Instance) -> Result<f64> {
    kube_state.own("yagura_kube_state_age_seconds")?.get("pods").copied().context("pods have no age")
}

/// Series of a page with their numbers, but those that change by themselves.
fn lasting(page: &str) -> BTreeSet<String> {
    let series = page.lines().filter(|line| !line.starts_with('#'));
    series.filter(|line| !RESTLESS.iter().any(|start| line.starts_with(start))).map(str::to_owned).collect()
}

fn tail(kube_state: &Instance) -> String {
    let log = kube_state.log();
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(6)..).unwrap_or_default().join("\n")
}
