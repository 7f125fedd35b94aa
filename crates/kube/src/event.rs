//! Parses one line of a watch, and the fields of an object that the watch needs.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An object is new, or is there as the watch begins.
    Added,
    /// An object changed.
    Modified,
    /// An object is gone.
    Deleted,
    /// Nothing; the object only says how far the watch is.
    Bookmark,
    /// The watch cannot go on; the object says why.
    Error,
}

impl What {
    /// All, in the order of [`What::index`].
    pub const ALL: [Self; 5] = [Self::Added, Self::Modified, Self::Deleted, Self::Bookmark, Self::Error];

    /// As a label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::Bookmark => "bookmark",
            Self::Error => "error",
        }
    }

    /// Its place in a table.
    pub const fn index(self) -> usize {
        self as usize
    }

    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"ADDED" => Self::Added,
            b"MODIFIED" => Self::Modified,
            b"DELETED" => Self::Deleted,
            b"BOOKMARK" => Self::Bookmark,
            b"ERROR" => Self::Error,
            _ => return None,
        })
    }
}

/// One line of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'e> {
    /// What happened.
    pub what: What,
    /// To this object, as JSON.
    pub object: &'e [u8],
}

impl<'e> Event<'e> {
    /// Reads a line; `None` when it is not an event.
    pub fn read(line: &'e [u8]) -> Option<Self> {
        Self::as_usual(line).or_else(|| Self::somehow(line))
    }

    /// What every server writes: `{"type":"ADDED","object":{…}}`. Nothing of the object is looked at.
    fn as_usual(line: &'e [u8]) -> Option<Self> {
        let rest = line.strip_prefix(br#"{"type":""#)?;
        let (name, rest) = rest.split_at(memchr::memchr(b'"', rest)?);
        let object = rest.strip_prefix(br#"","object":"#)?.strip_suffix(b"}")?.trim_ascii();
        let is_object = object.first() == Some(&b'{') && object.last() == Some(&b'}');
        if is_object { Some(Self { what: What::of(name)?, object }) } else { None }
    }

    fn somehow(line: &'e [u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Any<'a> {
            #[serde(rename = "type", borrow)]
            what: Cow<'a, str>,
            #[serde(borrow)]
            object: &'a RawValue,
        }
        let any: Any<'e> = serde_json::from_slice(line).ok()?;
        Some(Self { what: What::of(any.what.as_bytes())?, object: any.object.get().as_bytes() })
    }
}

/// Which object it is, and how far a watch is that has seen it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Identity<'a> {
    /// Its metadata.
    #[serde(borrow)]
    pub metadata: IdentityMeta<'a>,
}

/// The part of `metadata` that a watch reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IdentityMeta<'a> {
    /// Unique for all time.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// How far the watch is.
    #[serde(borrow)]
    pub resource_version: Cow<'a, str>,
    /// Of interest in bookmarks only.
    #[serde(borrow)]
    pub annotations: Option<&'a RawValue>,
}

impl<'a> Identity<'a> {
    /// Reads it from an object; empty where the object has none.
    pub fn of(object: &'a [u8]) -> Self {
        serde_json::from_slice(object).unwrap_or_default()
    }

    /// Whether it is the bookmark that ends the objects with which a streaming list begins.
    pub fn ends_list(&self) -> bool {
        self.metadata.annotations.is_some_and(|text| {
            let annotations: std::collections::BTreeMap<String, String> =
                serde_json::from_str(text.get()).unwrap_or_default();
            annotations.get("k8s.io/initial-events-end").is_some_and(|value| value == "true")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_without_reading_the_object() {
        let event = Event::read(br#"{"type":"ADDED","object":{"a":"\"}"}}"#).unwrap();
        assert_eq!(event, Event { what: What::Added, object: br#"{"a":"\"}"}"# });
    }

    #[test]
    fn lines_may_be_written_in_other_ways() {
        let event = Event::read(br#"{ "object" : {"b":1} , "type" : "DELETED", "more": 1 }"#).unwrap();
        assert_eq!(event, Event { what: What::Deleted, object: br#"{"b":1}"# });
    }

    #[test]
    fn what_is_no_event_is_none() {
        for line in [
            &b"{}"[..],
            br#"{"type":"ADDED"}"#,
            br#"{"type":"ADDED","object":{"#,
            b"<html>",
            br#"{"type":"X","object":{}}"#,
        ] {
            assert_eq!(Event::read(line), None, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_bookmark_says_when_the_list_is_whole() {
        let ends = |text: &str| Identity::of(text.as_bytes()).ends_list();
        assert!(ends(r#"{"metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"true"}}}"#));
        assert!(!ends(r#"{"metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"false"}}}"#));
        assert!(!ends(r#"{"metadata":{"resourceVersion":"7"}}"#));
        assert_eq!(Identity::of(br#"{"metadata":{"resourceVersion":"7"}}"#).metadata.resource_version, "7");
    }
}
