//! Cgroups that come, empty and go, one by one.

use crate::ids::CgroupId;

/// What became of a cgroup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// It was made.
    #[default]
    Made,
    /// Its last process ended. It is there until whoever made it removes it.
    Emptied,
    /// It was removed.
    Removed,
}

/// A turn in the life of a cgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// What happened.
    pub turn: Turn,
    /// Its id.
    pub id: CgroupId,
    /// Its path.
    pub path: String,
}
