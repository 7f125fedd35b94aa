//! Chunks: up to 120 samples of one series, times as changes of their distance, values as changes of their bits.

use crate::bytes::{put_uvarint, put_varint};

/// Samples of a chunk.
pub(crate) const SAMPLES: u16 = 120;

/// A chunk that is being written. Times are equally far apart, which is what scrapes come to once Prometheus has put them
/// on their grid.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    /// Bits of the last byte that are free.
    free: u8,
    count: u16,
    time: i64,
    value: u64,
    /// Zero bits before and after those that the last change had.
    window: Option<(u8, u8)>,
}

impl Chunk {
    /// Forgets all samples.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.extend([0, 0]);
        (self.free, self.count, self.window) = (0, 0, None);
    }

    /// The number of samples.
    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    /// Adds a sample. The second says how far apart all are.
    pub(crate) fn push(&mut self, time: i64, value: f64) {
        let value = value.to_bits();
        match self.count {
            0 => {
                put_varint(&mut self.bytes, time);
                self.bytes.extend(value.to_be_bytes());
            }
            1 => {
                put_uvarint(&mut self.bytes, (time - self.time).cast_unsigned());
                self.change(value);
            }
            _ => {
                self.bits(0, 1);
                self.change(value);
            }
        }
        (self.time, self.value) = (time, value);
        self.count += 1;
    }

    /// The chunk's bytes.
    pub(crate) fn finish(&mut self) -> &[u8] {
        for (byte, count) in self.bytes.iter_mut().zip(self.count.to_be_bytes()) {
            *byte = count;
        }
        &self.bytes
    }

    fn change(&mut self, value: u64) {
        let delta = self.value ^ value;
        if delta == 0 {
            self.bits(0, 1);
            return;
        }
        let (leading, trailing) = ((delta.leading_zeros() as u8).min(31), delta.trailing_zeros() as u8);
        match self.window {
            Some((before, after)) if leading >= before && trailing >= after => {
                self.bits(0b10, 2);
                self.bits(delta >> after, 64 - before - after);
            }
            _ => {
                self.window = Some((leading, trailing));
                let significant = 64 - leading - trailing;
                self.bits(0b11, 2);
                self.bits(leading.into(), 5);
                self.bits((significant & 63).into(), 6);
                self.bits(delta >> trailing, significant);
            }
        }
    }

    /// Appends the lowest bits of a value, the highest of them first.
    fn bits(&mut self, value: u64, mut count: u8) {
        while count > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let now = count.min(self.free);
            let part = (value >> (count - now)) as u8 & (0xff >> (8 - now));
            if let Some(last) = self.bytes.last_mut() {
                *last |= part << (self.free - now);
            }
            self.free -= now;
            count -= now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_encoded_as_prometheus_does() {
        let mut chunk = Chunk::default();
        chunk.clear();
        for (time, value) in [(1000, 1.0), (2000, 1.0), (3000, 2.0), (4000, 2.0)] {
            chunk.push(time, value);
        }
        // 1.0 is 0x3ff0…, 2.0 is 0x4000…: they differ in bits 62 to 52. After the second time: 0 (same value), then 0 11
        // 00001 001011 and eleven ones, then 0 0.
        let bits = [0, 4, 0xd0, 0x0f, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xe8, 0x07];
        assert_eq!(chunk.finish()[..14], bits);
        assert_eq!(chunk.finish()[14..], [0b0011_0000, 0b1001_0111, 0b1111_1111, 0b1100_0000]);
    }
}
