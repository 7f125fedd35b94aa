//! Assigns each network namespace to the cgroup that shows its series, and to a process in it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kernfs::{Budget, Host, Kept, ReadError, Reader};

use crate::identity::{Group, GroupKind, Layout, Pid};

/// The host's own namespace is that of process 1.
const INIT: Pid = 1;

/// The parent of the kernel's threads, which are in the host's namespace too and hide nothing: a first process may
/// guard what it is in, even from those who may trace.
const KTHREADD: Pid = 2;

/// A process may move to another namespace (setns(2), unshare(2)): how often it is looked at again.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// A process in a cgroup, and its network namespace's inode.
#[derive(Clone, Copy, Debug)]
struct Door {
    pid: Pid,
    /// `None` when it may not be looked at, which needs `CAP_SYS_PTRACE`.
    namespace: Option<u64>,
    looked: Instant,
    seen: u64,
}

/// What is known of namespaces, from scrape to scrape.
#[derive(Debug)]
pub(super) struct Doors {
    known: HashMap<Box<str>, Door>,
    host: Option<u64>,
    scrape: u64,
    now: Instant,
    /// Where figures are asked for after the last process has ended.
    open: Option<Open>,
}

/// Files of namespaces that are kept open. As long as one is, its namespace stays too, so they must be closed when the last
/// figures were read.
#[derive(Debug)]
struct Open {
    files: HashMap<Box<str>, (u64, Pid, Kept)>,
    budget: Arc<Budget>,
}

/// Most namespaces that are kept open.
const MOST_OPEN: usize = 1024;

impl Default for Doors {
    fn default() -> Self {
        Self { known: HashMap::new(), host: None, scrape: 0, now: Instant::now(), open: None }
    }
}

/// A namespace to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) pid: Pid,
    pub(super) inode: Option<u64>,
    /// Whether it is the host's; `None` when that cannot be told.
    pub(super) is_hosts: Option<bool>,
}

impl Doors {
    /// Doors to namespaces that can be read when no process is left in them.
    pub(super) fn kept_open() -> Self {
        let open = Open { files: HashMap::new(), budget: Budget::new(MOST_OPEN) };
        Self { open: Some(open), ..Self::default() }
    }

    /// Closes all namespaces but those of these cgroups.
    pub(super) fn close_but(&mut self, is_there: impl Fn(&str) -> bool) {
        if let Some(open) = &mut self.open {
            open.files.retain(|path, _| is_there(path));
        }
    }

    /// Reads what the namespace's interfaces have passed.
    pub(super) fn read<'r>(
        &mut self,
        group: &Group,
        space: Space,
        host: &Host,
        reader: &'r mut Reader,
    ) -> Result<Option<&'r [u8]>, ReadError> {
        if let Some(open) = &mut self.open
            && let Some((_, _, file)) = open.files.get_mut(&group.path)
        {
            return file.read("net/dev", reader);
        }
        reader.read(&host.proc, &format!("{}/net/dev", space.pid))
    }

    /// The namespace of a cgroup, which is looked for each time, since a runtime makes it after the cgroup has a process;
    /// when no process is left, the one that it had.
    fn of_open(
        &mut self,
        group: &mut Group,
        layout: &Layout,
        host: &Host,
        reader: &mut Reader,
    ) -> Result<Option<Space>, ReadError> {
        let first = group.members(layout, reader)?.0.first().copied();
        let Some(open) = &mut self.open else { return Ok(None) };
        let inode = first.and_then(|pid| namespace_of(pid, host, reader));
        let is_hosts = inode.zip(self.host).map(|(its, hosts)| its == hosts);
        match (first, inode, is_hosts) {
            (Some(pid), Some(inode), Some(false)) => {
                if open.files.get(&group.path).is_none_or(|(known, ..)| *known != inode) {
                    let folder = Kept::new(host.proc.join(&pid.to_string()), Arc::clone(&open.budget));
                    open.files.insert(group.path.clone(), (inode, pid, folder));
                }
            }
            (Some(_), _, Some(true)) => drop(open.files.remove(&group.path)),
            // A process that ends leaves its namespaces before its cgroup.
            _ => {
                if let Some((inode, pid, _)) = open.files.get(&group.path) {
                    return Ok(Some(Space { pid: *pid, inode: Some(*inode), is_hosts: Some(false) }));
                }
            }
        }
        Ok(first.map(|pid| Space { pid, inode, is_hosts }))
    }

    /// To be called first in a scrape: forgets cgroups that the last scrape did not ask for.
    pub(super) fn begin(&mut self, host: &Host, reader: &mut Reader, now: Instant) {
        self.now = now;
        let last = self.scrape;
        self.known.retain(|_, door| door.seen == last);
        self.scrape += 1;
        if self.host.is_none() {
            self.host = namespace_of(INIT, host, reader).or_else(|| {
                let name = reader.read(&host.proc, &format!("{KTHREADD}/comm")).ok().flatten();
                if name == Some(b"kthreadd\n") { namespace_of(KTHREADD, host, reader) } else { None }
            });
        }
    }

    /// The namespace of a cgroup; `None` when no process is in it.
    pub(super) fn of(
        &mut self,
        group: &mut Group,
        layout: &Layout,
        host: &Host,
        reader: &mut Reader,
    ) -> Result<Option<Space>, ReadError> {
        if group.kind == GroupKind::Root {
            return Ok(Some(Space { pid: INIT, inode: self.host, is_hosts: Some(true) }));
        }
        if self.open.is_some() {
            return self.of_open(group, layout, host, reader);
        }
        let (members, _) = group.members(layout, reader)?;
        let Some(first) = members.first().copied() else { return Ok(None) };
        // The process that led in last time still does while it is in the cgroup.
        let known = self.known.get_mut(&group.path);
        let door = match known {
            Some(door) if group.members(layout, reader)?.0.contains(&door.pid) => {
                door.seen = self.scrape;
                if self.now.saturating_duration_since(door.looked) >= LOOK_EVERY {
                    door.namespace = namespace_of(door.pid, host, reader);
                    door.looked = self.now;
                }
                *door
            }
            _ => {
                let namespace = namespace_of(first, host, reader);
                let door = Door { pid: first, namespace, looked: self.now, seen: self.scrape };
                self.known.insert(group.path.clone(), door);
                door
            }
        };
        let is_hosts = door.namespace.zip(self.host).map(|(its, hosts)| its == hosts);
        Ok(Some(Space { pid: door.pid, inode: door.namespace, is_hosts }))
    }
}

