//! Selects a response's format and compression from the `Accept` and `Accept-Encoding` headers.
//!
//! A client that asks for nothing we have is served anyway: a scraper that cannot be served does better with a page it
//! may understand than with status 406.

/// A format of the exposition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// The Prometheus text format 0.0.4.
    #[default]
    Text004,
    /// OpenMetrics text 1.0.0. Clients that know only 0.0.1 get the same page: nothing in it is newer.
    OpenMetrics1,
    /// `io.prometheus.client.MetricFamily` messages, each behind its length. The only one with native histograms.
    Protobuf,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Text004, Self::OpenMetrics1, Self::Protobuf];

    /// The value of the `Content-Type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text004 => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics1 => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The format of a page with this `Content-Type`, if it is one of ours.
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let range = Range::parse(content_type)?;
        if range.is_wildcard() { None } else { range.format() }
    }
}

/// The compression of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Not at all.
    #[default]
    Identity,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Encoding {
    /// The value of the `Content-Encoding` header; `None` when it is to be left out.
    pub const fn header(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// The format that the client likes best among those we have.
///
/// Of equal q-values the more specific wins, then the one that stands first. Versions and encodings that we do not
/// write (`text/plain;version=1.0.0`, protobuf as text) are passed over. Without a header, and when nothing fits, it
/// is [`Format::Text004`].
pub fn negotiate(accept: Option<&str>) -> Format {
    let mut best: Option<(u16, bool, Format)> = None;
    for range in accept.unwrap_or("").split(',').filter_map(Range::parse) {
        let Some(format) = range.format() else { continue };
        let specific = !range.is_wildcard();
        let better = best.is_none_or(|(q, was_specific, _)| (range.q, specific) > (q, was_specific));
        if range.q > 0 && better {
            best = Some((range.q, specific, format));
        }
    }
    best.map_or(Format::Text004, |(_, _, format)| format)
}

/// The compression that the client likes best among those we have.
///
/// Of equal q-values zstd is preferred to gzip, and gzip to none. `identity` counts as wanted only when it is named.
/// `*` means gzip. A client that takes nothing we have and refuses `identity` gets gzip.
pub fn negotiate_encoding(accept_encoding: Option<&str>) -> Encoding {
    let (mut zstd, mut gzip, mut identity, mut any) = (None, None, None, None);
    for range in accept_encoding.unwrap_or("").split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        let q = parts.find_map(|part| parameter(part).filter(|(key, _)| key.eq_ignore_ascii_case("q")));
        let q = q.map_or(Some(1000), |(_, value)| quality(value)).unwrap_or(0);
        match name.to_ascii_lowercase().as_str() {
            "zstd" => zstd = Some(q),
            "gzip" | "x-gzip" => gzip = gzip.max(Some(q)),
            "identity" => identity = Some(q),
            "*" => any = Some(q),
            _ => {}
        }
    }
    let gzip = gzip.or(any);
    let wanted = [(zstd, Encoding::Zstd), (gzip, Encoding::Gzip), (identity, Encoding::Identity)];
    let mut best = (0, None);
    for (q, encoding) in wanted {
        if q.unwrap_or(0) > best.0 {
            best = (q.unwrap_or(0), Some(encoding));
        }
    }
    let refused = identity.or(any) == Some(0);
    best.1.unwrap_or(if refused { Encoding::Gzip } else { Encoding::Identity })
}

/// One media range of an Accept header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    version: Option<&'a str>,
    proto: Option<&'a str>,
    encoding: Option<&'a str>,
    /// In thousandths.
    q: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut range =
            Self { kind: kind.trim(), subtype: subtype.trim(), version: None, proto: None, encoding: None, q: 1000 };
        for (key, value) in parts.filter_map(parameter) {
            match key.to_ascii_lowercase().as_str() {
                "version" => range.version = Some(value),
                "proto" => range.proto = Some(value),
                "encoding" => range.encoding = Some(value),
                "q" => range.q = quality(value)?,
                // `escaping` says how names outside [a-zA-Z0-9_:] are to be written; we have none.
                _ => {}
            }
        }
        Some(range)
    }

    fn is_wildcard(&self) -> bool {
        self.subtype == "*"
    }

    fn format(&self) -> Option<Format> {
        let is = |kind: &str, subtype: &str| {
            self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
        };
        if is("*", "*") || is("text", "*") {
            return Some(Format::Text004);
        }
        if is("text", "plain") {
            return matches!(self.version, None | Some("0.0.4")).then_some(Format::Text004);
        }
        if is("application", "openmetrics-text") {
            return matches!(self.version, None | Some("1.0.0" | "0.0.1")).then_some(Format::OpenMetrics1);
        }
        let delimited = self.proto == Some("io.prometheus.client.MetricFamily") && self.encoding == Some("delimited");
        (is("application", "vnd.google.protobuf") && delimited).then_some(Format::Protobuf)
    }
}

