//! Usage of the host's file systems, and size of each container's writable layer.
//!
//! Each mounted file system is queried with statfs. Network file systems may hang, and are then omitted ([`remote`]). A
//! container's layer is never measured during a scrape: if a project quota counts it, the file system is queried, else
//! a background thread walks it ([`surveyor`]). So the value has an age.
//!
//! A kubelet on containerd shows no container here; limit and inodes of a container are those of the file system under
//! it. Not included: containers whose root is not an overlay, and volumes.

mod layer;
mod metrics;
mod remote;
mod surveyor;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use kernfs::{Host, ReadError, Reader, Space, Usage};
use metric::{Batch, Bytes, Of, Seconds};

use self::{
    metrics::{cadvisor, own},
    remote::Remote,
    surveyor::{Found, Surveyor},
};
use crate::{
    identity::{AsCadvisor, Group, GroupKind, Pid},
    mounts::{self, Mounted, Root},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_fs",
    about: "How full the machine's file systems are, and what each container's writable layer takes up.",
    default_on: true,
    needs: &[Need::File("proc/1/mountinfo"), Need::File("rootfs/var/lib"), Need::Capability("CAP_DAC_READ_SEARCH")],
    shows: &[(View::Cadvisor, cadvisor::ALL), (View::Own, own::ALL)],
    build,
};

/// Seconds between two looks at what is mounted, and at a container whose layer was not found.
const EVERY: f64 = 60.0;
/// Seconds after which a container that was not asked for is forgotten.
const FORGET_AFTER: f64 = 90.0;

/// A container's writable layer.
#[derive(Clone, Debug)]
struct Layer {
    path: PathBuf,
    /// As the machine's row calls it.
    device: String,
    /// Where that is mounted.
    point: PathBuf,
}

#[derive(Clone, Debug)]
struct Known {
    layer: Option<Layer>,
    looked: f64,
    asked: f64,
}

#[derive(Debug, Default)]
struct ContainerFs {
    mounted: Vec<Mounted>,
    mounted_at: f64,
    remote: Remote,
    surveyor: Surveyor,
    containers: HashMap<Box<str>, Known>,
    swept: f64,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::<ContainerFs>::default())
}

impl Collector for ContainerFs {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        let Scrape { tree, host, reader, out, problems, now, .. } = scrape;
        if self.mounted.is_empty() || *now - self.mounted_at >= EVERY {
            self.mounted = mounts::mounted(host, reader)?;
            self.mounted_at = *now;
        }
        self.remote.begin();
        // File systems are asked once a scrape, however many containers are on them.
        let mut asked: HashMap<PathBuf, Option<Space>> = HashMap::new();
        for group in tree.groups() {
            match (group.kind, group.cadvisor) {
                (GroupKind::Root, Some(of)) => self.machine(of, host, out, problems),
                (GroupKind::Container, _) if group.cadvisor.is_some() || group.own.is_some() => {
                    let pid = match group.members(&layout, reader) {
                        Ok((pids, _)) => pids.first().copied(),
                        Err(problem) => {
                            problems.push(problem);
                            continue;
                        }
                    };
                    let Some(layer) = self.layer(group, pid, *now, host, reader) else { continue };
                    let mut space_of = |path: &Path, problems: &mut Vec<ReadError>| {
                        *asked.entry(path.to_owned()).or_insert_with(|| {
                            kernfs::space(path).map_err(|problem| problems.push(problem)).ok().flatten()
                        })
                    };
                    let (space, whole) = (space_of(&layer.path, problems), space_of(&layer.point, problems));
                    let measured = match (space, whole) {
                        // With a project quota the folder looks smaller than its file system.
                        (Some(space), Some(whole)) if space.bytes < whole.bytes => Some((by_quota(space), 0.0)),
                        _ => self.walked(&layer, problems),
                    };
                    emit(group, &layer.device, space, measured, out);
                }
                _ => {}
            }
        }
        self.surveyor.work().map_err(|source| ReadError { path: "the surveyor's thread".into(), source })?;
        if *now - self.swept > FORGET_AFTER {
            self.containers.retain(|_, known| *now - known.asked <= FORGET_AFTER);
            self.swept = *now;
        }
        Ok(())
    }
}

