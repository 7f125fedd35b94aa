#![forbid(unsafe_code)]
//! Samples on the wire: Prometheus text 0.0.4, OpenMetrics 1.0 and Prometheus protobuf; which of them a client
//! gets; compression; and strict readers of all three.
//!
//! ```
//! use expo::{Encoder, Format};
//! use metric::{Batch, Bytes, Family, Label};
//!
//! static FREE: Family<Bytes, 1> = Family::gauge(
//!     "volume_free_bytes",
//!     "Space that is left on the volume.",
//!     &[Label::open("volume", "volumes of the machine")],
//! );
//! let mut batch = Batch::default();
//! batch.put(&FREE, ["data"], Bytes(4096));
//!
//! let mut page = Vec::new();
//! let stats = Encoder::default().encode(&[&batch], Format::Text004, &mut page)?;
//! assert_eq!(stats.series, 1);
//! assert!(page.ends_with(b"volume_free_bytes{volume=\"data\"} 4096\n"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! This crate knows no slice and no socket: batches come in, bytes go to a writer.

mod compress;
mod dialect;
mod encoder;
mod escape;
mod gzip;
mod model;
mod negotiate;
mod number;
mod page;
mod parse;
mod protobuf;
mod rewrite;
mod shape;
mod text;
mod unique;

pub use compress::Compressor;
pub use encoder::{Encoder, encode, encode_exposition};
pub use gzip::{Code, Counts, Gzip, Tokens};
pub use model::{Exposition, NativeHistogram, ParsedFamily, ParsedKind, ParsedSample};
pub use negotiate::{Encoding, Format, negotiate, negotiate_encoding};
pub use page::Stats;
pub use parse::{ParseError, Place, Problem, Strictness, parse, parse_lenient};
pub use unique::line_names;
