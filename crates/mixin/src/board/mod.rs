//! Boards for Grafana: compact sources, checked against the catalogues and against rules, and the JSON that people import.

mod dashboard;
mod expression;
mod grid;
mod panel;
mod rule;
mod shared;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Known;
use crate::threshold::{self, Thresholds};
use crate::{Problem, Source};
use shared::Shared;
use written::{Board, Bound, Panel, Variable};

/// The file of what boards share.
const SHARED: &str = "shared.yaml";
/// The file of rules that do not hold somewhere.
const EXCLUSIONS: &str = "exclusions.yaml";
/// The folder of sources, beside which their JSON stands.
const FOLDER: &str = "grafana/";

/// A panel that an alert leads to.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The alert.
    pub alert: String,
    /// The uid of the board.
    pub uid: String,
    /// The panel's name.
    pub panel: String,
    /// Limits that the alert reads.
    pub limits: Vec<String>,
}

/// Boards that passed all checks.
#[derive(Debug, Clone)]
pub struct Boards {
    /// Paths below the folder of boards, and texts.
    pub files: BTreeMap<String, String>,
    /// What is in them.
    pub counts: Counts,
}

/// What boards have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Boards.
    pub boards: usize,
    /// Panels.
    pub panels: usize,
    /// Queries of panels.
    pub queries: usize,
    /// Queries of variables.
    pub variables: usize,
    /// Rules that were looked for.
    pub rules: usize,
    /// Findings that an exclusion covers.
    pub excluded: usize,
    /// Alerts that have a panel.
    pub watched: usize,
}

