//! Addresses to listen on, as the Prometheus world writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

/// The address that `text` means, as Go's `net.Listen` reads it: `:9100` is every address of the machine, IPv6 and IPv4;
/// brackets may stand around any host; a host may be a name, of whose addresses one of IPv4 goes first.
pub(crate) fn parse(text: &str) -> Result<SocketAddr, String> {
    let no_address = || format!("`{text}` is no address; write :9100, 127.0.0.1:9100, [::1]:9100 or node-1:9100");
    if text.contains("://") {
        return Err(format!("`{text}` is a URL; an address to listen on is written :9100 or 127.0.0.1:9100"));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:").ok_or_else(no_address)?,
        None => text.rsplit_once(':').filter(|(host, _)| !host.contains(':')).ok_or_else(no_address)?,
    };
    if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("`{text}` has no valid port"));
    }
    let port = port.parse().map_err(|_| format!("`{text}` has no valid port"))?;
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    match host {
        "" => return Ok(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)),
        "localhost" => return Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)),
        host if host.bytes().any(|b| b.is_ascii_whitespace() || b"/@[]?#".contains(&b)) => return Err(no_address()),
        _ => {}
    }
    let mut found: Vec<SocketAddr> = (host, port).to_socket_addrs().into_iter().flatten().collect();
    found.sort_unstable();
    found.first().copied().ok_or_else(|| format!("`{text}` is no address: no host is called `{host}`"))
}

/// A listening socket at `text`. Where the machine has no IPv6, `:9100` listens on IPv4 alone.
pub(crate) fn bind(text: &str) -> Result<std::net::TcpListener, String> {
    let address = parse(text)?;
    let listener = std::net::TcpListener::bind(address).or_else(|error| {
        if address.ip().is_unspecified()
            && !text.contains("::")
            && address.is_ipv6()
            && error.kind() != std::io::ErrorKind::AddrInUse
        {
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
        assert_eq!(parse("[0.0.0.0]:9399"), Ok("0.0.0.0:9399".parse().unwrap()), "as Helm charts write it");
        assert_eq!(parse("[::]:9399"), Ok("[::]:9399".parse().unwrap()));
        assert_eq!(parse("[]:9399"), Ok("[::]:9399".parse().unwrap()));
        assert_eq!(parse("[localhost]:9399"), Ok("127.0.0.1:9399".parse().unwrap()));
        for wrong in [
            "",
            ":",
            "9100",
            ":65536",
            "::1:80",
            "host.invalid:80",
            "127.0.0.1",
            ":-1",
            ":+1",
            "[::1]",
            "[::1",
            "::1]:80",
            "http://127.0.0.1:80",
            "127.0.0.1:80/metrics",
            "a b:80",
            "127.0.0.1:",
            "[[::1]]:80",
            "tcp://:80",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
