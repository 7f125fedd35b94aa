//! Error responses of a server (`Status` objects).

use std::time::Duration;

use serde::Deserialize;

/// Error responses of a server (`Status` objects).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// HTTP status.
    pub code: u16,
    /// In one word.
    pub reason: String,
    /// For people.
    pub message: String,
    /// More of it.
    details: Details,
}

/// The most time that a server is obeyed that asks for patience.
const MOST_PATIENCE: Duration = Duration::from_mins(5);

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    retry_after_seconds: u64,
}

impl Refusal {
    /// Reads the answer's body, or the object of an error event. `code` holds where the body names none.
    pub fn read(code: u16, body: &[u8]) -> Self {
        let mut refusal: Self = serde_json::from_slice(body).unwrap_or_default();
        if refusal.code == 0 {
            refusal.code = code;
        }
        if refusal.message.is_empty() {
            let text = String::from_utf8_lossy(body.get(..200).unwrap_or(body));
            text.trim().clone_into(&mut refusal.message);
        }
        refusal
    }

    /// The same, of an answer with this `Retry-After` header. A date in it is not read; servers of Kubernetes send seconds.
    #[must_use]
    pub fn with_retry_after(mut self, header: Option<&str>) -> Self {
        if let Some(seconds) = header.and_then(|text| text.trim().parse().ok()) {
            self.details.retry_after_seconds = seconds;
        }
        self
    }

    /// After how long the server wants to be asked again, if it says so.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.details.retry_after_seconds;
        (seconds > 0).then(|| Duration::from_secs(seconds).min(MOST_PATIENCE))
    }

    /// Whether the version that was asked for is no longer kept.
    pub fn is_expired(&self) -> bool {
        self.code == 410 || self.reason == "Expired" || self.reason == "Gone"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_asks_for_patience_gets_some() {
        let busy = Refusal::read(429, br#"{"code":429,"details":{"retryAfterSeconds":7,"group":"apps"}}"#);
        assert_eq!(busy.retry_after(), Some(Duration::from_secs(7)));
        let after = |header| busy.clone().with_retry_after(Some(header)).retry_after();
        assert_eq!(after("2"), Some(Duration::from_secs(2)));
        assert_eq!(after("Wed, 21 Oct 2026 07:28:00 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(after("99999999999"), Some(MOST_PATIENCE));
        assert_eq!(Refusal::read(503, b"").with_retry_after(None).retry_after(), None);
    }

    #[test]
    fn a_refusal_is_read_from_a_status_or_from_anything() {
        let expired = Refusal::read(200, br#"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#);
        assert!(expired.is_expired());
        let odd = Refusal::read(502, b"<html>bad gateway</html>");
        assert_eq!((odd.code, odd.message.as_str()), (502, "<html>bad gateway</html>"));
        assert!(!odd.is_expired());
    }
}
