//! Fields that objects of all kinds have: name, labels, owners, times, conditions.

use kubernetes::{
    Reference,
    lax::{Dict, Int, List, Sub, Text, Time},
    owner,
};
use serde::Deserialize;

use crate::number;

/// What is read of a kind's objects.
pub trait View: 'static {
    /// An object, borrowed from its JSON.
    type Of<'v>: Deserialize<'v>;

    /// Its metadata.
    fn meta<'a, 'v: 'a>(view: &'a Self::Of<'v>) -> &'a Meta<'v>;
}

/// `metadata` of an object.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub struct Meta<'v> {
    /// Unique among the kind's objects in the namespace.
    pub name: Text<'v>,
    /// Empty for kinds that belong to the cluster.
    pub namespace: Text<'v>,
    /// Unique for all time.
    pub uid: Text<'v>,
    /// Changes with each write.
    pub resource_version: Text<'v>,
    /// Changes with each write of the spec.
    pub generation: Int,
    /// When it was created.
    pub creation_timestamp: Time,
    /// When its deletion was asked for.
    pub deletion_timestamp: Time,
    /// Labels.
    pub labels: Dict<'v, Text<'v>>,
    /// Annotations.
    pub annotations: Dict<'v, Text<'v>>,
    /// What it belongs to.
    pub owner_references: List<Sub<Reference<'v>>>,
}

/// One aspect of an object's state.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "'de: 'v")]
pub struct Condition<'v> {
    /// Which aspect.
    #[serde(rename = "type")]
    pub kind: Text<'v>,
    /// `True`, `False` or `Unknown`.
    pub status: Text<'v>,
    /// Why, in one word.
    pub reason: Text<'v>,
    /// Since when.
    pub last_transition_time: Time,
}

impl<'v> Meta<'v> {
    /// When it was created; `None` when that is not known.
    pub fn created(&self) -> Option<Time> {
        self.creation_timestamp.unless_zero()
    }

    /// When its deletion was asked for; `None` when it was not.
    pub fn deleted(&self) -> Option<Time> {
        self.deletion_timestamp.unless_zero()
    }

    /// The resource version as a number; `None` when it is none. It is a name to clients, but a growing number in
    /// every server there is.
    pub fn resource_version(&self) -> Option<f64> {
        number::parse(self.resource_version.as_str())
    }

    /// The owner that manages the object.
    pub fn controller(&self) -> Option<&Reference<'v>> {
        owner::controller(&self.owner_references)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_version_is_a_number_or_nothing() {
        let version =
            |text: &'static str| Meta { resource_version: Text::Is(text.into()), ..Meta::default() }.resource_version();
        assert_eq!(version("12345"), Some(12345.0));
        assert_eq!(version("1e3"), Some(1000.0));
        assert_eq!(version("BBBBB"), None);
        assert_eq!(version(""), None);
        assert_eq!(version("inf"), Some(f64::INFINITY));
        assert_eq!(version("1e999"), None);
    }
}
