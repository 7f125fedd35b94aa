//! The queries of all boards, with values in place of variables, and what a Prometheus says to them.
#![expect(clippy::indexing_slicing, reason = "a key that a JSON value does not have gives null")]

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::prometheus::Prometheus;

/// The file of queries that have no data on the machine of the proof.
pub(super) const EXCLUSIONS: &str = "dashboards/without-data.yaml";

/// A board: its JSON.
pub(super) struct Board {
    pub(super) name: String,
    json: Value,
}

/// A query of a panel.
#[derive(Debug, Clone)]
struct Query {
    panel: String,
    id: String,
    expr: String,
    is_instant: bool,
}

/// A query for the values of a variable.
#[derive(Debug, Clone)]
struct Variable {
    name: String,
    selector: String,
    label: String,
    is_any: bool,
}

/// Values of variables by name.
type Values = BTreeMap<String, String>;

/// A query that has no data, with its reason.
#[derive(Debug)]
pub(super) struct Exclusion {
    board: String,
    panel: String,
    /// All of the panel's when it is empty.
    query: String,
    /// The feature that has to be off for it; it holds everywhere when it is empty.
    feature: String,
    /// Whether it holds only without native histograms.
    is_native: bool,
    reason: String,
}

impl Exclusion {
    fn covers(&self, board: &str, query: &Query) -> bool {
        self.board == board && self.panel == query.panel && (self.query.is_empty() || self.query == query.id)
    }
}

/// Reads the file of exclusions.
pub(super) fn exclusions(root: &Path) -> Result<Vec<Exclusion>> {
    let path = root.join(EXCLUSIONS);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let list: Value = mixin::Source::new(EXCLUSIONS, text).read().map_err(|problem| anyhow::anyhow!("{problem}"))?;
    let mut all = Vec::new();
    for one in list.as_array().into_iter().flatten() {
        let text = |key: &str| one[key].as_str().unwrap_or_default().trim().to_owned();
        let exclusion = Exclusion {
            board: text("board"),
            panel: text("panel"),
            query: text("query"),
            feature: text("feature"),
            is_native: one["native"] == true,
            reason: text("reason"),
        };
        if exclusion.board.is_empty() || exclusion.panel.is_empty() || exclusion.reason.len() < 20 {
            bail!("{EXCLUSIONS}: {one} lacks a board, a panel or a reason");
        }
        all.push(exclusion);
    }
    Ok(all)
}

/// Reads all boards.
pub(super) fn boards(folder: &Path) -> Result<Vec<Board>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let board = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let json = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Board { name, json })
    };
    paths.iter().map(board).collect()
}

impl Board {
    fn queries(&self) -> Vec<Query> {
        let mut all = Vec::new();
        let mut panels: Vec<&Value> = self.json["panels"].as_array().into_iter().flatten().collect();
        while let Some(panel) = panels.pop() {
            panels.extend(panel["panels"].as_array().into_iter().flatten());
            for target in panel["targets"].as_array().into_iter().flatten() {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                all.push(Query {
                    panel: text(&panel["title"]),
                    id: text(&target["refId"]),
                    expr: text(&target["expr"]),
                    is_instant: target["instant"] == true,
                });
            }
        }
        all.sort_by(|a, b| (&a.panel, &a.id).cmp(&(&b.panel, &b.id)));
        all
    }

    fn variables(&self) -> Result<Vec<Variable>> {
        let list = self.json["templating"]["list"].as_array().into_iter().flatten();
        let of = |variable: &Value| {
            let query = variable["query"]["query"].as_str().unwrap_or_default();
            let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (selector, label) = inside
                .and_then(|inside| inside.rsplit_once(','))
                .with_context(|| format!("{query:?} is no query of values"))?;
            Ok(Variable {
                name: variable["name"].as_str().unwrap_or_default().to_owned(),
                selector: selector.trim().to_owned(),
                label: label.trim().to_owned(),
                is_any: variable["multi"] == true,
            })
        };
        list.filter(|variable| variable["type"] == "query").map(of).collect()
    }
}

/// What one Prometheus says to the queries of a board.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) board: String,
    /// Variables that have values, and all of them.
    pub(super) variables: (usize, usize),
    /// Queries that have data, and all of them.
    pub(super) queries: (usize, usize),
    /// Those without data that an exclusion covers, with its reason.
    pub(super) excluded: Vec<String>,
    /// Queries and variables that should have data.
    pub(super) missing: Vec<String>,
    /// Exclusions that were not needed.
    pub(super) needless: Vec<String>,
}

/// A Prometheus, and how it is asked.
pub(super) struct Asker<'p> {
    pub(super) prometheus: &'p Prometheus,
    /// Seconds between its scrapes.
    pub(super) every: u64,
    /// How long ago the first scrape was.
    pub(super) past: u64,
    /// Whether its series have the label cluster.
    pub(super) has_cluster: bool,
    /// Whether it has native histograms.
    pub(super) has_native: bool,
}

