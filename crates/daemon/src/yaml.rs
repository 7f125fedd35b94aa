//! Configuration files in YAML. Errors have file, line, column and key.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

/// An error in a configuration file. Printed as `file.yaml:LINE:COL: key a.b: what`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file as it was named.
    pub file: PathBuf,
    /// Line and column, from 1, when the trouble has a place.
    pub place: Option<(u64, u64)>,
    /// The dotted key, when it concerns one.
    pub key: Option<String>,
    /// The problem, lower case.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        if let Some(key) = &self.key {
            write!(f, " key {key}:")?;
        }
        write!(f, " {}", self.what)
    }
}

impl ConfigError {
    /// An error about the file as a whole.
    pub fn whole(file: &Path, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: None, key: None, what: what.into() }
    }

    /// An error about the value of `key` (dotted) in a file with this `text`: for what only a second look can find.
    pub fn of_key(file: &Path, text: &str, key: &str, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: place_of(text, key), key: Some(key.to_owned()), what: what.into() }
    }
}

/// The value in the YAML file at `path`. An empty file is an empty mapping.
pub fn load_yaml<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    parse_yaml(&read(path)?, path)
}

/// The value in `text`, which errors say came from `path`.
pub fn parse_yaml<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, ConfigError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location().map(|at| (at.line(), at.column()));
        let mut what = error.without_snippet().to_string();
        if let Some((line, column)) = place {
            let tail = format!(" at line {line}, column {column}");
            what = what.replace(&tail, "");
        }
        let what = what.split(", set DuplicateKeyPolicy").next().unwrap_or_default().to_owned();
        let key = place.and_then(|(line, column)| key_at(text, line, column));
        ConfigError { file: path.to_owned(), place, key, what }
    })
}

pub(crate) fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| ConfigError::whole(path, format!("cannot be read: {error}")))
}

/// The dotted key whose name or value stands at this place, found by indentation; `None` in what is not block style.
fn key_at(text: &str, line: u64, column: u64) -> Option<String> {
    let last = usize::try_from(line).ok()?;
    let mut keys: Vec<&str> = Vec::new();
    let mut below = usize::MAX;
    for (back, candidate) in text.lines().take(last).collect::<Vec<_>>().into_iter().rev().enumerate() {
        let Some((indent, key)) = key_of(candidate) else { continue };
        // A key to the right of the place is not about it.
        if back == 0 && usize::try_from(column).is_ok_and(|column| indent >= column) {
            continue;
        }
        if indent < below {
            keys.push(key);
            below = indent;
        }
        if indent == 0 {
            break;
        }
    }
    keys.reverse();
    if keys.is_empty() { None } else { Some(keys.join(".")) }
}

/// The place in `text` of the dotted `key`, or of the nearest of its parents that is there.
fn place_of(text: &str, key: &str) -> Option<(u64, u64)> {
    let mut found = None;
    let mut rest = text.lines().enumerate();
    let mut parent_indent = None;
    for part in key.split('.') {
        let at = rest.by_ref().find_map(|(line, candidate)| {
            let (indent, name) = key_of(candidate)?;
            let inside = parent_indent.is_none_or(|parent| indent > parent);
            (inside && name == part && (parent_indent.is_some() || indent == 0)).then_some((line, indent))
        });
        let Some((line, indent)) = at else { break };
        found = Some((line as u64 + 1, indent as u64 + 1));
        parent_indent = Some(indent);
    }
    found
}

/// Indentation and name of the key that this line begins with. `- name: x` counts as indented by the dash.
fn key_of(line: &str) -> Option<(usize, &str)> {
    let name = line.trim_start_matches([' ', '-']);
    let indent = line.len() - name.len();
    let (key, value) = name.split_once(':')?;
    let plain = !key.is_empty() && !key.starts_with(['#', '{', '[']);
    let ends = value.is_empty() || value.starts_with([' ', '\r']);
    (plain && ends).then(|| (indent, key.trim_end().trim_matches(['"', '\''])))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        web: Web,
        names: Vec<u8>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Web {
        port: u16,
        on: Option<bool>,
    }

    #[test]
    fn errors_name_file_line_column_and_key() {
        let cases = [
            ("web:\n  prot: 1\n", "c.yaml:2:3: key web.prot: unknown field `prot`, expected one of port, on"),
            ("# x\nweb:\n  port: abc\n", "c.yaml:3:9: key web.port: invalid u16"),
            ("web:\n  on: 7\n", "c.yaml:2:7: key web.on: invalid boolean"),
            ("names:\n  - 1\n  - 300\n", "c.yaml:3:5: key names: invalid u8"),
            ("wbe: 1\n", "c.yaml:1:1: key wbe: unknown field `wbe`, expected web or names"),
            ("web:\n  port: 1\n  port: 2\n", "c.yaml:3:3: key web.port: duplicate mapping key: port"),
            ("- 1\n", "c.yaml:1:1: expected mapping start"),
        ];
        for (text, message) in cases {
            let error = parse_yaml::<Sample>(text, Path::new("c.yaml")).unwrap_err();
            let said = error.to_string();
            assert!(said.starts_with(message.split(", expected").next().unwrap()), "{said}\n{message}");
        }
        let missing = load_yaml::<Sample>(Path::new("/nowhere/c.yaml")).unwrap_err();
        assert!(missing.to_string().starts_with("/nowhere/c.yaml: cannot be read: "), "{missing}");
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        assert_eq!(parse_yaml::<Sample>("", Path::new("c.yaml")).unwrap().web.port, 0);
    }

    #[test]
    fn a_key_is_found_in_the_text() {
        let text = "a:\n  b: 1\nweb:\n  b: 2\n  \"c\":\n    d: 3\n";
        assert_eq!(place_of(text, "web.b"), Some((4, 3)));
        assert_eq!(place_of(text, "web.c.d"), Some((6, 5)));
        assert_eq!(place_of(text, "web.x"), Some((3, 1)), "its parent");
        assert_eq!(place_of(text, "b"), None, "only at the top");
    }
}
