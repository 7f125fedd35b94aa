//! The text of a query: its shape on the page, and its times under a factor.

use std::iter::Peekable;
use std::str::CharIndices;

use crate::Period;

/// Every line of a text, moved to the right.
pub fn indented(text: &str, by: usize) -> String {
    let pad = " ".repeat(by);
    let lines: Vec<String> = text
        .trim_end()
        .lines()
        .map(|line| if line.trim().is_empty() { String::new() } else { format!("{pad}{line}") })
        .collect();
    lines.join("\n")
}

/// The query with every length of time in it (ranges, steps, offsets) shorter or longer by a factor. Names, strings and
/// numbers stay.
pub fn scaled(text: &str, factor: f64) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' | '\'' | '`' => {
                out.push(c);
                copy_string(&mut chars, &mut out, c);
            }
            '#' => {
                out.push(c);
                while let Some((_, c)) = chars.next_if(|(_, c)| *c != '\n') {
                    out.push(c);
                }
            }
            _ if is_word(c) => {
                let mut end = at + c.len_utf8();
                while let Some((next, c)) = chars.next_if(|(_, c)| is_word(*c)) {
                    end = next + c.len_utf8();
                }
                let word = text.get(at..end).unwrap_or_default();
                out.push_str(&scaled_word(word, factor).unwrap_or_else(|| word.to_owned()));
            }
            _ => out.push(c),
        }
    }
    out
}

/// A length of time, or two with a colon between them, as in the range and step of a subquery.
fn scaled_word(word: &str, factor: f64) -> Option<String> {
    let parts: Result<Vec<Period>, _> = word.split(':').map(str::parse).collect();
    let scaled = parts.ok()?.into_iter().map(|period| period.scaled(factor).to_string());
    Some(scaled.collect::<Vec<_>>().join(":"))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.')
}

/// Copies the rest of a string, up to its closing quote.
fn copy_string(chars: &mut Peekable<CharIndices<'_>>, out: &mut String, quote: char) {
    while let Some((_, c)) = chars.next() {
        out.push(c);
        if c == quote {
            return;
        }
        if c == '\\' && quote != '`' {
            out.extend(chars.next().map(|(_, c)| c));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_are_scaled() {
        let text = "rate(x5m:y{a=\"5m\"}[5m]) > 10 and y offset 1h # 5m\n or max_over_time(z[1h:1m]) > 0.5";
        let want = "rate(x5m:y{a=\"5m\"}[30s]) > 10 and y offset 6m # 5m\n or max_over_time(z[6m:6s]) > 0.5";
        assert_eq!(scaled(text, 0.1), want);
    }
}
