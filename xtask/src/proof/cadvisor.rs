//! What cAdvisor sees of short-lived cgroups, when `CADVISOR` names one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::polling::PERIOD;
use crate::exposition::Page;
use crate::process::{self, Tied};
use crate::{http, places};

/// A cAdvisor with the kubelet's housekeeping, scraped every 15 seconds.
pub(super) struct Cadvisor {
    url: String,
    folder: String,
    due: Instant,
    last: BTreeMap<String, f64>,
    _process: Tied,
}

impl Cadvisor {
    /// Starts the one that `CADVISOR` names, if it names one.
    pub(super) fn start(folder: &str) -> Result<Option<Self>> {
        let Some(program) = places::variable("CADVISOR") else { return Ok(None) };
        let port = http::free_port()?;
        let log = places::cache("logs")?.join("cadvisor.log");
        let mut command = process::tied(program.as_ref());
        command.args(["--listen_ip=127.0.0.1", "--housekeeping_interval=10s"]).arg(format!("--port={port}"));
        let url = format!("http://127.0.0.1:{port}/metrics");
        let mut started = Tied::start("cAdvisor", &mut command, &log)?;
        started.wait_until(Duration::from_mins(1), || http::get(&url).is_ok())?;
        let due = Instant::now() + PERIOD;
        Ok(Some(Self { url, folder: folder.to_owned(), due, last: BTreeMap::new(), _process: started }))
    }

    /// Scrapes if it is time.
    pub(super) fn turn(&mut self) -> Result<()> {
        if Instant::now() < self.due {
            return Ok(());
        }
        self.due += PERIOD;
        let page = Page::parse(&http::get(&self.url)?)?;
        let below = format!("{}/", self.folder);
        for (series, sample) in page.series("container_cpu_usage_seconds_total") {
            if series.label("id").starts_with(&below) {
                self.last.insert(series.label("id").to_owned(), sample.value);
            }
        }
        Ok(())
    }

    /// Cgroups seen, and their CPU time in seconds.
    pub(super) fn seen(&self) -> (usize, f64) {
        (self.last.len(), self.last.values().sum())
    }
}
