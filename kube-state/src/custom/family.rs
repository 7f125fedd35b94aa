//! A family of a custom kind: from an object to its series.
//!
//! These quirks are upstream's: a map under an info metric gives a series for each of its keys *and* one for itself,
//! a gauge over a map looks for its labels in the value and in the map. Existing configurations depend on them.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use super::{
    found::Found,
    path::{Mark, Path},
    value::{self, NotANumber},
};
use crate::labels;

/// Labels of a series, by name.
pub(super) type Labels<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;

/// Labels that paths give.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LabelPaths {
    /// `*` and `prefix_*`: every key of a map becomes a label. They come first, so that others go before them.
    stars: Vec<(Star, Path)>,
    /// By name, already in letters that a label may have.
    named: Vec<(String, Path)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Star {
    prefix: String,
}

/// What a family makes of the value its path leads to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Each {
    /// A number, or one for each element.
    Gauge { value_from: Path, label_from_key: String, nil_is_zero: bool },
    /// Labels, with the number 1.
    Info { label_from_key: String },
    /// 1 for the text that is there, 0 for others of a list.
    StateSet { value_from: Path, label_name: String, list: Vec<String> },
}

/// One rule that gives series of a family. A family has several when the configuration names it several times.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// Labels with their values; a path's go before them.
    pub(super) common: BTreeMap<String, String>,
    /// Labels from the whole object.
    pub(super) from_object: LabelPaths,
    /// Where the values are.
    pub(super) path: Path,
    /// Labels from each value; these go before all others.
    pub(super) from_value: LabelPaths,
    /// What becomes of them.
    pub(super) each: Each,
    /// How talkative the log must be for the rule's trouble to show.
    pub(super) error_log_v: u8,
    /// Whether an object was looked at.
    pub(super) seen: Mark,
}

/// Why an object has no series where a rule looks for one.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Trouble {
    /// The path leads nowhere. Common: many fields are absent until something happens.
    #[error("there is nothing at {path}")]
    Nothing {
        /// The rule's path.
        path: String,
    },
    /// A value is no number.
    #[error("{path}")]
    NotANumber {
        /// Where it is.
        path: String,
        /// What it is.
        source: NotANumber,
    },
    /// A state is no text.
    #[error("{path}: a state should be text, but is {is}")]
    NoState {
        /// Where it is.
        path: String,
        /// What it is.
        is: &'static str,
    },
}

impl LabelPaths {
    /// Takes paths by label name.
    pub(super) fn new(paths: BTreeMap<String, Path>) -> Self {
        let mut all = Self::default();
        for (name, path) in paths {
            if let Some(prefix) = name.strip_suffix('*') {
                all.stars.push((Star { prefix: prefix.to_owned() }, path));
            } else if name.starts_with('*') {
                all.stars.push((Star { prefix: String::new() }, path));
            } else {
                all.named.push((labels::sanitized(&name), path));
            }
        }
        all
    }

    /// The paths that never led to a value, with the labels that they are for.
    fn unresolved(&self) -> impl Iterator<Item = String> {
        let stars = self.stars.iter().map(|(star, path)| (format!("{}*", star.prefix), path));
        let all = stars.chain(self.named.iter().map(|(name, path)| (name.clone(), path)));
        all.filter(|(_, path)| path.is_unresolved()).map(|(name, path)| format!("{name} from {}", path.text()))
    }

    fn add<'a>(&'a self, from: Found<'a>, labels: &mut Labels<'a>) {
        for (star, path) in &self.stars {
            if let Found::Value(Value::Object(map)) = path.get(from) {
                for (key, value) in map {
                    let name = labels::sanitized(&format!("{}{key}", star.prefix));
                    labels.insert(name.into(), value::value_text(value));
                }
            }
        }
        for (name, path) in &self.named {
            if let Some(text) = value::text(path.get(from)) {
                labels.insert(name.into(), text);
            }
        }
    }
}

impl Rule {
    /// The paths that led to a value in none of the objects so far; none when there was no object.
    pub(super) fn unresolved(&self) -> Vec<String> {
        if !self.seen.is_set() {
            return Vec::new();
        }
        let mut paths: Vec<String> = self.from_object.unresolved().collect();
        if self.path.is_unresolved() {
            // What is looked for from there on cannot be found either.
            paths.push(self.path.text());
            return paths;
        }
        match &self.each {
            Each::Gauge { value_from, .. } | Each::StateSet { value_from, .. } if value_from.is_unresolved() => {
                paths.push(self.path.text_with(value_from));
            }
            _ => {}
        }
        paths.extend(self.from_value.unresolved());
        paths
    }

    /// Gives the object's series to `put`, and what is in their way to `trouble`.
    pub(super) fn render<'a>(
        &'a self,
        object: &'a Value,
        put: &mut dyn FnMut(&Labels<'_>, f64),
        trouble: &mut dyn FnMut(Trouble),
    ) {
        self.seen.set();
        let object = Found::Value(object);
        let mut base: Labels<'a> = self.common.iter().map(|(name, value)| (name.into(), value.into())).collect();
        self.from_object.add(object, &mut base);
        let mut values = Values { rule: self, base, put, trouble };
        let value = self.path.get(object);
        match &self.each {
            Each::Gauge { value_from, label_from_key, nil_is_zero } => {
                values.gauges(&Gauge { value_from, label_from_key, nil_is_zero: *nil_is_zero }, value);
            }
            Each::Info { label_from_key } => values.infos(label_from_key, value),
            Each::StateSet { value_from, label_name, list } => match value {
                Found::Value(Value::Array(elements)) => {
                    for element in elements {
                        values.states(value_from, label_name, list, Found::of(Some(element)));
                    }
                }
                value => values.states(value_from, label_name, list, value),
            },
        }
    }
}

