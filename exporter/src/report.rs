//! Report of a scrape, for self-telemetry and for slices that show it.

use std::time::Duration;

use expo::Exposition;

use crate::identity::Figures;

/// How a collector's run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All its rows are there.
    Complete,
    /// The machine has nothing that the collector reads, and nothing failed.
    Absent,
    /// Some rows are missing; how many reads failed.
    Partial(usize),
    /// Its rows are missing: it failed or panicked.
    Failed,
    /// The deadline came first.
    Late,
}

/// One collector's run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The collector.
    pub collector: &'static str,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a scrape did, for self-telemetry.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// When it was, in seconds since the Unix epoch.
    pub at: f64,
    /// One entry a collector of the view, in order.
    pub runs: Vec<Run>,
    /// Families that lost samples to the limits, and how many each.
    pub dropped: Vec<(&'static str, u64)>,
    /// The cgroup tree.
    pub figures: Figures,
    /// Families that others made, see [`Scrape::others`](crate::spec::Scrape::others).
    pub others: Exposition,
    /// Collectors that lack something since this scrape, or no longer: what was said of them before, and what is now.
    pub lacks: Vec<(&'static str, String, String)>,
}

/// A page that has reached a scraper whole.
#[derive(Clone, Debug)]
pub struct Delivered {
    scraper: String,
    at: f64,
    collectors: Vec<&'static str>,
}

impl Report {
    /// The page of this scrape has reached this scraper.
    pub fn delivered(&self, scraper: &str) -> Delivered {
        let shown = self
            .runs
            .iter()
            .filter(|run| matches!(run.outcome, Outcome::Complete | Outcome::Absent | Outcome::Partial(_)));
        let collectors = shown.map(|run| run.collector).collect();
        Delivered { scraper: scraper.to_owned(), at: self.at, collectors }
    }
}

impl Delivered {
    /// Whom it has reached.
    pub fn scraper(&self) -> &str {
        &self.scraper
    }

    /// When its scrape was, in seconds since the Unix epoch.
    pub fn at(&self) -> f64 {
        self.at
    }

    /// Whether it has what this collector put.
    pub fn shows(&self, collector: &str) -> bool {
        self.collectors.contains(&collector)
    }
}
