//! `cargo xtask dashboards`: makes the JSON of the boards in `dashboards/` of their sources, and checks it; `preview` draws
//! them, `schema` compares them with Grafana's own schema.

mod preview;

use std::fs;

use anyhow::{Context as _, Result, bail};
use metric::Catalog;
use mixin::Source;
use mixin::board::{Boards, Counts};

pub(crate) use self::preview::{Drawing, draw};
use crate::args::{Args, Takes, usage};
use crate::{alerts, places};

/// The command line.
pub(crate) const TAKES: Takes = Takes::Options(
    &[
        ("--check", ""),
        ("--catalog", "FILE"),
        ("--prometheus", "URL"),
        ("--name", "NAME"),
        ("--out", "DIR"),
        ("--only", "BOARD"),
        ("--theme", "THEME"),
        ("--var", "NAME=VALUE"),
        ("--scrape", "TIME"),
        ("--from", "TIME"),
        ("--panels", ""),
    ],
    "preview | schema",
);

/// Where the JSON stands, beside the sources.
const GENERATED: &str = "dashboards/grafana";

/// `cargo xtask dashboards [--check]`: writes the JSON of all boards, or compares it.
pub(crate) fn run(args: &mut Args) -> Result<()> {
    match args.positional().as_deref() {
        None => {}
        Some("preview") => return preview::run(args),
        Some("schema") => return preview::schema(args),
        Some(other) => return Err(usage(format!("dashboards: {other:?} is neither preview nor schema"))),
    }
    let is_check = args.flag("--check");
    let catalogs = args.options("--catalog")?;
    args.finish()?;
    let catalogs = if catalogs.is_empty() { alerts::printed()? } else { alerts::read(&catalogs)? };
    finish(&boards(&catalogs)?, is_check)
}

/// What `ci` runs.
pub(crate) fn check() -> Result<()> {
    finish(&boards(&alerts::printed()?)?, true)
}

fn finish(boards: &Boards, is_check: bool) -> Result<()> {
    if is_check {
        compare(boards)?;
        preview::schema_if_installed()?;
    } else {
        for (path, text) in &boards.files {
            places::write(&places::repo().join("dashboards").join(path), text)?;
        }
    }
    let Counts { boards, panels, queries, variables, rules, excluded, watched } = boards.counts;
    println!(
        "{boards} boards, {panels} panels, {queries} queries of panels, {variables} of variables; {rules} rules, {excluded} \
         findings excluded with a reason; {watched} alerts lead to a panel"
    );
    Ok(())
}

fn boards(catalogs: &[Catalog]) -> Result<Boards> {
    let alerts = alerts::set(catalogs)?;
    let root = places::repo().join("dashboards");
    let mut sources = Vec::new();
    for path in alerts::files(&root)? {
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            sources.push(Source::new(name, text));
        }
    }
    Boards::read(&sources, alerts.known(), alerts.thresholds(), &alerts.watches()).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|problem| format!("  dashboards/{problem}")).collect();
        anyhow::anyhow!("{} problems:\n{}", lines.len(), lines.join("\n"))
    })
}

/// Whether what is committed is what is made now.
fn compare(boards: &Boards) -> Result<()> {
    let mut stale = Vec::new();
    for (path, text) in &boards.files {
        let path = places::repo().join("dashboards").join(path);
        if fs::read_to_string(&path).is_ok_and(|committed| committed == *text) {
            continue;
        }
        stale.push(format!("{} is missing or stale", path.display()));
    }
    for path in alerts::files(&places::repo().join(GENERATED))? {
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let name = path.file_name().map(|name| format!("grafana/{}", name.to_string_lossy())).unwrap_or_default();
        if is_json && !boards.files.contains_key(&name) {
            stale.push(format!("{} belongs to nothing", path.display()));
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    bail!("{}; `cargo xtask dashboards` writes them", stale.join(", "))
}
