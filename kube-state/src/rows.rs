//! Buffers to which kinds write the series of one object.
//!
//! A series is (family, labels of its own, number); the labels that identify the object are kept once. What is kept is
//! already in wire form, so the store only has to intern bytes and a scrape only has to copy them. The buffers are
//! reused from object to object: after the first few, rendering an object allocates nothing.

use std::sync::Arc;

use hashbrown::HashTable;
use jiff::tz::TimeZone;
use kubernetes::{
    Quantity,
    lax::{Base64Length, Dict, Flag, Int, Text, Time},
};

use crate::{
    hash::hash_of,
    labels::{self, AllowList},
    meta::Meta,
};

/// Sources of a number.
pub trait Number {
    /// The number; what is absent has no row, what is spoiled costs the family.
    fn number(&self) -> Reading;
}

/// Result of reading a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// A number.
    Is(f64),
    /// Nothing there.
    Absent,
    /// Something else there.
    Spoiled,
}

impl From<Option<f64>> for Reading {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::Spoiled, Self::Is)
    }
}

impl Number for Reading {
    fn number(&self) -> Reading {
        *self
    }
}

impl Number for f64 {
    fn number(&self) -> Reading {
        Reading::Is(*self)
    }
}

impl Number for bool {
    fn number(&self) -> Reading {
        Reading::Is(f64::from(u8::from(*self)))
    }
}

impl Number for Int {
    fn number(&self) -> Reading {
        match self {
            Self::Is(int) => Reading::Is(*int as f64),
            Self::Spoiled => Reading::Spoiled,
        }
    }
}

impl Number for Base64Length {
    fn number(&self) -> Reading {
        match self {
            Self::Bytes(bytes) => Reading::Is(*bytes as f64),
            Self::Spoiled => Reading::Spoiled,
        }
    }
}

impl Number for Flag {
    fn number(&self) -> Reading {
        match self {
            Self::Is(flag) => flag.number(),
            Self::Spoiled => Reading::Spoiled,
        }
    }
}

impl Number for Time {
    fn number(&self) -> Reading {
        match self {
            Self::At(seconds) => Reading::Is(*seconds as f64),
            Self::Spoiled => Reading::Spoiled,
        }
    }
}

/// A quantity in whole units.
#[derive(Clone, Copy, Debug)]
pub struct Whole(pub Quantity);

impl Number for Whole {
    fn number(&self) -> Reading {
        self.0.whole().into()
    }
}

/// A quantity in thousandths where they fit.
#[derive(Clone, Copy, Debug)]
pub struct Amount(pub Quantity);

impl Number for Amount {
    fn number(&self) -> Reading {
        self.0.amount().into()
    }
}

impl<N: Number> Number for Option<N> {
    fn number(&self) -> Reading {
        self.as_ref().map_or(Reading::Absent, Number::number)
    }
}

impl<N: Number> Number for &N {
    fn number(&self) -> Reading {
        (*self).number()
    }
}

/// Sources of a label's value.
pub trait LabelValue {
    /// Appends the value as it stands between quotes. False when it is spoiled.
    fn push_value(&self, out: &mut Vec<u8>) -> bool;
}

impl LabelValue for str {
    fn push_value(&self, out: &mut Vec<u8>) -> bool {
        push_escaped(out, self);
        true
    }
}

impl LabelValue for String {
    fn push_value(&self, out: &mut Vec<u8>) -> bool {
        self.as_str().push_value(out)
    }
}

impl LabelValue for Text<'_> {
    fn push_value(&self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Is(text) => text.as_ref().push_value(out),
            Self::Spoiled => false,
        }
    }
}

impl LabelValue for Int {
    fn push_value(&self, out: &mut Vec<u8>) -> bool {
        let Self::Is(int) = self else { return false };
        out.extend_from_slice(itoa::Buffer::new().format(*int).as_bytes());
        true
    }
}

impl LabelValue for bool {
    fn push_value(&self, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
        true
    }
}

impl LabelValue for Flag {
    fn push_value(&self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Is(flag) => flag.push_value(out),
            Self::Spoiled => false,
        }
    }
}

impl<L: LabelValue> LabelValue for Option<L> {
    fn push_value(&self, out: &mut Vec<u8>) -> bool {
        self.as_ref().is_none_or(|value| value.push_value(out))
    }
}

impl<L: LabelValue + ?Sized> LabelValue for &L {
    fn push_value(&self, out: &mut Vec<u8>) -> bool {
        (**self).push_value(out)
    }
}

