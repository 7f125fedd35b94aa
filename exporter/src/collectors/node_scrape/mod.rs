//! Duration and success of each collector of the node view; the agent's version, and the usage of its process.
//! The agent's own page says the same, in part under names of its own; these are for dashboards that know the others.
//!
//! What `node_exporter` tells of Go and of its own HTTP handler (`go_*`, `promhttp_*`) has no counterpart here.
//!
//! What became of the other collectors can be told only when they are done, so the agent calls [`emit`] then. As
//! `node_exporter` has it, a collector that found no such hardware shows 0, as one that failed does; the agent's own
//! `yagura_collector_success` tells the two apart.

use daemon::ProcessUsage;
use kernfs::{ReadError, text};
use metric::{Batch, Count, Desc, Family, Kind, Label, Seconds};

use super::node::gauge;
use crate::{
    report::{Outcome, Run},
    spec::{Collector, Context, Scrape, Spec, Unavailable, View},
};

const COLLECTOR: &[Label; 1] = &[Label::open("collector", "collectors of the node view")];

static DURATION: Family<Seconds, 1> =
    gauge("node_scrape_collector_duration_seconds", "How long the collector took.", COLLECTOR);
static SUCCESS: Family<Count, 1> = gauge("node_scrape_collector_success", "Whether the collector worked.", COLLECTOR);
/// Dashboards list machines by it. What is Go's stays empty.
static BUILD: Family<Count, 7> = gauge(
    "node_exporter_build_info",
    "The agent that stands in for node_exporter.",
    &[
        Label::open("branch", "one an agent"),
        Label::open("goarch", "one an agent"),
        Label::open("goos", "one an agent"),
        Label::open("goversion", "one an agent"),
        Label::open("revision", "one an agent"),
        Label::open("tags", "one an agent"),
        Label::open("version", "one an agent"),
    ],
);
const CLIENTS: &str = "Prometheus' client libraries";

const fn of_process(kind: Kind, name: &'static str, help: &'static str) -> Family<Count, 0> {
    Family::as_named_by(CLIENTS, kind, name, help, &[])
}

static CPU: Family<Count, 0> = of_process(
    Kind::Counter,
    "process_cpu_seconds_total",
    "CPU time that the agent has spent in user and system mode.",
);
static MAX_FDS: Family<Count, 0> =
    of_process(Kind::Gauge, "process_max_fds", "File descriptors that the agent may have open.");
static OPEN_FDS: Family<Count, 0> =
    of_process(Kind::Gauge, "process_open_fds", "File descriptors that the agent has open.");
static RESIDENT: Family<Count, 0> =
    of_process(Kind::Gauge, "process_resident_memory_bytes", "Memory of the agent that is in RAM.");
static STARTED: Family<Count, 0> =
    of_process(Kind::Gauge, "process_start_time_seconds", "When the agent started, in seconds since the Unix epoch.");
static VIRTUAL: Family<Count, 0> =
    of_process(Kind::Gauge, "process_virtual_memory_bytes", "Address space of the agent.");
static VIRTUAL_MAX: Family<Count, 0> = of_process(
    Kind::Gauge,
    "process_virtual_memory_max_bytes",
    "Address space that the agent may have; 2^64 - 1 when there is no limit.",
);
static RECEIVED: Family<Count, 0> = of_process(
    Kind::Counter,
    "process_network_receive_bytes_total",
    "Bytes received by IP in the agent's network namespace, by whatever process.",
);
static SENT: Family<Count, 0> = of_process(
    Kind::Counter,
    "process_network_transmit_bytes_total",
    "Bytes sent by IP in the agent's network namespace, by whatever process.",
);
static ALL: &[&Desc] = &[
    DURATION.desc(),
    SUCCESS.desc(),
    BUILD.desc(),
    CPU.desc(),
    MAX_FDS.desc(),
    OPEN_FDS.desc(),
    RESIDENT.desc(),
    STARTED.desc(),
    VIRTUAL.desc(),
    VIRTUAL_MAX.desc(),
    RECEIVED.desc(),
    SENT.desc(),
];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_scrape",
    about: "How long each collector of the node view took, whether it worked, and what the agent's process uses.",
    default_on: true,
    needs: &[],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeScrape {
    with_process: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeScrape { with_process: !context.config.collector.scrape.disable_exporter_metrics }))
}

