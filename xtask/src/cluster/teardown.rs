//! Ending the cluster: after it no process, mount, cgroup, network device, lease or file of it is left.
//!
//! Works from what the kernel knows (marked processes, mounts, cgroups) and not from what an earlier run remembers, so
//! it is the same after a crash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::Signal;
use serde_json::Value;

use super::machine::{BRIDGE, Cluster, NETWORK};
use crate::process;

const CGROUPS: &str = "/sys/fs/cgroup";

/// `cargo xtask cluster down`
pub(crate) fn down(cluster: &Cluster) -> Result<()> {
    let _lock = cluster.lock()?;
    let begin = Instant::now();
    clean(cluster)?;
    eprintln!("the cluster is gone after {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Removes everything; does nothing when there is nothing.
pub(super) fn clean(cluster: &Cluster) -> Result<()> {
    let dir = &cluster.dir;
    let had_state = dir.join("options.json").exists();
    kill_marked(&cluster.mark())?;
    if had_state {
        let cgroup_root = cgroup_root_of(dir);
        kill_pods(&cgroup_root)?;
        unmount_all(dir)?;
        remove_network();
        remove_cgroups(&cgroup_root)?;
        remove_outside(dir)?;
    }
    fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))
}

/// The control plane and the kubelet are killed, not asked: an API server drains for up to a minute, and nothing that
/// they could still write is kept. The shims of containerd carry the mark as well.
fn kill_marked(mark: &str) -> Result<()> {
    until_none("processes of the cluster", || {
        let pids = process::marked(mark);
        for &pid in &pids {
            process::signal(pid, Signal::KILL);
        }
        pids.len()
    })
}

fn kill_pods(cgroup_root: &str) -> Result<()> {
    until_none("processes of pods", || {
        let mut count = 0;
        for directory in pod_cgroups(cgroup_root).iter().flat_map(|root| descendants(root)) {
            let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            for pid in text.lines().filter_map(|line| line.parse().ok()) {
                process::signal(pid, Signal::KILL);
                count += 1;
            }
        }
        count
    })
}

fn until_none(what: &str, mut kill: impl FnMut() -> usize) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let left = kill();
        if left == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{left} {what} do not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn unmount_all(dir: &Path) -> Result<()> {
    let mut points = mount_points()?;
    points.retain(|point| {
        let path = point.to_string_lossy();
        point.starts_with(dir) || ["/run/containerd/", "/run/netns/cni-"].iter().any(|begin| path.starts_with(begin))
    });
    for point in points.iter().rev() {
        unmount(point, UnmountFlags::DETACH).with_context(|| format!("cannot unmount {}", point.display()))?;
        if point.starts_with("/run/netns") {
            fs::remove_file(point).ok();
        }
    }
    Ok(())
}

fn mount_points() -> Result<Vec<PathBuf>> {
    let table = fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
    Ok(table.lines().filter_map(|line| line.split(' ').nth(1)).map(|p| p.replace("\\040", " ").into()).collect())
}

/// Pods' ends of the links went with their network namespaces.
fn remove_network() {
    if Path::new("/sys/class/net").join(BRIDGE).exists() {
        process::output(Command::new("ip").args(["link", "del", BRIDGE])).ok();
    }
    let results = fs::read_dir("/var/lib/cni/results").into_iter().flatten().flatten();
    for entry in results.filter(|entry| entry.file_name().to_string_lossy().starts_with(NETWORK)) {
        fs::remove_file(entry.path()).ok();
    }
}

/// Where the kubelet keeps its pods in each hierarchy that has it.
pub(super) fn pod_cgroups(cgroup_root: &str) -> Vec<PathBuf> {
    let below = format!("{}/kubepods", cgroup_root.trim_matches('/'));
    hierarchies().into_iter().map(|h| h.join(below.trim_start_matches('/'))).filter(|path| path.is_dir()).collect()
}

/// The kubelet refuses a root that does not exist in every hierarchy.
pub(super) fn make_cgroup_root(cgroup_root: &str) -> Result<()> {
    let below = cgroup_root.trim_matches('/');
    if below.is_empty() {
        return Ok(());
    }
    for hierarchy in hierarchies() {
        let path = hierarchy.join(below);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        // A new cpuset of v1 can hold no process before it has CPUs and memory nodes.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(parent) = fs::read_to_string(hierarchy.join(file)) {
                fs::write(path.join(file), parent.trim()).ok();
            }
        }
    }
    Ok(())
}

/// The v2 tree itself, or each v1 hierarchy and the v2 tree beside them.
pub(crate) fn hierarchies() -> Vec<PathBuf> {
    if Path::new(CGROUPS).join("cgroup.controllers").exists() {
        return vec![PathBuf::from(CGROUPS)];
    }
    let entries = fs::read_dir(CGROUPS).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.join("cgroup.procs").exists()).collect()
}

fn remove_cgroups(cgroup_root: &str) -> Result<()> {
    for root in pod_cgroups(cgroup_root) {
        // A killed process leaves its cgroup a moment after it leaves /proc.
        until_none("cgroups of pods", || {
            descendants(&root).iter().rev().for_each(|path| drop(fs::remove_dir(path)));
            usize::from(root.exists())
        })?;
    }
    let below = cgroup_root.trim_matches('/');
    for hierarchy in hierarchies().iter().filter(|_| !below.is_empty()) {
        fs::remove_dir(hierarchy.join(below)).ok();
    }
    Ok(())
}

/// A directory and all below it, parents first.
fn descendants(root: &Path) -> Vec<PathBuf> {
    let mut all = vec![root.to_owned()];
    let mut next = 0;
    while let Some(path) = all.get(next) {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let below: Vec<_> = entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect();
        all.extend(below);
        next += 1;
    }
    all
}

/// What the programs made at fixed places: links to logs that are gone, and directories that were not there before.
fn remove_outside(dir: &Path) -> Result<()> {
    for entry in fs::read_dir("/var/log/containers").into_iter().flatten().flatten() {
        if fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(dir)) {
            fs::remove_file(entry.path()).ok();
        }
    }
    for path in fs::read_to_string(dir.join("outside")).unwrap_or_default().lines() {
        if Path::new(path).exists() {
            fs::remove_dir_all(path).with_context(|| format!("cannot remove {path}"))?;
        }
    }
    for stale in ["/run/containerd/containerd.sock", "/run/containerd/containerd.sock.ttrpc"] {
        fs::remove_file(stale).ok();
    }
    Ok(())
}

/// The option as `up` wrote it.
fn cgroup_root_of(dir: &Path) -> String {
    let text = fs::read_to_string(dir.join("options.json")).unwrap_or_default();
    let options: Value = serde_json::from_str(&text).unwrap_or_default();
    options.get("cgroup_root").and_then(Value::as_str).unwrap_or("/").to_owned()
}
