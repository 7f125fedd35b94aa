//! `cargo xtask dashboards preview`: pictures of all boards, drawn with Grafana's own libraries in a headless browser.
//!
//! The page and its scripts are in `dashboards/preview`. They are copied into the cache and built there, so that
//! `node_modules` is never in the repository. Without a Prometheus, one is started over a made-up cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use metric::Catalog;

use crate::args::{Args, usage};
use crate::peers::{PROMETHEUS_2, PROMTOOL_2};
use crate::process::Tied;
use crate::skip::Skip;
use crate::{alerts, http, places, process};

/// Programs that have to be installed, and Debian's packages of them.
const PROGRAMS: [(&str, &str); 3] = [("node", "nodejs"), ("npm", "npm"), ("chromium", "chromium")];
/// The lock file of the packages, and its copy beside those that are installed.
const LOCK: &str = "package-lock.json";
const INSTALLED: &str = "installed-lock.json";
/// Where the JSON of boards is.
const BOARDS: &str = "dashboards/grafana";
/// How long ago the made-up cluster begins, and how long from now it ends: boards look back a day.
const WORLD: (u64, u64) = (25 * 3600, 1800);
/// Between samples of the made-up cluster.
const STEP: &str = "60";
/// What is chosen on boards about one namespace, workload or node of the made-up cluster.
const CHOSEN: [&str; 3] = ["namespace=shop", "workload=cart", "node=node-b"];

/// What is drawn, from where, and how.
#[derive(Debug, Default)]
pub(crate) struct Drawing {
    /// The Prometheus that is asked; none: one over a made-up cluster.
    pub(crate) prometheus: Option<String>,
    /// What its data source is called on the boards.
    pub(crate) name: Option<String>,
    /// The folder of the pictures.
    pub(crate) out: PathBuf,
    /// Names of boards; none: all.
    pub(crate) only: Vec<String>,
    /// `light`, `dark`; none: both.
    pub(crate) themes: Vec<String>,
    /// `variable=value` of boards about one of something.
    pub(crate) chosen: Vec<String>,
    /// Time between scrapes.
    pub(crate) scrape: Option<String>,
    /// Where the boards' time range begins, instead of where they say: `now-15m`.
    pub(crate) from: Option<String>,
    /// A picture of each panel too.
    pub(crate) is_each: bool,
}

/// `cargo xtask dashboards preview [--prometheus URL] …`
pub(super) fn run(args: &mut Args) -> Result<()> {
    let catalogs = args.options("--catalog")?;
    let drawing = Drawing {
        prometheus: args.option("--prometheus")?,
        name: args.option("--name")?,
        out: args.option("--out")?.map_or_else(|| places::target().join("dashboards"), PathBuf::from),
        only: args.options("--only")?,
        themes: args.options("--theme")?,
        chosen: args.options("--var")?,
        scrape: args.option("--scrape")?,
        from: args.option("--from")?,
        is_each: args.flag("--panels"),
    };
    args.finish()?;
    if drawing.prometheus.is_some() {
        return said(draw(&drawing));
    }
    if !drawing.chosen.is_empty() || drawing.scrape.is_some() {
        return Err(usage("dashboards preview: --scrape and --var go with --prometheus"));
    }
    if let Some(skip) = missing() {
        return said(Err(skip.into()));
    }
    let catalogs = if catalogs.is_empty() { alerts::printed()? } else { alerts::read(&catalogs)? };
    let (url, _prometheus) = world(&built()?, &catalogs)?;
    let chosen = CHOSEN.map(str::to_owned).to_vec();
    draw(&Drawing { prometheus: Some(url), scrape: Some(format!("{STEP}s")), chosen, ..drawing })
}

/// What this machine lacks is said and no error.
fn said(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) => match error.downcast::<Skip>() {
            Ok(skip) => {
                println!("skipped: {skip}");
                Ok(())
            }
            Err(error) => Err(error),
        },
        Ok(()) => Ok(()),
    }
}

fn missing() -> Option<Skip> {
    let (program, package) = PROGRAMS.iter().find(|(program, _)| process::find(program).is_none())?;
    Some(Skip(format!("{program} is not installed; Debian has it in {package}")))
}

/// Draws boards. A panel that says "No data", an error of a query and one of the browser's console are counted, and each
/// of them makes this an error.
pub(crate) fn draw(drawing: &Drawing) -> Result<()> {
    if let Some(skip) = missing() {
        return Err(skip.into());
    }
    let page = built()?;
    let out = std::path::absolute(&drawing.out).context("no folder for pictures")?;
    let mut command = Command::new("node");
    command.current_dir(&page).arg("shot.mjs").arg("--dashboards").arg(places::repo().join(BOARDS));
    command.arg("--out").arg(&out);
    let url = drawing.prometheus.as_ref().map(|url| url.trim_end_matches('/').to_owned());
    let single =
        [("--prom", &url), ("--name", &drawing.name), ("--scrape", &drawing.scrape), ("--from", &drawing.from)];
    let many = [("--only", &drawing.only), ("--theme", &drawing.themes), ("--var", &drawing.chosen)];
    for (name, value) in single.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        command.args([name, value]);
    }
    for (name, values) in many {
        command.args(values.iter().flat_map(|value| [name, value]));
    }
    if drawing.is_each {
        command.arg("--panels");
    }
    process::run(&mut command)?;
    println!("pictures are in {}", out.display());
    Ok(())
}

