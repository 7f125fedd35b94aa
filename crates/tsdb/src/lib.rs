//! Blocks of Prometheus' time series database, written directly: as many series as a large cluster has, over a day, in a
//! minute. Prometheus' own way in, text through `promtool tsdb create-blocks-from openmetrics`, takes hours for that.
//!
//! `chunk` encodes samples, `index` the series and their labels, `block` writes both and `meta.json`. The formats are
//! version 1 of chunks and version 2 of the index, which every Prometheus since 2.0 reads. A store is for tools and
//! benchmarks: what it writes is made up.
#![forbid(unsafe_code)]
#![expect(
    clippy::cast_possible_truncation,
    reason = "the formats take low bytes and numbers of 32 bits; no store has as many series"
)]

mod block;
mod bytes;
mod chunk;
mod index;
mod shape;
mod store;

pub use block::{Span, Written};
pub use shape::Shape;
pub use store::Store;
