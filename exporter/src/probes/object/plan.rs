//! The programs to load, and where to attach them.

use std::{collections::HashMap, os::fd::OwnedFd, path::Path};

/// Hook of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A tracepoint, with typed arguments.
    Tracepoint(&'static str),
    /// Entry of a kernel function, with typed arguments.
    Function(&'static str),
    /// An iterator over all things of a kind: `task`.
    Iterator(&'static str),
    /// The iterator over cgroups, from the given folder's down, parents first.
    Cgroups,
    /// The iterator over all sockets that have a record in the object's map of this name.
    Sockets(&'static str),
    /// Packets that leave sockets of the given folder's cgroups, beside what others have attached there.
    Egress,
    /// Packets that reach them.
    Ingress,
}

impl Hook {
    /// What the kernel calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tracepoint(name) | Self::Function(name) | Self::Iterator(name) => name,
            Self::Cgroups => "cgroup",
            Self::Sockets(_) => "bpf_sk_storage_map",
            Self::Egress | Self::Ingress => "cgroup_skb",
        }
    }
}

/// Object to load, with its settings.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The feature's name.
    pub name: &'static str,
    /// The compiled object.
    pub image: &'static [u8],
    /// Programs and their hooks, in the order in which they are attached.
    pub hooks: &'static [(&'static str, Hook)],
    /// Values of its constants.
    pub constants: Vec<(&'static str, u32)>,
    /// Sizes of its maps.
    pub sizes: Vec<(&'static str, u32)>,
    /// The folder that [`Hook::Cgroups`] starts from, and that packets belong to.
    pub cgroup: Option<&'a Path>,
    /// A folder on a BPF file system: programs, maps and links stay there when the agent ends.
    pub pin: Option<&'a Path>,
    /// Has the verifier refuse the object; for tests.
    pub refuse: bool,
}

impl Plan<'_> {
    /// The names of its hooks, for people.
    pub(super) fn hook_names(&self) -> String {
        let mut names: Vec<_> = self.hooks.iter().map(|(_, hook)| hook.name()).collect();
        names.dedup();
        names.join(", ")
    }
}

/// What a loaded object is made of.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Maps by name.
    pub(super) maps: HashMap<String, OwnedFd>,
    /// Programs, in the order of the plan.
    pub(super) programs: Vec<(&'static str, Hook, OwnedFd)>,
    /// Links by the name of their program.
    pub(super) links: HashMap<&'static str, OwnedFd>,
}
