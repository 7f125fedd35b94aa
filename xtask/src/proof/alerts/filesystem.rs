//! Faults of file systems and disks, on loop devices.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::lab::Lab;
use super::machine::call;
use super::place::{Place, mount_point};
use super::undo::{Undo, nothing};

/// The folder of a file system: the fault's, or a second one beside it.
fn folder(place: &Place, name: &str) -> PathBuf {
    let mount = mount_point(place);
    if name.is_empty() { mount.into() } else { format!("{mount}-{name}").into() }
}

/// A small ext4.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filesystem {
    mib: u64,
    #[serde(default)]
    inodes: Option<u64>,
    /// Beside the fault's first one.
    #[serde(default)]
    name: String,
    /// The file system that has its image.
    #[serde(default)]
    on: Option<String>,
}

impl Filesystem {
    pub(super) fn make<'l>(&self, lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let target = folder(place, &self.name);
        let image = match &self.on {
            Some(name) => folder(place, name).join("image"),
            None => lab.dir.join("images").join(format!("{}{}", place.namespace, self.name)),
        };
        if let Some(parent) = image.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        fs::create_dir_all(&target).with_context(|| format!("cannot make {}", target.display()))?;
        let file = File::create(&image).with_context(|| format!("cannot make {}", image.display()))?;
        file.set_len(self.mib << 20)?;
        let (image_text, target_text) = (image.display().to_string(), target.display().to_string());
        let inodes = self.inodes.map(|count| count.to_string());
        let mut words = vec!["-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"];
        if let Some(inodes) = &inodes {
            words.extend(["-N", inodes]);
        }
        words.push(&image_text);
        call("mkfs.ext4", &words)?;
        call("mount", &["-o", "loop", &image_text, &target_text])?;
        Ok(Box::new(move || {
            call("umount", &[&target.display().to_string()])?;
            fs::remove_dir(&target).with_context(|| format!("cannot remove {}", target.display()))?;
            fs::remove_file(&image).with_context(|| format!("cannot remove {}", image.display()))
        }))
    }
}

/// How full it gets.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fill {
    to: f64,
}

impl Fill {
    pub(super) fn bytes<'l>(&self, _lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let path = folder(place, "").join("filling");
        let mut file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let block = vec![0; 64 << 10];
        while used(place)?.0 < self.to {
            file.write_all(&block).with_context(|| format!("cannot fill {}", path.display()))?;
        }
        Ok(Box::new(move || fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))))
    }

    pub(super) fn inodes<'l>(&self, _lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let dir = folder(place, "").join("files");
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let mut number = 0u32;
        while used(place)?.1 < self.to {
            File::create(dir.join(number.to_string())).context("cannot make a file")?;
            number += 1;
        }
        Ok(Box::new(move || fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))))
    }
}

/// Parts of bytes and of inodes that are used.
fn used(place: &Place) -> Result<(f64, f64)> {
    let path = folder(place, "");
    let stat = rustix::fs::statvfs(&path).with_context(|| format!("cannot ask {}", path.display()))?;
    let part = |left: u64, all: u64| 1.0 - left as f64 / all as f64;
    Ok((part(stat.f_bavail, stat.f_blocks), part(stat.f_favail, stat.f_files)))
}

/// A program that writes steadily.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drip {
    /// The part that is used at once.
    from: f64,
    kib_per_second: usize,
}

impl Drip {
    pub(super) fn start<'l>(&self, lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let full = Fill { to: self.from }.bytes(lab, place)?;
        let path = folder(place, "").join("dripping");
        let mut file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let block = vec![0; self.kib_per_second << 10];
        let writer = Repeated::every(Duration::from_secs(1), move || {
            // A full file system is the end of the fault, not of the proof.
            file.write_all(&block).and_then(|()| file.sync_data()).ok();
        });
        Ok(Box::new(move || {
            drop(writer);
            full()?;
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
        }))
    }
}

/// Something that a thread does again and again until it is dropped.
pub(super) struct Repeated {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Repeated {
    pub(super) fn every(pause: Duration, mut work: impl FnMut() + Send + 'static) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                work();
                std::thread::sleep(pause);
            }
        });
        Self { ended, thread: Some(thread) }
    }
}

impl Drop for Repeated {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

/// Mounts it again so that nothing can be written.
pub(super) fn readonly<'l>(place: &Place) -> Result<Undo<'l>> {
    let mount = mount_point(place);
    call("mount", &["-o", "remount,ro", &mount])?;
    Ok(Box::new(move || call("mount", &["-o", "remount,rw", &mount])))
}

/// A disk that answers late: its image lies on a file system that is frozen in turns.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SlowDisk {
    /// The file system below, and the one that is written.
    below: String,
    frozen_ms: u64,
    thawed_ms: u64,
}

/// `O_DIRECT` of x86-64 and arm64 differ; `O_DSYNC` is the same and enough: each write waits for the disk.
const O_DSYNC: i32 = 0o10000;

impl SlowDisk {
    pub(super) fn start<'l>(&self, _lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let below = folder(place, &self.below).display().to_string();
        let path = folder(place, "").join("written");
        let open = || File::options().write(true).create(true).truncate(true).custom_flags(O_DSYNC).open(&path);
        let mut file = open().with_context(|| format!("cannot make {}", path.display()))?;
        let (frozen, thawed) = (Duration::from_millis(self.frozen_ms), Duration::from_millis(self.thawed_ms));
        let freezer = Repeated::every(thawed, move || {
            if call("fsfreeze", &["-f", &below]).is_ok() {
                std::thread::sleep(frozen);
                call("fsfreeze", &["-u", &below]).ok();
            }
        });
        let mut written = 0u64;
        let writer = Repeated::every(Duration::from_millis(20), move || {
            file.write_all(&[0; 4096]).ok();
            written += 4096;
            if written > 16 << 20 {
                file.set_len(0).ok();
                written = 0;
            }
        });
        Ok(Box::new(move || {
            drop(freezer);
            drop(writer);
            Ok(())
        }))
    }
}

/// A program that waits for a frozen file system for longer than the kernel's limit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hang {
    /// After how many seconds the kernel says so; set for the time of the fault.
    limit: u64,
}

const HUNG_LIMIT: &str = "/proc/sys/kernel/hung_task_timeout_secs";

impl Hang {
    pub(super) fn start<'l>(&self, _lab: &'l Lab, place: &Place) -> Result<Undo<'l>> {
        let panics = fs::read_to_string("/proc/sys/kernel/hung_task_panic").unwrap_or_default();
        ensure!(panics.trim() == "0", "the kernel panics when a task hangs");
        let before = fs::read_to_string(HUNG_LIMIT).context("cannot read the limit of hung tasks")?;
        fs::write(HUNG_LIMIT, self.limit.to_string()).context("cannot set the limit of hung tasks")?;
        let mount = mount_point(place);
        call("fsfreeze", &["-f", &mount])?;
        let path = folder(place, "").join("hung");
        let writer = std::thread::spawn(move || drop(fs::write(&path, "x")));
        Ok(Box::new(move || {
            call("fsfreeze", &["-u", &mount])?;
            writer.join().ok();
            fs::write(HUNG_LIMIT, before.trim()).context("cannot set the limit of hung tasks back")?;
            nothing()?()
        }))
    }
}
