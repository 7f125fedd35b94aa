//! A YAML file and where its keys stand.

use serde::de::DeserializeOwned;

use crate::Problem;

/// A file's name and text.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name that problems carry, relative to the set's folder.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// A file with this text.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { file: file.into(), text: text.into() }
    }

    /// The value in the file.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_saphyr::from_str(&self.text).map_err(|error| {
            let line = error.location().map_or(0, |at| at.line());
            let what = error.without_snippet().to_string();
            let end = [" at line ", ", set DuplicateKeyPolicy"].iter().filter_map(|end| what.find(end)).min();
            let what = what.get(..end.unwrap_or(what.len())).unwrap_or(&what).to_owned();
            Problem { file: self.file.clone(), line, key: self.key_at(line).unwrap_or_default(), what }
        })
    }

    /// A problem of the value at a dotted key.
    pub fn problem(&self, key: &str, what: impl Into<String>) -> Problem {
        Problem { file: self.file.clone(), line: self.line_of(key), key: key.to_owned(), what: what.into() }
    }

    /// The line of a dotted key, or of the last of its parents that stands in the file; keys in block style only.
    fn line_of(&self, key: &str) -> u64 {
        let (mut found, mut deeper_than) = (0, None);
        let mut lines = self.text.lines().zip(1..).peekable();
        for part in key.split('.') {
            let mut at = None;
            while let Some((line, number)) = lines.next_if(|_| true) {
                let Some((indent, name)) = key_of(line) else { continue };
                if deeper_than.is_some_and(|least| indent <= least) {
                    return found;
                }
                if name == part {
                    at = Some((indent, number));
                    break;
                }
            }
            let Some((indent, number)) = at else { return found };
            (found, deeper_than) = (number, Some(indent));
        }
        found
    }

    /// The dotted key that a line belongs to, by indentation.
    fn key_at(&self, line: u64) -> Option<String> {
        let mut names: Vec<&str> = Vec::new();
        let mut below = usize::MAX;
        let before: Vec<&str> = self.text.lines().take(usize::try_from(line).ok()?).collect();
        for (indent, name) in before.into_iter().rev().filter_map(key_of) {
            if indent < below {
                names.push(name);
                below = indent;
            }
        }
        names.reverse();
        (!names.is_empty()).then(|| names.join("."))
    }
}

/// Indentation and name of a line that begins with a key.
fn key_of(line: &str) -> Option<(usize, &str)> {
    let content = line.trim_start_matches([' ', '-']);
    let (name, _) = content.split_once(':')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    is_name.then_some((line.len() - content.len(), name))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only whether it is read matters")]
        b: u32,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only whether it is read matters")]
        a: Inner,
    }

    #[test]
    fn a_problem_names_file_line_and_key() {
        let said = |text: &str| Source::new("x.yaml", text).read::<Outer>().unwrap_err().to_string();
        assert!(
            said("a:\n  b: 1\n  c: 2\n").starts_with("x.yaml:3: a.c: unknown field"),
            "{}",
            said("a:\n  b: 1\n  c: 2\n")
        );
        assert!(said("a:\n  b: no\n").starts_with("x.yaml:2: a.b: "));
        assert!(said("a: {}\n").contains("missing field"));
    }

    #[test]
    fn a_key_is_found_below_its_parents() {
        let source = Source::new("x.yaml", "b: 1\na:\n  c: 1\n  b:\n    - d: 2\ne: 3\n");
        assert_eq!(source.problem("a.b", "x").line, 4);
        assert_eq!(source.problem("a.none", "x").line, 2, "its parent");
        assert_eq!(source.problem("e", "x").line, 6);
        assert_eq!(source.problem("", "x").line, 0);
    }
}
