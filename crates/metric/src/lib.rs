#![forbid(unsafe_code)]
//! The model of metrics: families declared once as statics, the batch that samples are put into, and the counters and
//! histograms that live between scrapes.
//!
//! This crate does no I/O and writes no text. How samples look on the wire is the business of `expo`; which families
//! an endpoint shows is the business of the program.
//!
//! ```
//! use metric::{Alone, Batch, Bytes, Desc, Family, Label};
//!
//! static FREE: Family<Bytes, 1> = Family::gauge(
//!     "volume_free_bytes",
//!     "Space that is left on the volume.",
//!     &[Label::open("volume", "volumes of the machine")],
//! );
//! static FAMILIES: &[&Desc] = &[FREE.desc()];
//!
//! let mut batch = Batch::default();
//! batch.put(&FREE, ["data"], Bytes(4096));
//! assert_eq!(batch.samples(FAMILIES[0]).len(), 1);
//! ```

mod batch;
mod catalog;
mod discovered;
mod exemplar;
mod family;
mod histogram;
mod label;
mod state;
mod unit;

pub use batch::{
    Batch, Extra, Limits, Mark, Number, Of, Sample, SampleLabels,
    kept::{Counter, Kept, Revised},
    repeats::Repeats,
};
pub use catalog::{Catalog, FamilyEntry, LabelEntry, NeedEntry, Section};
pub use discovered::Discovered;
pub use exemplar::Exemplar;
pub use family::{Alone, Desc, Family, Kind, Subject};
pub use histogram::{Buckets, Histogram, Native};
pub use label::{Label, Values};
pub use state::{CounterVec, HistogramVec};
pub use unit::{
    Bytes, Celsius, Count, Hertz, Kibibytes, Micros, Millis, Nanos, Ratio, Seconds, Ticks, Timestamp, Unit, UnitName,
    Volts, Watts,
};
