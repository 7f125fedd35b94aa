//! A gzip stream whose writer says what repeats.
//!
//! Most of a compressor's work is to look for what it has seen before. A page of many series has a form: its writer
//! knows that a line begins as the last one did, and where. It says so as [`Tokens`], and no byte is looked at to find
//! it. What it has nothing to say about is written as to any writer, and compressed in the general way.
//!
//! Both kinds of parts are DEFLATE blocks (RFC 1951) of one gzip member (RFC 1952). General parts begin at a whole byte
//! and with an empty window; they look back at nothing that came before them.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::{self, Write},
};

use flate2::{Compress, Compression, Crc, FlushCompress};

use crate::compress::GZIP_LEVEL;

/// The longest match.
const LONGEST: usize = 258;
/// The shortest match.
const SHORTEST: usize = 3;
/// How far back a match may be.
const FARTHEST: usize = 32 * 1024;
/// Symbols of literals and lengths, and of distances.
const LITERALS: usize = 286;
const DISTANCES: usize = 30;
const END_OF_BLOCK: usize = 256;
/// The longest code of a symbol, in bits.
const LONGEST_CODE: u8 = 15;
/// How much is gathered before it is handed on.
const CHUNK: usize = 32 * 1024;
/// No flags, no time, no extra flags, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// What is told about a text, from its beginning to its end.
pub trait Tokens {
    /// Text that is new.
    fn fresh(&mut self, text: &[u8]);

    /// One match of the text that stands so far back.
    fn matched(&mut self, length: usize, distance: usize);

    /// Text that stood so far back already. What DEFLATE cannot say so is taken as new.
    fn again(&mut self, text: &[u8], distance: usize) {
        if distance == 0 || distance > FARTHEST {
            return self.fresh(text);
        }
        let mut length = text.len();
        while length >= SHORTEST {
            let rest = length.saturating_sub(LONGEST);
            // The rest should not be too short for a match.
            let now = if rest > 0 && rest < SHORTEST { LONGEST - SHORTEST } else { length.min(LONGEST) };
            self.matched(now, distance);
            length -= now;
        }
        self.fresh(text.get(text.len() - length..).unwrap_or(&[]));
    }
}

/// How often each symbol is used: what a [`Code`] is made of.
#[derive(Clone, Debug)]
pub struct Counts {
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
}

impl Default for Counts {
    /// Each symbol once, so that all can be said.
    fn default() -> Self {
        Self { literals: [1; LITERALS], distances: [1; DISTANCES] }
    }
}

impl Tokens for Counts {
    fn fresh(&mut self, text: &[u8]) {
        for byte in text {
            count(&mut self.literals, usize::from(*byte));
        }
    }

    fn matched(&mut self, length: usize, distance: usize) {
        count(&mut self.literals, length_symbol(length).0);
        count(&mut self.distances, distance_symbol(distance).0);
    }
}

fn count(counts: &mut [u32], symbol: usize) {
    if let Some(place) = counts.get_mut(symbol) {
        *place = place.saturating_add(1);
    }
}

/// A symbol's bits in the order in which they are written, and how many they are.
#[derive(Clone, Copy, Debug, Default)]
struct Bits {
    bits: u16,
    length: u8,
}

/// A Huffman code.
#[derive(Clone, Debug)]
pub struct Code {
    literals: [Bits; LITERALS],
    distances: [Bits; DISTANCES],
}

impl Code {
    /// The best code for these counts.
    pub fn of(counts: &Counts) -> Self {
        Self { literals: code(&counts.literals), distances: code(&counts.distances) }
    }
}

/// The canonical code of symbols that are used so often.
fn code<const SYMBOLS: usize>(counts: &[u32; SYMBOLS]) -> [Bits; SYMBOLS] {
    let mut counts = counts.map(u64::from);
    let lengths = loop {
        let lengths = code_lengths(&counts);
        if lengths.iter().all(|length| *length <= LONGEST_CODE) {
            break lengths;
        }
        // Rare symbols become more common, and their codes shorter.
        counts = counts.map(|count| count / 2 + 1);
    };
    let mut codes = [Bits::default(); SYMBOLS];
    let mut next = 0_u16;
    for length in 1..=LONGEST_CODE {
        for (code, _) in codes.iter_mut().zip(&lengths).filter(|(_, its)| **its == length) {
            *code = Bits { bits: next.reverse_bits() >> (16 - length), length };
            next += 1;
        }
        next <<= 1;
    }
    codes
}

