//! A reader of the classic text format, for pages of programs that are not ours as well as our own.
//!
//! It is written apart from the product's own encoder and parser, so that a mistake in them is not excused by itself.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};

/// What makes a series: the name and all labels, sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
}

impl Series {
    /// The value of a label; empty when the series does not have it.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The names of the labels, sorted.
    pub(crate) fn label_names(&self) -> Vec<&str> {
        self.labels.iter().map(|(key, _)| key.as_str()).collect()
    }
}

impl std::fmt::Display for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let labels = self.labels.iter().filter(|(_, value)| !value.is_empty());
        let labels: Vec<String> = labels.map(|(key, value)| format!("{key}={:?}", shorten(value))).collect();
        write!(f, "{}{{{}}}", self.name, labels.join(","))
    }
}

/// Container ids and pod uids fill a line and tell nothing.
fn shorten(value: &str) -> String {
    let shorten = |part: &str| match part.get(..12) {
        Some(begin) if part.len() >= 36 => format!("{begin}…"),
        _ => part.to_owned(),
    };
    value.split('/').map(shorten).collect::<Vec<_>>().join("/")
}

/// A value and, when the page gives it, the time of the measurement in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) value: f64,
    pub(crate) time_ms: Option<i64>,
}

/// One page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) types: BTreeMap<String, String>,
    pub(crate) samples: BTreeMap<Series, Sample>,
}

impl Page {
    /// Reads a page; a series that stands twice in it is an error.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut page = Self::default();
        for (number, line) in text.lines().enumerate() {
            page.add(line).with_context(|| format!("line {}: {line:.200}", number + 1))?;
        }
        Ok(page)
    }

    fn add(&mut self, line: &str) -> Result<()> {
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.split_whitespace();
            if words.next() == Some("TYPE") {
                let name = words.next().context("TYPE without a name")?.to_owned();
                let kind = words.next().context("TYPE without a type")?.to_owned();
                if self.types.insert(name, kind).is_some() {
                    bail!("a second TYPE of this family");
                }
            }
            return Ok(());
        }
        if line.is_empty() {
            return Ok(());
        }
        let (series, rest) = series_of(line)?;
        let mut words = rest.split_whitespace();
        let value = words.next().context("no value")?.parse().context("the value is no number")?;
        let time_ms = words.next().map(str::parse).transpose().context("the time is no number")?;
        if self.samples.insert(series, Sample { value, time_ms }).is_some() {
            bail!("this series stands twice on the page");
        }
        Ok(())
    }

    /// The names of the families that have a sample.
    pub(crate) fn families(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.samples.keys().map(|series| series.name.as_str()).collect();
        names.dedup();
        names
    }

    /// All series of a name.
    pub(crate) fn series<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Series, &'a Sample)> {
        self.samples.iter().filter(move |(series, _)| series.name == name)
    }
}

fn series_of(line: &str) -> Result<(Series, &str)> {
    let end = line.find(['{', ' ']).context("no value")?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (key, after) = rest.split_once("=\"").context("a label without a value")?;
            let (value, after) = quoted(after)?;
            labels.push((key.trim().to_owned(), value));
            rest = after.strip_prefix(',').unwrap_or(after);
        }
    }
    labels.sort();
    if labels.windows(2).any(|two| matches!(two, [a, b] if a.0 == b.0)) {
        bail!("a label stands twice");
    }
    Ok((Series { name: name.to_owned(), labels }, rest))
}

/// The text up to the closing quote, unescaped, and what follows.
fn quoted(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, text.get(at + 1..).unwrap_or_default())),
            '\\' => match chars.next().context("the line ends in an escape")?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    bail!("a label value without its end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_unescaped() {
        let page = Page::parse("# TYPE a gauge\na{z=\"1\",b=\"x\\\"\\n\\\\,}\"} 2 17\nb 3\n").unwrap();
        let (series, sample) = page.series("a").next().unwrap();
        assert_eq!(series.label_names(), ["b", "z"]);
        assert_eq!(series.label("b"), "x\"\n\\,}");
        assert_eq!(*sample, Sample { value: 2.0, time_ms: Some(17) });
        assert_eq!(page.families(), ["a", "b"]);
        assert_eq!(page.types["a"], "gauge");
    }

    #[test]
    fn what_no_page_may_have_is_an_error_with_its_line() {
        for (text, why) in [
            ("a 1\na 2\n", "twice"),
            ("# TYPE a gauge\n# TYPE a gauge\n", "second TYPE"),
            ("a{b=\"1\",b=\"2\"} 1\n", "label stands twice"),
            ("a{b=\"1} 1\n", "without its end"),
            ("a x\n", "no number"),
        ] {
            let error = format!("{:#}", Page::parse(text).unwrap_err());
            assert!(error.contains(why) && error.contains("line "), "{text:?}: {error}");
        }
    }
}
