//! Labels and annotations of objects that are asked for by name.

use super::object::Meta;

/// A label of ours, and where its values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its name.
    pub(super) label: String,
    /// Which of an object's maps has the value.
    pub(super) from: From,
    /// Under which key.
    pub(super) key: String,
}

/// A map of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// Its labels.
    Labels,
    /// Its annotations.
    Annotations,
}

/// Labels of the families that these stand beside.
const OURS: [&str; 4] = ["namespace", "pod", "workload", "workload_kind"];

impl Wanted {
    /// Reads `team=example.org/team` or `pager=annotation:example.org/pager`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (label, key) = text.split_once('=')?;
        let (from, key) = match key.split_once(':') {
            Some(("annotation", key)) => (From::Annotations, key),
            Some(("label", key)) => (From::Labels, key),
            Some(_) => return None,
            None => (From::Labels, key),
        };
        let starts_well = label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !label.starts_with("__");
        let is_name = starts_well && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let fits = is_name && !OURS.contains(&label) && !key.is_empty();
        fits.then(|| Self { label: label.to_owned(), from, key: key.to_owned() })
    }

    /// Its value; empty when the object has none.
    pub(super) fn value<'m>(&self, meta: &'m Meta) -> &'m str {
        let map = if self.from == From::Labels { &meta.labels } else { &meta.annotations };
        map.get(&self.key).map_or("", String::as_str)
    }

    /// Reads a list; the first that cannot be read, or whose label was there before, is the error.
    pub(super) fn parse_all(texts: &[String]) -> Result<Vec<Self>, &str> {
        let mut all: Vec<Self> = Vec::new();
        for text in texts {
            let new = Self::parse(text).filter(|new| all.iter().all(|known| known.label != new.label));
            all.push(new.ok_or(text.as_str())?);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_from_labels_or_annotations() {
        let texts = ["team=example.org/team".to_owned(), "pager=annotation:example.org/pager".to_owned()];
        let all = Wanted::parse_all(&texts).unwrap();
        let read: Vec<_> = all.iter().map(|wanted| (wanted.label.as_str(), wanted.from, wanted.key.as_str())).collect();
        let expected = [("team", From::Labels, "example.org/team"), ("pager", From::Annotations, "example.org/pager")];
        assert_eq!(read, expected);
        for text in ["team", "team=", "a-b=x", "workload=x", "a=secret:x", "__a=x", "=x"] {
            assert_eq!(Wanted::parse(text), None, "{text}");
        }
        assert_eq!(Wanted::parse_all(&["a=x".to_owned(), "a=y".to_owned()]), Err("a=y"));
    }
}
