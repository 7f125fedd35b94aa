//! Errors in a source, with their place.

use std::fmt;

/// One reason to refuse a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, as it was named to the reader.
    pub file: String,
    /// The line of the key, from 1; 0 when it is about the whole file.
    pub line: u64,
    /// The dotted key, empty when it is about the whole file.
    pub key: String,
    /// What is wrong, lower case, without a full stop.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for Problem {}
