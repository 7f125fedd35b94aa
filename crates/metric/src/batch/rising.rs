//! Tells from the order of subjects that no two of them are equal.

use super::subjects::{SubjectRow, Text};
use crate::label::Label;

/// Labels that have risen from each subject to the next so far, as bits. As long as one has, no two subjects are equal.
/// Cgroups, for instance, come sorted by path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rising(u64);

impl Default for Rising {
    fn default() -> Self {
        Self(u64::MAX)
    }
}

impl Rising {
    /// A subject comes after `last`.
    pub(super) fn note<const M: usize>(
        &mut self,
        last: Option<SubjectRow>,
        labels: &'static [Label],
        values: [&str; M],
        text: &Text,
    ) {
        let Some(last) = last.filter(|_| self.0 != 0) else { return };
        // Of another kind, or with more labels than there are bits.
        if !std::ptr::eq(last.labels, labels) || M > 63 {
            self.0 = 0;
            return;
        }
        self.0 &= (1 << M) - 1;
        let mut bits = self.0;
        while bits != 0 {
            let at = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let rises = values.get(at).is_some_and(|value| text.value(last.first_value as usize + at) < *value);
            self.0 &= !(u64::from(!rises) << at);
        }
    }

    /// Whether all subjects are known to differ.
    pub(super) fn all_differ(self) -> bool {
        self.0 != 0
    }
}
