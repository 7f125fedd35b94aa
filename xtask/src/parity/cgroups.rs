//! Real cgroups with limits and processes that use them, for machines without a cluster.
//!
//! Their names are a container's (64 hexadecimal digits) below a directory of this run, in every hierarchy that the
//! machine has. Each holds a shell in a network namespace of its own that computes over its quota, keeps memory, and
//! writes to and reads from the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;

use crate::process::{self, Tied};
use crate::{cluster, places};

const CGROUPS: &str = "/sys/fs/cgroup";
/// Files of limits and what is written to them; one that a hierarchy does not have is left out.
const LIMITS: &[(&str, &str)] = &[
    ("cpu.cfs_period_us", "100000"),
    ("cpu.cfs_quota_us", "20000"),
    ("cpu.max", "20000 100000"),
    ("cpu.max.burst", "5000"),
    ("cpu.shares", "512"),
    ("cpu.weight", "50"),
    ("memory.high", "50331648"),
    ("memory.limit_in_bytes", "67108864"),
    ("memory.low", "8388608"),
    ("memory.max", "67108864"),
    ("memory.soft_limit_in_bytes", "33554432"),
    ("pids.max", "64"),
];

/// The cgroups; removed with their processes when dropped.
#[derive(Debug)]
pub(super) struct Cgroups {
    dirs: Vec<PathBuf>,
    scratch: PathBuf,
    work: Vec<Tied>,
}

impl Cgroups {
    /// Makes `count` of them and starts their work. Needs root.
    pub(super) fn with_work(count: u32) -> Result<Self> {
        if !process::is_root() {
            bail!("making cgroups needs root");
        }
        let name = format!("yagura-parity-{}", std::process::id());
        let scratch = places::cache("scratch")?.join(&name);
        fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
        let roots: Vec<PathBuf> = cluster::hierarchies().into_iter().map(|dir| dir.join(&name)).collect();
        let mut all = Self { dirs: Vec::new(), scratch, work: Vec::new() };
        for root in &roots {
            all.make(root)?;
            delegate(root);
        }
        for number in 0..count {
            let id = format!("{:08x}{number:056x}", std::process::id());
            let mut own = Vec::new();
            for root in &roots {
                let dir = root.join(&id);
                all.make(&dir)?;
                for (file, value) in LIMITS.iter().filter(|(file, _)| dir.join(file).exists()) {
                    let path = dir.join(file);
                    fs::write(&path, value).with_context(|| format!("cannot write {value} to {}", path.display()))?;
                }
                own.push(dir);
            }
            all.start(number, &own)?;
        }
        all.wait_for_work()?;
        Ok(all)
    }

    fn make(&mut self, dir: &Path) -> Result<()> {
        fs::create_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        self.dirs.push(dir.to_owned());
        // A new cpuset of v1 holds no process before it has CPUs and memory nodes.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let above = dir.parent().map(|parent| parent.join(file)).and_then(|path| fs::read_to_string(path).ok());
            if let Some(above) = above.filter(|text| !text.trim().is_empty()) {
                fs::write(dir.join(file), above.trim()).ok();
            }
        }
        Ok(())
    }

    fn start(&mut self, number: u32, dirs: &[PathBuf]) -> Result<()> {
        let enter: Vec<String> = dirs.iter().map(|dir| format!("echo $$ > {}/cgroup.procs", dir.display())).collect();
        let file = self.scratch.join(format!("data-{number}"));
        let file = file.display();
        let work = format!(
            "ip link set lo up 2>/dev/null; keep=$(head -c 4000000 /dev/zero | tr '\\0' x)
             while :; do
               dd if=/dev/urandom of={file} bs=64k count=32 conv=fsync 2>/dev/null
               dd if={file} of=/dev/null bs=64k iflag=direct 2>/dev/null
               i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done
             done"
        );
        let script = format!("{} && exec unshare --net sh -c \"$1\"", enter.join(" && "));
        let mut command = process::tied(Path::new("/bin/sh"));
        command.args(["-c", &script, "sh", &work]);
        let log = self.scratch.join(format!("log-{number}"));
        self.work.push(Tied::start("the work of a cgroup", &mut command, &log)?);
        Ok(())
    }

    /// Each has written its file once, and has been held back by its quota.
    fn wait_for_work(&mut self) -> Result<()> {
        let scratch = &self.scratch;
        for (number, work) in self.work.iter_mut().enumerate() {
            let file = scratch.join(format!("data-{number}"));
            let full = || file.metadata().is_ok_and(|meta| meta.len() >= 32 * 65536);
            work.wait_until(Duration::from_mins(1), full)?;
        }
        Ok(())
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.dirs.iter().any(|dir| dir.exists()) && Instant::now() < deadline {
            for dir in self.dirs.iter().rev() {
                let pids = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
                pids.lines().filter_map(|pid| pid.parse().ok()).for_each(|pid| process::signal(pid, Signal::KILL));
                fs::remove_dir(dir).ok();
            }
            self.work.retain_mut(|work| !work.has_ended());
            std::thread::sleep(Duration::from_millis(20));
        }
        fs::remove_dir_all(&self.scratch).ok();
    }
}

/// Lets the cgroups below have every controller that this one may use; v2 only.
fn delegate(dir: &Path) {
    for parent in [dir.parent(), Some(dir)].into_iter().flatten() {
        let controllers = fs::read_to_string(parent.join("cgroup.controllers")).unwrap_or_default();
        for controller in controllers.split_whitespace() {
            fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}")).ok();
        }
    }
}

/// Whether the machine's controllers are those of v1.
pub(super) fn is_v1() -> bool {
    !Path::new(CGROUPS).join("cgroup.controllers").exists()
}
