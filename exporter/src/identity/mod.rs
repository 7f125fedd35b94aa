//! Identity of cgroups: container, pod and workload, from the path ([`path`]), the OCI bundle ([`bundle`]) and
//! Kubernetes ([`pods`]); kept in [`Tree`] for existing cgroups. Also names of addresses ([`names`]) and
//! peers ([`peers`]).

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
mod places;
pub mod pods;
mod rows;
mod tree;
mod watch;

pub use crate::ids::Pid;
pub use counted::{Counted, CountedMemory, CountedPressure, CountedTasks, Read};
pub use group::{Group, GroupKind, Labels};
pub use layout::{Controller, Layout, LayoutError, Mode, Version};
pub use limits::{CpuLimits, CpusetLimits, MemoryLimits};
pub use peers::Peers;
pub use per_group::PerGroup;
pub use places::{Places, Record};
pub use pods::{Ask, Pods};
pub use rows::{AsCadvisor, AsContainer, AsWorkload, CGROUPS, KINDS};
pub use tree::{Figures, Portrait, Tree};
