//! Who owns a cgroup: from its path alone ([`path`]), from the runtime's bundle ([`bundle`]), from what Kubernetes says of
//! this node's pods ([`pods`]), kept for the cgroups that are there now ([`Tree`]). And what containers call the addresses
//! that they have to do with ([`names`]), and whom these are ([`peers`]).

mod asking;
pub mod bundle;
mod counted;
mod folders;
mod group;
mod layout;
mod limits;
pub mod names;
pub mod path;
mod pause;
pub mod peers;
mod per_group;
pub mod pods;
mod rows;
mod tree;
mod watch;

pub use counted::{Counted, CountedMemory, CountedPressure, CountedTasks};
pub use group::{Group, GroupKind, Labels, Pid};
pub use layout::{Controller, Layout, LayoutError, Mode, Version};
pub use limits::{CpuLimits, CpusetLimits, MemoryLimits};
pub use peers::Peers;
pub use per_group::PerGroup;
pub use pods::{Ask, Pods};
pub use rows::{AsCadvisor, AsContainer, AsWorkload, CGROUPS, KINDS};
pub use tree::{Figures, Tree};
