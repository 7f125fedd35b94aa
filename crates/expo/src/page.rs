//! The output buffer of a page: flushed when full; counts series and bytes.

use std::io::{self, Write};

use metric::Repeats;

/// Size at which the buffer is written to the output.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Counts of a page that was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sample lines, `_created` lines not among them. In protobuf: the lines that the same metrics are in text, and one
    /// for each native histogram.
    pub series: u64,
    /// Bytes before compression.
    pub bytes: u64,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.series += other.series;
        self.bytes += other.bytes;
    }
}

/// A page being written.
pub(crate) struct Page<'a> {
    /// The buffer that encoders append to.
    pub(crate) buf: &'a mut Vec<u8>,
    /// Sample lines so far.
    pub(crate) series: u64,
    bytes: u64,
    out: &'a mut dyn Write,
}

impl<'a> Page<'a> {
    pub(crate) fn new(buf: &'a mut Vec<u8>, out: &'a mut dyn Write) -> Self {
        buf.clear();
        Self { buf, series: 0, bytes: 0, out }
    }

    /// Passes the buffer on if it is full. To be called after each sample.
    #[inline]
    pub(crate) fn relieve(&mut self) -> io::Result<()> {
        if self.buf.len() < CHUNK { Ok(()) } else { self.pass_on() }
    }

    #[cold]
    fn pass_on(&mut self) -> io::Result<()> {
        self.bytes += self.buf.len() as u64;
        self.out.write_all(self.buf)?;
        self.buf.clear();
        Ok(())
    }

    /// Passes the rest on.
    pub(crate) fn end(mut self) -> io::Result<Stats> {
        if !self.buf.is_empty() {
            self.pass_on()?;
        }
        Ok(Stats { series: self.series, bytes: self.bytes })
    }
}

/// Pieces of bytes, by index. Kept from page to page, so that filling it again allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Pieces {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    #[inline]
    pub(crate) fn piece(&self, index: usize) -> &[u8] {
        let start = if index == 0 { Some(&0) } else { self.ends.get(index - 1) };
        match (start, self.ends.get(index)) {
            (Some(start), Some(end)) => self.bytes.get(*start..*end).unwrap_or(&[]),
            _ => &[],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// Buffers that encoders need besides the page.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Samples of the current batch that are left out.
    pub(crate) repeats: Repeats,
    /// The labels of each subject of the current batch, as the format writes them.
    pub(crate) subjects: Pieces,
    /// The labels of the current sample, where several lines need them.
    pub(crate) labels: Vec<u8>,
    /// The values of `le` for `bounds_of`, as the format writes them.
    pub(crate) bounds: Pieces,
    /// The bounds that `bounds` was made for.
    pub(crate) bounds_of: &'static [f64],
    /// A family that is not yet known to fit.
    pub(crate) body: Vec<u8>,
}
