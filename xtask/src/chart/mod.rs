//! `cargo xtask chart`: makes what is made of the chart in `helm/yagura`, and has both Helms render its examples.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

mod binaries;
mod needs;
mod render;
mod values;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use metric::Catalog;
use serde_json::Value;

use self::binaries::Binaries;
use self::values::Values;
use crate::args::{Args, Takes};
use crate::skip::Skip;
use crate::{alerts, places, process};

/// The command line.
pub(crate) const TAKES: Takes = Takes::Options(&[("--check", ""), ("--programs", "DIR")], "");

/// Folders that hold generated files and nothing else, below the chart.
const GENERATED: [&str; 2] = ["files/rules", "files/dashboards"];
/// Between these lines the table of values stands.
const TABLE: [&str; 2] = ["<!-- values -->", "<!-- end of values -->"];
/// Most bytes of a release's Secret; Kubernetes refuses more than a mebibyte.
const RELEASE_BYTES: usize = 700_000;

/// `cargo xtask chart [--check] [--programs DIR]`: writes the generated files of the chart and the renderings of its examples, or compares
/// them; then both Helms lint it.
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let is_check = args.flag("--check");
    let programs = args.option("--programs")?;
    args.finish()?;
    make(is_check, programs.as_deref())
}

/// What `ci` runs.
pub(crate) fn check() -> Result<()> {
    make(true, None)
}

fn make(is_check: bool, folder: Option<&str>) -> Result<()> {
    let chart = places::repo().join("helm/yagura");
    let binaries = Binaries::of(folder)?;
    let catalogs = catalogs(&binaries)?;
    let mut stale = Stale { is_check, found: Vec::new() };
    let text = read(&chart.join("values.yaml"))?;
    let values = Values::read(&text)?;
    stale.put(&chart.join("values.schema.json"), &values.schema()?)?;
    stale.put(&chart.join("files/needs.yaml"), &needs::file(&binaries, &catalogs)?)?;
    stale.put(&chart.join("Chart.yaml"), &versioned(&read(&chart.join("Chart.yaml"))?))?;
    let readme = read(&chart.join("README.md"))?;
    stale.put(&chart.join("README.md"), &with_table(&readme, &values.table())?)?;
    stale.folders(&chart, &copies()?)?;
    let programs = match [render::HELM_3.binary(), render::HELM_4.binary()] {
        [Ok(three), Ok(four)] => [three, four],
        [Err(error), _] | [_, Err(error)] => match error.downcast_ref::<Skip>() {
            Some(skip) => {
                println!("skipped: examples of the chart: {skip}");
                return stale.finish();
            }
            None => return Err(error),
        },
    };
    let (mut objects, mut pods, mut largest) = (0, 0, (0, String::new()));
    let examples = render::examples(&chart)?;
    for example in &examples {
        let name = example.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = render::golden(&programs, &chart, example)?;
        let all = render::objects(&text)?;
        pods += render::check_flags(&binaries, &all, &name)?;
        objects += all.len();
        let size = release(&chart, &text)?;
        if size > largest.0 {
            largest = (size, name);
        }
        stale.put(&example.join("output.yaml"), &text)?;
    }
    for program in &programs {
        process::output(render::helm(program)?.args(["lint", "--strict"]).arg(&chart))?;
    }
    println!(
        "{} examples: {objects} objects, the same by two Helms and twice; {pods} pods whose flags their programs accept; \
         largest release {} kB ({})",
        examples.len(),
        largest.0 / 1000,
        largest.1
    );
    if largest.0 > RELEASE_BYTES {
        bail!("the release of {} takes {} bytes, more than {RELEASE_BYTES}", largest.1, largest.0);
    }
    refusals(&programs, &chart)?;
    stale.finish()
}

/// Files that are compared or written.
struct Stale {
    is_check: bool,
    found: Vec<String>,
}

impl Stale {
    fn put(&mut self, path: &Path, text: &str) -> Result<()> {
        if fs::read_to_string(path).is_ok_and(|there| there == text) {
            return Ok(());
        }
        if self.is_check {
            self.found.push(path.strip_prefix(places::repo()).unwrap_or(path).display().to_string());
            return Ok(());
        }
        places::write(path, text)
    }

    /// The same for all files of generated folders; a file that belongs to nothing goes.
    fn folders(&mut self, chart: &Path, files: &BTreeMap<String, String>) -> Result<()> {
        for folder in GENERATED {
            for path in alerts::files(&chart.join(folder))? {
                let name = path.strip_prefix(chart).unwrap_or(&path).to_string_lossy().into_owned();
                if files.contains_key(&name) {
                    continue;
                }
                if self.is_check {
                    self.found.push(format!("{} (belongs to nothing)", path.display()));
                } else {
                    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
                }
            }
        }
        files.iter().try_for_each(|(name, text)| self.put(&chart.join(name), text))
    }

    fn finish(self) -> Result<()> {
        if self.found.is_empty() {
            return Ok(());
        }
        bail!("stale: {}; `cargo xtask chart` writes them", self.found.join(", "))
    }
}

fn catalogs(binaries: &Binaries) -> Result<[Catalog; 2]> {
    let printed = |which: usize| -> Result<Catalog> {
        let json = process::output(binaries.command(which)?.arg("--print-catalog"))?;
        serde_json::from_str(&json).context("--print-catalog printed no catalogue")
    };
    Ok([printed(0)?, printed(1)?])
}

