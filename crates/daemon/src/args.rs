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
    #[schemars(extend("x-restart" = true))]
    pub listen_address: Vec<String>,
    /// Path of the main metrics page.
    #[schemars(extend("x-restart" = true))]
    pub telemetry_path: String,
    /// The web configuration file: TLS and authentication.
    pub config: WebConfigFile,
    /// Maximum of concurrent scrapes; further ones get status 503.
    #[schemars(range(min = 1, max = 1000), extend("x-restart" = true))]
    pub max_requests: usize,
    /// Maximum of open connections. At the limit, the connection that was idle longest is closed. Never more than half
    /// of the process's file descriptor limit.
    #[schemars(range(min = 1, max = 100_000), extend("x-restart" = true))]
    pub max_connections: usize,
    /// Reload the configuration on `POST /-/reload` too, not only on SIGHUP.
    #[schemars(extend("x-restart" = true))]
    pub enable_lifecycle: bool,
    /// Maximum time for running scrapes to finish after SIGTERM.
    #[schemars(extend("x-minimum" = "0s", "x-maximum" = "1h", "x-restart" = true))]
    pub shutdown_timeout: Period,
}

/// The web configuration file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebConfigFile {
    /// File with TLS and authentication, in the format of Prometheus' exporter-toolkit. Read again when it changes.
    #[schemars(extend("x-restart" = true))]
    pub file: Option<PathBuf>,
}

/// Paths that say how the program is, besides those below `/-/`.
const HEALTH_PATHS: [&str; 3] = ["/healthz", "/livez", "/readyz"];

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

    /// Checks addresses, path and the web configuration file, as starting would.
    pub fn check(&self) -> Result<(), Invalid> {
        for address in &self.listen_address {
            listen::parse(address).map_err(|what| Invalid::new("web.listen_address", what))?;
        }
        if self.listen_address.is_empty() {
            return Err(Invalid::new("web.listen_address", "at least one address is needed"));
        }
        let path = self.telemetry_path.as_str();
        let wrong = |what: &str| Err(Invalid::new("web.telemetry_path", format!("`{path}`: {what}")));
        if !path.starts_with('/') || path.len() < 2 {
            return wrong("a path starts with / and is not / alone");
        }
        if let Some(odd) = path.chars().find(|c| !(c.is_ascii_alphanumeric() || "/-._~".contains(*c))) {
            return wrong(&format!("a path has letters, digits and /-._~, not {odd:?}"));
        }
        if path.starts_with("/-/") || HEALTH_PATHS.contains(&path) {
            return wrong("this path is that of a health check");
        }
        if let Some(file) = &self.config.file {
            web::load(file).map_err(|error| Invalid::in_other_file("web.config.file", &error))?;
        }
        Ok(())
    }
}
