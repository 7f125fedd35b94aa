//! The `process_*` metrics, under the names that every Prometheus client library uses.
//!
//! Source: `/proc/self/stat`, `/proc/self/fd`, `/proc/stat` and `getrlimit(2)`. See `proc_pid_stat(5)`.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use metric::Kind;
use procfs_core::{FromRead as _, process::Stat};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// What this process has used, and what it may use. `None` where the kernel does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessUsage {
    /// CPU time in user and system mode, in seconds.
    pub cpu_seconds: Option<f64>,
    /// When it started, in seconds since the Unix epoch.
    pub started: Option<f64>,
    /// Memory in RAM, in bytes.
    pub resident: Option<f64>,
    /// Address space, in bytes.
    pub virtual_memory: Option<f64>,
    /// How much address space it may have, in bytes; `u64::MAX` when there is no limit.
    pub virtual_memory_max: f64,
    /// Its threads.
    pub threads: Option<f64>,
    /// File descriptors that are open.
    pub open_fds: Option<f64>,
    /// File descriptors that may be open; `None` when there is no limit.
    pub max_fds: Option<f64>,
}

impl ProcessUsage {
    /// Now, from procfs as this process sees it.
    pub fn now() -> Self {
        Process::new().usage()
    }
}

/// Reads this process' own usage at each scrape.
#[derive(Debug)]
pub(crate) struct Process {
    proc: PathBuf,
    boot_time: Option<u64>,
}

impl Process {
    pub(crate) fn new() -> Self {
        let proc = PathBuf::from("/proc");
        let boot_time = boot_time(&proc);
        Self { proc, boot_time }
    }

    fn usage(&self) -> ProcessUsage {
        let stat = Stat::from_file(self.proc.join("self/stat")).ok();
        let stat = stat.as_ref();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let page = rustix::param::page_size() as f64;
        let address_space = rustix::process::getrlimit(rustix::process::Resource::As).current;
        ProcessUsage {
            cpu_seconds: stat.map(|stat| (stat.utime + stat.stime) as f64 / ticks),
            started: stat.zip(self.boot_time).map(|(stat, boot)| boot as f64 + stat.starttime as f64 / ticks),
            resident: stat.map(|stat| stat.rss as f64 * page),
            virtual_memory: stat.map(|stat| stat.vsize as f64),
            virtual_memory_max: address_space.unwrap_or(u64::MAX) as f64,
            threads: stat.map(|stat| stat.num_threads as f64),
            open_fds: open_fds(&self.proc),
            max_fds: max_fds().map(|fds| fds as f64),
        }
    }
}

/// The families of [`Process`], as the catalogue shows them.
pub(crate) const FAMILIES: [(&str, Kind, &str); 8] = [
    ("process_start_time_seconds", Kind::Gauge, "When the process started, in seconds since the Unix epoch."),
    ("process_resident_memory_bytes", Kind::Gauge, "Memory of the process that is in RAM."),
    ("process_virtual_memory_bytes", Kind::Gauge, "Address space of the process."),
    (
        "process_virtual_memory_max_bytes",
        Kind::Gauge,
        "Address space that the process may have; 2^64 - 1 without a limit.",
    ),
    ("process_threads", Kind::Gauge, "Threads of the process."),
    ("process_open_fds", Kind::Gauge, "File descriptors that are open."),
    ("process_max_fds", Kind::Gauge, "File descriptors that may be open."),
    ("process_cpu_seconds_total", Kind::Counter, "CPU time that the process has spent in user and system mode."),
];

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let usage = self.usage();
        // In the order of the families.
        let values = [
            usage.started,
            usage.resident,
            usage.virtual_memory,
            Some(usage.virtual_memory_max),
            usage.threads,
            usage.open_fds,
            usage.max_fds,
            usage.cpu_seconds,
        ];
        for ((name, kind, help), value) in FAMILIES.iter().zip(values) {
            let Some(value) = value else { continue };
            if *kind == Kind::Counter {
                let (name, counter) = (name.trim_end_matches("_total"), ConstCounter::new(value));
                counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
            } else {
                let gauge = ConstGauge::new(value);
                gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
            }
        }
        Ok(())
    }
}

/// File descriptors that this process may have open; `None` when there is no limit.
pub(crate) fn max_fds() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// Since Linux 6.2 the folder's size is their number. Listing it takes half a microsecond each, and an agent that keeps
/// its files has thousands.
fn open_fds(proc: &Path) -> Option<f64> {
    let folder = proc.join("self/fd");
    let size = std::fs::metadata(&folder).ok()?.len();
    let is_procfs = rustix::fs::statfs(&folder).is_ok_and(|stat| stat.f_type == rustix::fs::PROC_SUPER_MAGIC);
    if size > 0 && is_procfs {
        return Some(size as f64);
    }
    // One of them is the directory that is being read.
    let entries = std::fs::read_dir(folder).ok()?;
    Some(entries.count().saturating_sub(1) as f64)
}

fn boot_time(proc: &Path) -> Option<u64> {
    let stat = std::fs::read_to_string(proc.join("stat")).ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime ")).and_then(|seconds| seconds.trim().parse().ok())
}
