//! The two text formats and their differences, for their reader and their writer.

use crate::{model::ParsedKind, number::BoundStyle};

/// One of the two text formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Text004,
    OpenMetrics,
}

impl Dialect {
    /// The notation of bounds and quantiles.
    pub(crate) const fn bounds(self) -> BoundStyle {
        match self {
            Self::Text004 => BoundStyle::Text,
            Self::OpenMetrics => BoundStyle::Canonical,
        }
    }

    /// The type as a header spells it.
    pub(crate) const fn kind(self, kind: ParsedKind) -> &'static str {
        match (self, kind) {
            (Self::Text004, ParsedKind::Unknown) => "untyped",
            _ => kind.name(),
        }
    }
}
