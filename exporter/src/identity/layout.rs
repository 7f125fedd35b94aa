//! Cgroup hierarchies of the machine, and the place of each controller: version 1, version 2, or both side by side.
//!
//! Sources: the mount table through `cgroups-rs` when the hierarchies are at their usual place, else the names of the
//! folders (kernel documentation, admin-guide/cgroup-v1/cgroups.rst and admin-guide/cgroup-v2.rst).

use std::path::{Path, PathBuf};

use kernfs::{Host, Reader};
use thiserror::Error;

/// The controller of a cgroup file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Controller {
    /// Bandwidth and shares; on version 2 also time.
    Cpu,
    /// Time, on version 1.
    Cpuacct,
    /// CPUs and memory nodes that may be used.
    Cpuset,
    /// Memory.
    Memory,
    /// Block devices: `blkio` on version 1, `io` on version 2.
    Io,
    /// Number of tasks.
    Pids,
    /// Huge pages.
    Hugetlb,
    /// Files that only version 2 has: pressure, events.
    Unified,
}

const CONTROLLERS: [(Controller, &str); 8] = [
    (Controller::Cpu, "cpu"),
    (Controller::Cpuacct, "cpuacct"),
    (Controller::Cpuset, "cpuset"),
    (Controller::Memory, "memory"),
    (Controller::Io, "blkio"),
    (Controller::Pids, "pids"),
    (Controller::Hugetlb, "hugetlb"),
    (Controller::Unified, ""),
];

/// Version of the hierarchy that a controller is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy a controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// The cgroup versions that the machine uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Version 1 only.
    V1,
    /// Version 2 only.
    V2,
    /// Controllers on version 1, an empty or partial version 2 tree beside them.
    Hybrid,
}

impl Mode {
    /// A word for logs and labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Hybrid => "hybrid",
        }
    }
}

/// No hierarchy can be found.
#[derive(Debug, Error)]
#[error("no cgroup hierarchy at {}: mount the host's there, or name its place", path.display())]
pub struct LayoutError {
    path: PathBuf,
}

#[derive(Debug)]
struct Hierarchy {
    root: PathBuf,
    version: Version,
}

/// The hierarchies of the machine.
#[derive(Debug)]
pub struct Layout {
    hierarchies: Vec<Hierarchy>,
    homes: [Option<u8>; CONTROLLERS.len()],
}

impl Layout {
    /// Finds them.
    pub fn find(host: &Host, reader: &mut Reader) -> Result<Self, LayoutError> {
        let root = host.cgroup.path();
        if reader.exists(&host.cgroup, "cgroup.controllers") {
            return Ok(Self {
                hierarchies: vec![Hierarchy { root: root.to_owned(), version: Version::V2 }],
                homes: [Some(0); CONTROLLERS.len()],
            });
        }
        let mut found = if root == Path::new("/sys/fs/cgroup") { mounted() } else { Vec::new() };
        if found.is_empty() {
            found = folders(host, reader);
        } else if found.iter().all(|(_, controllers)| controllers.is_some()) {
            // `cgroups-rs` lists mounts of version 1 only: a version 2 tree beside them is found by its files.
            found.extend(folders(host, reader).into_iter().filter(|(_, controllers)| controllers.is_none()));
        }
        Self::of(found).ok_or_else(|| LayoutError { path: root.to_owned() })
    }

    fn of(found: Vec<(PathBuf, Option<Vec<String>>)>) -> Option<Self> {
        let mut layout = Self { hierarchies: Vec::new(), homes: [None; CONTROLLERS.len()] };
        for (root, controllers) in found {
            let index = u8::try_from(layout.hierarchies.len()).ok()?;
            let version = if controllers.is_some() { Version::V1 } else { Version::V2 };
            let mut used = false;
            for ((_, name), home) in CONTROLLERS.iter().zip(&mut layout.homes) {
                let here = match &controllers {
                    Some(names) => !name.is_empty() && names.iter().any(|n| n == name),
                    None => name.is_empty(),
                };
                if here && home.is_none() {
                    *home = Some(index);
                    used = true;
                }
            }
            if used {
                layout.hierarchies.push(Hierarchy { root, version });
            }
        }
        (!layout.hierarchies.is_empty()).then_some(layout)
    }