/// How deep each symbol is in Huffman's tree.
fn code_lengths<const SYMBOLS: usize>(counts: &[u64; SYMBOLS]) -> [u8; SYMBOLS] {
    let mut heap: BinaryHeap<Reverse<(u64, usize)>> = (0..).zip(counts).map(|(at, n)| Reverse((*n, at))).collect();
    // Leaves first; a node's parent stands behind it.
    let mut parents = vec![0; SYMBOLS];
    while let (Some(Reverse((few, one))), Some(Reverse((more, other)))) = (heap.pop(), heap.pop()) {
        let parent = parents.len();
        for child in [one, other] {
            if let Some(place) = parents.get_mut(child) {
                *place = parent;
            }
        }
        parents.push(0);
        heap.push(Reverse((few + more, parent)));
        if heap.len() == 1 {
            break;
        }
    }
    let mut depths = vec![0_u8; parents.len()];
    for node in (0..parents.len().saturating_sub(1)).rev() {
        let parent = parents.get(node).copied().unwrap_or(0);
        let depth = depths.get(parent).copied().unwrap_or(0).saturating_add(1);
        if let Some(place) = depths.get_mut(node) {
            *place = depth;
        }
    }
    std::array::from_fn(|symbol| depths.get(symbol).copied().unwrap_or(0))
}

/// A length's symbol, the bits behind it and how many they are.
fn length_symbol(length: usize) -> (usize, u64, u32) {
    let x = length.saturating_sub(SHORTEST) as u64;
    match x {
        0..8 => (257 + usize::try_from(x).unwrap_or(0), 0, 0),
        8..255 => {
            let high = x.ilog2();
            let (group, extra) = (u64::from(high - 1), high - 2);
            let symbol = 257 + 4 * group + ((x >> extra) & 3);
            (usize::try_from(symbol).unwrap_or(0), x & ((1 << extra) - 1), extra)
        }
        _ => (285, 0, 0),
    }
}

/// The same of a distance.
fn distance_symbol(distance: usize) -> (usize, u64, u32) {
    let x = distance.saturating_sub(1) as u64;
    if x < 4 {
        return (usize::try_from(x).unwrap_or(0), 0, 0);
    }
    let high = x.ilog2();
    let extra = high - 1;
    let symbol = 2 * u64::from(high) + ((x >> extra) & 1);
    (usize::try_from(symbol).unwrap_or(0), x & ((1 << extra) - 1), extra)
}

/// Bits that become bytes.
#[derive(Debug, Default)]
struct Bytes {
    whole: Vec<u8>,
    held: u64,
    /// Fewer than 32 between calls.
    count: u32,
}

impl Bytes {
    /// At most 32 bits.
    #[inline]
    fn push(&mut self, bits: u64, count: u32) {
        self.held |= bits << self.count;
        self.count += count;
        if self.count >= 32 {
            #[expect(clippy::cast_possible_truncation, reason = "these are the ones that are full")]
            let full = self.held as u32;
            self.whole.extend_from_slice(&full.to_le_bytes());
            self.held >>= 32;
            self.count -= 32;
        }
    }

    #[inline]
    fn push_code(&mut self, code: Option<&Bits>) {
        let Bits { bits, length } = code.copied().unwrap_or_default();
        self.push(u64::from(bits), u32::from(length));
    }

    /// Fills the byte that is begun with zeros.
    fn align(&mut self) {
        let bytes = self.held.to_le_bytes();
        let begun = self.count.div_ceil(8) as usize;
        self.whole.extend_from_slice(bytes.get(..begun).unwrap_or(&[]));
        (self.held, self.count) = (0, 0);
    }
}

/// See the module. What is not finished is not a whole stream.
pub struct Gzip<W: Write> {
    out: W,
    bytes: Bytes,
    crc: Crc,
    general: Compress,
    part: Part,
}

/// What is being written.
enum Part {
    /// Nothing.
    None,
    /// What is compressed in the general way.
    General,
    /// A block of tokens.
    Told(Box<Code>),
}

