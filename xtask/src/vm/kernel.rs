//! Other kernels: Debian's, booted by QEMU with this machine's root below them, so that nothing is copied.
//!
//! The kernel's package is unpacked in the cache. An initrd of a megabyte mounts the host's root over 9p, read-only,
//! lays a tmpfs over it and starts `e2e/vm/guest.sh`. One directory of the host can be written; the script's output
//! and status come back through it. Needs no KVM.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::initrd;
use crate::debian::{self, Suite};
use crate::skip::Skip;
use crate::{places, process};

/// A kernel of Debian.
#[derive(Debug)]
pub(super) struct Kernel {
    /// What a person calls it.
    pub(super) name: &'static str,
    suite: &'static str,
    package: &'static str,
    version: &'static str,
}

/// The kernels that a node may have, oldest first.
pub(super) const KERNELS: &[Kernel] = &[
    Kernel { name: "5.10", suite: "bullseye", package: "linux-image-5.10.0-46-amd64", version: "5.10.262-1" },
    Kernel { name: "6.1", suite: "bookworm", package: "linux-image-6.1.0-56-amd64", version: "6.1.192-2" },
    Kernel { name: "6.12", suite: "trixie", package: "linux-image-6.12.117+deb13-amd64", version: "6.12.117-1" },
    Kernel { name: "sid", suite: "sid", package: "linux-image-7.2.13+deb14-amd64", version: "7.2.13-1" },
];

/// What came back from a machine.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What the script printed.
    pub(super) output: String,
    /// Its status.
    pub(super) status: i32,
}

/// A machine without the means says so.
pub(super) fn possible() -> Result<()> {
    if cfg!(not(target_arch = "x86_64")) {
        return Err(Skip("the kernels are for x86-64 machines".to_owned()).into());
    }
    if !debian::is_here() {
        return Err(Skip("Debian's package tools are not installed".to_owned()).into());
    }
    if !process::is_root() {
        return Err(Skip("sharing the whole root with a virtual machine needs root".to_owned()).into());
    }
    for tool in ["qemu-system-x86_64", "busybox", "modprobe", "depmod", "xz", "mkfs.ext4"] {
        if process::find(tool).is_none() {
            return Err(Skip(format!("{tool} is not installed")).into());
        }
    }
    Ok(())
}

impl Kernel {
    /// What the tests on it are called in reports.
    pub(super) fn part(&self) -> String {
        format!("kernel {}", self.name)
    }

    /// The package, unpacked: the pinned one, else the one that the suite has now.
    fn tree(&self) -> Result<PathBuf> {
        let suite = Suite::open(self.suite)?;
        if let Ok(tree) = unpacked(&suite, self.package, self.version) {
            return Ok(tree);
        }
        let image = suite.depends("linux-image-amd64")?.into_iter().find(|name| name.starts_with("linux-image-"));
        let image = image.with_context(|| format!("{} has no kernel", self.suite))?;
        eprintln!("note: {} is no longer in {}, which has {image}", self.package, self.suite);
        let version = suite.version(&image)?;
        unpacked(&suite, &image, &version)
    }

    /// Boots with so many processors, runs the script as root in the repository's root, and gives what came of it.
    pub(super) fn boot(&self, processors: u8, script: &str, limit: Duration) -> Result<Outcome> {
        let begin = Instant::now();
        let tree = self.tree()?;
        let all = places::cache("vm")?;
        remove_stale(&all);
        let dir = all.join(format!("{}-{}", self.name, std::process::id()));
        let share = dir.join("share");
        places::write(&share.join("script"), script)?;
        places::write(&dir.join("initrd"), initrd::of(&tree)?)?;
        disk(&dir.join("disk"))?;
        let ended = Self::qemu(&tree, &dir, processors, limit);
        let read = |name: &str| fs::read(share.join(name)).map(|b| String::from_utf8_lossy(&b).into_owned());
        let console = read("console").unwrap_or_default();
        let output = read("output").unwrap_or_default();
        let status = read("status").ok().and_then(|text| text.trim().parse().ok());
        let kernel_log = last_words(&dir.join("kernel.log"));
        fs::remove_dir_all(&dir).ok();
        ended.with_context(|| format!("{kernel_log}\n{console}\n{output}"))?;
        let Some(status) = status else {
            bail!("kernel {} ended without a status: {kernel_log}\n{console}\n{output}", self.name);
        };
        print!("{console}");
        println!("kernel {}: {:.0} s in all", self.name, begin.elapsed().as_secs_f64());
        Ok(Outcome { output, status })
    }

