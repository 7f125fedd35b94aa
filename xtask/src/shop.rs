//! A small shop on a real node: workloads of several kinds that talk to each other, and the questions that the suite
//! answers about them.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::cluster::{BOX_IMAGE, Cluster};
use crate::prometheus::Prometheus;
use crate::{http, process};

const NAMESPACE: &str = "shop";

/// What is asked of Prometheus, and in words.
pub(crate) const QUESTIONS: &[(&str, &str)] = &[
    (
        "which workload used how much CPU time",
        "sum by (workload_kind, workload) (workload_cpu_usage_seconds_total{namespace=\"shop\"})",
    ),
    (
        "who talked to whom, in connections",
        "sum by (source, target) (topology_edge_connections_total{source=~\"shop/.*\"})",
    ),
    (
        "who is to be called for what",
        "group by (workload_kind, workload, team) (workload_owner_info{namespace=\"shop\"})",
    ),
    (
        "what asks for memory and how much, in byte-seconds",
        "sum by (workload_kind, workload) (workload_memory_requested_byte_seconds_total{namespace=\"shop\"}) > 0",
    ),
];

/// Opens the shop: a database, an API that asks it, a web front that asks the API, a worker and a report each minute.
pub(crate) fn open(cluster: &Cluster) -> Result<()> {
    close(cluster)?;
    cluster.kubectl(&["create", "namespace", NAMESPACE])?;
    let account = ["-n", NAMESPACE, "get", "serviceaccount", "default"];
    process::wait_for("the service account", Duration::from_secs(30), || cluster.kubectl(&account).is_ok())?;
    let serve = "mkdir -p /tmp/www && echo ok > /tmp/www/index.html && exec busybox httpd -f -p PORT -h /tmp/www";
    cluster.create(&object("StatefulSet", "db", "data", &serve.replace("PORT", "5432"), 1))?;
    let db = address(cluster, "db")?;
    let ask = |address: &str, port: u16| {
        format!("while true; do wget -q -O /dev/null http://{address}:{port}/ || true; sleep 1; done")
    };
    let api = format!("({}) & {}", ask(&db, 5432), serve.replace("PORT", "8080"));
    cluster.create(&object("Deployment", "api", "core", &api, 2))?;
    let api = address(cluster, "api")?;
    let manifests = [
        object("Deployment", "web", "front", &ask(&api, 8080), 2),
        object("DaemonSet", "worker", "core", &ask(&db, 5432), 1),
        object("CronJob", "report", "data", &format!("wget -q -O /dev/null http://{db}:5432/"), 1),
    ];
    cluster.create(&manifests.join("---\n"))
}

/// Adds a workload whose image does not exist.
pub(crate) fn break_checkout(cluster: &Cluster) -> Result<()> {
    let checkout = object("Deployment", "checkout", "front", "true", 2);
    cluster.create(&checkout.replace(BOX_IMAGE, "localhost/shop/checkout:no-such-version"))
}

/// Closes it; nothing to do when it is not open.
pub(crate) fn close(cluster: &Cluster) -> Result<()> {
    cluster.kubectl(&["delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s"]).map(drop)
}

fn address(cluster: &Cluster, app: &str) -> Result<String> {
    let label = format!("app={app}");
    let words = ["-n", NAMESPACE, "get", "pods", "-l", &label, "-o", "jsonpath={.items[0].status.podIP}"];
    let found = || cluster.kubectl(&words).is_ok_and(|address| !address.is_empty());
    process::wait_for(app, Duration::from_mins(1), found)?;
    cluster.kubectl(&words)
}

fn object(kind: &str, name: &str, team: &str, script: &str, count: usize) -> String {
    let script = Value::from(script);
    let container = format!(
        "{{name: {name}, image: '{BOX_IMAGE}', imagePullPolicy: Never, command: [/bin/sh, -c, {script}], \
         resources: {{requests: {{cpu: 10m, memory: 16Mi}}, limits: {{memory: 64Mi}}}}}}"
    );
    let never = if kind == "CronJob" { "restartPolicy: Never, " } else { "" };
    let pod = format!("{{terminationGracePeriodSeconds: 0, {never}containers: [{container}]}}");
    let template = format!("template: {{metadata: {{labels: {{app: {name}}}}}, spec: {pod}}}");
    let (group, spec) = match kind {
        "CronJob" => ("batch", format!("schedule: '* * * * *', jobTemplate: {{spec: {{{template}}}}}")),
        "DaemonSet" => ("apps", format!("selector: {{matchLabels: {{app: {name}}}}}, {template}")),
        _ => ("apps", format!("replicas: {count}, selector: {{matchLabels: {{app: {name}}}}}, {template}")),
    };
    format!(
        "apiVersion: {group}/v1\nkind: {kind}\n\
         metadata: {{name: {name}, namespace: {NAMESPACE}, labels: {{team: {team}}}}}\nspec: {{{spec}}}\n"
    )
}

/// Waits until Prometheus has an answer to each question, and prints them.
pub(crate) fn answer(prometheus: &Prometheus) -> Result<()> {
    for (question, query) in QUESTIONS {
        let asked = || prometheus.query(query).is_ok_and(|rows| !rows.is_empty());
        process::wait_for(question, Duration::from_mins(2), asked)?;
    }
    let edges = [("shop/Deployment/web", "shop/Deployment/api"), ("shop/Deployment/api", "shop/StatefulSet/db")];
    for (source, target) in edges {
        let query = format!("topology_edge_connections_total{{source=\"{source}\",target=\"{target}\"}} > 0");
        let there = || prometheus.query(&query).is_ok_and(|rows| !rows.is_empty());
        process::wait_for(&format!("{source} to be seen to talk to {target}"), Duration::from_mins(1), there)?;
    }
    for (question, query) in QUESTIONS {
        println!("\n{question}:  {query}");
        let rows = prometheus.query(query)?;
        if rows.is_empty() {
            bail!("Prometheus lost the answer to {question:?}");
        }
        for row in rows {
            let labels = row["metric"].as_object().context("a row without labels")?;
            let words: Vec<String> =
                labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
            println!("  {:>14}  {}", row["value"][1].as_str().unwrap_or_default(), words.join(" "));
        }
    }
    Ok(())
}

/// What the agent's page of workloads says of the shop.
const ON_PAGE: &[&str] = &["<div>web</div>", "shop/api:8080 · ", "shop/db:5432 · ", "team: front", "team: data"];

/// Waits until the agent's page for people answers the same questions.
pub(crate) fn is_on_page(agent: &str) -> Result<()> {
    let page = || http::get(&format!("{agent}/workloads"));
    let there = || page().is_ok_and(|page| ON_PAGE.iter().all(|part| page.contains(part)));
    process::wait_for("the page of workloads to show the shop", Duration::from_mins(1), there)
}
