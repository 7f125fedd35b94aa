//! Metrics of custom resources, with the whole grammar of kube-state-metrics' custom-resource-state.
//! `docs/custom-resources.md` explains it to users.
//!
//! [`Config`] is read and checked once. [`Discovery`] is told of the cluster's definitions and says which kinds begin
//! and which end. A [`CustomKind`] turns objects into rows. Nothing here speaks to a server.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

mod config;
mod discovery;
mod document;
mod family;
mod following;
mod found;
mod kind;
mod path;
mod value;

pub use config::{BadConfig, Config, Note};
pub use discovery::{Changes, Definition, Discovery, Matched};
pub use document::first_document;
pub use family::Trouble;
pub use following::{Counts, Follower, OfCustom};
pub use kind::{CustomKind, Id};
pub use value::NotANumber;

/// Where the configuration comes from: `--custom-resource-state-config` goes before
/// `--custom-resource-state-config-file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// There is none.
    None,
    /// The flag's own value.
    Inline(String),
    /// A file, to be read again when it changes.
    File {
        /// Its path.
        path: PathBuf,
        /// Whether to start without it and wait for it to appear.
        may_be_missing: bool,
    },
}

/// A configuration, and the text that it is the meaning of.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The configuration; empty when there is none yet.
    pub config: Config,
    /// The file's text, when it comes from a file that is there.
    pub text: Option<String>,
}

impl Source {
    /// Reads the configuration.
    pub fn load(&self) -> Result<Loaded, BadConfig> {
        match self {
            Self::None => Ok(Loaded::default()),
            Self::Inline(text) => {
                let config = Config::parse(text, Path::new("--custom-resource-state-config"))?;
                Ok(Loaded { config, text: None })
            }
            Self::File { path, may_be_missing } => match std::fs::read_to_string(path) {
                Ok(text) => Ok(Loaded { config: Config::parse(&text, path)?, text: Some(text) }),
                Err(error) if error.kind() == ErrorKind::NotFound && *may_be_missing => Ok(Loaded::default()),
                Err(error) => {
                    let what = format!("cannot be read: {error}");
                    Err(BadConfig(Note { file: path.clone(), place: None, key: String::new(), what }))
                }
            },
        }
    }

    /// Chooses by the values of the flags; empty ones count as not given.
    pub fn new(inline: Option<&str>, file: Option<&std::path::Path>, may_be_missing: bool) -> Self {
        match (inline.filter(|text| !text.is_empty()), file.filter(|path| !path.as_os_str().is_empty())) {
            (Some(text), _) => Self::Inline(text.to_owned()),
            (None, Some(path)) => Self::File { path: path.to_owned(), may_be_missing },
            (None, None) => Self::None,
        }
    }
}
