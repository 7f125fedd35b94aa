//! Connections that ended or did not come about, one by one.

use serde::Serialize;

use super::whose::Whose;

/// One end of a connection, when it was over.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Flow {
    /// When it was over, in seconds since the Unix epoch.
    pub time: f64,
    /// One of so many connections is told of.
    pub sampled: u32,
    /// `outbound` if our side asked for it, else `inbound`.
    pub direction: &'static str,
    /// Whether it was opened.
    pub opened: bool,
    /// How it ended, or why it failed to open.
    pub outcome: &'static str,
    /// Whose our side is.
    #[serde(flatten)]
    pub whose: Whose,
    /// The process that connected or listens, as the machine numbers it; 0: not known.
    pub process: u32,
    /// Its name, at most 15 bytes.
    pub command: String,
    /// Our side's address.
    pub own_address: String,
    /// Our side's port.
    pub own_port: u16,
    /// The other side's address.
    pub peer_address: String,
    /// The other side's port.
    pub peer_port: u16,
    /// Name of the peer that the container looked up; empty: none.
    pub peer_name: String,
    /// Bytes sent, each once.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Packets sent again.
    pub retransmits: u64,
    /// From when it was asked for until it was there; missing where that was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_seconds: Option<f64>,
    /// From when it was asked for until it was over; missing where the beginning was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Smoothed round-trip time at the end; missing where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_seconds: Option<f64>,
}
