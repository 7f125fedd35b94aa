//! The web section of a program's configuration, and its flags.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{invalid::Invalid, listen, period::Period, web};

/// HTTP server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebArgs {
    /// Address to listen on: `:9100`, `127.0.0.1:9100`, `[::1]:9100`. Port 0 takes any free port. May be given several
    /// times.
    pub listen_address: Vec<String>,
    /// Path of the main metrics page.
    pub telemetry_path: String,
    /// The web configuration file: TLS and authentication.
    pub config: WebConfigFile,
    /// Maximum of concurrent scrapes; further ones get status 503.
    #[schemars(range(min = 1, max = 1000))]
    pub max_requests: usize,
    /// Maximum of open connections. At the limit, the connection that was idle longest is closed. Never more than half
    /// of the process's file descriptor limit.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_connections: usize,
    /// Reload the configuration on `POST /-/reload` too, not only on SIGHUP.
    pub enable_lifecycle: bool,
    /// Maximum time for running scrapes to finish after SIGTERM.
    pub shutdown_timeout: Period,
}

/// The web configuration file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebConfigFile {
    /// File with TLS and authentication, in the format of Prometheus' exporter-toolkit. Read again when it changes.
    pub file: Option<PathBuf>,
}

impl Default for WebArgs {
    fn default() -> Self {
        Self {
            listen_address: vec![":9100".to_owned()],
            telemetry_path: "/metrics".to_owned(),
            config: WebConfigFile::default(),
            max_requests: 40,
            max_connections: 512,
            enable_lifecycle: false,
            shutdown_timeout: Period::seconds(10),
        }
    }
}

impl WebArgs {
    /// The defaults with another port.
    pub fn on_port(port: u16) -> Self {
        Self { listen_address: vec![format!(":{port}")], ..Self::default() }
    }

    /// Checks addresses, path, bounds and the web configuration file, as starting would.
    pub fn check(&self) -> Result<(), Invalid> {
        for address in &self.listen_address {
            listen::parse(address).map_err(|what| Invalid::new("web.listen_address", what))?;
        }
        if self.listen_address.is_empty() {
            return Err(Invalid::new("web.listen_address", "at least one address is needed"));
        }
        if !self.telemetry_path.starts_with('/') || self.telemetry_path.len() < 2 {
            return Err(Invalid::new("web.telemetry_path", "a path starts with / and is not / alone"));
        }
        if self.max_requests == 0 || self.max_requests > 1000 {
            return Err(Invalid::new("web.max_requests", "must be from 1 to 1000"));
        }
        if self.max_connections == 0 || self.max_connections > 100_000 {
            return Err(Invalid::new("web.max_connections", "must be from 1 to 100000"));
        }
        if let Some(file) = &self.config.file {
            web::load(file).map_err(|error| Invalid::in_other_file("web.config.file", &error))?;
        }
        Ok(())
    }
}
