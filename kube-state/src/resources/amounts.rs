//! Resource names of nodes and containers: which of them are exported, and in which unit.

use kubernetes::{Quantity, lax::Dict};

use crate::labels::push_sanitized;

/// The unit of a resource, as the `unit` label has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// CPU cores.
    Core,
    /// Bytes.
    Byte,
    /// Pieces.
    Integer,
}

impl Unit {
    /// As in the `unit` label.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Byte => "byte",
            Self::Integer => "integer",
        }
    }
}

/// Calls `put` with label, unit and quantity of each resource that is exported: CPU, memory, storage, huge pages,
/// attachable volumes and what vendors add. Others are left out.
pub(super) fn each(amounts: &Dict<'_, Quantity>, mut put: impl FnMut(&str, Unit, &Quantity)) {
    let mut label = String::new();
    for (name, quantity) in amounts.iter() {
        label.clear();
        push_sanitized(&mut label, name);
        for unit in units(name).into_iter().flatten() {
            put(&label, unit, quantity);
        }
    }
}

/// A name can be of more than one sort, and then has a series for each.
fn units(name: &str) -> [Option<Unit>; 3] {
    match name {
        "cpu" => [Some(Unit::Core), None, None],
        "memory" | "storage" | "ephemeral-storage" => [Some(Unit::Byte), None, None],
        _ => [
            name.starts_with("hugepages-").then_some(Unit::Byte),
            name.starts_with("attachable-volumes-").then_some(Unit::Byte),
            is_extended(name).then_some(Unit::Integer),
        ],
    }
}

/// Whether a vendor made the resource: `nvidia.com/gpu`.
fn is_extended(name: &str) -> bool {
    let Some((domain, rest)) = name.split_once('/') else { return false };
    !name.contains("kubernetes.io/")
        && !name.starts_with("requests.")
        && is_subdomain(domain, 253 - "requests.".len())
        && is_name_part(rest)
}

fn is_subdomain(domain: &str, longest: usize) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    domain.len() <= longest
        && domain
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-'))
}

fn is_name_part(name: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_vendors_names_are_extended() {
        for (name, extended) in [
            ("nvidia.com/gpu", true),
            ("hugepages-2Mi", false),
            ("kubernetes.io/x", false),
            ("example.kubernetes.io/x", false),
            ("requests.nvidia.com/gpu", false),
            ("Nvidia.com/gpu", false),
            ("nvidia.com/", false),
            ("/gpu", false),
            ("a.b/c/d", false),
            ("pods", false),
        ] {
            assert_eq!(is_extended(name), extended, "{name}");
        }
        assert_eq!(units("hugepages-x.y/z"), [Some(Unit::Byte), None, Some(Unit::Integer)]);
    }
}
