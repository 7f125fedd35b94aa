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
    /// Other servers that the HTML pages link to.
    pub links: WebLinks,
}

/// Other servers that the HTML pages link to. Each is the address at which people's browsers reach it; without one, there
/// are no links to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebLinks {
    /// Grafana with this project's dashboards: `https://grafana.example.org`, with its sub-path when it has one.
    pub grafana: String,
    /// Alertmanager: `https://alertmanager.example.org`.
    pub alertmanager: String,
    /// Prometheus: `https://prometheus.example.org`.
    pub prometheus: String,
}

impl WebLinks {
    /// Names and addresses.
    fn all(&self) -> [(&'static str, &str); 3] {
        [
            ("web.links.grafana", &self.grafana),
            ("web.links.alertmanager", &self.alertmanager),
            ("web.links.prometheus", &self.prometheus),
        ]
    }

    /// The address of a page of Grafana's, when it is known where that is; `path` begins with `/`.
    pub fn grafana(&self, path: &str) -> Option<String> {
        at(&self.grafana, path)
    }

    /// The address of a page of Alertmanager's.
    pub fn alertmanager(&self, path: &str) -> Option<String> {
        at(&self.alertmanager, path)
    }

    /// The address of a page of Prometheus'.
    pub fn prometheus(&self, path: &str) -> Option<String> {
        at(&self.prometheus, path)
    }
}

fn at(base: &str, path: &str) -> Option<String> {
    (!base.is_empty()).then(|| format!("{}{path}", base.trim_end_matches('/')))
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
            links: WebLinks::default(),
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
        for (key, address) in self.links.all() {
            let is_address = address.starts_with("http://") || address.starts_with("https://");
            if !address.is_empty() && !is_address {
                return Err(Invalid::new(
                    key,
                    format!("{address:?} is no address: it begins with https:// or http://"),
                ));
            }
        }
        if let Some(file) = &self.config.file {
            web::load(file).map_err(|error| Invalid::in_other_file("web.config.file", &error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_addresses_or_not_there() {
        let with = |grafana: &str| WebArgs {
            links: WebLinks { grafana: grafana.to_owned(), ..WebLinks::default() },
            ..WebArgs::default()
        };
        assert!(with("").check().is_ok() && with("https://g.example/grafana/").check().is_ok());
        let wrong = with("javascript:alert(1)").check().unwrap_err().to_string();
        assert!(wrong.contains("web.links.grafana"), "{wrong}");
        let links = with("https://g.example/grafana/").links;
        assert_eq!(links.grafana("/d/x").as_deref(), Some("https://g.example/grafana/d/x"));
        assert_eq!(links.alertmanager("/"), None);
    }
}
