//! The agent under test: one that runs already, or one that is started for the time of a check.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::args::Args;
use crate::process::{self, Tied};
use crate::{http, places};

/// An agent that answers.
#[derive(Debug)]
pub(crate) struct Agent {
    url: String,
    _started: Option<Tied>,
}

impl Agent {
    /// `--agent URL` uses that one; else the binary is started with these further flags on a free port.
    pub(crate) fn from_args(args: &mut Args, flags: &[String]) -> Result<Self> {
        match args.option("--agent")? {
            Some(url) => Ok(Self { url: url.trim_end_matches('/').to_owned(), _started: None }),
            None => Self::start(&binary()?, flags),
        }
    }

    /// Starts a binary and waits until it is ready.
    pub(crate) fn start(binary: &Path, flags: &[String]) -> Result<Self> {
        let port = http::free_port()?;
        let log = places::cache("logs")?.join(format!("agent-{port}.log"));
        let mut command = process::tied(binary);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}")).args(flags);
        let url = format!("http://127.0.0.1:{port}");
        let mut started = Tied::start("the agent", &mut command, &log)?;
        let ready = format!("{url}/-/ready");
        started.wait_until(Duration::from_secs(30), || http::get(&ready).is_ok())?;
        std::fs::remove_file(&log).ok(); // the agent holds it open; nothing is left behind
        Ok(Self { url, _started: Some(started) })
    }

    /// A page, as text.
    pub(crate) fn page(&self, path: &str) -> Result<String> {
        http::get_as(&format!("{}{path}", self.url), "text/plain;version=0.0.4")
    }

    /// Where it listens: `http://host:port`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// The newest of the agent's binaries in the target directory.
pub(crate) fn binary() -> Result<PathBuf> {
    let built = |profile: &str| places::target().join(profile).join("yagura-exporter");
    let age = |path: &PathBuf| path.metadata().and_then(|m| m.modified()).ok();
    let newest = ["release", "debug"].map(built).into_iter().filter(|path| path.is_file()).max_by_key(age);
    let Some(binary) = newest else {
        bail!("the agent is not built: run `cargo build --package yagura-exporter` or `make build`");
    };
    Ok(binary)
}

/// What the agent says about all its families: the JSON of `--print-catalog`.
pub(crate) fn catalog() -> Result<serde_json::Value> {
    let text = process::output(std::process::Command::new(binary()?).arg("--print-catalog"))?;
    serde_json::from_str(&text).context("the catalogue is not JSON")
}
