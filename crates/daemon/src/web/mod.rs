//! The web configuration file of Prometheus' exporter-toolkit: TLS, client certificates, HTTP/2, headers, basic
//! authentication, rate limit. It and the files that it names are read again when they change; new content that is bad
//! is logged and counted, and the old stays.

mod auth;
mod file;
mod san;
mod tls;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use self::{auth::credentials, san::names};
pub(crate) use self::{
    auth::{Verdict, token},
    file::{Web, load},
};
use crate::{telemetry::Telemetry, yaml::ConfigError};

/// Credentials that a client can send: a name with a password, in a header; names, in a certificate.
pub(crate) fn said(bytes: &[u8]) -> (Option<(String, Vec<u8>)>, Vec<String>) {
    (credentials(bytes), names(bytes))
}

/// The current web configuration.
pub(crate) struct Current {
    path: Option<PathBuf>,
    web: ArcSwap<Web>,
    seen: Mutex<Seen>,
    telemetry: Telemetry,
}

/// The state of a file; the file has changed when any part has. `None` when it is not there.
type Stamp = Option<(SystemTime, u64, u64)>;

#[derive(Default)]
struct Seen {
    files: Vec<(PathBuf, Stamp)>,
}

impl Current {
    /// Reads the file for the first time, when it must be right.
    pub(crate) fn new(path: Option<&Path>, telemetry: &Telemetry) -> Result<Self, ConfigError> {
        let web = path.map(load).transpose()?.unwrap_or_default();
        let seen = Mutex::new(Seen { files: stamps(&web.files) });
        Ok(Self { path: path.map(Path::to_owned), web: ArcSwap::from_pointee(web), seen, telemetry: telemetry.clone() })
    }

    /// The current configuration; reads the files again when one has changed. Costs a `stat` per file.
    pub(crate) fn get(&self) -> Arc<Web> {
        if let (Some(path), Some(mut seen)) = (&self.path, self.seen.try_lock()) {
            let changed = seen.files.iter().any(|(file, stamp)| stamp_of(file) != *stamp);
            if changed {
                drop(self.read_again(path, &mut seen));
            }
        }
        self.web.load_full()
    }

    /// Reads the files again, changed or not.
    pub(crate) fn reload(&self) -> Result<(), ConfigError> {
        match &self.path {
            Some(path) => self.read_again(path, &mut self.seen.lock()),
            None => Ok(()),
        }
    }

    fn read_again(&self, path: &Path, seen: &mut Seen) -> Result<(), ConfigError> {
        // Taken before reading: a change in between is seen by the next look.
        let before = stamps(&self.web.load().files);
        let old_tls = self.web.load().tls.is_some();
        let loaded = load(path).and_then(|web| {
            if web.tls.is_some() == old_tls {
                return Ok(web);
            }
            let what = "TLS can only be turned on or off by a restart";
            Err(ConfigError {
                file: path.to_owned(),
                place: None,
                key: Some("tls_server_config".to_owned()),
                what: what.to_owned(),
            })
        });
        match loaded {
            Ok(mut web) => {
                web.auth.take_over(&self.web.load().auth);
                let is_new = seen.files != stamps(&web.files);
                seen.files = stamps(&web.files);
                self.web.store(Arc::new(web));
                self.telemetry.web_config().succeeded();
                if is_new {
                    tracing::info!(file = %path.display(), "web configuration reloaded");
                }
                Ok(())
            }
            Err(error) => {
                seen.files = before;
                self.telemetry.web_config().failed();
                tracing::error!(error = %error, "new web configuration is bad, the old one stays");
                Err(error)
            }
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<(PathBuf, Stamp)> {
    files.iter().map(|file| (file.clone(), stamp_of(file))).collect()
}

fn stamp_of(file: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.size(), metadata.ino()))
}
