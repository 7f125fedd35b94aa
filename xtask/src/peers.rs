//! The programs that the agent is tested with and measured beside: Prometheus of two generations and Alertmanager from
//! Debian's packages, unpacked into the cache and not installed; `node_exporter` and cAdvisor from their Go modules.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::args::Args;
use crate::debian::Suite;
use crate::go::{Module, Source};

/// One peer program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    suite: &'static str,
    package: &'static str,
    version: &'static str,
    program: &'static str,
}

/// The Prometheus of Debian 12: the old end of what users run.
pub(crate) const PROMETHEUS_2: Peer = Peer::new("bookworm", "prometheus", "2.42.0+ds-5+deb12u1", "prometheus");
/// The `promtool` beside [`PROMETHEUS_2`].
pub(crate) const PROMTOOL_2: Peer = Peer::new("bookworm", "prometheus", "2.42.0+ds-5+deb12u1", "promtool");
/// A Prometheus of the third generation.
pub(crate) const PROMETHEUS_3: Peer = Peer::new("sid", "prometheus", "3.5.3+ds1-6", "prometheus");
/// The `promtool` beside [`PROMETHEUS_3`].
pub(crate) const PROMTOOL_3: Peer = Peer::new("sid", "promtool", "3.5.3+ds1-6", "promtool");
/// The Alertmanager of Debian 12.
pub(crate) const ALERTMANAGER: Peer =
    Peer::new("bookworm", "prometheus-alertmanager", "0.25.0-1+b4", "prometheus-alertmanager");

/// What the node view replaces.
pub(crate) const NODE_EXPORTER: Module = Module {
    name: "node_exporter",
    path: "github.com/prometheus/node_exporter",
    package: "github.com/prometheus/node_exporter",
    version: "v1.12.1",
};
/// What the cluster-state exporter replaces.
pub(crate) const KUBE_STATE_METRICS: Module = Module {
    name: "kube-state-metrics",
    path: "k8s.io/kube-state-metrics/v2",
    package: "k8s.io/kube-state-metrics/v2",
    version: "v2.20.0",
};
/// The `promtool` of a current Prometheus, which Debian does not have yet.
pub(crate) const PROMTOOL_NEW: Module = Module {
    name: "promtool",
    path: "github.com/prometheus/prometheus",
    package: "github.com/prometheus/prometheus/cmd/promtool",
    version: "v0.316.0",
};
/// The Alertmanager of [`AMTOOL`].
pub(crate) const ALERTMANAGER_NEW: Module = Module {
    name: "alertmanager",
    path: "github.com/prometheus/alertmanager",
    package: "github.com/prometheus/alertmanager/cmd/alertmanager",
    version: "v0.28.1",
};
/// The `amtool` of an Alertmanager; later versions of the module lack files of the user interface.
pub(crate) const AMTOOL: Module = Module {
    name: "amtool",
    path: "github.com/prometheus/alertmanager",
    package: "github.com/prometheus/alertmanager/cmd/amtool",
    version: "v0.28.1",
};
/// The cAdvisor that the kubelet of the test cluster is built with, as a program of its own.
pub(crate) const CADVISOR: Source = Source { folder: "e2e/cadvisor", name: "cadvisor" };

const ALL: &[(&str, Peer)] = &[
    ("Prometheus 2", PROMETHEUS_2),
    ("promtool 2", PROMTOOL_2),
    ("Prometheus 3", PROMETHEUS_3),
    ("promtool 3", PROMTOOL_3),
    ("Alertmanager", ALERTMANAGER),
];

impl Peer {
    const fn new(suite: &'static str, package: &'static str, version: &'static str, program: &'static str) -> Self {
        Self { suite, package, version, program }
    }

    /// The program's path; fetched when the cache does not have it.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        let program = Suite::open(self.suite)?.unpacked(self.package, self.version)?.join("usr/bin").join(self.program);
        if !program.is_file() {
            bail!("{} has no {}", self.package, program.display());
        }
        Ok(program)
    }
}

/// `cargo xtask peers`
pub(crate) fn run(args: &mut Args) -> Result<()> {
    args.finish()?;
    for (name, peer) in ALL {
        println!("{name:<14} {}", peer.path()?.display());
    }
    println!("{:<14} {}", "node_exporter", NODE_EXPORTER.binary()?.display());
    println!("{:<14} {}", "promtool 3.16", PROMTOOL_NEW.binary()?.display());
    println!("{:<14} {}", "Alertmanager", ALERTMANAGER_NEW.binary()?.display());
    println!("{:<14} {}", "amtool", AMTOOL.binary()?.display());
    println!("{:<14} {}", "cAdvisor", CADVISOR.binary("-s -w")?.display());
    Ok(())
}
