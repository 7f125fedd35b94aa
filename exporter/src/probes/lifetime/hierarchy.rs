//! The hierarchy whose cgroups usage is counted for, and the kernel's own total for comparison.

use kernfs::{Dir, Host, Reader, text};

use crate::{
    identity::{Controller, Layout, Mode, Pid},
    ids::CgroupId,
    spec::Unavailable,
};

/// The owning hierarchy.
#[derive(Debug)]
pub(super) struct Hierarchy {
    dir: Dir,
    /// `owner_kind` of the programs.
    kind: u32,
    /// Its number in the kernel; 0 is that of version 2.
    pub(super) number: u32,
    /// Id of its root cgroup.
    pub(super) root: CgroupId,
    total: Option<(Dir, &'static str)>,
}

impl Hierarchy {
    /// The version 2 tree where there is one, else that of cpuacct, else that of memory.
    pub(super) fn find(host: &Host) -> Result<Self, Unavailable> {
        let mut reader = Reader::default();
        let layout = Layout::find(host, &mut reader).map_err(|error| Unavailable(error.to_string()))?;
        let (controller, kind, name) = match layout.mode() {
            Mode::V2 | Mode::Hybrid => (Controller::Unified, 0, ""),
            Mode::V1 if layout.home(Controller::Cpuacct).is_some() => (Controller::Cpuacct, 1, "cpuacct"),
            Mode::V1 if layout.home(Controller::Memory).is_some() => (Controller::Memory, 2, "memory"),
            Mode::V1 => return Err(Unavailable("neither cgroup version 2 nor cpuacct nor memory is mounted".into())),
        };
        let open = |controller| {
            let root = layout.home(controller).and_then(|at| layout.roots().nth(at))?;
            Dir::open(root).ok()
        };
        let dir = open(controller).ok_or_else(|| Unavailable("cannot open the cgroup hierarchy".into()))?;
        let root = reader.stat(&dir, ".").map_or(CgroupId::NO_ROOM, |stat| CgroupId(stat.st_ino));
        let number = if kind == 0 { 0 } else { number_of(name, host, &mut reader)? };
        let exact = matches!(layout.mode(), Mode::V1 | Mode::Hybrid);
        let total = match open(Controller::Cpuacct) {
            Some(dir) if exact => Some((dir, "cpuacct.usage")),
            _ => open(Controller::Unified).map(|dir| (dir, "cpu.stat")),
        };
        Ok(Self { dir, kind, number, root, total })
    }

    /// Values of the programs' constants that say which cgroup owns a task.
    pub(super) fn constants(&self) -> Vec<(&'static str, u32)> {
        vec![("owner_kind", self.kind), ("owner_hierarchy", self.number)]
    }

    /// Its root's folder, if it is that of version 2.
    pub(super) fn unified_root(&self) -> Option<std::path::PathBuf> {
        (self.kind == 0).then(|| self.dir.path().to_owned())
    }

    /// A process of the cgroup at this path.
    pub(super) fn member(&self, path: &str, reader: &mut Reader) -> Option<Pid> {
        let file = reader.read(&self.dir, &format!("{path}/cgroup.procs")).ok()??;
        text::lines(file).find_map(text::number).and_then(|pid| Pid::try_from(pid).ok())
    }

    /// All cgroups below its root: ids and paths.
    pub(super) fn walk(&self, reader: &mut Reader) -> Vec<(CgroupId, String)> {
        let mut found = Vec::new();
        let mut pending = vec![String::new()];
        while let Some(path) = pending.pop() {
            let listed = reader.list(&self.dir, &path, |name, is_dir| {
                if is_dir {
                    pending.push(format!("{path}/{name}"));
                }
            });
            if let Err(error) = listed {
                tracing::debug!(path, %error, "cannot list cgroup");
            }
            if !path.is_empty()
                && let Some(stat) = reader.stat(&self.dir, &path)
            {
                found.push((CgroupId(stat.st_ino), path));
            }
        }
        found
    }

    /// CPU time of all tasks since boot, in ns, as the kernel sums it up. On version 2 it is made from tick accounting
    /// and includes time that a hypervisor took away; on version 1 it is exact.
    pub(super) fn kernel_total(&self, reader: &mut Reader) -> Option<u64> {
        let (dir, name) = self.total.as_ref()?;
        let file = reader.read(dir, name).ok()??;
        if *name == "cpuacct.usage" {
            return text::only_number(file);
        }
        let (_, micros) = text::pairs(file).find(|(key, _)| *key == b"usage_usec")?;
        Some(micros * 1000)
    }
}

/// A version 1 hierarchy's number, from `/proc/cgroups`: `name number …`.
fn number_of(controller: &str, host: &Host, reader: &mut Reader) -> Result<u32, Unavailable> {
    let file = reader.read(&host.proc, "cgroups").ok().flatten().unwrap_or_default();
    let number = text::lines(file).find_map(|line| {
        let mut words = text::words(line);
        (words.next()? == controller.as_bytes()).then(|| text::number(words.next()?)).flatten()
    });
    let number = number.and_then(|number| u32::try_from(number).ok()).filter(|number| *number != 0);
    number.ok_or_else(|| Unavailable(format!("/proc/cgroups does not tell the hierarchy of {controller}")))
}
