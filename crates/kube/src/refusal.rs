//! A server's error response.

use serde::Deserialize;

/// What a server says when it cannot do what it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// HTTP status.
    pub code: u16,
    /// In one word.
    pub reason: String,
    /// For people.
    pub message: String,
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

    /// Whether the version that was asked for is no longer kept.
    pub fn is_expired(&self) -> bool {
        self.code == 410 || self.reason == "Expired" || self.reason == "Gone"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_from_a_status_or_from_anything() {
        let expired = Refusal::read(200, br#"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#);
        assert!(expired.is_expired());
        let odd = Refusal::read(502, b"<html>bad gateway</html>");
        assert_eq!((odd.code, odd.message.as_str()), (502, "<html>bad gateway</html>"));
        assert!(!odd.is_expired());
    }
}
