//! A GET over plain HTTP to a loopback address: all that the recipes need.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// The body of `http://host:port/path`; a status other than 200 is an error.
pub(crate) fn get(url: &str) -> Result<String> {
    get_as(url, "*/*")
}

/// As [`get`], asking for a content type.
pub(crate) fn get_as(url: &str, accept: &str) -> Result<String> {
    // A page may take as long as this waits: emulated machines are slow.
    ask(url, accept, 55.0)
}

/// As [`get`], as a Prometheus asks that waits for so many seconds.
pub(crate) fn get_within(url: &str, seconds: f64) -> Result<String> {
    ask(url, "*/*", seconds)
}

fn ask(url: &str, accept: &str, seconds: f64) -> Result<String> {
    let rest = url.strip_prefix("http://").with_context(|| format!("not an http address: {url}"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = host.to_socket_addrs().with_context(|| format!("cannot resolve {host}"))?.next();
    let address = address.with_context(|| format!("no address for {host}"))?;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))
        .with_context(|| format!("cannot connect to {host}"))?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\nConnection: close\r\n\
         X-Prometheus-Scrape-Timeout-Seconds: {seconds}\r\n\r\n"
    )?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).with_context(|| format!("cannot read {url}"))?;
    body(&raw).with_context(|| format!("bad answer from {url}"))
}

/// A loopback port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Whether something listens there.
pub(crate) fn listens(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}

fn body(raw: &[u8]) -> Result<String> {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n").context("no end of headers")?;
    let (head, rest) = raw.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let bytes = if head.contains("transfer-encoding: chunked") { unchunk(rest)? } else { rest.to_vec() };
    let text = String::from_utf8(bytes).context("the body is not UTF-8")?;
    if status != "200" {
        bail!("status {status}: {}", text.trim());
    }
    Ok(text)
}

fn unchunk(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").context("chunk without a size")?;
        let (size, after) = rest.split_at(end);
        let size = std::str::from_utf8(size)?.split(';').next().unwrap_or_default().trim().to_owned();
        let size = usize::from_str_radix(&size, 16).with_context(|| format!("chunk size {size:?}"))?;
        let chunk = after.get(2..2 + size).context("the last chunk is cut off")?;
        if size == 0 {
            return Ok(whole);
        }
        whole.extend_from_slice(chunk);
        rest = after.get(2 + size + 2..).context("the chunk has no end")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined() {
        let raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert_eq!(body(raw).unwrap(), "abcde");
    }

    #[test]
    fn a_cut_off_answer_is_an_error() {
        assert!(body(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc").is_err());
        assert!(body(b"HTTP/1.1 200 OK\r\n").is_err());
        assert!(body(b"HTTP/1.1 503 No\r\n\r\nbusy").unwrap_err().to_string().contains("503: busy"));
    }
}
