//! Folders in which runtimes keep a folder a container, with its OCI bundle or Docker's record of it.
//!
//! What runs is asked first. A container's process has its monitor as an ancestor: containerd's shim works in the folder
//! of its first container, `conmon` is told the folder on its command line. Docker mounts files of the folder with its
//! record into the container, which the mount table shows. These folders are remembered for containers that have no
//! process any more. Then come the folders that an option adds, and those that distributions use.
//!
//! A path of another mount namespace (Docker in Docker, a cluster in containers) is resolved there, at
//! `/proc/<monitor>/root`.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use kernfs::{Dir, Host, Reader, text};
use parking_lot::Mutex;

use super::bundle::{self, Named};
use crate::{
    ids::{ContainerId, Pid},
    mounts::{self, Root},
};

/// Files that may hold a container's names, in its folder.
const FILES: [(&str, Kind); 3] =
    [("config.json", Kind::Bundle), ("userdata/config.json", Kind::Bundle), ("config.v2.json", Kind::Record)];

/// Folders that hold a folder a container, below the machine's root. `*` stands for any part of a name.
const USUAL: &[&str] = &[
    // containerd, by itself and as k3s, RKE2, k0s, MicroK8s, Docker and Bottlerocket run it.
    "run/containerd/io.containerd.runtime.v2.task/k8s.io",
    "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io",
    "run/containerd/io.containerd.runtime.v2.task/default",
    "run/containerd/io.containerd.runtime.v2.task/moby",
    "run/k0s/containerd/io.containerd.runtime.v2.task/k8s.io",
    "var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task/k8s.io",
    "run/containerd/io.containerd.runtime.v2.task/*",
    "run/k3s/containerd/io.containerd.runtime.v2.task/*",
    "run/k0s/containerd/io.containerd.runtime.v2.task/*",
    "var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task/*",
    "run/docker/containerd/daemon/io.containerd.runtime.v2.task/*",
    "run/snap.docker/containerd/daemon/io.containerd.runtime.v2.task/*",
    "run/host-containerd/io.containerd.runtime.v2.task/*",
    "run/containerd/io.containerd.runtime.v1.linux/*",
    "run/k3s/containerd/io.containerd.runtime.v1.linux/*",
    "var/snap/microk8s/common/run/containerd/io.containerd.runtime.v1.linux/*",
    // CRI-O and Podman, as root and for users; the folder is called after the storage driver.
    "run/containers/storage/overlay-containers",
    "var/lib/containers/storage/overlay-containers",
    "run/containers/storage/*-containers",
    "var/lib/containers/storage/*-containers",
    "home/*/.local/share/containers/storage/*-containers",
    "var/home/*/.local/share/containers/storage/*-containers",
    "run/user/*/containers/*-containers",
    // Docker, without and with user namespaces, as a snap, and without root.
    "var/lib/docker/containers",
    "var/lib/docker/*.*/containers",
    "var/snap/docker/common/var-lib-docker/containers",
    "var/snap/docker/common/var-lib-docker/*.*/containers",
    "home/*/.local/share/docker/containers",
    "var/home/*/.local/share/docker/containers",
];

/// Most folders that are remembered, and most that patterns may stand for.
const MOST: usize = 256;
/// How often patterns are looked up and runtimes looked for, while some container has no name.
const LOOK_EVERY: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bundle,
    Record,
}

/// A folder that holds a folder a container.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    root: Root,
    folder: String,
}

/// The places. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    added: Vec<Place>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// From what runs.
    learnt: Vec<Place>,
    /// What patterns stand for.
    usual: Vec<Place>,
    looked: Option<Instant>,
}

/// Names of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The names.
    pub named: Named,
    /// Where they stand, if they may change there.
    pub record: Option<Record>,
}

/// A file whose names may change while the container runs: `docker rename` writes it anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    root: Root,
    path: String,
    version: Version,
}

/// Inode, size, and time of the last change.
type Version = (u64, i64, i64, u64);

fn version(reader: &Reader, dir: &Dir, path: &str) -> Version {
    #[expect(clippy::unnecessary_cast, reason = "the types differ by architecture")]
    reader.stat(dir, path).map_or_else(Version::default, |stat| {
        (stat.st_ino as u64, stat.st_size as i64, stat.st_mtime as i64, stat.st_mtime_nsec as u64)
    })
}

