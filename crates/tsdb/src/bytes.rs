//! Numbers as the formats have them: big-endian, or with seven bits a byte, and checksums.

/// The polynomial of Castagnoli, reflected.
const CASTAGNOLI: u32 = 0x82f6_3b78;

#[expect(clippy::indexing_slicing, reason = "at compile time")]
static CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ CASTAGNOLI } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

/// The checksum of these bytes.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let at = usize::from((crc as u8) ^ byte);
        crc >> 8 ^ CRC_TABLE.get(at).copied().unwrap_or_default()
    };
    !bytes.iter().fold(!0, step)
}

/// Appends a number with seven bits a byte, low ones first.
pub(crate) fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The same for a number that may be negative: its sign is the lowest bit.
pub(crate) fn put_varint(out: &mut Vec<u8>, value: i64) {
    put_uvarint(out, (value << 1 ^ value >> 63).cast_unsigned());
}

/// Appends a text with its length before it.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_uvarint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_3720() {
        assert_eq!(crc(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn numbers_are_those_of_go() {
        let put = |value| {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            out
        };
        assert_eq!(put(-1), [1]);
        assert_eq!(put(64), [0x80, 1]);
        assert_eq!(put(i64::MIN).len(), 10);
    }
}
