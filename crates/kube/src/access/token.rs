//! A bearer token, as it goes into requests.

use hyper::header::HeaderValue;

use super::error::NoAccess;

/// The header that shows a token.
#[derive(Clone, Debug)]
pub(super) struct Token(pub(super) HeaderValue);

impl Token {
    /// A token without the white space around it, with which files end.
    pub(super) fn new(text: &str, from: &str) -> Result<Self, NoAccess> {
        let value = HeaderValue::from_str(&format!("Bearer {}", text.trim()));
        let mut value = value.map_err(|_| NoAccess::Token { from: from.to_owned() })?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}
