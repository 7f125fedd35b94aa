//! Pages of the text formats: lines become families.

use super::{
    ParseError, Place, Problem, Strictness,
    family::{Families, Open},
    line::{Grammar, Line},
};
use crate::{
    model::{Exposition, ParsedKind, ParsedSample},
    text::Dialect,
};

/// Reads a page.
pub(super) fn read(page: &[u8], dialect: Dialect, strictness: Strictness) -> Result<Exposition, ParseError> {
    let mut reader =
        Reader { grammar: Grammar { dialect, strictness }, families: Families::new(dialect, strictness), open: None };
    let mut ended = false;
    let mut number = 0;
    for line in page.split_inclusive(|b| *b == b'\n') {
        number += 1;
        let at = |problem| ParseError { place: Place::Line(number), problem };
        if ended {
            return Err(at(Problem::AfterEof));
        }
        let text = std::str::from_utf8(line).map_err(|_| at(Problem::NotUtf8))?;
        ended = reader.line(text).map_err(at)?;
    }
    let at = |problem| ParseError { place: Place::Line(number), problem };
    reader.close().map_err(at)?;
    if dialect == Dialect::OpenMetrics && !ended {
        return Err(at(Problem::MissingEof));
    }
    Ok(reader.families.finish())
}

struct Reader {
    grammar: Grammar,
    families: Families,
    open: Option<Open>,
}

impl Reader {
    /// Takes a line; whether it was the end of the page.
    fn line(&mut self, text: &str) -> Result<bool, Problem> {
        let strict = self.grammar.strictness == Strictness::Strict;
        let openmetrics = self.grammar.dialect == Dialect::OpenMetrics;
        let ends = text.ends_with('\n');
        let text = text.strip_suffix('\n').unwrap_or(text);
        let line = self.grammar.line(text)?;
        if !ends && strict && !matches!(line, Line::Eof) {
            return Err(Problem::NoNewline);
        }
        match line {
            Line::Blank if openmetrics && strict => return Err(Problem::BlankLine),
            Line::Blank | Line::Comment => {}
            Line::Help { name, text } => {
                let open = self.header(&name, "HELP")?;
                set(&mut open.help, text, "HELP", name, strict)?;
            }
            Line::Type { name, kind } => {
                let open = self.header(&name, "TYPE")?;
                set(&mut open.kind, kind, "TYPE", name, strict)?;
            }
            Line::Unit { name, unit } => {
                let open = self.header(&name, "UNIT")?;
                set(&mut open.unit, unit, "UNIT", name, strict)?;
            }
            Line::Eof => {
                self.close()?;
                return Ok(true);
            }
            Line::Sample(sample) => self.sample(sample)?,
        }
        Ok(false)
    }

    /// The family that a header line of this name is about.
    fn header(&mut self, name: &str, what: &'static str) -> Result<&mut Open, Problem> {
        let same = self.open.as_ref().is_some_and(|open| open.name == name);
        if same && self.open.as_ref().is_some_and(|open| !open.samples.is_empty()) {
            if self.grammar.strictness == Strictness::Strict {
                return Err(Problem::LateHeader { what, family: name.to_owned() });
            }
        } else if !same {
            self.close()?;
        }
        Ok(self.open.get_or_insert_with(|| Open::new(name)))
    }

    fn sample(&mut self, sample: ParsedSample) -> Result<(), Problem> {
        let strict = self.grammar.strictness == Strictness::Strict;
        if let Some(open) = &mut self.open {
            let kind = open.kind.unwrap_or_default();
            if let Some(suffix) = sample.name.strip_prefix(open.name.as_str()) {
                let suffixes = suffixes(kind, self.grammar.dialect);
                if suffixes.contains(&suffix) || (suffix.is_empty() && !strict) {
                    return open.add(sample, self.grammar);
                }
                if suffix.is_empty() {
                    return Err(Problem::BadSuffix { sample: sample.name, kind: kind.name() });
                }
            }
        }
        self.close()?;
        let open = self.open.insert(Open::new(&sample.name));
        open.add(sample, self.grammar)
    }

    fn close(&mut self) -> Result<(), Problem> {
        match self.open.take() {
            Some(open) => self.families.add(open),
            None => Ok(()),
        }
    }
}

fn set<T>(slot: &mut Option<T>, value: T, what: &'static str, family: String, strict: bool) -> Result<(), Problem> {
    if slot.is_some() && strict {
        return Err(Problem::DuplicateHeader { what, family });
    }
    *slot = Some(value);
    Ok(())
}

/// What may follow a family's name in its samples' names.
pub(super) fn suffixes(kind: ParsedKind, dialect: Dialect) -> &'static [&'static str] {
    use ParsedKind::{Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Summary, Unknown};
    match (dialect, kind) {
        (Dialect::OpenMetrics, Counter) => &["_total", "_created"],
        (Dialect::OpenMetrics, Info) => &["_info"],
        (Dialect::OpenMetrics, Histogram) => &["_bucket", "_count", "_sum", "_created"],
        (Dialect::OpenMetrics, Summary) => &["", "_count", "_sum", "_created"],
        (Dialect::OpenMetrics, GaugeHistogram) => &["_bucket", "_gcount", "_gsum"],
        (Dialect::Text004, Histogram | GaugeHistogram) => &["_bucket", "_count", "_sum"],
        (Dialect::Text004, Summary) => &["", "_count", "_sum"],
        (_, Counter | Gauge | Info | StateSet | Unknown) => &[""],
    }
}