impl Record {
    /// The names, if the file has changed since it was read.
    pub fn changed(&mut self, host: &Host, reader: &mut Reader) -> Option<Named> {
        let (dir, path) = self.root.resolve(host, &self.path);
        let version = version(reader, dir, &path);
        if version == self.version {
            return None;
        }
        let named = bundle::parse_docker(reader.read(dir, &path).ok()??)?;
        self.version = version;
        Some(named)
    }
}

impl Places {
    /// With these folders of the machine besides the usual ones.
    pub fn new(added: &[PathBuf]) -> Self {
        let place = |folder: &PathBuf| Place { root: Root::Machine, folder: text::of_path(folder).into_owned() };
        Self(Arc::new(Shared { added: added.iter().map(place).collect(), known: Mutex::default() }))
    }

    /// Finds the names of the container `id`; `member` gives a process of it, if it has one. `None` if there is nothing
    /// that can be read, or nothing that has names.
    pub fn find(
        &self,
        host: &Host,
        reader: &mut Reader,
        id: ContainerId<&str>,
        member: impl FnOnce(&mut Reader) -> Option<Pid>,
    ) -> Option<Found> {
        let ContainerId(id) = id;
        if id.is_empty() || id.contains(['/', '\0']) || matches!(id, "." | "..") {
            return None;
        }
        let mut search = Search { host, reader, id, bare: None };
        let learnt = self.0.known.lock().learnt.clone();
        let found = search.in_places(&learnt).or_else(|| search.in_places(&self.0.added)).or_else(|| {
            let member = member(search.reader)?;
            let places = of_process(host, search.reader, member, id);
            let found = search.in_places(&places);
            let of_found = places.into_iter().filter(|place| search.has(place)).collect::<Vec<_>>();
            self.learn(of_found);
            found
        });
        let fixed = || USUAL.iter().filter(|folder| !folder.contains('*')).map(|folder| usual(folder));
        found
            .or_else(|| search.in_places(&fixed().collect::<Vec<_>>()))
            .or_else(|| {
                self.look(host, search.reader);
                let (learnt, usual) = {
                    let known = self.0.known.lock();
                    (known.learnt.clone(), known.usual.clone())
                };
                search.in_places(&usual).or_else(|| search.in_places(&learnt))
            })
            .or(search.bare)
    }

    fn learn(&self, places: Vec<Place>) {
        let mut known = self.0.known.lock();
        for place in places {
            if !known.learnt.contains(&place) {
                if known.learnt.len() >= MOST {
                    known.learnt.remove(0);
                }
                known.learnt.push(place);
            }
        }
    }

    /// Looks for runtimes that run and for what patterns stand for, once in a while.
    fn look(&self, host: &Host, reader: &mut Reader) {
        {
            let mut known = self.0.known.lock();
            if known.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
                return;
            }
            known.looked = Some(Instant::now());
        }
        let usual = USUAL.iter().filter(|folder| folder.contains('*'));
        let mut places: Vec<Place> = usual.flat_map(|pattern| expanded(host, reader, pattern)).collect();
        places.truncate(MOST);
        let runtimes = of_runtimes(host, reader);
        self.0.known.lock().usual = places;
        self.learn(runtimes);
        // Of a monitor that has ended nothing can be read.
        let learnt = self.0.known.lock().learnt.clone();
        let is_there = |place: &Place| {
            let (dir, path) = place.root.resolve(host, &place.folder);
            reader.exists(dir, &path)
        };
        let gone: Vec<_> = learnt.into_iter().filter(|place| !is_there(place)).collect();
        self.0.known.lock().learnt.retain(|place| !gone.contains(place));
    }
}

fn usual(folder: &str) -> Place {
    Place { root: Root::Machine, folder: folder.to_owned() }
}

/// A search for one container.
struct Search<'s> {
    host: &'s Host,
    reader: &'s mut Reader,
    id: &'s str,
    /// A bundle without names.
    bare: Option<Found>,
}

