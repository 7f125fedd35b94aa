//! Other kernels: Debian's, booted by QEMU with this machine's root below them, so that nothing is copied.
//!
//! The kernel's package is unpacked in the cache. An initrd of a megabyte mounts the host's root over 9p, read-only,
//! lays a tmpfs over it and starts `e2e/vm/guest.sh`. One directory of the host can be written; the script's output
//! and status come back through it. Needs no KVM.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::args::{Args, usage};
use crate::checks::Skip;
use crate::counts::Counts;
use crate::debian::{self, Suite};
use crate::{agent, cluster, initrd, places, process, tasks};

pub(crate) const USAGE: &str = "[5.10|6.1|6.12|sid] [--script FILE]";

/// A kernel of Debian.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// What a person calls it.
    pub(crate) name: &'static str,
    suite: &'static str,
    package: &'static str,
    version: &'static str,
}

/// The kernels that a node may have, oldest first.
pub(crate) const KERNELS: &[Kernel] = &[
    Kernel { name: "5.10", suite: "bullseye", package: "linux-image-5.10.0-46-amd64", version: "5.10.262-1" },
    Kernel { name: "6.1", suite: "bookworm", package: "linux-image-6.1.0-56-amd64", version: "6.1.192-2" },
    Kernel { name: "6.12", suite: "trixie", package: "linux-image-6.12.117+deb13-amd64", version: "6.12.117-1" },
    Kernel { name: "sid", suite: "sid", package: "linux-image-7.2.13+deb14-amd64", version: "7.2.13-1" },
];

/// Where the kubelet runs: what most nodes will have for long.
const OF_PARITY: &Kernel = match KERNELS {
    [_, _, third, ..] => third,
    _ => panic!("the list has at least three kernels"),
};

/// What came back from a machine.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What the script printed.
    pub(crate) output: String,
    /// Its status.
    pub(crate) status: i32,
}

/// `cargo xtask test-vm [KERNEL] [--script FILE]`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    let script = args.option("--script")?;
    let name = args.positional();
    args.finish()?;
    let named = |kernel: &&Kernel| name.as_deref().is_none_or(|name| name.is_empty() || name == kernel.name);
    let kernels: Vec<&Kernel> = KERNELS.iter().filter(named).collect();
    if kernels.is_empty() {
        return Err(usage(format!(
            "test-vm: no kernel {:?}; there are 5.10, 6.1, 6.12 and sid",
            name.unwrap_or_default()
        )));
    }
    match script {
        Some(file) => run_script(&kernels, &file),
        None => test_all(&kernels),
    }
}

fn run_script(kernels: &[&Kernel], file: &str) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    for kernel in kernels {
        let outcome = kernel.boot(2, &text, Duration::from_mins(15))?;
        print!("{}", outcome.output);
        if outcome.status != 0 {
            bail!("on {}, the script ended with {}", kernel.name, outcome.status);
        }
    }
    Ok(())
}