fn parameter(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once('=')?;
    Some((key.trim(), value.trim().trim_matches('"')))
}

/// A q-value in thousandths; `None` when it is not one.
fn quality(text: &str) -> Option<u16> {
    let q: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    (0.0..=1.0).contains(&q).then_some((q * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2_42: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                         text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    const V2_42_NATIVE: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                                encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,\
                                application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,\
                                */*;q=0.1";
    const V3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                      application/openmetrics-text;version=0.0.1;q=0.4,\
                      text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    const V3_UNDERSCORES: &str = "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,\
                                  application/openmetrics-text;version=0.0.1;q=0.5,\
                                  text/plain;version=1.0.0;escaping=underscores;q=0.4,\
                                  text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    const V3_NATIVE: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                             encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;\
                             escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,\
                             */*;q=0.1";
    const V3_TEXT_ONLY: &str =
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    const CHROME: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

    #[test]
    fn each_scraper_gets_what_it_likes_best() {
        let cases: &[(Option<&str>, Format)] = &[
            (None, Format::Text004),
            (Some(""), Format::Text004),
            (Some("*/*"), Format::Text004),
            (Some(CHROME), Format::Text004),
            (Some("image/png"), Format::Text004),
            (Some(V2_42), Format::OpenMetrics1),
            (Some(V2_42_NATIVE), Format::Protobuf),
            (Some(V3), Format::OpenMetrics1),
            (Some(V3_UNDERSCORES), Format::OpenMetrics1),
            (Some(V3_NATIVE), Format::Protobuf),
            (Some(V3_TEXT_ONLY), Format::Text004),
            (Some("application/openmetrics-text"), Format::OpenMetrics1),
            (Some("application/openmetrics-text; version=0.0.1"), Format::OpenMetrics1),
            (Some("application/openmetrics-text; version=\"1.0.0\"; charset=utf-8"), Format::OpenMetrics1),
            (Some("application/openmetrics-text; version=2.0.0, text/plain;q=0.1"), Format::Text004),
            (Some("application/openmetrics-text;q=0, */*;q=0.1"), Format::Text004),
            (Some("*/*, application/openmetrics-text"), Format::OpenMetrics1),
            (Some("text/plain;q=0.9, Application/OpenMetrics-Text; Q=0.91"), Format::OpenMetrics1),
            (Some("application/openmetrics-text;q=2"), Format::Text004),
            (Some("application/vnd.google.protobuf"), Format::Text004),
            (
                Some("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=text"),
                Format::Text004,
            ),
            (Some("text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0"), Format::Text004),
        ];
        for (accept, format) in cases {
            assert_eq!(negotiate(*accept), *format, "{accept:?}");
        }
    }

    #[test]
    fn a_content_type_names_its_format() {
        for format in Format::ALL {
            assert_eq!(Format::of_content_type(format.content_type()), Some(format));
        }
        assert_eq!(Format::of_content_type("text/html"), None);
    }

    #[test]
    fn compression_follows_the_q_values() {
        let cases: &[(Option<&str>, Encoding)] = &[
            (None, Encoding::Identity),
            (Some(""), Encoding::Identity),
            (Some("gzip"), Encoding::Gzip),
            (Some("x-gzip"), Encoding::Gzip),
            (Some("gzip, deflate, br, zstd"), Encoding::Zstd),
            (Some("zstd;q=0.5, gzip"), Encoding::Gzip),
            (Some("gzip;q=0"), Encoding::Identity),
            (Some("gzip;q=0.5, identity"), Encoding::Identity),
            (Some("deflate"), Encoding::Identity),
            (Some("*"), Encoding::Gzip),
            (Some("*;q=0.1, gzip;q=0"), Encoding::Identity),
            (Some("identity;q=0"), Encoding::Gzip),
            (Some("identity;q=0, zstd;q=0.1"), Encoding::Zstd),
            (Some("*;q=0"), Encoding::Gzip),
            (Some("GZIP ; Q=0.3"), Encoding::Gzip),
            (Some("gzip;q=nonsense"), Encoding::Identity),
        ];
        for (accept, encoding) in cases {
            assert_eq!(negotiate_encoding(*accept), *encoding, "{accept:?}");
        }
    }
}
