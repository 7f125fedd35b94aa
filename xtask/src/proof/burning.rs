//! Cgroups that burn CPU time for some milliseconds and go, and what wait4(2) says of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::{places, process};

/// A cgroup of ours in the version 2 tree, removed at the end.
pub(super) struct Folder {
    path: PathBuf,
    name: String,
}

impl Folder {
    pub(super) fn make(name: &str) -> Result<Self> {
        let root = root().context("no cgroup version 2 tree is mounted")?;
        let name = format!("yagura-{name}-{}", std::process::id());
        let path = root.join(&name);
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path, name: format!("/{name}") })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its path in the tree.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Runs one process in a cgroup of this name in it, to the end of both.
    pub(super) fn run_one(&self, name: &str) -> Result<()> {
        let inner = self.path.join(name);
        std::fs::create_dir(&inner)?;
        let join =
            format!("echo 0 > {}/cgroup.procs && i=0 && while [ $i -lt 20000 ]; do i=$((i+1)); done", inner.display());
        let done = process::run(Command::new("sh").args(["-c", &join]));
        process::wait_for("an empty cgroup", std::time::Duration::from_secs(10), || {
            std::fs::remove_dir(&inner).is_ok()
        })?;
        done
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove(&entry.path());
        }
    }
    std::fs::remove_dir(path).ok();
}

/// Where the version 2 tree is mounted.
pub(super) fn root() -> Option<PathBuf> {
    let places = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
    places.into_iter().find(|path| path.join("cgroup.controllers").exists())
}

/// What happened in one cgroup: CPU time in ns, and how many of those may belong to the cgroup before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Truth {
    pub(super) cpu_ns: u64,
    pub(super) doubt_ns: u64,
}

/// The program that makes the cgroups.
pub(super) struct Burner(PathBuf);

impl Burner {
    /// Compiles it.
    pub(super) fn build() -> Result<Self> {
        let source = places::repo().join("exporter/tests/burner/burner.c");
        let program = places::cache("scratch")?.join("burner");
        process::run(Command::new("cc").args(["-O2", "-Wall", "-pthread", "-o"]).arg(&program).arg(source))?;
        Ok(Self(program))
    }

    /// Starts it: so many cgroups that burn so many milliseconds, so many at a time, with so many µs after each.
    pub(super) fn start(
        &self,
        folder: &Folder,
        count: u64,
        ms: [u64; 2],
        parallel: u64,
        pause_us: u64,
    ) -> Result<Burning> {
        let [least, most] = ms;
        let mut command = process::tied(&self.0);
        command.arg(folder.path()).args([count, least, most, parallel, pause_us].map(|number| number.to_string()));
        Ok(Burning(command.stdout(Stdio::piped()).spawn().context("cannot start the burner")?))
    }
}

/// The program at work.
pub(super) struct Burning(Child);

impl Burning {
    pub(super) fn is_done(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)))
    }

    /// What it did, by cgroup. Waits for its end.
    pub(super) fn truth(self) -> Result<BTreeMap<String, Truth>> {
        let output = self.0.wait_with_output()?;
        if !output.status.success() {
            bail!("the burner ended with {}", output.status);
        }
        let text = String::from_utf8(output.stdout)?;
        let line = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let [name, cpu, _, _, doubt] = words.as_slice() else { return None };
            Some(((*name).to_owned(), Truth { cpu_ns: cpu.parse().ok()?, doubt_ns: doubt.parse().ok()? }))
        };
        text.lines().map(|text| line(text).with_context(|| format!("the burner said {text:?}"))).collect()
    }
}
