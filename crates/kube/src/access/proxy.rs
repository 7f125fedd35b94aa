//! Selects the proxy for a server: that of the kubeconfig, else that of the environment, by Go's rules for
//! `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.

use std::net::IpAddr;

use hyper::Uri;

/// What the environment says of proxies.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    https: String,
    http: String,
    none: String,
}

/// A proxy that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadProxy(pub(super) String);

/// The proxy of a kubeconfig. It holds whatever the environment says.
pub(super) fn given(text: &str) -> Result<Uri, BadProxy> {
    let bad = || BadProxy(text.to_owned());
    let uri: Uri = text.trim().parse().map_err(|_| bad())?;
    let is_known = matches!(uri.scheme_str(), Some("http" | "https" | "socks5" | "socks5h"));
    if is_known && uri.host().is_some() { Ok(uri) } else { Err(bad()) }
}

impl Environment {
    /// That of this process.
    #[expect(clippy::disallowed_methods, reason = "all clients take proxies from these variables")]
    pub(super) fn of_process() -> Self {
        let any = |names: [&str; 2]| {
            let values = names.into_iter().filter_map(|name| std::env::var(name).ok());
            values.into_iter().find(|value| !value.is_empty()).unwrap_or_default()
        };
        Self {
            https: any(["HTTPS_PROXY", "https_proxy"]),
            http: any(["HTTP_PROXY", "http_proxy"]),
            none: any(["NO_PROXY", "no_proxy"]),
        }
    }

    /// The proxy to a server; `None` when it is to be met at once.
    pub(super) fn to(&self, server: &Uri) -> Result<Option<Uri>, BadProxy> {
        let is_tls = server.scheme_str() == Some("https");
        let text = if is_tls { &self.https } else { &self.http };
        let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let port = server.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        if text.is_empty() || self.spares(&host, port) {
            return Ok(None);
        }
        let with_scheme = if text.contains("://") { text.clone() } else { format!("http://{text}") };
        given(&with_scheme).map(Some).map_err(|_| BadProxy(text.clone()))
    }

    /// Whether no proxy leads to a host.
    fn spares(&self, host: &str, port: u16) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback()) {
            return true;
        }
        self.none
            .split(',')
            .map(|entry| entry.trim().to_ascii_lowercase())
            .any(|entry| is_of(&entry, host, address, port))
    }
}

/// Whether an entry of `NO_PROXY` is about a host: `*`, a network, an address or a domain, the last two with a port if
/// only that is meant.
fn is_of(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, length)) = entry.split_once('/') {
        let (Ok(network), Ok(length)) = (network.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
        return address.is_some_and(|address| is_within(address.to_canonical(), network.to_canonical(), length));
    }
    let (name, its_port) = match entry.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => match digits.parse::<u16>() {
            Ok(port) => (name, Some(port)),
            Err(_) => return false,
        },
        _ => (entry, None),
    };
    if its_port.is_some_and(|its_port| its_port != port) {
        return false;
    }
    let name = name.trim_matches(['[', ']']);
    if let Ok(own) = name.parse::<IpAddr>() {
        return address.is_some_and(|address| address.to_canonical() == own.to_canonical());
    }
    // `.example.org` and `*.example.org` are about what is below, `example.org` about itself too.
    let below = name.strip_prefix('*').unwrap_or(name);
    match below.strip_prefix('.') {
        Some(domain) => !domain.is_empty() && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
        None => {
            !below.is_empty() && (host == below || host.strip_suffix(below).is_some_and(|rest| rest.ends_with('.')))
        }
    }
}

fn is_within(address: IpAddr, network: IpAddr, length: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if length <= 32 => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if length <= 128 => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(none: &str, server: &str) -> Option<String> {
        let environment =
            Environment { https: "proxy:3128".into(), http: "http://plain:8080".into(), none: none.into() };
        environment.to(&server.parse().unwrap()).unwrap().map(|uri| uri.to_string())
    }

    #[test]
    fn a_proxy_is_by_the_servers_scheme() {
        assert_eq!(leads("", "https://10.0.0.1:6443").as_deref(), Some("http://proxy:3128/"));
        assert_eq!(leads("", "http://10.0.0.1").as_deref(), Some("http://plain:8080/"));
        let none = Environment::default();
        assert_eq!(none.to(&"https://10.0.0.1".parse().unwrap()), Ok(None));
        let bad = Environment { https: "ftp://proxy".into(), ..none };
        assert_eq!(bad.to(&"https://10.0.0.1".parse().unwrap()), Err(BadProxy("ftp://proxy".into())));
    }

    #[test]
    fn no_proxy_is_about_the_server() {
        for (none, server) in [
            ("", "https://localhost:6443"),
            ("", "https://127.0.0.9:6443"),
            ("", "https://[::1]:6443"),
            ("*", "https://api.example"),
            ("10.0.0.0/8", "https://10.9.8.7:6443"),
            ("10.9.8.7", "https://10.9.8.7:6443"),
            ("10.9.8.7:6443", "https://10.9.8.7:6443"),
            ("fd00::/8", "https://[fd12::1]:6443"),
            ("[fd12::1]:6443", "https://[fd12::1]:6443"),
            ("a, example.org ,b", "https://api.example.org"),
            ("example.org", "https://example.org"),
            (".example.org", "https://API.example.org"),
            ("*.example.org", "https://api.example.org"),
            ("example.org:443", "https://example.org"),
        ] {
            assert_eq!(leads(none, server), None, "{none}: {server}");
        }
        for (none, server) in [
            ("10.0.0.0/8", "https://11.0.0.1"),
            ("10.9.8.7:443", "https://10.9.8.7:6443"),
            (".example.org", "https://example.org"),
            ("example.org", "https://notexample.org"),
            ("proxy", "https://api.example"),
            ("10.0.0.0/33", "https://10.0.0.1"),
            ("a:b", "https://a"),
            (",.", "https://a"),
        ] {
            assert!(leads(none, server).is_some(), "{none}: {server}");
        }
    }
}
