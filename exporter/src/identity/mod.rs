//! Who owns a cgroup: from its path alone ([`path`]), from the runtime's bundle ([`bundle`]), kept for the cgroups that
//! are there now ([`Tree`]). And what containers call the addresses that they have to do with
//! ([`names`]), and whom they had connections with ([`flows`]).

pub mod bundle;
mod counted;
pub mod flows;
mod group;
mod layout;
mod limits;
pub mod names;
pub mod path;
mod pause;
mod per_group;
mod rows;
mod tree;
mod watch;

pub use counted::{Counted, CountedMemory, CountedPressure, CountedTasks};
pub use group::{Group, GroupKind, Labels, Pid};
pub use layout::{Controller, Layout, LayoutError, Mode, Version};
pub use limits::{CpuLimits, CpusetLimits, MemoryLimits};
pub use per_group::PerGroup;
pub use rows::{AsCadvisor, AsContainer, CGROUPS};
pub use tree::{Figures, Tree};
