//! A block: the chunks of all series in a span of time, their index, and `meta.json`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::bytes::{crc, put_uvarint};
use crate::chunk::{Chunk, SAMPLES};
use crate::index::{Index, Label, Place};
use crate::shape::Shape;

const MAGIC: u32 = 0x85bd_40dd;
/// Files of chunks are no larger.
const SEGMENT: u64 = 512 << 20;
/// Chunks whose samples are 64-bit numbers.
const XOR: u8 = 1;

/// A span of time in milliseconds since 1970; the end is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first millisecond.
    pub begin: i64,
    /// The first one behind.
    pub end: i64,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Series.
    pub series: u64,
    /// Samples.
    pub samples: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// One series: its labels by number, and its samples.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) labels: Vec<Label>,
    pub(crate) shape: Shape,
    /// A number of the target that it was scraped from.
    pub(crate) target: u64,
}

/// Writes the block of a span below a folder.
pub(crate) fn write(
    folder: &Path,
    span: Span,
    step: i64,
    texts: &[&str],
    rows: &[Row],
    with: &BTreeMap<Label, Vec<u32>>,
) -> io::Result<Written> {
    let name = ulid(span);
    let folder = folder.join(&name);
    fs::create_dir_all(folder.join("chunks"))?;
    let index_file = File::create(folder.join("index"))?;
    let mut index = Index::begin(BufWriter::with_capacity(1 << 20, index_file), texts)?;
    let mut segments = Segments::begin(folder.join("chunks"))?;
    let (mut chunk, mut places) = (Chunk::default(), Vec::new());
    let (mut samples, mut chunks) = (0, 0);
    for row in rows {
        places.clear();
        let mut time = begin(span, step, row.target);
        while time < span.end {
            let first = time;
            chunk.clear();
            while time < span.end && chunk.count() < SAMPLES {
                chunk.push(time, row.shape.at(time, row.target));
                time += step;
            }
            samples += u64::from(chunk.count());
            places.push(Place { first, last: time - step, at: segments.put(chunk.finish())? });
        }
        chunks += places.len();
        index.series(&row.labels, &places)?;
    }
    let index = index.finish(texts, with)?.into_inner().map_err(io::IntoInnerError::into_error)?;
    let bytes = index.metadata()?.len() + segments.finish()?;
    let meta = format!(
        "{{\"ulid\": \"{name}\", \"minTime\": {}, \"maxTime\": {}, \"version\": 1,\n\"stats\": {{\"numSamples\": {samples}, \
         \"numSeries\": {}, \"numChunks\": {chunks}}},\n\"compaction\": {{\"level\": 1, \"sources\": [\"{name}\"]}}}}\n",
        span.begin,
        span.end,
        rows.len()
    );
    fs::write(folder.join("meta.json"), meta)?;
    Ok(Written { series: rows.len() as u64, samples, bytes })
}

/// The first time of a target in a span: each has its own place within a step, and keeps it.
fn begin(span: Span, step: i64, target: u64) -> i64 {
    let place = (target % step.cast_unsigned()).cast_signed();
    let behind = (span.begin - place).rem_euclid(step);
    if behind == 0 { span.begin } else { span.begin - behind + step }
}

/// Files of chunks.
#[derive(Debug)]
struct Segments {
    folder: PathBuf,
    out: BufWriter<File>,
    number: u64,
    at: u64,
    before: u64,
    scratch: Vec<u8>,
}

impl Segments {
    fn begin(folder: PathBuf) -> io::Result<Self> {
        let (out, at) = segment(&folder, 0)?;
        Ok(Self { folder, out, number: 0, at, before: 0, scratch: Vec::new() })
    }

    /// Adds a chunk and tells where it is.
    fn put(&mut self, chunk: &[u8]) -> io::Result<u64> {
        if self.at + chunk.len() as u64 + 16 > SEGMENT {
            self.out.flush()?;
            self.before += self.at;
            self.number += 1;
            (self.out, self.at) = segment(&self.folder, self.number)?;
        }
        let place = self.number << 32 | self.at;
        let all = &mut self.scratch;
        all.clear();
        put_uvarint(all, chunk.len() as u64);
        let from = all.len();
        all.push(XOR);
        all.extend_from_slice(chunk);
        let sum = crc(all.get(from..).unwrap_or_default());
        all.extend(sum.to_be_bytes());
        self.at += all.len() as u64;
        self.out.write_all(all)?;
        Ok(place)
    }

    fn finish(mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.before + self.at)
    }
}

/// A new file, and how much is in it.
fn segment(folder: &Path, number: u64) -> io::Result<(BufWriter<File>, u64)> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(folder.join(format!("{:06}", number + 1)))?);
    out.write_all(&MAGIC.to_be_bytes())?;
    out.write_all(&[1, 0, 0, 0])?;
    Ok((out, 8))
}

/// The name of a block: its begin, and its length in place of chance, so that the same store has the same names.
fn ulid(span: Span) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let number = u128::from(span.begin.cast_unsigned()) << 80 | u128::from((span.end - span.begin).cast_unsigned());
    let digit = |place: u32| char::from(DIGITS.get((number >> (5 * place)) as usize & 31).copied().unwrap_or(b'0'));
    (0..26).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_keep_their_place_within_a_step() {
        let of = |time, target| begin(Span { begin: time, end: 0 }, 30_000, target);
        assert_eq!([of(60_000, 0), of(60_000, 7), of(60_008, 7)], [60_000, 60_007, 90_007]);
    }

    #[test]
    fn names_are_in_the_order_of_time() {
        let name = |begin| ulid(Span { begin, end: begin + 7_200_000 });
        assert_eq!(name(0).len(), 26);
        assert!(name(7_200_000) < name(14_400_000));
    }
}
