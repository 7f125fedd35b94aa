//! The subjects of a batch, and the text that holds the values of all labels.

use crate::label::Label;

/// Values of labels, back to back.
#[derive(Debug, Default)]
pub(super) struct Text {
    bytes: String,
    ends: Vec<u32>,
}

impl Text {
    pub(super) fn push(&mut self, value: &str) {
        self.bytes.push_str(value);
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.ends.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn value(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends.get(index - 1).map_or(0, |end| *end as usize) };
        let end = self.ends.get(index).map_or(start, |end| *end as usize);
        self.bytes.get(start..end).unwrap_or("")
    }

    pub(super) fn truncate(&mut self, values: u32) {
        self.ends.truncate(values as usize);
        self.bytes.truncate(self.ends.last().map_or(0, |end| *end as usize));
    }
}

/// A subject: its labels, and where their values begin in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct SubjectRow {
    pub(super) labels: &'static [Label],
    pub(super) first_value: u32,
}
