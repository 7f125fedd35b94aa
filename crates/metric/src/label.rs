//! Labels, and the bounds of their values known at compile time.

/// Which values a label can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// The outside world chooses; the words say what bounds their number ("containers on the node").
    Open(&'static str),
    /// Exactly these.
    Closed(&'static [&'static str]),
}

/// A label of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name, as on the wire.
    pub name: &'static str,
    /// Values that it can have.
    pub values: Values,
}

impl Label {
    /// A label whose values come from outside; `bound` says in words what limits their number.
    pub const fn open(name: &'static str, bound: &'static str) -> Self {
        assert!(is_label_name(name), "a label's name matches [a-zA-Z_][a-zA-Z0-9_]* and does not start with __");
        assert!(!bound.is_empty(), "say what bounds the number of values");
        Self { name, values: Values::Open(bound) }
    }

    /// A label with a fixed set of values.
    pub const fn closed(name: &'static str, values: &'static [&'static str]) -> Self {
        assert!(is_label_name(name), "a label's name matches [a-zA-Z_][a-zA-Z0-9_]* and does not start with __");
        assert!(!values.is_empty(), "a closed label has values");
        Self { name, values: Values::Closed(values) }
    }

    /// Whether the declaration allows this value.
    pub fn allows(&self, value: &str) -> bool {
        match self.values {
            Values::Open(_) => true,
            Values::Closed(values) => values.contains(&value),
        }
    }
}

#[expect(clippy::indexing_slicing, reason = "a const fn has no checked indexing; it runs at compile time")]
const fn is_label_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let b = bytes[i];
        if !(b.is_ascii_alphabetic() || b == b'_' || (i > 0 && b.is_ascii_digit())) {
            return false;
        }
        i += 1;
    }
    let reserved = bytes.len() > 1 && bytes[0] == b'_' && bytes[1] == b'_';
    !bytes.is_empty() && !reserved
}
