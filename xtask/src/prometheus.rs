//! A Prometheus of ours: started before an agent, and asked.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde_json::Value;

use crate::process::Tied;
use crate::{http, places, process};

/// Views of the agent and the job names that dashboards and alerts know them by.
pub(crate) const JOBS: &[(&str, &str)] =
    &[("yagura", "/metrics"), ("cadvisor", "/metrics/cadvisor"), ("node", "/metrics/node")];

/// A Prometheus that scrapes one agent.
pub(crate) struct Prometheus {
    pub(crate) url: String,
    pub(crate) process: Tied,
}

/// All that RFC 3986 lets stand for something else in an address.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

impl Prometheus {
    /// Starts it with a fresh store in the cache, and waits until it answers.
    pub(crate) fn start(program: &Path, agent: &str, name: &str) -> Result<Self> {
        Self::with(program, &configuration(agent), name, &[])
    }

    /// The same with a configuration and further flags of the caller's.
    pub(crate) fn with(program: &Path, configuration: &str, name: &str, flags: &[&str]) -> Result<Self> {
        let dir = places::cache(&format!("prometheus-{name}"))?;
        std::fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
        Self::over(program, configuration, name, flags)
    }

    /// The same over the store that is in the cache under that name.
    pub(crate) fn over(program: &Path, configuration: &str, name: &str, flags: &[&str]) -> Result<Self> {
        let dir = places::cache(&format!("prometheus-{name}"))?;
        let config = dir.join("prometheus.yml");
        places::write(&config, configuration)?;
        let port = http::free_port()?;
        let mut command = process::tied(program);
        command.current_dir(&dir).arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", dir.join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}")).args(flags);
        let url = format!("http://127.0.0.1:{port}");
        let mut process = Tied::start("Prometheus", &mut command, &dir.join("log"))?;
        process.wait_until(Duration::from_mins(1), || http::get(&format!("{url}/-/ready")).is_ok())?;
        Ok(Self { url, process })
    }

    /// The result of an instant query.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Value>> {
        self.answer(&format!("query={}", escape(expression)))
    }

    /// The result of a query over the last seconds, a value each `step` seconds.
    pub(crate) fn range(&self, expression: &str, past: u64, step: u64) -> Result<Vec<Value>> {
        let now =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
        let times = format!("start={}&end={now}&step={step}", now - past);
        let text = http::get(&format!("{}/api/v1/query_range?{times}&query={}", self.url, escape(expression)))?;
        let answer: Value = serde_json::from_str(&text).context("Prometheus's answer")?;
        Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
    }

    /// Values that a label has on the series of a selector.
    pub(crate) fn label_values(&self, label: &str, selector: &str) -> Result<Vec<String>> {
        let text = http::get(&format!("{}/api/v1/label/{label}/values?match[]={}", self.url, escape(selector)))?;
        let answer: Value = serde_json::from_str(&text).context("Prometheus's answer")?;
        let values = answer["data"].as_array().into_iter().flatten();
        Ok(values.filter_map(|value| value.as_str().map(str::to_owned)).collect())
    }

    /// The result of a query at a time.
    pub(crate) fn query_at(&self, expression: &str, seconds: u64) -> Result<Vec<Value>> {
        self.answer(&format!("query={}&time={seconds}", escape(expression)))
    }

    /// The only number that an expression has at a time; 0 if it has none.
    pub(crate) fn value_at(&self, expression: &str, seconds: f64) -> Result<f64> {
        let rows = self.answer(&format!("query={}&time={seconds:.3}", escape(expression)))?;
        let Some(row) = rows.first() else { return Ok(0.0) };
        let number = row["value"][1].as_str().and_then(|text| text.parse().ok());
        number.with_context(|| format!("{expression} is no number: {row}"))
    }

    fn answer(&self, parameters: &str) -> Result<Vec<Value>> {
        let text = http::get(&format!("{}/api/v1/query?{parameters}", self.url))?;
        let answer: Value = serde_json::from_str(&text).context("Prometheus's answer")?;
        Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until so many targets were scraped.
    pub(crate) fn wait_up(&self, targets: usize) -> Result<()> {
        let up = || self.query("up == 1").is_ok_and(|rows| rows.len() == targets);
        process::wait_for("Prometheus to scrape every view", Duration::from_secs(40), up)
            .with_context(|| format!("targets: {}", self.errors()))
    }

    /// Waits until each view was scraped, and gives the number of samples of each.
    pub(crate) fn scraped(&self) -> Result<Vec<(&'static str, u64)>> {
        self.wait_up(JOBS.len())?;
        let mut counts = Vec::new();
        for (job, _) in JOBS {
            let rows = self.query(&format!("scrape_samples_scraped{{job=\"{job}\"}}"))?;
            let count = rows.first().and_then(|row| row["value"][1].as_str()?.parse().ok());
            counts.push((*job, count.with_context(|| format!("no samples of {job}"))?));
        }
        Ok(counts)
    }

    fn errors(&self) -> String {
        let text = http::get(&format!("{}/api/v1/targets", self.url)).unwrap_or_default();
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let targets = answer["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
        let line = |target: &Value| format!("{}: {}", target["scrapeUrl"], target["lastError"]);
        targets.iter().map(line).collect::<Vec<_>>().join("; ")
    }
}

/// The page as a file for promtool, which reads it from its standard input.
pub(crate) fn promtool_check(promtool: &PathBuf, page: &Path) -> Result<String> {
    let input = std::fs::File::open(page).with_context(|| format!("cannot read {}", page.display()))?;
    let out = Command::new(promtool).args(["check", "metrics"]).stdin(input).output()?;
    Ok(String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout))
}

/// What it is told to scrape: every view of the agent.
pub(crate) fn configuration(agent: &str) -> String {
    let target = agent.trim_start_matches("http://");
    let job = |(job, path): &(&str, &str)| {
        let targets = format!("static_configs: [{{targets: ['{target}']}}]");
        format!("- {{job_name: {job}, metrics_path: {path}, honor_timestamps: false, {targets}}}\n")
    };
    let jobs: Vec<String> = JOBS.iter().map(job).collect();
    format!("global: {{scrape_interval: 5s, scrape_timeout: 4s}}\nscrape_configs:\n{}", jobs.concat())
}

/// A query as part of an address.
pub(crate) fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_become_addresses() {
        assert_eq!(escape("up == 1{a=\"b\"}"), "up%20%3D%3D%201%7Ba%3D%22b%22%7D");
    }

    #[test]
    fn every_view_has_its_job() {
        let text = configuration("http://127.0.0.1:9");
        assert_eq!(text.matches("'127.0.0.1:9'").count(), JOBS.len());
    }
}
