//! Streaming compression: a writer around a writer.

use std::io::{self, Write};

use flate2::write::GzEncoder;

use crate::negotiate::Encoding;

/// Level 1 is faster by a quarter and leaves half as much again; level 6 takes twice the time for one twentieth less.
pub(crate) const GZIP_LEVEL: u32 = 2;
const ZSTD_LEVEL: i32 = 1;

/// Compresses what is written to it and passes it on. The end of the stream is written by [`Compressor::finish`].
pub struct Compressor<W: Write>(Kind<W>);

enum Kind<W: Write> {
    Identity(W),
    Gzip(Box<GzEncoder<W>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, W>>),
}

impl<W: Write> Compressor<W> {
    /// A compressor of this kind into `out`. Fails when zstd cannot get its memory.
    pub fn new(encoding: Encoding, out: W) -> io::Result<Self> {
        Ok(Self(match encoding {
            Encoding::Identity => Kind::Identity(out),
            Encoding::Gzip => Kind::Gzip(Box::new(GzEncoder::new(out, flate2::Compression::new(GZIP_LEVEL)))),
            Encoding::Zstd => Kind::Zstd(Box::new(zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?)),
        }))
    }

    /// Writes what is left and the end of the stream; gives the inner writer back.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Kind::Identity(out) => Ok(out),
            Kind::Gzip(encoder) => encoder.finish(),
            Kind::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Identity(out) => out.write(bytes),
            Kind::Gzip(encoder) => encoder.write(bytes),
            Kind::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::Identity(out) => out.flush(),
            Kind::Gzip(encoder) => encoder.flush(),
            Kind::Zstd(encoder) => encoder.flush(),
        }
    }
}

impl<W: Write> std::fmt::Debug for Compressor<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Kind::Identity(_) => "Compressor(identity)",
            Kind::Gzip(_) => "Compressor(gzip)",
            Kind::Zstd(_) => "Compressor(zstd)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn compressed(encoding: Encoding, parts: &[&[u8]]) -> Vec<u8> {
        let mut compressor = Compressor::new(encoding, Vec::new()).unwrap();
        for part in parts {
            compressor.write_all(part).unwrap();
        }
        compressor.finish().unwrap()
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let parts: &[&[u8]] = &[b"# TYPE up gauge\n", b"", &b"up 1\n".repeat(50_000)];
        let plain = parts.concat();
        assert_eq!(compressed(Encoding::Identity, parts), plain);
        let gzip = compressed(Encoding::Gzip, parts);
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&*gzip).read_to_end(&mut back).unwrap();
        assert!(back == plain && gzip.len() < plain.len() / 100);
        let zstd = compressed(Encoding::Zstd, parts);
        assert!(zstd::stream::decode_all(&*zstd).unwrap() == plain && zstd.len() < plain.len() / 100);
    }
}