struct Values<'a, 'p> {
    rule: &'a Rule,
    base: Labels<'a>,
    put: &'p mut dyn FnMut(&Labels<'_>, f64),
    trouble: &'p mut dyn FnMut(Trouble),
}

struct Gauge<'a> {
    value_from: &'a Path,
    label_from_key: &'a str,
    nil_is_zero: bool,
}

impl<'a> Values<'a, '_> {
    fn gauges(&mut self, gauge: &Gauge<'a>, value: Found<'a>) {
        match value {
            Found::Value(Value::Object(map)) => {
                for (key, element) in map {
                    self.gauge_of_key(gauge, value, key, element);
                }
            }
            Found::Value(Value::Array(elements)) => {
                for element in elements {
                    self.gauge(gauge, Found::of(Some(element)));
                }
            }
            value => self.gauge(gauge, value),
        }
    }

    fn gauge(&mut self, gauge: &Gauge<'a>, value: Found<'a>) {
        match gauge.number(value) {
            Ok(Some(number)) => {
                let mut labels = Labels::new();
                self.rule.from_value.add(value, &mut labels);
                self.put(labels, number);
            }
            Ok(None) if value == Found::Nothing => {
                (self.trouble)(Trouble::Nothing { path: self.rule.path.text() });
            }
            Ok(None) => {}
            Err(source) => self.not_a_number(source),
        }
    }

    /// A key of a map. When it is the one that `valueFrom` names, its value is the number: the path may stop one short.
    fn gauge_of_key(&mut self, gauge: &Gauge<'a>, all: Found<'a>, key: &'a str, element: &'a Value) {
        let value = Found::of(Some(element));
        let number = if gauge.value_from.only() == Some(key) {
            gauge.value_from.note_resolved();
            match value::number(element) {
                Ok(number) => Some(number),
                Err(_) if element.is_null() && gauge.nil_is_zero => Some(0.0),
                Err(source) => return self.not_a_number(source),
            }
        } else {
            // What is no number here is no trouble: a map holds much.
            gauge.number(value).unwrap_or(None)
        };
        let Some(number) = number else { return };
        let mut labels = from_key(gauge.label_from_key, key);
        self.rule.from_value.add(value, &mut labels);
        self.rule.from_value.add(all, &mut labels);
        self.put(labels, number);
    }

    fn infos(&mut self, label_from_key: &'a str, value: Found<'a>) {
        match value {
            Found::Value(Value::Array(elements)) => {
                for element in elements {
                    self.info(Labels::new(), Found::of(Some(element)));
                }
            }
            Found::Value(Value::Object(map)) => {
                for (key, element) in map {
                    self.info(from_key(label_from_key, key), Found::of(Some(element)));
                }
                self.info(Labels::new(), value);
            }
            value => self.info(Labels::new(), value),
        }
    }

    /// A series with these labels and those that the value gives, unless there are none.
    fn info(&mut self, mut labels: Labels<'a>, value: Found<'a>) {
        self.rule.from_value.add(value, &mut labels);
        if !labels.is_empty() {
            self.put(labels, 1.0);
        }
    }

    fn states(&mut self, value_from: &'a Path, label_name: &'a str, list: &'a [String], value: Found<'a>) {
        let state = match value_from.get(value) {
            // A state that is not there yet is no trouble.
            Found::Nothing => return,
            Found::Value(Value::String(state)) => state,
            Found::Value(other) => {
                return (self.trouble)(Trouble::NoState {
                    path: self.rule.path.text_with(value_from),
                    is: kind_of(other),
                });
            }
        };
        for entry in list {
            let mut labels = Labels::from([(label_name.into(), entry.into())]);
            self.rule.from_value.add(value, &mut labels);
            self.put(labels, f64::from(u8::from(entry == state)));
        }
    }

    fn put(&mut self, mut labels: Labels<'a>, number: f64) {
        for (name, value) in &self.base {
            labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
        (self.put)(&labels, number);
    }

    fn not_a_number(&mut self, source: NotANumber) {
        (self.trouble)(Trouble::NotANumber { path: self.rule.path.text(), source });
    }
}

impl<'a> Gauge<'a> {
    /// The number of a value; `None` when there is nothing where it should be.
    fn number(&self, value: Found<'a>) -> Result<Option<f64>, NotANumber> {
        match self.value_from.get(value) {
            Found::Nothing => Ok(self.nil_is_zero.then_some(0.0)),
            Found::Value(value) => value::number(value).map(Some),
        }
    }
}

fn from_key<'a>(label: &'a str, key: &'a str) -> Labels<'a> {
    let is_wanted = !key.is_empty() && !label.is_empty();
    is_wanted.then(|| (label.into(), key.into())).into_iter().collect()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
        Value::Null | Value::String(_) => "text",
    }
}
