//! The wire format: wire types, and how varints, tags and messages within messages are written.

/// The wire type of integers.
pub(crate) const VARINT: u32 = 0;
/// The wire type of doubles.
pub(crate) const FIXED64: u32 = 1;
/// The wire type of strings, messages and packed lists.
pub(crate) const LENGTH: u32 = 2;
/// The wire type of floats, which no message of ours has.
pub(crate) const FIXED32: u32 = 5;

/// Appends a varint.
#[inline]
pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    #[expect(clippy::cast_possible_truncation, reason = "the low seven bits are meant")]
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 128")]
    out.push(value as u8);
}

/// A signed number as a small unsigned one.
#[inline]
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[inline]
fn push_tag(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    push_varint(out, u64::from(field << 3 | wire_type));
}

/// Appends an integer field.
#[inline]
pub(crate) fn push_int(out: &mut Vec<u8>, field: u32, value: u64) {
    push_tag(out, field, VARINT);
    push_varint(out, value);
}

/// Appends a double field.
#[inline]
pub(crate) fn push_double(out: &mut Vec<u8>, field: u32, value: f64) {
    push_tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a string field.
#[inline]
pub(crate) fn push_string(out: &mut Vec<u8>, field: u32, value: &str) {
    push_tag(out, field, LENGTH);
    push_varint(out, value.len() as u64);
    out.extend_from_slice(value.as_bytes());
}

/// Appends a message field, or a packed list. Its length is not known before, so one byte is kept free for it, and the
/// body moves when that is too little.
#[inline]
pub(crate) fn push_nested(out: &mut Vec<u8>, field: u32, body: impl FnOnce(&mut Vec<u8>)) {
    push_tag(out, field, LENGTH);
    let start = out.len();
    out.push(0);
    body(out);
    let end = out.len();
    push_varint(out, (end - start - 1) as u64);
    let length_bytes = out.len() - end;
    let mut length = [0_u8; 10];
    if let (Some(to), Some(from)) = (length.get_mut(..length_bytes), out.get(end..)) {
        to.copy_from_slice(from);
    }
    out.copy_within(start + 1..end, start + length_bytes);
    if let (Some(to), Some(from)) = (out.get_mut(start..start + length_bytes), length.get(..length_bytes)) {
        to.copy_from_slice(from);
    }
    out.truncate(end + length_bytes - 1);
}
