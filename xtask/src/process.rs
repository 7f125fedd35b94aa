//! Other programs: run them, start them, wait for them, and find and end those that an earlier run left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::places;

/// Runs a program with the terminal as its own; a status other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", line_of(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line_of(command));
    }
    Ok(())
}

/// Runs a program and gives what it printed; its errors are in the error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", line_of(command)))?;
    if !out.status.success() {
        let errors = String::from_utf8_lossy(&out.stderr);
        bail!("{} ended with {}: {}", line_of(command), out.status, last_lines(&errors, 5));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The path of a program, looked for in `PATH` and where Debian keeps what only root runs.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = places::variable("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/go/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Whether this process may do what only root may.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command that ends when the recipe ends, however that happens.
///
/// `setpriv` (part of every Debian) asks the kernel for it; without it the program starts all the same.
pub(crate) fn tied(program: &Path) -> Command {
    match find("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "TERM", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// A started program that is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Tied {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Tied {
    /// Starts the command with both its outputs in the file `log`.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let (out, err) = log_files(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| format!("cannot start {}", line_of(command)))?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), child })
    }

    /// Waits until `ready` holds; a program that ends before is an error with the end of its log.
    pub(crate) fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let limit = patience(limit);
        let deadline = Instant::now() + limit;
        loop {
            let begin = Instant::now();
            if ready() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}: {}", self.name, tail(&self.log));
            }
            if Instant::now() > deadline {
                bail!("{} was not ready within {} s: {}", self.name, limit.as_secs(), tail(&self.log));
            }
            pause(Duration::from_millis(50), begin);
        }
    }

    /// Waits until the program ends by itself.
    pub(crate) fn wait(&mut self) -> Result<()> {
        let status = self.child.wait()?;
        if !status.success() {
            bail!("{} ended with {status}: {}", self.name, tail(&self.log));
        }
        Ok(())
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the program has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        signal(self.child.id(), Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.has_ended() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Two handles on a fresh log file.
pub(crate) fn log_files(log: &Path) -> Result<(File, File)> {
    let out = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let err = out.try_clone()?;
    Ok((out, err))
}

/// Sends a signal; a process that is gone is no error.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).ok();
    }
}

/// Every process whose environment at its start held `mark` (`NAME=value`).
pub(crate) fn marked(mark: &str) -> Vec<u32> {
    let holds = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|entry| entry == mark.as_bytes())
    };
    pids().filter(holds).collect()
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A limit of time, longer by the factor `YAGURA_PATIENCE` where all is slow, as in an emulated machine.
pub(crate) fn patience(limit: Duration) -> Duration {
    let factor = places::variable("YAGURA_PATIENCE").and_then(|factor| factor.to_str()?.parse().ok());
    limit * factor.unwrap_or(1)
}

/// Waits for a condition; looks are 50 ms apart at least.
pub(crate) fn wait_for(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Result<()> {
    let limit = patience(limit);
    let deadline = Instant::now() + limit;
    loop {
        let begin = Instant::now();
        if holds() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("gave up waiting {} s for {what}", limit.as_secs());
        }
        pause(Duration::from_millis(50), begin);
    }
}

/// The time between two looks: longer where the last one, begun at that time, was dear, so that who looks does not keep
/// a slow machine from what it waits for.
pub(crate) fn pause(least: Duration, begin: Instant) {
    std::thread::sleep(least.max(4 * begin.elapsed()));
}

/// The last lines of a log, for an error.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&text), 8)
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let from = lines.len().saturating_sub(count);
    lines.get(from..).unwrap_or_default().join("\n")
}

fn line_of(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}