impl Asker<'_> {
    /// Asks all of a board. Where one value of a variable can be chosen, a query has data when it has for one of them.
    pub(super) fn ask(&self, board: &Board, exclusions: &[Exclusion]) -> Result<Answers> {
        let (mut open, variables) = (board.queries(), board.variables()?);
        let mut answers = Answers { board: board.name.clone(), queries: (0, open.len()), ..Answers::default() };
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for values in self.choices(&variables, &Values::new(), &mut seen)? {
            let before = open.len();
            let mut still = Vec::new();
            for query in open {
                if !self.has_data(&query, &values).with_context(|| format!("{} of {}", query.panel, board.name))? {
                    still.push(query);
                }
            }
            answers.queries.0 += before - still.len();
            open = still;
        }
        for variable in variables.iter().filter(|variable| self.has_cluster || variable.label != "cluster") {
            answers.variables.1 += 1;
            if seen.get(&variable.name).is_some_and(|count| *count > 0) {
                answers.variables.0 += 1;
            } else {
                answers.missing.push(format!("{}: the variable {} has no values", board.name, variable.name));
            }
        }
        let mut used = Vec::new();
        for query in open {
            let at = exclusions.iter().position(|exclusion| exclusion.covers(&board.name, &query));
            let holds = at.and_then(|at| Some((at, self.reason(exclusions.get(at)?)?)));
            let name = format!("{}: {} {}", board.name, query.panel, query.id);
            match holds {
                Some((at, reason)) => {
                    used.push(at);
                    answers.excluded.push(format!("{name}: {reason}"));
                }
                None => answers.missing.push(name),
            }
        }
        let needless = exclusions.iter().enumerate().filter(|(at, one)| one.board == board.name && !used.contains(at));
        answers.needless = needless.map(|(_, one)| format!("{}: {} {}", one.board, one.panel, one.query)).collect();
        Ok(answers)
    }

    /// Why an exclusion holds, when it does.
    fn reason(&self, exclusion: &Exclusion) -> Option<String> {
        if exclusion.is_native && self.has_native {
            return None;
        }
        if exclusion.feature.is_empty() {
            return Some(exclusion.reason.clone());
        }
        let off = format!("yagura_feature_enabled{{feature=\"{}\"}} == 0", exclusion.feature);
        let rows = self.prometheus.query(&off).ok()?;
        let why = rows.first()?["metric"]["reason"].as_str()?.to_owned();
        Some(format!("{} ({}: {why})", exclusion.reason, exclusion.feature))
    }

    /// Values of all variables: one set a value of those of which one is chosen.
    fn choices(
        &self,
        variables: &[Variable],
        chosen: &Values,
        seen: &mut BTreeMap<String, usize>,
    ) -> Result<Vec<Values>> {
        let Some((variable, rest)) = variables.split_first() else { return Ok(vec![chosen.clone()]) };
        let selector = self.filled(&variable.selector, chosen);
        let values = self.prometheus.label_values(&variable.label, &selector)?;
        let count = seen.entry(variable.name.clone()).or_default();
        *count = (*count).max(values.len());
        let values = if variable.is_any { vec![".*".to_owned()] } else { values };
        let mut all = Vec::new();
        for value in values {
            let mut chosen = chosen.clone();
            chosen.insert(variable.name.clone(), value);
            all.extend(self.choices(rest, &chosen, seen)?);
        }
        Ok(all)
    }

    fn has_data(&self, query: &Query, values: &Values) -> Result<bool> {
        let expr = self.filled(&query.expr, values);
        let rows = if query.is_instant {
            self.prometheus.query(&expr)?
        } else {
            self.prometheus.range(&expr, self.past.min(3600), self.every.max(5))?
        };
        let is_number = |sample: &Value| sample[1].as_str().is_some_and(|text| text != "NaN");
        let has = |row: &Value| {
            let histogram =
                !row["histogram"].is_null() || row["histograms"].as_array().is_some_and(|all| !all.is_empty());
            histogram
                || is_number(&row["value"])
                || row["values"].as_array().is_some_and(|all| all.iter().any(is_number))
        };
        Ok(rows.iter().any(has))
    }

    /// The text with values in place of variables; Grafana's own ones as it would have them.
    fn filled(&self, text: &str, values: &Values) -> String {
        let rate = format!("{}s", 4 * self.every);
        let own = [("__rate_interval", rate.as_str()), ("__interval", "15s"), ("__range", "3600s")];
        let mut text = text.to_owned();
        for (name, value) in own.into_iter().chain(values.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
            let value = if value == ".*" || name.starts_with("__") { value.to_owned() } else { escaped(value) };
            text = text.replace(&format!("${{{name}}}"), &value).replace(&format!("${{{name}:regex}}"), &value);
            text = with_variable(&text, name, &value);
        }
        text
    }
}

/// Replaces `$name` where the name ends there.
fn with_variable(text: &str, name: &str, value: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    let mark = format!("${name}");
    while let Some((before, after)) = rest.split_once(&mark) {
        let goes_on = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        out.push_str(before);
        out.push_str(if goes_on { &mark } else { value });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A value within a regular expression within quotes.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for letter in value.chars() {
        if "\\^$.*+?()[]{}|".contains(letter) {
            out.push_str("\\\\");
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_end_where_their_names_end() {
        assert_eq!(with_variable("a=~\"$node\", b=\"$nodes\", $node", "node", "n"), "a=~\"n\", b=\"$nodes\", n");
        assert_eq!(escaped("a.b"), "a\\\\.b");
    }

    #[test]
    fn every_board_and_every_exclusion_can_be_read() {
        let root = crate::places::repo();
        let boards = boards(&root.join("dashboards/grafana")).unwrap();
        assert!(boards.len() >= 11);
        for exclusion in exclusions(&root).unwrap() {
            let board = boards.iter().find(|board| board.name == exclusion.board);
            let queries = board.map(Board::queries).unwrap_or_default();
            let is_there = queries.iter().any(|query| exclusion.covers(&exclusion.board, query));
            assert!(is_there, "{exclusion:?} excludes nothing that there is");
        }
        for board in &boards {
            assert!(!board.queries().is_empty() && !board.variables().unwrap().is_empty(), "{}", board.name);
        }
    }
}
