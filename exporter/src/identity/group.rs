//! One cgroup that gets rows: its labels, its kept files, and the cgroups inside it that count as part of it.

use std::path::Path;

use kernfs::{ReadError, Reader, text};
use kubernetes::WorkloadRef;
use metric::Of;

use super::{
    counted::{Counted, Read},
    folders::Folders,
    layout::{Controller, Layout},
    limits::{Asked, CpuLimits, CpusetLimits, Limits, MemoryLimits},
    places::Record,
    rows::{AsCadvisor, AsContainer},
};
use crate::ids::{CgroupId, ContainerId, Pid, PodUid};

/// The kind of subject of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// The machine.
    Root,
    /// A folder of cgroups.
    Slice,
    /// All pods, or those of one quality-of-service class.
    Pods,
    /// A pod.
    Pod,
    /// The container that holds a pod's namespaces.
    Sandbox,
    /// A container.
    Container,
    /// A systemd unit with processes.
    Service,
}

/// The six labels that every cAdvisor series of a kubelet has; empty where unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// Name in the pod's specification.
    pub container: String,
    /// The cgroup's path.
    pub id: String,
    /// Image, as the runtime names it.
    pub image: String,
    /// The runtime's name for the container.
    pub name: String,
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
}

/// One cgroup that gets rows.
#[derive(Debug)]
pub struct Group {
    /// Path below the root of its hierarchies, with a leading slash.
    pub path: Box<str>,
    /// The kind of subject.
    pub kind: GroupKind,
    /// Labels of the cgroup.
    pub labels: Labels,
    /// When it was made, in seconds since the Unix epoch.
    pub created: f64,
    /// Subject in the batch of the running scrape, under cAdvisor's labels.
    pub cadvisor: Option<Of<AsCadvisor>>,
    /// Subject in the batch of the running scrape, under our own labels. Only containers and services have one,
    /// and of two that would bear the same labels only the younger.
    pub own: Option<Of<AsContainer>>,
    /// Whether it is a workload with others inside it. It has no row of its own in our view any more, since what the
    /// kernel says of it is what it says of those inside too.
    pub(super) holds: bool,
    /// Whether it has the row of what a workload that holds others uses besides them.
    pub(super) is_rest: bool,
    /// Counters from eBPF iterators for the running scrape.
    pub counted: Counted,
    /// Figures that a collector of the running scrape has read.
    pub known: Read,
    pub(super) workload: Option<WorkloadRef>,
    /// Version of the knowledge of pods with which the workload was looked up.
    pub(super) workload_as_of: u64,
    pub(super) pod_uid: Option<PodUid>,
    pub(super) container_id: Option<ContainerId>,
    pub(super) named: bool,
    /// Number of times that the bundle was read for the name without finding one.
    pub(super) silent: u8,
    /// Where its names stand, if they may change there.
    pub(super) record: Option<Record>,
    pub(super) seen: u64,
    pub(super) folders: Folders,
    pub(super) inner: Vec<(Box<str>, u64, Folders)>,
    pub(super) limits: Limits,
    pub(super) members: Members,
}

/// The processes of a cgroup as one scrape saw them; several collectors ask for them.
#[derive(Debug, Default)]
pub(super) struct Members {
    pids: Vec<Pid>,
    own: usize,
    known: bool,
}

impl Members {
    pub(super) fn forget(&mut self) {
        self.known = false;
    }
}

