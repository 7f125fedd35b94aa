//! Programs that were started, one by one.

use serde::Serialize;

use super::whose::Whose;

/// A program that was started: a successful execve(2). Arguments are not recorded.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Started {
    /// When, in seconds since the Unix epoch.
    pub time: f64,
    /// Whose it is.
    #[serde(flatten)]
    pub whose: Whose,
    /// The process, as the machine numbers it.
    pub process: u32,
    /// The process that made it, likewise.
    pub parent: u32,
    /// Its user, as the machine numbers it.
    pub uid: u32,
    /// Name of its first thread, at most 15 bytes.
    pub command: String,
    /// The file as execve(2) was given it, at most 207 bytes.
    pub file: String,
}