/// Appends a label's value with `\`, `"` and line feed escaped.
pub fn push_escaped(out: &mut Vec<u8>, value: &str) {
    let mut rest = value.as_bytes();
    while let Some(at) = memchr::memchr3(b'\\', b'"', b'\n', rest) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        let (special, after) = after.split_at(1);
        out.extend_from_slice(match special {
            b"\\" => b"\\\\",
            b"\"" => b"\\\"",
            _ => b"\\n",
        });
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Configuration of the rows of one kind.
#[derive(Clone, Debug)]
pub struct Options {
    /// Labels to show.
    pub labels: AllowList,
    /// Annotations to show.
    pub annotations: AllowList,
    /// Which families are wanted, by their place in the kind's list; those beyond its end are not.
    pub wanted: Vec<bool>,
    /// The time zone of schedules that name none.
    pub local: TimeZone,
    /// Leave out the rows for states that do not hold.
    pub without_zeros: bool,
}

impl Options {
    /// For kinds without families.
    pub const NONE: Self = Self {
        labels: AllowList::NONE,
        annotations: AllowList::NONE,
        wanted: Vec::new(),
        local: TimeZone::UTC,
        without_zeros: false,
    };
}

/// Rows of a family among which each is compared with those before it. More are found by their hashes.
const FEW: usize = 16;

/// One series of the object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The family's place in its kind's list.
    pub family: u16,
    start: u32,
    end: u32,
    /// The sample's value.
    pub number: f64,
}

/// The series of one object.
#[derive(Debug)]
pub struct Rows {
    options: Arc<Options>,
    uid: String,
    identity: Vec<u8>,
    text: Vec<u8>,
    rows: Vec<Row>,
    spoiled: Vec<u16>,
    repeated: Vec<u16>,
    /// Rows of a family by their labels; empty but while a large one is looked through.
    seen: HashTable<u32>,
    family: u16,
    labels: &'static [&'static str],
    is_spoiled: bool,
}

const STATUSES: [(&str, &str); 3] = [("True", "true"), ("False", "false"), ("Unknown", "unknown")];

impl Rows {
    /// Empty rows for a kind's objects.
    pub fn new(options: Arc<Options>) -> Self {
        Self {
            options,
            uid: String::new(),
            identity: Vec::new(),
            text: Vec::new(),
            rows: Vec::new(),
            spoiled: Vec::new(),
            repeated: Vec::new(),
            seen: HashTable::new(),
            family: 0,
            labels: &[],
            is_spoiled: false,
        }
    }

    /// What the configuration says.
    pub fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn shared_options(&self) -> &Arc<Options> {
        &self.options
    }

