//! Address of a server, as kubeconfigs and flags write it. client-go's rules: an address without a scheme
//! is one of TLS if anything says so, and has no path.

use hyper::Uri;

/// The address of a server; `tls` says that certificates are given for it. `None` for what is no address.
pub(super) fn uri(text: &str, tls: bool) -> Option<Uri> {
    let text = text.trim();
    let uri = match text.split_once("://") {
        Some(("http" | "https", _)) => text.parse::<Uri>().ok()?,
        Some(_) => return None,
        None => {
            let scheme = if tls { "https" } else { "http" };
            let uri = format!("{scheme}://{text}").parse::<Uri>().ok()?;
            if !matches!(uri.path(), "" | "/") {
                return None;
            }
            uri
        }
    };
    uri.host().is_some_and(|host| !host.is_empty()).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_scheme_has_that_of_its_credentials() {
        let read = |text: &str, tls| uri(text, tls).map(|uri| uri.to_string());
        for (text, tls, expected) in [
            ("https://10.0.0.1:6443", true, "https://10.0.0.1:6443/"),
            ("https://rancher.example/k8s/clusters/c-1", true, "https://rancher.example/k8s/clusters/c-1"),
            ("10.0.0.1:6443", true, "https://10.0.0.1:6443/"),
            ("localhost:6443", true, "https://localhost:6443/"),
            ("localhost:8080", false, "http://localhost:8080/"),
            ("[::1]:6443", true, "https://[::1]:6443/"),
            ("api.example", true, "https://api.example/"),
            (" https://api.example\n", true, "https://api.example/"),
        ] {
            assert_eq!(read(text, tls).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "api.example/path", "ftp://api.example", "https://", "a b", "://x"] {
            assert_eq!(read(text, true), None, "{text}");
        }
    }
}
