//! Finds the unit of a cgroup from its path.

use serde::{Deserialize, Serialize};

use crate::{
    identity::path::{self, Place},
    ids::{ContainerId, PodUid},
};

/// The kind of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    /// A container, in a pod or not.
    Container {
        /// Uid of its pod.
        pod: Option<PodUid>,
    },
    /// A pod's own cgroup, by its uid.
    Pod(PodUid),
    /// Any other cgroup.
    Other,
}

/// The path of the unit that a cgroup belongs to, a prefix of its own, and what the unit is.
pub(super) fn of(path: &str) -> (&str, Role) {
    match path::place(path) {
        Place::Container(container) => (path, Role::Container { pod: container.pod.map(|uid| uid.canonical()) }),
        Place::Inner { container } => (container, of(container).1),
        Place::Pod(uid) => (path, Role::Pod(uid.canonical())),
        _ => (path, Role::Other),
    }
}

/// The id of the container at this path.
pub(super) fn container_id(path: &str) -> Option<ContainerId<&str>> {
    match path::place(path) {
        Place::Container(container) => Some(container.id),
        _ => None,
    }
}

/// Fallback name of a unit: the id of a container, else the path.
pub(super) fn called(path: &str) -> &str {
    container_id(path).map_or_else(|| path.trim_start_matches('/'), |id| id.0)
}