    fn qemu(tree: &Path, dir: &Path, processors: u8, limit: Duration) -> Result<()> {
        let cache = places::cache("")?;
        let words = format!(
            "console=ttyS0 quiet panic=-1 cgroup_no_v1=all psi=1 TREE={} CACHE={} REPO={} PATIENCE=5",
            tree.display(),
            cache.display(),
            places::repo().display()
        );
        let kernel = vmlinuz(tree)?;
        let program = process::find("qemu-system-x86_64").context("qemu-system-x86_64 is not installed")?;
        let mut command = process::tied(&program);
        // Emulated even where there is KVM: the same everywhere, and not every host that offers KVM can boot with it.
        command.args(["-nodefaults", "-no-reboot", "-display", "none", "-m", "4096"]);
        command.args(["-smp", &processors.to_string()]);
        // All of its processors on one thread: with a thread each, kernels that patch their own code crash at times.
        command.args(["-accel", "tcg,thread=single", "-cpu", "Nehalem"]);
        command.arg("-serial").arg(format!("file:{}", dir.join("kernel.log").display()));
        command.arg("-kernel").arg(kernel).arg("-initrd").arg(dir.join("initrd")).arg("-append").arg(words);
        command.arg("-drive").arg(format!("file={},format=raw,if=virtio,cache=unsafe", dir.join("disk").display()));
        let share = |tag: &str, path: &Path, access: &str| {
            let path = path.display();
            format!("local,id={tag},path={path},mount_tag={tag},security_model=none,multidevs=remap{access}")
        };
        command.arg("-virtfs").arg(share("host", Path::new("/"), ",readonly=on"));
        command.arg("-virtfs").arg(share("out", &dir.join("share"), ""));
        wait_ended(&mut command, &dir.join("qemu.log"), limit)
    }
}

/// What a kernel said when it crashed, or its last lines.
fn last_words(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let signs = ["BUG:", "Oops:", "general protection fault", "------------[ cut here ]"];
    match text.lines().position(|line| signs.iter().any(|sign| line.contains(sign))) {
        Some(first) => text.lines().skip(first).take(60).collect::<Vec<_>>().join("\n"),
        None => process::tail(log),
    }
}

/// A package of a kernel. Newer ones have kernel and modules in packages of their own, named after the same release.
fn unpacked(suite: &Suite, package: &str, version: &str) -> Result<PathBuf> {
    let release = package.trim_start_matches("linux-image-");
    suite.unpacked_with(package, version, |part| part.ends_with(release))
}

/// The kernel itself: in `boot`, or beside its modules.
fn vmlinuz(tree: &Path) -> Result<PathBuf> {
    let below = |dir: &str| fs::read_dir(tree.join(dir)).into_iter().flatten().flatten().map(|entry| entry.path());
    let boot = below("boot").find(|path| path.to_string_lossy().contains("/vmlinuz-"));
    let beside = || below("usr/lib/modules").map(|dir| dir.join("vmlinuz")).find(|path| path.exists());
    boot.or_else(beside).with_context(|| format!("no vmlinuz in {}", tree.display()))
}

/// An empty file system, made here, where processors are not emulated.
fn disk(path: &Path) -> Result<()> {
    fs::File::create(path)?.set_len(8 << 30)?;
    let mkfs = process::find("mkfs.ext4").context("mkfs.ext4 is not installed")?;
    process::output(Command::new(mkfs).args(["-q", "-F"]).arg(path)).map(drop)
}

fn wait_ended(command: &mut Command, log: &Path, limit: Duration) -> Result<()> {
    let (out, err) = process::log_files(log)?;
    let mut child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().context("cannot start QEMU")?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!("QEMU ended with {status}: {}", process::tail(log));
            }
            return Ok(());
        }
        if Instant::now() > deadline {
            child.kill().ok();
            child.wait().ok();
            bail!("the machine did not end within {} s", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Directories of machines whose recipe was killed.
fn remove_stale(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.rsplit('-').next().unwrap_or_default();
        if !Path::new("/proc").join(pid).exists() {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}
