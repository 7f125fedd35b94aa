//! The web configuration file: as written, and as checked.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::{
    auth::{Auth, RateLimit},
    tls::{self, RawTls, Wrong},
};
use crate::{
    period::Period,
    yaml::{self, ConfigError},
};

/// Headers that may be set, with the values that they may have; none listed means any.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

/// The contents of a web configuration file, checked and built.
pub(crate) struct Web {
    /// The TLS configuration; `None` serves plain HTTP.
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    /// Whether a client's certificate, if it has one, was checked.
    pub(crate) verifies_clients: bool,
    /// Whether HTTP/2 is spoken.
    pub(crate) http2: bool,
    /// Headers of each answer.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Users and the rate limit.
    pub(crate) auth: Auth,
    /// The files that this was made of.
    pub(super) files: Vec<PathBuf>,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            tls: None,
            verifies_clients: false,
            http2: true,
            headers: Vec::new(),
            auth: Auth::default(),
            files: Vec::new(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawWeb {
    tls_server_config: Option<RawTls>,
    http_server_config: RawHttp,
    basic_auth_users: BTreeMap<String, String>,
    rate_limit: Option<RawRateLimit>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawHttp {
    http2: bool,
    headers: BTreeMap<String, String>,
}

impl Default for RawHttp {
    fn default() -> Self {
        Self { http2: true, headers: BTreeMap::new() }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawRateLimit {
    interval: Option<Period>,
    burst: Option<u32>,
}

/// The web configuration that the file `path` holds.
pub(crate) fn load(path: &Path) -> Result<Web, ConfigError> {
    let text = yaml::read(path)?;
    let raw: RawWeb = yaml::parse_yaml(&text, path)?;
    build(raw, path).map_err(|(key, what)| ConfigError::of_key(path, &text, &key, what))
}

fn build(raw: RawWeb, path: &Path) -> Result<Web, (String, String)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut files = vec![path.to_owned()];
    let http2 = raw.http_server_config.http2;
    let verifies_clients = raw.tls_server_config.as_ref().is_some_and(RawTls::verifies_clients);
    let tls = raw.tls_server_config.as_ref().map(|tls| tls::build(tls, folder, http2, &mut files));
    let tls = tls.transpose().map_err(|Wrong(key, what)| (format!("tls_server_config.{key}"), what))?;
    let headers = headers(&raw.http_server_config.headers)?;
    let rate_limit = raw.rate_limit.as_ref().map(rate_limit).transpose()?;
    let auth = Auth::new(raw.basic_auth_users, rate_limit)?;
    Ok(Web { tls, verifies_clients, http2, headers, auth, files })
}

fn headers(raw: &BTreeMap<String, String>) -> Result<Vec<(HeaderName, HeaderValue)>, (String, String)> {
    let mut headers = Vec::new();
    for (name, value) in raw {
        let key = || format!("http_server_config.headers.{name}");
        let Some((_, values)) = HEADERS.iter().find(|(known, _)| known == name) else {
            let known = HEADERS.map(|(known, _)| known).join(", ");
            return Err((key(), format!("this header cannot be set; those that can are {known}")));
        };
        if value.is_empty() {
            continue;
        }
        if !values.is_empty() && !values.contains(&value.to_ascii_lowercase().as_str()) {
            return Err((key(), format!("`{value}` is not one of: {}", values.join(", "))));
        }
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|error| (key(), error.to_string()))?;
        let value = HeaderValue::from_str(value).map_err(|error| (key(), error.to_string()))?;
        headers.push((header, value));
    }
    Ok(headers)
}

fn rate_limit(raw: &RawRateLimit) -> Result<RateLimit, (String, String)> {
    let interval = raw.interval.map_or(std::time::Duration::ZERO, |interval| interval.0);
    let burst = raw.burst.unwrap_or(1);
    if burst == 0 {
        return Err(("rate_limit.burst".to_owned(), "must be at least 1".to_owned()));
    }
    Ok(RateLimit { interval, burst })
}
