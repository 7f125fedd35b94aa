//! A small program on the daemon: for trying it out, and for tests of what only a process can show.
//!
//! `cargo run -p daemon --example tower -- --web.listen-address 127.0.0.1:9999`

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use daemon::{Cli, Landing, Loaded, LogArgs, Page, Program, Reply, ScrapeRequest, Server, Telemetry, WebArgs, Written};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

static PROGRAM: Program = Program {
    name: "yagura-tower",
    prefix: "tower",
    about: "Every container and process of this node, as metrics.",
    version: "0.1.0",
    revision: Some("0123abc"),
};

/// What the tower can be told.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// How it is reached.
    web: WebArgs,
    /// What it logs.
    log: LogArgs,
    /// Series on the large page.
    series: u64,
    /// How long the slow page takes, in milliseconds.
    slow_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { web: WebArgs::on_port(9999), log: LogArgs::default(), series: 100_000, slow_ms: 1000 }
    }
}

struct Telemetries(Telemetry);

impl Page for Telemetries {
    fn write(&self, request: &ScrapeRequest, out: &mut dyn Write) -> io::Result<Written> {
        let exposition = self.0.exposition().map_err(io::Error::other)?;
        let stats = expo::encode_exposition(&exposition, request.format, out)?;
        Ok(Written { series: stats.series })
    }
}

struct Large(u64, &'static AtomicU64);

impl Page for Large {
    fn write(&self, _: &ScrapeRequest, out: &mut dyn Write) -> io::Result<Written> {
        let mut state = self.1.load(Relaxed);
        for series in 0..self.0 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(series);
            writeln!(out, "large{{n=\"{series}\"}} {state}")?;
        }
        Ok(Written { series: self.0 })
    }
}

static SEED: AtomicU64 = AtomicU64::new(42);

struct Slow(Duration);

impl Page for Slow {
    fn write(&self, _: &ScrapeRequest, out: &mut dyn Write) -> io::Result<Written> {
        std::thread::sleep(self.0);
        out.write_all(b"slow 1\n")?;
        Ok(Written { series: 1 })
    }
}

fn check(settings: &Settings) -> Result<(), daemon::Invalid> {
    settings.web.check()?;
    settings.log.check()
}

fn landing() -> Landing {
    let refused = |why: &str| Some(why.to_owned());
    Landing::of(&PROGRAM)
        .fact("Node", "worker-3.eu-central-1")
        .fact("Kernel", "6.12.48-amd64")
        .fact("Control groups", "v2, unified")
        .fact("Containers", "214 in 96 pods")
        .fact("Up since", "2026-11-20 08:14 UTC")
        .feature("container_cpu", true, None, "CPU time, throttling and burst of each container.")
        .feature("container_memory", true, None, "Memory use, limits, reclaim and OOM kills.")
        .feature(
            "container_network",
            true,
            refused("12 of 96 pods share the host's network and have no rows of their own."),
            "Bytes, packets and errors of each pod's interfaces.",
        )
        .feature("pressure", true, None, "How long work waited for CPU, memory and I/O.")
        .feature(
            "probe_tcp",
            false,
            refused("The kernel refuses kprobes (lockdown: confidentiality)."),
            "Connections, retransmits and round-trip times of each container.",
        )
        .feature(
            "probe_exec",
            false,
            refused("Needs CAP_BPF and CAP_PERFMON."),
            "Processes that are started, by container.",
        )
        .feature(
            "hwmon",
            false,
            refused("Turned off by --no-collector.hwmon."),
            "Temperatures and fans of the machine.",
        )
        .link("Metrics reference", "https://example.org/metrics")
        .link("Options", "https://example.org/options")
        .link("Runbooks", "https://example.org/runbooks")
}

fn main() -> ExitCode {
    let loaded = Cli::<Settings>::new(&PROGRAM).check(check).parse();
    PROGRAM.ended(serve(loaded))
}

fn serve(loaded: Loaded<Settings>) -> anyhow::Result<()> {
    daemon::logs::start(&loaded.config.log)?;
    let source = loaded.source().clone();
    let telemetry = Telemetry::new(&PROGRAM);
    let settings = loaded.config;
    let started = settings.clone();
    Server::new(&PROGRAM, settings.web.clone(), telemetry.clone())
        .page("/metrics", "Containers", "Each fact once, with namespace, pod and container.", Telemetries(telemetry))
        .page(
            "/metrics/large",
            "cAdvisor view",
            "The names, labels and rows of the kubelet's own endpoint.",
            Large(settings.series, &SEED),
        )
        .page(
            "/metrics/slow",
            "Node view",
            "Node metrics under node_exporter's names.",
            Slow(Duration::from_millis(settings.slow_ms)),
        )
        .plain("/config", "Configuration", "What holds after flags, environment and file.", move |_| {
            Reply::text(daemon::print(&settings))
        })
        .landing(landing)
        .reload(move || {
            let settings = source.load()?;
            tracing::info!(series = settings.series, "read again");
            daemon::logs::set_level(&settings.log.level)?;
            Ok(source.changes(&started, &started, &settings))
        })
        .run()
}
