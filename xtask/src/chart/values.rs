//! `values.yaml`: its defaults, what its comments say of them, and what follows: the schema and the table of the docs.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

/// A key with a comment.
#[derive(Debug, PartialEq)]
struct Entry {
    path: Vec<String>,
    about: String,
    /// What the schema says besides: `enum: a, b`.
    narrowed: Option<String>,
}

/// The defaults, and keys with comments in their order.
#[derive(Debug)]
pub(super) struct Values {
    defaults: Value,
    entries: Vec<Entry>,
}

impl Values {
    /// Reads the file. Every default has a comment of its own or belongs to a key that has one.
    pub(super) fn read(text: &str) -> Result<Self> {
        let defaults = serde_saphyr::from_str(text).context("values.yaml is no YAML")?;
        let values = Self { defaults, entries: entries(text) };
        let mut without = Vec::new();
        values.without_comment(&values.defaults, &mut Vec::new(), &mut without);
        if !without.is_empty() {
            bail!("values.yaml: no comment says what these are: {}", without.join(", "));
        }
        Ok(values)
    }

    fn entry(&self, path: &[String]) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.path == path)
    }

    fn without_comment(&self, value: &Value, path: &mut Vec<String>, without: &mut Vec<String>) {
        if self.entry(path).is_some() {
            return;
        }
        let Some(map) = value.as_object().filter(|map| !map.is_empty()) else {
            without.push(path.join("."));
            return;
        };
        for (key, value) in map {
            path.push(key.clone());
            self.without_comment(value, path, without);
            path.pop();
        }
    }

    /// The schema, which refuses keys that there are not.
    pub(super) fn schema(&self) -> Result<String> {
        let mut schema = self.schema_of(&self.defaults, &mut Vec::new())?;
        if let Some(map) = schema.as_object_mut() {
            map.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
            map.insert("title".to_owned(), json!("Values of the chart yagura"));
        }
        // A chart that contains this one shares its own settings there.
        if let Some(global) = schema.pointer_mut("/properties/global/additionalProperties") {
            *global = json!(true);
        }
        Ok(format!("{schema:#}\n"))
    }

    fn schema_of(&self, value: &Value, path: &mut Vec<String>) -> Result<Value> {
        let entry = self.entry(path);
        let mut schema = Map::new();
        if let Some(entry) = entry {
            schema.insert("description".to_owned(), json!(entry.about));
        }
        let kind = match value {
            Value::Null => bail!("values.yaml: {} is null, which says no type", path.join(".")),
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        schema.insert("type".to_owned(), json!(kind));
        // An object that a comment describes is the user's; one without has exactly the keys that stand there.
        if let (Value::Object(map), None) = (value, entry) {
            let mut properties = Map::new();
            for (key, value) in map {
                path.push(key.clone());
                properties.insert(key.clone(), self.schema_of(value, path)?);
                path.pop();
            }
            schema.insert("properties".to_owned(), Value::Object(properties));
            schema.insert("additionalProperties".to_owned(), json!(false));
        }
        if let Some(narrowed) = entry.and_then(|entry| entry.narrowed.as_deref()) {
            let (key, text) = narrowed.split_once(':').with_context(|| format!("@schema {narrowed:?} has no colon"))?;
            let words: Vec<&str> = text.split(',').map(|word| word.trim().trim_matches('"')).collect();
            let value = match (key.trim(), &words[..]) {
                ("enum" | "type", _) => json!(words),
                ("minimum", [number]) => json!(number.parse::<u32>().context("@schema minimum")?),
                _ => bail!("values.yaml: @schema {narrowed:?} is not known"),
            };
            schema.insert(key.trim().to_owned(), value);
        }
        Ok(Value::Object(schema))
    }

    /// The table of the docs.
    pub(super) fn table(&self) -> String {
        let mut table = "| value | default | what |\n|---|---|---|\n".to_owned();
        for entry in &self.entries {
            let default = entry.path.iter().try_fold(&self.defaults, |value, key| value.get(key));
            let default = default.map(Value::to_string).unwrap_or_default();
            let _ =
                writeln!(table, "| `{}` | `{default}` | {} |", entry.path.join("."), entry.about.replace('|', "\\|"));
        }
        table
    }
}

/// Keys whose comment begins with `--`.
fn entries(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut parents: Vec<(usize, String)> = Vec::new();
    let (mut about, mut narrowed): (Option<String>, Option<String>) = (None, None);
    for line in text.lines() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if let Some(comment) = trimmed.strip_prefix('#') {
            let comment = comment.trim();
            if let Some(begin) = comment.strip_prefix("-- ") {
                (about, narrowed) = (Some(begin.to_owned()), None);
            } else if let Some(schema) = comment.strip_prefix("@schema ") {
                narrowed = Some(schema.to_owned());
            } else if let Some(about) = &mut about {
                about.push(' ');
                about.push_str(comment);
            }
            continue;
        }
        let key = trimmed.split_once(':').map(|(key, _)| key).filter(|key| !key.starts_with('-') && !key.is_empty());
        let Some(key) = key else {
            about = None;
            continue;
        };
        parents.retain(|(of, _)| *of < indent);
        parents.push((indent, key.to_owned()));
        if let Some(about) = about.take() {
            let path = parents.iter().map(|(_, key)| key.clone()).collect();
            entries.push(Entry { path, about, narrowed: narrowed.take() });
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Top.\n\n# -- First, and\n# more.\na: 1\nb:\n  # -- One of them.\n  # @schema enum: \"\", x\n  c: \
                        \"\"\n  # -- Free.\n  d:\n    e.f/g: h\n  # -- All.\n  t:\n  - operator: Exists\n";

    #[test]
    fn objects_with_a_comment_are_the_users() {
        let values = Values::read(TEXT).unwrap();
        let schema: Value = serde_json::from_str(&values.schema().unwrap()).unwrap();
        let b = &schema["properties"]["b"];
        assert_eq!(b["additionalProperties"], json!(false));
        assert_eq!(b["properties"]["c"]["enum"], json!(["", "x"]));
        assert_eq!(b["properties"]["d"], json!({"type": "object", "description": "Free."}));
        assert_eq!(schema["properties"]["a"]["type"], json!("integer"));
    }

    #[test]
    fn the_table_has_a_line_for_each() {
        let table = Values::read(TEXT).unwrap().table();
        assert!(table.contains("| `a` | `1` | First, and more. |\n"), "{table}");
        assert!(table.contains("| `b.t` | `[{\"operator\":\"Exists\"}]` | All. |\n"), "{table}");
    }

    #[test]
    fn a_value_without_a_comment_is_refused() {
        let error = Values::read("a:\n  b: 1\n  # -- C.\n  c: 2\n").unwrap_err().to_string();
        assert!(error.ends_with("what these are: a.b"), "{error}");
    }
}
