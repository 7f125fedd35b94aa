//! One line of a text format.

use metric::Exemplar;

use super::{
    error::Problem,
    grammar::{Grammar, is_label_name, is_metric_name},
};
use crate::{
    dialect::Dialect,
    model::{ParsedKind, ParsedSample},
};

type Labels = Vec<(String, String)>;

/// A line.
#[derive(Debug)]
pub(super) enum Line {
    Blank,
    Comment,
    Help { name: String, text: String },
    Type { name: String, kind: ParsedKind },
    Unit { name: String, unit: String },
    Eof,
    Sample(ParsedSample),
}

impl Line {
    /// Reads a line, without its end.
    pub(super) fn read(text: &str, grammar: Grammar) -> Result<Self, Problem> {
        let text = if grammar.is_loose() { text.trim_start_matches([' ', '\t']) } else { text };
        if text.is_empty() {
            return Ok(Self::Blank);
        }
        let mut cursor = Cursor { text, at: 0, grammar };
        if text.starts_with('#') { cursor.comment() } else { cursor.sample().map(Self::Sample) }
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
    grammar: Grammar,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn expected(&self, expected: &'static str) -> Problem {
        Problem::Expected { expected, column: self.at + 1 }
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn blanks(&mut self) {
        if self.grammar.is_loose() {
            self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        }
    }

    fn gap(&mut self) -> Result<(), Problem> {
        let found = self.take(" ") || (self.grammar.is_loose() && self.take("\t"));
        self.blanks();
        if found { Ok(()) } else { Err(self.expected("a space")) }
    }

    /// Text up to the next blank.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find([' ', '\t']).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("")
    }

    fn comment(&mut self) -> Result<Line, Problem> {
        if self.text == "# EOF" && self.grammar.dialect == Dialect::OpenMetrics {
            return Ok(Line::Eof);
        }
        self.at = 1;
        self.blanks();
        self.take(" ");
        let keyword = self.word();
        let unit = keyword == "UNIT" && self.grammar.dialect == Dialect::OpenMetrics;
        if !unit && !matches!(keyword, "HELP" | "TYPE") {
            let allowed = self.grammar.dialect == Dialect::Text004 || self.grammar.is_lenient();
            return if allowed { Ok(Line::Comment) } else { Err(Problem::BadComment) };
        }
        self.gap()?;
        let name = self.word();
        if !is_metric_name(name) {
            return Err(Problem::BadName(name.to_owned()));
        }
        let name = name.to_owned();
        if self.rest().is_empty() && keyword == "HELP" {
            return Ok(Line::Help { name, text: String::new() });
        }
        self.gap()?;
        match keyword {
            "HELP" => Ok(Line::Help { name, text: self.help()? }),
            "TYPE" => Ok(Line::Type { name, kind: self.kind()? }),
            _ => Ok(Line::Unit { name, unit: self.rest().to_owned() }),
        }
    }

    fn help(&mut self) -> Result<String, Problem> {
        let quote = self.grammar.dialect == Dialect::OpenMetrics;
        let mut out = String::new();
        let mut chars = self.rest().chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('\\') => out.push('\\'),
                Some('n') => out.push('\n'),
                Some('"') if quote => out.push('"'),
                other if self.grammar.is_lenient() => {
                    out.push('\\');
                    out.extend(other);
                }
                other => return Err(Problem::BadEscape(other.unwrap_or(' '))),
            }
        }
        Ok(out)
    }

    fn kind(&mut self) -> Result<ParsedKind, Problem> {
        let word = self.rest().trim_end_matches([' ', '\t']);
        let lenient = self.grammar.is_lenient();
        let openmetrics = lenient || self.grammar.dialect == Dialect::OpenMetrics;
        match word {
            "counter" => Ok(ParsedKind::Counter),
            "gauge" => Ok(ParsedKind::Gauge),
            "histogram" => Ok(ParsedKind::Histogram),
            "summary" => Ok(ParsedKind::Summary),
            "untyped" if lenient || self.grammar.dialect == Dialect::Text004 => Ok(ParsedKind::Unknown),
            "unknown" if openmetrics => Ok(ParsedKind::Unknown),
            "gaugehistogram" if openmetrics => Ok(ParsedKind::GaugeHistogram),
            "info" if openmetrics => Ok(ParsedKind::Info),
            "stateset" if openmetrics => Ok(ParsedKind::StateSet),
            other => Err(Problem::BadType(other.to_owned())),
        }
    }

    fn sample(&mut self) -> Result<ParsedSample, Problem> {
        let rest = self.rest();
        let end = rest.find(['{', ' ', '\t']).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or("");
        if !is_metric_name(name) {
            return Err(Problem::BadName(name.to_owned()));
        }
        let mut sample = ParsedSample { name: name.to_owned(), ..ParsedSample::default() };
        self.at += end;
        let before = self.at;
        self.blanks();
        if self.take("{") {
            sample.labels = self.labels()?;
            if self.grammar.dialect == Dialect::OpenMetrics { self.gap()? } else { self.blanks() }
        } else {
            self.at = before;
            self.gap()?;
        }
        sample.value = number(self.word(), self.grammar)?;
        match self.grammar.dialect {
            Dialect::Text004 => self.milliseconds(&mut sample)?,
            Dialect::OpenMetrics => self.seconds_and_exemplar(&mut sample)?,
        }
        self.blanks();
        if self.rest().is_empty() { Ok(sample) } else { Err(self.expected("the end of the line")) }
    }

    fn milliseconds(&mut self, sample: &mut ParsedSample) -> Result<(), Problem> {
        self.blanks();
        let word = self.word();
        if !word.is_empty() {
            sample.timestamp = Some(word.parse().map_err(|_| Problem::BadNumber(word.to_owned()))?);
        }
        Ok(())
    }

    fn seconds_and_exemplar(&mut self, sample: &mut ParsedSample) -> Result<(), Problem> {
        if self.rest().is_empty() {
            return Ok(());
        }
        self.gap()?;
        if !self.rest().starts_with('#') && !self.rest().is_empty() {
            let seconds = number(self.word(), self.grammar)?;
            #[expect(clippy::cast_possible_truncation, reason = "a point in time is in range; others saturate")]
            let milliseconds = (seconds * 1000.0).round() as i64;
            sample.timestamp = Some(milliseconds);
            if self.rest().is_empty() {
                return Ok(());
            }
            self.gap()?;
        }
        if self.take("#") {
            self.gap()?;
            sample.exemplar = Some(self.exemplar()?);
        }
        Ok(())
    }

    fn exemplar(&mut self) -> Result<Exemplar, Problem> {
        if !self.take("{") {
            return Err(self.expected("{"));
        }
        let labels = self.labels()?;
        self.gap()?;
        let value = number(self.word(), self.grammar)?;
        let timestamp = if self.rest().is_empty() {
            None
        } else {
            self.gap()?;
            Some(number(self.word(), self.grammar)?)
        };
        Ok(Exemplar { labels, value, timestamp })
    }

    /// Labels, from behind `{` to behind `}`.
    fn labels(&mut self) -> Result<Labels, Problem> {
        let mut labels: Labels = Vec::new();
        loop {
            self.blanks();
            if self.take("}") {
                let trailing = !labels.is_empty() && !self.grammar.is_loose();
                return if trailing { Err(self.expected("a label")) } else { Ok(labels) };
            }
            let (name, value) = self.label()?;
            if labels.iter().any(|(other, _)| *other == name) {
                return Err(Problem::DuplicateLabel(name));
            }
            labels.push((name, value));
            self.blanks();
            if self.take("}") {
                return Ok(labels);
            }
            if !self.take(",") {
                return Err(self.expected("comma or }"));
            }
        }
    }

    fn label(&mut self) -> Result<(String, String), Problem> {
        let rest = self.rest();
        let end = rest.find('=').ok_or_else(|| self.expected("="))?;
        let name = rest.get(..end).unwrap_or("");
        let name = if self.grammar.is_loose() { name.trim_end() } else { name };
        if !is_label_name(name) {
            return Err(Problem::BadName(name.to_owned()));
        }
        self.at += end + 1;
        self.blanks();
        if !self.take("\"") {
            return Err(self.expected("\""));
        }
        Ok((name.to_owned(), self.quoted()?))
    }

    /// A label's value, from behind the first quote to behind the last.
    fn quoted(&mut self) -> Result<String, Problem> {
        let mut out = String::new();
        let rest = self.rest();
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(out);
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => out.push('\n'),
                    Some(c @ ('\\' | '"')) => out.push(c),
                    Some(other) => return Err(Problem::BadEscape(other)),
                    None => break,
                },
                c => out.push(c),
            }
        }
        self.at = self.text.len();
        Err(self.expected("\""))
    }
}

/// A number as the formats spell it; `inf` and `nan` in other cases are refused when strict.
fn number(text: &str, grammar: Grammar) -> Result<f64, Problem> {
    let bad = || Problem::BadNumber(text.to_owned());
    match text {
        "+Inf" | "Inf" => return Ok(f64::INFINITY),
        "-Inf" => return Ok(f64::NEG_INFINITY),
        "NaN" => return Ok(f64::NAN),
        _ => {}
    }
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain || grammar.is_lenient() { text.parse().map_err(|_| bad()) } else { Err(bad()) }
}