impl Search<'_> {
    /// Names in one of the places; a bundle without any is remembered and the search goes on: Docker runs its containers
    /// with bare bundles and keeps the names in a record of its own.
    fn in_places(&mut self, places: &[Place]) -> Option<Found> {
        places.iter().find_map(|place| self.in_place(place))
    }

    fn in_place(&mut self, place: &Place) -> Option<Found> {
        let Self { host, reader, id, bare } = self;
        for (file, kind) in FILES {
            let below = format!("{}/{id}/{file}", place.folder);
            let (dir, path) = place.root.resolve(host, &below);
            // Before it is read: what is written meanwhile is another version.
            let version = if kind == Kind::Record { version(reader, dir, &path) } else { Version::default() };
            let Ok(Some(json)) = reader.read(dir, &path) else { continue };
            match kind {
                Kind::Record => {
                    if let Some(named) = bundle::parse_docker(json) {
                        return Some(Found { named, record: Some(Record { root: place.root, path: below, version }) });
                    }
                }
                Kind::Bundle => {
                    let Some(named) = bundle::parse(json, ContainerId(id)) else { continue };
                    let has_names = !named.container.is_empty() || !named.image.is_empty();
                    if has_names || !named.pod.is_empty() || named.name != *id {
                        return Some(Found { named, record: None });
                    }
                    // Docker's have a record somewhere, without which nothing is known of them.
                    if !place.folder.ends_with("/moby") {
                        bare.get_or_insert(Found { named, record: None });
                    }
                }
            }
        }
        None
    }

    fn has(&self, place: &Place) -> bool {
        let (dir, path) = place.root.resolve(self.host, &format!("{}/{}", place.folder, self.id));
        self.reader.exists(dir, &path)
    }
}

