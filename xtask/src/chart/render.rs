//! Examples rendered by Helm: what each value does to what a cluster gets, committed beside the values.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::binaries::Binaries;
use crate::go::Module;
use crate::{places, process};

/// Helm of the third generation.
pub(super) const HELM_3: Module =
    Module { name: "helm", path: "helm.sh/helm/v3", package: "helm.sh/helm/v3/cmd/helm", version: "v3.22.0" };
/// Helm of the fourth.
pub(super) const HELM_4: Module =
    Module { name: "helm", path: "helm.sh/helm/v4", package: "helm.sh/helm/v4/cmd/helm", version: "v4.3.1" };

/// The oldest Kubernetes that the chart is for, and a current one.
pub(super) const KUBERNETES: [&str; 2] = ["1.25.0", "1.36.0"];

/// Where the kubelet puts a pod's own credentials.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/";

/// Folders of examples, in order.
pub(super) fn examples(chart: &Path) -> Result<Vec<PathBuf>> {
    let folder = chart.join("examples");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut all: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    all.retain(|path| path.is_dir());
    all.sort();
    Ok(all)
}

/// A Helm with its own empty home.
pub(super) fn helm(program: &Path) -> Result<Command> {
    let home = places::cache("helm")?;
    let mut command = Command::new(program);
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(name, &home);
    }
    Ok(command)
}

/// What a cluster of a version gets of an example.
pub(super) fn rendered(program: &Path, chart: &Path, example: &Path, kubernetes: &str) -> Result<String> {
    let mut command = helm(program)?;
    command.args(["template", "yagura", "--namespace", "monitoring", "--kube-version", kubernetes]).arg(chart);
    process::output(command.arg("--values").arg(example.join("values.yaml")))
}

/// The committed rendering of an example, by a current Kubernetes and checked to be the same twice, by the other Helm, and
/// without a refusal by the oldest Kubernetes.
pub(super) fn golden(programs: &[PathBuf], chart: &Path, example: &Path) -> Result<String> {
    let [old, new] = KUBERNETES;
    let mut texts = Vec::new();
    for program in programs {
        for _ in 0..2 {
            texts.push(rendered(program, chart, example, new)?);
        }
        rendered(program, chart, example, old)?;
    }
    for pair in texts.chunks(2) {
        if pair.first() != pair.last() {
            bail!("{} renders differently twice", example.display());
        }
    }
    let first = texts.first().cloned().unwrap_or_default();
    if let Some(other) = texts.iter().find(|text| documents(text) != documents(&first)) {
        let (one, two) = (documents(&first), documents(other));
        let at = one.iter().zip(&two).position(|(one, two)| one != two).unwrap_or(one.len().min(two.len()));
        let head = one.get(at).or_else(|| two.get(at)).and_then(|text| text.lines().next()).unwrap_or_default();
        bail!("{} renders differently by another Helm, from document {at} on: {head}", example.display());
    }
    Ok(first)
}

/// Documents of a rendering without the empty lines around each, of which Helm 4 writes more than Helm 3.
fn documents(text: &str) -> Vec<&str> {
    text.split("---\n").map(str::trim).filter(|text| !text.is_empty()).collect()
}

/// Objects of a rendering.
pub(super) fn objects(text: &str) -> Result<Vec<Value>> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).context("what Helm rendered is no YAML")?;
    Ok(all.into_iter().filter(|object| !object.is_null()).collect())
}

/// Has the programs judge the flags and configurations that pods start them with; the number of pods.
pub(super) fn check_flags(binaries: &Binaries, objects: &[Value], example: &str) -> Result<usize> {
    let mut count = 0;
    for object in objects {
        for container in object["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten() {
            let which = usize::from(container["name"] == "kube-state");
            let mut command = binaries.command(which)?;
            for arg in container["args"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let arg = arg.replace("$(POD_NAME)", "yagura-kube-state-0").replace("$(POD_NAMESPACE)", "monitoring");
                command.arg(match arg.split_once('=') {
                    Some((flag, path)) => format!("{flag}={}", here(objects, path)?),
                    None => arg,
                });
            }
            process::output(command.arg("--config.check"))
                .with_context(|| format!("example {example}: {}", container["name"]))?;
            count += 1;
        }
    }
    Ok(count)
}

/// What stands on this machine for a value of a flag in a pod, where the machine's folders are below `/host`.
fn here(objects: &[Value], value: &str) -> Result<String> {
    if value.starts_with("/sys/fs/bpf/") {
        return Ok(String::new()); // not every machine has that file system mounted
    }
    if let Some(file) = value.strip_prefix("/etc/yagura/") {
        return Ok(written(objects, file)?.display().to_string());
    }
    if let Some(name) = value.strip_prefix(SERVICE_ACCOUNT) {
        let path = places::cache("scratch")?.join(name);
        places::write(&path, "a.b.c")?;
        return Ok(path.display().to_string());
    }
    Ok(match value.strip_prefix("/host") {
        Some("") => "/".to_owned(),
        Some(path) => path.to_owned(),
        None => value.to_owned(),
    })
}

/// A file of a `ConfigMap`, where a program can read it.
fn written(objects: &[Value], file: &str) -> Result<PathBuf> {
    let text = objects.iter().find_map(|object| object["data"][file].as_str());
    let path = places::cache("scratch")?.join(file);
    places::write(&path, text.with_context(|| format!("no ConfigMap has {file}"))?)?;
    Ok(path)
}
