//! Paths into objects. The meaning of a segment depends on the value it is applied to.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use serde_json::Value;

use super::{found::Found, value};
use crate::literal;

/// A way from a value to a value inside of it. The empty path leads to the value itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Path {
    steps: Vec<Step>,
    /// Whether it ever led to a value.
    resolved: Mark,
}

/// Something that happened, at a rule of a configuration. Rules are the same whether it did or not, and for a copy of one
/// it did not.
#[derive(Default)]
pub(super) struct Mark(AtomicBool);

impl Mark {
    pub(super) fn set(&self) {
        // Written once: other threads read it.
        if !self.is_set() {
            self.0.store(true, Relaxed);
        }
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl Clone for Mark {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Mark {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark")
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Step {
    /// As it is written.
    text: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    /// `[key=value]`: the first element of a list that has this.
    First { key: String, text: String, number: Option<f64>, flag: Option<bool> },
    /// A key of a map; of a list the element with this number, counted from the end below zero. `key=value` is the
    /// value of the key if it is that value.
    Inside { guard: Option<(String, String)>, index: Option<i64> },
}

/// A segment that is none.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{0:?} is not [key=value], which finds an element of a list")]
pub(super) struct BadSegment(String);

impl Path {
    /// Reads the segments.
    pub(super) fn new(segments: &[String]) -> Result<Self, BadSegment> {
        let steps: Result<Vec<Step>, BadSegment> = segments.iter().map(|segment| Step::new(segment)).collect();
        Ok(Self { steps: steps?, resolved: Mark::default() })
    }

    /// What is there in a value.
    pub(super) fn get<'a>(&'a self, start: Found<'a>) -> Found<'a> {
        let found = self.steps.iter().fold(start, |found, step| match found {
            Found::Value(value) => step.get(value),
            Found::Nothing => Found::Nothing,
        });
        if found != Found::Nothing {
            self.resolved.set();
        }
        found
    }

    /// The value was found without it.
    pub(super) fn note_resolved(&self) {
        self.resolved.set();
    }

    /// Whether it never led to a value.
    pub(super) fn is_unresolved(&self) -> bool {
        !self.steps.is_empty() && !self.resolved.is_set()
    }

    /// The only segment of a path of one, if it has no comma in it.
    pub(super) fn only(&self) -> Option<&str> {
        match self.steps.as_slice() {
            [step] if !step.text.is_empty() && !step.text.contains(',') => Some(&step.text),
            _ => None,
        }
    }

    /// As it is said in messages.
    pub(super) fn text(&self) -> String {
        self.text_with(&Self::default())
    }

    /// The same, of this path and another that goes on from there.
    pub(super) fn text_with(&self, further: &Self) -> String {
        let parts: Vec<&str> = self.steps.iter().chain(&further.steps).map(|step| step.text.as_str()).collect();
        format!("[{}]", parts.join(","))
    }
}

impl Step {
    fn new(segment: &str) -> Result<Self, BadSegment> {
        let text = segment.to_owned();
        if segment.starts_with('[') && segment.ends_with(']') {
            let inner = segment.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let pair = inner.and_then(|inner| inner.split_once('='));
            let (key, wanted) = pair.ok_or_else(|| BadSegment(segment.to_owned()))?;
            let (number, flag) = (value::number_of_text(wanted), literal::truth(wanted));
            let rule = Rule::First { key: key.to_owned(), text: wanted.to_owned(), number, flag };
            return Ok(Self { text, rule });
        }
        let guard = segment.split_once('=').filter(|(_, wanted)| !wanted.contains('='));
        let guard = guard.map(|(key, wanted)| (key.to_owned(), wanted.to_owned()));
        Ok(Self { text, rule: Rule::Inside { guard, index: segment.parse().ok() } })
    }

    fn get<'a>(&'a self, value: &'a Value) -> Found<'a> {
        match (&self.rule, value) {
            (Rule::First { key, text, number, flag }, Value::Array(list)) => {
                let has_it = |element: &&Value| {
                    element.as_object().and_then(|map| map.get(key)).is_some_and(|candidate| {
                        candidate.as_str() == Some(text)
                            || number.is_some_and(|number| value::number(candidate) == Ok(number))
                            || flag.is_some_and(|flag| candidate.as_bool() == Some(flag))
                    })
                };
                Found::of(list.iter().find(has_it))
            }
            (Rule::Inside { guard, .. }, Value::Object(map)) => {
                let guarded = guard.as_ref().and_then(|(key, wanted)| {
                    map.get(key).filter(|candidate| candidate.as_str() == Some(wanted.as_str()))
                });
                Found::of(guarded.or_else(|| map.get(&self.text)))
            }
            (Rule::Inside { index: Some(index), .. }, Value::Array(list)) => {
                let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
                let place = if *index < 0 { index.checked_add(length) } else { Some(*index) };
                let place = place.and_then(|place| usize::try_from(place).ok());
                Found::of(place.and_then(|place| list.get(place)))
            }
            _ => Found::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(segments: &[&str]) -> Path {
        Path::new(&segments.iter().map(|segment| (*segment).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_segment_means_what_it_meets() {
        let object = json!({
            "spec": {"ports": [{"id": 8080, "tls": false}, {"id": 8443, "tls": true, "name": "0x20fb"}], "a=b": 3},
            "labels": {"app": "shop", "7": "seven"}, "none": null,
        });
        let got = |segments: &[&str]| match path(segments).get(Found::Value(&object)) {
            Found::Value(value) => value.to_string(),
            Found::Nothing => "-".to_owned(),
        };
        for (segments, expected) in [
            (&["spec", "ports", "0", "id"][..], "8080"),
            (&["spec", "ports", "-1", "id"], "8443"),
            (&["spec", "ports", "2"], "-"),
            (&["spec", "ports", "-3"], "-"),
            (&["spec", "ports", "2", "id"], "-"),
            (&["spec", "ports", "id"], "-"),
            (&["spec", "ports", "[id=8443]", "tls"], "true"),
            (&["spec", "ports", "[id=8443.0]", "tls"], "true"),
            (&["spec", "ports", "[tls=false]", "id"], "8080"),
            (&["spec", "ports", "[tls=yes]", "id"], "8443"),
            (&["spec", "ports", "[tls=t]", "id"], "8443"),
            (&["spec", "ports", "[name=0x20fb]", "id"], "8443"),
            (&["spec", "ports", "[name=]", "id"], "-"),
            (&["spec", "ports", "[other=1]"], "-"),
            (&["spec", "[id=1]"], "-"),
            (&["spec", "a=b"], "3"),
            (&["labels", "app=shop"], "\"shop\""),
            (&["labels", "app=mail"], "-"),
            (&["labels", "7"], "\"seven\""),
            (&["labels", "app", "x"], "-"),
            (&["none"], "-"),
            (&["none", "x"], "-"),
        ] {
            assert_eq!(got(segments), expected, "{segments:?}");
        }
        assert_eq!(path(&[]).get(Found::Value(&object)), Found::Value(&object));
    }

    #[test]
    fn a_path_knows_whether_it_ever_led_to_a_value() {
        let object = json!({"a": {"b": 1}});
        let (there, gone) = (path(&["a", "b"]), path(&["a", "c"]));
        assert!(there.is_unresolved() && gone.is_unresolved() && !path(&[]).is_unresolved());
        let _ = (there.get(Found::Value(&object)), gone.get(Found::Value(&object)));
        assert!(!there.is_unresolved() && gone.is_unresolved());
        let copy = there.clone();
        assert!(copy.is_unresolved() && copy == there && format!("{copy:?}") == format!("{there:?}"));
    }

    #[test]
    fn brackets_hold_a_pair() {
        for (segment, is_bad) in [("[]", true), ("[x]", true), ("[", false), ("][", false), ("[=]", false)] {
            assert_eq!(Path::new(&[segment.to_owned()]).is_err(), is_bad, "{segment}");
        }
        assert_eq!(path(&["a", "[b=c]"]).text(), "[a,[b=c]]");
    }
}
