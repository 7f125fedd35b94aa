//! Pages of metrics, and small replies.

use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use expo::{Encoding, Format};

/// The request of a scraper.
#[derive(Clone, Debug)]
pub struct ScrapeRequest {
    /// The format to write.
    pub format: Format,
    /// How the answer is compressed. Only pages that compress it themselves need to know.
    pub encoding: Encoding,
    /// When the scraper gives up, less a margin for the way. What is not there by then is better left out.
    pub deadline: Instant,
    /// The scraper: address, user agent and timeout, as far as they are known. Two scrapers behind one address that call
    /// themselves the same are one.
    pub scraper: String,
    /// The decoded query: `?collect[]=cpu` is `("collect[]", "cpu")`. In order, repeated names are kept.
    pub query: Vec<(String, String)>,
}

impl ScrapeRequest {
    /// The values of a parameter, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Counts of a page that was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Series on the page.
    pub series: u64,
}

/// A page of metrics.
pub trait Page: Send + Sync + 'static {
    /// Writes the page in the asked format. Runs on a thread of its own kind, where it may block; several run at the
    /// same time. `out` compresses and sends, and blocks while the client is slow; when the client is gone it gives an
    /// error, which is to be passed on.
    fn write(&self, request: &ScrapeRequest, out: &mut dyn Write) -> io::Result<Written>;

    /// Whether the query asks for something that the page has; the error says what it has not, and is answered with
    /// status 400. Must not block.
    fn check(&self, query: &[(String, String)]) -> Result<(), String> {
        let _ = query;
        Ok(())
    }

    /// The format of an answer to a request with this `Accept` header. A page that cannot be written in every format
    /// gives one of its own.
    fn format(&self, accept: Option<&str>) -> Format {
        expo::negotiate(accept)
    }

    /// The compression of an answer to a client that would like best to have `asked`.
    fn encoding(&self, asked: Encoding) -> Encoding {
        asked
    }

    /// Whether the page writes gzip itself, when the request says so: for pages that know what repeats in them.
    fn writes_gzip(&self) -> bool {
        false
    }
}

impl<P: Page + ?Sized> Page for Arc<P> {
    fn write(&self, request: &ScrapeRequest, out: &mut dyn Write) -> io::Result<Written> {
        (**self).write(request, out)
    }

    fn check(&self, query: &[(String, String)]) -> Result<(), String> {
        (**self).check(query)
    }

    fn format(&self, accept: Option<&str>) -> Format {
        (**self).format(accept)
    }

    fn encoding(&self, asked: Encoding) -> Encoding {
        (**self).encoding(asked)
    }

    fn writes_gzip(&self) -> bool {
        (**self).writes_gzip()
    }
}

/// The content type of plain text.
pub(crate) const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// A small answer that is made at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// Status 200 with plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::status(200, text)
    }

    /// Plain text with a status.
    pub fn status(status: u16, text: impl Into<String>) -> Self {
        Self { status, content_type: PLAIN_TEXT, body: text.into().into_bytes() }
    }

    /// Status 200 with JSON.
    pub fn json(value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self { status: 200, content_type: "application/json", body },
            Err(error) => Self::status(500, format!("{error}\n")),
        }
    }

    /// Status 200 with HTML.
    pub fn html(page: String) -> Self {
        Self { status: 200, content_type: "text/html; charset=utf-8", body: page.into_bytes() }
    }
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST_TIMEOUT: Duration = Duration::from_mins(5);

/// How long a scrape may take, from the value of `X-Prometheus-Scrape-Timeout-Seconds`: what Prometheus allows less a
/// tenth, at most half a second, for the way. A malformed header counts as none.
pub(crate) fn time_for_scrape(header: Option<&str>) -> Duration {
    let asked = header
        .and_then(|text| text.trim().parse::<f64>().ok())
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
        .map_or(DEFAULT_TIMEOUT, |seconds| Duration::from_secs_f64(seconds.min(LONGEST_TIMEOUT.as_secs_f64())));
    asked.saturating_sub((asked / 10).min(Duration::from_millis(500)))
}

/// The parameters of a query string, percent-decoded.
pub(crate) fn query(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_leaves_time_for_the_way() {
        let ms = |header| time_for_scrape(header).as_millis();
        assert_eq!(ms(Some("10")), 9500);
        assert_eq!(ms(Some("1.5")), 1350);
        assert_eq!(ms(Some(" 30.000 ")), 29_500);
        assert_eq!(ms(Some("1e9")), 299_500, "bounded");
        for none in [None, Some(""), Some("ten"), Some("-1"), Some("0"), Some("NaN"), Some("inf"), Some("10s")] {
            assert_eq!(ms(none), 9500, "{none:?}");
        }
    }

    #[test]
    fn a_query_is_decoded() {
        let pairs = query("collect[]=cpu&collect%5B%5D=a+b%2Fc&x&=y&&bad=%zz%4&%ff=1");
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let expected =
            [("collect[]", "cpu"), ("collect[]", "a b/c"), ("x", ""), ("", "y"), ("bad", "%zz%4"), ("\u{fffd}", "1")];
        assert_eq!(pairs, expected);
    }
}
