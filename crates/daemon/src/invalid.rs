//! Options with an invalid value.

use crate::yaml::ConfigError;

/// An option with an invalid value, as a program's check of its own configuration reports it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Invalid {
    /// The dotted key.
    pub key: String,
    /// The problem, lower case.
    pub what: String,
    /// The message stands alone: it names another file, line and key.
    pub(crate) other_file: bool,
}

impl Invalid {
    /// `key` is wrong because of `what`.
    pub fn new(key: &str, what: impl Into<String>) -> Self {
        Self { key: key.to_owned(), what: what.into(), other_file: false }
    }

    /// The file that `key` names is wrong.
    pub fn in_other_file(key: &str, error: &ConfigError) -> Self {
        Self { key: key.to_owned(), what: error.to_string(), other_file: true }
    }

    fn text(&self) -> String {
        if self.other_file { self.what.clone() } else { format!("{}: {}", self.key, self.what) }
    }
}
