//! `cargo xtask bench queries`: what the queries of all panels and rules cost in a Prometheus that holds a day of a large
//! cluster. The cluster is made up of what the catalogues of both programs declare, the Prometheus is a real one.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

mod asked;
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use metric::Catalog;
use tsdb::{Shape, Span, Store};

use self::asked::{Asked, Cost, Query};
use self::world::{Size, World};
use crate::args::{Args, usage};
use crate::peers::PROMETHEUS_3;
use crate::prometheus::Prometheus;
use crate::{alerts, places};

/// The name of its Prometheus, and of the folder of that in the cache.
const NAME: &str = "query-cost";
const HOUR_S: u64 = 3600;
/// Blocks of a day, oldest first, in hours: what a Prometheus that compacts has.
const BLOCKS_H: [u64; 6] = [6, 6, 6, 2, 2, 2];
/// What a panel may take.
const PANEL_S: f64 = 2.0;
/// What a rule may take.
const RULE_S: f64 = 0.2;
/// Rows of a table without `--all`.
const ROWS: usize = 15;

/// `cargo xtask bench queries [--workloads=N] [--nodes=N] [--interval=SECONDS] [--runs=N] [--only=TEXT] [--catalog=FILE]…
/// [--again] [--all]`: `--again` measures over the store that the last run wrote.
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let number = |args: &mut Args, name: &str, default: usize| match args.option(name)? {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| usage(format!("bench queries: {name} {text:?} is no number"))),
    };
    let size = Size { workloads: number(args, "--workloads", 1000)?, nodes: number(args, "--nodes", 50)? };
    let interval = number(args, "--interval", 30)?.max(1) as u64;
    let runs = number(args, "--runs", 3)?.max(1);
    let only = args.option("--only")?.unwrap_or_default();
    let catalogs = args.options("--catalog")?;
    let (is_again, shows_all) = (args.flag("--again"), args.flag("--all"));
    args.finish()?;
    if size.workloads == 0 || size.nodes == 0 {
        return Err(usage("bench queries: there must be a workload and a node"));
    }
    let program = PROMETHEUS_3.path().context("cannot fetch Prometheus")?;
    let folder = places::cache(&format!("prometheus-{NAME}"))?;
    let mark = folder.join("end");
    let end = if is_again {
        let text = fs::read_to_string(&mark).context("there is no store of an earlier run")?;
        text.trim().parse().context("the store's time")?
    } else {
        let catalogs = if catalogs.is_empty() { alerts::printed()? } else { alerts::read(&catalogs)? };
        let end = filled(&program, &folder, (size, &catalogs), interval)?;
        places::write(&mark, end.to_string())?;
        end
    };
    let prometheus = started(&program)?;
    println!("load before: {}", load());
    let mut tables = vec![
        Table { title: "panels over 24 h", limit: PANEL_S, asked: asked::panels(&prometheus, end, interval)? },
        Table { title: "alerts", limit: RULE_S, asked: asked::rules(&prometheus, "alerting")? },
        Table { title: "recording rules", limit: RULE_S, asked: asked::rules(&prometheus, "recording")? },
    ];
    let mut over = 0;
    for table in &mut tables {
        table.asked.retain(|asked| asked.name.contains(&only));
        over += table.measure(&prometheus, end - 1, runs, shows_all);
    }
    println!("\nload after: {}", load());
    if over > 0 {
        bail!("{over} are over their limit");
    }
    Ok(())
}

/// Things that are asked, with a limit for each.
struct Table {
    title: &'static str,
    limit: f64,
    asked: Vec<Asked>,
}

impl Table {
    /// Measures and prints; the number of those over the limit.
    fn measure(&self, prometheus: &Prometheus, end: u64, runs: usize, shows_all: bool) -> usize {
        let mut rows: Vec<(Cost, &Asked, Option<String>)> = Vec::new();
        for asked in &self.asked {
            let (mut whole, mut refused) = (Cost::default(), None);
            for query in &asked.queries {
                match median(prometheus, query, end, runs) {
                    Ok(cost) => {
                        whole.seconds += cost.seconds;
                        whole.samples += cost.samples;
                        whole.bytes += cost.bytes;
                    }
                    Err(error) => refused = Some(format!("{error:#}")),
                }
            }
            if refused.is_some() {
                whole.seconds = f64::INFINITY;
            }
            rows.push((whole, asked, refused));
        }
        rows.sort_by(|a, b| b.0.seconds.total_cmp(&a.0.seconds));
        let over = rows.iter().filter(|(cost, ..)| cost.seconds > self.limit).count();
        let within = rows.len() - over;
        println!("\n{}: {within} of {} within {} s; median of {runs} runs", self.title, rows.len(), self.limit);
        println!("{:>9}  {:>12}  {:>9}  ", "ms", "samples", "kB");
        let shown = if shows_all { rows.len() } else { over.max(ROWS) };
        for (cost, asked, refused) in rows.iter().take(shown) {
            let mark = if cost.seconds > self.limit { "  over" } else { "" };
            let Cost { seconds, samples, bytes } = cost;
            println!("{:>9.1}  {samples:>12}  {:>9.1}  {}{mark}", seconds * 1e3, *bytes as f64 / 1e3, asked.name);
            if let Some(refused) = refused {
                println!("{:>36}{refused}", "");
            }
        }
        let sum: f64 = rows.iter().map(|(cost, ..)| cost.seconds).filter(|seconds| seconds.is_finite()).sum();
        println!("{:>9.1}  all together", sum * 1e3);
        over
    }
}

