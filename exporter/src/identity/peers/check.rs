//! Checks the options of peers, and makes of them what servers are asked with.

use kubernetes::{Access, Credentials, NoAccess};

use super::networks::Network;
use crate::config;

/// As whom the servers are asked.
pub(super) fn credentials(config: &config::Peers) -> Credentials {
    let file = |path: &std::path::Path| (!path.as_os_str().is_empty()).then(|| path.to_owned());
    Credentials { authority: file(&config.ca_file), token: file(&config.token_file), insecure: config.insecure }
}

/// Checks the options. The error is the key and the message.
pub fn check(config: &config::Peers) -> Result<(), (&'static str, String)> {
    if let Some(text) = config.networks.iter().find(|text| Network::parse(text).is_none()) {
        return Err(("networks", format!("cannot read {text:?}: it is written office=192.0.2.0/24")));
    }
    for url in &config.url {
        let access = Access::Address { url: url.clone(), credentials: credentials(config) };
        if let Err(error) = access.check() {
            // What is wrong with an address was found before.
            let key = if config.ca_file.as_os_str().is_empty() { "token_file" } else { "ca_file" };
            let key = if matches!(error, NoAccess::Token { .. }) { "token_file" } else { key };
            return Err((key, daemon::chain(&error)));
        }
    }
    Ok(())
}
