//! The values that a path leads to.

use serde_json::Value;

/// The value at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found<'a> {
    /// Nothing, or `null`.
    Nothing,
    /// A value that is not null.
    Value(&'a Value),
}

impl<'a> Found<'a> {
    /// Null is nothing.
    pub(super) fn of(value: Option<&'a Value>) -> Self {
        value.filter(|value| !value.is_null()).map_or(Self::Nothing, Self::Value)
    }
}