fn namespace_of(pid: Pid, host: &Host, reader: &Reader) -> Option<u64> {
    reader.stat(&host.proc, &format!("{pid}/ns/net")).map(|stat| stat.st_ino)
}

/// The cgroups that bear network series, of all that are there, sorted by path: the machine; a pod's sandboxes, or,
/// where no sandbox can be told, its oldest container; every container outside Kubernetes.
pub(super) fn bearers<'g>(groups: impl Iterator<Item = &'g mut Group>, into: &mut Vec<&'g mut Group>) {
    for group in groups {
        if !matches!(group.kind, GroupKind::Root | GroupKind::Sandbox | GroupKind::Container) {
            continue;
        }
        // A pod's cgroups follow each other.
        let rival = into.last().filter(|last| last.pod_uid().is_some() && last.pod_uid() == group.pod_uid());
        let Some(rival) = rival else {
            into.push(group);
            continue;
        };
        match (rival.kind == GroupKind::Sandbox, group.kind == GroupKind::Sandbox) {
            (true, true) => into.push(group),
            (false, true) => replace_last(into, group),
            (false, false) if group.created < rival.created => replace_last(into, group),
            (_, false) => {}
        }
    }
}

fn replace_last<'g>(into: &mut Vec<&'g mut Group>, group: &'g mut Group) {
    into.pop();
    into.push(group);
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt as _, sync::Arc};

    use kernfs::Budget;

    use super::*;
    use crate::identity::Tree;

    #[test]
    fn a_process_that_moves_to_another_namespace_is_followed_within_a_minute() {
        let root = tempfile::tempdir().unwrap();
        for name in ["proc/5/ns", "sys", "rootfs", "cgroup/shop"] {
            fs::create_dir_all(root.path().join(name)).unwrap();
        }
        fs::write(root.path().join("cgroup/cgroup.controllers"), "cpu\n").unwrap();
        fs::write(root.path().join("cgroup/shop/cgroup.procs"), "5\n").unwrap();
        let link = root.path().join("proc/5/ns/net");
        fs::write(&link, "").unwrap();
        let inode = || fs::metadata(&link).unwrap().ino();
        let host = Arc::new(Host::below(root.path()).unwrap());
        let mut reader = Reader::default();
        let layout = Arc::new(Layout::find(&host, &mut reader).unwrap());
        let mut tree = Tree::new(Arc::clone(&host), Arc::clone(&layout), Budget::new(9)).unwrap();
        let start = Instant::now();
        tree.refresh(&mut reader, start);
        let mut doors = Doors::default();
        let mut seen = |after: u64| {
            doors.begin(&host, &mut reader, start + Duration::from_secs(after));
            let group = tree.groups().find(|group| &*group.path == "/shop").unwrap();
            doors.of(group, &layout, &host, &mut reader).unwrap().unwrap().inode.unwrap()
        };
        let first = inode();
        assert_eq!(seen(0), first);
        // The old file stays until then, so that its inode is not given to the new one.
        fs::write(root.path().join("other"), "").unwrap();
        fs::rename(root.path().join("other"), &link).unwrap();
        assert_ne!(inode(), first);
        assert_eq!(seen(30), first);
        assert_eq!(seen(60), inode());
    }

    #[test]
    fn where_the_first_process_guards_its_namespace_the_kernels_threads_tell_the_hosts() {
        let root = tempfile::tempdir().unwrap();
        for name in ["proc/1", "proc/2/ns", "sys", "rootfs", "cgroup"] {
            fs::create_dir_all(root.path().join(name)).unwrap();
        }
        fs::write(root.path().join("proc/2/ns/net"), "").unwrap();
        fs::write(root.path().join("proc/2/comm"), "sh\n").unwrap();
        let host = Host::below(root.path()).unwrap();
        let mut reader = Reader::default();
        let mut doors = Doors::default();
        doors.begin(&host, &mut reader, Instant::now());
        assert_eq!(doors.host, None, "process 2 of some container");
        fs::write(root.path().join("proc/2/comm"), "kthreadd\n").unwrap();
        doors.begin(&host, &mut reader, Instant::now());
        assert_eq!(doors.host, Some(fs::metadata(root.path().join("proc/2/ns/net")).unwrap().ino()));
    }
}
