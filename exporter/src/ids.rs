//! Identifiers of things of the machine. These types are as wide as what they hold, in memory, in maps of the kernel and
//! in files.

use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A cgroup, as the kernel numbers those of a hierarchy: the inode of its folder.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Serialize,
    Deserialize,
)]
#[repr(transparent)]
#[serde(transparent)]
pub struct CgroupId(pub u64);

impl CgroupId {
    /// Id under which counts are kept that a full map of the kernel has no entry for; no cgroup has it.
    pub const NO_ROOM: Self = Self(0);
}
