//! Families whose names come from the host: fields of kernel files that cannot be listed in advance.
//!
//! This is for names that must equal another exporter's, which makes one family of each field. What can be known is
//! declared as a static instead, so that the catalogue has it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    family::{Family, Kind, is_metric_name},
    label::Label,
    unit::Unit,
};

/// Families with one namer, kind, unit and set of labels, made when their name is first seen. They are never freed, so
/// their number is capped; make one `static` of each kind of field.
///
/// ```
/// use metric::{Batch, Count, Discovered, Kind};
///
/// static FIELDS: Discovered<Count, 0> = Discovered::new("other_exporter", Kind::Unknown, &[], 500);
///
/// let mut batch = Batch::default();
/// if let Some(family) = FIELDS.family("other_field_Now", "A field.") {
///     batch.put(family, [], 3_u8);
/// }
/// assert_eq!(batch.len(), 1);
/// ```
#[derive(Debug)]
pub struct Discovered<U: 'static, const N: usize> {
    namer: &'static str,
    kind: Kind,
    labels: &'static [Label; N],
    cap: usize,
    families: Mutex<BTreeMap<&'static str, &'static Family<U, N>>>,
}

impl<U: Unit, const N: usize> Discovered<U, N> {
    /// None yet, at most `cap`.
    pub const fn new(namer: &'static str, kind: Kind, labels: &'static [Label; N], cap: usize) -> Self {
        Self { namer, kind, labels, cap, families: Mutex::new(BTreeMap::new()) }
    }

    /// The family of this name. `help`, a sentence, counts when the name is new. `None` for what is no metric name, and
    /// for new names when there are as many families as there may be.
    pub fn family(&self, name: &str, help: &str) -> Option<&'static Family<U, N>> {
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = families.get(name) {
            return Some(family);
        }
        let fits = is_metric_name(name, true) && !name.starts_with(|c: char| c.is_ascii_digit());
        if !fits || !help.ends_with('.') || families.len() >= self.cap {
            return None;
        }
        let (name, help): (&'static str, &'static str) = (name.to_owned().leak(), help.to_owned().leak());
        let family = Family::as_named_by(self.namer, self.kind, name, help, self.labels).discovered();
        let family: &'static Family<U, N> = Box::leak(Box::new(family));
        families.insert(name, family);
        Some(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Count;

    #[test]
    fn a_name_is_made_once_and_what_is_no_name_or_over_the_cap_is_none() {
        static FIELDS: Discovered<Count, 0> = Discovered::new("other", Kind::Gauge, &[], 2);
        let first = FIELDS.family("node_field_A", "A field.").unwrap();
        assert!(std::ptr::eq(first, FIELDS.family("node_field_A", "Another text.").unwrap()));
        assert!(first.desc().discovered);
        for bad in ["", "1a", "with space", "höhe", "a{b=\"c\"}"] {
            assert!(FIELDS.family(bad, "A field.").is_none(), "{bad}");
        }
        assert!(FIELDS.family("node_field_B", "A field.").is_some());
        assert!(FIELDS.family("node_field_C", "A field.").is_none());
    }
}