impl<W: Write> Gzip<W> {
    /// Begins a stream.
    pub fn new(out: W) -> Self {
        let bytes = Bytes { whole: HEADER.to_vec(), ..Bytes::default() };
        let general = Compress::new(Compression::new(GZIP_LEVEL), false);
        Self { out, bytes, crc: Crc::new(), general, part: Part::None }
    }

    /// Begins a part that is told, with a code that has proved itself on a part of it.
    pub fn tell(&mut self, code: Code) -> io::Result<()> {
        self.end_part()?;
        // A block with codes of its own that is not the last.
        self.bytes.push(0b100, 3);
        let sizes = [(LITERALS - 257, 5), (DISTANCES - 1, 5), (19 - 4, 4)];
        for (size, bits) in sizes {
            self.bytes.push(size as u64, bits);
        }
        // Lengths are written as they are, in four bits each: symbols 16 to 18, which come first, would repeat some.
        for symbol in 0..19 {
            self.bytes.push(if symbol < 3 { 0 } else { 4 }, 3);
        }
        for code in code.literals.iter().chain(&code.distances) {
            self.bytes.push(u64::from(code.length.reverse_bits() >> 4), 4);
        }
        self.part = Part::Told(Box::new(code));
        Ok(())
    }

    /// Takes the text of which the tokens since the last call told, all of it.
    pub fn told(&mut self, text: &[u8]) -> io::Result<()> {
        self.crc.update(text);
        self.hand_on(CHUNK)
    }

    /// Writes the end of the stream; gives the inner writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.end_part()?;
        // An empty last block of the fixed code.
        self.bytes.whole.extend_from_slice(&[0b11, 0]);
        self.bytes.whole.extend_from_slice(&self.crc.sum().to_le_bytes());
        self.bytes.whole.extend_from_slice(&self.crc.amount().to_le_bytes());
        self.hand_on(0)?;
        Ok(self.out)
    }

    fn hand_on(&mut self, from: usize) -> io::Result<()> {
        if self.bytes.whole.len() >= from {
            self.out.write_all(&self.bytes.whole)?;
            self.bytes.whole.clear();
        }
        Ok(())
    }

    /// Ends what is being written, at a whole byte.
    fn end_part(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.part, Part::None) {
            Part::None => Ok(()),
            Part::General => {
                self.compress(&[], FlushCompress::Sync)?;
                self.general.reset();
                Ok(())
            }
            Part::Told(code) => {
                self.bytes.push_code(code.literals.get(END_OF_BLOCK));
                // An empty block that is stored begins at a whole byte.
                self.bytes.push(0, 3);
                self.bytes.align();
                self.bytes.whole.extend_from_slice(&[0, 0, 0xff, 0xff]);
                Ok(())
            }
        }
    }

    fn compress(&mut self, mut text: &[u8], flush: FlushCompress) -> io::Result<()> {
        loop {
            self.bytes.whole.reserve(CHUNK);
            let before = self.general.total_in();
            self.general.compress_vec(text, &mut self.bytes.whole, flush).map_err(io::Error::other)?;
            let taken = usize::try_from(self.general.total_in() - before).unwrap_or(usize::MAX);
            text = text.get(taken..).unwrap_or(&[]);
            // It has more to say as long as it fills what it is given.
            let is_full = self.bytes.whole.len() == self.bytes.whole.capacity();
            self.hand_on(CHUNK)?;
            if text.is_empty() && !is_full {
                return Ok(());
            }
        }
    }
}

impl<W: Write> Tokens for Gzip<W> {
    fn fresh(&mut self, text: &[u8]) {
        let Part::Told(code) = &self.part else { return };
        for byte in text {
            self.bytes.push_code(code.literals.get(usize::from(*byte)));
        }
    }

    fn matched(&mut self, length: usize, distance: usize) {
        let Part::Told(code) = &self.part else { return };
        let (symbol, extra, count) = length_symbol(length);
        self.bytes.push_code(code.literals.get(symbol));
        self.bytes.push(extra, count);
        let (symbol, extra, count) = distance_symbol(distance);
        self.bytes.push_code(code.distances.get(symbol));
        self.bytes.push(extra, count);
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if !matches!(self.part, Part::General) {
            self.end_part()?;
            self.part = Part::General;
        }
        self.crc.update(text);
        self.compress(text, FlushCompress::None)?;
        Ok(text.len())
    }

