//! Kubernetes labels and annotations as metric labels: allowlists and names.

use std::collections::BTreeMap;

/// Which labels or annotations of a kind are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList {
    patterns: Vec<Pattern>,
    given: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    All,
    Exact(String),
    Between { prefix: String, suffix: String },
}

impl AllowList {
    /// Nothing is shown.
    pub const NONE: Self = Self { patterns: Vec::new(), given: false };

    /// Reads patterns: a key, a key with one `*` somewhere, or `*` alone as the first of all. A lone `*` elsewhere and
    /// a pattern with more than one `*` allow nothing.
    pub fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Self {
        let mut list = Self::default();
        for (index, pattern) in patterns.into_iter().enumerate() {
            list.given = true;
            match pattern.as_ref().split_once('*') {
                None => list.patterns.push(Pattern::Exact(pattern.as_ref().to_owned())),
                Some(("", "")) if index == 0 => list.patterns.push(Pattern::All),
                Some(("", "")) => {}
                Some((_, suffix)) if suffix.contains('*') => {}
                Some((prefix, suffix)) => {
                    list.patterns.push(Pattern::Between { prefix: prefix.to_owned(), suffix: suffix.to_owned() });
                }
            }
        }
        list
    }

    /// A list that allows everything.
    pub fn all() -> Self {
        Self::new(["*"])
    }

    /// Whether there is no list at all: then the family has no rows. A list that allows no key of an object still
    /// gives that object its row.
    pub fn is_empty(&self) -> bool {
        !self.given
    }

    /// Whether a key may be shown.
    pub fn allows(&self, key: &str) -> bool {
        self.patterns.iter().any(|pattern| match pattern {
            Pattern::All => true,
            Pattern::Exact(exact) => exact == key,
            Pattern::Between { prefix, suffix } => {
                key.len() >= prefix.len() + suffix.len()
                    && key.starts_with(prefix.as_str())
                    && key.ends_with(suffix.as_str())
                    && !key.contains('\n')
            }
        })
    }
}

/// Appends a Kubernetes name in the letters that a metric label may have: all others become `_`.
pub fn push_sanitized(out: &mut String, key: &str) {
    out.extend(key.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }));
}

/// A name in the letters that a metric label may have, and not beginning with a digit.
pub fn sanitized(key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 1);
    if key.is_empty() || key.starts_with(|first: char| first.is_ascii_digit()) {
        name.push('_');
    }
    push_sanitized(&mut name, key);
    name
}

/// Whether a metric label can have this name.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && sanitized(name) == name
}

/// What a Kubernetes key is called as a metric label: `app.kubernetes.io/partOf` with prefix `label` is
/// `label_app_kubernetes_io_part_of`.
pub fn name(prefix: &str, key: &str) -> String {
    let mut name = String::with_capacity(prefix.len() + key.len() + 4);
    name.push_str(prefix);
    name.push('_');
    let mut after_small = false;
    for c in key.chars() {
        let c = if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
        if after_small && c.is_ascii_uppercase() {
            name.push('_');
        }
        after_small = c.is_ascii_lowercase() || c.is_ascii_digit();
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// What each of these keys is called. Keys that would be called the same get `_conflict1`, `_conflict2` and so on, in
/// the order given; a name that is already taken is passed over.
pub fn names<'k>(prefix: &str, keys: impl IntoIterator<Item = &'k str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut conflicts: BTreeMap<String, usize> = BTreeMap::new();
    for key in keys {
        let base = name(prefix, key);
        let mut own = base.clone();
        if let Some(count) = conflicts.get_mut(&base) {
            own = next_free(&base, count, &taken);
        } else if let Some(first) = taken.remove(&base) {
            let mut count = 0;
            let renamed = next_free(&base, &mut count, &taken);
            taken.insert(renamed.clone(), first);
            if let Some(name) = names.get_mut(first) {
                *name = renamed;
            }
            own = next_free(&base, &mut count, &taken);
            conflicts.insert(base, count);
        }
        taken.insert(own.clone(), names.len());
        names.push(own);
    }
    names
}

fn next_free(base: &str, count: &mut usize, taken: &BTreeMap<String, usize>) -> String {
    loop {
        *count += 1;
        let candidate = format!("{base}_conflict{count}");
        if !taken.contains_key(&candidate) {
            return candidate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_becomes_snake_case() {
        assert_eq!(name("label", "app.kubernetes.io/partOf"), "label_app_kubernetes_io_part_of");
        assert_eq!(name("label", "HTTPServer2Go"), "label_httpserver2_go");
        assert_eq!(name("annotation", "straße"), "annotation_stra_e");
    }

    #[test]
    fn a_sanitized_key_can_be_a_label() {
        for (key, expected) in [("app/x", "app_x"), ("1st", "_1st"), ("", "_"), ("é", "_"), ("ok_1", "ok_1")] {
            assert_eq!(sanitized(key), expected);
            assert_eq!(is_name(key), key == "ok_1", "{key}");
        }
    }

    #[test]
    fn keys_of_one_name_are_numbered() {
        assert_eq!(names("label", ["a-b", "a.b", "c"]), ["label_a_b_conflict1", "label_a_b_conflict2", "label_c"]);
        assert_eq!(
            names("label", ["a-b", "a.b", "a/b", "a_b_conflict1"]),
            [
                "label_a_b_conflict1_conflict1",
                "label_a_b_conflict2",
                "label_a_b_conflict3",
                "label_a_b_conflict1_conflict2"
            ]
        );
    }

    #[test]
    fn a_generated_name_passes_over_a_taken_one() {
        assert_eq!(
            names("label", ["a-b-conflict1", "a.b", "a/b"]),
            ["label_a_b_conflict1", "label_a_b_conflict2", "label_a_b_conflict3"]
        );
    }

    #[test]
    fn patterns_have_at_most_one_star() {
        let list = AllowList::new(["app", "team/*", "*", "a*b*c"]);
        for (key, allowed) in [("app", true), ("apps", false), ("team/x", true), ("team", false), ("abc", false)] {
            assert_eq!(list.allows(key), allowed, "{key}");
        }
        assert!(AllowList::all().allows("anything"));
        assert!(AllowList::default().is_empty());
        assert!(!AllowList::new(["a", "*"]).allows("b"));
        assert!(!AllowList::new(["ab*ba"]).allows("aba"));
    }
}
