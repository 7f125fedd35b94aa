//! Labels and annotations of objects that are asked for by name: `team=example.org/team`.

/// A label of ours, and where its values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub label: String,
    /// Which of an object's maps has the value.
    pub from: From,
    /// Under which key.
    pub key: String,
}

/// A map of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Its labels.
    Labels,
    /// Its annotations.
    Annotations,
}

impl From {
    /// The map, out of an object's two.
    pub fn of<'m, M>(self, labels: &'m M, annotations: &'m M) -> &'m M {
        match self {
            Self::Labels => labels,
            Self::Annotations => annotations,
        }
    }
}

/// Labels that the families which these stand beside have already: `pod_workload_info`, `workload_owner_info`,
/// `kube_workload_owner_info`.
const RESERVED: [&str; 5] = ["namespace", "phase", "pod", "workload", "workload_kind"];

impl Wanted {
    /// Reads `team=example.org/team` or `pager=annotation:example.org/pager`.
    pub fn parse(text: &str) -> Option<Self> {
        let (label, key) = text.split_once('=')?;
        let (from, key) = match key.split_once(':') {
            Some(("annotation", key)) => (From::Annotations, key),
            Some(("label", key)) => (From::Labels, key),
            Some(_) => return None,
            None => (From::Labels, key),
        };
        let starts_well = label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !label.starts_with("__");
        let is_name = starts_well && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let fits = is_name && !RESERVED.contains(&label) && !key.is_empty();
        fits.then(|| Self { label: label.to_owned(), from, key: key.to_owned() })
    }

    /// Reads a list; the first that cannot be read, or whose label was there before, is the error.
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>, &str> {
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
        for text in ["team", "team=", "a-b=x", "a=secret:x", "__a=x", "1a=x", "=x"] {
            assert_eq!(Wanted::parse(text), None, "{text}");
        }
        assert_eq!(Wanted::parse_all(&["a=x".to_owned(), "a=y".to_owned()]), Err("a=y"));
        assert_eq!((From::Labels.of(&1, &2), From::Annotations.of(&1, &2)), (&1, &2));
    }

    #[test]
    fn labels_that_a_family_has_are_not_given_twice() {
        for label in ["namespace", "phase", "pod", "workload", "workload_kind"] {
            assert_eq!(Wanted::parse(&format!("{label}=x")), None, "{label}");
        }
    }
}