/// What a query costs: the middle one of some runs.
fn median(prometheus: &Prometheus, query: &Query, end: u64, runs: usize) -> Result<Cost> {
    let mut costs = (0..runs).map(|_| asked::ask(prometheus, query, end)).collect::<Result<Vec<Cost>>>()?;
    costs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    Ok(costs.get(runs / 2).copied().unwrap_or_default())
}

/// Writes the store; the time at which it ends.
fn filled(program: &Path, folder: &Path, (size, catalogs): (Size, &[Catalog]), interval: u64) -> Result<u64> {
    let texts = sources()?;
    let is_part = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':';
    let read: BTreeSet<&str> = texts.iter().flat_map(|text| text.split(is_part)).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let end = now - now % (2 * HOUR_S);
    let world = World::new(size);
    println!("{}; every {interval} s", world.about());
    let mut store = Store::default();
    world.fill(catalogs, &read, (end * 1000).cast_signed(), &mut store);
    println!("{} series that a board or a rule reads", store.len());
    let step = (interval * 1000).cast_signed();
    record(program, folder, &mut store, end, step)?;
    let mut begin = end - BLOCKS_H.iter().sum::<u64>() * HOUR_S;
    let spans = BLOCKS_H.map(|hours| {
        let span = span(begin, begin + hours * HOUR_S);
        begin += hours * HOUR_S;
        span
    });
    let began = Instant::now();
    let written = store.write(&emptied(folder)?, &spans, step).context("cannot write the store")?;
    println!(
        "{} series, {:.0} million samples in {} blocks, {:.1} GB, written in {:.0} s",
        written.series,
        written.samples as f64 / 1e6,
        spans.len(),
        written.bytes as f64 / 1e9,
        began.elapsed().as_secs_f64()
    );
    Ok(end)
}

/// Adds what recording rules have recorded: the rows that Prometheus makes of them now, those that read others after
/// these.
fn record(program: &Path, folder: &Path, store: &mut Store, end: u64, step: i64) -> Result<()> {
    let mut done = BTreeSet::new();
    loop {
        store
            .clone()
            .write(&emptied(folder)?, &[span(end - 2 * HOUR_S, end)], step)
            .context("cannot write the store")?;
        let prometheus = started(program)?;
        let rules = asked::rules(&prometheus, "recording")?;
        let before = done.len();
        for rule in rules.iter().filter(|rule| !done.contains(&rule.name)).collect::<Vec<_>>() {
            let [query] = &rule.queries[..] else { continue };
            let rows = prometheus.query_at(&query.expr, end - 1).with_context(|| format!("record {}", rule.name))?;
            for row in &rows {
                let labels = row["metric"].as_object().context("a row without labels")?;
                let labels = labels.iter().filter(|(name, _)| *name != "__name__");
                let labels = labels.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
                let value: f64 = row["value"][1].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
                let shape = if value.fract() == 0.0 {
                    Shape::Constant(value)
                } else {
                    Shape::Gauge { middle: value, unit: value.abs() / 1e6 }
                };
                store.add(labels.chain([("__name__", rule.name.as_str())]), 0, shape);
            }
            if !rows.is_empty() {
                done.insert(rule.name.clone());
            }
        }
        if done.len() == rules.len() {
            return Ok(());
        }
        if done.len() == before {
            let missing: Vec<&str> =
                rules.iter().map(|rule| rule.name.as_str()).filter(|name| !done.contains(*name)).collect();
            bail!("the made-up cluster has nothing to record for {}", missing.join(", "));
        }
    }
}

/// Boards and rules, as text.
fn sources() -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for (folder, ending) in [("dashboards/grafana", "json"), ("alerts/generated/rules", "yaml")] {
        for path in alerts::files(&places::repo().join(folder))? {
            if path.extension().is_some_and(|extension| extension == ending) {
                texts.push(fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?);
            }
        }
    }
    Ok(texts)
}

/// A Prometheus over the store, with all rules loaded and none evaluated.
fn started(program: &Path) -> Result<Prometheus> {
    let rules = places::repo().join("alerts/generated/rules/*.yaml");
    let configuration = format!("global: {{evaluation_interval: 30d}}\nrule_files: ['{}']\n", rules.display());
    let flags = [
        "--storage.tsdb.retention.time=30d",
        // Nothing is compacted while it is measured.
        "--storage.tsdb.min-block-duration=2h",
        "--storage.tsdb.max-block-duration=2h",
    ];
    Prometheus::over(program, &configuration, NAME, &flags)
}

fn emptied(folder: &Path) -> Result<std::path::PathBuf> {
    let data = folder.join("data");
    if data.is_dir() {
        fs::remove_dir_all(&data).with_context(|| format!("cannot empty {}", data.display()))?;
    }
    fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    Ok(data)
}

fn span(begin: u64, end: u64) -> Span {
    Span { begin: (begin * 1000).cast_signed(), end: (end * 1000).cast_signed() }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