fn test_all(kernels: &[&'static Kernel]) -> Result<()> {
    let mut failed = Vec::new();
    let mut lines = Vec::new();
    for (kernel, outcome) in test(kernels, None) {
        let line = match outcome {
            Ok(counts) => {
                if counts.failed > 0 {
                    failed.push(kernel.name);
                }
                counts.to_string()
            }
            Err(error) if error.is::<Skip>() => format!("skipped: {error:#}"),
            Err(error) => {
                failed.push(kernel.name);
                format!("failed: {error:#}")
            }
        };
        lines.push(format!("kernel {}: {line}", kernel.name));
    }
    println!("\n{}", lines.join("\n"));
    if !failed.is_empty() {
        bail!("tests failed on {}", failed.join(", "));
    }
    Ok(())
}

/// The live tests of the agent's package, as they were built for this machine, on each kernel. Two machines run at a time,
/// since one takes one processor. Those that would start too late are skipped.
pub(crate) fn test(kernels: &[&'static Kernel], last_start: Option<Instant>) -> Vec<(&'static Kernel, Result<Counts>)> {
    let script = possible().and_then(|()| test_script());
    let script = match &script {
        Ok(script) => script,
        // Said of each, so that each is counted.
        Err(error) => return kernels.iter().map(|kernel| (*kernel, Err(again(error)))).collect(),
    };
    let pairs = kernels.chunks(2).flat_map(|pair| {
        std::thread::scope(|scope| {
            let start = |kernel: &&'static Kernel| {
                let kernel = *kernel;
                (kernel, scope.spawn(move || is_time_left(last_start).and_then(|()| test_one(kernel, script))))
            };
            let started: Vec<_> = pair.iter().map(start).collect();
            let joined = started.into_iter().map(|(kernel, thread)| {
                (
                    kernel,
                    thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the thread that waits for it panicked"))),
                )
            });
            joined.collect::<Vec<_>>()
        })
    });
    pairs.collect()
}

/// Skips what would start too late.
fn is_time_left(last_start: Option<Instant>) -> Result<()> {
    if last_start.is_some_and(|last| Instant::now() > last) {
        return Err(Skip("too late: what came before took too long on this machine".to_owned()).into());
    }
    Ok(())
}

/// The same, once more: errors cannot be cloned.
fn again(error: &anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Skip>() {
        Some(Skip(reason)) => Skip(reason.clone()).into(),
        None => anyhow::anyhow!("{error:#}"),
    }
}

fn test_one(kernel: &Kernel, script: &str) -> Result<Counts> {
    let outcome = kernel.boot(2, script, Duration::from_mins(25))?;
    let counts = Counts::of(&outcome.output);
    let shown = |line: &&str| {
        ["test result:", "  /metrics", "abuse: ", "second try passed: "].iter().any(|begin| line.starts_with(begin))
            || [" comparisons over ", " families served", " accounted "].iter().any(|part| line.contains(part))
    };
    for line in outcome.output.lines().filter(|line| outcome.status != 0 || shown(line)) {
        println!("  {line}");
    }
    for skip in &counts.skips {
        println!("  skipped: {skip}");
    }
    println!("kernel {}: {counts}", kernel.name);
    if outcome.status != 0 && counts.failed == 0 {
        bail!("on kernel {}, the script ended with {}", kernel.name, outcome.status);
    }
    Ok(counts)
}

/// Runs a test program, for so long at most. An emulated machine beside others is slow by fits and starts, and some tests
/// look at how long things take: those that fail run once more, alone, and are told apart in the end.
const RUN: &str = r#"         run() {
             timeout -k 5 300 "$@" >/run/tests 2>&1 && status=0 || status=$?
             cat /run/tests
             echo "$SECONDS s"
             [ $status = 0 ] && return
             names=$(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' /run/tests)
             [ -n "$names" ] || { echo "$1 ended with $status"; failed=1; }
             for name in $names; do
                 if timeout -k 5 300 "$1" --exact "$name" --test-threads=1 >/run/again 2>&1; then
                     echo "second try passed: $name"
                 else
                     sed 's/^/again: /' /run/again
                     failed=1
                 fi
             done
         }"#;

/// Runs every test program; the status tells whether one failed.
fn test_script() -> Result<String> {
    let target = places::target();
    let burner = places::cache("bin")?.join("burner");
    let source = places::repo().join("exporter/tests/burner/burner.c");
    process::output(Command::new("cc").args(["-O2", "-pthread", "-static", "-o"]).arg(&burner).arg(source))?;
    let mut script = format!(
        "export BURNER={} BURNER_QUIET_MS=20 DIFFERENTIAL_SECONDS=10 TMPDIR=/var/lib/yagura/tmp
         mkdir -p $TMPDIR {target}/tmp && mount --bind $TMPDIR {target}/tmp
         failed=0
{RUN}\n",
        burner.display(),
        target = target.display()
    );
    for (name, binary) in test_binaries()? {
        // Emulated processors are slow: tests that race against a deadline get the machine to themselves.
        let threads = if name.starts_with("probe_") { 1 } else { 2 };
        writeln!(script, "run {} --show-output --test-threads={threads}", binary.display())?;
    }
    writeln!(script, "run {} parity cadvisor\nexit $failed", std::env::current_exe()?.display())?;
    Ok(script)
}

/// `cargo xtask parity kubelet --vm`: a real kubelet with real pods on pure cgroup v2. The control plane would only cost
/// time there, so the kubelet has its pods from files; a second processor too, since both are emulated by one thread.
pub(crate) fn parity() -> Result<()> {
    possible()?;
    if let Some(skip) = cluster::missing(&cluster::Options::standalone()) {
        return Err(skip.into());
    }
    agent::binary()?;
    cluster::build::binary()?;
    let script = format!("{} parity kubelet --standalone", std::env::current_exe()?.display());
    let outcome = OF_PARITY.boot(1, &script, Duration::from_mins(20))?;
    outcome.output.lines().for_each(|line| println!("  {line}"));
    if outcome.status != 0 {
        bail!("on kernel {}, the comparison ended with {}", OF_PARITY.name, outcome.status);
    }
    Ok(())
}

/// A machine without the means says so.
fn possible() -> Result<()> {
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

/// The built integration tests of the agent that look at the live machine, by name.
fn test_binaries() -> Result<Vec<(String, PathBuf)>> {
    let words = ["test", "--package", "yagura-exporter", "--tests", "--no-run", "--message-format=json"];
    let text = process::output(&mut tasks::cargo(&words))?;
    let mut binaries = Vec::new();
    for line in text.lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let name = message["target"]["name"].as_str().unwrap_or_default();
        let kind = message["target"]["kind"][0].as_str().unwrap_or_default();
        let wanted = ["differential", "live", "probe_"].iter().any(|begin| name.starts_with(begin));
        if let Some(path) = message["executable"].as_str().filter(|_| kind == "test" && wanted) {
            binaries.push((name.to_owned(), PathBuf::from(path)));
        }
    }
    binaries.sort();
    Ok(binaries)
}

impl Kernel {
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
    pub(crate) fn boot(&self, processors: u8, script: &str, limit: Duration) -> Result<Outcome> {
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
