//! Parses the text formats: lines to families.

use super::{
    error::{ParseError, Place, Problem},
    family::{Families, Open},
    grammar::{Grammar, Strictness, suffixes},
    line::Line,
};
use crate::{
    dialect::Dialect,
    model::{Exposition, ParsedSample},
};

/// Reads a page.
pub(super) fn read(page: &[u8], dialect: Dialect, strictness: Strictness) -> Result<Exposition, ParseError> {
    let grammar = Grammar { dialect, strictness };
    let mut reader = Reader { grammar, families: Families::new(dialect, strictness), open: None, number: 1 };
    let mut ended = false;
    for (number, line) in (1..).zip(page.split_inclusive(|b| *b == b'\n')) {
        reader.number = number;
        if ended {
            return Err(reader.here(Problem::AfterEof));
        }
        let text = std::str::from_utf8(line).map_err(|_| reader.here(Problem::NotUtf8))?;
        ended = reader.line(text)?;
    }
    reader.close()?;
    if dialect == Dialect::OpenMetrics && !ended {
        return Err(reader.here(Problem::MissingEof));
    }
    Ok(reader.families.finish())
}

struct Reader {
    grammar: Grammar,
    families: Families,
    open: Option<Open>,
    /// Of the current line, from 1.
    number: usize,
}

impl Reader {
    fn here(&self, problem: Problem) -> ParseError {
        ParseError { place: Place::Line(self.number), problem }
    }

    fn is_strict(&self) -> bool {
        self.grammar.strictness == Strictness::Strict
    }

    /// Takes a line; whether it was the end of the page.
    fn line(&mut self, text: &str) -> Result<bool, ParseError> {
        let ends = text.ends_with('\n');
        let line =
            Line::read(text.strip_suffix('\n').unwrap_or(text), self.grammar).map_err(|problem| self.here(problem))?;
        if !ends && self.is_strict() && !matches!(line, Line::Eof) {
            return Err(self.here(Problem::NoNewline));
        }
        match line {
            Line::Blank if self.grammar.dialect == Dialect::OpenMetrics && self.is_strict() => {
                Err(self.here(Problem::BlankLine))
            }
            Line::Blank | Line::Comment => Ok(false),
            Line::Help { name, text } => self.header(name, "HELP", text, |open| &mut open.help),
            Line::Type { name, kind } => self.header(name, "TYPE", kind, |open| &mut open.kind),
            Line::Unit { name, unit } => self.header(name, "UNIT", unit, |open| &mut open.unit),
            Line::Eof => self.close().map(|()| true),
            Line::Sample(sample) => self.sample(sample).map(|()| false),
        }
    }

    /// Takes a header line.
    fn header<T>(
        &mut self,
        family: String,
        what: &'static str,
        value: T,
        slot: impl FnOnce(&mut Open) -> &mut Option<T>,
    ) -> Result<bool, ParseError> {
        let strict = self.is_strict();
        match &self.open {
            Some(open) if open.name == family => {
                if strict && !open.samples.is_empty() {
                    return Err(self.here(Problem::LateHeader { what, family }));
                }
            }
            _ => self.close()?,
        }
        let slot = slot(self.open.get_or_insert_with(|| Open::new(&family)));
        if strict && slot.is_some() {
            return Err(self.here(Problem::DuplicateHeader { what, family }));
        }
        *slot = Some(value);
        Ok(false)
    }

    fn sample(&mut self, sample: ParsedSample) -> Result<(), ParseError> {
        let (grammar, number, strict) = (self.grammar, self.number, self.is_strict());
        let at = |problem| ParseError { place: Place::Line(number), problem };
        if let Some(open) = &mut self.open {
            let kind = open.kind.unwrap_or_default();
            if let Some(suffix) = sample.name.strip_prefix(open.name.as_str()) {
                if suffixes(kind, grammar.dialect).contains(&suffix) || (suffix.is_empty() && !strict) {
                    return open.add(sample, number, grammar).map_err(at);
                }
                if suffix.is_empty() {
                    return Err(at(Problem::BadSuffix { sample: sample.name, kind: kind.name() }));
                }
            }
        }
        self.close()?;
        let open = self.open.insert(Open::new(&sample.name));
        open.add(sample, number, grammar).map_err(at)
    }

    fn close(&mut self) -> Result<(), ParseError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let lines = std::mem::take(&mut open.lines);
        self.families.add(open).map_err(|fault| {
            let line = fault.sample.and_then(|sample| lines.get(sample).copied());
            let line = line.or(lines.last().copied()).unwrap_or(self.number);
            ParseError { place: Place::Line(line), problem: fault.problem }
        })
    }
}