impl Group {
    /// Reads one of its files. `None` when it is gone or the controller is not mounted.
    pub fn read<'r>(
        &mut self,
        layout: &Layout,
        controller: Controller,
        name: &'static str,
        reader: &'r mut Reader,
    ) -> Result<Option<&'r [u8]>, ReadError> {
        self.folders.read(layout, controller, name, reader)
    }

    /// Reads one file of each cgroup inside it, for facts that the kernel does not sum up over a subtree.
    pub fn read_inner(
        &mut self,
        layout: &Layout,
        controller: Controller,
        name: &'static str,
        reader: &mut Reader,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), ReadError> {
        for (_, _, folders) in &mut self.inner {
            if let Some(folder) = folders.at(layout, controller)
                && let Some(file) = folder.read(name, reader)?
            {
                each(file);
            }
        }
        Ok(())
    }

    /// The cgroup's id in the hierarchy of a controller: the inode of its folder.
    pub fn id(&mut self, layout: &Layout, controller: Controller) -> Option<CgroupId> {
        self.folders.id(layout, controller)
    }

    /// The cgroup's folder in the hierarchy of a controller.
    pub fn folder(&mut self, layout: &Layout, controller: Controller) -> Option<&Path> {
        self.folders.at(layout, controller).map(|kept| kept.path())
    }

    /// Appends the processes of the cgroup itself and then of those inside it.
    /// Returns how many are the cgroup's own.
    pub fn processes(&mut self, layout: &Layout, reader: &mut Reader, into: &mut Vec<Pid>) -> Result<usize, ReadError> {
        let start = into.len();
        self.tasks(layout, "cgroup.procs", reader, into)?;
        let own = into.len() - start;
        for (_, _, folders) in &mut self.inner {
            if let Some(folder) = folders.at(layout, Controller::Cpu)
                && let Some(file) = folder.read("cgroup.procs", reader)?
            {
                into.extend(pids(file));
            }
        }
        Ok(own)
    }

    /// As [`Group::processes`], but the kernel is asked once a scrape whoever asks: all processes, and how many of
    /// them, at the start, are the cgroup's own.
    pub fn members(&mut self, layout: &Layout, reader: &mut Reader) -> Result<(&[Pid], usize), ReadError> {
        if !self.members.known {
            let mut pids = std::mem::take(&mut self.members.pids);
            pids.clear();
            let own = self.processes(layout, reader, &mut pids);
            self.members.pids = pids;
            self.members.own = own?;
            self.members.known = true;
        }
        Ok((&self.members.pids, self.members.own))
    }

    /// The workload it belongs to, once that is known.
    pub fn workload(&self) -> Option<&WorkloadRef> {
        self.workload.as_ref()
    }

    /// The pod that it is or belongs to.
    pub fn pod_uid(&self) -> Option<&PodUid> {
        self.pod_uid.as_ref()
    }

    /// The runtime's id of the container that it is.
    pub fn container_id(&self) -> Option<&ContainerId> {
        self.container_id.as_ref()
    }

    /// CPU time it may take. `now` is in seconds since the Unix epoch.
    pub fn cpu_limits(&mut self, layout: &Layout, reader: &mut Reader, now: f64) -> Result<CpuLimits, ReadError> {
        let (limits, mut asked) = self.asked(layout, reader, now);
        limits.cpu(&mut asked)
    }

    /// Memory it may take; `None` when no memory controller counts for it.
    pub fn memory_limits(
        &mut self,
        layout: &Layout,
        reader: &mut Reader,
        now: f64,
    ) -> Result<Option<MemoryLimits>, ReadError> {
        let (limits, mut asked) = self.asked(layout, reader, now);
        limits.memory(&mut asked)
    }

    /// Tasks it may have; `None` without a limit.
    pub fn task_limit(&mut self, layout: &Layout, reader: &mut Reader, now: f64) -> Result<Option<u64>, ReadError> {
        let (limits, mut asked) = self.asked(layout, reader, now);
        limits.tasks(&mut asked)
    }

    /// CPUs and memory nodes it may use; `None` if no cpuset controller applies to it.
    pub fn cpuset_limits(
        &mut self,
        layout: &Layout,
        reader: &mut Reader,
        now: f64,
    ) -> Result<Option<CpusetLimits>, ReadError> {
        let (limits, mut asked) = self.asked(layout, reader, now);
        limits.cpuset(&mut asked)
    }

    fn asked<'a>(&'a mut self, layout: &'a Layout, reader: &'a mut Reader, now: f64) -> (&'a mut Limits, Asked<'a>) {
        let Self { folders, path, created, limits, .. } = self;
        (limits, Asked { folders, path, created: *created, layout, reader, now })
    }

    fn tasks(
        &mut self,
        layout: &Layout,
        name: &'static str,
        reader: &mut Reader,
        into: &mut Vec<Pid>,
    ) -> Result<(), ReadError> {
        for controller in [Controller::Cpu, Controller::Memory, Controller::Unified] {
            if let Some(file) = self.read(layout, controller, name, reader)? {
                into.extend(pids(file));
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks again for files that were not there.
    pub(super) fn forget_absent(&mut self) {
        let inner = self.inner.iter_mut().map(|(_, _, folders)| folders);
        for folders in std::iter::once(&mut self.folders).chain(inner) {
            folders.forget_absent();
        }
    }

    /// Whether it has a row in our view, where what the kernel says of one row is not part of another.
    pub(super) fn has_own_row(&self) -> bool {
        self.is_rest || (self.is_workload() && !self.holds)
    }

    /// Whether this is a container in the wide sense: something that runs processes for somebody.
    pub fn is_workload(&self) -> bool {
        matches!(self.kind, GroupKind::Container | GroupKind::Service)
    }
}

fn pids(file: &[u8]) -> impl Iterator<Item = Pid> {
    text::lines(file).filter_map(|line| text::number(line).and_then(|pid| Pid::try_from(pid).ok()))
}
