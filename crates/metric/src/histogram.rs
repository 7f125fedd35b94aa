//! Distributions: classic buckets (fixed upper bounds) and native buckets (exponential, sparse).
//!
//! Native buckets follow the Prometheus native histogram specification: at schema `s` bucket `i` holds observations
//! in (2^((i-1)·2^-s), 2^(i·2^-s)]; observations at or below the zero threshold are counted apart.

use crate::exemplar::Exemplar;

/// The classic half: counts of observations by upper bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// Upper bounds, ascending, without +Inf.
    pub bounds: &'static [f64],
    /// Observations in each bucket, not cumulative; one more than bounds, the last is +Inf's.
    pub counts: Vec<u64>,
}

/// The native half.
#[derive(Clone, Debug, PartialEq)]
pub struct Native {
    /// Resolution, −4 to 8: each power of two is divided into 2^schema buckets.
    pub schema: i32,
    /// Observations with an absolute value up to this are counted in `zero`.
    pub zero_threshold: f64,
    /// Observations near zero.
    pub zero: u64,
    /// (bucket index, observations), ascending by index, no zero counts.
    pub positive: Vec<(i32, u64)>,
}

/// Most native buckets one histogram keeps; the resolution is halved when an observation would exceed it.
const NATIVE_BUCKETS: usize = 160;

impl Native {
    /// An empty histogram. `schema` is clamped to −4…8.
    pub fn new(schema: i32) -> Self {
        Self { schema: schema.clamp(-4, 8), zero_threshold: 2.0_f64.powi(-128), zero: 0, positive: Vec::new() }
    }

    /// The index of the bucket that a positive, finite value falls into.
    pub fn index(schema: i32, value: f64) -> i32 {
        let (fraction, exponent) = frexp(value);
        if schema <= 0 {
            // Whole powers of two: 0.5 is the exact lower edge of its binade.
            let index = if fraction == 0.5 { exponent - 1 } else { exponent };
            let shift = -schema;
            return (index + (1 << shift) - 1) >> shift;
        }
        let per_binade = f64::from(1_u32 << schema);
        let exact = fraction.log2() * per_binade;
        // log2 is off by an ulp at bucket edges; an edge belongs to the lower bucket.
        let rounded = exact.round();
        let upper = if (exact - rounded).abs() < 1e-9 && value <= edge(schema, rounded, exponent) {
            rounded
        } else if (exact - rounded).abs() < 1e-9 {
            rounded + 1.0
        } else {
            exact.ceil()
        };
        #[expect(clippy::cast_possible_truncation, reason = "at most 1075 × 256")]
        let index = (upper + f64::from(exponent) * per_binade) as i32;
        index
    }

    /// Counts one observation. NaN is not counted here; negative values count as near zero.
    pub fn observe(&mut self, value: f64, times: u64) {
        if value.is_nan() {
            return;
        }
        if value <= self.zero_threshold {
            self.zero += times;
            return;
        }
        self.add(Self::index(self.schema, value.min(f64::MAX)), times);
        while self.positive.len() > NATIVE_BUCKETS && self.schema > -4 {
            self.halve();
        }
    }

    fn add(&mut self, index: i32, times: u64) {
        match self.positive.binary_search_by_key(&index, |(i, _)| *i) {
            Ok(at) => {
                if let Some(bucket) = self.positive.get_mut(at) {
                    bucket.1 += times;
                }
            }
            Err(at) => self.positive.insert(at, (index, times)),
        }
    }

    /// Merges neighbouring buckets: schema s becomes s−1.
    fn halve(&mut self) {
        let old = std::mem::take(&mut self.positive);
        self.schema -= 1;
        for (index, count) in old {
            self.add((index + 1) >> 1, count);
        }
    }
}

fn edge(schema: i32, step: f64, exponent: i32) -> f64 {
    (step / f64::from(1_u32 << schema)).exp2() * 2.0_f64.powi(exponent)
}

/// `value` = fraction × 2^exponent with fraction in [0.5, 1). The value is positive and finite.
fn frexp(value: f64) -> (f64, i32) {
    let bits = value.to_bits();
    let exponent = (bits >> 52) & 0x7ff;
    if exponent == 0 {
        let (fraction, exponent) = frexp(value * 2.0_f64.powi(64));
        return (fraction, exponent - 64);
    }
    let fraction = f64::from_bits((bits & !(0x7ff << 52)) | (1022 << 52));
    let exponent = exponent as i32 - 1022;
    (fraction, exponent)
}