impl Boards {
    /// Checks all sources, with paths relative to the folder of boards, and makes their JSON.
    pub fn read(
        sources: &[Source],
        known: &Known,
        thresholds: &Thresholds,
        watches: &[Watch],
    ) -> Result<Self, Vec<Problem>> {
        let of = |file: &str| {
            let missing = || Problem { file: file.into(), line: 0, key: String::new(), what: "is missing".into() };
            sources.iter().find(|source| source.file == file).ok_or_else(|| vec![missing()])
        };
        let shared: Shared = of(SHARED)?.read().map_err(|problem| vec![problem])?;
        let exclusions: Vec<rule::Exclusion> = of(EXCLUSIONS)?.read().map_err(|problem| vec![problem])?;
        let (mut boards, mut problems) = (Vec::new(), Vec::new());
        for source in sources.iter().filter(|source| source.file.starts_with(FOLDER)) {
            match source.read::<Board>() {
                Ok(board) if source.file == format!("{FOLDER}{}.yaml", board.name) => boards.push((source, board)),
                Ok(board) => {
                    problems.push(source.problem("board", format!("is {:?} in a file of another name", board.name)));
                }
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let variables = boards.iter().map(|(_, board)| (board.name.clone(), names(board))).collect();
        let mut watched: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for watch in watches {
            let board = watch.uid.strip_prefix(&shared.prefix).unwrap_or(&watch.uid).to_owned();
            watched.entry((board, watch.panel.clone())).or_default().push(watch.alert.clone());
        }
        let ground = panel::Ground { known, thresholds, shared: &shared, variables, watched };
        let looked = rule::Ground {
            known,
            prefix: &shared.prefix,
            labels: shared
                .variables
                .iter()
                .map(|(name, variable)| (name.clone(), variable.label.clone().unwrap_or_else(|| name.clone())))
                .collect(),
            boards: ground
                .variables
                .iter()
                .map(|(name, all)| (format!("{}{name}", shared.prefix), all.clone()))
                .collect(),
        };
        let (mut files, mut counts) = (BTreeMap::new(), Counts::default());
        let mut covered = BTreeSet::new();
        for (source, board) in &boards {
            match dashboard::made(board, &ground) {
                Err(found) => {
                    problems.extend(found.into_iter().map(|(panel, what)| panel_problem(source, &panel, what)));
                }
                Ok(json) => {
                    for finding in rule::findings(&json, &looked) {
                        match exclusions.iter().position(|exclusion| exclusion.covers(&board.name, &finding)) {
                            Some(at) => {
                                covered.insert(at);
                                counts.excluded += 1;
                            }
                            None => problems.push(found(source, board, &finding)),
                        }
                    }
                    count(board, &mut counts);
                    files.insert(format!("{FOLDER}{}.json", board.name), pretty(&json));
                }
            }
            problems.extend(undrawn(source, board, thresholds, watches, &shared.prefix));
        }
        let mut refuse = |source: &Source, what: String| problems.push(source.problem("", what));
        for (at, exclusion) in exclusions.iter().enumerate() {
            let source = of(EXCLUSIONS)?;
            if exclusion.reason.trim().len() < 20 {
                refuse(source, format!("the exclusion of {} says no reason", exclusion.rule));
            }
            if !covered.contains(&at) {
                refuse(source, format!("the exclusion of {} excludes nothing", exclusion.rule));
            }
        }
        for watch in watches {
            let is_there = boards.iter().any(|(_, board)| {
                watch.uid == format!("{}{}", shared.prefix, board.name)
                    && panels(board).any(|panel| panel.name == watch.panel)
            });
            if !is_there {
                let what =
                    format!("the alert {} leads to {} of {}, which there is not", watch.alert, watch.panel, watch.uid);
                refuse(of(SHARED)?, what);
            }
        }
        counts.boards = boards.len();
        counts.rules = rule::count();
        counts.watched = watches.len();
        problems.sort();
        if problems.is_empty() { Ok(Self { files, counts }) } else { Err(problems) }
    }
}

fn names(board: &Board) -> Vec<String> {
    let name = |variable: &Variable| match variable {
        Variable::Named(name) => name.clone(),
        Variable::Own(own) => own.name.clone(),
    };
    board.variables.iter().map(name).collect()
}

fn panels(board: &Board) -> impl Iterator<Item = &Panel> {
    board.rows.iter().flat_map(|row| &row.panels)
}

fn count(board: &Board, counts: &mut Counts) {
    for panel in panels(board) {
        counts.panels += 1;
        counts.queries += panel.queries.len() + panel.columns.iter().filter(|column| column.expr.is_some()).count();
    }
    counts.variables += board.variables.len();
}

fn pretty(json: &serde_json::Value) -> String {
    format!("{json:#}\n")
}

/// A problem of a panel, at the line of its name.
fn panel_problem(source: &Source, panel: &str, what: String) -> Problem {
    let name = format!("panel: {panel}");
    let line = source.text.lines().zip(1..).find(|(line, _)| line.trim_start_matches([' ', '-']) == name);
    Problem { file: source.file.clone(), line: line.map_or(0, |(_, line)| line), key: panel.to_owned(), what }
}

fn found(source: &Source, board: &Board, finding: &rule::Finding) -> Problem {
    let panel = panels(board).find(|panel| panel.title == finding.panel);
    let name = panel.map_or("", |panel| panel.name.as_str());
    panel_problem(source, name, format!("{}: {}", finding.rule, finding.what))
}

/// Panels that an alert leads to and that do not draw the limit which it knows in the same unit.
fn undrawn(source: &Source, board: &Board, thresholds: &Thresholds, watches: &[Watch], prefix: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for watch in watches.iter().filter(|watch| watch.uid == format!("{prefix}{}", board.name)) {
        let Some(panel) = panels(board).find(|panel| panel.name == watch.panel) else { continue };
        let of_columns = panel.columns.iter().map(|column| (&column.unit, &column.limit));
        let drawn: Vec<&str> = of_columns
            .clone()
            .chain([(&panel.unit, &panel.limit)])
            .filter_map(|(_, limit)| limit.as_ref())
            .flat_map(|limit| [&limit.above, &limit.below, &limit.warn])
            .filter_map(|bound| if let Some(Bound::Name(name)) = bound { Some(name.as_str()) } else { None })
            .collect();
        let is_ratio =
            of_columns.chain([(&panel.unit, &panel.limit)]).any(|(unit, _)| unit.as_deref() == Some("percentunit"));
        let fitting: Vec<&String> = watch
            .limits
            .iter()
            .filter(|name| thresholds.0.get(*name).is_some_and(|limit| limit.unit == threshold::Unit::Ratio))
            .collect();
        if is_ratio && !fitting.is_empty() && !fitting.iter().any(|name| drawn.contains(&name.as_str())) {
            let what = format!("draws none of the limits of {}: {fitting:?}", watch.alert);
            problems.push(panel_problem(source, &panel.name, what));
        }
    }
    problems
}