/// `cargo xtask dashboards schema`: the JSON against the types of Grafana's schema.
pub(super) fn schema(args: &mut Args) -> Result<()> {
    args.finish()?;
    said(match missing() {
        Some(skip) => Err(skip.into()),
        None => valid(&installed()?),
    })
}

/// The same where the packages are in the cache already: they take half a minute and half a gigabyte.
pub(super) fn schema_if_installed() -> Result<()> {
    let page = places::cache("preview")?;
    if missing().is_none() && is_installed(&page)? {
        return valid(&installed()?);
    }
    println!("not compared with Grafana's schema: `cargo xtask dashboards schema` fetches that");
    Ok(())
}

fn valid(page: &Path) -> Result<()> {
    let mut command = Command::new("node");
    process::run(command.current_dir(page).args(["schema.mjs", "--dashboards"]).arg(places::repo().join(BOARDS)))
}

/// The page, built in the cache.
fn built() -> Result<PathBuf> {
    let page = installed()?;
    // What was built bears the sources that it was built of.
    let (built, sources) = (page.join("dist/sources"), text(&source())?);
    if fs::read(&built).ok().as_ref() != Some(&sources) {
        process::run(Command::new("node").current_dir(&page).arg("build.mjs"))?;
        places::write(&built, &sources)?;
    }
    Ok(page)
}

/// What the page and the scripts are made of, with its packages, in the cache.
fn installed() -> Result<PathBuf> {
    let page = places::cache("preview")?;
    let is_installed = is_installed(&page)?;
    copy(&source(), &page)?;
    if !is_installed {
        process::run(Command::new("npm").current_dir(&page).args([
            "ci",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]))?;
        places::write(&page.join(INSTALLED), fs::read(source().join(LOCK)).context("no lock file of the preview")?)?;
    }
    Ok(page)
}

/// Whether the packages in the cache are those of the lock file.
fn is_installed(page: &Path) -> Result<bool> {
    let lock = fs::read(source().join(LOCK)).context("no lock file of the preview")?;
    Ok(fs::read(page.join(INSTALLED)).is_ok_and(|installed| installed == lock))
}

fn source() -> PathBuf {
    places::repo().join("dashboards/preview")
}

/// All files of a folder in one.
fn text(folder: &Path) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for path in alerts::files(folder)? {
        all.extend(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    Ok(all)
}

/// Copies the files of a folder over those of another.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for path in alerts::files(from)? {
        let name = path.strip_prefix(from).unwrap_or(&path);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        places::write(&to.join(name), text)?;
    }
    Ok(())
}

/// A Prometheus over a made-up cluster that has every family which a board reads.
fn world(page: &Path, catalogs: &[Catalog]) -> Result<(String, Tied)> {
    let (program, promtool) = (PROMETHEUS_2.path()?, PROMTOOL_2.path()?);
    let dir = places::cache("preview-world")?;
    fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let mut command = Command::new("node");
    command.current_dir(page).arg("world.mjs").arg("--dashboards").arg(places::repo().join(BOARDS));
    for catalog in catalogs {
        let file = dir.join(format!("{}.json", catalog.program));
        places::write(&file, serde_json::to_string(catalog)?)?;
        command.arg("--catalog").arg(file);
    }
    let samples = dir.join("world.om");
    command.args(["--from", &(now - WORLD.0).to_string(), "--to", &(now + WORLD.1).to_string(), "--step", STEP]);
    process::run(command.arg("--out").arg(&samples))?;
    let data = dir.join("data");
    let blocks = ["tsdb", "create-blocks-from", "--quiet", "openmetrics"];
    process::output(Command::new(&promtool).args(blocks).args([&samples, &data]))?;
    fs::remove_file(&samples).with_context(|| format!("cannot remove {}", samples.display()))?;
    let configuration = dir.join("prometheus.yml");
    places::write(&configuration, format!("global: {{scrape_interval: {STEP}s}}\n"))?;
    let port = http::free_port()?;
    let mut command = process::tied(&program);
    command.arg(format!("--config.file={}", configuration.display()));
    command.arg(format!("--storage.tsdb.path={}", data.display())).arg("--storage.tsdb.retention.time=10d");
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let url = format!("http://127.0.0.1:{port}");
    let mut process = Tied::start("Prometheus", &mut command, &dir.join("log"))?;
    process.wait_until(Duration::from_mins(1), || http::get(&format!("{url}/-/ready")).is_ok())?;
    Ok((url, process))
}