    /// Passes on what is whole, which is not all.
    fn flush(&mut self) -> io::Result<()> {
        self.hand_on(0)?;
        self.out.flush()
    }
}

impl<W: Write> std::fmt::Debug for Gzip<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gzip").field("written", &self.crc.amount()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn unpacked(gzip: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(gzip).read_to_end(&mut text).unwrap();
        text
    }

    /// A part of a stream.
    #[derive(Clone, Debug)]
    enum Given {
        General(Vec<u8>),
        /// New text, then as many bytes from so far back as there are.
        Told(Vec<(Vec<u8>, usize, usize)>),
    }

    fn part() -> impl Strategy<Value = Given> {
        let text = || prop::collection::vec(any::<u8>(), 0..300);
        prop_oneof![
            text().prop_map(Given::General),
            prop::collection::vec((text(), 0_usize..700, 0_usize..40_000), 0..30).prop_map(Given::Told),
        ]
    }

    /// Tells a part, and gives its text.
    fn tell(tokens: &mut dyn Tokens, steps: &[(Vec<u8>, usize, usize)]) -> Vec<u8> {
        let mut text = Vec::new();
        for (new, length, distance) in steps {
            tokens.fresh(new);
            text.extend_from_slice(new);
            let distance = (*distance).min(text.len());
            let start = text.len() - distance;
            let again: Vec<u8> =
                (0..if distance == 0 { 0 } else { *length }).map(|at| text[start + at % distance]).collect();
            tokens.again(&again, distance);
            text.extend(again);
        }
        text
    }

    proptest! {
        #[test]
        fn what_is_told_comes_back(parts in prop::collection::vec(part(), 0..6)) {
            let (mut gzip, mut expected) = (Gzip::new(Vec::new()), Vec::new());
            for part in parts {
                match part {
                    Given::General(text) => {
                        gzip.write_all(&text).unwrap();
                        expected.extend(text);
                    }
                    Given::Told(steps) => {
                        let mut counts = Counts::default();
                        tell(&mut counts, &steps);
                        gzip.tell(Code::of(&counts)).unwrap();
                        let text = tell(&mut gzip, &steps);
                        gzip.told(&text).unwrap();
                        expected.extend(text);
                    }
                }
            }
            prop_assert_eq!(unpacked(&gzip.finish().unwrap()), expected);
        }

        #[test]
        fn a_code_says_each_symbol_and_wastes_nothing(counts in prop::collection::vec(0_u32..u32::MAX, DISTANCES)) {
            // Powers of two make the deepest trees.
            for counts in [counts.clone(), (0..DISTANCES).map(|power| 1 << power).collect()] {
                let codes = code(&<[u32; DISTANCES]>::try_from(counts).unwrap());
                prop_assert!(codes.iter().all(|code| (1..=LONGEST_CODE).contains(&code.length)));
                let sum: f64 = codes.iter().map(|code| 0.5_f64.powi(i32::from(code.length))).sum();
                prop_assert!((sum - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn every_length_and_every_distance_comes_back() {
        for (lengths, distances) in [(3..=600, 1..=1), (40..=40, 1..=FARTHEST + 2)] {
            let mut gzip = Gzip::new(Vec::new());
            gzip.tell(Code::of(&Counts::default())).unwrap();
            let mut text: Vec<u8> = (0..FARTHEST + 10).map(|at| ((at * 7919) >> 5).to_le_bytes()[0]).collect();
            gzip.fresh(&text);
            for length in lengths {
                for distance in distances.clone().step_by(if length == 40 { 61 } else { 1 }) {
                    let start = text.len() - distance;
                    let again: Vec<u8> = (0..length).map(|at| text[start + at % distance]).collect();
                    gzip.again(&again, distance);
                    text.extend(again);
                }
            }
            gzip.told(&text).unwrap();
            assert!(unpacked(&gzip.finish().unwrap()) == text);
        }
    }

    #[test]
    fn general_text_is_compressed() {
        let mut gzip = Gzip::new(Vec::new());
        let text = b"up{job=\"a\"} 1\n".repeat(20_000);
        gzip.write_all(&text).unwrap();
        let gzip = gzip.finish().unwrap();
        assert!(unpacked(&gzip) == text && gzip.len() < text.len() / 50);
    }
}
