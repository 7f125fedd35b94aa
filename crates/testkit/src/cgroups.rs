//! Real cgroups, under the paths that a kubelet would give them, made with `cgroups-rs`. They and their processes go
//! when they go out of scope.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use cgroups_rs::{
    CgroupPid,
    fs::{cgroup_builder::CgroupBuilder, hierarchies},
};

use crate::wait::wait_for;

/// Limits of a cgroup. `None` is without limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Memory, in bytes.
    pub memory: Option<i64>,
    /// CPU time a period of 100 ms, in microseconds.
    pub cpu_quota: Option<i64>,
    /// Tasks.
    pub pids: Option<i64>,
}

/// A cgroup in every hierarchy of the machine.
#[derive(Debug)]
pub struct Cgroup {
    inner: cgroups_rs::fs::Cgroup,
    path: String,
    beside: Option<PathBuf>,
}

impl Cgroup {
    /// Makes the cgroup at `path` (with a leading slash) and the folders above it.
    pub fn make(path: &str, limits: Limits) -> Result<Self> {
        let builder = CgroupBuilder::new(path.trim_start_matches('/'));
        let builder = match limits.memory {
            Some(bytes) => builder.memory().memory_hard_limit(bytes).done(),
            None => builder,
        };
        let builder = match limits.cpu_quota {
            Some(quota) => builder.cpu().period(100_000).quota(quota).done(),
            None => builder,
        };
        let builder = match limits.pids {
            Some(most) => builder.pid().maximum_number_of_processes(cgroups_rs::fs::MaxValue::Value(most)).done(),
            None => builder,
        };
        let inner = builder.build(hierarchies::auto()).with_context(|| format!("cannot make cgroup {path}"))?;
        Self::beside(inner, path)
    }

    /// Makes a cgroup in this one, as a process in a container does. On version 2 it has no controllers of its own:
    /// only a cgroup without processes can hand them on.
    pub fn make_inside(&self, name: &str) -> Result<Self> {
        let path = format!("{}/{name}", self.path);
        let hierarchy = hierarchies::auto();
        if !hierarchy.v2() {
            return Self::make(&path, Limits::default());
        }
        let relative = path.trim_start_matches('/');
        let folder = hierarchy.root().join(relative);
        std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Self::beside(cgroups_rs::fs::Cgroup::load(hierarchy, relative), &path)
    }

    /// Beside version 1 controllers there may be a version 2 tree; runtimes put their containers there too.
    fn beside(inner: cgroups_rs::fs::Cgroup, path: &str) -> Result<Self> {
        let beside = Path::new("/sys/fs/cgroup/unified");
        let beside = beside.join("cgroup.procs").exists().then(|| beside.join(path.trim_start_matches('/')));
        if let Some(folder) = &beside {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(Self { inner, path: path.to_owned(), beside })
    }

    /// Moves a process into it.
    pub fn add(&self, pid: u32) -> Result<()> {
        self.inner.add_task_by_tgid(CgroupPid::from(u64::from(pid))).with_context(|| format!("cannot move {pid}"))?;
        if let Some(folder) = &self.beside {
            std::fs::write(folder.join("cgroup.procs"), pid.to_string())?;
        }
        Ok(())
    }

    /// Its path, with a leading slash.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Cgroup {
    /// Ends every process in it and waits until they are gone. A kernel before 5.14, and a machine without a version 2
    /// tree, have no way to do that at once; there the processes must end by themselves.
    fn end_processes(&self) {
        let below = self.path.trim_start_matches('/');
        let folder = self.beside.clone().unwrap_or_else(|| Path::new("/sys/fs/cgroup").join(below));
        if std::fs::write(folder.join("cgroup.kill"), "1").is_ok() {
            let is_empty = || std::fs::read(folder.join("cgroup.procs")).is_ok_and(|pids| pids.is_empty());
            wait_for(Duration::from_secs(2), || is_empty().then_some(()));
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.end_processes();
        let _ = self.inner.delete();
        for root in roots() {
            // The cgroup itself where `cgroups-rs` has no hierarchy, and then the folders above it that are empty now.
            for path in std::iter::successors(Some(self.path.as_str()), |path| path.rsplit_once('/').map(|(up, _)| up))
            {
                if path.is_empty() {
                    break;
                }
                let folder = root.join(path.trim_start_matches('/'));
                if folder.exists() && std::fs::remove_dir(&folder).is_err() {
                    break;
                }
            }
        }
    }
}

/// Mount points of the hierarchies.
fn roots() -> Vec<PathBuf> {
    let top = Path::new("/sys/fs/cgroup");
    if top.join("cgroup.controllers").exists() {
        return vec![top.to_owned()];
    }
    let entries = std::fs::read_dir(top).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// The path of container `index` of pod `pod`, as a kubelet with the cgroupfs driver makes it below `root`, which
/// keeps the cgroups of a test apart from those of others and of a real kubelet.
pub fn pod_path(root: &str, pod: usize, index: usize) -> String {
    format!("/{root}/kubepods/burstable/pod{}/{}", pod_uid(pod), container_id(pod, index))
}

/// The uid of the pod in that path.
pub fn pod_uid(pod: usize) -> String {
    format!("7a67c001-0000-4000-8000-{pod:012x}")
}

/// The id of the container in that path.
pub fn container_id(pod: usize, index: usize) -> String {
    format!("7a67{pod:030x}{index:030x}")
}