/// Rules and dashboards as the chart has them: rules the same bytes, dashboards without white space.
fn copies() -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for (from, ending, to) in
        [("alerts/generated/rules", "yaml", GENERATED[0]), ("dashboards/grafana", "json", GENERATED[1])]
    {
        for path in alerts::files(&places::repo().join(from))? {
            if path.extension().is_none_or(|extension| extension != ending) {
                continue;
            }
            let mut text = read(&path)?;
            if ending == "json" {
                let json: Value =
                    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
                text = format!("{json}\n");
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            files.insert(format!("{to}/{name}"), text);
        }
    }
    Ok(files)
}

/// `Chart.yaml` with the version of the workspace.
fn versioned(text: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let line = |line: &str| match line.split_once(':') {
        Some(("version", _)) => format!("version: {version}\n"),
        Some(("appVersion", _)) => format!("appVersion: \"{version}\"\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn with_table(readme: &str, table: &str) -> Result<String> {
    let [begin, end] = TABLE;
    let (before, rest) = readme.split_once(begin).context("README.md of the chart has no place for values")?;
    let (_, after) = rest.split_once(end).context("README.md of the chart does not say where the values end")?;
    Ok(format!("{before}{begin}\n{table}{end}{after}"))
}

/// About the bytes of the Secret that Helm keeps of a release: chart and manifest as JSON, compressed, in base64 once by
/// Helm; Kubernetes counts that.
fn release(chart: &Path, manifest: &str) -> Result<usize> {
    let mut whole = Value::from(manifest).to_string();
    for path in alerts::files(chart)? {
        if !path.starts_with(chart.join("examples")) {
            // Helm keeps each file of a chart in base64.
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            whole.extend(bytes.chunks(3).flat_map(base64));
        }
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, whole.as_bytes())?;
    Ok(encoder.finish()?.len().div_ceil(3) * 4)
}

/// Three bytes in base64.
fn base64(three: &[u8]) -> [char; 4] {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    [18, 12, 6, 0].map(|shift| char::from(DIGITS[(bits >> shift & 63) as usize]))
}

/// Settings that are refused, and a part of the sentence that says why.
const REFUSALS: &[(&[&str], &str)] = &[
    (&["alerts.enabled=true"], "the cluster has no monitoring.coreos.com/v1; install"),
    (&["agent.podMonitor.enabled=true"], "or set prometheus.assumeOperator=true"),
    (&["platform=gke-autopilot"], "GKE Autopilot admits no pod that sees its node; set agent.enabled=false"),
    (&["platform=eks-fargate"], "Fargate runs no DaemonSets; set agent.enabled=false"),
    (&["agent.enabled=false", "kubeState.enabled=false"], "nothing is switched on"),
    (&["kubeState.telemetryPort=8080"], "8080 is kubeState.port too"),
    (&["kubeState.collectors={pod}"], "there is no kind \"pod\"; there are certificatesigningrequests,"),
    (&["kubeState.collectors={nodes}"], "pods are not among kubeState.collectors; add them, or set"),
    (&["kubeState.extraArgs={--shard=1}"], "--shard=1 is the chart's to set; use kubeState.shards"),
    (&["kubeState.metricAllowlist={a}", "kubeState.metricDenylist={b}"], "cannot be combined"),
    (&["agent.security.profile=restricted", "agent.keepCounting=true"], "the profile restricted has no eBPF programs"),
    (&["agent.security.profile=restricted", "agent.security.connectionsBeforeStart=true"], "gives no capability"),
    (&["agent.security.profile=root"], "agent/security/profile"),
    (&["agent.ports=1"], "not allowed"),
];

/// Has each Helm refuse what cannot work.
fn refusals(programs: &[PathBuf], chart: &Path) -> Result<()> {
    for (settings, want) in REFUSALS {
        for program in programs {
            let mut command = render::helm(program)?;
            // A Helm that is built without its release's flags takes an old Kubernetes for its own.
            command.args(["template", "yagura", "--kube-version", render::KUBERNETES[1]]).arg(chart);
            for setting in *settings {
                command.args(["--set", setting]);
            }
            match process::output(&mut command) {
                Ok(_) => bail!("{} renders, and should be refused", settings.join(" ")),
                Err(error) if error.to_string().replace('.', "/").contains(&want.replace('.', "/")) => {}
                Err(error) => bail!("{} is refused, but not with {want:?}: {error}", settings.join(" ")),
            }
        }
    }
    println!("{} settings that cannot work are refused, each with its reason", REFUSALS.len());
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_workspace() {
        let chart = versioned("name: x\nversion: 9\nappVersion: \"9\"\nkubeVersion: \">=1\"\n");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(chart, format!("name: x\nversion: {version}\nappVersion: \"{version}\"\nkubeVersion: \">=1\"\n"));
    }

    #[test]
    fn bytes_become_base64() {
        let text: String = b"Man".chunks(3).flat_map(base64).collect();
        assert_eq!(text, "TWFu");
    }

    #[test]
    fn the_table_is_put_between_its_lines() {
        let readme = "a\n<!-- values -->\nold\n<!-- end of values -->\nb\n";
        let [begin, end] = TABLE;
        assert_eq!(with_table(readme, "new\n").unwrap(), format!("a\n{begin}\nnew\n{end}\nb\n"));
    }
}
