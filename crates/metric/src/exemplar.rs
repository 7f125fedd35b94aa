//! Exemplars: from a sample to one of the events that it counts.

/// A pointer from a sample to one event: a trace, a log record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exemplar {
    /// Names and values; at most 128 characters in all, or formats that limit them leave the exemplar out.
    pub labels: Vec<(String, String)>,
    /// The observed value.
    pub value: f64,
    /// When, in seconds since the Unix epoch.
    pub timestamp: Option<f64>,
}
