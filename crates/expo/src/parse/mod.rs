//! Parsers of pages, for tests and tools. Strict mode finds errors that lenient scrapers accept; lenient mode reads
//! other exporters' pages.
//!
//! Strict reading refuses: a family or a header line that stands twice, families that are interleaved or whose names
//! clash, a series that stands twice, a sample whose suffix its type does not allow, classic buckets that fall or lack
//! +Inf, and in OpenMetrics all that the specification says MUST NOT (missing `# EOF`, blank lines, misplaced
//! exemplars, negative counters, units that are no suffix). Lenient reading refuses only what is no line of the format;
//! it is for pages of others.

mod error;
mod family;
mod grammar;
mod line;
mod protobuf;
mod text;
mod wire;

pub use error::{ParseError, Place, Problem};
pub use grammar::Strictness;

use crate::{dialect::Dialect, model::Exposition, negotiate::Format};

/// Reads a page, strictly.
pub fn parse(page: &[u8], format: Format) -> Result<Exposition, ParseError> {
    read(page, format, Strictness::Strict)
}

/// Reads a page of another program, see the module.
pub fn parse_lenient(page: &[u8], format: Format) -> Result<Exposition, ParseError> {
    read(page, format, Strictness::Lenient)
}

fn read(page: &[u8], format: Format, strictness: Strictness) -> Result<Exposition, ParseError> {
    match format {
        Format::Text004 => text::read(page, Dialect::Text004, strictness),
        Format::OpenMetrics1 => text::read(page, Dialect::OpenMetrics, strictness),
        Format::Protobuf => protobuf::read(page, strictness),
    }
}