    /// The object's uid.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The labels that identify the object, in wire form: `namespace="a",pod="b"`.
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }

    /// The series, by family.
    pub fn all(&self) -> &[Row] {
        &self.rows
    }

    /// A row's own labels, in wire form: `,container="app"`, or empty.
    pub fn own_labels(&self, row: &Row) -> &[u8] {
        self.text.get(row.start as usize..row.end as usize).unwrap_or(&[])
    }

    /// Families that were left out because the object has something of another shape where they read.
    pub fn spoiled(&self) -> &[u16] {
        &self.spoiled
    }

    /// Families of which the object gave a series twice with different numbers, once for each number that was left out.
    pub fn repeated(&self) -> &[u16] {
        &self.repeated
    }

    /// Starts an object: what was there goes.
    pub(crate) fn start(&mut self, uid: &str, identity: &'static [&'static str]) {
        self.uid.clear();
        self.uid.push_str(uid);
        self.identity.clear();
        self.text.clear();
        self.rows.clear();
        self.spoiled.clear();
        self.repeated.clear();
        (self.labels, self.is_spoiled) = (identity, false);
    }

    /// Says which object the series are about.
    pub fn identify(&mut self, values: &[&Text<'_>]) {
        debug_assert_eq!(self.labels.len(), values.len(), "as many values as identifying labels");
        for (name, value) in self.labels.iter().zip(values) {
            let separator: &[u8] = if self.identity.is_empty() { b"" } else { b"," };
            self.identity.extend_from_slice(separator);
            self.identity.extend_from_slice(name.as_bytes());
            self.identity.extend_from_slice(b"=\"");
            self.is_spoiled |= !value.push_value(&mut self.identity);
            self.identity.push(b'"');
        }
    }

    /// Whether the object can be told from others.
    pub(crate) fn is_identified(&self) -> bool {
        !self.is_spoiled
    }

    /// Runs a family's code, and takes its rows back when it met something spoiled. A series that comes twice stands
    /// once.
    pub(crate) fn family(&mut self, index: u16, labels: &'static [&'static str], emit: impl FnOnce(&mut Self)) {
        let (rows, text) = (self.rows.len(), self.text.len());
        (self.family, self.labels, self.is_spoiled) = (index, labels, false);
        emit(self);
        if self.is_spoiled {
            self.rows.truncate(rows);
            self.text.truncate(text);
            self.spoiled.push(index);
        } else {
            self.keep_first(rows);
        }
    }

    /// Of the rows from a place on, keeps the first with the same labels: the others would be samples of the same series.
    /// Lists of an object may name the same thing twice.
    fn keep_first(&mut self, from: usize) {
        let Self { rows, text, seen, repeated, family, .. } = self;
        if rows.len() < from + 2 {
            return;
        }
        let labels = |row: &Row| text.get(row.start as usize..row.end as usize).unwrap_or(&[]);
        let is_large = rows.len() - from > FEW;
        seen.clear();
        let mut kept = from;
        for at in from..rows.len() {
            let Some(row) = rows.get(at).copied() else { break };
            let its = labels(&row);
            let before = rows.get(from..kept).unwrap_or(&[]);
            let row_at = |place: u32| before.get(place as usize);
            let first = if is_large {
                let found = seen.find(hash_of(its), |place| row_at(*place).is_some_and(|row| labels(row) == its));
                found.and_then(|place| row_at(*place))
            } else {
                before.iter().find(|first| labels(first) == its)
            };
            if let Some(first) = first {
                if first.number.to_bits() != row.number.to_bits() {
                    repeated.push(*family);
                }
                continue;
            }
            if is_large && let Ok(place) = u32::try_from(kept - from) {
                let hash = |place: &u32| hash_of(row_at(*place).map_or(its, labels));
                seen.insert_unique(hash_of(its), place, hash);
            }
            if let Some(place) = rows.get_mut(kept) {
                *place = row;
            }
            kept += 1;
        }
        rows.truncate(kept);
    }

    /// Notes that an object has something of another shape where a family reads, which costs only some of its series.
    pub(crate) fn note_spoiled(&mut self, index: u16) {
        if self.spoiled.last() != Some(&index) {
            self.spoiled.push(index);
        }
    }

    /// Puts a series with values for the family's labels.
    pub fn put(&mut self, values: &[&dyn LabelValue], number: impl Number) {
        self.put_with(self.labels, values, number);
    }

    /// Puts a series that says something by being there: its value is 1.
    pub fn info(&mut self, values: &[&dyn LabelValue]) {
        self.put_with(self.labels, values, 1.0);
    }

    /// Puts a series without own labels.
    pub fn number(&mut self, number: impl Number) {
        self.put_with(&[], &[], number);
    }

    /// Puts a series with other labels than the family's usual ones.
    pub fn put_with(&mut self, names: &[&str], values: &[&dyn LabelValue], number: impl Number) {
        debug_assert_eq!(names.len(), values.len(), "as many values as labels");
        let start = self.text.len();
        for (name, value) in names.iter().zip(values) {
            self.push_label(name, *value);
        }
        self.finish(start, &number);
    }

    /// Puts a series of an object without identifying labels: these are all it has.
    pub(crate) fn put_bare<'l>(&mut self, labels: impl Iterator<Item = (&'l str, &'l str)>, number: f64) {
        let start = self.text.len();
        for (name, value) in labels {
            let is_first = self.text.len() == start;
            self.push_label(name, &value);
            if is_first {
                self.text.remove(start);
            }
        }
        self.finish(start, &number);
    }

    /// Puts one series for each status a condition can have: 1 for the one it has.
    pub fn status(&mut self, values: &[&dyn LabelValue], status: &Text<'_>) {
        self.is_spoiled |= *status == Text::Spoiled;
        let (leading, last) = self.labels.split_at(values.len().min(self.labels.len()));
        for (name, label) in STATUSES {
            if self.options.without_zeros && *status != name {
                continue;
            }
            let start = self.text.len();
            for (name, value) in leading.iter().zip(values) {
                self.push_label(name, *value);
            }
            if let Some(name) = last.first() {
                self.push_label(name, &label);
            }
            self.finish(start, &(*status == name));
        }
    }

    /// Puts one series for each state: 1 for the one that holds. Nothing when there is no state.
    pub fn states(&mut self, states: &[&str], state: &Text<'_>) {
        if !state.is_empty() {
            self.all_states(states, state);
        }
    }

    /// Puts one series for each state, also when none holds.
    pub fn all_states(&mut self, states: &[&str], state: &Text<'_>) {
        self.is_spoiled |= *state == Text::Spoiled;
        for name in states {
            self.state(&[name], *state == *name);
        }
    }

    /// Puts the series of one state: 1 when it holds.
    pub fn state(&mut self, values: &[&dyn LabelValue], holds: bool) {
        if holds || !self.options.without_zeros {
            self.put(values, holds);
        }
    }

    /// Puts a series with one label for each pair, called by prefix and key.
    pub fn pairs<'p>(&mut self, prefix: &str, pairs: impl Iterator<Item = (&'p str, &'p Text<'p>)> + Clone) {
        let names = labels::names(prefix, pairs.clone().map(|(key, _)| key));
        let start = self.text.len();
        for (name, (_, value)) in names.iter().zip(pairs) {
            self.push_label(name, value);
        }
        self.finish(start, &1.0);
    }

    /// Puts a series with one label for each pair of a map.
    pub fn map(&mut self, prefix: &str, map: &Dict<'_, Text<'_>>) {
        self.some_of(prefix, map, &AllowList::all());
    }

    /// Puts the row of allowed labels.
    pub fn allowed_labels(&mut self, meta: &Meta<'_>) {
        let options = Arc::clone(&self.options);
        self.some_of("label", &meta.labels, &options.labels);
    }

    /// Puts the row of allowed annotations.
    pub fn allowed_annotations(&mut self, meta: &Meta<'_>) {
        let options = Arc::clone(&self.options);
        self.some_of("annotation", &meta.annotations, &options.annotations);
    }

    fn some_of(&mut self, prefix: &str, map: &Dict<'_, Text<'_>>, allowed: &AllowList) {
        if allowed.is_empty() {
            return;
        }
        self.is_spoiled |= map.is_spoiled();
        let shown: Vec<(&str, &Text<'_>)> = map.iter().filter(|(key, _)| allowed.allows(key)).collect();
        self.pairs(prefix, shown.iter().copied());
    }

    /// Puts one series for each owner, or one with empty labels.
    pub fn owners(&mut self, meta: &Meta<'_>) {
        if meta.owner_references.is_empty() {
            self.info(&[&"", &"", &""]);
        }
        for owner in &meta.owner_references {
            self.info(&[&owner.kind, &owner.name, &owner.controller.unwrap_or_default()]);
        }
    }

    fn push_label(&mut self, name: &str, value: &dyn LabelValue) {
        self.text.push(b',');
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"=\"");
        self.is_spoiled |= !value.push_value(&mut self.text);
        self.text.push(b'"');
    }

    fn finish(&mut self, start: usize, number: &dyn Number) {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        match number.number() {
            Reading::Is(number) => {
                let (start, end) = (offset(start), offset(self.text.len()));
                self.rows.push(Row { family: self.family, start, end, number });
            }
            Reading::Absent => self.text.truncate(start),
            Reading::Spoiled => self.is_spoiled = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows that stay of these, and how many were left out for another number.
    fn kept(given: &[(&str, f64)]) -> (Vec<(String, f64)>, usize) {
        let mut rows = Rows::new(Arc::new(Options::NONE));
        rows.start("uid", &[]);
        rows.family(0, &["a"], |rows| rows.info(&[&"x"]));
        rows.family(1, &["a"], |rows| {
            for (label, number) in given {
                rows.put(&[label], *number);
            }
        });
        let text = |row: &Row| (String::from_utf8_lossy(rows.own_labels(row)).into_owned(), row.number);
        let all = rows.all().iter().filter(|row| row.family == 1).map(text).collect();
        assert_eq!(rows.all().first().map(text), Some((r#",a="x""#.to_owned(), 1.0)), "another family has its own");
        assert!(rows.repeated().iter().all(|family| *family == 1));
        (all, rows.repeated().len())
    }

    #[test]
    fn a_series_stands_once_and_the_first_number_stays() {
        for (given, expected, repeated) in [
            (&[("x", 1.0)][..], &[("x", 1.0)][..], 0),
            (&[("x", 1.0), ("x", 1.0)], &[("x", 1.0)], 0),
            (&[("x", 1.0), ("y", 1.0), ("x", 2.0), ("x", 3.0), ("z", 4.0)], &[("x", 1.0), ("y", 1.0), ("z", 4.0)], 2),
            (&[("x", f64::NAN), ("x", f64::NAN)], &[("x", f64::NAN)], 0),
            (&[("", 1.0), ("", 1.0)], &[("", 1.0)], 0),
        ] {
            let (rows, count) = kept(given);
            let expected: Vec<_> =
                expected.iter().map(|(label, number)| (format!(",a=\"{label}\""), *number)).collect();
            assert_eq!((format!("{rows:?}"), count), (format!("{expected:?}"), repeated), "{given:?}");
        }
    }

    #[test]
    fn many_rows_are_told_apart_as_few_are() {
        let names: Vec<String> = (0..300).map(|number| (number % 100).to_string()).collect();
        let given: Vec<(&str, f64)> =
            names.iter().zip(0..).map(|(name, at)| (name.as_str(), f64::from(at / 200))).collect();
        let (rows, repeated) = kept(&given);
        assert_eq!((rows.len(), repeated), (100, 100));
        assert!(rows.iter().all(|(_, number)| *number == 0.0));
        assert_eq!(rows.last().map(|(labels, _)| labels.as_str()), Some(",a=\"99\""));
    }
}