/// Places that the container of this process tells: by its monitor, and by files that are mounted into it.
fn of_process(host: &Host, reader: &mut Reader, pid: Pid, id: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let ancestors = mounts::ancestors(host, reader, pid);
    let monitor = ancestors.iter().find_map(|pid| Some((*pid, monitor(host, reader, *pid)?)));
    let root = monitor.as_ref().map_or(Root::Machine, |(pid, _)| mounts::root_of(host, reader, *pid));
    if let Some((_, folders)) = monitor {
        places.extend(folders.into_iter().map(|folder| Place { root, folder }));
    }
    let name = format!("/{id}/");
    let mounted: Vec<((u32, u32), String)> = match reader.read(&host.proc, &format!("{pid}/mountinfo")) {
        Ok(Some(file)) => mounts::mountinfo(file)
            .map(|mount| (mount.number, mounts::unescaped(mount.root)))
            .filter(|(_, path)| path.contains(&name))
            .collect(),
        _ => Vec::new(),
    };
    for (number, path) in mounted {
        let Some(end) = path.find(&name) else { continue };
        let Some(folder) = path.get(..end) else { continue };
        if let Some(folder) = mounts::seen_at(host, reader, root, number, folder) {
            let place = Place { root, folder };
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

/// The folders that a container's monitor works with, in its own mount namespace; `None` if the process is none.
fn monitor(host: &Host, reader: &mut Reader, pid: Pid) -> Option<Vec<String>> {
    let comm = reader.read(&host.proc, &format!("{pid}/comm")).ok()??.trim_ascii();
    // The kernel keeps fifteen bytes of a name.
    if comm.starts_with(b"containerd-shim") {
        let folder = reader.link(&host.proc, &format!("{pid}/cwd"))?;
        return Some(parent(&folder).map(str::to_owned).into_iter().collect());
    }
    if comm == b"conmon" || comm == b"conmonrs" {
        let line = reader.read(&host.proc, &format!("{pid}/cmdline")).ok()??;
        let line = text::text(line).into_owned();
        let bundle = argument(&line, &["-b", "--bundle"])?;
        let folder = bundle.strip_suffix("/userdata").unwrap_or(bundle);
        return Some(parent(folder).map(str::to_owned).into_iter().collect());
    }
    None
}

/// Places of all runtimes that run.
fn of_runtimes(host: &Host, reader: &mut Reader) -> Vec<Place> {
    let mut pids: Vec<Pid> = Vec::new();
    let listed = reader.list(&host.proc, "", |name, is_dir| pids.extend(name.parse::<Pid>().ok().filter(|_| is_dir)));
    if listed.is_err() {
        return Vec::new();
    }
    let mut places = Vec::new();
    for pid in pids {
        let folders = match monitor(host, reader, pid) {
            Some(folders) => folders,
            None => match reader.read(&host.proc, &format!("{pid}/comm")) {
                Ok(Some(b"dockerd\n")) => of_docker(host, reader, pid),
                _ => continue,
            },
        };
        let root = mounts::root_of(host, reader, pid);
        for folder in folders {
            let place = Place { root, folder };
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

/// Where a Docker daemon keeps its records: below the folder that its command line or its configuration names, and,
/// with user namespaces, in a folder that is called after the owner there.
fn of_docker(host: &Host, reader: &mut Reader, pid: Pid) -> Vec<String> {
    let line = match reader.read(&host.proc, &format!("{pid}/cmdline")) {
        Ok(Some(line)) => text::text(line).into_owned(),
        _ => return Vec::new(),
    };
    let root = mounts::root_of(host, reader, pid);
    let configured = |reader: &mut Reader| {
        let file = argument(&line, &["--config-file"]).unwrap_or("/etc/docker/daemon.json");
        let (dir, path) = root.resolve(host, file);
        let config: serde_json::Value = serde_json::from_slice(reader.read(dir, &path).ok()??).ok()?;
        let folder = config.get("data-root").or_else(|| config.get("graph"))?.as_str()?;
        Some(folder.to_owned())
    };
    let named = argument(&line, &["--data-root", "-g", "--graph"]).map(str::to_owned);
    let Some(folder) = named.or_else(|| configured(reader)) else { return Vec::new() };
    let folder = folder.trim_end_matches('/');
    let mut folders = vec![format!("{folder}/containers")];
    let (dir, path) = root.resolve(host, folder);
    let _ = reader.list(dir, &path, |name, _| {
        if name.split_once('.').is_some_and(|(user, group)| is_number(user) && is_number(group)) {
            folders.push(format!("{folder}/{name}/containers"));
        }
    });
    folders
}

fn is_number(word: &str) -> bool {
    text::number(word.as_bytes()).is_some()
}

/// The value of an option on a command line whose words end with zeros.
fn argument<'l>(line: &'l str, names: &[&str]) -> Option<&'l str> {
    let mut words = line.split('\0');
    while let Some(word) = words.next() {
        if names.contains(&word) {
            return words.next();
        }
        let value = names.iter().find_map(|name| word.strip_prefix(name)?.strip_prefix('='));
        if value.is_some() {
            return value;
        }
    }
    None
}

fn parent(folder: &str) -> Option<&str> {
    folder.trim_end_matches('/').rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty())
}

/// The folders that a pattern stands for.
fn expanded(host: &Host, reader: &Reader, pattern: &str) -> Vec<Place> {
    let mut found = vec![String::new()];
    for part in pattern.split('/') {
        let mut next = Vec::new();
        for folder in &found {
            let below = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let Some((start, end)) = part.split_once('*') else {
                next.push(below(part));
                continue;
            };
            let _ = reader.list(&host.rootfs, folder, |name, is_dir| {
                let fits = name.len() >= start.len() + end.len() && name.starts_with(start);
                // `*.*`
                let fits = fits && end.split_once('*').map_or(name.ends_with(end), |(middle, _)| name.contains(middle));
                if is_dir && fits && next.len() < MOST {
                    next.push(below(name));
                }
            });
        }
        found = next;
    }
    found.sort_unstable();
    found.into_iter().filter(|folder| reader.exists(&host.rootfs, folder)).map(|folder| usual(&folder)).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::*;

    const ID: &str = "4b1f0c9e8d7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c";
    const BUNDLE: &str = r#"{"annotations":{"io.kubernetes.cri.container-type":"container",
        "io.kubernetes.cri.container-name":"web","io.kubernetes.cri.sandbox-name":"shop-0",
        "io.kubernetes.cri.sandbox-namespace":"shop"}}"#;

    fn record(name: &str) -> String {
        format!(r#"{{"Name":"/{name}","Config":{{"Image":"registry.example/{name}:1"}}}}"#)
    }

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            for folder in ["proc/1/ns", "sys", "cgroup", "rootfs"] {
                fs::create_dir_all(root.path().join(folder)).unwrap();
            }
            symlink("mnt:[1]", root.path().join("proc/1/ns/mnt")).unwrap();
            write(&root.path().join("proc/1/mountinfo"), "27 1 254:0 / / rw - ext4 /dev/vda rw\n");
            Self(root)
        }

        fn file(&self, path: &str, text: &str) {
            write(&self.0.path().join(path), text);
        }

        /// A process with its parent, and its mount namespace.
        fn process(&self, pid: u32, parent: u32, comm: &str, cmdline: &[&str], namespace: u32) {
            self.file(&format!("proc/{pid}/stat"), &format!("{pid} ({comm}) S {parent} 1 1 0\n"));
            self.file(&format!("proc/{pid}/comm"), &format!("{comm}\n"));
            self.file(&format!("proc/{pid}/cmdline"), &(cmdline.join("\0") + "\0"));
            fs::create_dir_all(self.0.path().join(format!("proc/{pid}/ns"))).unwrap();
            symlink(format!("mnt:[{namespace}]"), self.0.path().join(format!("proc/{pid}/ns/mnt"))).unwrap();
        }

        fn find(&self, places: &Places, id: &str, pid: Option<u32>) -> Option<Found> {
            let host = Host::below(self.0.path()).unwrap();
            places.find(&host, &mut Reader::default(), ContainerId(id), |_| pid)
        }

        fn name(&self, places: &Places, pid: Option<u32>) -> Option<String> {
            let Named { container, name, .. } = self.find(places, ID, pid)?.named;
            Some(if container.is_empty() { name } else { container })
        }
    }

    #[test]
    fn usual_places_need_no_process() {
        for (folder, text) in [
            ("var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task/k8s.io/{}/config.json", BUNDLE),
            ("run/k0s/containerd/io.containerd.runtime.v2.task/k8s.io/{}/config.json", BUNDLE),
            ("run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/{}/config.json", BUNDLE),
            ("run/containerd/io.containerd.runtime.v2.task/other/{}/config.json", BUNDLE),
            ("run/containerd/io.containerd.runtime.v1.linux/k8s.io/{}/config.json", BUNDLE),
            ("var/lib/containers/storage/vfs-containers/{}/userdata/config.json", BUNDLE),
            ("home/u/.local/share/containers/storage/overlay-containers/{}/userdata/config.json", BUNDLE),
            ("var/lib/docker/165536.165536/containers/{}/config.v2.json", &record("web")),
            ("var/snap/docker/common/var-lib-docker/containers/{}/config.v2.json", &record("web")),
            ("home/u/.local/share/docker/containers/{}/config.v2.json", &record("web")),
        ] {
            let machine = Machine::new();
            assert_eq!(machine.name(&Places::default(), None), None);
            machine.file(&format!("rootfs/{}", folder.replace("{}", ID)), text);
            assert_eq!(machine.name(&Places::default(), None).as_deref(), Some("web"), "{folder}");
        }
    }

    #[test]
    fn an_option_adds_a_folder() {
        let machine = Machine::new();
        machine.file(&format!("rootfs/data/tasks/{ID}/config.json"), BUNDLE);
        assert_eq!(machine.name(&Places::default(), None), None);
        assert_eq!(machine.name(&Places::new(&["/data/tasks".into()]), None).as_deref(), Some("web"));
    }

    #[test]
    fn a_shim_works_in_the_folder_of_its_first_container() {
        let machine = Machine::new();
        machine.file(&format!("rootfs/opt/state/tasks/k8s.io/{ID}/config.json"), BUNDLE);
        machine.process(7, 6, "web", &["web"], 9);
        machine.process(6, 1, "containerd-shim", &["/x/containerd-shim-runc-v2", "-namespace", "k8s.io"], 1);
        symlink("/opt/state/tasks/k8s.io/other", machine.0.path().join("proc/6/cwd")).unwrap();
        let places = Places::default();
        assert_eq!(machine.name(&places, Some(7)).as_deref(), Some("web"));
        assert_eq!(machine.name(&places, None).as_deref(), Some("web"), "it is remembered");
        assert_eq!(machine.name(&Places::default(), None).as_deref(), Some("web"), "or found among all processes");
    }

    #[test]
    fn conmon_is_told_its_folder() {
        let machine = Machine::new();
        machine.file(&format!("rootfs/data/overlay-containers/{ID}/userdata/config.json"), BUNDLE);
        machine.process(8, 7, "sh", &["sh"], 9);
        machine.process(7, 6, "web", &["web"], 9);
        let bundle = format!("/data/overlay-containers/{ID}/userdata");
        machine.process(6, 1, "conmon", &["/usr/bin/conmon", "-c", ID, "-b", &bundle], 1);
        assert_eq!(machine.name(&Places::default(), Some(8)).as_deref(), Some("web"));
    }

    #[test]
    fn a_monitor_in_another_mount_namespace_is_asked_there() {
        let machine = Machine::new();
        // The machine has something else of the same path.
        machine.file(&format!("rootfs/run/x/k8s.io/{ID}/other"), "");
        machine.file(&format!("proc/6/root/run/x/k8s.io/{ID}/config.json"), BUNDLE);
        machine.process(7, 6, "web", &["web"], 9);
        machine.process(6, 1, "containerd-shim", &["containerd-shim-runc-v2"], 5);
        symlink(format!("/run/x/k8s.io/{ID}"), machine.0.path().join("proc/6/cwd")).unwrap();
        assert_eq!(machine.name(&Places::default(), Some(7)).as_deref(), Some("web"));
    }

    #[test]
    fn docker_mounts_files_of_its_record_into_the_container() {
        let machine = Machine::new();
        let disk = "27 1 254:0 / / rw - ext4 /dev/vda rw\n30 27 8:1 /sub /data\\040disk rw - xfs /dev/sda1 rw\n";
        machine.file("proc/1/mountinfo", disk);
        machine.file(&format!("rootfs/data disk/docker/containers/{ID}/config.v2.json"), &record("web"));
        let task = "/run/containerd/io.containerd.runtime.v2.task/moby";
        machine.file(&format!("rootfs{task}/{ID}/config.json"), "{}");
        machine.process(7, 6, "web", &["web"], 9);
        machine.process(6, 1, "containerd-shim", &["containerd-shim-runc-v2", "-namespace", "moby"], 1);
        symlink(format!("{task}/{ID}"), machine.0.path().join("proc/6/cwd")).unwrap();
        let mounts = format!(
            "90 80 0:50 / / rw - overlay overlay rw\n\
             91 90 8:1 /sub/docker/containers/{ID}/hostname /etc/hostname rw - xfs /dev/sda1 rw\n"
        );
        machine.file("proc/7/mountinfo", &mounts);
        assert_eq!(machine.name(&Places::default(), None), None, "a bare bundle of Docker's says nothing");
        let places = Places::default();
        assert_eq!(machine.name(&places, Some(7)).as_deref(), Some("web"));
        assert_eq!(machine.name(&places, None).as_deref(), Some("web"));
    }

    #[test]
    fn a_docker_daemon_is_told_where_its_data_is() {
        for (args, config) in [
            (&["dockerd", "--data-root=/data/docker"][..], "{}"),
            (&["dockerd", "-H", "fd://"], r#"{"data-root": "/data/docker/"}"#),
        ] {
            let machine = Machine::new();
            machine.file("rootfs/etc/docker/daemon.json", config);
            machine.file(&format!("rootfs/data/docker/100000.100000/containers/{ID}/config.v2.json"), &record("web"));
            machine.process(5, 1, "dockerd", args, 1);
            assert_eq!(machine.name(&Places::default(), None).as_deref(), Some("web"), "{args:?}");
        }
    }

    #[test]
    fn a_record_that_is_written_anew_gives_the_new_name() {
        let machine = Machine::new();
        let path = format!("rootfs/var/lib/docker/containers/{ID}/config.v2.json");
        machine.file(&path, &record("web"));
        let mut found = machine.find(&Places::default(), ID, None).unwrap();
        let record_of = found.record.as_mut().unwrap();
        let host = Host::below(machine.0.path()).unwrap();
        assert_eq!(record_of.changed(&host, &mut Reader::default()), None);
        // As Docker does it: another file takes the place.
        machine.file("rootfs/new", &record("web_old"));
        fs::rename(machine.0.path().join("rootfs/new"), machine.0.path().join(&path)).unwrap();
        let named = record_of.changed(&host, &mut Reader::default()).unwrap();
        assert_eq!((named.name.as_str(), named.image.as_str()), ("web_old", "registry.example/web_old:1"));
        assert_eq!(record_of.changed(&host, &mut Reader::default()), None);
    }

    #[test]
    fn a_bundle_without_names_is_still_one() {
        let machine = Machine::new();
        machine.file("rootfs/run/containerd/io.containerd.runtime.v2.task/default/plain/config.json", "{}");
        let found = machine.find(&Places::default(), "plain", None).unwrap();
        assert_eq!((found.named.name.as_str(), found.record), ("plain", None));
        for id in ["", ".", "..", "a/b"] {
            assert!(machine.find(&Places::default(), id, None).is_none(), "{id}");
        }
    }
}
