//! The initrd of a virtual machine: a static busybox, the modules that reach the host's root, and a script.
//!
//! Written as a cpio archive in the form `newc`, which every kernel unpacks:
//! <https://www.kernel.org/doc/html/latest/driver-api/early-userspace/buffer-format.html>.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{places, process};

/// What the kernel needs to mount the host's root, in this order; each brings what it depends on.
const MODULES: &[&str] = &["virtio_pci", "9pnet_virtio", "9p", "overlay"];
const APPLETS: &[&str] = &["chroot", "insmod", "mkdir", "mount", "sh"];
const DIRECTORY: u32 = 0o40_755;
const FILE: u32 = 0o100_755;
const LINK: u32 = 0o120_777;

/// The archive for a kernel whose package is unpacked at `tree`.
pub(super) fn of(tree: &Path) -> Result<Vec<u8>> {
    let modules = modules(tree)?;
    let busybox = process::find("busybox").context("busybox is not installed")?;
    let mut archive = Archive::default();
    for directory in ["bin", "dev", "host", "m", "proc", "root", "rw", "sys"] {
        archive.add(directory, DIRECTORY, b"");
    }
    archive.add("bin/busybox", FILE, &fs::read(busybox)?);
    for applet in APPLETS {
        archive.add(&format!("bin/{applet}"), LINK, b"busybox");
    }
    for (number, module) in modules.iter().enumerate() {
        archive.add(&format!("m/{number}.ko"), FILE, module);
    }
    archive.add("init", FILE, init(modules.len()).as_bytes());
    Ok(archive.finish())
}

/// The first program: mounts what it must and gives way to the guest's own.
fn init(modules: usize) -> String {
    let guest = places::repo().join("e2e/vm/guest.sh");
    let mut script = "#!/bin/sh\nexport PATH=/bin\n\
        mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev\n"
        .to_owned();
    for number in 0..modules {
        writeln!(script, "insmod /m/{number}.ko").expect("invariant: writing to a string");
    }
    script += "mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose host /host\n\
        mount -t tmpfs -o size=1g tmpfs /rw; mkdir /rw/upper /rw/work\n\
        mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work overlay /root\n\
        mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 out /root/mnt\n\
        for m in dev proc sys; do mount --move /$m /root/$m; done\n";
    writeln!(script, "exec chroot /root /bin/bash {}", guest.display()).expect("invariant: writing to a string");
    script
}

/// The modules and what they depend on, unpacked, in the order in which they must be loaded.
fn modules(tree: &Path) -> Result<Vec<Vec<u8>>> {
    // A newer package has its modules below usr/ only; kmod looks for lib/modules.
    if !tree.join("lib").exists() {
        std::os::unix::fs::symlink("usr/lib", tree.join("lib")).context("cannot link lib")?;
    }
    let release = fs::read_dir(tree.join("lib/modules"))?.next().context("the package has no modules")??.file_name();
    let release = release.to_string_lossy().into_owned();
    if !tree.join("lib/modules").join(&release).join("modules.dep.bin").exists() {
        process::output(Command::new(tool("depmod")?).arg("-b").args([tree.as_os_str(), release.as_ref()]))?;
    }
    let mut paths: Vec<String> = Vec::new();
    for module in MODULES {
        let mut command = Command::new(tool("modprobe")?);
        command.arg("-d").arg(tree).args(["-S", &release, "-D", module]);
        for line in process::output(&mut command)?.lines() {
            let path = line.strip_prefix("insmod ").map(|path| path.trim().to_owned());
            paths.extend(path.filter(|path| !paths.contains(path)));
        }
    }
    paths.iter().map(|path| unpacked(path)).collect()
}

fn unpacked(path: &str) -> Result<Vec<u8>> {
    if Path::new(path).extension().is_none_or(|end| end != "xz") {
        return fs::read(path).with_context(|| format!("cannot read {path}"));
    }
    let out = Command::new(tool("xz")?).args(["-dc", path]).output().context("cannot start xz")?;
    anyhow::ensure!(out.status.success(), "xz cannot unpack {path}");
    Ok(out.stdout)
}

fn tool(name: &str) -> Result<std::path::PathBuf> {
    process::find(name).with_context(|| format!("{name} is not installed"))
}

#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, data: &[u8]) {
        self.entries += 1;
        let (inode, links, size, name_size) = (self.entries, 1, data.len(), name.len() + 1);
        // inode, mode, user, group, links, time, size, device and special device as major and minor, name, checksum.
        let head = format!(
            "070701{inode:08x}{mode:08x}{0:08x}{0:08x}{links:08x}{0:08x}{size:08x}{0:08x}{0:08x}{0:08x}{0:08x}{name_size:08x}{0:08x}",
            0
        );
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(data);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, b"");
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_end_with_the_trailer() {
        let mut archive = Archive::default();
        archive.add("a", FILE, b"12345");
        let bytes = archive.finish();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("07070100000001000081ed"));
        // The head has 110 bytes, the name 2; the data begins at the next multiple of 4.
        assert_eq!(bytes.get(112..117), Some(&b"12345"[..]));
        assert_eq!(text.find("070701").and_then(|at| text.get(at + 6..)?.find("070701")).map(|at| at + 6), Some(120));
        assert!(text.contains("TRAILER!!!") && bytes.len() % 4 == 0);
    }
}
