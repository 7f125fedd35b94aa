//! A page in memory: what the readers give and what [`crate::encode_exposition`] takes.
//!
//! The model is the same whatever the format was: a family has its full name, a counter's with `_total` and an info's
//! with `_info`, as text 0.0.4 and protobuf show it; `_created` lines have become [`ParsedSample::created`]; samples
//! stand in the order of the page.

/// A page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition {
    /// In the order of the page.
    pub families: Vec<ParsedFamily>,
}

/// A family.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedFamily {
    /// Its full name.
    pub name: String,
    /// Empty when the page has none.
    pub help: String,
    /// Its type.
    pub kind: ParsedKind,
    /// Empty when the page has none.
    pub unit: String,
    /// In the order of the page.
    pub samples: Vec<ParsedSample>,
}

/// A family's type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ParsedKind {
    /// Only rises.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative distribution.
    Histogram,
    /// Distribution of a current state.
    GaugeHistogram,
    /// Quantiles.
    Summary,
    /// Text in labels.
    Info,
    /// One series per state.
    StateSet,
    /// Not said.
    #[default]
    Unknown,
}

impl ParsedKind {
    /// As OpenMetrics spells it; text 0.0.4 says `untyped` for unknown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Unknown => "unknown",
        }
    }
}

impl From<metric::Kind> for ParsedKind {
    fn from(kind: metric::Kind) -> Self {
        match kind {
            metric::Kind::Counter => Self::Counter,
            metric::Kind::Gauge => Self::Gauge,
            metric::Kind::Histogram => Self::Histogram,
            metric::Kind::Info => Self::Info,
            metric::Kind::StateSet => Self::StateSet,
            metric::Kind::Unknown => Self::Unknown,
        }
    }
}

/// A line of a page, or one of the lines that a protobuf metric stands for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedSample {
    /// Full name, as on the line: `wait_seconds_bucket`.
    pub name: String,
    /// Names and values, in the order of the page; `le` and `quantile` are last in pages of ours.
    pub labels: Vec<(String, String)>,
    /// Its value; of a native histogram, the number of observations.
    pub value: f64,
    /// In milliseconds since the Unix epoch.
    pub timestamp: Option<i64>,
    /// When a counter, histogram or summary started from zero, in seconds since the Unix epoch. Of the last two, it is
    /// on their `_count` sample, and on the native one.
    pub created: Option<f64>,
    /// A pointer to one event.
    pub exemplar: Option<metric::Exemplar>,
    /// The native histogram, which only protobuf can carry. Its sample has the family's name.
    pub histogram: Option<Box<NativeHistogram>>,
}

impl ParsedSample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A native histogram.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeHistogram {
    /// Observations in all.
    pub count: u64,
    /// Sum of the observed values.
    pub sum: f64,
    /// Resolution: each power of two is divided into 2^schema buckets.
    pub schema: i32,
    /// Observations with an absolute value up to this are in `zero_count`.
    pub zero_threshold: f64,
    /// Observations near zero.
    pub zero_count: u64,
    /// (bucket index, observations), ascending by index, without empty buckets.
    pub positive: Vec<(i32, u64)>,
    /// The same for negative values.
    pub negative: Vec<(i32, u64)>,
    /// Pointers to events, in the order of the page.
    pub exemplars: Vec<metric::Exemplar>,
}

impl Exposition {
    /// The family of this full name.
    pub fn family(&self, name: &str) -> Option<&ParsedFamily> {
        self.families.iter().find(|family| family.name == name)
    }

    /// All samples, with their families.
    pub fn samples(&self) -> impl Iterator<Item = (&ParsedFamily, &ParsedSample)> {
        self.families.iter().flat_map(|family| family.samples.iter().map(move |sample| (family, sample)))
    }

    /// The value of the sample with this name and exactly these labels, in any order.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |sample: &ParsedSample| {
            sample.name == name
                && sample.labels.len() == labels.len()
                && labels.iter().all(|(key, value)| sample.label(key) == Some(*value))
        };
        self.samples().find(|(_, sample)| fits(sample)).map(|(_, sample)| sample.value)
    }
}
