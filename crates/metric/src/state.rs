//! Counters and histograms that live between scrapes: keyed by label values, capped, expiring.
//!
//! A key over the cap goes to one series whose open labels all say `other`; how often that happened is counted.
//! Time is given by the caller, in seconds since the Unix epoch, and only moves the expiry.

use hashbrown::HashMap;

use crate::{
    batch::{Batch, Extra},
    family::Family,
    histogram::Histogram,
    label::{Label, Values},
    unit::Unit,
};

/// Value of the open labels of the series that counts everything over the cap.
const OVERFLOW: &str = "other";

#[derive(Debug)]
struct Entry<V> {
    value: V,
    created: f64,
    touched: f64,
}

#[derive(Debug)]
struct Keyed<V, const N: usize> {
    // Label values come from outside, so the keys are hashed with std's keyed hasher.
    entries: HashMap<[Box<str>; N], Entry<V>, std::hash::RandomState>,
    cap: usize,
    overflowed: u64,
}

impl<V, const N: usize> Keyed<V, N> {
    fn new(cap: usize) -> Self {
        Self { entries: HashMap::default(), cap, overflowed: 0 }
    }

    fn entry(&mut self, labels: &'static [Label; N], key: [&str; N], now: f64, new: impl FnOnce() -> V) -> &mut V {
        let owned = key.map(Box::<str>::from);
        let known = self.entries.contains_key(&owned);
        let key = if known || self.entries.len() < self.cap {
            owned
        } else {
            self.overflowed += 1;
            let mut values = key.iter().zip(labels);
            std::array::from_fn(|_| match values.next() {
                Some((value, label)) if matches!(label.values, Values::Closed(_)) => Box::from(*value),
                _ => Box::from(OVERFLOW),
            })
        };
        let entry = self.entries.entry(key).or_insert_with(|| Entry { value: new(), created: now, touched: now });
        entry.touched = entry.touched.max(now);
        &mut entry.value
    }

    fn expire(&mut self, before: f64) -> usize {
        let len = self.entries.len();
        self.entries.retain(|_, entry| entry.touched >= before);
        len - self.entries.len()
    }
}

/// Counters of one family.
#[derive(Debug)]
pub struct CounterVec<U: 'static, const N: usize> {
    family: &'static Family<U, N>,
    labels: &'static [Label; N],
    keyed: Keyed<f64, N>,
}

impl<U: Unit, const N: usize> CounterVec<U, N> {
    /// No counters yet; at most `cap` distinct keys.
    pub fn new(family: &'static Family<U, N>, labels: &'static [Label; N], cap: usize) -> Self {
        Self { family, labels, keyed: Keyed::new(cap) }
    }

    /// Adds to the counter with these label values.
    pub fn add(&mut self, key: [&str; N], value: impl Into<U>, now: f64) {
        *self.keyed.entry(self.labels, key, now, || 0.0) += value.into().number();
    }

    /// Removes what was not touched since; returns how many.
    pub fn expire(&mut self, before: f64) -> usize {
        self.keyed.expire(before)
    }

    /// The number of additions that went to the overflow series.
    pub fn overflowed(&self) -> u64 {
        self.keyed.overflowed
    }

    /// Puts all counters, with their created times.
    pub fn emit(&self, out: &mut Batch) {
        for (key, entry) in &self.keyed.entries {
            let extra = Extra { created: Some(entry.created), exemplar: None };
            let labels = std::array::from_fn(|i| key.get(i).map_or("", |value| &**value));
            out.push_number(self.family, labels, entry.value, extra);
        }
    }
}

/// Histograms of one family.
#[derive(Debug)]
pub struct HistogramVec<U: 'static, const N: usize> {
    family: &'static Family<U, N>,
    labels: &'static [Label; N],
    bounds: &'static [f64],
    schema: i32,
    keyed: Keyed<Histogram, N>,
}

impl<U: Unit, const N: usize> HistogramVec<U, N> {
    /// No histograms yet; each will have these classic bounds and native buckets at `schema`; at most `cap` keys.
    pub fn new(
        family: &'static Family<U, N>,
        labels: &'static [Label; N],
        bounds: &'static [f64],
        schema: i32,
        cap: usize,
    ) -> Self {
        Self { family, labels, bounds, schema, keyed: Keyed::new(cap) }
    }

    /// Counts an observation in the histogram with these label values.
    pub fn observe(&mut self, key: [&str; N], value: impl Into<U>, now: f64) {
        let (bounds, schema) = (self.bounds, self.schema);
        let histogram = self.keyed.entry(self.labels, key, now, || {
            let mut histogram = Histogram::new(bounds, schema);
            histogram.created = Some(now);
            histogram
        });
        histogram.observe(value.into().number());
    }

    /// Removes what was not touched since; returns how many.
    pub fn expire(&mut self, before: f64) -> usize {
        self.keyed.expire(before)
    }

    /// The number of observations that went to the overflow series.
    pub fn overflowed(&self) -> u64 {
        self.keyed.overflowed
    }

    /// Puts all histograms.
    pub fn emit(&self, out: &mut Batch) {
        for (key, entry) in &self.keyed.entries {
            let labels = std::array::from_fn(|i| key.get(i).map_or("", |value| &**value));
            out.put_histogram(self.family, None, labels, entry.value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Count;

    const LABELS: &[Label; 2] = &[Label::open("user", "users"), Label::closed("ok", &["yes", "no"])];
    static LOGINS: Family<Count, 2> = Family::counter("logins_total", "Logins.", LABELS);

    #[test]
    fn a_key_over_the_cap_counts_as_other_and_closed_labels_keep_their_value() {
        let mut logins = CounterVec::new(&LOGINS, LABELS, 1);
        logins.add(["ann", "yes"], 1_u8, 10.0);
        logins.add(["bob", "no"], 1_u8, 11.0);
        logins.add(["eve", "no"], 1_u8, 12.0);
        logins.add(["ann", "yes"], 1_u8, 13.0);
        let mut batch = Batch::default();
        logins.emit(&mut batch);
        let mut seen: Vec<_> = batch
            .samples(LOGINS.desc())
            .map(|s| (s.labels().all().map(|(_, v)| v.to_owned()).collect::<Vec<_>>().join(","), s.number()))
            .collect();
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(seen, [("ann,yes".to_owned(), 2.0), ("other,no".to_owned(), 2.0)]);
        assert_eq!(logins.overflowed(), 2);
        assert_eq!(logins.expire(13.0), 1);
    }
}
