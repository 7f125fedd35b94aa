//! Faults of the whole machine, and of the cluster's own programs.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde::Deserialize;

use super::lab::Lab;
use super::undo::Undo;
use crate::{cluster, process};

const FILE_MAX: &str = "/proc/sys/fs/file-max";

/// The limit of open files just above what is open. Root may open more all the same, so that nothing breaks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileHandles {
    used: f64,
}

impl FileHandles {
    pub(super) fn limit<'l>(&self) -> Result<Undo<'l>> {
        let before = fs::read_to_string(FILE_MAX).context("cannot read the limit of open files")?;
        let open = fs::read_to_string("/proc/sys/fs/file-nr")?;
        let open: f64 =
            open.split_whitespace().next().unwrap_or_default().parse().context("no number of open files")?;
        fs::write(FILE_MAX, format!("{:.0}", open / self.used)).context("cannot set the limit of open files")?;
        Ok(Box::new(move || fs::write(FILE_MAX, before.trim()).context("cannot set the limit of open files back")))
    }
}

/// Busy loops.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Busy {
    per_cpu: usize,
}

impl Busy {
    pub(super) fn start<'l>(&self) -> Result<Undo<'l>> {
        let cpus = std::thread::available_parallelism()?.get();
        let mut loops = Ended(Vec::new());
        for _ in 0..cpus * self.per_cpu {
            // They wait for a CPU all the more when others go before them.
            let mut command = process::tied("nice".as_ref());
            let child = command.args(["-n", "10", "sh", "-c", "while :; do :; done"]).stdin(Stdio::null()).spawn();
            loops.0.push(child.context("cannot start a busy loop")?);
        }
        Ok(Box::new(move || {
            drop(loops);
            Ok(())
        }))
    }
}

/// Children that are killed in the end.
pub(super) struct Ended(pub(super) Vec<Child>);

impl Drop for Ended {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// A program of the cluster.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Program {
    program: String,
}

impl Program {
    pub(super) fn stop<'l>(&self, lab: &Lab) -> Result<Undo<'l>> {
        let pid = cluster::process_of(&lab.machine, &self.program)?;
        process::signal(pid, Signal::STOP);
        Ok(Box::new(move || {
            process::signal(pid, Signal::CONT);
            Ok(())
        }))
    }
}

/// The pods' network comes and goes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flap {
    /// Seconds that it is there, and is not there.
    each: u64,
}

impl Flap {
    #[expect(clippy::unnecessary_wraps, reason = "what steps give")]
    pub(super) fn start<'l>(&self, lab: &Lab) -> Result<Undo<'l>> {
        let (there, away) = cluster::network_configuration(&lab.machine);
        let (ended, each) = (Arc::new(AtomicBool::new(false)), Duration::from_secs(self.each));
        let stop = Arc::clone(&ended);
        let (from, to) = (there.clone(), away.clone());
        let thread = std::thread::spawn(move || {
            let mut is_there = true;
            while !stop.load(Ordering::Relaxed) {
                if is_there {
                    fs::rename(&from, &to).ok()
                } else {
                    fs::rename(&to, &from).ok()
                };
                is_there = !is_there;
                let turn = std::time::Instant::now();
                while turn.elapsed() < each && !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
        });
        Ok(Box::new(move || {
            ended.store(true, Ordering::Relaxed);
            thread.join().ok();
            if !there.exists() {
                fs::rename(&away, &there).context("cannot give the pods' network back")?;
            }
            Ok(())
        }))
    }
}

/// Runs a program to its end.
pub(super) fn call(program: &str, words: &[&str]) -> Result<()> {
    let path = process::find(program).with_context(|| format!("{program} is not installed"))?;
    process::output(Command::new(path).args(words)).map(drop)
}