    /// The cgroup versions that the machine uses.
    pub fn mode(&self) -> Mode {
        let v2 = self.hierarchies.iter().any(|h| h.version == Version::V2);
        let v1 = self.hierarchies.iter().any(|h| h.version == Version::V1);
        match (v1, v2) {
            (true, true) => Mode::Hybrid,
            (true, false) => Mode::V1,
            (false, _) => Mode::V2,
        }
    }

    /// The version that a controller's files have; `None` when the controller is not mounted.
    pub fn version(&self, controller: Controller) -> Option<Version> {
        self.hierarchies.get(self.home(controller)?).map(|h| h.version)
    }

    /// The index of the hierarchy that a controller is in.
    pub fn home(&self, controller: Controller) -> Option<usize> {
        let at = CONTROLLERS.iter().position(|(c, _)| *c == controller)?;
        self.homes.get(at).copied().flatten().map(usize::from)
    }

    /// Roots of all hierarchies.
    pub fn roots(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.hierarchies.iter().map(|h| h.root.as_path())
    }

    /// Those hierarchies in which every container has a cgroup: enough to look for new ones in them.
    pub fn walked(&self) -> Vec<usize> {
        let mut walked: Vec<usize> = [Controller::Memory, Controller::Cpu, Controller::Unified]
            .into_iter()
            .filter_map(|controller| self.home(controller))
            .collect();
        walked.sort_unstable();
        walked.dedup();
        if walked.is_empty() { (0..self.hierarchies.len()).collect() } else { walked }
    }
}

/// From the mount table: where each version 1 hierarchy is, and its controllers.
fn mounted() -> Vec<(PathBuf, Option<Vec<String>>)> {
    let mounts = cgroups_rs::fs::hierarchies::mountinfo_self().into_iter();
    mounts.map(|mount| (mount.mount_point, Some(mount.super_opts))).collect()
}

/// From the names of folders, for roots that are mounted elsewhere: `cpu,cpuacct`, `memory`, `unified`.
fn folders(host: &Host, reader: &Reader) -> Vec<(PathBuf, Option<Vec<String>>)> {
    let mut names = Vec::new();
    let _ = reader.list(&host.cgroup, "", |name, is_dir| {
        if is_dir {
            names.push(name.to_owned());
        }
    });
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let unified = reader.exists(&host.cgroup, &format!("{name}/cgroup.controllers"));
            let controllers = (!unified).then(|| name.split(',').map(str::to_owned).collect());
            (host.cgroup.join(&name), controllers)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> (PathBuf, Option<Vec<String>>) {
        let controllers = (name != "unified").then(|| name.split(',').map(str::to_owned).collect());
        (Path::new("/c").join(name), controllers)
    }

    #[test]
    fn hybrid_machines_have_their_controllers_on_version_1_and_pressure_on_version_2() {
        let layout = Layout::of(["cpu,cpuacct", "memory", "systemd", "unified"].map(folder).into()).unwrap();
        assert_eq!(layout.mode(), Mode::Hybrid);
        assert_eq!(layout.home(Controller::Cpu), layout.home(Controller::Cpuacct));
        assert_eq!(layout.version(Controller::Memory), Some(Version::V1));
        assert_eq!(layout.version(Controller::Unified), Some(Version::V2));
        assert_eq!(layout.version(Controller::Io), None);
        assert_eq!(layout.roots().count(), 3);
        assert_eq!(layout.walked().len(), 3);
    }

    #[test]
    fn a_folder_without_hierarchies_is_an_error_that_names_it() {
        let tree = tempfile::tempdir().unwrap();
        for sub in ["proc", "sys", "cgroup", "rootfs"] {
            std::fs::create_dir(tree.path().join(sub)).unwrap();
        }
        let host = Host::below(tree.path()).unwrap();
        let error = Layout::find(&host, &mut Reader::default()).unwrap_err().to_string();
        assert!(error.contains(&format!("{}/cgroup", tree.path().display())), "{error}");
    }
}
