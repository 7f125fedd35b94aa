//! Lifetimes of containers. In a file they are a list, since their keys are not strings.

use std::{collections::HashMap, sync::Arc};

use kubernetes::workload::Kind;
use metric::{Buckets, Histogram, Native};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Lifetimes of containers, by namespace and kind of workload.
pub type Lifetimes = HashMap<(Arc<str>, Kind), Histogram>;

/// Bounds of lifetimes, in seconds.
pub const LIFETIME_BOUNDS: &[f64] =
    &[0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 3600.0, 21_600.0, 86_400.0, 604_800.0];

#[derive(Serialize, Deserialize)]
struct Row {
    namespace: String,
    #[serde(deserialize_with = "kubernetes::workload::known_kind")]
    kind: Kind,
    created: Option<f64>,
    sum: f64,
    count: u64,
    classic: Vec<u64>,
    schema: i32,
    zero: u64,
    positive: Vec<(i32, u64)>,
}

pub(super) fn serialize<S: Serializer>(lifetimes: &Lifetimes, to: S) -> Result<S::Ok, S::Error> {
    let rows = lifetimes.iter().map(|((namespace, kind), histogram)| {
        let native = histogram.native.clone().unwrap_or_else(|| Native::new(3));
        Row {
            namespace: namespace.to_string(),
            kind,
            created: histogram.created,
            sum: histogram.sum(),
            count: histogram.count(),
            classic: histogram.classic.as_ref().map(|classic| classic.counts.clone()).unwrap_or_default(),
            schema: native.schema,
            zero: native.zero,
            positive: native.positive,
        }
    });
    to.collect_seq(rows)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Lifetimes, D::Error> {
    let rows = Vec::<Row>::deserialize(from)?;
    let read = |row: Row| {
        let mut counts = row.classic;
        counts.resize(LIFETIME_BOUNDS.len() + 1, 0);
        let mut native = Native::new(row.schema);
        (native.zero, native.positive) = (row.zero, row.positive);
        let classic = Buckets { bounds: LIFETIME_BOUNDS, counts };
        let mut histogram = Histogram::counted(row.sum, row.count, Some(classic), Some(native));
        histogram.created = row.created;
        ((row.namespace.into(), row.kind), histogram)
    };
    Ok(rows.into_iter().map(read).collect())
}