impl Collector for NodeScrape {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let labels = ["", daemon::Program::goarch(), std::env::consts::OS, "", "", "", env!("CARGO_PKG_VERSION")];
        scrape.out.put(&BUILD, labels, true);
        if self.with_process {
            emit_process(&ProcessUsage::now(), scrape.out);
            let netstat = scrape.reader.read(&scrape.host.proc, "self/net/netstat").ok().flatten();
            for (name, family) in [("InOctets", &RECEIVED), ("OutOctets", &SENT)] {
                if let Some(bytes) = netstat.and_then(|file| of_ip(file, name)) {
                    scrape.out.put(family, [], bytes);
                }
            }
        }
        Ok(())
    }
}

fn emit_process(usage: &ProcessUsage, out: &mut Batch) {
    for (family, value) in [
        (&CPU, usage.cpu_seconds),
        (&MAX_FDS, usage.max_fds),
        (&OPEN_FDS, usage.open_fds),
        (&RESIDENT, usage.resident),
        (&STARTED, usage.started),
        (&VIRTUAL, usage.virtual_memory),
        (&VIRTUAL_MAX, Some(usage.virtual_memory_max)),
    ] {
        if let Some(value) = value {
            out.put(family, [], value);
        }
    }
}

/// A number of the two lines `IpExt:` of `/proc/net/netstat`, of which the first has the names.
fn of_ip(file: &[u8], name: &str) -> Option<u64> {
    let mut lines = text::lines(file).filter(|line| line.starts_with(b"IpExt:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let (_, value) = text::words(names).zip(text::words(values)).find(|(known, _)| *known == name.as_bytes())?;
    text::number(value)
}

/// Puts what is known of the runs of a scrape of the node view, if this collector was among them.
pub fn emit(runs: &[Run], out: &mut Batch) {
    if runs.iter().all(|run| run.collector != SPEC.name) {
        return;
    }
    for run in runs.iter().filter(|run| run.collector != SPEC.name) {
        let name = run.collector.trim_start_matches("node_");
        out.put(&DURATION, [name], Seconds(run.took.as_secs_f64()));
        out.put(&SUCCESS, [name], matches!(run.outcome, Outcome::Complete | Outcome::Partial(_)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn run(collector: &'static str, outcome: Outcome) -> Run {
        Run { collector, took: Duration::from_millis(5), outcome }
    }

    #[test]
    fn bytes_of_ip_are_found_by_name() {
        let file = b"TcpExt: A\nTcpExt: 1\nIpExt: InNoRoutes InOctets\nIpExt: 3 99\n";
        assert_eq!([of_ip(file, "InOctets"), of_ip(file, "OutOctets")], [Some(99), None]);
    }

    #[test]
    fn collectors_go_by_their_flags_and_this_one_tells_nothing_of_itself() {
        let runs = [
            run("node_cpu", Outcome::Partial(1)),
            run("node_os", Outcome::Late),
            run("node_nvme", Outcome::Absent),
            run(SPEC.name, Outcome::Complete),
        ];
        let mut out = Batch::default();
        emit(&runs, &mut out);
        let told: Vec<_> = out
            .samples(SUCCESS.desc())
            .map(|sample| {
                (sample.labels().all().map(|(_, value)| value.to_owned()).collect::<String>(), sample.number())
            })
            .collect();
        assert_eq!(told, [("cpu".to_owned(), 1.0), ("os".to_owned(), 0.0), ("nvme".to_owned(), 0.0)]);
        out.clear();
        emit(&runs[..3], &mut out);
        assert!(out.is_empty());
    }
}
