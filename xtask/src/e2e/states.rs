//! Every kind in every interesting state, and what must be shown of it.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::subject::Subject;
use crate::cluster::Cluster;
use crate::exposition::{Page, Series};
use crate::{places, process};

const OBJECTS: &str = include_str!("../../../e2e/cluster/states.yaml");
const STATUSES: &str = include_str!("../../../e2e/cluster/statuses.txt");
const SHOWN: &str = include_str!("../../../e2e/cluster/states.txt");
const NAMESPACE: &str = "states";

/// Makes the objects, and writes the statuses that no controller writes here.
pub(super) fn create(cluster: &Cluster) -> Result<()> {
    cluster.kubectl(&["create", "namespace", NAMESPACE])?;
    let account = ["get", "serviceaccount", "default", "--namespace", NAMESPACE];
    process::wait_for("the namespace's account", Duration::from_mins(1), || cluster.kubectl(&account).is_ok())?;
    cluster.create(OBJECTS)?;
    write_statuses(cluster, "")?;
    for words in [
        ["delete", "pod", "terminating", "-n", NAMESPACE, "--wait=false"],
        ["delete", "namespace", "leaving", "--wait=false", "-o", "name"],
    ] {
        cluster.kubectl(&words)?;
    }
    requests(cluster)
}

/// Writes the statuses of objects whose `kind/name` begins like this.
fn write_statuses(cluster: &Cluster, of: &str) -> Result<()> {
    for line in entries(STATUSES).filter(|line| line.starts_with(of)) {
        let (object, status) = line.split_once(' ').with_context(|| format!("no status: {line}"))?;
        let patch = format!("status: {status}");
        cluster.kubectl(&["patch", object, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", &patch])?;
    }
    Ok(())
}

/// Certificate signing requests: approved, denied, pending, and one whose certificate has expired.
fn requests(cluster: &Cluster) -> Result<()> {
    let dir = places::cache("e2e-cluster")?;
    let path = |name: &str| dir.join(name).display().to_string();
    let (key, request, certificate) = (path("csr.key"), path("csr.pem"), path("expired.pem"));
    let openssl = |words: &[&str]| process::output(Command::new("openssl").args(words));
    openssl(&["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", &key, "-out", &request])?;
    openssl(&["x509", "-req", "-in", &request, "-signkey", &key, "-days", "-1", "-out", &certificate])?;
    let (request, certificate) =
        (openssl(&["base64", "-A", "-in", &request])?, openssl(&["base64", "-A", "-in", &certificate])?);
    let mut manifest = String::new();
    for name in ["approved", "denied", "pending", "expired"] {
        let _ = write!(
            manifest,
            "---\napiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {{name: {name}}}\n\
             spec: {{request: {request}, signerName: example.test/signer, expirationSeconds: 600, usages: [client auth]}}\n"
        );
    }
    cluster.create(&manifest)?;
    for (verb, names) in [("approve", ["approved", "expired"].as_slice()), ("deny", &["denied"])] {
        for name in names {
            cluster.kubectl(&["certificate", verb, name])?;
        }
    }
    let patch = format!("status: {{certificate: {certificate}}}");
    cluster.kubectl(&["patch", "csr", "expired", "--subresource=status", "--type=merge", "-p", &patch]).map(drop)
}

/// Waits until all is shown, and compares the number of objects of each kind with the API server's.
pub(super) fn prove(cluster: &Cluster, subject: &Subject) -> Result<()> {
    // A node from which nothing came for 50 s is in an unknown state, says the node controller.
    write_statuses(cluster, "node/")?;
    let begin = Instant::now();
    loop {
        let page = Page::parse(&subject.first().page("")?)?;
        let missing: Vec<&str> = entries(SHOWN).filter(|entry| !is_shown(entry, &page)).collect();
        if missing.is_empty() {
            break;
        }
        if begin.elapsed() > Duration::from_secs(90) {
            bail!("{} states are not shown:\n  {}", missing.len(), missing.join("\n  "));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    println!("proved: {} states are shown, from crash loop to expired certificate", entries(SHOWN).count());
    let objects = same_counts(cluster, subject)?;
    println!("proved: {} kinds, each with as many objects as the API server lists ({objects})", subject.kinds().len());
    let page = subject.first().page("")?;
    if page.contains("nobody-may-see-this") || page.contains("bm9ib2R5") {
        bail!("a secret's value is shown");
    }
    Ok(())
}

fn same_counts(cluster: &Cluster, subject: &Subject) -> Result<usize> {
    let mut all = 0;
    for kind in subject.kinds() {
        let mut seen = (0, 0.0);
        let same = || {
            let listed = cluster.kubectl(&["get", kind, "--all-namespaces", "-o", "name"]);
            let held = subject.first().own("yagura_kube_state_objects");
            seen = (listed.map_or(0, |text| text.lines().count()), held.map_or(0.0, |held| held[kind]));
            #[expect(clippy::float_cmp, reason = "both count objects")]
            let same = seen.0 > 0 && seen.0 as f64 == seen.1;
            same
        };
        process::wait_for("equal counts", Duration::from_secs(20), same)
            .with_context(|| format!("{kind}: the API server lists {} and kube-state has {}", seen.0, seen.1))?;
        all += seen.0;
    }
    Ok(all)
}

/// Whether a series has the labels of an entry among its own, and its number unless that is `*`.
fn is_shown(entry: &str, page: &Page) -> bool {
    let Some((wanted, value)) = entry.split_once(" | ").and_then(|(_, series)| pattern(series)) else { return false };
    let fits = |series: &Series| wanted.labels.iter().all(|(name, value)| series.label(name) == value);
    page.series(&wanted.name).any(|(series, sample)| fits(series) && value.is_none_or(|value| value == sample.value))
}

fn pattern(text: &str) -> Option<(Series, Option<f64>)> {
    let (series, value) = text.rsplit_once(' ')?;
    let (series, _) = Page::parse(&format!("{series} 0\n")).ok()?.samples.pop_first()?;
    Some((series, value.parse().ok()))
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_shown_by_a_series_with_its_labels_and_number() {
        let page = Page::parse("a{x=\"1\",y=\"2\"} 3\n").unwrap();
        for (entry, shown) in [
            ("s | a{y=\"2\"} 3", true),
            ("s | a{y=\"2\"} *", true),
            ("s | a{y=\"2\"} 4", false),
            ("s | a{y=\"3\"} 3", false),
        ] {
            assert_eq!(is_shown(entry, &page), shown, "{entry}");
        }
    }

    #[test]
    fn every_entry_can_be_read() {
        assert!(entries(SHOWN).all(|entry| entry.split_once(" | ").and_then(|(_, series)| pattern(series)).is_some()));
        let objects: Vec<&str> =
            entries(STATUSES).filter_map(|line| line.split(' ').next()?.split('/').nth(1)).collect();
        assert!(objects.len() > 10 && objects.iter().all(|name| OBJECTS.contains(&format!("name: {name}"))));
    }
}
