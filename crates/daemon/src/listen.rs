//! Addresses to listen on, as the Prometheus world writes them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// The address that `text` means: `:9100` is every address of the machine, IPv6 and IPv4.
pub(crate) fn parse(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix(':') {
        let port = port.parse().map_err(|_| format!("`{text}` has no valid port"))?;
        return Ok(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port));
    }
    if let Some(port) = text.strip_prefix("localhost:") {
        let port = port.parse().map_err(|_| format!("`{text}` has no valid port"))?;
        return Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
    }
    text.parse().map_err(|_| format!("`{text}` is no address; write :9100, 127.0.0.1:9100 or [::1]:9100"))
}

/// A listening socket at `text`. Where the machine has no IPv6, `:9100` listens on IPv4 alone.
pub(crate) fn bind(text: &str) -> Result<std::net::TcpListener, String> {
    let address = parse(text)?;
    let listener = std::net::TcpListener::bind(address).or_else(|error| {
        if text.starts_with(':') && address.is_ipv6() && error.kind() != std::io::ErrorKind::AddrInUse {
            std::net::TcpListener::bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        } else {
            Err(error)
        }
    });
    let listener = listener.map_err(|error| format!("cannot listen on {text}: {error}"))?;
    listener.set_nonblocking(true).map_err(|error| format!("cannot listen on {text}: {error}"))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_in_other_exporters() {
        assert_eq!(parse(":9100"), Ok("[::]:9100".parse().unwrap()));
        assert_eq!(parse("[::1]:80"), Ok("[::1]:80".parse().unwrap()));
        assert_eq!(parse("127.0.0.1:0"), Ok("127.0.0.1:0".parse().unwrap()));
        assert_eq!(parse("localhost:9100"), Ok("127.0.0.1:9100".parse().unwrap()));
        for wrong in ["", ":", "9100", ":65536", "::1:80", "example.org:80", "127.0.0.1", ":-1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