/// A distribution with its sum.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    sum: f64,
    count: u64,
    /// Classic buckets, if kept.
    pub classic: Option<Buckets>,
    /// Native buckets, if kept.
    pub native: Option<Native>,
    /// When it started from zero, in seconds since the Unix epoch.
    pub created: Option<f64>,
    /// Pointers to events that were observed, a few at most. Of those that fall into one classic bucket a format shows
    /// the last.
    pub exemplars: Vec<Exemplar>,
}

impl Histogram {
    /// An empty histogram with both halves: these classic bounds, and native buckets at `schema`.
    pub fn new(bounds: &'static [f64], schema: i32) -> Self {
        let mut histogram = Self::classic(bounds);
        histogram.native = Some(Native::new(schema));
        histogram
    }

    /// An empty histogram with classic buckets only.
    pub fn classic(bounds: &'static [f64]) -> Self {
        Self { classic: Some(Buckets { bounds, counts: vec![0; bounds.len() + 1] }), ..Self::default() }
    }

    /// A histogram whose buckets were counted elsewhere, in the kernel for example.
    pub fn counted(sum: f64, count: u64, classic: Option<Buckets>, native: Option<Native>) -> Self {
        Self { sum, count, classic, native, created: None, exemplars: Vec::new() }
    }

    /// Counts one observation.
    pub fn observe(&mut self, value: f64) {
        self.observe_many(value, 1);
    }

    /// Counts the same observation `times` times.
    pub fn observe_many(&mut self, value: f64, times: u64) {
        self.sum += value * times as f64;
        self.count += times;
        if let Some(classic) = &mut self.classic {
            let bucket = classic.bounds.partition_point(|bound| *bound < value);
            if let Some(count) = classic.counts.get_mut(bucket) {
                *count += times;
            }
        }
        if let Some(native) = &mut self.native {
            native.observe(value, times);
        }
    }

    /// Observations in all.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of the observed values.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The exemplar that a format shows with the classic bucket (below, bound]: the last of those that fall into it.
    #[inline]
    pub fn exemplar_between(&self, below: f64, bound: f64) -> Option<&Exemplar> {
        self.exemplars.iter().rev().find(|exemplar| exemplar.value > below && exemplar.value <= bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_upper_bound_belongs_to_its_bucket() {
        let mut histogram = Histogram::new(&[1.0, 2.0], 3);
        for value in [0.5, 1.0, 1.5, 2.0, 9.0] {
            histogram.observe(value);
        }
        assert_eq!(histogram.classic.as_ref().map(|c| c.counts.clone()), Some(vec![2, 2, 1]));
        assert_eq!((histogram.count(), histogram.sum()), (5, 14.0));
        assert_eq!(Native::index(0, 1.0), 0);
        assert_eq!(Native::index(0, 1.5), 1);
        assert_eq!(Native::index(3, 1.0), 0);
        assert_eq!(Native::index(3, 2.0), 8);
        assert_eq!(Native::index(-1, 4.0), 1);
        assert_eq!(Native::index(-1, 4.1), 2);
    }

    proptest! {
        #[test]
        fn a_value_lies_between_the_edges_of_its_bucket(value in 1e-30_f64..1e30, schema in -4..=8_i32) {
            let index = Native::index(schema, value);
            let width = 2.0_f64.powi(-schema);
            let upper = (f64::from(index) * width).exp2();
            let lower = (f64::from(index - 1) * width).exp2();
            prop_assert!(value <= upper * (1.0 + 1e-9) && value > lower * (1.0 - 1e-9));
        }

        #[test]
        fn no_observation_is_lost_when_the_resolution_falls(values in prop::collection::vec(1e-12_f64..1e12, 1..600)) {
            let mut native = Native::new(8);
            for value in &values {
                native.observe(*value, 1);
            }
            prop_assert!(native.positive.len() <= NATIVE_BUCKETS);
            prop_assert_eq!(native.positive.iter().map(|(_, n)| n).sum::<u64>() + native.zero, values.len() as u64);
        }
    }
}
