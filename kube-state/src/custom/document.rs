//! A YAML document as a tree with line and column of every part, for error messages after parsing. Plain scalars keep
//! their spelling: `1.10` is a version, not 1.1.
//!
//! Of a stream of several documents the first is read, as kube-state-metrics does.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;

/// Line and column, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) what: What,
}

/// What stands there.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Null,
    Text(String),
    List(Vec<Node>),
    /// In the order of the file; keys are told apart by the reader.
    Map(Vec<(Place, String, Node)>),
}

/// What is no YAML.
#[derive(Debug)]
pub(super) struct BadYaml {
    pub(super) place: Option<Place>,
    pub(super) what: String,
}

/// The first document of a text, and the line at which there is more behind it.
pub fn first_document(text: &str) -> (&str, Option<u64>) {
    let (mut at, mut has_begun) = (0, false);
    for (number, line) in (1_u64..).zip(text.split_inclusive('\n')) {
        let mark = line
            .get(..3)
            .filter(|_| line.get(3..).is_none_or(|rest| rest.starts_with(char::is_whitespace) || rest.is_empty()));
        if mark == Some("...") || (mark == Some("---") && has_begun) {
            let (document, rest) = text.split_at_checked(at).unwrap_or((text, ""));
            let is_more = |line: &str| !matches!(line.trim(), "" | "---" | "...") && !line.trim().starts_with('#');
            return (document, rest.lines().any(is_more).then_some(number));
        }
        let content = line.trim();
        has_begun |= !content.is_empty() && !content.starts_with(['#', '%']);
        at += line.len();
    }
    (text, None)
}

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Node, BadYaml> {
    let read: Result<Option<Spanned<Shape>>, _> = serde_saphyr::from_str(text);
    let shape = read.map_err(|error| {
        let place = error.location().map(|at| Place { line: at.line(), column: at.column() });
        let what = error.without_snippet().to_string();
        let ends = [" at line ", ", set DuplicateKeyPolicy"].iter().filter_map(|end| what.find(end));
        let end = ends.min().unwrap_or(what.len());
        BadYaml { place, what: what.get(..end).unwrap_or(&what).to_owned() }
    })?;
    let nothing = Node { place: Place { line: 1, column: 1 }, what: What::Null };
    Ok(shape.map_or(nothing, |shape| node(shape, text)))
}

fn node(shape: Spanned<Shape>, text: &str) -> Node {
    let place = place(&shape.referenced);
    let what = match shape.value {
        Shape::Null => What::Null,
        Shape::Quoted(value) => What::Text(value),
        Shape::Plain(value) => What::Text(spelling(&shape.defined, text).unwrap_or(value)),
        Shape::List(list) => What::List(list.into_iter().map(|shape| node(shape, text)).collect()),
        Shape::Map(map) => {
            let entry =
                |(key, shape): (Spanned<String>, _)| (self::place(&key.referenced), key.value, node(shape, text));
            What::Map(map.into_iter().map(entry).collect())
        }
    };
    Node { place, what }
}

fn place(location: &serde_saphyr::Location) -> Place {
    Place { line: location.line(), column: location.column() }
}

/// A plain scalar as it is written.
fn spelling(location: &serde_saphyr::Location, text: &str) -> Option<String> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
    text.get(start..end).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A value of any shape.
#[derive(Debug)]
enum Shape {
    Null,
    Quoted(String),
    /// A number or truth value.
    Plain(String),
    List(Vec<Spanned<Shape>>),
    Map(Vec<(Spanned<String>, Spanned<Shape>)>),
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyShape)
    }
}

struct AnyShape;

impl<'de> Visitor<'de> for AnyShape {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }
    fn visit_none<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_bool<E>(self, flag: bool) -> Result<Shape, E> {
        Ok(Shape::Plain(flag.to_string()))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Shape, E> {
        Ok(Shape::Plain(number.to_string()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Shape, E> {
        Ok(Shape::Plain(number.to_string()))
    }
    fn visit_i128<E>(self, number: i128) -> Result<Shape, E> {
        Ok(Shape::Plain(number.to_string()))
    }
    fn visit_u128<E>(self, number: u128) -> Result<Shape, E> {
        Ok(Shape::Plain(number.to_string()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Shape, E> {
        Ok(Shape::Plain(number.to_string()))
    }
    fn visit_str<E>(self, text: &str) -> Result<Shape, E> {
        Ok(Shape::Quoted(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Shape, E> {
        Ok(Shape::Quoted(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut all = Vec::new();
        while let Some(element) = list.next_element()? {
            all.push(element);
        }
        Ok(Shape::List(all))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = map.next_entry()? {
            all.push(entry);
        }
        Ok(Shape::Map(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(node: &Node) -> &str {
        let What::Text(text) = &node.what else { panic!("{node:?}") };
        text
    }

    #[test]
    fn parts_know_their_place_and_spelling() {
        let document = parse("a: 1.10\nb:\n  - yes\n  - \"2\"\n  - ~\n  - 0x10 # x\n").unwrap();
        let What::Map(map) = &document.what else { panic!("{document:?}") };
        let [(_, a, version), (place, b, list)] = map.as_slice() else { panic!("{map:?}") };
        assert_eq!((a.as_str(), b.as_str(), *place), ("a", "b", Place { line: 2, column: 1 }));
        assert_eq!((text(version), version.place), ("1.10", Place { line: 1, column: 4 }));
        let What::List(list) = &list.what else { panic!("{list:?}") };
        let texts: Vec<_> = list.iter().filter(|node| node.what != What::Null).map(text).collect();
        assert_eq!(texts, ["yes", "2", "0x10"]);
        assert_eq!(list.get(2).map(|node| &node.what), Some(&What::Null));
    }

    #[test]
    fn anchors_are_followed_and_an_empty_document_is_null() {
        let document = parse("a: &path [x, 1.50]\nb: *path\n").unwrap();
        let What::Map(map) = &document.what else { panic!("{document:?}") };
        let What::List(list) = &map.last().unwrap().2.what else { panic!("{map:?}") };
        assert_eq!(list.iter().map(text).collect::<Vec<_>>(), ["x", "1.50"]);
        for empty in ["", "---\n", "# nothing\n"] {
            assert_eq!(parse(empty).unwrap().what, What::Null, "{empty:?}");
        }
    }

    #[test]
    fn of_several_documents_the_first_is_read() {
        for (text, document, more) in [
            ("a: 1\n", "a: 1\n", None),
            ("---\na: 1\n", "---\na: 1\n", None),
            ("# c\n%YAML 1.2\n--- # c\na: 1\n---\nb: 2\n", "# c\n%YAML 1.2\n--- # c\na: 1\n", Some(5)),
            ("a: 1\n---\nb: 2", "a: 1\n", Some(2)),
            ("a: 1\n---\n# c\n\n---\n", "a: 1\n", None),
            ("a: 1\n...\n---\nb: 2\n", "a: 1\n", Some(2)),
            ("---\n---\nb: 2\n", "---\n", Some(2)),
            ("a: |\n  ---\n  x\nb: ---x\n---x: 1\n", "a: |\n  ---\n  x\nb: ---x\n---x: 1\n", None),
        ] {
            assert_eq!(first_document(text), (document, more), "{text}");
        }
    }

    #[test]
    fn what_is_no_yaml_is_pointed_at() {
        let error = parse("a: 1\na: 2\n").unwrap_err();
        assert_eq!(error.place, Some(Place { line: 2, column: 1 }));
        assert_eq!(error.what, "duplicate mapping key: a");
        assert!(parse("a: [").is_err() && parse("a: *b").is_err());
    }
}
