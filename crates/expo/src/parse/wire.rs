//! The fields of a protobuf message as they come off the wire.

use super::error::Problem;
use crate::protobuf::wire::{FIXED32, FIXED64, LENGTH, VARINT};

const TRUNCATED: Problem = Problem::Malformed("it ends too early");

/// The value of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Int(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(super) fn int(self) -> Result<u64, Problem> {
        if let Self::Int(value) = self { Ok(value) } else { Err(Problem::Malformed("not an integer")) }
    }

    pub(super) fn double(self) -> Result<f64, Problem> {
        if let Self::Fixed64(bits) = self { Ok(f64::from_bits(bits)) } else { Err(Problem::Malformed("not a double")) }
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], Problem> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(Problem::Malformed("not a message")) }
    }

    pub(super) fn text(self) -> Result<String, Problem> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Problem::NotUtf8)
    }
}

/// The fields of a message: number and value. It ends after the first error.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
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
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, Problem> {
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
pub(super) fn delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Problem> {
    let length = usize::try_from(varint(rest)?).map_err(|_| TRUNCATED)?;
    let (message, tail) = rest.split_at_checked(length).ok_or(TRUNCATED)?;
    *rest = tail;
    Ok(message)
}

/// The inverse of [`crate::protobuf::wire::zigzag`].
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
