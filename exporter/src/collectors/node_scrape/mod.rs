//! How long each collector of the node view took, and whether it worked; and what agent this is. The agent's own page
//! says the same under names of its own; these are for dashboards that know the others.
//!
//! What became of the other collectors can be told only when they are done, so the agent calls [`emit`] then. A
//! collector that found no such hardware has worked; `node_exporter` says it has not.

use kernfs::ReadError;
use metric::{Batch, Count, Desc, Family, Label, Seconds};

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
static ALL: &[&Desc] = &[DURATION.desc(), SUCCESS.desc(), BUILD.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_scrape",
    about: "How long each collector of the node view took, and whether it worked.",
    default_on: true,
    needs: &[],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeScrape;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeScrape))
}

impl Collector for NodeScrape {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let labels = ["", std::env::consts::ARCH, std::env::consts::OS, "", "", "", env!("CARGO_PKG_VERSION")];
        scrape.out.put(&BUILD, labels, true);
        Ok(())
    }
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
    fn collectors_go_by_their_flags_and_this_one_tells_nothing_of_itself() {
        let runs =
            [run("node_cpu", Outcome::Partial(1)), run("node_os", Outcome::Late), run(SPEC.name, Outcome::Complete)];
        let mut out = Batch::default();
        emit(&runs, &mut out);
        let told: Vec<_> = out
            .samples(SUCCESS.desc())
            .map(|sample| {
                (sample.labels().all().map(|(_, value)| value.to_owned()).collect::<String>(), sample.number())
            })
            .collect();
        assert_eq!(told, [("cpu".to_owned(), 1.0), ("os".to_owned(), 0.0)]);
        out.clear();
        emit(&runs[..2], &mut out);
        assert!(out.is_empty());
    }
}
