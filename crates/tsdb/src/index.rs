//! The index of a block: its texts, its series with their chunks, and which series have a label's value.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::bytes::{crc, put_text, put_uvarint, put_varint};

const MAGIC: u32 = 0xbaaa_d700;
const VERSION: u8 = 2;
/// Series begin at multiples of this, and are named by their place in it.
const ALIGNMENT: u64 = 16;

/// A chunk of a series: its first and last time, and where its bytes are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) at: u64,
}

/// The numbers of a label's name and value among all texts.
pub(crate) type Label = (u32, u32);

/// An index that is being written.
#[derive(Debug)]
pub(crate) struct Index<W> {
    out: W,
    at: u64,
    series_begin: u64,
    symbols_begin: u64,
    /// Names of the series so far.
    series: Vec<u32>,
    scratch: Vec<u8>,
}

impl<W: Write> Index<W> {
    /// Begins with all texts, which are in order.
    pub(crate) fn begin(out: W, texts: &[&str]) -> io::Result<Self> {
        let mut index = Self { out, at: 0, series_begin: 0, symbols_begin: 0, series: Vec::new(), scratch: Vec::new() };
        index.put(&MAGIC.to_be_bytes())?;
        index.put(&[VERSION])?;
        index.symbols_begin = index.at;
        let mut body = Vec::new();
        body.extend((texts.len() as u32).to_be_bytes());
        for text in texts {
            put_text(&mut body, text);
        }
        index.section(&body)?;
        index.align(ALIGNMENT)?;
        index.series_begin = index.at;
        Ok(index)
    }

    /// Adds a series; they come in the order of their labels.
    pub(crate) fn series(&mut self, labels: &[Label], places: &[Place]) -> io::Result<()> {
        self.align(ALIGNMENT)?;
        self.series.push((self.at / ALIGNMENT) as u32);
        let mut body = std::mem::take(&mut self.scratch);
        body.clear();
        put_uvarint(&mut body, labels.len() as u64);
        for (name, value) in labels {
            put_uvarint(&mut body, (*name).into());
            put_uvarint(&mut body, (*value).into());
        }
        put_uvarint(&mut body, places.len() as u64);
        let mut before: Option<&Place> = None;
        for place in places {
            match before {
                None => put_varint(&mut body, place.first),
                Some(before) => put_uvarint(&mut body, (place.first - before.last).cast_unsigned()),
            }
            put_uvarint(&mut body, (place.last - place.first).cast_unsigned());
            match before {
                None => put_uvarint(&mut body, place.at),
                Some(before) => put_varint(&mut body, place.at.cast_signed() - before.at.cast_signed()),
            }
            before = Some(place);
        }
        let mut length = Vec::with_capacity(3);
        put_uvarint(&mut length, body.len() as u64);
        self.put(&length)?;
        self.put(&body)?;
        self.put(&crc(&body).to_be_bytes())?;
        self.scratch = body;
        Ok(())
    }

    /// Ends with which series have which label: numbers of series in the order in which they were added.
    pub(crate) fn finish(mut self, texts: &[&str], with: &BTreeMap<Label, Vec<u32>>) -> io::Result<W> {
        self.align(4)?;
        let postings_begin = self.at;
        let all: Vec<u32> = self.series.clone();
        let mut table = Vec::new();
        table.extend((with.len() as u32 + 1).to_be_bytes());
        self.postings(&mut table, ["", ""], all.iter().copied())?;
        for ((name, value), numbers) in with {
            let text = |number: &u32| texts.get(*number as usize).copied().unwrap_or_default();
            let series = numbers.iter().filter_map(|number| all.get(*number as usize).copied());
            self.postings(&mut table, [text(name), text(value)], series)?;
        }
        // Indices of labels are of the first version; nobody reads them any more.
        let labels_begin = self.at;
        self.section(&0_u32.to_be_bytes())?;
        let table_begin = self.at;
        self.section(&table)?;
        let begins = [self.symbols_begin, self.series_begin, labels_begin, labels_begin, postings_begin, table_begin];
        let contents: Vec<u8> = begins.iter().flat_map(|begin| begin.to_be_bytes()).collect();
        self.put(&contents)?;
        self.put(&crc(&contents).to_be_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn postings(
        &mut self,
        table: &mut Vec<u8>,
        [name, value]: [&str; 2],
        series: impl Iterator<Item = u32>,
    ) -> io::Result<()> {
        self.align(4)?;
        put_uvarint(table, 2);
        put_text(table, name);
        put_text(table, value);
        put_uvarint(table, self.at);
        let mut body = vec![0; 4];
        body.extend(series.flat_map(u32::to_be_bytes));
        let count = (body.len() / 4 - 1) as u32;
        for (byte, of) in body.iter_mut().zip(count.to_be_bytes()) {
            *byte = of;
        }
        self.section(&body)
    }

    /// A part with its length before it and its checksum behind.
    fn section(&mut self, body: &[u8]) -> io::Result<()> {
        self.put(&(body.len() as u32).to_be_bytes())?;
        self.put(body)?;
        self.put(&crc(body).to_be_bytes())
    }

    fn align(&mut self, to: u64) -> io::Result<()> {
        let missing = self.at.next_multiple_of(to) - self.at;
        self.put([0; 16].get(..missing as usize).unwrap_or_default())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}
