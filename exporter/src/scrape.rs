//! Runs one scrape: updates the cgroup tree, runs the collectors of a view until the deadline, and fills one batch. A
//! collector that panics or fails loses its own samples of this scrape only. Collectors not reached before the deadline
//! are skipped and reported.
//!
//! A collector that panics or fails loses what it put in this scrape, nothing else. What is not reached before the
//! deadline is left out and named.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Instant, SystemTime},
};

use daemon::{
    Troubles,
    panics::{Panic, guarded},
};
use expo::Exposition;
use kernfs::{Host, ReadError, Reader};
use metric::Batch;

use crate::{
    identity::{Portrait, Tree},
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
    troubles: Troubles,
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
        Self { slots, off, host, tree, reader: Reader::default(), troubles: context.troubles.clone() }
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
        let Self { tree, reader, .. } = self;
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
        self.run(view, deadline, asked, batch)
    }

    /// Fills `batch` with the samples of one cgroup in the cAdvisor view, now, and tells which it was. For an engine whose
    /// tree has only what it is told of.
    pub fn read_one(&mut self, path: &str, deadline: Instant, batch: &mut Batch) -> Option<Portrait> {
        batch.clear();
        if !self.tree.alone_as_cadvisor(path, &mut self.reader, batch) {
            return None;
        }
        self.run(View::Cadvisor, deadline, |_| true, batch);
        self.tree.portrait(path)
    }

    /// Has the tree take in a cgroup, see [`Tree::admit`]; of too many cgroups the oldest go.
    pub fn admit(&mut self, path: &str, most: usize) {
        self.tree.admit(path, &mut self.reader);
        while let (cgroups, Some(oldest)) = self.tree.oldest()
            && cgroups > most
        {
            self.tree.dismiss(&oldest);
        }
    }

    /// The cgroups.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The cgroups, to change what is known of them.
    pub fn tree_mut(&mut self) -> &mut Tree {
        &mut self.tree
    }

    fn run(&mut self, view: View, deadline: Instant, asked: impl Fn(&Spec) -> bool, batch: &mut Batch) -> Report {
        let Self { slots, host, tree, reader, troubles, .. } = self;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let mut report = Report { at: now, figures: tree.figures(), ..Report::default() };
        let (mut problems, mut failures) = (Vec::new(), Vec::new());
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
                let result = guarded(|| slot.collector.collect(&mut scrape));
                let absent = scrape.absent;
                if !matches!(result, Ok(Ok(()))) {
                    batch.rollback(&mark);
                    others.families.truncate(others_before);
                }
                let before = slot.lacks.clone();
                let (outcome, failure) = slot.judge(view, result, &mut problems, troubles);
                failures.extend(failure);
                let outcome = match outcome {
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
        say(failures, view, troubles);
        report.others = others;
        report.dropped = batch.dropped().map(|(desc, lost)| (desc.name, lost)).collect();
        report
    }
}

/// A collector that has begun to fail.
struct Failure {
    collector: &'static str,
    cause: String,
    error: String,
    lacks: String,
    outcome: Outcome,
}

/// Says what has begun to fail, once a cause.
fn say(failures: Vec<Failure>, view: View, troubles: &Troubles) {
    let mut by_cause: BTreeMap<String, Vec<Failure>> = BTreeMap::new();
    for failure in failures {
        by_cause.entry(failure.cause.clone()).or_default().push(failure);
    }
    for (cause, failures) in by_cause {
        let mut is_new = false;
        for failure in &failures {
            is_new |= troubles.begun(&who(failure.collector, view), &cause);
        }
        let names: Vec<&str> = failures.iter().map(|failure| failure.collector).collect();
        let (collector, path) = (names.join(","), view.path());
        let Some(Failure { error, lacks, outcome, .. }) = failures.into_iter().next() else { continue };
        if is_new {
            tracing::warn!(collector, view = path, error, lacks, ?outcome, "collector failed");
        } else {
            tracing::debug!(collector, view = path, error, "collector failed for the same cause as others");
        }
    }
}

/// A collector in a view, as problems know it.
fn who(collector: &str, view: View) -> String {
    format!("{collector} at {}", view.path())
}

/// What a failure comes from: for want of descriptors, memory or a right many collectors fail at once, each at another
/// file.
fn cause(error: &ReadError, lacks: &str) -> String {
    match error.source.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => error.source.to_string(),
        Some(libc::EACCES | libc::EPERM) if !lacks.is_empty() => lacks.to_owned(),
        _ => daemon::chain(error),
    }
}

impl Slot {
    /// Takes note of how a run went. A failure that begins is given back, one that ends is said if nobody else fails of
    /// that cause; in between they are only counted.
    fn judge(
        &mut self,
        view: View,
        result: Result<Result<(), ReadError>, Panic>,
        problems: &mut Vec<ReadError>,
        troubles: &Troubles,
    ) -> (Outcome, Option<Failure>) {
        let refused = |error: &ReadError| error.source.kind() == std::io::ErrorKind::PermissionDenied;
        let is_refused = matches!(&result, Ok(Err(error)) if refused(error)) || problems.iter().any(refused);
        if is_refused && self.lacks.is_empty() {
            self.lacks = self.spec.remedy();
        }
        let said = |error: &ReadError| (daemon::chain(error), cause(error, &self.lacks));
        let (outcome, error) = match result {
            Ok(Ok(())) => match problems.first() {
                None => (Outcome::Complete, None),
                Some(first) => (Outcome::Partial(problems.len()), Some(said(first))),
            },
            Ok(Err(error)) => (Outcome::Failed, Some(said(&error))),
            Err(panic) => (Outcome::Failed, Some((panic.to_string(), panic.to_string()))),
        };
        problems.clear();
        let collector = self.spec.name;
        match (error, self.failing.contains(&view)) {
            (Some((error, cause)), false) => {
                self.failing.push(view);
                let failure = Failure { collector, cause, error, lacks: self.lacks.clone(), outcome: outcome.clone() };
                return (outcome, Some(failure));
            }
            (None, true) => {
                self.failing.retain(|failing| *failing != view);
                if self.failing.is_empty() {
                    self.lacks.clear();
                }
                if let Some(all) = troubles.ended(&who(collector, view)) {
                    tracing::info!(collector = all.join(", "), "collector works again");
                }
            }
            _ => {}
        }
        (outcome, None)
    }
}
