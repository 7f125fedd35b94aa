//! `io.prometheus.client.MetricFamily` messages, each behind its length as a varint.
//!
//! The schema is `metrics.proto` of `prometheus/client_model`: about ten messages that only ever grow, so reading and
//! writing them by hand costs less than a code generator in the build. Field numbers stand in `field`. Its
//! reader is among the others, in `parse`.

pub(crate) mod field;
pub(crate) mod wire;
pub(crate) mod write;
