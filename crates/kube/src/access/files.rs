//! Files that a way to a server was made of, and whether they are still what they were.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{error::NoAccess, token::Token, trust::Pem};

/// Files, as they were when they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files(Vec<(PathBuf, Option<Stamp>)>);

/// When a file was written, and how long it is.
type Stamp = (Option<SystemTime>, u64);

impl Files {
    /// This file is about to be read.
    pub(super) fn note(&mut self, path: &Path) {
        self.0.push((path.to_owned(), stamp(path)));
    }

    /// Reads a file of certificates or a key.
    pub(super) fn pem(&mut self, path: &Path) -> Result<Pem, NoAccess> {
        self.note(path);
        let text = std::fs::read(path).map_err(|source| NoAccess::File { path: path.to_owned(), source })?;
        Ok(Pem { text, from: path.display().to_string() })
    }

    /// Reads a file with a token.
    pub(super) fn token(&mut self, path: &Path) -> Result<Token, NoAccess> {
        self.note(path);
        let text = std::fs::read_to_string(path).map_err(|source| NoAccess::File { path: path.to_owned(), source })?;
        Token::new(&text, &path.display().to_string())
    }

    /// The same files, as they are now.
    pub(super) fn now(&self) -> Self {
        Self(self.0.iter().map(|(path, _)| (path.clone(), stamp(path))).collect())
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok(), metadata.len()))
}