impl ContainerFs {
    fn machine(&mut self, of: Of<AsCadvisor>, host: &Host, out: &mut Batch, problems: &mut Vec<ReadError>) {
        for mounted in &self.mounted {
            let path = host.rootfs.join(&mounted.point);
            let answer = if is_remote(&mounted.kind) { self.remote.space(&path) } else { Some(kernfs::space(&path)) };
            match answer {
                Some(Ok(Some(space))) => {
                    let usage = space.bytes.saturating_sub(space.bytes_free);
                    emit_cadvisor(of, &mounted.device, space, Some(usage), out);
                }
                Some(Ok(None)) => {}
                Some(Err(problem)) => problems.push(problem),
                None => problems.push(ReadError { path, source: io::Error::other("its server does not answer") }),
            }
        }
    }

    fn layer(&mut self, group: &Group, pid: Option<Pid>, now: f64, host: &Host, reader: &mut Reader) -> Option<Layer> {
        if let Some(known) = self.containers.get_mut(&group.path) {
            known.asked = now;
            if known.layer.is_some() || now - known.looked < EVERY {
                return known.layer.clone();
            }
        }
        let layer = pid.and_then(|pid| self.find_layer(pid, &group.path, host, reader));
        let known = Known { layer: layer.clone(), looked: now, asked: now };
        self.containers.insert(group.path.clone(), known);
        layer
    }

    fn find_layer(&self, pid: Pid, path: &str, host: &Host, reader: &mut Reader) -> Option<Layer> {
        let upper = layer::upper(reader.read(&host.proc, &format!("{pid}/mountinfo")).ok()??)?;
        let Some(root) = layer::root_of(&upper, pid, host, reader) else {
            tracing::info!(
                cgroup = path,
                upper = upper.path,
                "container's overlay is mounted in a mount namespace that cannot be seen: its disk usage is not shown"
            );
            return None;
        };
        let (dir, name) = root.resolve(host, &upper.path);
        let stat = reader.stat(dir, &name)?;
        let folder = dir.join(&name);
        let number = (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
        let same = self.mounted.iter().find(|mounted| mounted.number == number);
        // Btrfs numbers its volumes by itself; the mount that is nearest above the folder is the one.
        let above = self.mounted.iter().filter(|mounted| Path::new(&upper.path).starts_with(&mounted.point));
        let above = above.filter(|_| root == Root::Machine).max_by_key(|mounted| mounted.point.len());
        let mounted = same.or(above)?;
        let (device, point) = (mounted.device.clone(), host.rootfs.join(&mounted.point));
        Some(Layer { path: folder, device, point })
    }

    /// What the walk found, and its age in seconds.
    fn walked(&self, layer: &Layer, problems: &mut Vec<ReadError>) -> Option<(Usage, f64)> {
        let now = Instant::now();
        match self.surveyor.ask(&layer.path, now)? {
            Found::Measured(usage, at) => Some((usage, now.saturating_duration_since(at).as_secs_f64())),
            Found::Failed(why) => {
                problems.push(ReadError { path: layer.path.clone(), source: io::Error::other(why) });
                None
            }
        }
    }
}

fn by_quota(space: Space) -> Usage {
    Usage {
        bytes: space.bytes.saturating_sub(space.bytes_free),
        inodes: space.inodes.saturating_sub(space.inodes_free),
    }
}

/// Whether another machine answers for the file system.
fn is_remote(kind: &str) -> bool {
    kind.starts_with("nfs")
}

fn emit(group: &Group, device: &str, space: Option<Space>, measured: Option<(Usage, f64)>, out: &mut Batch) {
    if let (Some(of), Some(space)) = (group.cadvisor, space) {
        emit_cadvisor(of, device, space, measured.map(|(usage, _)| usage.bytes), out);
    }
    if let (Some(of), Some((usage, age))) = (group.own, measured) {
        out.put_of(&own::USAGE, of, [device], Bytes(usage.bytes));
        out.put_of(&own::INODES, of, [device], usage.inodes);
        out.put_of(&own::AGE, of, [device], Seconds(age));
    }
}

fn emit_cadvisor(of: Of<AsCadvisor>, device: &str, space: Space, usage: Option<u64>, out: &mut Batch) {
    if let Some(usage) = usage {
        out.put_of(&cadvisor::USAGE, of, [device], Bytes(usage));
    }
    out.put_of(&cadvisor::LIMIT, of, [device], Bytes(space.bytes));
    out.put_of(&cadvisor::INODES, of, [device], space.inodes);
    out.put_of(&cadvisor::INODES_FREE, of, [device], space.inodes_free);
}

#[cfg(test)]
mod tests;
