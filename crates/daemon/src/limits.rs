//! Limits on what one client may use.

use std::time::Duration;

/// Times and sizes that keep one client from costing more than its share. The defaults are for programs; tests shorten
/// them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From a connection's or request's first byte to the end of its head.
    pub headers: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
    /// Time for which a client may take nothing of what is sent to it.
    pub write: Duration,
    /// Bytes of a request's head.
    pub header_bytes: u32,
    /// HTTP/2 streams of one connection that are open at the same time.
    pub streams: u32,
    /// Requests to handlers, streamed answers among them, that are answered at the same time. They have threads of their
    /// own, so that they take none from scrapes.
    pub handlers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(5),
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(150),
            write: Duration::from_secs(15),
            header_bytes: 32 << 10,
            streams: 32,
            handlers: 16,
        }
    }
}
