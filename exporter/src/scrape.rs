//! Runs one scrape: updates the cgroup tree, runs the collectors of a view until the deadline, and fills one batch. A
//! collector that panics or fails loses its own samples of this scrape only. Collectors not reached before the deadline
//! are skipped and reported.
//!
//! A collector that panics or fails loses what it put in this scrape, nothing else. What is not reached before the
//! deadline is left out and named.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Instant, SystemTime},
};

use expo::Exposition;
use kernfs::{Host, ReadError, Reader};
use metric::Batch;

use crate::{
    identity::Tree,
    probes::object::Loading,
    report::{Delivered, Outcome, Report, Run},
    spec::{Collector, Context, Scrape, Spec, View},
};

struct Slot {
    spec: &'static Spec,
    collector: Box<dyn Collector>,
    /// Views in which its last run lost rows.
    failing: Vec<View>,
    /// What it lacks in order to read all, as it was said last; empty when nothing is known to be missing.
    lacks: String,
}

/// A slice that is off, and why.
#[derive(Clone, Debug)]
pub struct Off {
    /// The slice.
    pub spec: &'static Spec,
    /// What is missing, or that it was not asked for.
    pub reason: String,
}

/// Collectors with what they share. One scrape at a time.
pub struct Engine {
    slots: Vec<Slot>,
    off: Vec<Off>,
    host: Arc<Host>,
    tree: Tree,
    reader: Reader,
}

impl Engine {
    /// Builds the given slices; those that the machine cannot have, or that are not wanted, are listed in
    /// [`Engine::off`].
    pub fn new(specs: &[&'static Spec], wanted: impl Fn(&Spec) -> bool, context: &Context, tree: Tree) -> Self {
        let mut slots = Vec::new();
        let mut off = Vec::new();
        let _types = Loading::begin();
        for spec in specs {
            if !wanted(spec) {
                off.push(Off { spec, reason: "not asked for".into() });
                continue;
            }
            match (spec.build)(context) {
                Ok(collector) => slots.push(Slot { spec, collector, failing: Vec::new(), lacks: String::new() }),
                Err(unavailable) => off.push(Off { spec, reason: spec.explained(unavailable.0) }),
            }
        }
        let host = Arc::clone(&context.host);
        Self { slots, off, host, tree, reader: Reader::default() }
    }

    /// Slices that are on.
    pub fn on(&self) -> impl Iterator<Item = &'static Spec> {
        self.slots.iter().map(|slot| slot.spec)
    }

    /// What a slice that is on lacks in order to read all, as far as scrapes have shown.
    pub fn lacks(&self) -> impl Iterator<Item = (&'static Spec, Option<String>)> {
        self.slots.iter().map(|slot| (slot.spec, Some(slot.lacks.clone()).filter(|lacks| !lacks.is_empty())))
    }

    /// Slices that are off.
    pub fn off(&self) -> &[Off] {
        &self.off
    }

    /// A page has reached a scraper whole.
    pub fn delivered(&mut self, page: &Delivered) {
        for slot in self.slots.iter_mut().filter(|slot| page.shows(slot.spec.name)) {
            slot.collector.delivered(page.scraper(), page.at());
        }
    }

    /// Fills `batch` with the samples of a view, now. `asked` says which collectors to run.
    pub fn scrape(
        &mut self,
        view: View,
        deadline: Instant,
        asked: impl Fn(&Spec) -> bool,
        batch: &mut Batch,
    ) -> Report {
        let Self { slots, host, tree, reader, .. } = self;
        batch.clear();
        match view {
            View::Cadvisor => {
                tree.refresh(reader, Instant::now());
                tree.as_cadvisor(batch);
            }
            View::Own => {
                tree.refresh(reader, Instant::now());
                tree.as_containers(batch);
            }
            View::Node => {}
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let mut report = Report { at: now, figures: tree.figures(), ..Report::default() };
        let mut problems = Vec::new();
        let mut others = Exposition::default();
        for slot in slots.iter_mut().filter(|slot| slot.spec.is_in(view) && asked(slot.spec)) {
            let started = Instant::now();
            let outcome = if started >= deadline {
                Outcome::Late
            } else {
                let (mark, others_before) = (batch.mark(), others.families.len());
                let mut scrape = Scrape {
                    view,
                    out: batch,
                    tree,
                    host,
                    reader,
                    now,
                    deadline,
                    problems: &mut problems,
                    others: &mut others,
                    absent: false,
                };
                let result = catch_unwind(AssertUnwindSafe(|| slot.collector.collect(&mut scrape)));
                let absent = scrape.absent;
                if !matches!(result, Ok(Ok(()))) {
                    batch.rollback(&mark);
                    others.families.truncate(others_before);
                }
                let before = slot.lacks.clone();
                let outcome = match slot.judge(view, result, &mut problems) {
                    Outcome::Complete if absent => Outcome::Absent,
                    outcome => outcome,
                };
                if slot.lacks != before {
                    report.lacks.push((slot.spec.name, before, slot.lacks.clone()));
                }
                outcome
            };
            report.runs.push(Run { collector: slot.spec.name, took: started.elapsed(), outcome });
        }
        report.others = others;
        report.dropped = batch.dropped().map(|(desc, lost)| (desc.name, lost)).collect();
        report
    }
}

impl Slot {
    /// Logs when a failure starts and when it ends; in between it is only counted.
    fn judge(
        &mut self,
        view: View,
        result: Result<Result<(), ReadError>, Box<dyn Any + Send>>,
        problems: &mut Vec<ReadError>,
    ) -> Outcome {
        let refused = |error: &ReadError| error.source.kind() == std::io::ErrorKind::PermissionDenied;
        let is_refused = matches!(&result, Ok(Err(error)) if refused(error)) || problems.iter().any(refused);
        let (outcome, error) = match result {
            Ok(Ok(())) => match problems.first() {
                None => (Outcome::Complete, None),
                Some(first) => (Outcome::Partial(problems.len()), Some(daemon::chain(first))),
            },
            Ok(Err(error)) => (Outcome::Failed, Some(daemon::chain(&error))),
            Err(panic) => (Outcome::Failed, Some(panic_text(&*panic))),
        };
        problems.clear();
        let collector = self.spec.name;
        let path = view.path();
        if is_refused && self.lacks.is_empty() {
            self.lacks = self.spec.remedy();
        }
        match (&error, self.failing.contains(&view)) {
            (Some(error), false) => {
                tracing::warn!(collector, view = path, error, lacks = self.lacks, ?outcome, "collector failed");
                self.failing.push(view);
            }
            (None, true) => {
                tracing::info!(collector, view = path, "collector works again");
                self.failing.retain(|failing| *failing != view);
                if self.failing.is_empty() {
                    self.lacks.clear();
                }
            }
            _ => {}
        }
        outcome
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panic: {}", text.unwrap_or_else(|| "without a message".into()))
}
