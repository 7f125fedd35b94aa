//! Identifiers of things of the machine. These types are as wide as what they hold, in memory, in maps of the kernel and
//! in files.

use std::borrow::Borrow;

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

/// A container, as its runtime calls it: 64 hexadecimal digits, or a name for runtimes that use names. `T` holds the text:
/// a box, or `&str` where it is a part of something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ContainerId<T = Box<str>>(pub T);

impl<T: AsRef<str>> ContainerId<T> {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }

    /// The same, borrowed.
    pub fn borrowed(&self) -> ContainerId<&str> {
        ContainerId(self.as_str())
    }

    /// The same, in a box.
    pub fn boxed(&self) -> ContainerId {
        ContainerId(self.as_str().into())
    }
}

/// A pod: the uid that its cgroups bear, as Kubernetes writes it. `T` holds the text, as in [`ContainerId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PodUid<T = Box<str>>(pub T);

impl<T: AsRef<str>> PodUid<T> {
    /// The uid as text.
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }

    /// The same, borrowed.
    pub fn borrowed(&self) -> PodUid<&str> {
        PodUid(self.as_str())
    }
}

/// Maps with uids for keys are asked by text.
impl<T: Borrow<str>> Borrow<str> for PodUid<T> {
    fn borrow(&self) -> &str {
        self.0.borrow()
    }
}

/// A pod by its name. `T` holds the texts: strings, or `&str` where they are parts of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodName<T = String> {
    /// Its namespace.
    pub namespace: T,
    /// Its name within that.
    pub name: T,
}

impl PodName {
    /// The same, borrowed.
    pub fn borrowed(&self) -> PodName<&str> {
        PodName { namespace: &self.namespace, name: &self.name }
    }
}

/// A process id, in the namespace of the procfs that is read.
pub type Pid = u32;
