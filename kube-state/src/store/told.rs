//! The series as tokens of a compressed stream. Where a line repeats another is known when it is written: a line of an
//! object begins as that before it, an object's lines are those of the object before it but for what is the object's own,
//! and nobody has to look for either.

use expo::Tokens;

use super::runs::first_line;

/// The lines of one family after the other.
#[derive(Debug, Default)]
pub(super) struct Told<'s> {
    /// What was written since the text was taken.
    text: Vec<u8>,
    /// How much was taken.
    taken: usize,
    name: Vec<u8>,
    last: Option<Object<'s>>,
}

/// An object's lines of a family.
#[derive(Clone, Copy, Debug)]
struct Object<'s> {
    start: usize,
    identity: &'s [u8],
    run: &'s [u8],
    /// Bytes of a line before those of the run.
    lead: usize,
}

impl<'s> Told<'s> {
    /// What was written and not taken yet.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Takes the text.
    pub(super) fn take(&mut self) {
        self.taken += self.text.len();
        self.text.clear();
    }

    /// Begins a family, with the lines before its series.
    pub(super) fn family(&mut self, header: &[u8], name: &str, tokens: &mut impl Tokens) {
        tokens.fresh(header);
        self.text.extend_from_slice(header);
        self.name.clear();
        self.name.extend_from_slice(name.as_bytes());
        self.name.push(b'{');
        self.last = None;
    }

    /// Writes an object's lines.
    pub(super) fn object(&mut self, identity: &'s [u8], run: &'s [u8], tokens: &mut impl Tokens) {
        let (start, lead) = (self.taken + self.text.len(), self.name.len() + identity.len());
        let (mut rest, mut before) = (run, None::<(&[u8], usize)>);
        let mut of_last = self.last.map_or(&[][..], |last| last.run);
        // Where the end of a line of the last object is.
        let mut end_of_last = self.last.map_or(0, |last| last.start);
        while let Some((end, others)) = first_line(rest) {
            let here = self.text.len();
            self.text.extend_from_slice(&self.name);
            self.text.extend_from_slice(identity);
            self.text.extend_from_slice(end);
            let (line, place) = (self.text.get(here..).unwrap_or(&[]), self.taken + here);
            let (lead_text, _) = line.split_at(lead.min(line.len()));
            match (before, self.last) {
                (Some((_, its)), _) => tokens.again(lead_text, place + lead - its),
                (None, Some(last)) => differ(tokens, lead_text, self.name.len(), last.identity, place - last.start),
                (None, None) => tokens.fresh(lead_text),
            }
            let (place, mut like) = (place + lead, before);
            if let (Some(last), Some((end, others))) = (self.last, first_line(of_last)) {
                end_of_last += last.lead;
                like = Some((end, end_of_last));
                end_of_last += end.len();
                of_last = others;
            }
            match like {
                Some((other, its)) => differ(tokens, end, 0, other, place - its),
                None => tokens.fresh(end),
            }
            before = Some((end, place));
            rest = others;
        }
        self.last = Some(Object { start, identity, run, lead });
    }
}

/// Tells a text by its differences from another one that stands so far back. `lead` bytes at its beginning are known to
/// be the same, and are not in `old`. After a difference the two are the same again from the next quotation mark on, if
/// they are at all.
fn differ(tokens: &mut impl Tokens, new: &[u8], lead: usize, old: &[u8], distance: usize) {
    let (mut from, mut at, mut at_old) = (0, lead, 0);
    loop {
        let (rest, rest_old) = (new.get(at..).unwrap_or(&[]), old.get(at_old..).unwrap_or(&[]));
        let same = common(rest, rest_old);
        tokens.again(new.get(from..at + same).unwrap_or(&[]), distance + at - lead - at_old);
        let (rest, rest_old) = (rest.get(same..).unwrap_or(&[]), rest_old.get(same..).unwrap_or(&[]));
        let (quote, quote_old) = (memchr::memchr(b'"', rest), memchr::memchr(b'"', rest_old));
        let (Some(quote), Some(quote_old)) = (quote, quote_old) else { return tokens.fresh(rest) };
        tokens.fresh(rest.get(..quote).unwrap_or(&[]));
        (at, at_old) = (at + same + quote, at_old + same + quote_old);
        from = at;
    }
}

/// How many bytes two texts begin with alike.
fn common(one: &[u8], other: &[u8]) -> usize {
    let (words, other_words) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    let same = 8 * words.iter().zip(other_words).take_while(|(word, other)| word == other).count();
    let rest = one.iter().skip(same).zip(other.iter().skip(same));
    same + rest.take_while(|(byte, other)| byte == other).count()
}
