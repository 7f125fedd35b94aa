//! A store: series with their labels, and what their samples look like.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::Mutex;

use crate::block::{self, Row, Span, Written};
use crate::index::Label;
use crate::shape::Shape;

/// Series to be written.
#[derive(Debug, Clone, Default)]
pub struct Store {
    texts: HashMap<Box<str>, u32>,
    rows: Vec<Row>,
}

impl Store {
    /// Adds a series with these labels, among them `__name__`; those without a value are left out. Series of the same
    /// `target` have their samples at the same times.
    pub fn add<'a>(&mut self, labels: impl IntoIterator<Item = (&'a str, &'a str)>, target: u64, shape: Shape) {
        let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
        let labels = labels.map(|(name, value)| (self.text(name), self.text(value))).collect();
        self.rows.push(Row { labels, shape, target });
    }

    /// The number of series.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn text(&mut self, text: &str) -> u32 {
        if let Some(number) = self.texts.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.texts.insert(text.into(), number);
        number
    }

    /// Writes a block for each span below a folder, with a sample of each series every `step` milliseconds, on two
    /// threads. Two series with the same labels are an error.
    pub fn write(mut self, folder: &Path, spans: &[Span], step: i64) -> io::Result<Written> {
        let mut texts: Vec<(Box<str>, u32)> = self.texts.into_iter().collect();
        texts.sort_unstable();
        // From the order of arrival to the order of the alphabet, in which numbers compare as their texts do.
        let mut places = vec![0; texts.len()];
        for ((_, number), place) in texts.iter().zip(0_u32..) {
            if let Some(at) = places.get_mut(*number as usize) {
                *at = place;
            }
        }
        let place = |number: u32| places.get(number as usize).copied().unwrap_or_default();
        for row in &mut self.rows {
            for label in &mut row.labels {
                *label = (place(label.0), place(label.1));
            }
            row.labels.sort_unstable();
        }
        self.rows.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        let texts: Vec<&str> = texts.iter().map(|(text, _)| &**text).collect();
        if let Some(twice) = self.rows.windows(2).find(|two| matches!(two, [a, b] if a.labels == b.labels)) {
            let named = twice.iter().take(1).flat_map(|row| &row.labels);
            let named: Vec<&str> = named
                .flat_map(|(name, value)| [name, value])
                .filter_map(|at| texts.get(*at as usize).copied())
                .collect();
            return Err(io::Error::other(format!("two series have the same labels: {}", named.join(" "))));
        }
        let mut with: BTreeMap<Label, Vec<u32>> = BTreeMap::new();
        for (row, number) in self.rows.iter().zip(0_u32..) {
            for label in &row.labels {
                with.entry(*label).or_default().push(number);
            }
        }
        let rows = &self.rows;
        let left = Mutex::new((spans.iter(), Written::default()));
        let work = || -> io::Result<()> {
            loop {
                let next = left.lock().map_err(|_| io::Error::other("the other thread failed"))?.0.next();
                let Some(span) = next else { return Ok(()) };
                let written = block::write(folder, *span, step, &texts, rows, &with)?;
                let mut left = left.lock().map_err(|_| io::Error::other("the other thread failed"))?;
                left.1.series = written.series;
                left.1.samples += written.samples;
                left.1.bytes += written.bytes;
            }
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(work);
            work()?;
            other.join().map_err(|_| io::Error::other("the other thread failed"))?
        })?;
        let (_, written) = left.into_inner().map_err(|_| io::Error::other("a thread failed"))?;
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_labels_twice_are_an_error() {
        let mut store = Store::default();
        for order in [[("__name__", "x"), ("a", "1")], [("a", "1"), ("__name__", "x")]] {
            store.add(order, 0, Shape::Constant(1.0));
        }
        let folder = tempfile::tempdir().unwrap();
        let error = store.write(folder.path(), &[Span { begin: 0, end: 60_000 }], 30_000).unwrap_err();
        assert!(error.to_string().contains("__name__ x a 1"), "{error}");
    }
}
