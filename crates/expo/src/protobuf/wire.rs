//! The wire format: varints, tags, and messages within messages.

use crate::parse::Problem;

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

const TRUNCATED: Problem = Problem::Malformed("it ends too early");

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

/// The value of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Int(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(crate) fn int(self) -> Result<u64, Problem> {
        if let Self::Int(value) = self { Ok(value) } else { Err(Problem::Malformed("not an integer")) }
    }

    pub(crate) fn double(self) -> Result<f64, Problem> {
        if let Self::Fixed64(bits) = self { Ok(f64::from_bits(bits)) } else { Err(Problem::Malformed("not a double")) }
    }

    pub(crate) fn bytes(self) -> Result<&'a [u8], Problem> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(Problem::Malformed("not a message")) }
    }

    pub(crate) fn text(self) -> Result<String, Problem> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Problem::NotUtf8)
    }
}

/// The fields of a message: number and value. It ends after the first error.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), Problem> {
        let tag = u32::try_from(varint(&mut self.rest)?).map_err(|_| Problem::Malformed("field number"))?;
        let value = match tag & 7 {
            VARINT => Value::Int(varint(&mut self.rest)?),
            FIXED64 => {
                let (bytes, rest) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
                self.rest = rest;
                Value::Fixed64(u64::from_le_bytes(*bytes))
            }
            LENGTH => Value::Bytes(delimited(&mut self.rest)?),
            FIXED32 => {
                self.rest = self.rest.get(4..).ok_or(TRUNCATED)?;
                Value::Fixed32
            }
            _ => return Err(Problem::Malformed("wire type")),
        };
        Ok((tag >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Takes a varint off the front.
pub(crate) fn varint(rest: &mut &[u8]) -> Result<u64, Problem> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first().ok_or(TRUNCATED)?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Problem::Malformed("varint of more than 64 bits"))
}

/// Takes a length and as many bytes off the front.
pub(crate) fn delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Problem> {
    let length = usize::try_from(varint(rest)?).map_err(|_| TRUNCATED)?;
    let (message, tail) = rest.split_at_checked(length).ok_or(TRUNCATED)?;
    *rest = tail;
    Ok(message)
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
